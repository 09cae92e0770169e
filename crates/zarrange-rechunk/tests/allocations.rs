//! The engine's hot path allocates for batches and tiles, not for chunks.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; an allocator is unsafe")]

#[path = "../../zarrange-io/tests/support/counted.rs"]
mod counted;

use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_grid::Region;
use zarrange_io::{Location, Opener};
use zarrange_rechunk::{ChunkSpec, Codecs, Durability, Named, NoProgress, Request, prepare, run};

/// Allocations of rechunking `rows` x 64 elements from rows to columns of 64 rows, and the chunks read and written.
fn allocations(rows: u64, io: &Opener) -> (u64, u64) {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let place = |name: &str| Location::Path(dir.path().join(name));
    let none = Layout { chunk: Vec::new(), shard: None, codecs: Vec::new() };
    let document = Document::new(&ArraySpec {
        shape: vec![rows, 64],
        data_type: "float32",
        fill_value: json!(0.0),
        layout: Layout { chunk: vec![1, 64], shard: None, codecs: Codecs::Zstd(1).resolve(&none, 4) },
        dimension_names: vec!["row", "column"],
        attributes: Map::new(),
    });
    std::fs::create_dir(dir.path().join("source")).unwrap();
    let array = Array::new(io.open(&place("source")).unwrap(), document, 3).unwrap();
    let data: Vec<u8> = (0..rows * 64).flat_map(|k| u32::try_from(k).unwrap().to_ne_bytes()).collect();
    array.write_region(&Region::whole(array.shape()), &data).unwrap();
    array.write_metadata().unwrap();
    let job = Request {
        chunks: vec![Named { array: None, spec: ChunkSpec::Sizes(vec![64, 1]) }],
        memory_bytes_max: 64 << 20,
        threads: 1,
        durability: Durability::None,
        io: io.clone(),
        ..Request::new(place("source"), place("target"))
    };
    let prepared = prepare(job).unwrap();
    (counted::allocations(|| drop(run(prepared, &NoProgress).unwrap())), 2 * rows)
}

/// The only test of its binary, for other tests would allocate meanwhile.
#[test]
fn chunks_are_moved_without_allocating() {
    for (name, io) in [("std", Opener::default()), ("io_uring", Opener::io_uring().unwrap())] {
        let (few, some_chunks) = allocations(640, &io);
        let (more, more_chunks) = allocations(2560, &io);
        let (extra, chunks) = (more.saturating_sub(few), more_chunks - some_chunks);
        assert!(extra * 10 < chunks, "{name}: {extra} more allocations for {chunks} more chunks");
    }
}
