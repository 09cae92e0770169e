//! Stores of light curves: made, filled, read, copied. What is asked for comes with numbers in place of labels, but for tables and rows.
#![expect(clippy::needless_pass_by_value, reason = "what Python gives comes as values")]

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use serde_json::{Value, json};
use zarrange_io::{Location, Opener, Stop};
use zarrange_lightcurve::{
    Contribution, CopyOptions, Cut, Dimension, FillOptions, LightCurveError, LightCurveStore, Mapping,
    NewEpochs, NewStore, Picked, Query, Rejects, Replace, TableFill, TableReport, Wanted, When, Which,
};
use zarrange_rechunk::Codecs;

use crate::backend::opener;
use crate::buffers::Bytes;
use crate::errors::exception;
use crate::jobs::{Told, word};
use crate::stores::Place;
use crate::tables::{Given, GivenDimension, Rows};
use crate::work::watched;

/// A store that is open.
#[pyclass(frozen, module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct LightCurves {
    place: Location,
    backend: String,
    opened: Mutex<Arc<Opened>>,
}

#[derive(Debug)]
struct Opened {
    store: LightCurveStore,
    io: Opener,
    stop: Stop,
}

impl Opened {
    fn new(py: Python<'_>, place: &Location, backend: &str) -> PyResult<Arc<Self>> {
        let stop = Stop::default();
        let io = opener(backend)?.stopped_by(stop.clone());
        let store = done(watched(py, &stop, || LightCurveStore::open(place, &io))?)?;
        Ok(Arc::new(Self { store, io, stop }))
    }
}

/// What there is to fill an epoch with.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Contributed {
    epoch: u64,
    objects: Option<Vec<u64>>,
    measurements: Option<Vec<u64>>,
    /// Elements of arrays, each over its dimensions but that of epochs.
    values: Vec<(String, Bytes)>,
}

/// How to fill.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct How {
    replace: String,
    run: String,
    wait: f64,
    max_mem: u64,
}

impl How {
    fn options(&self) -> PyResult<FillOptions<'_>> {
        let replace = match self.replace.as_str() {
            "never" => Replace::Never,
            "values" => Replace::ByValues,
            "all" => Replace::ByAll,
            other => {
                return Err(PyValueError::new_err(format!("replace={other:?} is no way to replace values")));
            }
        };
        Ok(FillOptions { replace, run: &self.run, wait: wait(self.wait)?, memory_bytes_max: self.max_mem })
    }
}

fn wait(seconds: f64) -> PyResult<Duration> {
    let wrong = |error| PyValueError::new_err(format!("wait={seconds} is no number of seconds: {error}"));
    Duration::try_from_secs_f64(seconds).map_err(wrong)
}

/// What a catalogue has, and what its columns are.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Catalogue {
    path: Option<PathBuf>,
    table: Vec<Given>,
    columns: Vec<(String, String)>,
    at: Vec<(String, String)>,
    tolerance: Option<f64>,
    ignore_units: bool,
}

/// A store that is to be made.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct New {
    arrays: String,
    objects: GivenDimension,
    epochs: GivenDimension,
    measurements: GivenDimension,
    value_labels: Option<Given>,
    units: Option<String>,
    /// What is said of the times of epochs, and of the store, as JSON.
    time: String,
    attributes: String,
    cut: GivenCut,
    codecs: Option<String>,
    max_mem: u64,
}

/// How arrays are cut: a word of `Cut`, or lengths by dimension.
#[derive(FromPyObject)]
enum GivenCut {
    Word(String),
    Lengths(Vec<(String, u64)>),
}

impl GivenCut {
    fn cut(self) -> PyResult<Cut> {
        match self {
            Self::Word(text) => text.parse().map_err(|error: LightCurveError| exception(&error)),
            Self::Lengths(lengths) => Ok(Cut::Chunks(lengths)),
        }
    }
}

impl New {
    fn spec(self) -> PyResult<NewStore> {
        let bytes_max = self.max_mem / 4;
        let objects = self.objects.read(bytes_max)?;
        let epochs = self.epochs.read(bytes_max)?;
        let measurements = self.measurements.read(bytes_max)?;
        let mut new = if self.arrays == "labelled" {
            NewStore::labelled(objects.0, measurements.0, epochs.0)
        } else {
            NewStore::flux(objects.0, epochs.0, measurements.0)
        };
        let dimensions = [("object", objects), ("epoch", epochs), ("measurement", measurements)];
        for (name, (_, labels, side)) in dimensions {
            if let Some(labels) = labels {
                new = done(new.labels(name, labels))?;
            }
            for variable in side {
                new = done(new.side(name, variable))?;
            }
        }
        if let Some(labels) = self.value_labels {
            new = done(new.labels("value", labels.column()?))?;
        }
        for name in if self.units.is_some() { new.values() } else { Vec::new() } {
            new = done(new.described(name, [("units".to_owned(), json!(self.units))].into_iter().collect()))?;
        }
        let time = attributes(&self.time)?;
        if !time.is_empty() {
            new = done(new.described("time", time))?;
        }
        for (name, value) in attributes(&self.attributes)? {
            new = new.attribute(&name, value);
        }
        let codecs = self.codecs.map(|text| text.parse::<Codecs>().map_err(|error| exception(&error)));
        let new = new.cut(self.cut.cut()?);
        Ok(match codecs.transpose()? {
            Some(codecs) => new.codecs(codecs),
            None => new,
        })
    }
}

fn attributes(json: &str) -> PyResult<serde_json::Map<String, Value>> {
    serde_json::from_str(json).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// How a copy is made, or brought up to date.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Copied {
    cut: GivenCut,
    max_mem: u64,
    threads: u64,
    verify: String,
    durability: String,
    overwrite: bool,
    backend: String,
}

impl Copied {
    fn options(self, stop: &Stop) -> PyResult<CopyOptions> {
        Ok(CopyOptions {
            cut: self.cut.cut()?,
            codecs: Codecs::Keep,
            memory_bytes_max: self.max_mem,
            threads: self.threads,
            verify: word(&self.verify)?,
            durability: word(&self.durability)?,
            overwrite: self.overwrite,
            io: opener(&self.backend)?.stopped_by(stop.clone()),
        })
    }
}

/// Objects that are meant.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Objects {
    labels: Option<Vec<String>>,
    cone: Option<(f64, f64, f64)>,
    sky_box: Option<[f64; 4]>,
}

impl Objects {
    fn which(self) -> Which {
        match (self.labels, self.cone, self.sky_box) {
            (Some(labels), _, _) => Which::Labels(labels),
            (None, Some((ra, dec, radius)), _) => Which::Cone { ra, dec, radius },
            (None, None, Some([ra0, ra1, dec0, dec1])) => Which::Box { ra: [ra0, ra1], dec: [dec0, dec1] },
            (None, None, None) => Which::All,
        }
    }
}

/// Light curves that are asked for.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Asked {
    objects: Objects,
    measurements: Vec<String>,
    epochs: Vec<String>,
    times: Option<(f64, f64)>,
    arrays: Vec<String>,
    gaps: bool,
    recorded: bool,
    max_mem: u64,
}

impl Asked {
    fn query(self) -> Query {
        let epochs = match self.times {
            Some((from, to)) => When::Times { from, to },
            None if self.epochs.is_empty() => When::All,
            None => When::Labels(self.epochs),
        };
        Query {
            objects: self.objects.which(),
            measurements: self.measurements,
            epochs,
            arrays: self.arrays,
            gaps: self.gaps,
            recorded: self.recorded,
        }
    }
}

/// Numbers of objects, measurements and epochs; all, where there are none.
type Numbers = (Option<Vec<u64>>, Option<Vec<u64>>, Option<Vec<u64>>);

fn picked(numbers: Option<&Vec<u64>>) -> Picked<'_> {
    numbers.map_or(Picked::All, |numbers| Picked::List(numbers))
}

fn done<T>(result: Result<T, LightCurveError>) -> PyResult<T> {
    result.map_err(|error| exception(&error))
}

impl LightCurves {
    /// The store; opened again where what was done with it was interrupted.
    fn opened(&self, py: Python<'_>) -> PyResult<Arc<Opened>> {
        let held = self.opened.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !held.stop.is_requested() {
            return Ok(held);
        }
        let opened = Opened::new(py, &self.place, &self.backend)?;
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = opened.clone();
        Ok(opened)
    }

    /// Does something with the store.
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Opened) -> Result<T, LightCurveError> + Send,
    ) -> PyResult<T> {
        let opened = self.opened(py)?;
        done(watched(py, &opened.stop, || work(&opened))?)
    }
}

#[pymethods]
impl LightCurves {
    /// Opens the store at a place.
    #[new]
    fn new(py: Python<'_>, place: Place, backend: String) -> PyResult<Self> {
        let opened = Mutex::new(Opened::new(py, &place.0, &backend)?);
        Ok(Self { place: place.0, backend, opened })
    }

    /// Makes a store; what could not be tidied afterwards.
    #[staticmethod]
    fn create(
        py: Python<'_>,
        place: Place,
        new: New,
        overwrite: bool,
        backend: &str,
    ) -> PyResult<Vec<String>> {
        let stop = Stop::default();
        let (new, io) = (new.spec()?, opener(backend)?.stopped_by(stop.clone()));
        done(watched(py, &stop, || new.create(&place.0, (overwrite, &io)))?)
    }

    /// Its dimensions and arrays of values, as JSON.
    fn schema(&self, py: Python<'_>) -> PyResult<String> {
        let opened = self.opened(py)?;
        let schema = opened.store.schema();
        let array = |name: &String| {
            let array = opened.store.values(name)?;
            let data_type = array.elements().ok().map(|elements| elements.element.name().to_owned());
            Some(
                json!({"name": name, "dimensions": array.document().dimension_names(), "data_type": data_type}),
            )
        };
        let dimension = |d: &Dimension| json!({"name": d.name, "size": d.size, "labels": d.labels});
        Ok(json!({
            "dimensions": schema.dimensions.iter().map(dimension).collect::<Vec<_>>(), "epochs": schema.epochs().name,
            "values": schema.values.iter().filter_map(array).collect::<Vec<_>>(),
        })
        .to_string())
    }

    /// The labels of a dimension, of which there are few; numbers where it has none.
    fn labels(&self, py: Python<'_>, dimension: &str, max_mem: u64) -> PyResult<Vec<String>> {
        self.with(py, |opened| {
            let labels = opened.store.labels(dimension, max_mem)?;
            let size = opened.store.schema().dimension(dimension).map_or(0, |known| known.size);
            Ok((0..size).map(|k| labels.get(k)).collect())
        })
    }

    /// What there is, as `zarrange lightcurve info --json` prints it.
    fn info(&self, py: Python<'_>) -> PyResult<String> {
        let info = self.with(py, |opened| zarrange::light_curves_json(&opened.store, &opened.io))?;
        Ok(info.to_string())
    }

    /// The numbers of what is called so along a dimension.
    fn places(
        &self,
        py: Python<'_>,
        dimension: &str,
        labels: Vec<String>,
        max_mem: u64,
    ) -> PyResult<Vec<u64>> {
        self.with(py, |opened| opened.store.places(dimension, &labels, max_mem))
    }

    /// The numbers of objects.
    fn objects(&self, py: Python<'_>, objects: Objects, max_mem: u64) -> PyResult<Vec<u64>> {
        let which = objects.which();
        self.with(py, |opened| opened.store.numbers_of(&which, max_mem))
    }

    /// The elements of some objects, measurements and epochs of an array, in C order: how many along each dimension, and their bytes.
    fn read<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        wanted: Numbers,
        max_mem: u64,
    ) -> PyResult<(Vec<u64>, Bound<'py, PyByteArray>)> {
        let opened = self.opened(py)?;
        let mut reader = done(opened.store.reader(name))?;
        let (objects, measurements, epochs) = &wanted;
        let wanted = Wanted {
            objects: picked(objects.as_ref()),
            measurements: picked(measurements.as_ref()),
            epochs: picked(epochs.as_ref()),
        };
        let shape = done(reader.shape(&wanted))?;
        let bytes = done(reader.bytes(&shape))?;
        let length = usize::try_from(bytes).ok().filter(|_| bytes <= max_mem).ok_or_else(|| {
            PyMemoryError::new_err(format!("{name}: {bytes} bytes are asked for, max_mem is {max_mem}"))
        })?;
        let data = PyByteArray::new_with(py, length, |data| {
            done(watched(py, &opened.stop, || reader.read_into(&wanted, data))?).map(drop)
        })?;
        Ok((shape, data))
    }

    /// Fills some of an epoch; values that changed, and chunks that were written.
    fn fill(&self, py: Python<'_>, contributed: Contributed, how: How) -> PyResult<(u64, u64)> {
        let options = how.options()?;
        let values: Vec<(&str, &[u8])> =
            contributed.values.iter().map(|(name, data)| (name.as_str(), data.get())).collect();
        let contribution = Contribution {
            epoch: contributed.epoch,
            objects: picked(contributed.objects.as_ref()),
            measurements: picked(contributed.measurements.as_ref()),
            values: &values,
        };
        let report = self.with(py, |opened| {
            let filled = opened.store.fill(&contribution, &options);
            filled.map_err(|error| with_labels(&opened.store, error, how.max_mem))
        })?;
        Ok((report.changed, report.chunks))
    }

    /// Fills what a catalogue has; what was done, as JSON.
    fn fill_table(&self, py: Python<'_>, catalogue: Catalogue, how: How) -> PyResult<String> {
        let options = how.options()?;
        let Catalogue { path, table, columns, at, tolerance, ignore_units } = catalogue;
        let mapping = Mapping { columns, at, tolerance, ignore_units };
        let threads = usize::try_from(zarrange::threads()).unwrap_or(1);
        let fill = TableFill { mapping: &mapping, options, memory_bytes_max: how.max_mem, threads };
        let columns: Vec<_> = table.into_iter().map(Given::into_column).collect();
        let (report, told) = self.with(py, |opened| {
            let mut rejects = Rejects::new(None);
            let report = match path {
                Some(path) => opened.store.fill_tables(&[path], &fill, &mut rejects, &|_| ())?,
                None => opened.store.fill_columns("the catalogue", columns.into(), &fill, &mut rejects)?,
            };
            let told = told(&report, &rejects);
            Ok((report, told))
        })?;
        match report.failed.first() {
            Some((_, error)) => Err(exception(error)),
            None => Ok(told),
        }
    }

    /// Light curves as rows, all of them in memory.
    fn curves(&self, py: Python<'_>, asked: Asked) -> PyResult<Rows> {
        let max_mem = asked.max_mem;
        let query = asked.query();
        self.with(py, |opened| Rows::of_curves(opened.store.curves(&query, max_mem)?, max_mem))
    }

    /// Adds epochs: the number of the first one, how many there are now, and side variables without values for them.
    fn append(
        &self,
        py: Python<'_>,
        epochs: GivenDimension,
        seconds: f64,
        max_mem: u64,
    ) -> PyResult<(u64, u64, Vec<String>)> {
        let (count, labels, side) = epochs.read(max_mem / 4)?;
        let (new, wait) = (NewEpochs { count, labels, side }, wait(seconds)?);
        let appended = self.with(py, |opened| opened.store.append(&new, (wait, max_mem / 4)))?;
        Ok((appended.first, appended.size, appended.unset))
    }

    /// Makes a copy in another layout; its warnings.
    #[staticmethod]
    fn copy(
        py: Python<'_>,
        source: Place,
        target: Place,
        asked: Copied,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Vec<String>> {
        let stop = Stop::default();
        let (options, told) = (asked.options(&stop)?, Told::new(progress, &stop));
        let copied = watched(py, &stop, || LightCurveStore::copy((&source.0, &target.0), &options, &told))?;
        told.end()?;
        Ok(done(copied)?.warnings)
    }

    /// Brings a copy up to date; what was brought, as JSON.
    #[staticmethod]
    fn sync(
        py: Python<'_>,
        place: Place,
        source: Option<Place>,
        asked: Copied,
        seconds: f64,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<String> {
        let stop = Stop::default();
        let (options, told, wait) = (asked.options(&stop)?, Told::new(progress, &stop), wait(seconds)?);
        let places = (&place.0, source.as_ref().map(|source| &source.0));
        let synced = watched(py, &stop, || LightCurveStore::sync(places, &options, wait, &told))?;
        told.end()?;
        let synced = done(synced)?;
        Ok(json!({
            "epochs": synced.epochs, "new_epochs": synced.new, "arrays": synced.arrays,
            "bytes_written": synced.bytes_written, "warnings": synced.warnings,
        })
        .to_string())
    }
}

/// The error with labels in place of numbers.
fn with_labels(store: &LightCurveStore, error: LightCurveError, bytes_max: u64) -> LightCurveError {
    let LightCurveError::Conflict { array, mut labels, there, given } = error else { return error };
    for (dimension, number) in &mut labels {
        if let (Ok(known), Ok(k)) = (store.labels(dimension, bytes_max), number.parse()) {
            *number = known.get(k);
        }
    }
    LightCurveError::Conflict { array, labels, there, given }
}

/// What filling from a table did, as JSON.
fn told(report: &TableReport, rejects: &Rejects<'_>) -> String {
    let added = report.sequence.unwrap_or_default();
    let done = || report.epochs.values().chain([&added.written]);
    let rejected: Vec<String> =
        rejects.first().iter().map(|r| format!("{}, {}: {}", r.table, r.place, r.reason)).collect();
    json!({
        "rows": report.rows, "epochs": report.epochs.keys().collect::<Vec<_>>(), "added": added.observations,
        "changed": done().map(|done| done.changed).sum::<u64>(), "chunks": done().map(|done| done.chunks).sum::<u64>(),
        "rejected": rejects.count(), "first_rejected": rejected,
    })
    .to_string()
}
