//! The codec itself, on every chunk of an array, with warm contexts: on as many threads at once as the engine has, for processors that
//! share a core or its caches slow each other down.

use std::time::{Duration, Instant};

use anyhow::ensure;
use zarrange_array::{Array, ChunkReader};
use zarrange_codec::{Chain, Scratch};
use zarrange_grid::Region;
use zarrange_rechunk::Codecs;

use super::cases::{Case, ZSTD_LEVEL};

/// Seconds of processor time that the codec of `case` takes to decode every chunk of `array`, on `threads` threads at once.
pub(super) fn decode_seconds(case: &Case, array: &Array, threads: u64) -> anyhow::Result<f64> {
    on_threads(threads, |part| {
        let chain = array.elements()?.chain();
        let mut codec = Codec::new(case, chain)?;
        let mut chunk = vec![0; chain.chunk_bytes()];
        let mut time = Duration::ZERO;
        each_chunk(array, part, |_, _, encoded| {
            let begin = Instant::now();
            codec.decode(encoded, &mut chunk)?;
            time += begin.elapsed();
            Ok(())
        })?;
        Ok(time)
    })
}

/// Seconds of processor time that it takes to encode them.
pub(super) fn encode_seconds(case: &Case, array: &Array, threads: u64) -> anyhow::Result<f64> {
    on_threads(threads, |part| {
        let chain = array.elements()?.chain();
        let mut codec = Codec::new(case, chain)?;
        let (mut chunk, mut out) = (vec![0; chain.chunk_bytes()], vec![0; chain.encoded_bytes_max()]);
        let mut time = Duration::ZERO;
        each_chunk(array, part, |reader, k, encoded| {
            reader.decode(k, encoded, &mut chunk)?;
            let begin = Instant::now();
            let bytes = codec.encode(&chunk, &mut out)?;
            time += begin.elapsed();
            ensure!(out[..bytes] == *encoded, "the codec gives the bytes that the engine wrote");
            Ok(())
        })?;
        Ok(time)
    })
}

/// The times of as many threads together, each with its part: its number, and how many there are.
fn on_threads(
    threads: u64,
    work: impl Fn((u64, u64)) -> anyhow::Result<Duration> + Sync,
) -> anyhow::Result<f64> {
    let work = &work;
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|t| scope.spawn(move || work((t, threads)))).collect();
        let mut seconds = 0.0;
        for thread in started {
            let time = thread.join().map_err(|_| anyhow::anyhow!("a thread that runs the codec ended"))??;
            seconds += time.as_secs_f64();
        }
        Ok(seconds)
    })
}

/// zstd is called itself; blosc and what else there is through the chain, which adds nothing to speak of.
enum Codec<'a> {
    Zstd(Box<(zstd_safe::DCtx<'static>, zstd_safe::CCtx<'static>)>),
    Chain(&'a Chain, Box<Scratch>),
}

impl<'a> Codec<'a> {
    fn new(case: &Case, chain: &'a Chain) -> anyhow::Result<Self> {
        if !matches!(case.codecs, Codecs::Zstd(_)) {
            return Ok(Self::Chain(chain, Box::new(Scratch::new(chain))));
        }
        let mut encode = zstd_safe::CCtx::create();
        encode.set_parameter(zstd_safe::CParameter::CompressionLevel(ZSTD_LEVEL)).map_err(zstd_error)?;
        Ok(Self::Zstd(Box::new((zstd_safe::DCtx::create(), encode))))
    }

    fn decode(&mut self, encoded: &[u8], chunk: &mut [u8]) -> anyhow::Result<()> {
        match self {
            Self::Chain(chain, scratch) => chain.decode(encoded, chunk, scratch)?,
            Self::Zstd(contexts) => {
                let bytes = contexts.0.decompress(chunk, encoded).map_err(zstd_error)?;
                ensure!(bytes == chunk.len(), "a chunk decodes to its size");
            }
        }
        Ok(())
    }

    fn encode(&mut self, chunk: &[u8], out: &mut [u8]) -> anyhow::Result<usize> {
        match self {
            Self::Chain(chain, scratch) => Ok(chain.encode(chunk, out, scratch)?),
            Self::Zstd(contexts) => contexts.1.compress2(out, chunk).map_err(zstd_error),
        }
    }
}

fn zstd_error(code: usize) -> anyhow::Error {
    anyhow::anyhow!("zstd: {}", zstd_safe::get_error_name(code))
}

/// Calls `work` with every chunk (inner chunk) of a part of `array` that exists: its number among those that the reader fetched, and its
/// stored bytes.
fn each_chunk(
    array: &Array,
    (part, parts): (u64, u64),
    mut work: impl FnMut(&mut ChunkReader<'_>, usize, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    const BATCH_BYTES: usize = 4 << 20;
    let chunks = array.chunks()?;
    let mut reader = ChunkReader::new(&chunks);
    let mut encoded = vec![0; BATCH_BYTES.max(chunks.chain().encoded_bytes_max())];
    let mut read = |object: &[u64], within: &Region| -> anyhow::Result<()> {
        let covering = chunks.grid().covering(within);
        let count = covering.elements();
        let mine = count * part / parts..count * (part + 1) / parts;
        reader.want(object, mine.map(|k| covering.unravel(k)));
        while reader.fetch(&mut encoded)? {
            for k in reader.fetched() {
                if let Some(stored) = reader.stored(k, &encoded) {
                    work(&mut reader, k, stored)?;
                }
            }
        }
        Ok(())
    };
    let Some(shards) = chunks.shards() else { return read(&[], &Region::whole(array.shape())) };
    for object in (0..shards.count()).map(|k| shards.all().unravel(k)) {
        read(&object, &shards.region(&object))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use zarrange_io::Opener;

    use super::*;
    use crate::arrays;

    #[test]
    fn threads_share_the_chunks() {
        let dir = tempfile::tempdir().unwrap();
        let check = |case: &Case, chunks: usize, parts: u64| {
            let array = arrays::open(&case.source(dir.path()).unwrap(), &Opener::auto()).unwrap();
            let mut seen = Vec::new();
            for part in 0..parts {
                let note = |_: &mut ChunkReader<'_>, _: usize, encoded: &[u8]| {
                    seen.push(encoded.to_vec());
                    Ok(())
                };
                each_chunk(&array, (part, parts), note).unwrap();
            }
            assert_eq!(seen.len(), chunks, "{} {parts}", case.name);
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), chunks, "{} {parts}: each once", case.name);
            assert!(decode_seconds(case, &array, parts).unwrap() > 0.0);
            assert!(encode_seconds(case, &array, parts).unwrap() > 0.0);
        };
        let lights = Case::named("S").unwrap();
        let maps = Case::named("E").unwrap().small([8, 6, 4]);
        for parts in [1, 2, 3] {
            check(&lights, 20, parts);
            check(&maps, 8, parts);
        }
    }
}
