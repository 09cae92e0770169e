//! What moving an array takes: predicted by plans, counted by runs, in one record.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};

/// Declares the record, and its sum, from one list.
macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What moving an array takes. Of several arrays, or parts of one, it is the sum.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name = self.$name.saturating_add(other.$name);)*
            }
        }
    };
}

counts! {
    /// Bytes read from the source: stored bytes; of a plan those that are expected.
    bytes_read,
    /// Bytes written to the target: stored bytes; of a plan those that are expected.
    bytes_written,
    /// Bytes written to intermediates.
    spill_bytes,
    /// How many times a source chunk was decoded.
    source_chunk_decodes,
    /// Bytes of array data that were decoded, whole chunks.
    decoded_bytes,
    /// Of the chunks decoded or missing, those at the borders of parts that ran alone: their neighbours decode them, too. None for
    /// a plan, nor where all parts run in their order.
    border_chunks,
    /// Bytes of array data of these, whole chunks.
    border_bytes,
    /// Source chunks that were looked for and did not exist, counted like decodes; not known to a plan.
    missing_chunks,
    /// Bytes of array data that they would have been decoded to.
    missing_bytes,
    /// Chunks of the target (inner chunks of shards; stored objects, where those are copied): those written by a run, all of them for a
    /// plan.
    target_chunks,
    /// Bytes of array data that were encoded, whole chunks.
    encoded_bytes,
    /// Target chunks that were not written, as they hold nothing but the fill value; not known to a plan.
    fill_chunks,
    /// Chunks and pieces of intermediates read and written, before neighbouring ones are joined to one request.
    requests,
}

impl Counts {
    /// Notes a chunk that was decoded: its bytes before and after.
    pub const fn decoded(&mut self, stored: u64, bytes: u64) {
        self.source_chunk_decodes += 1;
        self.bytes_read += stored;
        self.decoded_bytes += bytes;
        self.requests += 1;
    }

    /// Notes a chunk of `bytes` that was to be decoded and is not stored.
    pub const fn missing(&mut self, bytes: u64) {
        self.missing_chunks += 1;
        self.missing_bytes += bytes;
        self.requests += 1;
    }

    /// Notes a chunk of `bytes` that was encoded to `stored` and written.
    pub const fn encoded(&mut self, stored: u64, bytes: u64) {
        self.target_chunks += 1;
        self.bytes_written += stored;
        self.encoded_bytes += bytes;
        self.requests += 1;
    }

    /// Notes a chunk that was read as it is stored, and written: so many bytes of it by now.
    pub const fn moved(&mut self, read: u64, written: u64) {
        self.target_chunks += 1;
        self.bytes_read += read;
        self.bytes_written += written;
        self.requests += 2;
    }

    /// Notes chunks that were not there to be moved.
    pub const fn not_moved(&mut self, chunks: u64) {
        self.missing_chunks += chunks;
        self.fill_chunks += chunks;
        self.requests += chunks;
    }
}

impl Add for Counts {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}
