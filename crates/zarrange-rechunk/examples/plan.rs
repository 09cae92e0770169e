//! Plans a job with much memory and with little, and prints what would be done. Nothing is written:
//! `cargo run -p zarrange-rechunk --example plan`.

use std::error::Error;

use serde_json::Map;
use zarrange_rechunk::{
    Array, ArraySpec, Bytes, Codecs, Document, Layout, Location, Region, Request, prepare,
};

const OBJECTS: u64 = 2000;
const EPOCHS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let source: Location = "memory://by-epoch".parse()?;
    let target: Location = "memory://by-object".parse()?;
    make_survey(&source)?;

    for memory in ["64MiB", "200kB"] {
        let memory: Bytes = memory.parse()?;
        let request = Request::new(source.clone(), target.clone())
            .chunks("object=1,epoch=-1")?
            .codecs("blosc:zstd")?
            .within(memory.into());
        let prepared = prepare(Request { threads: 1, ..request })?;
        println!("within {memory}:\n{prepared}\n");

        // A run counts chunks, bytes and requests, too: it must count what is predicted here.
        let predicted = prepared.predicted().cost;
        assert!(predicted.peak_budget_bytes <= memory.into());
        assert_eq!(predicted.counts.target_chunks, OBJECTS);
    }
    assert!(!target.exists()?);
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
