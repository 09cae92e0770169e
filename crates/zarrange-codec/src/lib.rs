//! Chunks to bytes and back: the codecs of Zarr v3.
//!
//! A [`Chain`] is a codec list, compiled once for an [`ElementType`], the shape of a chunk and a fill value. It decodes and encodes whole
//! chunks, with a [`Scratch`] that each thread keeps. An [`ArrayCodec`] says how an array is stored:
//! - as chunks, each with a [`Chain`];
//! - as shards: a [`ShardCodec`] says where their inner chunks lie, and does not read them;
//! - as slices of chunks without compression: a [`SliceCodec`] says where they lie.
//!
//! Text and bytes of any length have a [`VariableChain`] and a [`VariableCodec`]. They decode to a [`Variable`], within the memory that the
//! caller allows.
//!
//! **It owns** the bytes of a chunk and of a shard's index.
//!
//! **It never knows** files and plans. A shard codec says which bytes it needs, and the caller fetches them.
//!
//! **Call [`ArrayCodec::new`] first**, or [`Chain::new`] for one list.
//!
//! ```
//! use zarrange_codec::{Chain, CodecMetadata, ElementType, Scratch};
//!
//! let element = ElementType::new(&CodecMetadata::new("uint8"))?;
//! let codecs = [CodecMetadata::new("bytes"), CodecMetadata::new("crc32c")];
//! let chain = Chain::new(&codecs, &element, &[2, 3], &[0])?;
//!
//! let mut scratch = Scratch::new(&chain);
//! let mut encoded = vec![0; chain.encoded_bytes_max()];
//! let bytes = chain.encode(&[1, 2, 3, 4, 5, 6], &mut encoded, &mut scratch)?;
//! assert_eq!(bytes, 6 + 4);
//!
//! let mut chunk = vec![0; chain.chunk_bytes()];
//! chain.decode(&encoded[..bytes], &mut chunk, &mut scratch)?;
//! assert_eq!(chunk, [1, 2, 3, 4, 5, 6]);
//! # Ok::<(), zarrange_codec::CodecError>(())
//! ```
//!
//! # How lists are run
//!
//! The usual lists (transpose, bytes, one of zstd, blosc and gzip, crc32c) call their libraries directly. Contexts are kept, and
//! what is decoded goes into the caller's buffer. Other lists of known codecs, those of numcodecs among them, are run as steps from bytes
//! to bytes, between two buffers of the thread. A list with any other codec goes through `zarrs`. Codecs that can make more bytes than a
//! chunk has are run here in that case, too.
//!
//! Rejected: `zarrs` for all lists. It allocates whatever stored bytes ask for, it copies, and it makes new contexts for each chunk.

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
