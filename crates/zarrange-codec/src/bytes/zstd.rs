//! zstd through `zstd-safe`, with one context for each direction and thread.

use zstd_safe::{CCtx, CParameter, DCtx};

use crate::CodecError;
use crate::steps::config::Config;

/// Configuration of the `zstd` codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Zstd {
    level: i32,
    #[serde(default)]
    checksum: bool,
}

#[derive(Default)]
pub(crate) struct Context {
    decode: Option<DCtx<'static>>,
    /// The context and what it was set to.
    encode: Option<(CCtx<'static>, Zstd)>,
}

impl Zstd {
    /// Levels are cut to those of the library, as it does itself.
    pub(crate) fn parse(config: &mut Config<'_>) -> Result<Self, CodecError> {
        let level = config.int("level", i32::MIN.into()..=i32::MAX.into(), 0)?;
        let level = i32::try_from(level).unwrap_or_default();
        Ok(Self { level, checksum: config.bool("checksum", false)? })
    }

    pub(crate) const fn level(self) -> i32 {
        self.level
    }

    /// Working memory of a context at this level, for inputs of `bytes`: tables shrink with the input.
    pub(crate) fn context_bytes(self, bytes: usize) -> usize {
        // Upper bounds for inputs above 256 KiB, checked against the library's own count by a test below.
        let large = match self.level {
            ..=2 => 1 << 20,
            3..=4 => 3 << 20,
            5..=8 => 6 << 20,
            9..=17 => 70 << 20,
            18..=19 => 90 << 20,
            _ => 800 << 20,
        };
        large.min((256 << 10) + bytes.saturating_mul(40))
    }
}

/// The most that a frame holding `bytes` can take: the library's bound, plus room for another writer's framing.
pub(crate) fn encoded_bytes_max(bytes: usize) -> usize {
    zstd_safe::compress_bound(bytes).max(bytes).saturating_add(64)
}

/// What a frame begins with; skippable frames have any of sixteen.
const FRAME_MAGIC: u32 = 0xFD2F_B528;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A50;

/// `ZSTD_error_memory_allocation` (64), as the library returns errors.
const NO_MEMORY: usize = 0usize.wrapping_sub(64);

/// Contexts take about this before they are used, and those that decode not much more.
const CONTEXT_REFUSED: CodecError = CodecError::Refused { bytes: 128 << 10 };

pub(crate) fn decode(src: &[u8], dst: &mut [u8], context: &mut Context) -> Result<usize, CodecError> {
    check_frames(src, dst.len() as u64)?;
    let decoder = match &mut context.decode {
        Some(decoder) => decoder,
        none => none.insert(DCtx::try_create().ok_or(CONTEXT_REFUSED)?),
    };
    decoder.decompress(dst, src).map_err(damaged)
}

/// Whether `src` is frames of the format, which say no more than `room`. The library may be built to decode the formats
/// before the first stable one as well: nobody writes those, and their decoders are not maintained.
fn check_frames(src: &[u8], room: u64) -> Result<(), CodecError> {
    let (mut rest, mut bytes) = (src, 0u64);
    while !rest.is_empty() {
        let magic = rest.first_chunk().map(|magic| u32::from_le_bytes(*magic));
        if !magic.is_some_and(|magic| magic == FRAME_MAGIC || magic & !0xF == SKIPPABLE_MAGIC) {
            return Err(CodecError::corrupt("zstd", "not a frame of zstd"));
        }
        bytes = bytes.saturating_add(zstd_safe::get_frame_content_size(rest).ok().flatten().unwrap_or(0));
        if bytes > room {
            return Err(CodecError::TooLong { codec: "zstd" });
        }
        let frame = zstd_safe::find_frame_compressed_size(rest).map_err(damaged)?;
        rest = rest.get(frame..).unwrap_or_default();
    }
    Ok(())
}

fn damaged(code: usize) -> CodecError {
    if code == NO_MEMORY {
        return CONTEXT_REFUSED;
    }
    CodecError::corrupt("zstd", zstd_safe::get_error_name(code))
}

pub(crate) fn encode(
    config: Zstd,
    src: &[u8],
    dst: &mut [u8],
    context: &mut Context,
) -> Result<usize, CodecError> {
    let failed = |code| match code {
        NO_MEMORY => CodecError::Refused { bytes: config.context_bytes(src.len()) as u64 },
        _ => CodecError::Encode {
            codec: "zstd",
            bytes: src.len() as u64,
            detail: zstd_safe::get_error_name(code).to_owned(),
        },
    };
    let (encoder, current) = match &mut context.encode {
        Some(encode) => encode,
        none => {
            let encoder = CCtx::try_create().ok_or(CONTEXT_REFUSED)?;
            none.insert((encoder, Zstd { level: 0, checksum: false }))
        }
    };
    if *current != config {
        encoder.set_parameter(CParameter::CompressionLevel(config.level)).map_err(failed)?;
        encoder.set_parameter(CParameter::ChecksumFlag(config.checksum)).map_err(failed)?;
        *current = config;
    }
    encoder.compress2(dst, src).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_means_memory() {
        assert_eq!(zstd_safe::get_error_name(NO_MEMORY), "Allocation error : not enough memory");
    }

    #[test]
    fn context_bytes_bound_the_librarys_own_count() {
        for level in [-5, 1, 3, 4, 5, 8, 9, 12, 15, 19] {
            for bytes in [0usize, 1000, 100_000, 1 << 20, 9 << 20] {
                let src: Vec<u8> = (0..bytes).map(|k| u8::try_from(k * k % 251).unwrap()).collect();
                let (mut dst, mut context) = (vec![0; encoded_bytes_max(bytes)], Context::default());
                let config = Zstd { level, checksum: false };
                encode(config, &src, &mut dst, &mut context).unwrap();
                let used = context.encode.unwrap().0.sizeof();
                assert!(used <= config.context_bytes(bytes), "level {level}, {bytes} bytes: {used}");
            }
        }
    }
}
