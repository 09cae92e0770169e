//! Light curves in Zarr: measurements of many objects over time.
//!
//! [`LightCurves`] are measurements, read from a table. [`ingest()`] writes them as a group of arrays over (object, sequence), in which every
//! object has as many places as the longest one. A [`Survey`] is a recipe of made-up measurements with a seed: it gives the same bytes on
//! every machine. [`write_survey`] stores it, one epoch after the other.
//!
//! **It owns** what the arrays mean: their names, their dimensions, their attributes.
//!
//! **It never knows** which backend writes them, and no plans.
//!
//! **Call [`LightCurves::read_csv`] first**, then [`ingest()`].
//!
//! ```
//! use zarrange_lightcurve::Survey;
//!
//! let survey = Survey::parse(
//!     "seed = 1\nobjects = 3\nepochs = 10\nmagnitude = [14, 20]\nerror = [0.01, 0.2]\nmissing = 0.1\nsteps_per_mag = 1000",
//! )?;
//! // Magnitude and error of three objects.
//! let epoch = survey.epoch(0);
//! assert_eq!(epoch.len(), 3 * 2);
//! assert!(epoch.iter().all(|value| value.is_nan() || (0.0..30.0).contains(value)));
//! # Ok::<(), zarrange_lightcurve::SurveyError>(())
//! ```
//!
//! ```no_run
//! use std::path::Path;
//! use zarrange_codec::CodecMetadata;
//! use zarrange_io::{Location, Opener};
//! use zarrange_lightcurve::{IngestOptions, LightCurves, ingest};
//!
//! let memory = 1 << 30;
//! let curves = LightCurves::read_csv(Path::new("measurements.csv.gz"), memory)?;
//! let options = IngestOptions {
//!     chunks: Vec::new(),
//!     codecs: |_| vec![CodecMetadata::new("bytes"), CodecMetadata::new("zstd")],
//!     memory_bytes_max: memory,
//!     overwrite: false,
//!     io: Opener::auto(),
//! };
//! let ingested = ingest(&curves, &"curves.zarr".parse()?, &options)?;
//! println!("{} objects", ingested.objects);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
