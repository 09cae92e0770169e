//! `zarrange lightcurve info`.

use std::process::ExitCode;

use serde_json::{Value, json};
use zarrange_io::Opener;
use zarrange_lightcurve::{Dimension, Lag, LightCurveError, LightCurveStore};
use zarrange_rechunk::Layout;

use crate::args::lightcurve::LightcurveInfoArgs;
use crate::backend::opener;
use crate::out::{one_line, say};
use crate::table;

/// Epochs that are named to people.
const SHOWN: usize = 10;

pub(crate) fn run(args: &LightcurveInfoArgs) -> anyhow::Result<ExitCode> {
    let io = opener(args.io)?;
    let store = LightCurveStore::open(&args.store, &io)?;
    if args.json {
        say!("{}", light_curves_json(&store, &io)?);
        return Ok(ExitCode::SUCCESS);
    }
    let (copy, filled) = found(&store, &io)?;
    say!("{}", args.store);
    tables(&store);
    if let Some((of, lag)) = copy {
        say!("it is a copy of {}, {}", one_line(of), one_line(&behind(lag)));
    }
    let epochs = table::count(store.schema().epochs().size);
    match filled {
        Some(Filled { whole, partly, empty }) => {
            say!("{} of {epochs} epochs are filled, {}", table::count(whole), some("partly", &partly));
            if !empty.is_empty() {
                say!("{} before the last filled one", some("are empty", &empty));
            }
        }
        None => say!("{epochs} epochs; what of them was filled is not recorded"),
    }
    Ok(ExitCode::SUCCESS)
}

/// What there is in a store of light curves, as `lightcurve info --json` prints it.
///
/// # Errors
/// If what was filled is recorded and cannot be read.
pub fn light_curves_json(store: &LightCurveStore, io: &Opener) -> Result<Value, LightCurveError> {
    let (copy, filled) = found(store, io)?;
    Ok(as_json(store, copy, filled.as_ref()))
}

/// How far a copy is behind, and what is filled.
fn found<'s>(
    store: &'s LightCurveStore,
    io: &Opener,
) -> Result<(Option<Copy<'s>>, Option<Filled>), LightCurveError> {
    let lag = || store.lag(&store.open_source(io)?);
    let copy = store.copy_of().map(|of| (of, lag()));
    let filled = store.filled_measurements()?.map(|filled| Filled::of(store, &filled));
    Ok((copy, filled))
}

/// What of the epochs is filled.
struct Filled {
    /// Epochs of which all measurements are.
    whole: u64,
    /// Those of which some are.
    partly: Vec<u64>,
    /// Those of which none is, before the last that is filled.
    empty: Vec<u64>,
}

impl Filled {
    fn of(store: &LightCurveStore, filled: &[u64]) -> Self {
        let all = store.schema().dimension("measurement").map_or(1, |measurements| measurements.size);
        let last = filled.iter().rposition(|count| *count > 0).unwrap_or_default();
        let those = |is: &dyn Fn(u64) -> bool| {
            filled
                .iter()
                .zip(0..)
                .filter(|(count, _)| is(**count))
                .map(|(_, epoch)| epoch)
                .collect::<Vec<u64>>()
        };
        let mut empty = those(&|count| count == 0);
        empty.retain(|epoch| *epoch < last as u64);
        Self {
            whole: those(&|count| count > 0 && count == all).len() as u64,
            partly: those(&|count| count > 0 && count < all),
            empty,
        }
    }
}

/// How many epochs are something, and the first of them by their numbers.
fn some(what: &str, epochs: &[u64]) -> String {
    let count = table::count(epochs.len() as u64);
    let first: Vec<String> = epochs.iter().take(SHOWN).map(u64::to_string).collect();
    let more = if epochs.len() > SHOWN { ", ..." } else { "" };
    if first.is_empty() {
        format!("{count} {what}")
    } else {
        format!("{count} {what} ({}{more})", first.join(", "))
    }
}

fn as_json(store: &LightCurveStore, copy: Option<Copy<'_>>, filled: Option<&Filled>) -> Value {
    let schema = store.schema();
    let dimension =
        |d: &Dimension| json!({"name": d.name, "size": d.size, "labels": d.labels, "side": d.side});
    let copy = copy.map(|(of, lag)| match lag {
        Ok(Lag { epochs, new, since }) => {
            json!({"of": of, "behind": {"epochs": epochs, "new": new, "since": since}})
        }
        Err(error) => json!({"of": of, "behind": null, "error": error.to_string()}),
    });
    let layout = |name: &String| {
        let layout = layout(store, name)?;
        Some((name.clone(), json!({"chunks": layout.chunk, "shards": layout.shard})))
    };
    let others: Vec<_> =
        schema.others.iter().map(|(array, reason)| json!({"array": array, "reason": reason})).collect();
    json!({
        "dimensions": schema.dimensions.iter().map(dimension).collect::<Vec<_>>(),
        "values": schema.values, "others": others, "copy": copy,
        "layouts": schema.values.iter().filter_map(layout).collect::<serde_json::Map<_, _>>(),
        "filled": filled.map(|filled| filled.whole), "partly_filled": filled.map(|filled| &filled.partly),
        "empty_between": filled.map(|filled| &filled.empty),
    })
}

/// What a store is a copy of, and how far it is behind.
type Copy<'a> = (&'a str, Result<Lag, LightCurveError>);

fn behind(lag: Result<Lag, LightCurveError>) -> String {
    match lag {
        Ok(lag) if lag.epochs.is_empty() && lag.new == 0 => "and up to date".to_owned(),
        Ok(Lag { epochs, new, .. }) => {
            let (epochs, new) = (table::count(epochs.len() as u64), table::count(new));
            format!("and {epochs} epochs behind; {new} epochs are new there")
        }
        Err(error) => format!("and how far behind is not known: {error}"),
    }
}

/// How an array of values is cut, where that can be told.
fn layout<'a>(store: &'a LightCurveStore, name: &str) -> Option<&'a Layout> {
    Some(&store.values(name)?.elements().ok()?.layout)
}

/// Tables of the dimensions and of the arrays of values.
fn tables(store: &LightCurveStore) {
    let schema = store.schema();
    let mut rows = table::new(&["dimension", "size", "labels", "side variables"]);
    for d in &schema.dimensions {
        let labels = d.labels.as_deref().unwrap_or("none");
        rows.add_row(vec![d.name.clone(), table::count(d.size), labels.to_owned(), d.side.join(" ")]);
    }
    say!("{rows}");
    let mut rows = table::new(&["values", "dimensions", "chunks", "shards"]);
    for name in &schema.values {
        let dimensions = store.values(name).and_then(|array| array.document().dimension_names());
        let dimensions: Vec<String> = dimensions.unwrap_or_default().into_iter().flatten().collect();
        let layout = layout(store, name);
        let chunks = layout.map(|layout| format!("{:?}", layout.chunk)).unwrap_or_default();
        let shards = layout.and_then(|layout| layout.shard.as_ref()).map(|shard| format!("{shard:?}"));
        let name = one_line(name).into_owned();
        rows.add_row(vec![name, dimensions.join(" "), chunks, shards.unwrap_or_else(|| "none".to_owned())]);
    }
    say!("{rows}");
    for (array, reason) in &schema.others {
        say!("{array} is left as it is: {reason}");
    }
}
