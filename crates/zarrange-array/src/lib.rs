//! Zarr hierarchies: what is stored where, and how to read and write its chunks.
//!
//! [`survey()`] finds what is below a place, [`open`] turns a store into a [`Node`]: a [`Group`] or an [`Array`]. An [`Array`] knows its shape, its element type,
//! its chunks and their keys; a [`ChunkReader`] fetches and decodes one chunk at a time with a thread's own buffers,
//! [`ShardWriter`] appends inner chunks to a shard. [`Document`]s are the metadata, kept as the JSON that was read, so
//! that what this program does not know survives.
//!
//! Metadata is understood through `zarrs` (Zarr v2 is converted to v3 on the way); what is written is always v3.
//! Owned here: hierarchy, metadata, chunk keys, reading and writing regions. Not known here: plans and budgets.

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
pub use listing::Stored;
pub use metadata::ArrayMetadata;
pub use named::codec_metadata;
pub use publish::{publish_group, publish_metadata};
pub use read::{ChunkReader, OpenShard, ReadCost};
pub use region::{RegionReader, RegionWriter, SHARDS_MAX};
pub use staging::{Staging, Target, check_apart, check_temp, recover};
pub use stored::StoredCheck;
pub use survey::{Beside, Counted, Failed, Found, Survey, Without, each_beside, survey};
pub use variable::{VariableReader, VariableWriter, put_together};
pub use write::{ChunkEncoder, ChunkWriter, Finished, ShardFile, ShardWriter};
