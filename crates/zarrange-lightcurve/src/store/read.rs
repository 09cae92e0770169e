//! Reading: some objects, at some epochs, in some measurements. A chunk is decoded once, however many of its objects are asked for.

use zarrange_array::{Array, ReadCost, RegionReader};
use zarrange_grid::{Dims, Region, index};
use zarrange_io::zeroed;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::picks::{Picked, Picks, chunks, hull, runs};
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// What is wanted of a store.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Objects; one may be there twice.
    pub objects: Picked<'a>,
    /// Measurements.
    pub measurements: Picked<'a>,
    /// Epochs.
    pub epochs: Picked<'a>,
}

/// Elements of an array of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// How many along each dimension of the array, in the order in which they were asked for.
    pub shape: Vec<u64>,
    /// The elements in C order and native byte order.
    pub data: Vec<u8>,
    /// What reading them took.
    pub cost: ReadCost,
}

/// Reads one array of values, again and again: what it knows of shards and its buffers stay.
#[derive(Debug)]
pub struct ValuesReader<'a> {
    array: &'a Array,
    /// Names of the dimensions, in their order.
    dimensions: Vec<String>,
    item_bytes: usize,
    reader: RegionReader<'a>,
    part: Vec<u8>,
}

impl LightCurveStore {
    /// A reader of the array of values called `name`.
    ///
    /// # Errors
    /// [`LightCurveError::Values`] if there is no such array, or if its elements cannot be read.
    pub fn reader(&self, name: &str) -> Result<ValuesReader<'_>, LightCurveError> {
        let array = self.named(name)?;
        Ok(ValuesReader {
            array,
            dimensions: array
                .document()
                .dimension_names()
                .unwrap_or_default()
                .into_iter()
                .flatten()
                .collect(),
            item_bytes: array.elements()?.item_bytes(),
            reader: RegionReader::new(array)?,
            part: Vec::new(),
        })
    }

    /// Reads what is `wanted` of the array of values called `name`; [`reader`](Self::reader) is for more than once.
    ///
    /// # Errors
    /// As those of [`reader`](Self::reader) and [`ValuesReader::read`].
    pub fn read(&self, name: &str, wanted: &Wanted<'_>) -> Result<Block, LightCurveError> {
        self.reader(name)?.read(wanted)
    }
}

impl ValuesReader<'_> {
    /// Reads what is `wanted`. No chunk is decoded twice.
    ///
    /// # Errors
    /// [`LightCurveError::Index`] if something is beyond the array, [`LightCurveError::TooMuch`] if there is no memory for it, or if a
    /// chunk cannot be read.
    pub fn read(&mut self, wanted: &Wanted<'_>) -> Result<Block, LightCurveError> {
        let mut picks = Vec::with_capacity(self.dimensions.len());
        for (name, size) in self.dimensions.iter().zip(self.array.shape()) {
            let picked = match name.as_str() {
                OBJECT => wanted.objects.of(*size),
                MEASUREMENT => wanted.measurements.of(*size),
                epoch if EPOCHS.contains(&epoch) => wanted.epochs.of(*size),
                _ => Picks::Range(0..*size),
            };
            if let Some(index) = picked.last().filter(|last| last >= size) {
                return Err(LightCurveError::Index { dimension: name.clone(), index, size: *size });
            }
            picks.push(picked);
        }
        let (item, shape) = (self.item_bytes, picks.iter().map(Picks::len).collect::<Vec<_>>());
        let too_much = || LightCurveError::TooMuch { shape: shape.clone() };
        let bytes = zarrange_grid::checked_bytes(&shape, item as u64).map_err(|_| too_much())?;
        let mut data = zeroed(index(bytes)).ok_or_else(too_much)?;
        let before = self.reader.cost();
        // What lies together is fetched together.
        if let Some(ranges) = picks.iter().map(Picks::range).collect::<Option<Vec<_>>>() {
            let start: Dims = ranges.iter().map(|range| range.start).collect();
            self.reader.read_into(&Region::new(start, Dims::from(&shape[..])), &mut data)?;
            return Ok(Block { shape, data, cost: self.reader.cost().since(&before) });
        }
        let grid = &self.array.elements()?.chunks;
        for chunk in chunks(grid, &picks) {
            let Some(region) = hull(&picks, &grid.region(&chunk)) else { continue };
            self.part.clear();
            self.part.resize(index(region.elements()) * item, 0);
            self.reader.read_into(&region, &mut self.part)?;
            runs(&picks, &region, &mut |inside, among, run| {
                let (inside, among, bytes) = (index(inside) * item, index(among) * item, index(run) * item);
                data[among..among + bytes].copy_from_slice(&self.part[inside..inside + bytes]);
                Ok::<_, LightCurveError>(())
            })?;
        }
        Ok(Block { shape, data, cost: self.reader.cost().since(&before) })
    }
}
