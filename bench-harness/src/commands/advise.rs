//! `zarrange-bench advise`.

use bench_harness::advise::ask::{AdviseArgs, Usage};
use bench_harness::advise::{advise, text};
use bench_harness::say;

pub(crate) fn run(args: AdviseArgs) -> anyhow::Result<()> {
    let json = args.json;
    let advice = match args.resolve().and_then(|ask| advise(&ask)) {
        Err(error) if error.is::<Usage>() => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
        other => other?,
    };
    let said = if json { serde_json::to_string_pretty(&advice)? } else { text::text(&advice) };
    say!("{said}");
    Ok(())
}
