//! Rechunks a survey into some shapes of chunks, and prints what reading one object and one epoch costs in each:
//! `cargo run -p zarrange-rechunk --example sweep`.

mod survey;

use std::error::Error;

use zarrange_rechunk::{Location, NoProgress, Node, ReadCost, Region, Request, open, prepare, run};

const OBJECTS: u64 = 2000;
const EPOCHS: u64 = 100;

/// Chunks as a survey writes them, two shapes in between, and chunks of whole light curves.
const SHAPES: [&str; 4] = ["-1,1", "500,4", "50,-1", "1,-1"];

fn main() -> Result<(), Box<dyn Error>> {
    let source: Location = "memory://survey".parse()?;
    survey::write(&source, OBJECTS, EPOCHS)?;

    println!("{:>8} {:>22} {:>22}", "chunk", "one object", "one epoch");
    let mut costs = Vec::new();
    for shape in SHAPES {
        let target: Location = format!("memory://sweep/{shape}").parse()?;
        let request = Request::new(source.clone(), target.clone()).chunks(shape)?.within(64 << 20);
        run(prepare(request)?, &NoProgress)?;

        let object = read(&target, &Region::new(vec![OBJECTS / 2, 0], vec![1, EPOCHS]))?;
        let epoch = read(&target, &Region::new(vec![0, EPOCHS / 2], vec![OBJECTS, 1]))?;
        let text = |cost: ReadCost| format!("{} reads, {} bytes", cost.requests, cost.bytes);
        println!("{shape:>8} {:>22} {:>22}", text(object), text(epoch));
        costs.push((object, epoch));
    }

    // No shape is best for both: where an object takes one chunk of its own, an epoch takes all of them.
    let chunks: Vec<(u64, u64)> = costs.iter().map(|(object, epoch)| (object.chunks, epoch.chunks)).collect();
    assert_eq!(chunks, [(EPOCHS, 1), (25, 4), (1, 40), (1, OBJECTS)]);
    Ok(())
}

/// What reading `region` of the array at `place` costs.
fn read(place: &Location, region: &Region) -> Result<ReadCost, Box<dyn Error>> {
    let Node::Array(array) = open(&place.open()?)? else { return Err("a group has no elements".into()) };
    let (_, cost) = array.read_region(region)?;
    Ok(cost)
}
