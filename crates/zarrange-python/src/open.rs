//! Arrays and groups that are read from Python, region by region.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zarrange_array::{Array, ArrayError, Contents, Group, Node, RegionWriter};
use zarrange_grid::{ChunkGrid, Region};
use zarrange_io::{Location, Stop, Store};
use zarrange_rechunk::{is_short, read_region};

use crate::backend::Backend;
use crate::buffers::{Bytes, Room};
use crate::errors::exception;
use crate::native_store::Files;
use crate::stores::Place;
use crate::work::watched;

/// An array.
#[pyclass(frozen, name = "Array", module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct OpenArray(Box<Array>);

/// A group.
#[pyclass(frozen, name = "Group", module = "zarrange._native")]
#[derive(Debug)]
pub(crate) struct OpenGroup(Group);

/// An array or a group.
#[derive(IntoPyObject)]
pub(crate) enum Opened {
    /// An array.
    Array(OpenArray),
    /// A group.
    Group(OpenGroup),
}

/// Where there may be an array or a group.
#[derive(FromPyObject)]
pub(crate) enum Where<'py> {
    /// In a folder that was opened.
    Files(Bound<'py, Files>, String),
    /// At a place.
    Place(Place),
}

/// What reading has cost: chunks, requests, bytes, stored bytes, and array bytes of chunks.
type Cost = (u64, u64, u64, u64, u64);

/// A region: its first element, and its shape.
type Corner = (Vec<u64>, Vec<u64>);

/// Opens what is at a place.
#[pyfunction]
pub(crate) fn open(py: Python<'_>, place: Where<'_>, backend: &Backend) -> PyResult<Opened> {
    let location = match place {
        Where::Files(files, key) => Location::Store(files.get().store.clone(), key),
        Where::Place(place) => place.0,
    };
    py.detach(|| opened(&backend.0.open(&location).map_err(|error| exception(&error))?))
}

fn opened(store: &Store) -> PyResult<Opened> {
    Ok(match zarrange_array::open(store).map_err(|error| exception(&error))? {
        Node::Array(array) => Opened::Array(OpenArray(array)),
        Node::Group(group) => Opened::Group(OpenGroup(group)),
    })
}

#[pymethods]
impl OpenArray {
    /// Where it is.
    #[getter]
    fn label(&self) -> &str {
        self.0.location()
    }

    /// Its metadata, as JSON of Zarr v3.
    #[getter]
    fn document(&self) -> PyResult<String> {
        Ok(String::from_utf8(self.0.document().to_json())?)
    }

    /// The version of Zarr that it is stored in.
    #[getter]
    fn zarr_format(&self) -> u8 {
        self.0.zarr_format()
    }

    /// The shape of a chunk; of the largest one, where they differ.
    #[getter]
    fn chunks(&self) -> Vec<u64> {
        match self.0.contents() {
            Contents::Elements(elements) => elements.chunks.chunk_shape().to_vec(),
            Contents::Variable(elements) => elements.chunks.chunk_shape().to_vec(),
            Contents::Unknown(_) => self.0.objects().chunk_shape().to_vec(),
        }
    }

    /// The shape of a shard, if its chunks lie in shards.
    #[getter]
    fn shards(&self) -> Option<Vec<u64>> {
        let layout = match self.0.contents() {
            Contents::Elements(elements) => &elements.layout,
            Contents::Variable(elements) => &elements.layout,
            Contents::Unknown(_) => return None,
        };
        layout.shard.clone()
    }

    /// Bytes of an element, and those of the fill value in native order; `None` if elements cannot be read here.
    #[getter]
    fn elements(&self) -> Option<(usize, Vec<u8>)> {
        self.0.elements().ok().map(|elements| (elements.item_bytes(), elements.fill.clone()))
    }

    /// Reads a region into `out`, contiguous bytes that hold exactly it.
    #[pyo3(signature = (corner, out, *, max_mem, threads))]
    fn read(
        &self,
        py: Python<'_>,
        corner: Corner,
        out: &Bound<'_, PyAny>,
        max_mem: u64,
        threads: u64,
    ) -> PyResult<Cost> {
        let (region, mut room) = (self.region(corner)?, Room::of(out)?);
        self.fits(&region, room.bytes().len())?;
        let short = is_short(&self.0, &region).map_err(|error| exception(&error))?;
        let stop = Stop::default();
        let out = room.bytes();
        let read = || read_region(&self.0, &region, out, (max_mem, threads), &stop);
        let read = if short { py.detach(read) } else { watched(py, &stop, read)? };
        let cost = read.map_err(|error| exception(&error))?;
        Ok((cost.chunks, cost.requests, cost.bytes, cost.stored_bytes, cost.chunk_bytes))
    }

    /// The smallest region of whole chunks around one.
    fn whole_chunks(&self, corner: Corner) -> PyResult<Corner> {
        let region = self.region(corner)?;
        let chunks = self.0.chunks().map_err(|error| exception(&error))?;
        let hull = whole_chunks(chunks.grid(), &region);
        Ok((hull.start().to_vec(), hull.shape().to_vec()))
    }

    /// Writes a region of whole chunks from `data`, contiguous bytes that nobody else changes meanwhile. A reader finds an old chunk or a
    /// new one.
    #[expect(clippy::needless_pass_by_value, reason = "an argument from Python")]
    fn write(&self, py: Python<'_>, corner: Corner, data: Bytes) -> PyResult<()> {
        let (region, data) = (self.region(corner)?, data.get());
        self.fits(&region, data.len())?;
        py.detach(|| {
            let mut writer = RegionWriter::replacing(&self.0)?;
            if region.is_empty() { Ok(()) } else { writer.write(&region, data) }
        })
        .map_err(|error: ArrayError| exception(&error))
    }
}

impl OpenArray {
    /// A region that is inside the array.
    fn region(&self, (start, shape): Corner) -> PyResult<Region> {
        let size = self.0.shape();
        let inside = |d: usize| start[d].checked_add(shape[d]).is_some_and(|end| end <= size[d]);
        if start.len() != size.len() || shape.len() != size.len() || !(0..size.len()).all(inside) {
            let told =
                format!("the region of {shape:?} elements at {start:?} is not inside an array of {size:?}");
            return Err(PyValueError::new_err(told));
        }
        Ok(Region::new(start, shape))
    }

    fn fits(&self, region: &Region, bytes: usize) -> PyResult<()> {
        let item_bytes = self.0.elements().map_err(|error| exception(&error))?.item_bytes();
        let expected = region.elements().checked_mul(item_bytes as u64);
        if expected == Some(bytes as u64) {
            return Ok(());
        }
        let told =
            format!("{bytes} bytes are no region of {:?} elements of {item_bytes} bytes", region.shape());
        Err(PyValueError::new_err(told))
    }
}

/// The smallest region of whole chunks of `grid` around `region`.
fn whole_chunks(grid: &ChunkGrid, region: &Region) -> Region {
    if region.is_empty() {
        return region.clone();
    }
    let chunks = grid.covering(region);
    let last: Vec<u64> = (0..chunks.rank()).map(|d| chunks.end(d) - 1).collect();
    let (first, last) = (grid.region(chunks.start()), grid.region(&last));
    let shape: Vec<u64> = (0..chunks.rank()).map(|d| last.end(d) - first.start()[d]).collect();
    Region::new(first.start(), shape)
}

#[pymethods]
impl OpenGroup {
    /// Where it is.
    #[getter]
    fn label(&self) -> &str {
        self.0.store().label()
    }

    /// Its attributes, as JSON.
    #[getter]
    fn attributes(&self) -> String {
        self.0.attributes().as_str().to_owned()
    }

    /// The version of Zarr that it is stored in.
    #[getter]
    fn zarr_format(&self) -> u8 {
        self.0.zarr_format()
    }

    /// The names of the arrays and groups directly in it, also of those that cannot be opened.
    fn names(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        py.detach(|| {
            let store = self.0.store();
            let entries = store.list("").map_err(|error| exception(&error))?;
            let folders = entries.into_iter().filter(|entry| entry.bytes.is_none());
            let is_node = |name: &str| {
                let below = store.below(name).map_err(ArrayError::Io);
                let opened = below.and_then(|below| zarrange_array::open(&below));
                !matches!(opened, Err(ArrayError::NotZarr { .. }))
            };
            Ok(folders.map(|entry| entry.name).filter(|name| is_node(name)).collect())
        })
    }

    /// Opens what is at a path below it.
    fn open(&self, py: Python<'_>, path: &str) -> PyResult<Opened> {
        py.detach(|| opened(&self.0.store().below(path).map_err(|error| exception(&error))?))
    }
}
