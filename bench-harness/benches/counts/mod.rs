//! One tile: chunks of one epoch of all objects become chunks of all epochs of a few objects.

use std::hint::black_box;

use gungraun::prelude::*;
use serde_json::json;
use zarrange_codec::{Chain, CodecMetadata, ElementType, Scratch};
use zarrange_grid::{ChunkGrid, Region, Strides, Tile, copy_region};

/// Objects, epochs, and magnitude with its error: 4 MB of float32.
const SHAPE: [u64; 3] = [1000, 500, 2];
const FROM: [u64; 3] = [1000, 1, 2];
const TO: [u64; 3] = [16, 500, 2];
const ITEM_BYTES: usize = 4;

/// Chunks of one shape, with a thread's buffers.
struct Chunks {
    grid: ChunkGrid,
    chain: Chain,
    scratch: Scratch,
    plain: Vec<u8>,
    encoded: Vec<u8>,
}

impl Chunks {
    fn new(shape: &[u64]) -> Self {
        let metadata = CodecMetadata::new("float32");
        let element = ElementType::new(&metadata).expect("float32 is known");
        let codecs: Vec<CodecMetadata> = serde_json::from_value(json!([
            {"name": "bytes", "configuration": {"endian": "little"}},
            {"name": "zstd", "configuration": {"level": 3, "checksum": false}},
        ]))
        .expect("a codec list");
        let chain = Chain::new(&codecs, &element, shape, &[0; ITEM_BYTES]).expect("a valid list");
        Self {
            grid: ChunkGrid::new(&SHAPE, shape).expect("a valid grid"),
            scratch: Scratch::new(&chain),
            plain: vec![0; chain.chunk_bytes()],
            encoded: vec![0; chain.encoded_bytes_max()],
            chain,
        }
    }

    fn strides(&self, chunk: &[u64]) -> Strides {
        Strides::c_order(self.grid.cell(chunk), ITEM_BYTES as u64)
    }

    /// Encodes what is in `plain`; the bytes.
    fn encode(&mut self) -> usize {
        self.chain.encode(&self.plain, &mut self.encoded, &mut self.scratch).expect("it was encoded before")
    }

    fn decode(&mut self, stored: &[u8]) {
        self.chain.decode(stored, &mut self.plain, &mut self.scratch).expect("it was encoded before");
    }
}

/// The work on one tile, its contexts warm.
struct Work {
    from: Chunks,
    to: Chunks,
    stored: Vec<Vec<u8>>,
    buffer: Vec<u8>,
    strides: Strides,
}

impl Work {
    fn new() -> Self {
        let (mut from, mut to) = (Chunks::new(&FROM), Chunks::new(&TO));
        let strides = Strides::c_order(Region::whole(&SHAPE), ITEM_BYTES as u64);
        let mut buffer = magnitudes();
        let mut stored = Vec::new();
        for epoch in 0..SHAPE[1] {
            let chunk = from.strides(&[0, epoch, 0]);
            copy_region(chunk.region(), (&buffer, &strides), (&mut from.plain, &chunk), ITEM_BYTES);
            let bytes = from.encode();
            stored.push(from.encoded[..bytes].to_vec());
        }
        from.decode(&stored[0]);
        let chunk = to.strides(&[0; 3]);
        copy_region(chunk.region(), (&buffer, &strides), (&mut to.plain, &chunk), ITEM_BYTES);
        to.encode();
        // What the check finds was scattered.
        buffer.fill(0);
        Self { from, to, stored, buffer, strides }
    }

    fn tile(&mut self) -> Tile {
        let buffer = std::mem::take(&mut self.buffer);
        Tile::new(buffer, self.strides.clone(), self.from.grid.clone(), ITEM_BYTES)
    }

    fn scatter(&self, tile: &Tile, epoch: u64) {
        let chunk = [0, epoch, 0];
        tile.claim(&chunk).copy_from(&self.from.plain, &self.from.strides(&chunk));
    }

    /// Encodes the chunks that a filled tile covers; the bytes of all.
    fn drain(&mut self, tile: &[u8]) -> usize {
        let mut bytes = 0;
        for objects in 0..self.to.grid.counts()[0] {
            let chunk = self.to.strides(&[objects, 0, 0]);
            let part = self.to.grid.region(&[objects, 0, 0]);
            copy_region(&part, (tile, &self.strides), (&mut self.to.plain, &chunk), ITEM_BYTES);
            bytes += self.to.encode();
        }
        bytes
    }
}

/// Measured magnitudes: noise in the lower bits, little in the upper ones.
fn magnitudes() -> Vec<u8> {
    let noise = |k: u64| k.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let magnitude = |k| 18.0 + f32::from(u16::from_be_bytes([noise(k)[0], noise(k)[1]])) / 65536.0;
    (0..SHAPE.iter().product()).flat_map(|k| magnitude(k).to_ne_bytes()).collect()
}

#[library_benchmark(setup = Work::new)]
#[bench::chunk()]
fn decode(mut work: Work) -> Work {
    let stored = std::mem::take(&mut work.stored[0]);
    work.from.decode(black_box(&stored));
    work
}

#[library_benchmark(setup = with_tile)]
#[bench::chunk()]
fn scatter((work, tile): (Work, Tile)) -> (Work, Tile) {
    work.scatter(black_box(&tile), black_box(0));
    (work, tile)
}

fn with_tile() -> (Work, Tile) {
    let mut work = Work::new();
    let tile = work.tile();
    (work, tile)
}

#[library_benchmark(setup = Work::new)]
#[bench::chunk()]
fn encode(mut work: Work) -> (usize, Work) {
    (work.to.encode(), work)
}

// The whole tile, as the engine moves it.
#[library_benchmark(setup = Work::new, teardown = check)]
#[bench::whole()]
fn tile(mut work: Work) -> (Vec<u8>, usize) {
    let tile = work.tile();
    for (epoch, stored) in (0..).zip(std::mem::take(&mut work.stored)) {
        work.from.decode(black_box(&stored));
        work.scatter(&tile, epoch);
    }
    let bytes = work.drain(tile.filled().expect("every chunk was scattered").data);
    (tile.into_buffer(), bytes)
}

fn check((tile, bytes): (Vec<u8>, usize)) {
    assert!(tile == magnitudes(), "every element is where it was");
    assert!(bytes < tile.len(), "the chunks are smaller than the tile");
}

library_benchmark_group!(name = work, benchmarks = [decode, scatter, encode, tile]);
main!(library_benchmark_groups = work);

/// Runs what the macro above made.
pub(crate) fn run() {
    main();
}
