//! One file for each command.

pub(crate) mod advise;
pub(crate) mod demo;
pub(crate) mod digest;
pub(crate) mod finish;
pub(crate) mod info;
pub(crate) mod lightcurve;
pub(crate) mod plan;
pub(crate) mod probe;
pub(crate) mod rechunk;
pub(crate) mod run;
pub(crate) mod shell;
pub(crate) mod verify;
pub(crate) mod worker;
