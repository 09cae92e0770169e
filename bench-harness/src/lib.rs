//! Measuring: `zarrange-bench`, and what the benches have in common with it. [`run`] is the command, of which each part is in a file below
//! `commands`.
//!
//! [`compare`] runs the competitors of a case in turns and gives ratios within each turn, for machines are shared and an
//! absolute time says little. [`machine`] says where that happened, [`data`] where the data is,
//! [`report`] whether a figure was reached. [`roofline`] sets the engine against what the machine allows. [`sweep`] reads layouts in every way that users read them, [`page`] shows what it found,
//! [`baseline`] is what it counted before, [`pairs`] its times against those of another program. [`advise`] asks the other way round:
//! which layout suits reads.
//!
//! Rejected: ratios of criterion's estimates. It measures one function to its end before the next, so whatever the machine
//! does meanwhile becomes a difference between them. Criterion's groups stand beside, for `critcmp` over commits.

/// Prints a line to stdout. Who reads it may stop: a closed pipe is no error of a measurement.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($line)*);
    }};
}

pub mod advise;
pub mod arrays;
pub mod backend;
pub mod baseline;
mod commands;
pub mod compare;
pub mod data;
pub mod engine;
pub mod field;
pub mod page;
pub mod pairs;
pub mod program;
pub mod report;
pub mod roofline;
pub mod sweep;

pub use commands::advise::advise_json;
pub use commands::run;
pub use zarrange::{machine, random};
