//! Tables between the two languages: columns that Python gives, and rows that it gets.
#![expect(clippy::needless_pass_by_value, reason = "what Python gives comes as values")]

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyIndexError, PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyString};
use serde_json::{Map, json};
use zarrange::Folded;
use zarrange_io::Stop;
use zarrange_lightcurve::{self as lightcurve, Curves, CurvesPart, LightCurveError, Named, read_columns};
use zarrange_table::{Batch, Cells, Column, Field, Kind, OutputFormat, Shape, Table, TableWriter, Texts};

use crate::buffers::Bytes;
use crate::errors::exception;
use crate::work::watched;

/// A column that Python gives.
#[derive(FromPyObject)]
pub(crate) struct Given(String, Option<String>, GivenCells);

/// Its elements. Lists may have gaps.
enum GivenCells {
    Float(Vec<f64>),
    Integer(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Text(Texts),
}

impl<'a, 'py> FromPyObject<'a, 'py> for GivenCells {
    type Error = PyErr;

    /// What there is comes with its kind: floats in a buffer, the others as lists.
    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let (kind, data): (String, Bound<'py, PyAny>) = given.extract()?;
        Ok(match kind.as_str() {
            "float" => {
                let bytes: Bytes = data.extract()?;
                Self::Float(
                    bytes.get().as_chunks().0.iter().map(|value| f64::from_ne_bytes(*value)).collect(),
                )
            }
            "integer" => Self::Integer(data.extract()?),
            "bool" => Self::Bool(data.extract()?),
            _ => {
                let mut texts = Texts::default();
                for text in data.try_iter()? {
                    texts.push(&text?.extract::<String>()?);
                }
                Self::Text(texts)
            }
        })
    }
}

impl Given {
    /// It, as a table has it.
    pub(crate) fn into_column(self) -> (Field, Cells) {
        let cells = match self.2 {
            GivenCells::Float(values) => Cells::Float(values),
            GivenCells::Integer(values) => Cells::Integer(values),
            GivenCells::Bool(values) => Cells::Bool(values),
            GivenCells::Text(texts) => Cells::Text(texts),
        };
        (Field { name: self.0, unit: self.1 }, cells)
    }

    /// It, as labels or a side variable have it.
    ///
    /// # Errors
    /// A `ValueError` where a number or truth is missing.
    pub(crate) fn column(self) -> PyResult<lightcurve::Column> {
        use lightcurve::Column;
        let missing = || {
            PyValueError::new_err(format!("column {:?} has gaps, which only numbers can have as NaN", self.0))
        };
        Ok(match self.2 {
            GivenCells::Float(values) => Column::Float(values),
            GivenCells::Integer(values) => {
                Column::Integer(values.into_iter().collect::<Option<_>>().ok_or_else(missing)?)
            }
            GivenCells::Bool(values) => {
                Column::Bool(values.into_iter().collect::<Option<_>>().ok_or_else(missing)?)
            }
            GivenCells::Text(texts) => {
                Column::Text((0..texts.len()).map(|k| texts.get(k).to_owned()).collect())
            }
        })
    }

    fn named(self) -> PyResult<Named> {
        let units = self.1.as_ref().map(|unit| ("units".to_owned(), json!(unit)));
        Ok(Named { name: self.0.clone(), attributes: Map::from_iter(units), column: self.column()? })
    }
}

/// A dimension that is given: how long it is, or its labels and side variables, or a table of these.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct GivenDimension {
    size: u64,
    labels: Option<Given>,
    side: Vec<Given>,
    table: Option<PathBuf>,
}

impl GivenDimension {
    /// Its length, labels and side variables; a table is read within `bytes_max`.
    pub(crate) fn read(self, bytes_max: u64) -> PyResult<(u64, Option<lightcurve::Column>, Vec<Named>)> {
        if let Some(path) = &self.table {
            let (labels, side) = read_columns(path, bytes_max).map_err(|error| exception(&error))?;
            return Ok((labels.len(), Some(labels), side));
        }
        let labels = self.labels.map(Given::column).transpose()?;
        let side = self.side.into_iter().map(Given::named).collect::<PyResult<Vec<_>>>()?;
        Ok((self.size, labels, side))
    }
}

/// Elements of a column: the type of numpy that they have, themselves, and where they are missing.
type Elements<'py> = (&'static str, Bound<'py, PyAny>, Option<Bound<'py, PyByteArray>>);

/// Rows of a table that is in memory: of light curves, with how many there are of each object, or of anything else.
#[pyclass(frozen, module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct Rows {
    fields: Vec<Field>,
    columns: Vec<Column>,
    parts: Vec<CurvesPart>,
    are_curves: bool,
}

impl Rows {
    /// Reads light curves, within `bytes_max`.
    ///
    /// # Errors
    /// [`LightCurveError::Room`] if they need more.
    pub(crate) fn of_curves(mut curves: Curves<'_>, bytes_max: u64) -> Result<Self, LightCurveError> {
        let (fields, columns) = (curves.fields().to_vec(), curves.shape(None)?.flat);
        let (mut parts, mut bytes, mut read) = (Vec::new(), 0_u64, 0);
        while let Some(part) = curves.read()? {
            bytes += part.rows.iter().map(|cells| cells.bytes() as u64).sum::<u64>();
            read += part.lengths.len() as u64;
            if bytes > bytes_max {
                let needed = bytes.saturating_mul(curves.objects().div_ceil(read.max(1)));
                return Err(LightCurveError::Room { what: "light curves".to_owned(), needed, bytes_max });
            }
            parts.push(part);
        }
        Ok(Self { fields, columns, parts, are_curves: true })
    }

    fn write(
        &self,
        out: impl Write + Send,
        format: OutputFormat,
        nested: Option<String>,
    ) -> std::io::Result<()> {
        let mut flat = self.columns.clone();
        let is_nested = nested.is_some();
        let lists = nested.map(|name| (name, flat.split_off(1)));
        let mut writer = TableWriter::create(out, format, Shape { flat, lists })?;
        for part in &self.parts {
            if is_nested {
                writer.write_nested(std::slice::from_ref(&part.objects), &part.rows[1..], &part.lengths)?;
            } else {
                writer.write(&part.rows)?;
            }
        }
        writer.finish()?.flush()
    }

    fn has_gaps(&self, k: usize) -> bool {
        self.parts.iter().any(|part| match &part.rows[k] {
            Cells::Integer(values) => values.contains(&None),
            Cells::Bool(values) => values.contains(&None),
            Cells::Text(_) | Cells::Float(_) | Cells::Single(_) => false,
        })
    }

    /// Elements of column `k` as bytes, as `put` has those of each part.
    fn bytes<'py>(
        &self,
        py: Python<'py>,
        (k, item): (usize, usize),
        put: fn(&Cells, &mut [u8]),
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let rows: usize = self.parts.iter().map(|part| part.rows[k].len()).sum();
        PyByteArray::new_with(py, rows * item, |mut left| {
            for part in &self.parts {
                let (own, others) = left.split_at_mut(part.rows[k].len() * item);
                put(&part.rows[k], own);
                left = others;
            }
            Ok(())
        })
    }

    /// Text of column `k`; what is the same as before is the same object.
    fn texts<'py>(&self, py: Python<'py>, k: usize) -> PyResult<Bound<'py, PyList>> {
        let out = PyList::empty(py);
        let mut last: Option<(&str, Bound<'py, PyString>)> = None;
        for part in &self.parts {
            let Cells::Text(texts) = &part.rows[k] else { continue };
            for row in 0..texts.len() {
                let text = texts.get(row);
                let known = last.take().filter(|(known, _)| *known == text);
                let (text, object) = known.unwrap_or_else(|| (text, PyString::new(py, text)));
                out.append(&object)?;
                last = Some((text, object));
            }
        }
        Ok(out)
    }
}

#[pymethods]
impl Rows {
    /// Rows of columns that are given.
    #[new]
    fn new(table: Vec<Given>) -> PyResult<Self> {
        let given: Vec<(Field, Cells)> = table.into_iter().map(Given::into_column).collect();
        // It says what is no table.
        Table::of_columns("the table", &given.clone().into()).map_err(|error| exception(&error))?;
        let column =
            |(field, cells): &(Field, Cells)| Column { name: field.name.clone(), kind: cells.kind() };
        let columns = given.iter().map(column).collect();
        let (fields, rows) = given.into_iter().unzip();
        Ok(Self { fields, columns, parts: vec![plain(rows)], are_curves: false })
    }

    /// Reads the table at a path, in any format that is known, within `max_mem`.
    #[staticmethod]
    fn open(py: Python<'_>, path: PathBuf, max_mem: u64) -> PyResult<Self> {
        watched(py, &Stop::default(), || read_table(&path, max_mem))?
    }

    /// Names of columns, with their units.
    #[getter]
    fn fields(&self) -> Vec<(String, Option<String>)> {
        self.fields.iter().map(|field| (field.name.clone(), field.unit.clone())).collect()
    }

    /// How many there are.
    #[getter]
    fn count(&self) -> usize {
        self.parts.iter().map(|part| part.rows.first().map_or(0, Cells::len)).sum()
    }

    /// How many objects there are, of light curves.
    #[getter]
    fn objects(&self) -> usize {
        self.parts.iter().map(|part| part.lengths.len()).sum()
    }

    /// The elements of a column: a type of numpy, what has them, and what has where they are missing, if they are somewhere.
    fn column<'py>(&self, py: Python<'py>, k: usize) -> PyResult<Elements<'py>> {
        let Some(column) = self.columns.get(k) else {
            return Err(PyIndexError::new_err(format!("there is no column {k}")));
        };
        let (dtype, item) = match column.kind {
            Kind::Text => return Ok(("object", self.texts(py, k)?.into_any(), None)),
            Kind::Float => ("f8", 8),
            Kind::Single => ("f4", 4),
            Kind::Integer => ("i8", 8),
            Kind::Bool => ("bool", 1),
        };
        let gaps = if self.has_gaps(k) { Some(self.bytes(py, (k, 1), put_gaps)?) } else { None };
        Ok((dtype, self.bytes(py, (k, item), put)?.into_any(), gaps))
    }

    /// The bytes of an Arrow IPC file of them; with `nested` a row for each object, with its rows in a list of this name.
    fn arrow<'py>(&self, py: Python<'py>, nested: Option<String>) -> PyResult<Bound<'py, PyBytes>> {
        if nested.is_some() && !self.are_curves {
            return Err(PyValueError::new_err("only light curves have lists of rows"));
        }
        let mut bytes = Vec::new();
        watched(py, &Stop::default(), || self.write(&mut bytes, OutputFormat::Arrow, nested))??;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes them to a file: `parquet` and the other formats of `zarrange lightcurve get`.
    fn save(&self, py: Python<'_>, path: PathBuf, format: &str) -> PyResult<()> {
        let format: OutputFormat = format
            .parse()
            .map_err(|error: zarrange_table::UnknownOutputFormat| PyValueError::new_err(error.to_string()))?;
        let write = || self.write(BufWriter::new(File::create(path)?), format, None);
        Ok(watched(py, &Stop::default(), write)??)
    }

    /// A picture of the light curve of one object: `svg` or `png`, of so many pixels.
    fn picture<'py>(
        &self,
        py: Python<'py>,
        format: &str,
        size: (u32, u32),
        folded: Folded,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let [part] = &self.parts[..] else {
            return Err(PyValueError::new_err(format!(
                "a picture shows one object, these are {}",
                self.objects()
            )));
        };
        if self.objects() != 1 {
            return Err(PyValueError::new_err(format!(
                "a picture shows one object, these are {}",
                self.objects()
            )));
        }
        let wrong = |error: &dyn std::fmt::Display| PyValueError::new_err(error.to_string());
        let picture = watched(py, &Stop::default(), || {
            let curve = zarrange::light_curve(&self.fields, part, folded).map_err(|error| wrong(&error))?;
            if format == "png" {
                zarrange_plot::png(&curve, size).map_err(|error| wrong(&error))
            } else {
                Ok(zarrange_plot::svg(&curve, size).into_bytes())
            }
        })??;
        Ok(PyBytes::new(py, &picture))
    }
}

/// Puts the bytes of elements into `data`.
fn put(cells: &Cells, data: &mut [u8]) {
    fn all<const N: usize>(values: impl Iterator<Item = [u8; N]>, data: &mut [u8]) {
        data.as_chunks_mut().0.iter_mut().zip(values).for_each(|(into, value)| *into = value);
    }
    match cells {
        Cells::Float(values) => all(values.iter().map(|value| value.to_ne_bytes()), data),
        Cells::Single(values) => all(values.iter().map(|value| value.to_ne_bytes()), data),
        Cells::Integer(values) => all(values.iter().map(|v| v.unwrap_or_default().to_ne_bytes()), data),
        Cells::Bool(values) => all(values.iter().map(|v| [u8::from(v.unwrap_or_default())]), data),
        Cells::Text(_) => {}
    }
}

/// Puts 1 into `data` where an element is missing.
fn put_gaps(cells: &Cells, data: &mut [u8]) {
    match cells {
        Cells::Integer(values) => {
            data.iter_mut().zip(values).for_each(|(into, value)| *into = u8::from(value.is_none()));
        }
        Cells::Bool(values) => {
            data.iter_mut().zip(values).for_each(|(into, value)| *into = u8::from(value.is_none()));
        }
        Cells::Text(_) | Cells::Float(_) | Cells::Single(_) => {}
    }
}

/// Rows that are of no objects.
fn plain(rows: Vec<Cells>) -> CurvesPart {
    CurvesPart { objects: Cells::Integer(Vec::new()), lengths: Vec::new(), rows }
}

fn read_table(path: &Path, bytes_max: u64) -> PyResult<Rows> {
    let mut table = Table::open(path).map_err(|error| exception(&error))?;
    let fields = table.fields().to_vec();
    let wanted: Vec<usize> = (0..fields.len()).collect();
    let (mut batch, mut parts, mut bytes) = (Batch::default(), Vec::new(), 0_u64);
    while table.read(&wanted, &mut batch).map_err(|error| exception(&error))? {
        if let Some(bad) = batch.bad().first() {
            let place = format!("{} {}", table.places(), bad.place);
            return Err(PyValueError::new_err(format!("{}, {place}: {}", path.display(), bad.reason)));
        }
        let rows = batch.columns().to_vec();
        bytes += rows.iter().map(|cells| cells.bytes() as u64).sum::<u64>();
        if bytes > bytes_max {
            return Err(PyMemoryError::new_err(format!(
                "{}: no room within max_mem={bytes_max}",
                path.display()
            )));
        }
        parts.push(plain(rows));
    }
    let kinds = parts.first().map(|part| part.rows.iter().map(Cells::kind).collect::<Vec<_>>());
    // Of a table without rows nobody knows what its columns hold.
    let kinds = kinds.unwrap_or_else(|| vec![Kind::Float; fields.len()]);
    let columns = fields.iter().zip(kinds).map(|(field, kind)| Column { name: field.name.clone(), kind });
    Ok(Rows { columns: columns.collect(), fields, parts, are_curves: false })
}
