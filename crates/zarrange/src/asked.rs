//! What a request uses, and what of it is without effect.

use zarrange_rechunk::Prepared;

use crate::args::{ProgressArg, ToldArgs};
use crate::out::{self, note};

/// Says what is used, if that is wanted.
pub(crate) fn details(prepared: &Prepared) -> anyhow::Result<()> {
    if out::is_verbose() {
        out::details(&prepared.details()?);
    }
    Ok(())
}

/// Notes that a bar which is asked for has nothing to show, and why.
pub(crate) fn no_bar(told: &ToldArgs, why: &str) {
    if told.progress == ProgressArg::Always {
        note!("--progress: {why}");
    }
}
