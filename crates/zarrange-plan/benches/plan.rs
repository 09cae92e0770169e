//! Planning the hard cases, the largest with 10^13 elements and more.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;
use std::time::Duration;

use criterion::Criterion;
use zarrange_plan::plan;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    for (name, problem) in support::hard_cases() {
        group.bench_function(name, |bencher| bencher.iter(|| black_box(plan(black_box(&problem)))));
    }
    group.finish();
    criterion.final_summary();
}
