//! The bytes of every way, as they were recorded: how the engine is built may change, what it writes may not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::ways::{Case, SHAPE, cases, digest};
use support::{create, place};
use zarrange_plan::Counts;
use zarrange_rechunk::{NoProgress, prepare, run};

/// What came of a case, and what it counted.
fn recorded(case: &Case) -> String {
    let from = create(&SHAPE, &case.source);
    let line = |threads: u64| {
        let to = place();
        let report = run(prepare(case.request(&from, &to, threads)).unwrap(), &NoProgress).unwrap();
        assert_eq!(report.as_planned, Some(true), "{report:?}");
        let Counts { source_chunk_decodes, target_chunks, bytes_read, bytes_written, .. } =
            report.cost.counts;
        format!(
            "{}: {} decodes {source_chunk_decodes} chunks {target_chunks} read {bytes_read} written {bytes_written}",
            case.name(),
            digest(&to, true)
        )
    };
    let one = line(1);
    for threads in [2, 3] {
        assert_eq!(line(threads), one, "on {threads} threads");
    }
    one
}

/// With other libraries of the codecs, or where another layout of the bytes is wanted: `UPDATE=1` records them anew.
#[test]
fn every_way_writes_the_bytes_that_were_recorded() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bytes.txt");
    let found: Vec<String> = cases().iter().map(recorded).collect();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, found.join("\n") + "\n").unwrap();
    }
    let known = std::fs::read_to_string(path).unwrap_or_default();
    for (found, known) in found.iter().zip(known.lines()) {
        assert_eq!(found, known);
    }
    assert_eq!(found.len(), known.lines().count());
}
