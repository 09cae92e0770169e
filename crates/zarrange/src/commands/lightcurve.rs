//! One file for each command of `zarrange lightcurve`.

pub(crate) mod advise;
pub(crate) mod append;
pub(crate) mod copy;
pub(crate) mod create;
pub(crate) mod fill;
pub(crate) mod get;
pub(crate) mod info;
pub(crate) mod ingest;
mod plot;
