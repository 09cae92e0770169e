//! Checksums that are stored before or after the bytes: `crc32`, `crc32c`, `adler32`, `fletcher32` and `jenkins_lookup3`.

use serde_json::Value;

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
            _ if config.codec() == "crc32c" => Ok(self),
            _ => {
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

    /// The stored form of the checksum of `bytes`.
    pub(crate) fn of(&self, bytes: &[u8]) -> [u8; SUM_BYTES] {
        let sum = match &self.kind {
            Kind::Crc32 => crc32fast::hash(bytes),
            Kind::Crc32c => crc32c::crc32c(bytes),
            Kind::Adler32 => simd_adler32::adler32(&bytes),
            Kind::Fletcher32 => fletcher32(bytes),
            Kind::Lookup3(seed, prefix) => lookup3(*seed, prefix, bytes),
        };
        sum.to_le_bytes()
    }

    /// Where in `stored` the bytes are, if their checksum is right.
    pub(crate) fn check(&self, stored: &[u8]) -> Result<std::ops::Range<usize>, CodecError> {
        let range =
            if self.at_end { 0..stored.len().wrapping_sub(SUM_BYTES) } else { SUM_BYTES..stored.len() };
        let Some(bytes) = stored.get(range.clone()) else {
            let detail = format!("{} bytes are too few for a checksum", stored.len());
            return Err(CodecError::corrupt(self.name(), detail));
        };
        let sum = if self.at_end { &stored[bytes.len()..] } else { &stored[..SUM_BYTES] };
        let computed = self.of(bytes);
        if sum == computed {
            return Ok(range);
        }
        let hex = |sum: &[u8]| sum.iter().rev().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let detail = format!("checksum is {}, the bytes give {}", hex(sum), hex(&computed));
        Err(CodecError::corrupt(self.name(), detail))
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
fn fletcher32(bytes: &[u8]) -> u32 {
    /// So many words that the sums do not overflow.
    const WORDS: usize = 360;
    let folded = |sum: u32| (sum & 0xFFFF) + (sum >> 16);
    let (mut low, mut high) = (0u32, 0u32);
    let (words, rest) = bytes.as_chunks::<2>();
    for words in words.chunks(WORDS) {
        for word in words {
            low += u32::from(u16::from_be_bytes(*word));
            high += low;
        }
        (low, high) = (folded(low), folded(high));
    }
    if let [last] = rest {
        low += u32::from(*last) << 8;
        high += low;
        (low, high) = (folded(low), folded(high));
    }
    folded(high) << 16 | folded(low)
}

/// Bob Jenkins' hash (<https://burtleburtle.net/bob/c/lookup3.c>, `hashlittle`) of `prefix` and `bytes` in a row.
fn lookup3(seed: u32, prefix: &[u8], bytes: &[u8]) -> u32 {
    const BLOCK: usize = 12;
    let length = (prefix.len() as u64 + bytes.len() as u64).to_le_bytes();
    let length = u32::from_le_bytes(std::array::from_fn(|k| length[k]));
    let mut state = [0xDEAD_BEEF_u32.wrapping_add(length).wrapping_add(seed); 3];
    let (mut block, mut filled) = ([0u8; BLOCK], 0);
    for byte in prefix.iter().chain(bytes) {
        if filled == BLOCK {
            add(&mut state, &block);
            mix(&mut state);
            (block, filled) = ([0; BLOCK], 0);
        }
        block[filled] = *byte;
        filled += 1;
    }
    if filled > 0 {
        add(&mut state, &block);
        finish(&mut state);
    }
    state[2]
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
