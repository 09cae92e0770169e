//! Copies between layouts, by element size, stride and size of the region; and fill values.
//!
//! Throughput counts each byte once. `contiguous` is what the memory gives: no other copy can be faster.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use zarrange_grid::{
    ChunkGrid, Dims, Region, Strides, Tile, copy_region, copy_strided, fill_with, index, is_filled,
};

const ITEMS: [u64; 5] = [1, 2, 4, 8, 16];
/// Within L1 or L2, and beyond the caches.
const SIZES: [(&str, u64); 2] = [("64KiB", 64 << 10), ("16MiB", 16 << 20)];
/// Bytes between the lines of an array: a power of two, so that a column falls into few sets of a cache, or one cache
/// line more.
const PADS: [(&str, u64); 2] = [("", 0), ("-padded", 64)];

fn group<'c>(criterion: &'c mut Criterion, name: &str) -> BenchmarkGroup<'c, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group
}

/// Bytes that differ from their neighbours.
fn noise(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|k| (k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56).to_le_bytes()[0]).collect()
}

/// One strided copy.
struct Copy {
    shape: Dims,
    item: u64,
    src: Vec<u8>,
    src_strides: Dims,
    dst: Vec<u8>,
    dst_strides: Dims,
}

impl Copy {
    fn new(shape: &[u64], item: u64, src_strides: Dims, dst_strides: Dims) -> Self {
        let extent = |strides: &Dims| item + shape.iter().zip(strides).map(|(n, s)| (n - 1) * s).sum::<u64>();
        let (src, dst) = (noise(extent(&src_strides)), vec![0; index(extent(&dst_strides))]);
        let mut copy = Self { shape: shape.into(), item, src, src_strides, dst, dst_strides };
        copy.run();
        copy.check();
        copy
    }

    fn run(&mut self) {
        let src = (black_box(&self.src[..]), &self.src_strides[..]);
        copy_strided(&self.shape, src, (&mut self.dst, &self.dst_strides), index(self.item));
    }

    /// What was copied is what element by element would be.
    fn check(&self) {
        let whole = Region::whole(&self.shape);
        let at = |point: &Dims, strides: &Dims| {
            let start = index(point.iter().zip(strides).map(|(i, s)| i * s).sum());
            start..start + index(self.item)
        };
        let same = (0..whole.elements())
            .map(|k| whole.unravel(k))
            .all(|point| self.src[at(&point, &self.src_strides)] == self.dst[at(&point, &self.dst_strides)]);
        assert!(same, "{:?} of {} bytes", self.shape, self.item);
    }

    fn bench(mut self, group: &mut BenchmarkGroup<'_, WallTime>, name: &str) {
        group.throughput(Throughput::Bytes(self.shape.iter().product::<u64>() * self.item));
        group.bench_function(name, |bencher| bencher.iter(|| self.run()));
    }
}

fn contiguous(criterion: &mut Criterion) {
    let mut group = group(criterion, "contiguous");
    for (size, bytes) in SIZES {
        Copy::new(&[bytes], 1, [1].into_iter().collect(), [1].into_iter().collect()).bench(&mut group, size);
    }
    group.finish();
}

/// The region of a source whose rows become columns.
fn transposes(criterion: &mut Criterion) {
    let mut group = group(criterion, "transpose-2d");
    for item in ITEMS {
        for (size, bytes) in SIZES {
            for (padding, pad) in PADS {
                // A power of two, and twice that where the bytes are no square.
                let rows = 1 << ((bytes / item).ilog2() / 2);
                let columns = bytes / item / rows;
                let src = [columns * item + pad, item].into_iter().collect();
                let dst = [item, rows * item].into_iter().collect();
                let copy = Copy::new(&[rows, columns], item, src, dst);
                copy.bench(&mut group, &format!("{item}B-{size}{padding}"));
            }
        }
    }
    group.finish();
}

/// Every other order of three axes, of a chunk of 3 MiB.
fn axis_moves(criterion: &mut Criterion) {
    let mut group = group(criterion, "axes-3d-4B");
    let region = Region::whole(&[64, 128, 96]);
    for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (from, to) = (Strides::c_order(region.clone(), 4), Strides::ordered(region.clone(), &order, 4));
        let name = order.map(|axis| axis.to_string()).concat();
        Copy::new(region.shape(), 4, from.of_axes().into(), to.of_axes().into()).bench(&mut group, &name);
    }
    group.finish();
}

/// A block inside a larger array: lines of `bytes` between strides on both sides.
fn lines(criterion: &mut Criterion) {
    let mut group = group(criterion, "lines");
    for bytes in [16, 64, 256, 4096] {
        let (whole, part) =
            (Region::whole(&[4096, 2 * bytes]), Region::new(&[0, bytes][..], &[4096, bytes][..]));
        let (from, to) = (Strides::c_order(whole, 1), Strides::c_order(part.clone(), 1));
        let (src, mut dst) = (noise(from.bytes()), vec![0; index(to.bytes())]);
        let mut run = || copy_region(&part, (black_box(&src), &from), (&mut dst, &to), 1);
        run();
        group.throughput(Throughput::Bytes(to.bytes()));
        group.bench_function(format!("{bytes}B"), |bencher| bencher.iter(&mut run));
        let expected = src.chunks(index(2 * bytes)).flat_map(|line| &line[index(bytes)..]);
        assert!(dst.iter().eq(expected), "lines of {bytes} bytes");
    }
    group.finish();
}

/// Chunks of one epoch of all objects, gathered into a tile of whole light curves.
fn gathers(criterion: &mut Criterion) {
    let mut group = group(criterion, "gather-by-object");
    for (objects, epochs, item) in [(1000, 32, 4), (1000, 500, 4), (1000, 500, 8), (20_000, 500, 4)] {
        let shape = [objects, epochs, 2];
        let grid = ChunkGrid::new(&shape, &[objects, 1, 2]).unwrap();
        let strides = Strides::c_order(Region::whole(&shape), item);
        // One chunk stands for all: what is read stays in the cache, as after decoding.
        let chunk = noise(objects * 2 * item);
        let fill = |buffer: Vec<u8>| -> Vec<u8> {
            let tile = Tile::new(buffer, strides.clone(), grid.clone(), index(item));
            for epoch in 0..epochs {
                let cell = Strides::c_order(grid.cell(&[0, epoch, 0]), item);
                tile.claim(&[0, epoch, 0]).copy_from(black_box(&chunk), &cell);
            }
            assert!(tile.filled().is_some());
            tile.into_buffer()
        };
        let mut buffer = fill(vec![0; index(strides.bytes())]);
        let (pair, curve) = (index(2 * item), index(epochs * 2 * item));
        let curves = buffer.chunks(curve).zip(chunk.chunks(pair));
        assert!(curves.into_iter().all(|(curve, pair)| is_filled(curve, pair)), "every epoch arrived");
        group.throughput(Throughput::Bytes(strides.bytes()));
        group.bench_function(format!("{objects}x{epochs}x2-{item}B"), |bencher| {
            bencher.iter(|| buffer = fill(std::mem::take(&mut buffer)));
        });
    }
    group.finish();
}

/// Fill values over a chunk of 1 MiB.
fn fills(criterion: &mut Criterion) {
    let mut group = group(criterion, "fill-1MiB");
    group.throughput(Throughput::Bytes(1 << 20));
    let mut data = vec![1; 1 << 20];
    for item in ITEMS {
        // Bytes that differ, as those of most fill values; bytes that are all the same are written at once.
        for (name, pattern) in [("", noise(item + 1)[1..].to_vec()), ("-zeros", vec![0; index(item)])] {
            group.bench_function(format!("fill_with-{item}B{name}"), |bencher| {
                bencher.iter(|| fill_with(&mut data, black_box(&pattern)));
            });
            assert!(data.chunks(index(item)).all(|element| element == pattern));
            group.bench_function(format!("is_filled-{item}B{name}"), |bencher| {
                bencher.iter(|| assert!(is_filled(black_box(&data), &pattern)));
            });
        }
    }
    // Chunks of other values are recognised at their start.
    data[0] ^= 1;
    group.throughput(Throughput::Elements(1));
    group.bench_function("is_filled-not", |bencher| {
        bencher.iter(|| assert!(!is_filled(black_box(&data), &[0; 4])));
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    contiguous(&mut criterion);
    lines(&mut criterion);
    transposes(&mut criterion);
    axis_moves(&mut criterion);
    gathers(&mut criterion);
    fills(&mut criterion);
    criterion.final_summary();
}
