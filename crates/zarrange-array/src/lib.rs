//! Zarr hierarchies: what is stored where, and how its chunks are read and written.
//!
//! An [`Array`] is its metadata and the store that it lies in. A [`Group`] has arrays and groups below it. Arrays of Zarr v2 are read as
//! what they mean in v3; what is written is always v3.
//!
//! **It owns** the hierarchy, metadata, chunk keys, reading and writing of chunks and regions, and the staging of a target: it is
//! written beside its place, and gets its name when it is complete. Metadata is kept as the JSON that was read, so that what this
//! program does not know survives.
//!
//! **It never knows** plans, budgets and threads: a reader or a writer serves one thread, with buffers of its own.
//!
//! **Call [`open`] first.** It says what lies in a store: a [`Node`] is a group or an array. [`survey()`] finds everything below it.
//!
//! ```
//! use zarrange_array::{Array, ArraySpec, Document, Layout, Node, open};
//! use zarrange_codec::CodecMetadata;
//! use zarrange_grid::Region;
//! use zarrange_io::Location;
//!
//! // Four objects at three epochs, one byte each, in chunks of one epoch.
//! let store = "memory://counts".parse::<Location>()?.open()?;
//! let codecs = vec![CodecMetadata::new("bytes")];
//! let document = Document::new(&ArraySpec {
//!     shape: vec![4, 3],
//!     data_type: "uint8",
//!     fill_value: 0.into(),
//!     layout: Layout { chunk: vec![4, 1], shard: None, codecs },
//!     dimension_names: vec!["object", "epoch"],
//!     attributes: Default::default(),
//! });
//! let array = Array::new(store.clone(), document, 3)?;
//! array.write_region(&Region::whole(&[4, 3]), &[0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32])?;
//! array.write_metadata()?;
//!
//! // The light curve of object 2. It takes a chunk for each epoch, and of each the byte that is wanted.
//! let Node::Array(array) = open(&store)? else { panic!("it is an array") };
//! let (curve, cost) = array.read_region(&Region::new(vec![2, 0], vec![1, 3]))?;
//! assert_eq!(curve, [20, 21, 22]);
//! assert_eq!((cost.chunks, cost.bytes), (3, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | for | call |
//! |---|---|
//! | many regions of one array | [`RegionReader`], [`RegionWriter`]: buffers and open shards are kept |
//! | chunk by chunk, in many threads | [`Array::chunks`], with a [`ChunkReader`] or a [`ChunkWriter`] for each thread |
//! | shards, inner chunk by inner chunk | [`ShardWriter`] |
//! | a new target, or the replacement of one | [`Staging`] |
//!
//! Rejected: the conversion of `zarrs` from v2 to v3. It knows a part of the types and filters, and drops what it does not know.

mod array;
mod chunk_grid;
mod chunks;
mod contents;
mod document;
mod error;
mod fill;
mod hierarchy;
mod json;
mod keys;
mod listing;
mod metadata;
mod named;
mod publish;
mod read;
mod region;
mod staging;
mod stored;
mod strings;
mod survey;
mod v2;
mod variable;
mod write;

pub use array::Array;
pub use chunks::{ChunkView, Chunks};
pub use contents::{Contents, Elements, VariableElements};
pub use document::{ArraySpec, Document, Layout};
pub use error::ArrayError;
pub use hierarchy::{Group, Node, open};
pub use json::{Fields, Json, JsonError, Member, Members, Number, Text, read as read_json};
pub use keys::{KeyEncoding, Separator};
pub use listing::{DERIVED, Stored};
pub use metadata::ArrayMetadata;
pub use named::codec_metadata;
pub use publish::{publish_group, publish_metadata};
pub use read::{ChunkReader, OpenShard, ReadCost};
pub use region::{RegionReader, RegionWriter, SHARDS_MAX};
pub use staging::{Joining, SharedFolder, Staging, Target, check_apart, check_temp, recover};
pub use stored::StoredCheck;
pub use survey::{Beside, Counted, Failed, Found, Survey, Without, each_beside, survey};
pub use variable::{VariableReader, VariableWriter, put_together};
pub use write::{ChunkEncoder, ChunkWriter, Finished, ShardFile, ShardWriter};
