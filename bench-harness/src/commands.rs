//! The commands, each with its arguments.

pub(crate) mod advise;
pub(crate) mod cell;
pub(crate) mod compare;
pub(crate) mod field;
pub(crate) mod gate;
pub(crate) mod pairs;
pub(crate) mod probe;
pub(crate) mod report;
pub(crate) mod roofline;
pub(crate) mod sweep;
