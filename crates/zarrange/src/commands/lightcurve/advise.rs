//! `zarrange lightcurve advise`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use zarrange_lightcurve::{AdviceOptions, LayoutAdvice, LightCurveStore};
use zarrange_plan::{Costs, bytes_text, seconds_text};
use zarrange_rechunk::{Weighed, WeighedRead, shell_path, shell_values};

use crate::args::lightcurve::LightcurveAdviseArgs;
use crate::backend::opener;
use crate::out::say;
use crate::{kept, memory, table};

pub(crate) fn run(args: &LightcurveAdviseArgs) -> anyhow::Result<ExitCode> {
    let memory_bytes_max = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), 1)?;
    let store = LightCurveStore::open(&args.store, &opener(args.io)?)?;
    let mix = args.mix.clone().map(|mix| mix.fixing(args.fix.clone().unwrap_or_default()));
    let (mix, reader) = (mix.as_ref(), args.reader);
    let place = args.profile.clone().or_else(|| kept::of(&args.store));
    let place = place.unwrap_or_else(|| Costs::default().source);
    let advice = store.advise(&AdviceOptions { mix, reader, place: &place, memory_bytes_max })?;
    let command = command(&args.store.to_string(), &advice);
    if args.json {
        let (store, profile) = (args.store.to_string(), &place.name);
        say!(
            "{}",
            json!({"store": store, "reader": reader, "profile": profile, "arrays": advice, "command": command})
        );
        return Ok(ExitCode::SUCCESS);
    }
    for advice in &advice {
        say!("{}\n{}", head(advice), layouts(advice));
        say!("on {}, for a reader of {}:\n{}", place.name, reader.reads(), reads(advice));
    }
    match command {
        Some(command) => say!("{command}"),
        None => say!("{} is laid out as well as can be for these reads: nothing is to be done", args.store),
    }
    Ok(ExitCode::SUCCESS)
}

/// What makes the layouts that are better, in a store called NEW; everything else is copied as it is.
fn command(store: &str, advice: &[LayoutAdvice]) -> Option<String> {
    let (mut chunks, mut shards) = (Vec::new(), Vec::new());
    for LayoutAdvice { arrays, proposed, .. } in advice {
        let Some(Weighed { design, .. }) = proposed else { continue };
        let shard = design.shard.as_deref().map_or("none".to_owned(), list);
        for array in arrays {
            chunks.push(format!("{array}:{}", list(&design.chunk)));
            shards.push(format!("{array}:{shard}"));
        }
    }
    if chunks.is_empty() {
        return None;
    }
    let values = |option: &str, specs: &[String]| {
        shell_values(option, &specs.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let (chunks, shards) = (values("--chunks", &chunks), values("--shards", &shards));
    Some(format!("zarrange rechunk {} NEW {chunks} {shards}", shell_path(Path::new(store))))
}

/// What the arrays are.
fn head(advice: &LayoutAdvice) -> String {
    let LayoutAdvice { arrays, dimensions, shape, bytes, mix, sampled_bytes, .. } = advice;
    let sizes: Vec<String> =
        shape.iter().zip(dimensions).map(|(n, name)| format!("{} {name}", table::count(*n))).collect();
    let each = if arrays.len() > 1 { " each" } else { "" };
    let sampled = match sampled_bytes {
        Some(sampled) => format!("compression was measured on {} of it", bytes_text(*sampled)),
        None => "nothing is stored on which compression could be measured: it is taken for none".to_owned(),
    };
    let (arrays, sizes, bytes) = (arrays.join(" and "), sizes.join(" x "), bytes_text(*bytes));
    format!("{arrays}: {sizes} ({bytes}{each}); {sampled}\nreads: {mix}")
}

/// Today's layout and the better one, for a table.
fn both(advice: &LayoutAdvice) -> impl Iterator<Item = (&'static str, &Weighed)> {
    let better = advice.proposed.as_ref().map(|better| ("advised", better));
    std::iter::once(("today", &advice.today)).chain(better)
}

fn layouts(advice: &LayoutAdvice) -> String {
    let mut rows = table::new(&["layout", "chunks", "shards", "files", "stored", "compressed", "mean read"]);
    for (name, Weighed { design, files, stored_bytes, weighted_ms, speed, .. }) in both(advice) {
        rows.add_row(vec![
            name.to_owned(),
            list(&design.chunk),
            design.shard.as_deref().map_or("none".to_owned(), list),
            table::count(*files),
            size(*stored_bytes),
            format!("{:.1} times", speed.ratio),
            time(*weighted_ms),
        ]);
    }
    rows.to_string()
}

fn reads(advice: &LayoutAdvice) -> String {
    let mut rows = table::new(&["read", "layout", "requests", "bytes", "time", "amplified"]);
    for (k, WeighedRead { name, share, .. }) in advice.today.accesses.iter().enumerate() {
        for (layout, weighed) in both(advice) {
            let WeighedRead { ms, amplification, cost, .. } = &weighed.accesses[k];
            let read =
                if layout == "today" { format!("{name} ({:.0} %)", share * 100.0) } else { String::new() };
            rows.add_row(vec![
                read,
                layout.to_owned(),
                number(cost.requests),
                size(cost.bytes),
                time(*ms),
                format!("{} times", number(*amplification)),
            ]);
        }
    }
    rows.to_string()
}

fn list(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

/// Three significant digits; a whole number as it is.
fn number(x: f64) -> String {
    let decimals = match x {
        _ if x.fract() == 0.0 => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{x:.decimals$}")
}

/// A time in milliseconds, also where it is less than one.
fn time(ms: f64) -> String {
    if ms < 1e3 { format!("{} ms", number(ms)) } else { seconds_text(ms / 1e3) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for display; not negative")]
fn size(bytes: f64) -> String {
    bytes_text(bytes.round() as u64)
}
