//! Measuring: what the benches and `zarrange-bench` have in common.
//!
//! [`compare`] runs the competitors of a case in turns and gives ratios within each turn, for machines are shared and an
//! absolute time says little. [`machine`] says where that happened, [`place`] where the data is, [`cases`] what it is,
//! [`report`] whether a figure was reached. [`roofline`] sets the engine against what the machine allows,
//! [`light_curves`] a read of one object. [`sweep`] reads layouts in every way that users read them, [`page`] shows what it found,
//! [`gate`] holds what it counts against a baseline, [`pairs`] its times against those of another program. [`probe`] measures
//! what a place costs, for the planner. [`advise`] asks the other way round: which layout suits reads.
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
pub mod backend;
pub mod cases;
pub mod compare;
pub mod engine;
pub mod gate;
pub mod light_curves;
pub mod machine;
pub mod page;
pub mod pairs;
pub mod place;
pub mod probe;
pub mod report;
pub mod roofline;
pub mod sweep;
