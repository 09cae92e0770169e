//! Real data: a part of an array, and what codecs do to chunks of it.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Map, Value};
use zarrange_array::{Array, ArraySpec, Document, Layout, Staging, Target};
use zarrange_codec::{Chain, CodecMetadata, ElementType, Scratch};
use zarrange_grid::{Region, Strides, copy_region, index};
use zarrange_io::{Location, Opener, token};
use zarrange_lightcurve::Survey;
use zarrange_plan::{CodecModel, CodecSpeed, Subject};
use zarrange_rechunk::{Codecs, unsampled};

/// Bytes of a sample at most.
const SAMPLE_BYTES_MAX: u64 = 64 << 20;
/// Chunks are taken for measuring until they have this many bytes.
const MEASURED_BYTES: usize = 4 << 20;
/// Passes that decode them, of which the fastest counts: the first warms contexts and buffers, and others disturb.
const PASSES: usize = 3;
/// Objects and epochs of a synthetic sample at most.
const SYNTHETIC: [u64; 2] = [10_000, 500];

/// Elements of a part of an array, in C order.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Its shape and the bytes of an element.
    pub subject: Subject,
    data: Vec<u8>,
}

impl Sample {
    /// From the middle of `array`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(array: &Array) -> anyhow::Result<Self> {
        let mut subject = Subject::new(array.shape(), array.elements()?.item_bytes() as u64);
        while subject.bytes(&subject.shape) > SAMPLE_BYTES_MAX {
            let longest = subject.shape.iter_mut().max().context("an array of one element is small")?;
            *longest = longest.div_ceil(2);
        }
        let start: Vec<u64> =
            array.shape().iter().zip(&subject.shape).map(|(n, part)| (n - part) / 2).collect();
        let (data, _) = array.read_region(&Region::new(start.as_slice(), subject.shape.as_slice()))?;
        Ok(Self { subject, data })
    }

    /// A survey of light curves, in the shape of `like` but at most `SYNTHETIC` along the first two of `axes`, and one along other
    /// dimensions where it would be too large.
    ///
    /// # Errors
    /// If elements have a size that no number has.
    pub fn synthetic(like: &Subject, axes: [usize; 2]) -> anyhow::Result<Self> {
        let survey = Survey::parse(include_str!("../../../datasets/photometry.toml"))?;
        let mut subject = like.clone();
        for (axis, most) in axes.into_iter().zip(SYNTHETIC) {
            subject.shape[axis] = subject.shape[axis].min(most);
        }
        for d in 0..subject.shape.len() {
            if !axes.contains(&d) && subject.bytes(&subject.shape) > SAMPLE_BYTES_MAX {
                subject.shape[d] = 1;
            }
        }
        let whole = Region::whole(&subject.shape);
        let mut data = Vec::with_capacity(index(subject.bytes(&subject.shape)));
        for k in 0..whole.elements() {
            let at = whole.unravel(k);
            let [value, _] = survey.measurement(at[axes[0]], at[axes[1]]);
            extend(&mut data, value, subject.item_bytes)?;
        }
        Ok(Self { subject, data })
    }

    /// What `codec` does to chunks of this shape, or of as much of it as the sample has.
    ///
    /// # Errors
    /// If it cannot encode them, or decodes something else.
    pub fn measure(&self, codec: &str, chunk: &[u64]) -> anyhow::Result<CodecSpeed> {
        let chunk: Vec<u64> = chunk.iter().zip(&self.subject.shape).map(|(c, n)| *c.min(n)).collect();
        let item_bytes = index(self.subject.item_bytes);
        let (element, list) = (element(item_bytes)?, codecs(codec, &chunk, item_bytes)?);
        let chain = Chain::new(&list, &element, &chunk, &vec![0; item_bytes])?;
        let mut scratch = Scratch::new(&chain);
        let chunks = self.chunks(&chunk);
        let mut encoded = vec![0; chain.encoded_bytes_max()];
        let (mut stored, mut ends, mut encode) = (Vec::new(), vec![0], Duration::ZERO);
        for plain in &chunks {
            let begin = Instant::now();
            let bytes = chain.encode(black_box(plain), &mut encoded, &mut scratch)?;
            encode += begin.elapsed();
            stored.extend_from_slice(&encoded[..bytes]);
            ends.push(stored.len());
        }
        // After all have been encoded, as one who reads would: encoding leaves nothing in the caches for it.
        let (mut decoded, mut decode) = (vec![0; chain.chunk_bytes()], Duration::MAX);
        for _ in 0..PASSES {
            let mut pass = Duration::ZERO;
            for (plain, part) in chunks.iter().zip(ends.windows(2)) {
                let begin = Instant::now();
                chain.decode(black_box(&stored[part[0]..part[1]]), &mut decoded, &mut scratch)?;
                pass += begin.elapsed();
                anyhow::ensure!(decoded == *plain, "{codec} does not give back what it was given");
            }
            decode = decode.min(pass);
        }
        let plain: usize = chunks.iter().map(Vec::len).sum();
        // A clock that is too coarse for one small chunk must not make it free: times are compared by their ratios.
        #[expect(clippy::cast_precision_loss, reason = "rates")]
        let per_byte = |time: Duration| time.as_nanos().max(1) as f64 / plain.max(1) as f64;
        #[expect(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = plain as f64 / stored.len().max(1) as f64;
        Ok(CodecSpeed { ratio, decode_ns_per_byte: per_byte(decode), encode_ns_per_byte: per_byte(encode) })
    }

    /// Whole chunks, spread over the sample.
    fn chunks(&self, chunk: &[u64]) -> Vec<Vec<u8>> {
        let item_bytes = self.subject.item_bytes;
        let counts: Vec<u64> = self.subject.shape.iter().zip(chunk).map(|(n, c)| n / c).collect();
        let cells = Region::whole(&counts);
        let bytes = index(self.subject.bytes(chunk));
        let wanted = (MEASURED_BYTES / bytes.max(1)).max(1) as u64;
        let from = Strides::c_order(Region::whole(&self.subject.shape), item_bytes);
        let step = cells.elements().div_ceil(wanted).max(1);
        let take = |k: u64| {
            let start: Vec<u64> = cells.unravel(k).iter().zip(chunk).map(|(at, c)| at * c).collect();
            let region = Region::new(start.as_slice(), chunk);
            let to = Strides::c_order(region.clone(), item_bytes);
            let mut out = vec![0; bytes];
            copy_region(&region, (&self.data, &from), (&mut out, &to), index(item_bytes));
            out
        };
        (0..cells.elements()).step_by(index(step)).map(take).collect()
    }

    /// Stores it as an array with `object` and `epoch` along `axes`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn store(&self, path: &Path, axes: [usize; 2]) -> anyhow::Result<()> {
        let Subject { shape, item_bytes, .. } = &self.subject;
        let name = |d: usize| {
            if d == axes[0] {
                "object"
            } else if d == axes[1] {
                "epoch"
            } else {
                "other"
            }
        };
        let document = Document::new(&ArraySpec {
            shape: shape.clone(),
            data_type: type_name(index(*item_bytes))?,
            fill_value: if *item_bytes == 16 { serde_json::json!([0.0, 0.0]) } else { Value::from(0) },
            layout: Layout {
                chunk: shape.clone(),
                shard: None,
                codecs: codecs("none", shape, index(*item_bytes))?,
            },
            dimension_names: (0..shape.len()).map(name).collect(),
            attributes: Map::new(),
        });
        let io = Opener::auto();
        let target = Target::check(&Location::Path(path.to_owned()), true, &io)?;
        let mut staging = Staging::begin(target, &token(), None, &io)?;
        let array = Array::new(staging.store()?, document, 3)?;
        array.write_region(&Region::whole(shape), &self.data)?;
        array.write_metadata()?;
        staging.publish(false)?;
        Ok(())
    }
}

/// The codecs that are weighed, with what is known of them beforehand: how long they take, not how well they compress.
///
/// # Errors
/// If elements have a size that no number has.
pub fn known(names: &[String], item_bytes: u64) -> anyhow::Result<Vec<CodecModel>> {
    let item_bytes = index(item_bytes);
    let codec = |name: &String| {
        let chain =
            Chain::new(&codecs(name, &[1], item_bytes)?, &element(item_bytes)?, &[1], &vec![0; item_bytes])?;
        Ok(unsampled(name.clone(), &chain))
    };
    names.iter().map(codec).collect()
}

fn codecs(name: &str, chunk: &[u64], item_bytes: usize) -> anyhow::Result<Vec<CodecMetadata>> {
    let now = Layout { chunk: chunk.to_vec(), shard: None, codecs: Vec::new() };
    Ok(name.parse::<Codecs>()?.resolve(&now, item_bytes))
}

/// Codecs see bytes: any type of this size will do.
fn element(item_bytes: usize) -> anyhow::Result<ElementType> {
    let metadata = CodecMetadata::new(type_name(item_bytes)?);
    Ok(ElementType::new(&metadata)?)
}

fn type_name(item_bytes: usize) -> anyhow::Result<&'static str> {
    Ok(match item_bytes {
        1 => "uint8",
        2 => "uint16",
        4 => "uint32",
        8 => "uint64",
        16 => "complex128",
        other => anyhow::bail!("elements of {other} bytes are not weighed: they have 1, 2, 4, 8 or 16"),
    })
}

/// Appends a value as a number of this many bytes: a float where there is one, else thousandths.
#[expect(clippy::cast_possible_truncation, reason = "NaN becomes 0, magnitudes fit")]
fn extend(data: &mut Vec<u8>, value: f32, item_bytes: u64) -> anyhow::Result<()> {
    match item_bytes {
        1 => data.extend((value as i8).to_ne_bytes()),
        2 => data.extend(((value * 1000.0) as i16).to_ne_bytes()),
        4 => data.extend(value.to_ne_bytes()),
        8 => data.extend(f64::from(value).to_ne_bytes()),
        16 => data.extend([f64::from(value), 0.0].iter().flat_map(|part| part.to_ne_bytes())),
        other => anyhow::bail!("elements of {other} bytes are no numbers"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codecs_are_measured_on_whole_chunks_of_the_sample() {
        let subject = Subject::new(&[500, 60, 2], 4);
        let sample = Sample::synthetic(&subject, [0, 1]).unwrap();
        let check = |codec: &str, chunk: [u64; 3], least: f64, most: f64| {
            let CodecSpeed { ratio, decode_ns_per_byte, encode_ns_per_byte } =
                sample.measure(codec, &chunk).unwrap();
            assert!((least..=most).contains(&ratio), "{codec} {chunk:?}: {ratio}");
            assert!(decode_ns_per_byte > 0.0 && encode_ns_per_byte > 0.0);
        };
        check("none", [10, 60, 2], 1.0, 1.0);
        check("zstd:3", [100, 60, 2], 1.1, 20.0);
        check("blosc:zstd", [1000, 1000, 2], 1.1, 20.0);
        assert_eq!(sample.chunks(&[100, 50, 2]).len(), 5);
        assert_eq!(sample.chunks(&[500, 60, 1])[0][..4], sample.data[..4]);
    }
}
