//! How fast this machine's processor runs codecs, against the rates that plans are made with.

use zarrange_array::Layout;
use zarrange_codec::{Chain, CodecMetadata, ElementType};
use zarrange_plan::Subject;
use zarrange_rechunk::{Codecs, Sample};

use crate::random::Random;

/// The codec that is taken where nothing else is said, on light curves in chunks of 128 KiB, 4 MiB of them.
const CODEC: Codecs = Codecs::Zstd(3);
const SHAPE: [u64; 3] = [512, 1000, 2];
const CHUNK: [u64; 3] = [16, 1000, 2];
const ITEM_BYTES: u64 = 4;

/// The time that codecs take, for each second that a plan would take for it; the mean of encoding and decoding.
///
/// # Errors
/// If the codec cannot be run.
pub fn codec_times() -> anyhow::Result<f64> {
    let element = ElementType::new(&CodecMetadata::new("float32"))?;
    let layout = Layout { chunk: CHUNK.to_vec(), shard: None, codecs: Vec::new() };
    let codecs = CODEC.resolve(&layout, 4);
    let planned = Chain::new(&codecs, &element, &CHUNK, &[0; 4])?.rates();
    let found =
        Sample::new(Subject::new(&SHAPE, ITEM_BYTES), element, photometry()).measure(&codecs, &CHUNK)?;
    let encode = found.encode_ns_per_byte / planned.encode_ns_per_byte;
    let decode = found.decode_ns_per_byte / planned.decode_ns_per_byte;
    Ok((encode * decode).sqrt())
}

/// Magnitudes as photometry has them: a level for each object and value, noise for each epoch, as exact as it is measured, gaps.
fn photometry() -> Vec<u8> {
    let mut random = Random::new(1);
    let mut out = Vec::new();
    let [objects, epochs, values] = SHAPE;
    for _ in 0..objects {
        let levels: Vec<f64> = (0..values).map(|_| 1000.0 * random.uniform()).collect();
        for _ in 0..epochs {
            let (gap, noise) = (random.uniform() < 0.1, random.normal());
            for (level, noise) in levels.iter().zip(noise) {
                let value = if gap { f64::NAN } else { ((level + 5.0 * noise) * 64.0).round() / 64.0 };
                #[expect(clippy::cast_possible_truncation, reason = "exact: below 2^17 in steps of 1/64")]
                out.extend_from_slice(&(value as f32).to_ne_bytes());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_take_their_time_here() {
        let data = photometry();
        assert_eq!(data.len() as u64, SHAPE.iter().product::<u64>() * ITEM_BYTES);
        let gaps = data.as_chunks().0.iter().filter(|item| f32::from_ne_bytes(**item).is_nan()).count();
        assert!((90_000..115_000).contains(&gaps), "{gaps}");
        let times = codec_times().unwrap();
        // Unoptimised and on a busy machine as well.
        assert!(times > 0.01 && times < 1000.0, "{times}");
    }
}
