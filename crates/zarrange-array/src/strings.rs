//! Arrays of strings of any length: names of objects, not data to rechunk. They go through `zarrs`.

use std::num::NonZeroU64;
use std::sync::Arc;

use zarrange_grid::{Region, index};
use zarrs::array::{Array as ZarrsArray, ArrayBytes, ArrayMetadata, ArrayToBytesCodecTraits, CodecOptions};
use zarrs::metadata::v3::ArrayMetadataV3;

use crate::ArrayError;
use crate::array::Array;
use crate::json::Json;

impl Array {
    /// Writes all chunks of a one-dimensional array of strings (`string` with `vlen-utf8`).
    ///
    /// # Errors
    /// If the array is not one of strings, has another length, or cannot be written.
    pub fn write_strings(&self, values: &[&str]) -> Result<(), ArrayError> {
        let wrong = |detail: String| ArrayError::Opaque { array: self.location().to_owned(), detail };
        if self.shape() != [values.len() as u64] {
            return Err(wrong(format!("{} strings do not fit shape {:?}", values.len(), self.shape())));
        }
        let members = Json::Object(self.document().members().clone()).to_value();
        let metadata: ArrayMetadataV3 = serde_json::from_value(members).map_err(|e| wrong(e.to_string()))?;
        let array = ZarrsArray::new_with_metadata(Arc::new(()), "/", ArrayMetadata::V3(metadata))
            .map_err(|e| wrong(e.to_string()))?;
        let (mut key, mut path) = (String::new(), String::new());
        let chunk_len = self.objects().chunk_shape()[0];
        let shape: Vec<NonZeroU64> = NonZeroU64::new(chunk_len).into_iter().collect();
        let chunks: Region = self.objects().all();
        for chunk in (0..chunks.elements()).map(|k| chunks.unravel(k)) {
            let part = self.objects().region(&chunk);
            let inside = &values[index(part.start()[0])..index(part.end(0))];
            let padding = index(chunk_len) - inside.len();
            let (mut text, mut offsets) = (Vec::new(), vec![0]);
            for value in inside.iter().copied().chain(std::iter::repeat_n("", padding)) {
                text.extend(value.as_bytes());
                offsets.push(text.len());
            }
            let offsets = zarrs::array::ArrayBytesOffsets::new(offsets).map_err(|e| wrong(e.to_string()))?;
            let bytes = ArrayBytes::new_vlen(text, offsets).map_err(|e| wrong(e.to_string()))?;
            let encoded = array
                .codecs()
                .encode(bytes, &shape, array.data_type(), array.fill_value(), &CodecOptions::default())
                .map_err(|e| wrong(e.to_string()))?;
            self.keys().write(&chunk, &mut key);
            self.store().write_whole(&key, &encoded, &mut path)?;
        }
        Ok(())
    }
}
