//! What goes in: a problem.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zarrange_grid::{ChunkGrid, Dims, Edges, GridError, checked_bytes};

use crate::error::{PlanError, UnknownWord};
use crate::profile::Costs;
use crate::tiles::{count, overlaps};

/// What is to be done, on metadata alone. Shapes in elements, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Shape of the array.
    pub shape: Vec<u64>,
    /// Bytes of one element.
    pub item_bytes: u64,
    /// How the array is stored now.
    pub source: Format,
    /// How it shall be stored.
    pub target: Format,
    /// Data type, fill value and codecs are the same: a chunk that keeps its shape keeps its bytes.
    pub same_encoding: bool,
    /// The bound on all data buffers together.
    pub memory_bytes_max: u64,
    /// Threads to use, at most; fewer where the memory does not suffice for each thread's buffers.
    pub threads: u64,
    /// What happens to the target's chunks.
    pub purpose: Purpose,
    /// What reading, moving and writing cost.
    pub costs: Costs,
    /// Take this way, whatever it costs.
    pub way: Option<Way>,
    /// Array data of a part of a stage, about: [`PART_BYTES`](crate::PART_BYTES) are worth a receipt.
    pub part_bytes: u64,
}

/// Whether the target is written, compared with, or not touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// The target is made from the source.
    Write,
    /// The target exists and is compared with the source.
    Compare,
    /// The source is read, in tiles of whole chunks of the target; nothing becomes of them.
    Read,
}

/// How an array is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Format {
    /// Shape of what is encoded at once: the chunk, or the inner chunk of a shard; of the largest chunk, where they differ.
    pub chunk: Vec<u64>,
    /// Shape of a shard, if chunks are stored in shards; of the largest one, where they differ.
    pub shard: Option<Vec<u64>>,
    /// In a rectilinear grid, the lengths of the objects in each dimension: elements, and how many objects of so many follow each
    /// other.
    pub edges: Option<Vec<Vec<(u64, u64)>>>,
    /// Chunks of an object are read one by one, and the object is opened for each: they are slices of a chunk without
    /// compression.
    pub slices: bool,
    /// The most bytes of an encoded chunk.
    pub encoded_bytes_max: u64,
    /// Working memory of the codecs, for each thread.
    pub scratch_bytes: u64,
    /// Memory inside the codecs' libraries, for each thread.
    pub context_bytes: u64,
    /// Memory of one shard's index.
    pub shard_index_bytes: u64,
    /// The most bytes of a shard, where one can only be written whole: it is held in memory until it is complete. 0 where parts of
    /// it can be written.
    pub whole_shard_bytes: u64,
    /// CPU time to decode a byte of array data.
    pub decode_ns_per_byte: f64,
    /// CPU time to encode a byte of array data.
    pub encode_ns_per_byte: f64,
    /// Stored bytes for each byte of array data; 1 where it is not known.
    pub stored_ratio: f64,
}

impl Problem {
    /// Checks that shapes, sizes and costs are such that somebody can plan for them.
    ///
    /// # Errors
    /// [`PlanError`] tells what is not.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        if self.item_bytes == 0 {
            return Err(PlanError::ItemBytes);
        }
        checked_bytes(&self.shape, self.item_bytes)?;
        for format in [&self.source, &self.target] {
            ChunkGrid::new(&self.shape, &format.chunk)?;
            let object = format.object();
            ChunkGrid::new(&self.shape, object)?;
            format.object_edges(&self.shape)?;
            checked_bytes(&format.chunk, self.item_bytes)?;
            if !(format.stored_ratio.is_finite() && format.stored_ratio > 0.0) {
                return Err(PlanError::Ratio { ratio: format.stored_ratio.to_string() });
            }
            for rate in [format.decode_ns_per_byte, format.encode_ns_per_byte] {
                if !(rate.is_finite() && rate >= 0.0) {
                    return Err(PlanError::Rate { rate: rate.to_string() });
                }
            }
            if object.iter().zip(&format.chunk).any(|(s, c)| s % c != 0) {
                let admissible = object.iter().zip(&format.chunk).map(|(s, c)| s.div_ceil(*c) * c).collect();
                return Err(PlanError::Shard {
                    shard: object.to_vec(),
                    chunk: format.chunk.clone(),
                    admissible,
                });
            }
        }
        let Costs { source, target, spill, .. } = &self.costs;
        for place in [source, target, spill] {
            if let Some(fault) = place.fault() {
                return Err(PlanError::Profile { name: place.name.clone(), fault });
            }
        }
        Ok(())
    }
}

impl Format {
    /// Shape of what is stored as one object.
    pub fn object(&self) -> &[u64] {
        self.shard.as_deref().unwrap_or(&self.chunk)
    }

    /// Stored bytes of so many bytes of array data, about.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate; not negative"
    )]
    pub fn stored_bytes(&self, plain: u64) -> u64 {
        // Where nothing is known it is the same number.
        if self.stored_ratio.to_bits() == 1.0_f64.to_bits() {
            return plain;
        }
        (plain as f64 * self.stored_ratio).round() as u64
    }

    /// Whether what is encoded at once has one shape. Inner chunks have, also where shards differ.
    pub(crate) const fn is_regular(&self) -> bool {
        self.edges.is_none() || self.shard.is_some()
    }

    /// The objects along each dimension of an array of `shape`, where they differ.
    pub(crate) fn object_edges(&self, shape: &[u64]) -> Result<Option<Vec<Edges>>, GridError> {
        let Some(edges) = &self.edges else { return Ok(None) };
        if edges.len() != shape.len() {
            return Err(GridError::Rank { array: shape.to_vec(), chunk: self.object().to_vec() });
        }
        edges
            .iter()
            .zip(shape)
            .map(|(runs, n)| Edges::new(*n, runs.iter().copied()))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Objects of an array of `shape`.
    pub(crate) fn objects(&self, shape: &[u64]) -> u64 {
        match self.object_edges(shape) {
            Ok(Some(edges)) => edges.iter().map(Edges::count).fold(1, u64::saturating_mul),
            _ => count(shape, self.object()),
        }
    }

    /// Pairs of a tile and a chunk (or inner chunk) of an array of `shape` that overlap, and the elements of the whole chunks of all
    /// pairs.
    pub(crate) fn overlaps(&self, shape: &[u64], tile: &[u64]) -> (u64, u64) {
        let all = |pairs: &mut dyn Iterator<Item = (u64, u64)>| {
            pairs.fold((1u64, 1u64), |(p, e), (pairs, elements)| {
                (p.saturating_mul(pairs), e.saturating_mul(elements))
            })
        };
        if let (true, Ok(Some(edges))) = (self.shard.is_none(), self.object_edges(shape)) {
            return all(&mut edges.iter().zip(tile).map(|(edges, tile)| edges.overlaps(*tile)));
        }
        let pairs = |d: usize| overlaps(shape[d], tile[d], self.chunk[d]);
        all(&mut (0..shape.len()).map(|d| (pairs(d), pairs(d).saturating_mul(self.chunk[d]))))
    }

    /// Chunks (or inner chunks) of an array of `shape`, and their elements.
    pub(crate) fn chunks(&self, shape: &[u64]) -> (u64, u64) {
        self.overlaps(shape, &shape.iter().map(|n| (*n).max(1)).collect::<Dims>())
    }

    /// Elements of all chunks of an array of `shape`, those beyond its ends included.
    pub fn elements(&self, shape: &[u64]) -> u64 {
        self.chunks(shape).1
    }
}

/// The ways that are weighed, the simplest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Stored bytes are copied as they are.
    Copy,
    /// Encoded chunks are moved to other shards, or out of them.
    Repack,
    /// One stage of tiles aligned to the target; chunks that reach into several tiles are decoded for each.
    Tiles,
    /// One stage in which a chunk that reaches into the next tile along one axis is decoded for both at once.
    Sweep,
    /// One intermediate.
    Staged,
    /// Two intermediates.
    Staged2,
    /// Three intermediates.
    Staged3,
}

impl Way {
    /// All ways, the simplest first.
    pub const ALL: [Self; 7] =
        [Self::Copy, Self::Repack, Self::Tiles, Self::Sweep, Self::Staged, Self::Staged2, Self::Staged3];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Repack => "repack",
            Self::Tiles => "tiles",
            Self::Sweep => "sweep",
            Self::Staged => "staged",
            Self::Staged2 => "staged2",
            Self::Staged3 => "staged3",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Way {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        UnknownWord::find("way", Self::ALL, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for way in Way::ALL {
            assert_eq!(way.to_string().parse(), Ok(way));
        }
        let error = "teleport".parse::<Way>().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"teleport\" is no way: use copy, repack, tiles, sweep, staged, staged2 or staged3"
        );
    }
}
