//! Light curves in Zarr.
//!
//! [`LightCurves`] are measurements read from a table; [`ingest`] writes them as a group of arrays over (object, sequence),
//! padded to the longest object. [`Survey`] is a seeded recipe of synthetic photometry, the same bytes on every machine;
//! [`write_survey`] stores it epoch by epoch.
//!
//! Owned here: what the arrays mean. Not known here: backends, plans.

mod epochs;
mod error;
mod ingest;
mod survey;
mod table;

pub use epochs::write_survey;
pub use error::LightCurveError;
pub use ingest::{IngestOptions, Ingested, ingest};
pub use survey::{Survey, SurveyError};
pub use table::LightCurves;
