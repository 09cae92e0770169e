//! Digests of chunks, by how their elements lie in the array. Throughput counts each byte once.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use zarrange_grid::{Digester, Region, Strides};

/// Light curves: objects, epochs and two values.
const SHAPE: [u64; 3] = [1_000_000, 1000, 2];

/// Chunks of it, within L2, and one beyond the caches.
const CHUNKS: [(&str, [u64; 3]); 6] = [
    ("objects", [64, 1000, 2]),
    ("epoch", [65_536, 1, 2]),
    ("epoch of one value", [65_536, 1, 1]),
    ("five epochs, large", [1_000_000, 5, 2]),
    ("blocks", [256, 128, 2]),
    ("blocks of one value", [256, 128, 1]),
];

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for item in [2_u8, 4, 8, 16] {
        let mut group = criterion.benchmark_group(format!("digest/{item} bytes"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10);
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
        let digester = Digester::new(&SHAPE, &vec![0; usize::from(item)]);
        for (name, chunk) in CHUNKS {
            let strides = Strides::c_order(Region::whole(&chunk), item.into());
            let data: Vec<u8> = (0..strides.bytes()).map(|k| (k * 167).to_le_bytes()[1]).collect();
            group.throughput(Throughput::Bytes(strides.bytes()));
            group.bench_function(name, |bench| {
                bench.iter(|| digester.sum(strides.region(), black_box(&data), &strides));
            });
        }
    }
    criterion.final_summary();
}
