//! `zarrange digest`.

use std::process::ExitCode;

use serde_json::{Map, Value, json};
use zarrange_rechunk::{ArrayDigest, digest};

use crate::args::DigestArgs;
use crate::backend::opener;
use crate::hints::Options;
use crate::out::{fault, one_line, say};
use crate::progress::Bar;

pub(crate) fn run(args: &DigestArgs, options: &Options) -> anyhow::Result<ExitCode> {
    let reading = &args.reading;
    let (means, bar) = (reading.means()?, Bar::new(reading.told.progress));
    let digests = digest(&args.location, &opener(reading.io)?, means, &bar)?;
    drop(bar);
    let (mut told, mut failed) = (Map::new(), Map::new());
    for ArrayDigest { path, digest } in &digests {
        match digest {
            Ok(digest) if reading.told.json => drop(told.insert(path.clone(), digest.to_string().into())),
            Ok(digest) => say!("{digest}  {}", one_line(if path.is_empty() { "." } else { path })),
            Err(error) => {
                let why = options.of_rechunk(error);
                fault!("{path:?} has no digest: {}", one_line(&why));
                failed.insert(path.clone(), Value::from(why));
            }
        }
    }
    if reading.told.json {
        say!("{}", json!({ "digests": told, "failed": failed }));
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
