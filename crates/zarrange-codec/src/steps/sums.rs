//! Checksums that are stored before or after the bytes: `crc32`, `crc32c`, `adler32`, `fletcher32` and `jenkins_lookup3`.

use serde_json::Value;
use zarrange_grid::index;

use crate::CodecError;
use crate::steps::config::Config;

/// Bytes of every one of them.
pub(crate) const SUM_BYTES: usize = 4;

/// A checksum, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Sum {
    kind: Kind,
    /// After the bytes, not before.
    pub(crate) at_end: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    Crc32,
    Crc32c,
    Adler32,
    Fletcher32,
    /// With its seed and bytes that are hashed before those of the chunk.
    Lookup3(u32, Vec<u8>),
}

impl Sum {
    /// The checksum that `config` describes, or `None` if it is none of these.
    pub(crate) fn parse(name: &str, mut config: Config<'_>) -> Option<Result<Self, CodecError>> {
        let (kind, at_end) = match name {
            "crc32" => (Kind::Crc32, false),
            "crc32c" => (Kind::Crc32c, true),
            "adler32" => (Kind::Adler32, false),
            "fletcher32" => (Kind::Fletcher32, true),
            "jenkins_lookup3" => (Kind::Lookup3(0, Vec::new()), true),
            _ => return None,
        };
        let sum = Self { kind, at_end };
        Some(sum.configured(&mut config).and_then(|sum| config.finish().map(|()| sum)))
    }

    fn configured(self, config: &mut Config<'_>) -> Result<Self, CodecError> {
        match self.kind {
            Kind::Fletcher32 => Ok(self),
            Kind::Lookup3(..) => {
                let seed = config.int("initval", 0..=u32::MAX.into(), 0)?;
                let kind = Kind::Lookup3(u32::try_from(seed).unwrap_or(0), prefix(config)?);
                Ok(Self { kind, ..self })
            }
            // The `crc32c` of Zarr v3 has no choice.
            Kind::Crc32 | Kind::Crc32c | Kind::Adler32 if config.codec() == "crc32c" => Ok(self),
            Kind::Crc32 | Kind::Crc32c | Kind::Adler32 => {
                let at = config.choice("location", &["start", "end"])?;
                Ok(Self { at_end: at.map_or(self.at_end, |at| at == 1), ..self })
            }
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self.kind {
            Kind::Crc32 => "crc32",
            Kind::Crc32c => "crc32c",
            Kind::Adler32 => "adler32",
            Kind::Fletcher32 => "fletcher32",
            Kind::Lookup3(..) => "jenkins_lookup3",
        }
    }

    /// That of `crc32c`, which needs no configuration.
    pub(crate) const fn crc32c() -> Self {
        Self { kind: Kind::Crc32c, at_end: true }
    }

    /// The stored form of the checksum of `bytes`.
    pub(crate) fn of(&self, bytes: &[u8]) -> [u8; SUM_BYTES] {
        let mut running = self.begin(bytes.len() as u64);
        running.add(bytes);
        running.finish().to_le_bytes()
    }

    /// The checksum of no bytes yet, of so many that will come.
    fn begin(&self, bytes: u64) -> Running {
        match &self.kind {
            Kind::Crc32 => Running::Crc32(crc32fast::Hasher::new()),
            Kind::Crc32c => Running::Crc32c(0),
            Kind::Adler32 => Running::Adler32(1),
            Kind::Fletcher32 => Running::Fletcher32(Fletcher32::default()),
            Kind::Lookup3(seed, prefix) => {
                let mut sum = Lookup3::new(*seed, (prefix.len() as u64).wrapping_add(bytes));
                sum.add(prefix);
                Running::Lookup3(sum)
            }
        }
    }

    /// Where in `stored` the bytes are, if their checksum is right.
    pub(crate) fn check(&self, stored: &[u8]) -> Result<std::ops::Range<usize>, CodecError> {
        let mut check = SumCheck::new(self, stored.len() as u64)?;
        check.add(stored);
        check.finish()?;
        let end = stored.len() - SUM_BYTES;
        Ok(if self.at_end { 0..end } else { SUM_BYTES..stored.len() })
    }
}

/// The checksum of a stored chunk, looked at piece by piece.
#[derive(Debug)]
pub struct SumCheck {
    name: &'static str,
    running: Running,
    /// Where in the stored bytes the sum is, and what was seen of it.
    at: u64,
    sum: [u8; SUM_BYTES],
    /// Bytes seen.
    seen: u64,
}

impl SumCheck {
    /// Of a chunk of so many bytes, its checksum included.
    pub(crate) fn new(sum: &Sum, stored_bytes: u64) -> Result<Self, CodecError> {
        let Some(bytes) = stored_bytes.checked_sub(SUM_BYTES as u64) else {
            let detail = format!("{stored_bytes} bytes are too few for a checksum");
            return Err(CodecError::corrupt(sum.name(), detail));
        };
        let at = if sum.at_end { bytes } else { 0 };
        Ok(Self { name: sum.name(), running: sum.begin(bytes), at, sum: [0; SUM_BYTES], seen: 0 })
    }

    /// Goes on with the next bytes.
    pub fn add(&mut self, piece: &[u8]) {
        let within = |at: u64| index(at.saturating_sub(self.seen).min(piece.len() as u64));
        let (start, end) = (within(self.at), within(self.at + SUM_BYTES as u64));
        let (before, sum, after) = (&piece[..start], &piece[start..end], &piece[end..]);
        if !sum.is_empty() {
            let seen = index(self.seen.saturating_sub(self.at));
            self.sum[seen..seen + sum.len()].copy_from_slice(sum);
        }
        self.running.add(before);
        self.running.add(after);
        self.seen += piece.len() as u64;
    }

    /// Whether the checksum is right, once all bytes were seen.
    ///
    /// # Errors
    /// [`CodecError::Corrupt`] if it is not.
    pub fn finish(self) -> Result<(), CodecError> {
        let computed = self.running.finish().to_le_bytes();
        if self.sum == computed {
            return Ok(());
        }
        let hex = |sum: &[u8]| sum.iter().rev().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let detail = format!("checksum is {}, the bytes give {}", hex(&self.sum), hex(&computed));
        Err(CodecError::corrupt(self.name, detail))
    }
}

/// A checksum of the bytes so far.
#[derive(Debug)]
enum Running {
    Crc32(crc32fast::Hasher),
    Crc32c(u32),
    Adler32(u32),
    Fletcher32(Fletcher32),
    Lookup3(Lookup3),
}

impl Running {
    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Crc32c(sum) => *sum = crc32c::crc32c_append(*sum, bytes),
            Self::Adler32(sum) => {
                let mut adler = simd_adler32::Adler32::from_checksum(*sum);
                adler.write(bytes);
                *sum = adler.finish();
            }
            Self::Fletcher32(sum) => sum.add(bytes),
            Self::Lookup3(sum) => sum.add(bytes),
        }
    }

    fn finish(self) -> u32 {
        match self {
            Self::Crc32(hasher) => hasher.finalize(),
            Self::Crc32c(sum) | Self::Adler32(sum) => sum,
            Self::Fletcher32(sum) => sum.finish(),
            Self::Lookup3(sum) => sum.finish(),
        }
    }
}

/// Bytes of the configuration. JSON has none, so that they are numbers.
fn prefix(config: &mut Config<'_>) -> Result<Vec<u8>, CodecError> {
    let Some(value) = config.get("prefix") else { return Ok(Vec::new()) };
    let byte = |value: &Value| value.as_u64().and_then(|n| u8::try_from(n).ok());
    let bytes = value.as_array().and_then(|list| list.iter().map(byte).collect());
    bytes.ok_or_else(|| config.wrong("prefix", value, "a list of bytes"))
}

/// That of HDF5: of words with their higher byte first; a byte that is left over is the higher one of a word.
#[derive(Debug, Default)]
struct Fletcher32 {
    low: u32,
    high: u32,
    /// The first byte of a word whose second comes with the next bytes.
    half: Option<u8>,
}

impl Fletcher32 {
    fn add(&mut self, mut bytes: &[u8]) {
        /// So many words that the sums do not overflow.
        const WORDS: usize = 360;
        if let (Some(first), [second, rest @ ..]) = (self.half, bytes) {
            self.words(&[[first, *second]]);
            (self.half, bytes) = (None, rest);
        }
        let (words, rest) = bytes.as_chunks::<2>();
        words.chunks(WORDS).for_each(|words| self.words(words));
        if let [last] = rest {
            self.half = Some(*last);
        }
    }

    /// Adds few words, and folds the sums.
    fn words(&mut self, words: &[[u8; 2]]) {
        for word in words {
            self.low += u32::from(u16::from_be_bytes(*word));
            self.high += self.low;
        }
        (self.low, self.high) = (folded(self.low), folded(self.high));
    }

    fn finish(mut self) -> u32 {
        if let Some(last) = self.half {
            self.words(&[[last, 0]]);
        }
        folded(self.high) << 16 | folded(self.low)
    }
}

const fn folded(sum: u32) -> u32 {
    (sum & 0xFFFF) + (sum >> 16)
}

const LOOKUP3_BLOCK: usize = 12;

/// Bob Jenkins' hash (<https://burtleburtle.net/bob/c/lookup3.c>, `hashlittle`).
#[derive(Debug)]
struct Lookup3 {
    state: [u32; 3],
    block: [u8; LOOKUP3_BLOCK],
    filled: usize,
}

impl Lookup3 {
    /// Of `length` bytes, of which none was seen yet.
    fn new(seed: u32, length: u64) -> Self {
        let length = length.to_le_bytes();
        let length = u32::from_le_bytes(std::array::from_fn(|k| length[k]));
        let state = [0xDEAD_BEEF_u32.wrapping_add(length).wrapping_add(seed); 3];
        Self { state, block: [0; LOOKUP3_BLOCK], filled: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.filled == LOOKUP3_BLOCK {
                add(&mut self.state, &self.block);
                mix(&mut self.state);
                (self.block, self.filled) = ([0; LOOKUP3_BLOCK], 0);
            }
            self.block[self.filled] = *byte;
            self.filled += 1;
        }
    }

    fn finish(mut self) -> u32 {
        if self.filled > 0 {
            add(&mut self.state, &self.block);
            finish(&mut self.state);
        }
        self.state[2]
    }
}

fn add(state: &mut [u32; 3], block: &[u8; 12]) {
    for (word, bytes) in state.iter_mut().zip(block.as_chunks::<4>().0) {
        *word = word.wrapping_add(u32::from_le_bytes(*bytes));
    }
}

fn mix([a, b, c]: &mut [u32; 3]) {
    let step = |x: &mut u32, y: &mut u32, z: u32, bits: u32| {
        *x = x.wrapping_sub(*y) ^ y.rotate_left(bits);
        *y = y.wrapping_add(z);
    };
    step(a, c, *b, 4);
    step(b, a, *c, 6);
    step(c, b, *a, 8);
    step(a, c, *b, 16);
    step(b, a, *c, 19);
    step(c, b, *a, 4);
}

fn finish([a, b, c]: &mut [u32; 3]) {
    let step = |x: &mut u32, y: u32, bits: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(bits));
    step(c, *b, 14);
    step(a, *c, 11);
    step(b, *a, 25);
    step(c, *b, 16);
    step(a, *c, 4);
    step(b, *a, 14);
    step(c, *b, 24);
}
