//! Light curves in Zarr: measurements of many objects over time.
//!
//! [`LightCurves`] are measurements, read from a table. [`ingest()`] writes them as a group of arrays over (object, sequence), in which every
//! object has as many places as the longest one. A [`Survey`] is a recipe of made-up measurements with a seed: it gives the same bytes on
//! every machine. [`write_survey`] stores it, one epoch after the other.
//!
//! A [`LightCurveStore`] is a group that is filled epoch by epoch, by many at once, and read object by object. To one over (object, sequence)
//! observations are added ([`LightCurveStore::fill_tables`]), each of them once.
//!
//! **It owns** what the arrays mean: their names, their dimensions, their attributes; and that contributions to an epoch merge.
//!
//! **It never knows** which backend writes them, arguments and terminals.
//!
//! **Call [`NewStore::flux`] first**, or for a table of all measurements [`LightCurves::read_table`] and [`ingest()`].
//!
//! ```
//! use zarrange_io::Opener;
//! use zarrange_lightcurve::{Contribution, FillOptions, LightCurveStore, NewStore, Picked, Wanted};
//!
//! let dir = tempfile::tempdir()?;
//! let place = dir.path().join("curves.zarr").to_str().expect("plain text").parse()?;
//! // Three objects at four epochs, one measurement each.
//! NewStore::flux(3, 4, 1).create(&place, (false, &Opener::auto()))?;
//! let store = LightCurveStore::open(&place, &Opener::auto())?;
//! let flux: Vec<u8> = [1.5_f32, f32::NAN, 3.5].iter().flat_map(|v| v.to_ne_bytes()).collect();
//! let night = Contribution { epoch: 2, objects: Picked::All, measurements: Picked::All, values: &[("flux", &flux)] };
//! store.fill(&night, &FillOptions { run: "night 2", ..FillOptions::default() })?;
//! assert_eq!(store.filled(2)?.expect("it is recorded").objects, [2]);
//!
//! // The light curve of the last object.
//! let curve = store.read("flux", &Wanted { objects: Picked::List(&[2]), ..Wanted::default() })?;
//! assert_eq!(curve.shape, [1, 4, 1]);
//! assert_eq!(curve.data[8..12], 3.5_f32.to_ne_bytes());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
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
//! let curves = LightCurves::read_table(Path::new("measurements.csv.gz"), &[], memory)?;
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

mod catalogue;
mod columns;
mod copy;
mod curves;
mod epochs;
mod error;
mod ingest;
mod store;
mod survey;
mod table;

pub use catalogue::{Mapping, Rejected, Rejects, TableFill, TableReport};
pub use columns::read_columns;
pub use copy::{CopyOptions, Lag, Synced};
pub use curves::{Curves, CurvesPart, Query, When, Which};
pub use epochs::write_survey;
pub use error::{BadLabel, LightCurveError};
pub use ingest::{IngestOptions, Ingested, ingest};
pub use store::LightCurveStore;
pub use store::advise::{AdviceOptions, LayoutAdvice};
pub use store::append::{Appended, NewEpochs};
pub use store::columns::{Column, Named};
pub use store::create::NewStore;
pub use store::fill::{Contribution, FillOptions, FillReport, Filler, Replace};
pub use store::labels::Labels;
pub use store::layout::Cut;
pub use store::picks::Picked;
pub use store::read::{Block, ValuesReader, Wanted};
pub use store::record::Filled;
pub use store::schema::{Dimension, EPOCHS, OBJECT, Schema};
pub use store::sequence::Added;
pub use survey::{Survey, SurveyError};
pub use table::LightCurves;
