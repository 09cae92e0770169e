//! Reading: some objects, at some epochs, in some measurements. A chunk is decoded once, however many of its objects are asked for.

use std::ops::Range;

use zarrange_array::{ReadCost, RegionReader};
use zarrange_grid::index;
use zarrange_io::zeroed;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::picks::{Picks, chunks, hull, runs};
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// What is wanted of a store; all of what is not given.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// Objects by their numbers, in any order; one may be there twice.
    pub objects: Option<&'a [u64]>,
    /// Measurements by their numbers.
    pub measurements: Option<&'a [u64]>,
    /// Epochs by their numbers.
    pub epochs: Option<Range<u64>>,
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
                OBJECT => wanted.objects.map(Picks::list),
                MEASUREMENT => wanted.measurements.map(Picks::list),
                epoch if EPOCHS.contains(&epoch) => wanted.epochs.clone().map(Picks::Range),
                _ => None,
            };
            let picked = picked.unwrap_or(Picks::Range(0..*size));
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
