//! Adding observations to a store of sequences, in which each object has times of its own.
//!
//! An observation counts when its time is there, which is written last: after an end at any moment the same can be given again. What is
//! there is found by object, time and band; what is new goes behind the last time of its object. One lock on the whole store is held
//! meanwhile, for any place may be the next one.

mod bands;
mod columns;
mod find;
mod grow;
mod lock;
mod observations;
mod write;

use std::time::Duration;

use zarrange_array::Array;

pub(crate) use self::bands::meanings;
pub(crate) use self::columns::{BAND, Column, TIME};
pub(crate) use self::observations::{Observations, Origin, Refused};

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::fill::FillReport;
use crate::store::memory::Share;
use crate::store::sequence::bands::Bands;
use crate::store::sequence::columns::columns;
use crate::store::sequence::find::find;
use crate::store::sequence::grow::{is_growing, publish};
use crate::store::sequence::lock::StoreLock;
use crate::store::sequence::observations::{Given, State};
use crate::store::sequence::write::each;

/// How observations are added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adding {
    /// Values that are there and differ are replaced.
    pub(crate) replaces: bool,
    /// How far times of the same observation may be apart.
    pub(crate) tolerance: f64,
    /// How long to wait for somebody else who adds.
    pub(crate) wait: Duration,
    /// What the chunks may take that are in memory at once.
    pub(crate) chunks: Share,
}

/// What adding observations did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Observations that were not there before.
    pub observations: u64,
    /// What was written, in all arrays together.
    pub written: FillReport,
}

/// Hears of each observation that cannot be added.
pub(crate) type Refuse<'r> = dyn FnMut(Origin, Refused<'_>) -> Result<(), LightCurveError> + 'r;

impl LightCurveStore {
    /// The arrays that observations have values for, if some can be added.
    ///
    /// # Errors
    /// [`LightCurveError`] if none can be, or a chunk takes more than `share`.
    pub(crate) fn sequence_columns(&self, share: Share) -> Result<Vec<Column>, LightCurveError> {
        columns(self, share)
    }

    /// Adds what is not there of `given`. Those that cannot be added are told to `refuse`, and the others are added.
    ///
    /// # Errors
    /// [`LightCurveError`]; a part may have been added then, and the same can be given again.
    pub(crate) fn add(
        &self,
        given: &mut Observations,
        how: &Adding,
        refuse: &mut Refuse<'_>,
    ) -> Result<Added, LightCurveError> {
        let _lock = StoreLock::take(self, how.wait)?;
        // As it is now, whatever others did before the lock was free.
        let store = Self::of(self.root.clone())?;
        let columns = self.unchanged(&store, how.chunks)?;
        given.sort();
        given.unite(how.tolerance, refuse)?;
        let mut bands = store.values(BAND).map(Bands::of).transpose()?;
        let codes = given.codes(bands.as_mut(), refuse)?;
        let mut groups = given.groups();
        find((store.named(TIME)?, store.values(BAND)), (given, &mut groups, &codes), how.tolerance)?;
        for (k, column) in columns.iter().enumerate().filter(|_| !how.replaces) {
            compare(store.named(&column.name)?, (k, column), given, refuse)?;
        }
        given.refuse_united(refuse)?;
        let (observations, longest) = given.place(&groups);
        let size = store.schema().epochs().size;
        let more_bands = bands.filter(|bands| bands.is_longer);
        let store = if longest > size || more_bands.is_some() || is_growing(&store)? {
            publish(&store, (longest.max(size), more_bands.as_ref()), how.chunks)?;
            Self::of(self.root.clone())?
        } else {
            store
        };
        let written = write(&store, &columns, (given, &codes))?;
        Ok(Added { observations, written })
    }

    /// What observations have values for in `now`, which is this store opened again.
    fn unchanged(&self, now: &Self, share: Share) -> Result<Vec<Column>, LightCurveError> {
        let (columns, known) = (columns(now, share)?, columns(self, share)?);
        let same = columns.len() == known.len() && columns.iter().zip(&known).all(|(a, b)| a.is_like(b));
        if same && now.schema().objects().size == self.schema().objects().size {
            return Ok(columns);
        }
        let reason = "it has other arrays or objects than when it was opened: open it again".to_owned();
        Err(LightCurveError::Unfillable { location: self.label(), reason })
    }
}

/// Refuses observations that are there with another value in an array: the `k`-th of those that observations have values for.
fn compare(
    array: &Array,
    (k, column): (usize, &Column),
    given: &mut Observations,
    refuse: &mut Refuse<'_>,
) -> Result<(), LightCurveError> {
    let at = given.range(k);
    let differ = |row: &mut Given, values: &[u8], there: &mut [u8]| {
        let value = &values[at.clone()];
        if column.is_missing(value) || column.is_missing(there) || value == there {
            return Ok(false);
        }
        row.state = State::Refused;
        refuse(row.origin, Refused::Differs { column: k, there, given: value })?;
        Ok(false)
    };
    each(array, given, (&|row| row.state == State::Stored, false), differ).map(drop)
}

/// Writes values, then bands, and then the times, by which they count.
fn write(
    store: &LightCurveStore,
    columns: &[Column],
    (given, codes): (&mut Observations, &[u8]),
) -> Result<FillReport, LightCurveError> {
    let mut written = FillReport::default();
    let is_new = |row: &Given| row.state == State::New;
    let mut add = |more: FillReport| {
        written.changed += more.changed;
        written.chunks += more.chunks;
    };
    for (k, column) in columns.iter().enumerate() {
        let at = given.range(k);
        add(each(
            store.named(&column.name)?,
            given,
            (&|row| matches!(row.state, State::New | State::Stored), true),
            |row, values, there| {
                let value = &values[at.clone()];
                // At a new place something may lie whose time was never written.
                let stays = row.state == State::Stored && column.is_missing(value);
                Ok(!stays && put(value, there))
            },
        )?);
    }
    if let Some(band) = store.values(BAND) {
        let code =
            |row: &mut Given, _: &[u8], there: &mut [u8]| Ok(put(&[codes[usize::from(row.band)]], there));
        add(each(band, given, (&is_new, true), code)?);
    }
    let time = |row: &mut Given, _: &[u8], there: &mut [u8]| Ok(put(&row.time.to_ne_bytes(), there));
    add(each(store.named(TIME)?, given, (&is_new, true), time)?);
    Ok(written)
}

/// Puts a value into its place; whether it is another than before.
fn put(value: &[u8], there: &mut [u8]) -> bool {
    let differs = value != there;
    there.copy_from_slice(value);
    differs
}
