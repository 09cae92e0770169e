//! Advice, with the best layouts made and read.

pub mod measured;
pub mod sample;

use std::path::PathBuf;

use zarrange::advise::advice::Advice;
use zarrange::advise::ask::{Ask, usage};

use crate::program::Program;

/// Layouts that are made and read.
const MEASURED: usize = 8;

/// Where and by what layouts are measured.
#[derive(Clone, Debug)]
pub struct Measuring {
    /// Where they are made; below `target/` where nothing is said.
    pub dir: Option<PathBuf>,
    /// What measures them.
    pub program: Program,
}

/// Weighs layouts, and measures the best of them if `measuring` says how.
///
/// # Errors
/// As [`zarrange::advise::advise`], and if a layout cannot be measured.
pub fn advise(ask: &Ask, measuring: Option<&Measuring>) -> anyhow::Result<Advice> {
    let Some(measuring) = measuring else { return zarrange::advise::advise(ask, None) };
    if ask.subject.shape.len() < 2 {
        return Err(usage("--measure reads arrays of at least two dimensions"));
    }
    zarrange::advise::advise(
        ask,
        Some(&|sample, codecs, best| measured::measure((ask, measuring), sample, codecs, &best(MEASURED))),
    )
}
