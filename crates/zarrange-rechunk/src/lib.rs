//! Rechunking: from a [`Request`] to a published target. This is the one crate that a program needs.
//!
//! **Call [`Request::new`] first.** Then [`prepare`] opens the source and plans every array, and [`run`] carries the plans out.
//!
//! ```
//! # use zarrange_rechunk::{Array, ArraySpec, Codecs, Document, Layout, Location, Region};
//! use zarrange_rechunk::{NoProgress, Request, Verify, prepare, run};
//! #
//! # // 100 objects at 50 epochs, in chunks of one epoch.
//! # let layout = Layout { chunk: vec![100, 1], shard: None, codecs: Vec::new() };
//! # let array = Array::new(
//! #     "memory://by-epoch".parse::<Location>()?.open()?,
//! #     Document::new(&ArraySpec {
//! #         shape: vec![100, 50],
//! #         data_type: "uint64",
//! #         fill_value: 0.into(),
//! #         layout: Layout { codecs: Codecs::Zstd(3).resolve(&layout, 8), ..layout },
//! #         dimension_names: vec!["object", "epoch"],
//! #         attributes: Default::default(),
//! #     }),
//! #     3,
//! # )?;
//! # array.write_region(&Region::whole(&[100, 50]), &(0..5000u64).flat_map(u64::to_ne_bytes).collect::<Vec<_>>())?;
//! # array.write_metadata()?;
//!
//! let request = Request::new("memory://by-epoch".parse()?, "memory://by-object".parse()?)
//!     .chunks("object=10,epoch=-1")?
//!     .within(64 << 20)
//!     .verified(Verify::Full);
//! let prepared = prepare(request)?;
//! println!("{prepared}");
//! let report = run(prepared, &NoProgress)?;
//! assert!(report.verified);
//! assert_eq!(report.cost.counts.target_chunks, 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **It owns** memory, threads, the order of the work, verification and publication. A run stays within the memory of its request. The
//! target has a hidden name beside its place while it is written. The metadata of its root is written last, and it gets its name in one step: no
//! reader sees a part of it.
//!
//! **It never knows** arguments and terminals. What a user writes is read by the types themselves: [`Location`], [`Named`], [`Codecs`],
//! [`Bytes`], [`NamedMix`] and the others have [`FromStr`](std::str::FromStr), and print as they are read.
//!
//! [`verify`] compares two hierarchies, [`digest`](fn@digest) tells what one holds in a few digits, [`read_region`] reads a part of an array with several threads. A [`PlanFile`] is a prepared request
//! in a file, for other processes. The folder `examples` of this crate has programs that rechunk, read a region, print a plan, and try
//! some shapes of chunks.
//!
//! # Inside
//!
//! `prepare` decides, `run` carries out, and `engine` moves the elements: `stage` hands tiles to threads, `source` and `sink` are where
//! they come from and where they go, `spill` is the intermediate, `budget` the memory, `presence` what is stored of a sparse array.
//!
//! Rejected: a task graph. Tiles are visited in a fixed order and each has two phases, so two cursors and a lock for each
//! batch of chunks do what a scheduler of millions of tasks would.

mod access;
mod advise;
mod difference;
mod digest;
mod dimensions;
mod engine;
mod error;
mod foreign;
mod plan_file;
mod prepare;
mod progress;
mod read;
mod report;
mod request;
mod resume;
mod run;
mod shared;
mod shell_words;
mod verify;

pub use advise::{Measure, Sample, SampleError, Weighed, WeighedRead, Weighing, distinct};
pub use difference::Difference;
pub use digest::{ArrayDigest, Digest, digest};
pub use dimensions::Dimensions;
pub use engine::parts::{Ledger, Receipt};
pub use engine::presence::Sparse;
pub use error::{AccessError, PlanFileError, RechunkError, Refusal, Refusals, SharedError, SpecError};
pub use plan_file::{PlanFile, PlannedArray, PlannedGroup, PlannedOptions};
pub use prepare::{Item, Prepared, prepare, prepare_planned, unsampled};
pub use progress::{NoProgress, Progress};
pub use read::{is_short, read_region};
pub use report::{ArrayReport, Cost, Report};
pub use request::{
    Bytes, ChunkSpec, ClusterSpec, Codecs, Durability, Fixed, Foreign, KeySeparator, MixRequest, Named,
    NamedMix, NamedRegion, Request, Verify, parse_profile,
};
pub use resume::{kept_bounds, run_resumable};
pub use run::{Complete, PartPlaces, run, run_and, run_parts};
pub use shared::{Finished, Share, SharedRun, StageStatus, Worked};
pub use shell_words::{is_hidden, shell_path, shell_values, shell_word};
pub use verify::{Comparison, verify};

// What other crates own, and a request or its result is made of.

// Places.
pub use zarrange_io::{IoError, Location, Opener, Store};
// Arrays, and regions of them.
pub use zarrange_array::{
    Array, ArrayError, ArraySpec, Document, Group, Layout, Node, ReadCost, RegionReader, RegionWriter, open,
};
pub use zarrange_grid::Region;
// Decisions: what places cost, which way is taken, who reads a layout and what it may be.
pub use zarrange_plan::{Cluster, Costs, Counts, Limits, PART_BYTES, Plan, Reader, StoreProfile, Way};
