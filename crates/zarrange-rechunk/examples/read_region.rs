//! Reads the light curve of one object, and what that costs:
//! `cargo run -p zarrange-rechunk --example read_region`.

mod survey;

use std::error::Error;

use zarrange_rechunk::{Location, Node, Region, RegionReader, open};

const OBJECTS: u64 = 1000;
const EPOCHS: u64 = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let place: Location = "memory://survey".parse()?;
    survey::write(&place, OBJECTS, EPOCHS)?;

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
