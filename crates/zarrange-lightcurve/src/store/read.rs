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
        let shape = self.shape(wanted)?;
        let too_much = || LightCurveError::TooMuch { shape: shape.clone() };
        let mut data = zeroed(index(self.bytes(&shape)?)).ok_or_else(too_much)?;
        let cost = self.read_into(wanted, &mut data)?;
        Ok(Block { shape, data, cost })
    }

    /// How many there are along each dimension of the array of what is `wanted`.
    ///
    /// # Errors
    /// [`LightCurveError::Index`] if something is beyond the array.
    pub fn shape(&self, wanted: &Wanted<'_>) -> Result<Vec<u64>, LightCurveError> {
        Ok(self.picks(wanted)?.iter().map(Picks::len).collect())
    }

    /// Bytes of so many elements.
    ///
    /// # Errors
    /// [`LightCurveError::TooMuch`] if there cannot be so many.
    pub fn bytes(&self, shape: &[u64]) -> Result<u64, LightCurveError> {
        let too_much = |_| LightCurveError::TooMuch { shape: shape.to_vec() };
        zarrange_grid::checked_bytes(shape, self.item_bytes as u64).map_err(too_much)
    }

    fn picks(&self, wanted: &Wanted<'_>) -> Result<Vec<Picks>, LightCurveError> {
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
        Ok(picks)
    }

    /// Reads what is `wanted` into `data`, which has as many [`bytes`](Self::bytes) as it takes. All of them are written.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// If `data` has another size.
    pub fn read_into(&mut self, wanted: &Wanted<'_>, data: &mut [u8]) -> Result<ReadCost, LightCurveError> {
        let picks = self.picks(wanted)?;
        let (item, shape) = (self.item_bytes, picks.iter().map(Picks::len).collect::<Vec<_>>());
        assert_eq!(data.len() as u64, self.bytes(&shape)?, "bytes for {shape:?}");
        let before = self.reader.cost();
        // What lies together is fetched together.
        if let Some(ranges) = picks.iter().map(Picks::range).collect::<Option<Vec<_>>>() {
            let start: Dims = ranges.iter().map(|range| range.start).collect();
            self.reader.read_into(&Region::new(start, Dims::from(&shape[..])), data)?;
            return Ok(self.reader.cost().since(&before));
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
        Ok(self.reader.cost().since(&before))
    }
}
