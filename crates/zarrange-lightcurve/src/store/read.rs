//! Reading: some objects, at some epochs, in some measurements. A chunk is decoded once, however many of its objects are asked for.

use zarrange_array::{ReadCost, RegionReader};
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

impl LightCurveStore {
    /// Reads what is `wanted` of the array of values called `name`.
    ///
    /// # Errors
    /// [`LightCurveError::Values`] if there is no such array, [`LightCurveError::Index`] if something is beyond it; or if a chunk cannot be
    /// read.
    pub fn read(&self, name: &str, wanted: &Wanted<'_>) -> Result<Block, LightCurveError> {
        let array = self.named(name)?;
        let elements = array.elements()?;
        let names = array.document().dimension_names().unwrap_or_default();
        let mut picks = Vec::new();
        for (name, size) in names.iter().zip(array.shape()) {
            let name = name.as_deref().unwrap_or_default();
            let picked = match name {
                OBJECT => wanted.objects.of(*size),
                MEASUREMENT => wanted.measurements.of(*size),
                epoch if EPOCHS.contains(&epoch) => wanted.epochs.of(*size),
                _ => Picks::Range(0..*size),
            };
            if let Some(index) = picked.last().filter(|last| last >= size) {
                return Err(LightCurveError::Index { dimension: name.to_owned(), index, size: *size });
            }
            picks.push(picked);
        }
        let (item, shape) = (elements.item_bytes(), picks.iter().map(Picks::len).collect::<Vec<_>>());
        let bytes = zarrange_grid::checked_bytes(&shape, item as u64)
            .map_err(|_| LightCurveError::TooMuch { shape: shape.clone() })?;
        let mut data =
            zeroed(index(bytes)).ok_or_else(|| LightCurveError::TooMuch { shape: shape.clone() })?;
        let (mut reader, mut part) = (RegionReader::new(array)?, Vec::new());
        // What lies together is fetched together.
        if let Some(ranges) = picks.iter().map(Picks::range).collect::<Option<Vec<_>>>() {
            let start: Dims = ranges.iter().map(|range| range.start).collect();
            reader.read_into(&Region::new(start, Dims::from(&shape[..])), &mut data)?;
            return Ok(Block { shape, data, cost: reader.cost() });
        }
        for chunk in chunks(&elements.chunks, &picks) {
            let Some(region) = hull(&picks, &elements.chunks.region(&chunk)) else { continue };
            part.clear();
            part.resize(index(region.elements()) * item, 0);
            reader.read_into(&region, &mut part)?;
            runs(&picks, &region, &mut |inside, among, run| {
                let (inside, among, bytes) = (index(inside) * item, index(among) * item, index(run) * item);
                data[among..among + bytes].copy_from_slice(&part[inside..inside + bytes]);
                Ok::<_, LightCurveError>(())
            })?;
        }
        Ok(Block { shape, data, cost: reader.cost() })
    }
}
