//! Values of some epochs, in memory until they are filled: for each epoch, blocks of objects that lie in chunks together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use zarrange_grid::index;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::{Contribution, FillOptions, FillReport, Filler};
use crate::store::memory::Share;
use crate::store::number::Number;
use crate::store::picks::Picked;
use crate::store::schema::{EPOCHS, MEASUREMENT, OBJECT};

/// What a block takes beside its values: for itself, for each array, and for each measurement.
const BLOCK_BYTES: [u64; 3] = [320, 96, 32];

/// What is noted of a block that was filled.
const FILLED_BYTES: u64 = 48;

/// Objects of a block at most, where a chunk has more.
const BLOCK_OBJECTS: u64 = 1 << 20;

/// What became of a value.
#[derive(Debug)]
pub(super) enum Put {
    /// It is there now, or was already.
    Done,
    /// Another is there.
    Differs(String),
    /// The array cannot hold it.
    Unfit,
    /// What was filled before cannot be read.
    Failed(Box<LightCurveError>),
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
    /// Blocks that were filled, where what a row gives again may not be another value.
    filled: BTreeSet<(u64, u64)>,
    /// Whether a later row replaces what an earlier one gave.
    replaces: bool,
    bytes: u64,
    bytes_max: u64,
    /// What is taken of that while a block is filled, and by the next block.
    reserved: u64,
}

/// What fills, between one flush and the next, each within a memory of its own.
#[derive(Debug)]
pub(super) struct Fillers<'a> {
    idle: Mutex<Vec<Filler<'a>>>,
    bytes_max: u64,
}

impl<'a> Fillers<'a> {
    /// None yet; each will have `bytes_max` for chunks.
    pub(super) const fn new(bytes_max: u64) -> Self {
        Self { idle: Mutex::new(Vec::new()), bytes_max }
    }

    fn take(&self, store: &'a LightCurveStore) -> Filler<'a> {
        let known = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        known.unwrap_or_else(|| store.filler())
    }

    fn put(&self, filler: Filler<'a>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(filler);
    }
}

/// Objects of a block: it ends where a chunk does, as far as arrays agree.
fn block_objects(store: &LightCurveStore, arrays: &[String]) -> Result<u64, LightCurveError> {
    let mut objects = store.schema().objects().size.clamp(1, BLOCK_OBJECTS);
    for name in arrays {
        let array = store.named(name)?;
        let names = array.document().dimension_names().unwrap_or_default();
        let axis = names.iter().position(|name| name.as_deref() == Some(OBJECT));
        let chunk = axis.map_or(1, |axis| array.objects().chunk_shape()[axis]).max(1);
        objects = (objects / chunk).saturating_mul(chunk).max(objects.min(chunk));
    }
    Ok(objects)
}

fn measurements(store: &LightCurveStore) -> u64 {
    store.schema().dimension(MEASUREMENT).map_or(1, |dimension| dimension.size)
}

/// What a block takes beside its values.
fn block_bytes(arrays: u64, measurements: u64) -> u64 {
    let [own, array, measurement] = BLOCK_BYTES;
    let arrays = array.saturating_mul(arrays);
    own.saturating_add(arrays).saturating_add(measurement.saturating_mul(measurements))
}

/// What is held free for a block more, and for the copy of one while it is filled.
fn reserved(store: &LightCurveStore, arrays: &[Values]) -> u64 {
    let bytes = || arrays.iter().map(Values::bytes);
    let block = bytes().fold(0, u64::saturating_add).saturating_add(bytes().max().unwrap_or(0));
    block.saturating_add(block_bytes(arrays.len() as u64, measurements(store)))
}

struct Block {
    /// The elements of each array, in C order; nothing where there are none.
    data: Vec<Vec<u8>>,
    /// The measurements that were given.
    measurements: Vec<bool>,
}

/// Where a value is put.
pub(super) struct Spot<'p> {
    pub(super) epoch: u64,
    /// That one of the arrays.
    pub(super) array: usize,
    /// In the order of its axes.
    pub(super) position: &'p [u64],
    /// The measurements that are given with it.
    pub(super) measurements: Range<u64>,
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
    /// Without any values of the `arrays` of `store`, and within `share`. A later row `replaces` what an
    /// earlier one gave.
    ///
    /// # Errors
    /// [`LightCurveError::NoNumber`] if an array is not of numbers, [`LightCurveError::Room`] if a block needs more.
    pub(super) fn new(
        store: &'a LightCurveStore,
        arrays: &[String],
        (share, replaces): (Share, bool),
    ) -> Result<Self, LightCurveError> {
        let block_objects = block_objects(store, arrays)?;
        let values = arrays.iter().map(|name| Values::new(store, name, block_objects));
        let arrays = values.collect::<Result<Vec<_>, _>>()?;
        let reserved = reserved(store, &arrays);
        share.fits("the values of an epoch", reserved)?;
        let (blocks, filled) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self {
            store,
            arrays,
            block_objects,
            blocks,
            filled,
            replaces,
            bytes: 0,
            bytes_max: share.bytes,
            reserved,
        })
    }

    /// What such planes take at least.
    ///
    /// # Errors
    /// If an array cannot be read.
    pub(super) fn bytes_min(store: &LightCurveStore, arrays: &[String]) -> Result<u64, LightCurveError> {
        let block_objects = block_objects(store, arrays)?;
        let values = arrays.iter().filter_map(|name| Values::new(store, name, block_objects).ok());
        Ok(reserved(store, &values.collect::<Vec<_>>()))
    }

    /// Objects of a block.
    fn objects(&self, block: u64) -> Range<u64> {
        let start = block * self.block_objects;
        start..self.store.schema().objects().size.min(start + self.block_objects)
    }

    /// Puts a value, or only looks whether that can be, where nothing is written. Its measurements were given, whatever the value is.
    pub(super) fn put(
        &mut self,
        spot: &Spot<'_>,
        (value, writes): (f64, bool),
        fillers: &Fillers<'a>,
    ) -> Put {
        let (values, mut at, mut block) = (&self.arrays[spot.array], 0, 0);
        for ((name, size), k) in values.axes.iter().zip(spot.position) {
            if name == OBJECT {
                block = k / self.block_objects;
                let objects = self.objects(block);
                at = at * (objects.end - objects.start) + (k - objects.start);
            } else {
                at = at * size + k;
            }
        }
        let (mut bytes, item) = ([0; 8], values.missing.len());
        let bytes = &mut bytes[..item];
        // Whole numbers have one that says that nothing was measured.
        if !value.is_nan() && (!values.number.encode(value, bytes) || bytes == &values.missing[..]) {
            return Put::Unfit;
        }
        let key = (spot.epoch, block);
        // What a row gave before may be in the store by now.
        if (writes || self.filled.contains(&key))
            && let Err(error) = self.open(key, spot.array, fillers)
        {
            return Put::Failed(Box::new(error));
        }
        let Some(block) = self.blocks.get_mut(&key).filter(|block| !block.data[spot.array].is_empty()) else {
            return Put::Done;
        };
        let values = &self.arrays[spot.array];
        let there = &mut block.data[spot.array][index(at) * item..][..item];
        if writes {
            for measurement in spot.measurements.clone() {
                block.measurements[index(measurement)] = true;
            }
        }
        if value.is_nan() || values.number.same(there, bytes) {
            return Put::Done;
        }
        if !self.replaces && there != &values.missing[..] {
            return Put::Differs(values.number.text(there));
        }
        if writes {
            there.copy_from_slice(bytes);
        }
        Put::Done
    }

    /// Makes a block of an array, without values, or with those that the store has where it was filled before.
    fn open(
        &mut self,
        (epoch, block): (u64, u64),
        array: usize,
        fillers: &Fillers<'a>,
    ) -> Result<(), LightCurveError> {
        let key = (epoch, block);
        if self.blocks.get(&key).is_some_and(|block| !block.data[array].is_empty()) {
            return Ok(());
        }
        let (values, objects) = (&self.arrays[array], self.objects(block));
        let data = if self.filled.contains(&key) {
            let mut filler = fillers.take(self.store);
            let data = filler.values_at(&values.name, (epoch, objects), fillers.bytes_max)?;
            fillers.put(filler);
            data
        } else {
            values.missing.repeat(index(values.elements(objects.end - objects.start)))
        };
        self.bytes = self.bytes.saturating_add(data.len() as u64);
        let (measurements, arrays) = (measurements(self.store), self.arrays.len());
        let mut added = 0;
        let block = self.blocks.entry(key).or_insert_with(|| {
            added = block_bytes(arrays as u64, measurements);
            Block { data: vec![Vec::new(); arrays], measurements: vec![false; index(measurements)] }
        });
        block.data[array] = data;
        self.bytes = self.bytes.saturating_add(added);
        Ok(())
    }

    /// Whether there is no room for another block.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.saturating_add(self.reserved) > self.bytes_max
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
            if !self.replaces {
                self.filled.insert((epoch, block));
            }
            let group = groups.entry(self.store.locked(epoch)?.start).or_default();
            group.entry(epoch).or_default().push((block, values));
        }
        let copies = self.bytes_max.saturating_sub(self.bytes) / self.largest().max(1);
        let threads = threads.min(index(copies)).clamp(1, groups.len().max(1));
        let options = &FillOptions { memory_bytes_max: fillers.bytes_max, ..*options };
        self.bytes = FILLED_BYTES.saturating_mul(self.filled.len() as u64);
        let (waiting, failed) = (Mutex::new(groups.into_values()), Mutex::new(None));
        let work = || {
            let mut filler = fillers.take(self.store);
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(group) = next else { return fillers.put(filler) };
                for (epoch, blocks) in group {
                    match self.fill(epoch, blocks, (&mut filler, options)) {
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

    /// Bytes of a block of the largest array.
    fn largest(&self) -> u64 {
        self.arrays.iter().map(Values::bytes).max().unwrap_or(0)
    }

    fn fill(
        &self,
        epoch: u64,
        blocks: Vec<(u64, Block)>,
        (filler, options): (&mut Filler<'_>, &FillOptions<'_>),
    ) -> Result<FillReport, LightCurveError> {
        let mut parts = Vec::new();
        for (block, mut values) in blocks {
            let measurements: Vec<u64> =
                (0..).zip(&values.measurements).filter(|(_, given)| **given).map(|(m, _)| m).collect();
            let all = measurements.len() == values.measurements.len();
            let objects = self.objects(block);
            for (array, data) in self.arrays.iter().zip(&mut values.data) {
                if !data.is_empty() && !all {
                    *data = array.picked(std::mem::take(data), objects.end - objects.start, &measurements);
                }
            }
            parts.push(Given { objects, measurements: (!all).then_some(measurements), data: values.data });
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
        let number = Number::of(elements).filter(|number| *number != Number::Float16);
        let number = number.ok_or_else(|| {
            let data_type = elements.element.name().to_owned();
            LightCurveError::NoNumber { array: name.to_owned(), data_type }
        })?;
        let missing = match number {
            Number::Float32 => f32::NAN.to_ne_bytes().to_vec(),
            Number::Float64 => f64::NAN.to_ne_bytes().to_vec(),
            Number::Float16 | Number::Integer { .. } | Number::Bool => elements.fill.clone(),
        };
        let names = array.document().dimension_names().unwrap_or_default();
        let axes = names.into_iter().flatten().zip(array.shape().iter().copied());
        let axes = axes.filter(|(name, _)| !EPOCHS.contains(&name.as_str()));
        let axes = axes.map(|(name, size)| if name == OBJECT { (name, block_objects) } else { (name, size) });
        Ok(Self { name: name.to_owned(), number, missing, axes: axes.collect() })
    }

    /// Elements of so many objects.
    fn elements(&self, objects: u64) -> u64 {
        let length = |(name, size): &(String, u64)| if name == OBJECT { objects } else { *size };
        self.axes.iter().map(length).fold(1, u64::saturating_mul)
    }

    /// Bytes of a block.
    fn bytes(&self) -> u64 {
        self.axes.iter().fold(self.missing.len() as u64, |bytes, (_, size)| bytes.saturating_mul(*size))
    }

    /// Of the elements of a block of so many objects, those of some measurements.
    fn picked(&self, data: Vec<u8>, objects: u64, measurements: &[u64]) -> Vec<u8> {
        let Some(axis) = self.axes.iter().position(|(name, _)| name == MEASUREMENT) else { return data };
        let length = |(name, size): &(String, u64)| if name == OBJECT { objects } else { *size };
        let inner: u64 = self.axes[axis + 1..].iter().map(length).product();
        let inner = index(inner) * self.missing.len();
        let row = inner * index(self.axes[axis].1);
        let mut out = Vec::with_capacity(data.len() / row.max(1) * measurements.len() * inner);
        for row in data.chunks_exact(row.max(1)) {
            for k in measurements {
                out.extend_from_slice(&row[index(*k) * inner..][..inner]);
            }
        }
        out
    }
}
