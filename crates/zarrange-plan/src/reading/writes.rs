//! What it costs to write: whole objects, which are read before where they hold more than is written.

use super::{Reading, batches};
use crate::picks::Pick;
use crate::read_cost::index_bytes;
use crate::reader::Habits;
use crate::{CodecModel, ReadCost};

impl Reading<'_> {
    /// Chunks that are written: encoded, and decoded before where they hold more than is written.
    pub(super) fn written_chunks(&self, chunk: &[u64], codec: &CodecModel, picks: &[Pick]) -> ReadCost {
        let habits = self.reader.habits();
        let Habits { chunk_ns, codec_ns, .. } = habits;
        let (chunks, speed) = (self.touched(chunk, picks), codec.speed(chunk));
        let elements = chunks * self.subject.bytes(chunk) as f64;
        let before = if self.fills(chunk, picks) { 0.0 } else { speed.decode_ns_per_byte };
        let called = if codec.partial { 0.0 } else { codec_ns };
        ReadCost {
            decode_ns: habits.encoded_ns(elements * (before + speed.encode_ns_per_byte), chunks),
            reader_ns: chunks * (chunk_ns + called),
            ..ReadCost::default()
        }
    }

    /// Objects that are written. One that holds more than is written is read first, and written again with what is new: as much of it as is
    /// there on average, while it fills.
    pub(super) fn written_objects(
        &self,
        (chunk, shard): (&[u64], Option<&[u64]>),
        codec: &CodecModel,
        picks: &[Pick],
    ) -> ReadCost {
        let Self { subject, place, .. } = self;
        let Habits { request_ns, shard_ns, in_flight, .. } = self.reader.habits();
        let object = shard.unwrap_or(chunk);
        let objects = self.touched(object, picks);
        let index = shard.map_or(0.0, |shard| index_bytes(chunk, shard) as f64);
        let elements: f64 = subject.shape.iter().zip(object).map(|(n, s)| (*s).min(*n) as f64).product();
        let full = elements * subject.item_bytes as f64 / codec.speed(chunk).ratio;
        let written = ReadCost {
            requests: objects,
            wait_ns: batches(objects, in_flight.min(place.in_flight))
                * (place.create_ns + place.write_request_ns),
            reader_ns: objects * (request_ns + if shard.is_some() { shard_ns } else { 0.0 }),
            ..ReadCost::default()
        };
        let bytes = |part: f64| objects * (full * part + index);
        let passing = |bytes: f64, ns_per_byte: f64| ReadCost {
            bytes,
            transfer_ns: bytes * ns_per_byte,
            ..ReadCost::default()
        };
        if self.fills(object, picks) {
            return written.and(passing(bytes(1.0), place.write_ns_per_byte));
        }
        let (before, after) = self.filled(object, picks);
        let read = ReadCost {
            requests: objects,
            wait_ns: self.batches(objects) * (place.open_ns + place.read_request_ns),
            reader_ns: objects * request_ns,
            ..ReadCost::default()
        };
        written
            .and(passing(bytes(after), place.write_ns_per_byte))
            .and(read)
            .and(passing(bytes(before), place.read_ns_per_byte))
    }

    /// Whether what is written is whole chunks or shards.
    fn fills(&self, object: &[u64], picks: &[Pick]) -> bool {
        picks.iter().all(|Pick { axis, count, scattered }| {
            let (n, length) = (self.subject.shape[*axis], object[*axis]);
            *count >= n || (!scattered && count.is_multiple_of(length))
        })
    }

    /// How much of an object is there before and after what is written, on average over its filling.
    fn filled(&self, object: &[u64], picks: &[Pick]) -> (f64, f64) {
        let mut part = (1.0, 1.0);
        for Pick { axis, count, .. } in picks {
            let length = object[*axis].min(self.subject.shape[*axis]) as f64;
            let count = (*count as f64).min(length);
            part.0 *= (length - count) / 2.0 / length;
            part.1 *= f64::midpoint(length, count) / length;
        }
        part
    }
}
