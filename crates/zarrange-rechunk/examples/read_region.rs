//! Reads the light curve of one object, and what that costs:
//! `cargo run -p zarrange-rechunk --example read_region`.

use std::error::Error;

use serde_json::Map;
use zarrange_rechunk::{
    Array, ArraySpec, Codecs, Document, Layout, Location, Node, Region, RegionReader, open,
};

const OBJECTS: u64 = 1000;
const EPOCHS: u64 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let place: Location = "memory://survey".parse()?;
    make_survey(&place)?;

    // A group or an array lies at a place: here it is an array.
    let Node::Array(array) = open(&place.open()?)? else { return Err("a group has no elements".into()) };

    // A reader keeps its buffers and open shards, for many regions.
    let mut reader = RegionReader::new(&array)?;
    let object = 7;
    let curve = Region::new(vec![object, 0], vec![1, EPOCHS]);
    let mut counts = vec![0; 8 * usize::try_from(curve.elements())?];
    reader.read_into(&curve, &mut counts)?;
    let (counts, _) = counts.as_chunks();
    let counts: Vec<u64> = counts.iter().copied().map(u64::from_ne_bytes).collect();

    let cost = reader.cost();
    println!("object {object}: {counts:?}");
    println!("{} chunks and {} bytes were read, because a chunk is one epoch", cost.chunks, cost.bytes);
    let expected: Vec<u64> = (1..=EPOCHS).map(|epoch| object * EPOCHS + epoch).collect();
    assert_eq!(counts, expected);
    assert_eq!(cost.chunks, EPOCHS);
    Ok(())
}

/// Counts of photons: 1,000 objects at 50 epochs, in chunks of one epoch, as a telescope writes them.
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
