//! Decoding and encoding of typical chunks, by each codec.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use serde_json::{Value, json};
use zarrange_codec::{Chain, CodecMetadata, ElementType, Scratch};

/// A chunk of 4-byte elements.
struct Chunk {
    name: &'static str,
    data_type: &'static str,
    shape: [u64; 2],
    data: Vec<u8>,
}

/// Measured magnitudes of `shape` (objects, epochs): noise in the lower bits, little in the upper ones.
fn photometry(name: &'static str, shape: [u64; 2]) -> Chunk {
    let mut noise = noise();
    let elements = (0..shape[0]).flat_map(|object| std::iter::repeat_n(object, shape[1].try_into().unwrap()));
    let magnitude = |object: u64| {
        let brightness = f32::from(u8::try_from(object * 37 % 256).unwrap()) / 64.0;
        // The sum of four is nearly normal.
        let error: f32 = (0..4).map(|_| f32::from(noise()) / 65536.0 - 0.5).sum();
        18.0 + brightness + 0.05 * error
    };
    let data = elements.map(magnitude).flat_map(f32::to_ne_bytes).collect();
    Chunk { name, data_type: "float32", shape, data }
}

/// Numbers of detections: small integers that seldom change.
fn counts(name: &'static str, shape: [u64; 2]) -> Chunk {
    let mut noise = noise();
    let mut count = 0u32;
    let data = (0..shape[0] * shape[1]).flat_map(|_| {
        count = (count + u32::from(noise() < 2000)) % 1000;
        count.to_ne_bytes()
    });
    Chunk { name, data_type: "uint32", shape, data: data.collect() }
}

/// The upper bits of a linear congruential generator.
fn noise() -> impl FnMut() -> u16 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        u16::from_be_bytes([state.to_be_bytes()[0], state.to_be_bytes()[1]])
    }
}

/// Codec lists by name.
fn lists() -> Vec<(String, Value)> {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    let mut out = vec![
        ("none".to_owned(), json!([bytes])),
        ("big-endian".to_owned(), json!([{"name": "bytes", "configuration": {"endian": "big"}}])),
        ("transpose".to_owned(), json!([{"name": "transpose", "configuration": {"order": [1, 0]}}, bytes])),
        ("crc32c".to_owned(), json!([bytes, {"name": "crc32c"}])),
    ];
    for level in [1, 3, 9] {
        let codec = json!({"name": "zstd", "configuration": {"level": level, "checksum": false}});
        out.push((format!("zstd-{level}"), json!([bytes, codec])));
    }
    for level in [1, 6] {
        let codec = json!({"name": "gzip", "configuration": {"level": level}});
        out.push((format!("gzip-{level}"), json!([bytes, codec])));
    }
    for cname in ["lz4", "zstd", "blosclz"] {
        for shuffle in ["noshuffle", "shuffle", "bitshuffle"] {
            let codec = json!({"name": "blosc", "configuration": {
                "cname": cname, "clevel": 5, "shuffle": shuffle, "typesize": 4, "blocksize": 0}});
            out.push((format!("blosc-{cname}-{shuffle}"), json!([bytes, codec])));
        }
    }
    out
}

/// A codec list for a chunk, with the buffers of a thread that runs it.
struct Thread {
    chain: Chain,
    scratch: Scratch,
    plain: Vec<u8>,
    encoded: Vec<u8>,
    encoded_bytes: usize,
}

impl Thread {
    fn new(chunk: &Chunk, list: &Value) -> Self {
        let metadata = CodecMetadata::new(chunk.data_type);
        let element = ElementType::new(&metadata).unwrap();
        let codecs: Vec<CodecMetadata> = serde_json::from_value(list.clone()).unwrap();
        let chain = Chain::new(&codecs, &element, &chunk.shape, &[0; 4]).unwrap();
        assert!(!chain.is_fallback(), "{list} is ours");
        let (plain, encoded) = (vec![0; chain.chunk_bytes()], vec![0; chain.encoded_bytes_max()]);
        let mut thread = Self { scratch: Scratch::new(&chain), chain, plain, encoded, encoded_bytes: 0 };
        thread.encode(&chunk.data);
        thread.decode();
        assert!(thread.plain == chunk.data, "{list} gives the chunk back");
        thread
    }

    fn encode(&mut self, data: &[u8]) {
        self.encoded_bytes =
            self.chain.encode(black_box(data), &mut self.encoded, &mut self.scratch).unwrap();
    }

    fn decode(&mut self) {
        let stored = black_box(&self.encoded[..self.encoded_bytes]);
        self.chain.decode(stored, &mut self.plain, &mut self.scratch).unwrap();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let chunks = [
        photometry("photometry-128KiB", [256, 128]),
        photometry("photometry-1MiB", [1024, 256]),
        counts("counts-1MiB", [1024, 256]),
    ];
    for chunk in &chunks {
        let mut group = criterion.benchmark_group(chunk.name);
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
        group.throughput(Throughput::Bytes(chunk.data.len() as u64));
        for (name, list) in lists() {
            let mut thread = Thread::new(chunk, &list);
            println!("{} {name}: {} bytes become {}", chunk.name, chunk.data.len(), thread.encoded_bytes);
            group.bench_function(format!("{name}/decode"), |bencher| bencher.iter(|| thread.decode()));
            group.bench_function(format!("{name}/encode"), |bencher| {
                bencher.iter(|| thread.encode(&chunk.data));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
