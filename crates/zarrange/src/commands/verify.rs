//! `zarrange verify`.

use std::process::ExitCode;

use serde_json::json;

use crate::args::VerifyArgs;
use crate::backend::opener;
use crate::memory;
use crate::progress::Bar;

pub(crate) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let max_mem = args.max_mem.unwrap_or_else(memory::default_max);
    let threads = args.threads.unwrap_or_else(memory::threads);
    let bar = Bar::new(args.progress);
    let io = opener(args.io)?;
    let difference = zarrange_rechunk::verify((&args.a, &args.b), &io, max_mem, threads, &bar)?;
    drop(bar);
    if args.json {
        let text = difference.as_ref().map(ToString::to_string);
        let backend = io.open(&args.a)?.backend();
        println!("{}", json!({"equal": difference.is_none(), "difference": text, "backend": backend}));
    } else if let Some(difference) = &difference {
        println!("different: {difference}");
    } else {
        println!("equal: {} and {}", args.a, args.b);
    }
    Ok(if difference.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
