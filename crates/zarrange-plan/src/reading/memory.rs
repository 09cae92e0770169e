//! What a reader holds while an access goes on.

use super::Reading;
use crate::picks::wanted;
use crate::reader::Memory;
use crate::{Access, CodecModel, Design};

impl Reading<'_> {
    /// Bytes that the reader holds for an access, about: what is wanted, what was fetched of it, and the chunks that are decoded. The factors of
    /// readers are fitted to what their processes took at most (`results/2026-11-28-advice`): ours to 4 %; nine of ten of TensorStore's and
    /// zarr-python's to a factor of 2.5 and of 4, as they free memory when they like.
    pub fn memory_bytes(&self, design: &Design, codec: &CodecModel, access: &Access) -> f64 {
        let Memory { chunks, fetched, times } = self.reader.habits().memory;
        let (subject, picks) = (self.subject, access.picks());
        let indices = (0..subject.shape.len()).map(|axis| wanted(picks, axis, subject.shape[axis]) as f64);
        let elements: f64 = indices.product();
        let at_once = self.touched(&design.chunk, picks).min(chunks);
        let decoded = at_once * self.of_chunk(&design.chunk, codec, picks).decoded;
        let held = if fetched { self.read(design, codec, access).bytes } else { decoded };
        elements * subject.item_bytes as f64 + times * (held + decoded)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::place;
    use super::*;
    use crate::read_cost::tests::codec;
    use crate::{Reader, Subject};

    #[test]
    fn memory_is_what_is_wanted_fetched_and_decoded() {
        let (subject, place) = (Subject { shape: vec![100, 20], item_bytes: 4 }, place());
        let check = |reader, shard: Option<[u64; 2]>, expected: f64| {
            let design = Design { chunk: vec![10, 5], shard: shard.map(Vec::from), codec: 0 };
            let reading = Reading { subject: &subject, place: &place, reader, reads: 1 };
            let found = reading.memory_bytes(&design, &codec(false, 2.0, 3.0), &Access::from(0));
            assert!((found - expected).abs() < 1e-6, "{reader} {shard:?}: {found}");
        };
        // One row is 80 bytes in 4 chunks of 200, stored as 100: one after the other, or all that was fetched and is decoded.
        check(Reader::Zarrange, None, 80.0 + 2.0 * 200.0);
        check(Reader::ZarrPython, None, 80.0 + 1.7 * (400.0 + 800.0));
        // A whole shard, with its index.
        check(Reader::TensorStore, Some([10, 20]), 80.0 + 1.1 * (400.0 + 68.0 + 800.0));
    }
}
