//! Epoch and object reads over layouts and backends, warm, in useful bytes for each second. Names are stable: `critcmp` compares
//! commits by them. Amplification is printed beside.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::time::Duration;

use bench_harness::backend::{BACKENDS, opener};
use bench_harness::sweep::dataset::{Size, dataset};
use bench_harness::sweep::layout::layouts;
use bench_harness::sweep::record::{CacheState, Cell};
use bench_harness::sweep::stored::{predict, stored};
use bench_harness::sweep::workload::{Operation, Workload};
use bench_harness::{arrays, data};
use criterion::{Criterion, Throughput};
use zarrange_array::{Array, RegionReader};
use zarrange_grid::index;
use zarrange_io::Location;
use zarrange_plan::Reader;

/// Operations that take turns, so that not always the same chunk is read.
const OPERATIONS: u64 = 64;

fn main() {
    let dir = data::folder().unwrap();
    let survey = dataset("photometry", Some(Size { objects: 10_000, epochs: 100 }), &dir).unwrap();
    let mut criterion = Criterion::default().configure_from_args();
    for workload in ["epoch", "object"] {
        let kind = Workload::parse(workload).unwrap();
        let mut group = criterion.benchmark_group(workload);
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        for layout in layouts("quick", &survey.facts).unwrap() {
            let path = stored(&survey, &layout, &dir).unwrap().path;
            let operations = kind.operations(&survey.facts, &layout.chunk, OPERATIONS).unwrap();
            let bytes = operations[0].elements * survey.facts.item_bytes;
            let cell = Cell {
                dataset: survey.facts.clone(),
                layout: layout.clone(),
                workload: kind.clone(),
                operations: OPERATIONS,
                reader: Reader::Zarrange,
                backend: "std".to_owned(),
                cache: CacheState::Warm,
                latency_ms: 0,
            };
            let handled = predict(&path, &cell).unwrap().chunk_bytes;
            println!(
                "{workload} {}: {} array bytes for {bytes} useful ones",
                layout.name,
                handled / OPERATIONS
            );
            group.throughput(Throughput::Bytes(bytes));
            for backend in BACKENDS.iter().filter(|name| opener(name).is_ok()) {
                let array = arrays::open(&Location::Path(path.clone()), &opener(backend).unwrap()).unwrap();
                group.bench_function(format!("{}/{backend}", layout.name), |bencher| {
                    let mut read = reader(&array, &operations);
                    bencher.iter(&mut read);
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Reads the next operation each time it is called.
fn reader<'a>(array: &'a Array, operations: &'a [Operation]) -> impl FnMut() + 'a {
    let item_bytes = array.elements().unwrap().item_bytes();
    let mut reader = RegionReader::new(array).unwrap();
    let mut buffer = Vec::new();
    let mut next = operations.iter().cycle();
    move || {
        for region in &next.next().unwrap().regions {
            buffer.resize(index(region.elements()) * item_bytes, 0);
            reader.read_into(region, &mut buffer).unwrap();
        }
    }
}
