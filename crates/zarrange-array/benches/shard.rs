//! Writing shards, and reading them: the whole shard, one inner chunk, and the index alone.
//!
//! In memory, where only our own work is left, and in files that the page cache holds.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use serde_json::{Map, Value, json};
use zarrange_array::{Array, ArraySpec, ChunkReader, Document, Layout, ShardFile, ShardWriter};
use zarrange_codec::{Chain, Scratch};
use zarrange_grid::{Dims, Region, index};
use zarrange_io::{Change, Location};

/// Inner chunks are written and read in batches of about this, as the engine does.
const BATCH_BYTES: usize = 1 << 20;

/// Shards of 8 MiB: inner chunks in the shard, float32 elements in each.
const SHARDS: [(u64, u64); 2] = [(128, 16_384), (4096, 512)];

/// An array of one shard, its inner chunks one after the other, and a thread's buffers.
struct Shard {
    array: Array,
    data: Vec<u8>,
    scratch: Scratch,
    encoded: Vec<u8>,
    plain: Vec<u8>,
}

impl Shard {
    fn new(place: &Location, codecs: &Value, (count, elements): (u64, u64)) -> Self {
        let document = Document::new(&ArraySpec {
            shape: vec![count * elements],
            data_type: "float32",
            fill_value: json!(0.0),
            layout: Layout {
                chunk: vec![elements],
                shard: Some(vec![count * elements]),
                codecs: serde_json::from_value(codecs.clone()).unwrap(),
            },
            dimension_names: vec!["object"],
            attributes: Map::new(),
        });
        let array = Array::new(place.open().unwrap(), document, 3).unwrap();
        let chain = array.elements().unwrap().chain();
        let (scratch, plain) = (Scratch::new(chain), vec![0; chain.chunk_bytes()]);
        let encoded = vec![0; BATCH_BYTES + chain.encoded_bytes_max()];
        let data = magnitudes(count * elements);
        let mut shard = Self { array, data, scratch, encoded, plain };
        shard.write();
        shard.check();
        shard
    }

    fn write(&mut self) {
        let chain = chain(&self.array);
        let mut writer = ShardWriter::new(&self.array.chunks().unwrap()).unwrap();
        let file = ShardFile::create(&self.array.chunks().unwrap(), &[0], false).unwrap();
        let (mut start, mut end) = (None, 0);
        for (inner, chunk) in self.data.chunks_exact(chain.chunk_bytes()).enumerate() {
            let bytes = chain.encode(black_box(chunk), &mut self.encoded[end..], &mut self.scratch).unwrap();
            start = start.or(Some(writer.reserve(inner as u64, bytes as u64)));
            end += bytes;
            if end > BATCH_BYTES {
                file.write(start.take().unwrap(), &self.encoded[..end]).unwrap();
                end = 0;
            }
        }
        if let Some(start) = start {
            file.write(start, &self.encoded[..end]).unwrap();
        }
        writer.finish(&self.array.chunks().unwrap(), file).unwrap();
    }

    /// Writes a new shard: to write over an old file may wait for the disk.
    fn write_anew(&mut self) -> Duration {
        self.array.store().change(Change::Remove(&self.array.key(&[0]))).unwrap();
        let begin = Instant::now();
        self.write();
        begin.elapsed()
    }

    /// Reads the inner chunks `inner` and gives each to `visit`.
    fn read(&mut self, inner: &[u64], mut visit: impl FnMut(u64, &[u8])) {
        let mut reader = ChunkReader::new(&self.array.chunks().unwrap());
        reader.want(&[0], inner.iter().map(|number| Dims::from_slice(&[*number])));
        while reader.fetch(&mut self.encoded).unwrap() {
            for k in reader.fetched() {
                let stored = reader.stored(k, &self.encoded).unwrap();
                reader.decode(k, stored, &mut self.plain).unwrap();
                visit(inner[k], black_box(&self.plain));
            }
        }
    }

    fn open(&self) {
        let mut reader = ChunkReader::new(&self.array.chunks().unwrap());
        black_box(reader.open_shard(black_box(&[0])).unwrap().unwrap());
    }

    /// Every way to read gives what was written.
    fn check(&mut self) {
        let (all, _) = self.array.read_region(&Region::whole(self.array.shape())).unwrap();
        assert!(all == self.data);
        let mut seen = 0;
        self.read(&self.numbers(), |number, chunk| {
            assert!(chunk == &all[index(number) * chunk.len()..][..chunk.len()], "inner chunk {number}");
            seen += chunk.len();
        });
        assert_eq!(seen, all.len());
    }

    fn numbers(&self) -> Vec<u64> {
        (0..(self.data.len() / chain(&self.array).chunk_bytes()) as u64).collect()
    }
}

fn chain(array: &Array) -> &Chain {
    array.elements().unwrap().chain()
}

/// Measured magnitudes: noise in the lower bits, little in the upper ones.
fn magnitudes(elements: u64) -> Vec<u8> {
    let noise = |k: u64| k.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let magnitude = |k| 18.0 + f32::from(u16::from_be_bytes([noise(k)[0], noise(k)[1]])) / 65536.0;
    (0..elements).flat_map(|k| magnitude(k).to_ne_bytes()).collect()
}

fn codecs() -> [(&'static str, Value); 2] {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let zstd = json!({"name": "zstd", "configuration": {"level": 1, "checksum": false}});
    [("none", json!([bytes])), ("zstd-1", json!([bytes, zstd]))]
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let dir = tempfile::tempdir().unwrap();
    let places = [
        ("memory", Location::Memory("shard-bench".to_owned())),
        ("files", Location::Path(dir.path().to_owned())),
    ];
    for (place_name, place) in &places {
        let mut group = criterion.benchmark_group(format!("shard-{place_name}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
        for (codec, list) in codecs() {
            for (count, elements) in SHARDS {
                let mut shard = Shard::new(place, &list, (count, elements));
                let id = |what: &str| BenchmarkId::new(what, format!("{codec}-{count}-inner"));
                group.throughput(Throughput::Bytes(count * elements * 4));
                group.bench_function(id("write"), |bencher| {
                    bencher.iter_custom(|times| (0..times).map(|_| shard.write_anew()).sum());
                });
                let all = shard.numbers();
                group.bench_function(id("read"), |bencher| bencher.iter(|| shard.read(&all, |_, _| {})));
                group.throughput(Throughput::Bytes(elements * 4));
                group.bench_function(id("read-one"), |bencher| {
                    bencher.iter(|| shard.read(&[count / 3], |_, _| {}));
                });
                group.throughput(Throughput::Bytes(count * 16));
                group.bench_function(id("open"), |bencher| bencher.iter(|| shard.open()));
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
