//! What the examples work on: how an array is made.

use std::error::Error;

use serde_json::Map;
use zarrange_rechunk::{Array, ArraySpec, Codecs, Document, Layout, Location, Region};

/// Counts of photons of each object at each epoch, in chunks of one epoch, as a telescope writes them. They are 1, 2, 3, ... in C order.
pub(crate) fn write(place: &Location, objects: u64, epochs: u64) -> Result<(), Box<dyn Error>> {
    let layout = Layout { chunk: vec![objects, 1], shard: None, codecs: Vec::new() };
    let document = Document::new(&ArraySpec {
        shape: vec![objects, epochs],
        data_type: "uint64",
        fill_value: 0.into(),
        layout: Layout { codecs: Codecs::Zstd(3).resolve(&layout, 8), ..layout },
        dimension_names: vec!["object", "epoch"],
        attributes: Map::new(),
    });
    let counts: Vec<u8> = (1..=objects * epochs).flat_map(u64::to_ne_bytes).collect();
    let array = Array::new(place.open()?, document, 3)?;
    array.write_region(&Region::whole(array.shape()), &counts)?;
    Ok(array.write_metadata()?)
}
