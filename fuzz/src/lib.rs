//! What the fuzz targets do: each module reads a problem from the fuzzer's bytes, solves it, and panics where a promise
//! of the crates is broken. `fuzz_targets` calls them; `scripts/fuzz` runs those.
//!
//! A promise that no module states is held by how they run: integer overflows and debug assertions panic, reads and writes
//! out of bounds end in `AddressSanitizer`, one allocation beyond the limit of `scripts/fuzz` in libFuzzer.

pub mod chain;
pub mod metadata;
pub mod plan;
pub mod shard_index;
pub mod variable;

use arbitrary::Unstructured;
use zarrange_codec::{CodecMetadata, ElementType};

/// The element type of a name that is known to be one.
fn element(name: &str) -> ElementType {
    ElementType::new(&CodecMetadata::new(name)).expect("a type of fixed size")
}

/// A codec list from its JSON.
fn codecs(list: serde_json::Value) -> Vec<CodecMetadata> {
    serde_json::from_value(list).expect("a list of names and configurations")
}

/// A number of any magnitude: as often small as near a power of two or the largest.
fn size(u: &mut Unstructured<'_>) -> arbitrary::Result<u64> {
    let kind: u8 = u.arbitrary()?;
    Ok(match kind {
        0..=159 => u64::from(u.arbitrary::<u8>()?),
        160..=207 => u64::from(u.arbitrary::<u16>()?),
        208..=239 => {
            let power = 1u64 << (u.arbitrary::<u8>()? % 64);
            power.wrapping_add_signed(i64::from(u.arbitrary::<i8>()? % 3))
        }
        240..=247 => u64::MAX - u64::from(u.arbitrary::<u8>()?),
        _ => u.arbitrary()?,
    })
}
