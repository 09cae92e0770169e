//! Chunks to bytes and back: the Zarr v3 codec pipeline.
//!
//! A [`Chain`] is a codec list compiled once for an [`ElementType`], a chunk shape and a fill value; it decodes and
//! encodes whole chunks with a [`Scratch`] that each thread keeps. A [`ShardCodec`] knows where the inner chunks of a
//! shard lie, without reading them, a [`SliceCodec`] where slices of an uncompressed chunk do. [`ArrayCodec`] is how an array is stored: one of
//! the three.
//!
//! Elements without a fixed size have a [`VariableChain`] and a [`VariableCodec`], which decode to a [`Variable`] within the memory
//! that the caller allows.
//!
//! Owned here: the bytes of a chunk. Not known here: files (the shard codec says which ranges it needs, the caller
//! fetches them) and plans.
//!
//! The common lists (bytes, transpose, zstd, blosc, gzip, crc32c, `sharding_indexed`) call their C or Rust libraries
//! directly with warm contexts and write into the caller's buffers. Lists of any length, with the codecs of numcodecs and
//! `scale_offset` and `cast_value`, are run as steps from bytes to bytes, between two buffers of the thread. A list with anything else
//! goes through `zarrs`, except for what it does not know and what can decode to more bytes than a chunk has. Rejected: `zarrs` for all of it, which allocates whatever stored bytes ask
//! for, copies, and makes fresh contexts for each chunk.

mod array;
mod bytes;
mod chain;
mod element;
mod error;
mod fallback;
mod memory;
mod names;
mod numpy;
mod pcodec;
mod rates;
mod scratch;
mod shard;
mod slice;
mod steps;
mod variable;

pub use array::ArrayCodec;
pub use chain::{Chain, ShardCodec};
pub use element::{ELEMENT_BYTES_MAX, ElementType, Field, Kind, same_values};
pub use error::CodecError;
pub use fallback::{codec_stage, is_known};
pub use memory::{buffer, grow};
pub use names::SWAP_FIELDS;
pub use numpy::{NumpyType, Order};
pub use rates::Rates;
pub use scratch::Scratch;
pub use shard::{ShardIndex, ShardLayout, Shards};
pub use slice::SliceCodec;
pub use steps::SumCheck;
pub use variable::{Variable, VariableChain, VariableCodec, VariableKind};
/// The metadata of one codec, as `zarr.json` lists it.
pub use zarrs::metadata::v3::MetadataV3 as CodecMetadata;
