//! `zarrange verify`.

use std::process::ExitCode;

use serde_json::json;
use zarrange_rechunk::Comparison;

use crate::args::VerifyArgs;
use crate::backend::opener;
use crate::out::{note, one_line, say};
use crate::progress::Bar;

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let reading = &args.reading;
    let (means, bar) = (reading.means()?, Bar::new(reading.told.progress));
    let io = opener(reading.io)?;
    let places = (&args.a, &args.b);
    let Comparison { difference, not_compared } =
        zarrange_rechunk::verify(places, &io, means, args.nan_payloads, &bar)?;
    drop(bar);
    for line in &not_compared {
        note!("{}", one_line(line));
    }
    if reading.told.json {
        let text = difference.as_ref().map(ToString::to_string);
        let backend = io.open(&args.a)?.backend();
        say!(
            "{}",
            json!({
                "equal": difference.is_none(),
                "difference": text,
                "not_compared": not_compared,
                "backend": backend,
            })
        );
    } else if let Some(difference) = &difference {
        say!("different: {}", one_line(&difference.to_string()));
    } else {
        say!("equal: {}", one_line(&format!("{} and {}", args.a, args.b)));
    }
    Ok(if difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
