//! The arrays of a store of sequences that observations have values for.

use zarrange_array::Array;
use zarrange_codec::ArrayCodec;

use crate::LightCurveError;
use crate::store::LightCurveStore;
use crate::store::memory::{Share, filling, reading};
use crate::store::number::Number;
use crate::store::schema::{EPOCHS, OBJECT};

/// The array of times, and that of bands, where there is one.
pub(crate) const TIME: &str = "time";
pub(crate) const BAND: &str = "band";

/// An array that observations have values for.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) number: Number,
    /// What says that nothing was measured.
    pub(crate) missing: Vec<u8>,
}

impl Column {
    /// Whether a value says that nothing was measured.
    pub(crate) fn is_missing(&self, value: &[u8]) -> bool {
        match self.number {
            Number::Float32 => value.try_into().is_ok_and(|v| f32::from_ne_bytes(v).is_nan()),
            Number::Float64 => value.try_into().is_ok_and(|v| f64::from_ne_bytes(v).is_nan()),
            Number::Float16 | Number::Integer { .. } | Number::Bool => value == self.missing,
        }
    }

    /// Whether the values of another array can be those of this one.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.name == other.name && self.number == other.number && self.missing == other.missing
    }
}

/// The arrays of numbers over (object, sequence), but those of times and bands, which are looked over, too. Arrays of values that have more
/// dimensions have no value in a table.
///
/// # Errors
/// [`LightCurveError::Unfillable`] if observations cannot be added, [`LightCurveError::Room`] if a chunk takes more than `share`.
pub(super) fn columns(store: &LightCurveStore, share: Share) -> Result<Vec<Column>, LightCurveError> {
    if let Some(of) = &store.source {
        return Err(LightCurveError::Copy { location: store.label(), of: of.clone() });
    }
    let unfillable = |location: String, reason: &str| {
        Err(LightCurveError::Unfillable { location, reason: reason.to_owned() })
    };
    if store.keeps_record() {
        return unfillable(store.label(), "it has a record of what was filled at epochs, in the group fills");
    }
    for (name, why) in &store.schema().others {
        // What could not be read when the store was opened may be an array of bands.
        let array = store.side(name)?;
        if is_over_sequence(&array) {
            return unfillable(array.location().to_owned(), why);
        }
    }
    let Some(time) = store.values(TIME) else {
        return unfillable(store.label(), "it has no array time over object and sequence");
    };
    let mut columns = Vec::new();
    for name in &store.schema().values {
        let array = store.named(name)?;
        let Some(number) = Number::of(array.elements()?) else { continue };
        let fits = match name.as_str() {
            TIME => number == Number::Float64,
            BAND => number == Number::Integer { bytes: 1, signed: false },
            _ if array.shape().len() > 2 => continue,
            _ => true,
        };
        if !fits {
            return unfillable(array.location().to_owned(), "times would be float64, and bands uint8");
        }
        check(array)?;
        // Bands are read beside times.
        let beside = if name == BAND { reading(time)? } else { 0 };
        let needed = filling(array)?.saturating_add(beside);
        share.fits(&format!("adding to a chunk of {}", array.location()), needed)?;
        if name != TIME && name != BAND {
            let elements = array.elements()?;
            let missing = match number {
                Number::Float32 => f32::NAN.to_ne_bytes().to_vec(),
                Number::Float64 => f64::NAN.to_ne_bytes().to_vec(),
                Number::Float16 => {
                    let why = "tables do not fill float16: convert it to float32";
                    return unfillable(array.location().to_owned(), why);
                }
                Number::Integer { .. } | Number::Bool => elements.fill.clone(),
            };
            columns.push(Column { name: name.clone(), number, missing });
        }
    }
    Ok(columns)
}

/// Refuses an array that observations cannot be added to.
fn check(array: &Array) -> Result<(), LightCurveError> {
    let unfillable =
        |reason: String| LightCurveError::Unfillable { location: array.location().to_owned(), reason };
    let elements = array.elements()?;
    if matches!(elements.codec, ArrayCodec::Shards(_)) {
        let reason = "it is stored in shards, which observations are not added to: rechunk it without them";
        return Err(unfillable(reason.to_owned()));
    }
    if array.zarr_format() != 3 || !matches!(elements.codec, ArrayCodec::Chunks(_)) {
        return Err(unfillable("it is stored as Zarr v2 has it: rechunk it, which makes Zarr v3".to_owned()));
    }
    if !is_over_sequence(array) {
        let names: Vec<_> =
            array.document().dimension_names().unwrap_or_default().into_iter().flatten().collect();
        let [object, sequence] = [OBJECT, EPOCHS[1]];
        return Err(unfillable(format!("it is over {names:?}, {object} and {sequence} would be right")));
    }
    Ok(())
}

/// Whether an array has an element for each place of each object.
fn is_over_sequence(array: &Array) -> bool {
    let names = array.document().dimension_names().unwrap_or_default();
    names.iter().map(Option::as_deref).eq([Some(OBJECT), Some(EPOCHS[1])])
}
