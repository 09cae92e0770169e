//! Values of some epochs, in memory until they are filled: for each epoch, blocks of objects that lie in chunks together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::{Contribution, FillOptions, FillReport, Filler};
use crate::store::picks::Picked;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};
use crate::store::side::Number;

/// Objects of a block at most, where a chunk has more.
const BLOCK_OBJECTS: u64 = 1 << 20;

/// Whole numbers up to this are numbers of 64 bits.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What became of a value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Put {
    /// It is there now, or was already.
    Done,
    /// Another is there.
    Differs(String),
    /// The array cannot hold it.
    Unfit,
}

/// An array of values, as planes have it: without its dimension of epochs.
pub(super) struct Values {
    pub(super) name: String,
    number: Number,
    /// What says that nothing was measured.
    missing: Vec<u8>,
    /// Names and sizes of its dimensions; along objects the size is that of a block.
    pub(super) axes: Vec<(String, u64)>,
}

/// Values that wait to be filled.
pub(super) struct Planes<'a> {
    store: &'a LightCurveStore,
    pub(super) arrays: Vec<Values>,
    block_objects: u64,
    /// By epoch and block.
    blocks: BTreeMap<(u64, u64), Block>,
    bytes: u64,
    bytes_max: u64,
}

/// What fills, between one flush and the next.
#[derive(Debug, Default)]
pub(super) struct Fillers<'a>(Mutex<Vec<Filler<'a>>>);

impl<'a> Fillers<'a> {
    fn take(&self, store: &'a LightCurveStore) -> Filler<'a> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        known.unwrap_or_else(|| store.filler())
    }

    fn put(&self, filler: Filler<'a>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(filler);
    }
}

struct Block {
    /// The elements of each array, in C order; nothing where there are none.
    data: Vec<Vec<u8>>,
    /// The measurements that were given.
    measurements: Vec<bool>,
}

/// What is given of a block.
struct Given {
    objects: Range<u64>,
    /// All of them if not given.
    measurements: Option<Vec<u64>>,
    data: Vec<Vec<u8>>,
}

impl Given {
    /// The elements by the names of their arrays.
    fn values<'a>(&'a self, arrays: &'a [Values]) -> Vec<(&'a str, &'a [u8])> {
        let values = arrays.iter().zip(&self.data).filter(|(_, data)| !data.is_empty());
        values.map(|(array, data)| (array.name.as_str(), &data[..])).collect()
    }
}

impl<'a> Planes<'a> {
    /// Without any values of the `arrays` of `store`, and within `bytes_max`.
    ///
    /// # Errors
    /// [`LightCurveError::NoNumber`] if an array is not of numbers, [`LightCurveError::PlaneMemory`] if a block needs more.
    pub(super) fn new(
        store: &'a LightCurveStore,
        arrays: &[String],
        bytes_max: u64,
    ) -> Result<Self, LightCurveError> {
        let mut block_objects = store.schema().objects().size.clamp(1, BLOCK_OBJECTS);
        for name in arrays {
            let array = store.named(name)?;
            let names = array.document().dimension_names().unwrap_or_default();
            let axis = names.iter().position(|name| name.as_deref() == Some(OBJECT));
            let chunk = axis.map_or(1, |axis| array.objects().chunk_shape()[axis]).max(1);
            // A block ends where a chunk does, as far as arrays agree.
            block_objects = (block_objects / chunk).saturating_mul(chunk).max(block_objects.min(chunk));
        }
        let values = arrays.iter().map(|name| Values::new(store, name, block_objects));
        let arrays = values.collect::<Result<Vec<_>, _>>()?;
        let planes = Self { store, arrays, block_objects, blocks: BTreeMap::new(), bytes: 0, bytes_max };
        let block = planes.arrays.iter().fold(0, |bytes: u64, values| bytes.saturating_add(values.bytes()));
        if block.saturating_mul(2) > bytes_max {
            return Err(LightCurveError::PlaneMemory { bytes: block.saturating_mul(2), bytes_max });
        }
        Ok(planes)
    }

    /// Puts a value at `position` of an array, in the order of its axes, or only looks whether that can be, where nothing is written.
    /// `measurement` was given, whatever the value is.
    pub(super) fn put(
        &mut self,
        epoch: u64,
        array: usize,
        (position, measurement): (&[u64], u64),
        (value, writes): (f64, bool),
    ) -> Put {
        let (values, mut at, mut block) = (&self.arrays[array], 0, 0);
        for ((name, size), k) in values.axes.iter().zip(position) {
            let within = if name == OBJECT {
                block = k / self.block_objects;
                k % self.block_objects
            } else {
                *k
            };
            at = at * size + within;
        }
        let (mut bytes, item) = ([0; 8], values.missing.len());
        let bytes = &mut bytes[..item];
        if !value.is_nan() && !values.number.encode(value, bytes) {
            return Put::Unfit;
        }
        // Whole numbers have one that says that nothing was measured.
        if !value.is_nan() && bytes == &values.missing[..] {
            return Put::Unfit;
        }
        if !writes {
            let there = self.blocks.get(&(epoch, block)).map(|block| &block.data[array]);
            let there = there.filter(|data| !data.is_empty()).map(|data| &data[index(at) * item..][..item]);
            return match there {
                Some(there) if !value.is_nan() && there != bytes && there != &values.missing[..] => {
                    Put::Differs(values.number.text(there))
                }
                Some(_) | None => Put::Done,
            };
        }
        let (schema, arrays) = (self.store.schema(), self.arrays.len());
        let block = self.blocks.entry((epoch, block)).or_insert_with(|| {
            let measurements = schema.dimension(MEASUREMENT).map_or(1, |dimension| dimension.size);
            Block { data: vec![Vec::new(); arrays], measurements: vec![false; index(measurements)] }
        });
        if block.data[array].is_empty() {
            block.data[array] = values.missing.repeat(index(values.bytes()) / values.missing.len());
            self.bytes = self.bytes.saturating_add(values.bytes());
        }
        block.measurements[index(measurement)] = true;
        let there = &mut block.data[array][index(at) * item..][..item];
        if value.is_nan() || there == bytes {
            return Put::Done;
        }
        if there != &values.missing[..] {
            return Put::Differs(values.number.text(there));
        }
        there.copy_from_slice(bytes);
        Put::Done
    }

    /// Whether there is no room for another block.
    pub(super) fn is_full(&self) -> bool {
        let block = self.arrays.iter().fold(0, |bytes: u64, values| bytes.saturating_add(values.bytes()));
        self.bytes.saturating_add(block.saturating_mul(2)) > self.bytes_max
    }

    /// Fills all epochs that there are values of, by so many threads, and forgets them. `each` hears of every epoch and what filling it did.
    ///
    /// # Errors
    /// The first; other epochs may have been filled.
    pub(super) fn flush(
        &mut self,
        options: &FillOptions<'_>,
        (threads, fillers): (usize, &Fillers<'a>),
        each: &(dyn Fn(u64, FillReport) + Sync),
    ) -> Result<(), LightCurveError> {
        // Epochs that share chunks are for one thread, which would wait for itself otherwise.
        let mut groups: BTreeMap<u64, BTreeMap<u64, Vec<(u64, Block)>>> = BTreeMap::new();
        for ((epoch, block), values) in std::mem::take(&mut self.blocks) {
            let group = groups.entry(self.store.locked(epoch)?.start).or_default();
            group.entry(epoch).or_default().push((block, values));
        }
        self.bytes = 0;
        let threads = threads.clamp(1, groups.len().max(1));
        let options = FillOptions { kept_bytes_max: options.kept_bytes_max / threads, ..*options };
        let (waiting, failed) = (Mutex::new(groups.into_values()), Mutex::new(None));
        let work = || {
            let mut filler = fillers.take(self.store);
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(group) = next else { return fillers.put(filler) };
                for (epoch, blocks) in group {
                    match self.fill(epoch, blocks, (&mut filler, &options)) {
                        Ok(report) => each(epoch, report),
                        Err(error) => {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    fn fill(
        &self,
        epoch: u64,
        blocks: Vec<(u64, Block)>,
        (filler, options): (&mut Filler<'_>, &FillOptions<'_>),
    ) -> Result<FillReport, LightCurveError> {
        let objects = self.store.schema().objects().size;
        let mut parts = Vec::new();
        for (block, mut values) in blocks {
            let measurements: Vec<u64> =
                (0..).zip(&values.measurements).filter(|(_, given)| **given).map(|(m, _)| m).collect();
            let all = measurements.len() == values.measurements.len();
            let start = block * self.block_objects;
            let end = objects.min(start + self.block_objects);
            for (array, data) in self.arrays.iter().zip(&mut values.data) {
                if !data.is_empty() {
                    *data = array.picked(std::mem::take(data), end - start, (!all).then_some(&measurements));
                }
            }
            parts.push(Given {
                objects: start..end,
                measurements: (!all).then_some(measurements),
                data: values.data,
            });
        }
        let values: Vec<Vec<(&str, &[u8])>> = parts.iter().map(|part| part.values(&self.arrays)).collect();
        let mut contributions = Vec::new();
        for (part, values) in parts.iter().zip(&values) {
            let (objects, measurements) = (
                Picked::Range(part.objects.clone()),
                part.measurements.as_deref().map_or(Picked::All, Picked::List),
            );
            contributions.push(Contribution { epoch, objects, measurements, values });
        }
        filler.fill_all(epoch, &contributions, options)
    }
}

impl Values {
    fn new(store: &LightCurveStore, name: &str, block_objects: u64) -> Result<Self, LightCurveError> {
        let array = store.named(name)?;
        let elements = array.elements()?;
        let number = Number::of(elements).ok_or_else(|| {
            let data_type = elements.element.name().to_owned();
            LightCurveError::NoNumber { array: name.to_owned(), data_type }
        })?;
        let missing = match number {
            Number::Float32 => f32::NAN.to_ne_bytes().to_vec(),
            Number::Float64 => f64::NAN.to_ne_bytes().to_vec(),
            Number::Integer { .. } | Number::Bool => elements.fill.clone(),
        };
        let names = array.document().dimension_names().unwrap_or_default();
        let axes = names.into_iter().flatten().zip(array.shape().iter().copied());
        let axes = axes.filter(|(name, _)| !EPOCHS.contains(&name.as_str()));
        let axes = axes.map(|(name, size)| if name == OBJECT { (name, block_objects) } else { (name, size) });
        Ok(Self { name: name.to_owned(), number, missing, axes: axes.collect() })
    }

    /// Bytes of a block.
    fn bytes(&self) -> u64 {
        self.axes.iter().fold(self.missing.len() as u64, |bytes, (_, size)| bytes.saturating_mul(*size))
    }

    /// Of the elements of a block, those of its first `objects` and of some measurements.
    fn picked(&self, data: Vec<u8>, objects: u64, measurements: Option<&Vec<u64>>) -> Vec<u8> {
        let mut data = data;
        for (axis, (name, size)) in self.axes.iter().enumerate() {
            let wanted: Vec<u64> = match measurements {
                _ if name == OBJECT && objects < *size => (0..objects).collect(),
                Some(list) if name == MEASUREMENT => list.clone(),
                _ => continue,
            };
            // Axes before this one are picked already, those behind it are whole.
            let inner: u64 = self.axes[axis + 1..].iter().map(|(_, size)| size).product();
            let inner = index(inner) * self.missing.len();
            let outer = data.len() / (inner * index(*size)).max(1);
            let mut out = Vec::with_capacity(outer * wanted.len() * inner);
            for row in 0..outer {
                for k in &wanted {
                    let at = (row * index(*size) + index(*k)) * inner;
                    out.extend_from_slice(&data[at..at + inner]);
                }
            }
            data = out;
        }
        data
    }
}

impl Number {
    /// Writes a value to `out`; whether it can be held.
    fn encode(self, value: f64, out: &mut [u8]) -> bool {
        match self {
            Self::Float32 => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the nearest number, and what is too large is found out"
                )]
                let narrow = value as f32;
                out.copy_from_slice(&narrow.to_ne_bytes());
                narrow.is_finite() || !value.is_finite()
            }
            Self::Float64 => {
                out.copy_from_slice(&value.to_ne_bytes());
                true
            }
            Self::Bool => {
                out[0] = u8::from(value > 0.0);
                [0.0_f64, 1.0].iter().any(|truth| truth.to_bits() == value.to_bits())
            }
            Self::Integer { bytes, signed } => {
                let bits = 8 * u32::try_from(bytes).unwrap_or(8) - u32::from(signed);
                let (low, high) = (
                    if signed { -(2_f64.powi(bits.cast_signed())) } else { 0.0 },
                    2_f64.powi(bits.cast_signed()),
                );
                if value.fract() != 0.0 || value < low || value >= high || value.abs() >= WHOLE_MAX {
                    return false;
                }
                #[expect(clippy::cast_possible_truncation, reason = "whole, and within 2^53")]
                let whole = (value as i64).to_le_bytes();
                out.copy_from_slice(&whole[..bytes]);
                if cfg!(target_endian = "big") {
                    out.reverse();
                }
                true
            }
        }
    }

    /// The value of an element, for people.
    fn text(self, element: &[u8]) -> String {
        match self {
            Self::Float32 => element.try_into().map_or(f32::NAN, f32::from_ne_bytes).to_string(),
            Self::Float64 => element.try_into().map_or(f64::NAN, f64::from_ne_bytes).to_string(),
            Self::Bool => (element != [0]).to_string(),
            Self::Integer { bytes, signed } => {
                let mut wide = [0; 8];
                wide[..bytes].copy_from_slice(element);
                if cfg!(target_endian = "big") {
                    wide[..bytes].reverse();
                }
                let negative = signed && wide[bytes - 1] >= 0x80;
                wide[bytes..].fill(if negative { 0xff } else { 0 });
                i64::from_le_bytes(wide).to_string()
            }
        }
    }
}
