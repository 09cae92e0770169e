//! A [`Store`] behind the storage traits of zarrs, so that zarrs runs over every backend, wrapped or not.
//!
//! The ranges of one key are one batch over one open object. Objects are replaced in one step, partial writes too: no
//! backend changes an object in place, so they read, change and replace it.

use std::io;
use std::sync::{Mutex, PoisonError};

use zarrs_storage::byte_range::{ByteRange, ByteRangeIterator, InvalidByteRangeError};
use zarrs_storage::{
    Bytes, ListableStorageTraits, MaybeBytesIterator, OffsetBytesIterator, ReadableStorageTraits,
    StorageError, StoreKey, StoreKeys, StoreKeysPrefixes, StorePrefix, WritableStorageTraits,
};

use crate::{Access, Change, Entry, Extent, IoError, Object, ReadRequest, Source, Store};

/// A store as zarrs sees one. A key that is a directory, or leads through an object, is a key without a value.
///
/// Where a backend can hold an object and others below its name, both are removed together. Unlike in the file store
/// of zarrs, which syncs every file, nothing is sure to be durable before [`Change::Sync`].
#[derive(Debug)]
pub struct ZarrsStore {
    store: Store,
    /// Held while a part of an object changes: of two at once, one would be lost.
    partial: Mutex<()>,
}

impl ZarrsStore {
    /// The adapter for `store`; its keys are those of zarrs.
    pub fn new(store: Store) -> Self {
        Self { store, partial: Mutex::new(()) }
    }

    /// The object at `key` and its size in bytes.
    fn object(&self, key: &str) -> Result<Option<(Object, u64)>, IoError> {
        let Some(object) = leads_there(self.store.open(key, Access::Read))? else { return Ok(None) };
        let bytes = object.bytes().map_err(|e| IoError::os("read size", self.locate(key), e))?;
        Ok(Some((object, bytes)))
    }

    fn entries(&self, prefix: &str) -> Result<Vec<Entry>, IoError> {
        leads_there(self.store.list(prefix))
    }

    fn walk(&self, prefix: &StorePrefix, visit: &mut dyn FnMut(&str, u64)) -> Result<(), IoError> {
        leads_there(self.store.walk(directory(prefix), visit))
    }

    /// Offset and room of a range that lies within an object of `bytes`.
    fn room(&self, key: &str, range: ByteRange, bytes: u64) -> Result<(u64, Vec<u8>), StorageError> {
        let (offset, length) =
            locate_range(range, bytes).ok_or_else(|| InvalidByteRangeError::new(range, bytes))?;
        Ok((offset, zeros(length).ok_or_else(|| self.out_of_memory(key))?))
    }

    fn locate(&self, key: &str) -> String {
        format!("{}/{key}", self.store.label())
    }

    fn out_of_memory(&self, key: &str) -> IoError {
        IoError::os("allocate", self.locate(key), io::ErrorKind::OutOfMemory)
    }
}

impl ReadableStorageTraits for ZarrsStore {
    fn get_partial_many<'a>(
        &'a self,
        key: &StoreKey,
        byte_ranges: ByteRangeIterator<'a>,
    ) -> Result<MaybeBytesIterator<'a>, StorageError> {
        let key = key.as_str();
        let Some((object, bytes)) = self.object(key)? else { return Ok(None) };
        let parts = byte_ranges.map(|range| self.room(key, range, bytes));
        let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
        let source = Source::Open(&object);
        let mut batch: Vec<ReadRequest<'_>> = parts
            .iter_mut()
            .map(|(offset, buffer)| ReadRequest::new(source, Extent::From(*offset), buffer))
            .collect();
        self.store.read(&mut batch);
        for request in batch {
            request.result?;
        }
        Ok(Some(Box::new(parts.into_iter().map(|(_, buffer)| Ok(Bytes::from(buffer))))))
    }

    fn size_key(&self, key: &StoreKey) -> Result<Option<u64>, StorageError> {
        Ok(self.object(key.as_str())?.map(|(_, bytes)| bytes))
    }

    fn supports_get_partial(&self) -> bool {
        true
    }
}

impl WritableStorageTraits for ZarrsStore {
    fn set(&self, key: &StoreKey, value: Bytes) -> Result<(), StorageError> {
        // The empty key is the store itself.
        if key.as_str().is_empty() {
            return Err(IoError::BadKey(String::new()).into());
        }
        Ok(self.store.put(key.as_str(), &value)?)
    }

    fn set_partial_many(
        &self,
        key: &StoreKey,
        offset_values: OffsetBytesIterator<'_>,
    ) -> Result<(), StorageError> {
        let _alone = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        let mut data = self.get(key)?.map_or_else(Vec::new, Vec::from);
        for (offset, value) in offset_values {
            let out_of_memory = || self.out_of_memory(key.as_str());
            let start = usize::try_from(offset).map_err(|_| out_of_memory())?;
            let end = start.checked_add(value.len()).ok_or_else(out_of_memory)?;
            if let Some(more) = end.checked_sub(data.len()) {
                data.try_reserve_exact(more).map_err(|_| out_of_memory())?;
                data.resize(end, 0);
            }
            data[start..end].copy_from_slice(&value);
        }
        self.set(key, data.into())
    }

    fn erase(&self, key: &StoreKey) -> Result<(), StorageError> {
        // Only an object: what lies below a prefix of this name stays.
        if self.object(key.as_str())?.is_some() {
            self.store.change(Change::Remove(key.as_str()))?;
        }
        Ok(())
    }

    fn erase_prefix(&self, prefix: &StorePrefix) -> Result<(), StorageError> {
        let (directory, entries) = (directory(prefix), self.entries(directory(prefix))?);
        if directory.is_empty() {
            // The store itself stays.
            for entry in entries {
                self.store.change(Change::Remove(&entry.name))?;
            }
        } else if !entries.is_empty() {
            self.store.change(Change::Remove(directory))?;
        }
        Ok(())
    }

    fn supports_set_partial(&self) -> bool {
        false
    }
}

impl ListableStorageTraits for ZarrsStore {
    fn list(&self) -> Result<StoreKeys, StorageError> {
        self.list_prefix(&StorePrefix::root())
    }

    fn list_prefix(&self, prefix: &StorePrefix) -> Result<StoreKeys, StorageError> {
        let mut keys = Vec::new();
        self.walk(prefix, &mut |key, _| keys.push(StoreKey::new(key)))?;
        Ok(keys.into_iter().collect::<Result<_, _>>()?)
    }

    fn list_dir(&self, prefix: &StorePrefix) -> Result<StoreKeysPrefixes, StorageError> {
        let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
        for Entry { name, bytes } in self.entries(directory(prefix))? {
            let name = format!("{}{name}", prefix.as_str());
            match bytes {
                Some(_) => keys.push(StoreKey::new(name)?),
                None => prefixes.push(StorePrefix::new(name + "/")?),
            }
        }
        Ok(StoreKeysPrefixes::new(keys, prefixes))
    }

    fn size_prefix(&self, prefix: &StorePrefix) -> Result<u64, StorageError> {
        let mut total = 0;
        self.walk(prefix, &mut |_, bytes| total += bytes)?;
        Ok(total)
    }
}

/// The kind and the whole message stay, and the error itself as the source.
impl From<IoError> for StorageError {
    fn from(error: IoError) -> Self {
        let kind = match &error {
            IoError::Os { source, .. } | IoError::Transfer { source, .. } => source.kind(),
            IoError::NotFound { .. } => io::ErrorKind::NotFound,
            IoError::Short { .. } => io::ErrorKind::UnexpectedEof,
            IoError::TooLarge { .. } => io::ErrorKind::InvalidData,
            IoError::BadKey(_) => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::Unsupported,
        };
        io::Error::new(kind, error).into()
    }
}

/// A prefix as the key of a directory; the root is the empty key.
fn directory(prefix: &StorePrefix) -> &str {
    prefix.as_str().trim_end_matches('/')
}

/// Where a key leads through an object, or is a directory, there is no object.
fn leads_there<T: Default>(result: Result<T, IoError>) -> Result<T, IoError> {
    use io::ErrorKind::{IsADirectory, NotADirectory};
    match result {
        Err(IoError::Os { source, .. }) if matches!(source.kind(), IsADirectory | NotADirectory) => {
            Ok(T::default())
        }
        other => other,
    }
}

/// Offset and length of a range in an object of `bytes`; `None` if it reaches beyond.
fn locate_range(range: ByteRange, bytes: u64) -> Option<(u64, u64)> {
    let (offset, length) = match range {
        ByteRange::FromStart(offset, Some(length)) => (offset, length),
        ByteRange::FromStart(offset, None) => (offset, bytes.checked_sub(offset)?),
        ByteRange::Suffix(length) => (bytes.checked_sub(length)?, length),
    };
    (offset.checked_add(length)? <= bytes).then_some((offset, length))
}

/// Room for `length` bytes, where there is memory: a sparse file may have any size.
fn zeros(length: u64) -> Option<Vec<u8>> {
    let (length, mut room) = (usize::try_from(length).ok()?, Vec::new());
    room.try_reserve_exact(length).ok()?;
    room.resize(length, 0);
    Some(room)
}

#[cfg(test)]
mod tests {
    use zarrs_storage::byte_range::ByteRange::{self, FromStart, Suffix};

    use super::{locate_range, zeros};

    #[test]
    fn ranges() {
        let check = |range: ByteRange, bytes: u64, expected: Option<(u64, u64)>| {
            assert_eq!(locate_range(range, bytes), expected, "{range:?} of {bytes}");
        };
        check(FromStart(0, None), 0, Some((0, 0)));
        check(FromStart(1, None), 4, Some((1, 3)));
        check(FromStart(4, None), 4, Some((4, 0)));
        check(FromStart(5, None), 4, None);
        check(FromStart(1, Some(3)), 4, Some((1, 3)));
        check(FromStart(4, Some(0)), 4, Some((4, 0)));
        check(FromStart(1, Some(4)), 4, None);
        check(FromStart(u64::MAX, Some(1)), u64::MAX, None);
        check(Suffix(4), 4, Some((0, 4)));
        check(Suffix(0), 4, Some((4, 0)));
        check(Suffix(5), 4, None);
    }

    #[test]
    fn more_than_any_memory_is_no_room() {
        assert_eq!(zeros(3), Some(vec![0; 3]));
        for length in [1 << 62, u64::MAX] {
            assert_eq!(zeros(length), None);
        }
    }
}
