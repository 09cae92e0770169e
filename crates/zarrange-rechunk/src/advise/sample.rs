//! Real data: a part of an array, and what codecs do to chunks of it.

use std::hint::black_box;
use std::time::{Duration, Instant};

use zarrange_array::{Array, ArrayError};
use zarrange_codec::{Chain, CodecError, CodecMetadata, ElementType, Scratch};
use zarrange_grid::{Region, Strides, copy_region, index};
use zarrange_plan::{CodecSpeed, MixError, Subject, touched};

/// Bytes of a sample at most.
const SAMPLE_BYTES_MAX: u64 = 64 << 20;
/// The part of the memory that a sample takes at most: chunks of it are held too, plain, encoded, and decoded again.
const PART: u64 = 8;
/// Array bytes of the chunks that are decoded for it, at most, where a smaller sample touches fewer.
const DECODED_BYTES_MAX: u64 = 1 << 30;
/// Chunks are taken for measuring until they have this many bytes.
const MEASURED_BYTES: usize = 4 << 20;
/// Passes that decode them, of which the fastest counts, for others disturb.
const PASSES: usize = 3;

/// Elements of a part of an array, in C order.
#[derive(Clone, Debug)]
pub struct Sample {
    subject: Subject,
    element: ElementType,
    data: Vec<u8>,
}

/// A sample that cannot be taken, or codecs that cannot be measured on it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SampleError {
    /// The array cannot be read.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A codec that cannot be run on such chunks.
    #[error("codecs cannot be measured on chunks {chunk:?}: {source}")]
    Codec {
        /// Shape of the chunks.
        chunk: Vec<u64>,
        /// Why not.
        source: Box<CodecError>,
    },
    /// A codec that loses something.
    #[error("what the codecs {codecs:?} encode, they do not give back: they cannot be weighed")]
    Loses {
        /// Their names.
        codecs: Vec<String>,
    },
    /// A chunk that is too large.
    #[error("to read a chunk of {array} takes {needed} bytes of memory, {bytes_max} at most: allow so many")]
    Memory {
        /// The array.
        array: String,
        /// What it takes.
        needed: u64,
        /// The bound.
        bytes_max: u64,
    },
    /// A mix that does not fit the array.
    #[error(transparent)]
    Mix(#[from] MixError),
}

/// Chunks of a sample, before and after they were encoded.
struct Encoded {
    plain: Vec<Vec<u8>>,
    /// One after the other.
    stored: Vec<u8>,
    ends: Vec<usize>,
    time: Duration,
}

impl Sample {
    /// Elements that are `data` in C order.
    pub const fn new(subject: Subject, element: ElementType, data: Vec<u8>) -> Self {
        Self { subject, element, data }
    }

    /// From the middle of a part of `array`, within so many bytes of memory.
    ///
    /// # Errors
    /// [`SampleError`] if it cannot be read, or not within the memory.
    ///
    /// # Panics
    /// If the part is not within the array, or has no elements.
    pub fn of(array: &Array, part: &Region, bytes_max: u64) -> Result<Self, SampleError> {
        let elements = array.elements()?;
        let (grid, item_bytes) = (&elements.chunks, elements.item_bytes() as u64);
        let mut shape = part.shape().to_vec();
        let sample_bytes = SAMPLE_BYTES_MAX.min(bytes_max / PART).max(item_bytes);
        let bytes = |shape: &[u64]| shape.iter().fold(item_bytes, |bytes, n| bytes.saturating_mul(*n));
        while bytes(&shape) > sample_bytes
            && let Some(longest) = shape.iter_mut().max()
        {
            *longest = longest.div_ceil(2);
        }
        let chain = elements.chain();
        let chunk_bytes = (2 * chain.chunk_bytes()).saturating_add(chain.encoded_bytes_max()) as u64;
        if chunk_bytes > bytes_max.saturating_sub(bytes(&shape)) {
            // With the part that is the sample's.
            let needed = chunk_bytes.saturating_add(chunk_bytes.div_ceil(PART - 1)).saturating_add(PART);
            return Err(SampleError::Memory { array: array.location().to_owned(), needed, bytes_max });
        }
        loop {
            let start = part.start().iter().zip(part.shape()).zip(&shape);
            let start: Vec<u64> = start.map(|((at, n), length)| at + (n - length) / 2).collect();
            let region = Region::new(start.as_slice(), shape.as_slice());
            let decoded = touched(array.shape(), grid.chunk_shape(), &region).map_or(0, |t| t.elements);
            let covering = grid.covering(&region);
            let most = (0..shape.len()).filter(|d| shape[*d] > 1).max_by_key(|d| covering.shape()[*d]);
            match most.filter(|d| covering.shape()[*d] > 1) {
                Some(axis) if decoded.saturating_mul(item_bytes) > DECODED_BYTES_MAX => {
                    shape[axis] = shape[axis].div_ceil(2);
                }
                _ => {
                    let (data, _) = array.read_region(&region)?;
                    let subject = Subject::new(&shape, item_bytes);
                    return Ok(Self { subject, element: elements.element.clone(), data });
                }
            }
        }
    }

    /// Its shape and the bytes of an element.
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The elements.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Whether all elements are this one.
    pub fn is_all(&self, element: &[u8]) -> bool {
        self.data.chunks_exact(element.len().max(1)).all(|item| item == element)
    }

    /// How many array bytes a stored byte stands for, in chunks of this shape, or of as much of it as the sample has.
    ///
    /// # Errors
    /// [`SampleError::Codec`] if they cannot be encoded.
    pub fn ratio(&self, codecs: &[CodecMetadata], chunk: &[u64]) -> Result<f64, SampleError> {
        let (_, encoded) = self.encoded(codecs, chunk)?;
        Ok(encoded.ratio())
    }

    /// The same, and how long it takes to encode and to decode.
    ///
    /// # Errors
    /// [`SampleError`] if they cannot be encoded, or what is decoded is something else.
    pub fn measure(&self, codecs: &[CodecMetadata], chunk: &[u64]) -> Result<CodecSpeed, SampleError> {
        let (chain, encoded) = self.encoded(codecs, chunk)?;
        let mut scratch = Scratch::new(&chain);
        let failed =
            |source: CodecError| SampleError::Codec { chunk: chunk.to_vec(), source: Box::new(source) };
        let mut decoded = vec![0; chain.chunk_bytes()];
        let stored = || encoded.ends.windows(2).map(|part| &encoded.stored[part[0]..part[1]]);
        for (plain, stored) in encoded.plain.iter().zip(stored()) {
            chain.decode(stored, &mut decoded, &mut scratch).map_err(failed)?;
            if decoded != *plain {
                let codecs = codecs.iter().map(|codec| codec.name().to_owned()).collect();
                return Err(SampleError::Loses { codecs });
            }
        }
        // All of them in one go: to look at the clock takes as long as a small chunk, and what is compared drives others out of the caches.
        let mut decode = Duration::MAX;
        for _ in 0..PASSES {
            let begin = Instant::now();
            for stored in stored() {
                chain.decode(black_box(stored), &mut decoded, &mut scratch).map_err(failed)?;
                black_box(&decoded);
            }
            decode = decode.min(begin.elapsed());
        }
        let plain: usize = encoded.plain.iter().map(Vec::len).sum();
        // A clock that is too coarse for one small chunk must not make it free: times are compared by their ratios.
        #[expect(clippy::cast_precision_loss, reason = "rates")]
        let per_byte = |time: Duration| time.as_nanos().max(1) as f64 / plain.max(1) as f64;
        Ok(CodecSpeed {
            ratio: encoded.ratio(),
            decode_ns_per_byte: per_byte(decode),
            encode_ns_per_byte: per_byte(encoded.time),
        })
    }

    fn encoded(&self, codecs: &[CodecMetadata], chunk: &[u64]) -> Result<(Chain, Encoded), SampleError> {
        let failed =
            |source: CodecError| SampleError::Codec { chunk: chunk.to_vec(), source: Box::new(source) };
        let chunk: Vec<u64> = chunk.iter().zip(&self.subject.shape).map(|(c, n)| *c.min(n)).collect();
        let fill = vec![0; self.element.bytes()];
        let chain = Chain::new(codecs, &self.element, &chunk, &fill).map_err(failed)?;
        let (mut scratch, mut buffer) = (Scratch::new(&chain), vec![0; chain.encoded_bytes_max()]);
        let plain = self.chunks(&chunk);
        let (mut stored, mut ends, mut time) = (Vec::new(), vec![0], Duration::ZERO);
        for plain in &plain {
            let begin = Instant::now();
            let bytes = chain.encode(black_box(plain), &mut buffer, &mut scratch).map_err(failed)?;
            time += begin.elapsed();
            stored.extend_from_slice(&buffer[..bytes]);
            ends.push(stored.len());
        }
        Ok((chain, Encoded { plain, stored, ends, time }))
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
}

impl Encoded {
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    fn ratio(&self) -> f64 {
        let plain: usize = self.plain.iter().map(Vec::len).sum();
        plain as f64 / self.stored.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use zarrange_array::Layout;

    use super::*;
    use crate::request::Codecs;

    #[test]
    fn codecs_are_measured_on_whole_chunks_of_the_sample() {
        let subject = Subject::new(&[500, 60, 2], 4);
        let data: Vec<u8> = (0..500 * 60 * 2_u32).flat_map(|k| (k % 1000).to_ne_bytes()).collect();
        let sample = Sample::new(subject, ElementType::new(&CodecMetadata::new("uint32")).unwrap(), data);
        let check = |codec: &str, chunk: [u64; 3], least: f64, most: f64| {
            let now = Layout { chunk: chunk.to_vec(), shard: None, codecs: Vec::new() };
            let codecs = codec.parse::<Codecs>().unwrap().resolve(&now, 4);
            let speed = sample.measure(&codecs, &chunk).unwrap();
            assert!((least..=most).contains(&speed.ratio), "{codec} {chunk:?}: {speed:?}");
            assert!(speed.decode_ns_per_byte > 0.0 && speed.encode_ns_per_byte > 0.0);
            assert!((sample.ratio(&codecs, &chunk).unwrap() - speed.ratio).abs() < 1e-12);
        };
        check("none", [10, 60, 2], 1.0, 1.0);
        check("zstd:3", [100, 60, 2], 1.1, 200.0);
        check("blosc:zstd", [1000, 1000, 2], 1.1, 5000.0);
        assert_eq!(sample.chunks(&[100, 50, 2]).len(), 5);
        assert_eq!(sample.chunks(&[500, 60, 1])[0][..4], sample.data[..4]);
        assert!(!sample.is_all(&[0; 4]) && Sample { data: vec![7; 8], ..sample }.is_all(&[7; 4]));
    }
}
