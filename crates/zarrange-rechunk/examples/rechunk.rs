//! Rechunks a survey within a fixed memory, and compares every value before the target appears:
//! `cargo run -p zarrange-rechunk --example rechunk`.

use std::error::Error;
use std::fs;

use serde_json::Map;
use zarrange_rechunk::{
    Array, ArraySpec, Codecs, Document, Layout, Location, NoProgress, Region, Request, Verify, prepare, run,
};

const OBJECTS: u64 = 2000;
const EPOCHS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let [source, target] = ["by-epoch.zarr", "by-object.zarr"].map(|name| folder.path().join(name));
    fs::create_dir(&source)?;
    let (source, target) = (Location::Path(source), Location::Path(target));
    make_survey(&source)?;

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

/// Counts of photons: 2,000 objects at 100 epochs, in chunks of one epoch, as a telescope writes them.
fn make_survey(place: &Location) -> Result<(), Box<dyn Error>> {
    let layout = Layout { chunk: vec![OBJECTS, 1], shard: None, codecs: Vec::new() };
    let document = Document::new(&ArraySpec {
        shape: vec![OBJECTS, EPOCHS],
        data_type: "uint64",
        fill_value: 0.into(),
        layout: Layout { codecs: Codecs::Zstd(3).resolve(&layout, 8), ..layout },
        dimension_names: vec!["object", "epoch"],
        attributes: Map::new(),
    });
    let counts: Vec<u8> = (1..=OBJECTS * EPOCHS).flat_map(u64::to_ne_bytes).collect();
    let array = Array::new(place.open()?, document, 3)?;
    array.write_region(&Region::whole(array.shape()), &counts)?;
    Ok(array.write_metadata()?)
}
