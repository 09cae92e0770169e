//! Rechunks a survey within a fixed memory, and compares every value before the target appears:
//! `cargo run -p zarrange-rechunk --example rechunk`.

mod survey;

use std::error::Error;
use std::fs;

use zarrange_rechunk::{Location, NoProgress, Request, Verify, prepare, run};

const OBJECTS: u64 = 2000;
const EPOCHS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let [source, target] = ["by-epoch.zarr", "by-object.zarr"].map(|name| folder.path().join(name));
    fs::create_dir(&source)?;
    let (source, target) = (Location::Path(source), Location::Path(target));
    survey::write(&source, OBJECTS, EPOCHS)?;

    // Chunks of 20 objects at all epochs, in shards of 500 objects: a light curve lies in one chunk, and the array in four files.
    let request = Request::new(source, target)
        .chunks("object=20,epoch=-1")?
        .shards("object=500,epoch=-1")?
        .within(4 << 20)
        .verified(Verify::Full);
    let report = run(prepare(request)?, &NoProgress)?;

    let counts = &report.cost.counts;
    println!(
        "{}: {} bytes read, {} written in {} chunks, {} of {} bytes of memory, every value compared",
        report.cost.strategy,
        counts.bytes_read,
        counts.bytes_written,
        counts.target_chunks,
        report.cost.peak_budget_bytes,
        4 << 20,
    );
    assert!(report.verified);
    assert_eq!(counts.target_chunks, OBJECTS / 20);
    Ok(())
}
