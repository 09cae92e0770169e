//! An array: its metadata, and the store that it lies in.

use std::ops::Deref;

use zarrange_grid::Region;
use zarrange_io::Store;

use crate::ArrayError;
use crate::document::Document;
use crate::metadata::ArrayMetadata;

/// A Zarr array of a store. It is what its metadata is, and can be read and written.
#[derive(Debug)]
pub struct Array {
    store: Store,
    metadata: ArrayMetadata,
}

impl Array {
    /// The array that `document` describes, in `store` (whose root is the array's own directory).
    ///
    /// # Errors
    /// As [`ArrayMetadata::new`].
    pub fn new(store: Store, document: Document, zarr_format: u8) -> Result<Self, ArrayError> {
        let metadata = ArrayMetadata::new(store.label().to_owned(), document, zarr_format)?;
        Ok(Self { store, metadata })
    }

    /// The array of this metadata, in `store`.
    pub const fn with_metadata(store: Store, metadata: ArrayMetadata) -> Self {
        Self { store, metadata }
    }

    /// A window of it.
    ///
    /// # Errors
    /// As [`ArrayMetadata::window`].
    pub fn window(&self, region: &Region) -> Result<Self, ArrayError> {
        Ok(Self { store: self.store.clone(), metadata: self.metadata.window(region)? })
    }

    /// The store, rooted at the array.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The metadata, without the store.
    pub fn into_metadata(self) -> ArrayMetadata {
        self.metadata
    }

    /// The metadata.
    pub const fn metadata(&self) -> &ArrayMetadata {
        &self.metadata
    }
}

impl Deref for Array {
    type Target = ArrayMetadata;

    fn deref(&self) -> &ArrayMetadata {
        &self.metadata
    }
}
