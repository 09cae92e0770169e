//! How much of its array bytes an array takes in storage: looked up in a few of its objects.
//!
//! Rejected: listing all of them, which on a large array takes longer than planning, and reading any: what other codecs make of it is taken to
//! be what those of the source do, unless nothing compresses it yet.

use zarrange_array::{Array, ArrayMetadata};
use zarrange_codec::CodecMetadata;
use zarrange_grid::{Region, checked_bytes};
use zarrange_io::{Access, IoError};
use zarrange_plan::Format;

use crate::advise::Sample;

/// Smaller arrays are not looked into: there is little to know, and arrays of a group that are alike share their plans.
const ARRAY_BYTES_MIN: u64 = 16 << 20;
/// Objects that are looked at where that is cheap, and where each of them is a request that waits.
const OBJECTS: [u64; 2] = [32, 4];
/// Ratios are rounded to powers of this.
const STEP: f64 = 1.05;
/// Memory to encode a part of what nothing compresses yet; an eighth of it is encoded.
const SAMPLE_BYTES: u64 = 32 << 20;
/// The least ratio: nothing is stored for free.
const RATIO_MIN: f64 = 1e-4;

/// Stored bytes for each byte of array data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ratios {
    pub(crate) source: f64,
    pub(crate) target: f64,
}

impl Ratios {
    /// Where nothing is known.
    pub(crate) const UNKNOWN: Self = Self { source: 1.0, target: 1.0 };

    /// Those of an array, and of what it shall become. Where that cannot be told, nothing is known: whoever moves the array meets the error.
    pub(crate) fn of(source: &Array, target: &ArrayMetadata) -> Self {
        let bytes = source
            .elements()
            .ok()
            .and_then(|elements| checked_bytes(source.shape(), elements.item_bytes() as u64).ok());
        if bytes.is_none_or(|bytes| bytes < ARRAY_BYTES_MIN) {
            return Self::UNKNOWN;
        }
        let Some(stored) = looked_up(source).ok().flatten() else { return Self::UNKNOWN };
        Self { source: rounded(stored), target: rounded(encoded(source, target, stored)) }
    }

    pub(crate) fn write_to(self, source: &mut Format, target: &mut Format) {
        (source.stored_ratio, target.stored_ratio) = (self.source, self.target);
    }
}

/// The nearest power of [`STEP`], so that arrays that are alike have the same plan.
fn rounded(ratio: f64) -> f64 {
    STEP.powf((ratio.max(RATIO_MIN).ln() / STEP.ln()).round())
}

/// Whether a request waits for no network: files and memory can be changed in place.
fn is_near(source: &Array) -> bool {
    source.store().abilities().partial_writes
}

/// Stored bytes for each byte of array data, in objects that are spread over the array; those that are missing take nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn looked_up(source: &Array) -> Result<Option<f64>, IoError> {
    let (objects, store) = (source.objects(), source.store());
    let Ok(elements) = source.elements() else { return Ok(None) };
    let count = objects.count();
    let wanted = OBJECTS[usize::from(!is_near(source))].min(count);
    let (mut stored, mut plain, all) = (0u64, 0u64, objects.all());
    for k in 0..wanted {
        // The middle of each of so many parts.
        let number =
            u64::try_from(u128::from(2 * k + 1) * u128::from(count) / u128::from(2 * wanted)).unwrap_or(0);
        let cell = all.unravel(number);
        let region = objects.cell(&cell);
        plain = plain.saturating_add(region.elements().saturating_mul(elements.item_bytes() as u64));
        let key = source.key(&cell);
        if let Some(object) = store.open(&key, Access::Read)? {
            let bytes = store.size(&object);
            store.close(object)?;
            stored = stored.saturating_add(bytes?);
        }
    }
    // Of an array that is nearly empty, or not written yet, nothing is known.
    Ok((stored > 0).then(|| stored as f64 / plain as f64))
}

/// The same of the target: as at the source, unless one of them is not compressed.
fn encoded(source: &Array, target: &ArrayMetadata, stored: f64) -> f64 {
    let (Ok(from), Ok(to)) = (source.elements(), target.view()) else { return 1.0 };
    match (packs(&from.layout.codecs), packs(&to.elements().layout.codecs)) {
        (true, true) => stored,
        (false, true) if is_near(source) => {
            let whole = Region::whole(source.shape());
            let sample = Sample::of(source, &whole, SAMPLE_BYTES);
            let ratio =
                sample.and_then(|s| s.ratio(&to.elements().layout.codecs, &to.elements().layout.chunk));
            ratio.map_or(1.0, |ratio| stored.min(1.0) / ratio.max(1e-9))
        }
        (_, false) | (false, true) => 1.0,
    }
}

/// Whether codecs make chunks smaller.
fn packs(codecs: &[CodecMetadata]) -> bool {
    codecs.iter().any(|codec| !["bytes", "transpose", "crc32c"].contains(&codec.name()))
}
