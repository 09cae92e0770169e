//! Plans a job with much memory and with little, and prints what would be done. Nothing is written:
//! `cargo run -p zarrange-rechunk --example plan`.

mod survey;

use std::error::Error;

use zarrange_rechunk::{Bytes, Location, Request, prepare};

const OBJECTS: u64 = 2000;
const EPOCHS: u64 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let source: Location = "memory://by-epoch".parse()?;
    let target: Location = "memory://by-object".parse()?;
    survey::write(&source, OBJECTS, EPOCHS)?;

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
