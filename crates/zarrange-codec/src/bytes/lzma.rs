//! LZMA through liblzma, in the formats of Python's `lzma` module. The library makes its dictionary anew for each stream.
//!
//! As Python's `lzma.decompress`: streams may follow each other, and what follows the first and is no stream is left alone.

use liblzma::stream::{Action, Check, Error, Filters, LzmaOptions, MatchFinder, Mode, Status, Stream};
use serde_json::Value;
use zarrange_grid::index;

use crate::CodecError;
use crate::steps::config::Config;

/// Configuration of the `lzma` codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lzma {
    format: Format,
    /// Number of the check that is stored with `.xz` streams.
    check: i64,
    filters: Vec<Filter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `.xz` or `.lzma`, to read only.
    Auto,
    Xz,
    Alone,
    /// Without a header: the filters are those of the configuration.
    Raw,
}

/// A filter as Python's `lzma` module describes it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    id: u64,
    dist: Option<u32>,
    start_offset: Option<u32>,
    preset: Option<u32>,
    dict_size: Option<u32>,
    lc: Option<u32>,
    lp: Option<u32>,
    pb: Option<u32>,
    mode: Option<u32>,
    nice_len: Option<u32>,
    mf: Option<u32>,
    depth: Option<u32>,
}

// Numbers of filters.
const DELTA: u64 = 3;
const X86: u64 = 4;
const SPARC: u64 = 9;
const LZMA1: u64 = 0x4000_0000_0000_0001;
const LZMA2: u64 = 0x21;

/// What the library uses where nothing is asked for, its highest preset, and the bit for more effort.
const PRESET_DEFAULT: u32 = 6;
const PRESET_MAX: u32 = 9;
const EXTREME: u32 = 1 << 31;

/// Dictionaries are this large at least, and at most what the highest preset makes them.
const DICTIONARY_MIN: u32 = 4096;
const DICTIONARY_MAX: u64 = 64 << 20;

/// What the decoder takes apart from its dictionary.
const DECODER_BYTES: u64 = 1 << 20;

/// What the library takes apart from dictionaries.
const FIXED_BYTES: usize = 4 << 20;

impl Lzma {
    pub(crate) fn parse(config: &mut Config<'_>) -> Result<Self, CodecError> {
        let format = match config.int("format", 0..=3, 1)? {
            0 => Format::Auto,
            1 => Format::Xz,
            2 => Format::Alone,
            _ => Format::Raw,
        };
        let check = config.int("check", -1..=10, -1)?;
        let allowed: &[i64] = if format == Format::Xz { &[-1, 0, 1, 4, 10] } else { &[-1, 0] };
        if !allowed.contains(&check) {
            let value = config.get("check").unwrap_or(&Value::Null);
            return Err(config.wrong("check", value, &format!("one of {allowed:?} in this format")));
        }
        let preset = preset(config)?;
        let filters = match config.get("filters") {
            None if format == Format::Raw => {
                return Err(config.wrong("filters", &Value::Null, "the filters of the raw format (3)"));
            }
            None => {
                let id = if format == Format::Alone { LZMA1 } else { LZMA2 };
                vec![Filter { preset: Some(preset.unwrap_or(PRESET_DEFAULT)), ..Filter::new(id) }]
            }
            Some(value) => filters(config, value, format)?,
        };
        Ok(Self { format, check, filters })
    }

    /// Memory inside the library for a chunk of `bytes`: decoding fills a dictionary up to the size of the chunk, encoding tables of
    /// eleven times the dictionary, which is not larger than the chunk.
    pub(crate) fn context_bytes(&self, bytes: usize) -> usize {
        let dictionary = bytes.min(usize::try_from(self.dictionary_bytes()).unwrap_or(usize::MAX));
        FIXED_BYTES.saturating_add(dictionary.saturating_mul(12))
    }

    fn dictionary_bytes(&self) -> u32 {
        self.filters.iter().map(Filter::dictionary_bytes).max().unwrap_or(0)
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.filters.iter().filter_map(|filter| filter.preset).all(|preset| preset & !EXTREME <= 3)
    }

    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
        let (mut rest, mut written) = (src, 0);
        // A header says how large the dictionary is: as large as the metadata says, or the chunk. Only what is used of it is touched.
        let dictionary = u64::from(self.dictionary_bytes()).max(dst.len() as u64).min(DICTIONARY_MAX);
        let memory = dictionary + DECODER_BYTES;
        loop {
            let stream = match self.format {
                Format::Auto => Stream::new_auto_decoder(memory, 0),
                Format::Xz => Stream::new_stream_decoder(memory, 0),
                Format::Alone => Stream::new_lzma_decoder(memory),
                // Nothing refers to what was before the chunk.
                Format::Raw => {
                    filter_chain(&self.filters, dst.len()).and_then(|f| Stream::new_raw_decoder(&f))
                }
            };
            let stream = stream.map_err(|e| CodecError::corrupt("lzma", describe(e)))?;
            match decode_stream(stream, rest, &mut dst[written..]) {
                Ok((read, bytes)) => {
                    written += bytes;
                    rest = &rest[read..];
                }
                Err(Failed::Stream(_)) if rest.len() < src.len() => return Ok(written),
                Err(Failed::Stream(e)) => return Err(CodecError::corrupt("lzma", describe(e))),
                Err(Failed::Other(e)) => return Err(e),
            }
            if rest.is_empty() {
                return Ok(written);
            }
        }
    }

    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<usize, CodecError> {
        let failed = |detail: String| CodecError::Encode { codec: "lzma", bytes: src.len() as u64, detail };
        let check = match self.check {
            0 => Check::None,
            1 => Check::Crc32,
            10 => Check::Sha256,
            _ => Check::Crc64,
        };
        let stream = match self.format {
            Format::Auto => {
                return Err(failed("format 0 is to read only: 1, 2 and 3 are written".to_owned()));
            }
            Format::Xz => {
                filter_chain(&self.filters, src.len()).and_then(|f| Stream::new_stream_encoder(&f, check))
            }
            Format::Alone => self.filters[0].options(src.len()).and_then(|o| Stream::new_lzma_encoder(&o)),
            Format::Raw => filter_chain(&self.filters, src.len()).and_then(|f| Stream::new_raw_encoder(&f)),
        };
        let mut stream = stream.map_err(|e| failed(describe(e)))?;
        loop {
            let (read, written) = (index(stream.total_in()), index(stream.total_out()));
            let status = stream.process(&src[read..], &mut dst[written..], Action::Finish);
            match status.map_err(|e| failed(describe(e)))? {
                Status::StreamEnd => return Ok(index(stream.total_out())),
                _ if written == dst.len() => {
                    return Err(failed("the result is larger than its bound".to_owned()));
                }
                _ => {}
            }
        }
    }
}

impl Filter {
    const fn new(id: u64) -> Self {
        Self {
            id,
            dist: None,
            start_offset: None,
            preset: None,
            dict_size: None,
            lc: None,
            lp: None,
            pb: None,
            mode: None,
            nice_len: None,
            mf: None,
            depth: None,
        }
    }

    const fn is_lzma(&self) -> bool {
        self.id == LZMA1 || self.id == LZMA2
    }

    /// The size of its dictionary, as it was configured.
    fn dictionary_bytes(&self) -> u32 {
        const PRESETS_LOG: [u8; 10] = [18, 20, 21, 22, 22, 23, 23, 24, 25, 26];
        let preset = self.preset.unwrap_or(PRESET_DEFAULT) & !EXTREME;
        let by_preset =
            PRESETS_LOG.get(usize::try_from(preset).unwrap_or(usize::MAX)).map_or(0, |log| 1 << log);
        if self.is_lzma() { self.dict_size.unwrap_or(by_preset) } else { 0 }
    }

    /// What is not right about it.
    fn check(&self, last: bool) -> Result<(), String> {
        let within = |name: &str, value: Option<u32>, least: u32, most: u32| match value {
            Some(n) if n < least || n > most => Err(format!("{name} is {n}, expected {least} to {most}")),
            _ => Ok(()),
        };
        if self.is_lzma() != last {
            return Err("a filter of LZMA stands at the end, and only there".to_owned());
        }
        if !self.is_lzma() && !(DELTA..=SPARC).contains(&self.id) {
            return Err(format!(
                "id is {}, expected one of {DELTA} to {SPARC}, {LZMA2} and {LZMA1}",
                self.id
            ));
        }
        within("dist", self.dist, 1, 256)?;
        within("preset", self.preset.map(|preset| preset & !EXTREME), 0, PRESET_MAX)?;
        within("dict_size", self.dict_size, DICTIONARY_MIN, 3 << 29)?;
        within("lc", self.lc, 0, 4)?;
        within("lp", self.lp, 0, 4)?;
        within("lc and lp together", self.lp.map(|lp| lp.saturating_add(self.lc.unwrap_or(3))), 0, 4)?;
        within("pb", self.pb, 0, 4)?;
        within("mode", self.mode, 1, 2)?;
        within("nice_len", self.nice_len, 2, 273)?;
        let finder = self.mf.is_none_or(|mf| finder(mf).is_some());
        if finder { Ok(()) } else { Err("mf is none of 3, 4, 18, 19 and 20".to_owned()) }
    }

    /// Options of a filter of LZMA, with a dictionary for no more than `bytes`.
    fn options(&self, bytes: usize) -> Result<LzmaOptions, Error> {
        let mut options = LzmaOptions::new_preset(self.preset.unwrap_or(PRESET_DEFAULT))?;
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).max(DICTIONARY_MIN);
        options.dict_size(self.dictionary_bytes().min(bytes));
        self.lc.map(|bits| options.literal_context_bits(bits));
        self.lp.map(|bits| options.literal_position_bits(bits));
        self.pb.map(|bits| options.position_bits(bits));
        self.mode.map(|mode| options.mode(if mode == 1 { Mode::Fast } else { Mode::Normal }));
        self.nice_len.map(|length| options.nice_len(length));
        self.mf.and_then(finder).map(|finder| options.match_finder(finder));
        self.depth.map(|depth| options.depth(depth));
        Ok(options)
    }
}

const fn finder(number: u32) -> Option<MatchFinder> {
    match number {
        3 => Some(MatchFinder::HashChain3),
        4 => Some(MatchFinder::HashChain4),
        0x12 => Some(MatchFinder::BinaryTree2),
        0x13 => Some(MatchFinder::BinaryTree3),
        0x14 => Some(MatchFinder::BinaryTree4),
        _ => None,
    }
}

/// A level, and perhaps the bit for more effort.
fn preset(config: &mut Config<'_>) -> Result<Option<u32>, CodecError> {
    let Some(value) = config.get("preset") else { return Ok(None) };
    let preset = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| n & !EXTREME <= PRESET_MAX);
    let expected = || format!("a whole number from 0 to {PRESET_MAX}, or {EXTREME} more");
    preset.map(Some).ok_or_else(|| config.wrong("preset", value, &expected()))
}

fn filters(config: &mut Config<'_>, value: &Value, format: Format) -> Result<Vec<Filter>, CodecError> {
    let wrong = |config: &Config<'_>, detail: &str| config.wrong("filters", value, detail);
    let list: Vec<Filter> = serde_json::from_value(value.clone())
        .map_err(|e| wrong(config, &format!("filters as Python's lzma has them: {e}")))?;
    for (k, filter) in list.iter().enumerate() {
        filter.check(k + 1 == list.len()).map_err(|detail| wrong(config, &detail))?;
    }
    let ids: Vec<u64> = list.iter().map(|filter| filter.id).collect();
    let fits = match format {
        Format::Auto => false,
        Format::Xz => ids.last() == Some(&LZMA2) && ids.len() <= 4,
        Format::Alone => ids == [LZMA1],
        Format::Raw => !ids.is_empty() && ids.len() <= 4,
    };
    let expected = match format {
        Format::Auto => "none, for streams of this format say how they are filtered",
        Format::Alone => "one filter of LZMA1 (4611686018427387905)",
        Format::Xz => "up to four filters, the last of LZMA2 (33)",
        Format::Raw => "up to four filters, the last of LZMA",
    };
    if config.get("preset").is_some() {
        return Err(wrong(config, "none where there is a preset"));
    }
    if fits { Ok(list) } else { Err(wrong(config, expected)) }
}

fn filter_chain(filters: &[Filter], bytes: usize) -> Result<Filters, Error> {
    let mut chain = Filters::new();
    for filter in filters {
        let offset = &filter.start_offset.unwrap_or(0).to_le_bytes();
        match filter.id {
            DELTA => {
                let distance = u8::try_from(filter.dist.unwrap_or(1) - 1).unwrap_or(u8::MAX);
                chain.delta_properties(&[distance])?
            }
            X86 => chain.x86_properties(offset)?,
            5 => chain.powerpc_properties(offset)?,
            6 => chain.ia64_properties(offset)?,
            7 => chain.arm_properties(offset)?,
            8 => chain.arm_thumb_properties(offset)?,
            SPARC => chain.sparc_properties(offset)?,
            LZMA1 => chain.lzma1(&filter.options(bytes)?),
            _ => chain.lzma2(&filter.options(bytes)?),
        };
    }
    Ok(chain)
}

enum Failed {
    /// Not a valid stream.
    Stream(Error),
    Other(CodecError),
}

/// Decodes the stream at the start of `src` into the start of `dst`; how many bytes were read and written.
fn decode_stream(mut stream: Stream, src: &[u8], dst: &mut [u8]) -> Result<(usize, usize), Failed> {
    let mut overflow = [0u8; 1];
    loop {
        let (read, written) = (index(stream.total_in()), index(stream.total_out()));
        let full = written >= dst.len();
        let room = if full { &mut overflow[..] } else { &mut dst[written..] };
        let status = stream.process(&src[read..], room, Action::Run).map_err(Failed::Stream)?;
        let (read_now, written_now) = (index(stream.total_in()), index(stream.total_out()));
        if full && written_now > written {
            return Err(Failed::Other(CodecError::TooLong { codec: "lzma" }));
        }
        match status {
            Status::StreamEnd => return Ok((read_now, written_now)),
            Status::MemNeeded => return Err(Failed::Other(CodecError::corrupt("lzma", "truncated"))),
            _ if read_now == src.len() && read_now == read && written_now == written => {
                return Err(Failed::Other(CodecError::corrupt("lzma", "truncated")));
            }
            _ => {}
        }
    }
}

fn describe(error: Error) -> String {
    match error {
        Error::MemLimit => {
            "its dictionary is larger than the chunk, and than its preset or filters make it".to_owned()
        }
        error => error.to_string(),
    }
}
