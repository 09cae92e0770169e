//! `zarrange lightcurve create`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use zarrange_lightcurve::{Column, Cut, LightCurveStore, Named, NewStore, read_columns};

use crate::args::lightcurve::{CreateArgs, Preset};
use crate::backend::opener;
use crate::out::{notes, tell};
use crate::{memory, signals, table};

/// A dimension as it is given: how long it is, its labels and its side variables.
pub(crate) type Given = (u64, Option<Column>, Vec<Named>);

pub(crate) fn run(args: &CreateArgs) -> anyhow::Result<ExitCode> {
    let max_mem = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), 1)?;
    let given = |text: &str| dimension(text, max_mem / 4);
    let objects = given(&args.objects)?;
    let epochs = given(&args.epochs)?;
    let measurements = given(&args.measurements)?;
    let mut new = match args.preset {
        Preset::Flux => NewStore::flux(objects.0, epochs.0, measurements.0),
        Preset::Labelled => NewStore::labelled(objects.0, measurements.0, epochs.0),
    };
    for (name, (_, labels, side)) in [("object", objects), ("epoch", epochs), ("measurement", measurements)] {
        if let Some(labels) = labels {
            new = new.labels(name, labels)?;
        }
        for variable in side {
            new = new.side(name, variable)?;
        }
    }
    if let Some(unit) = &args.unit {
        for name in new.values() {
            new = new.described(name, Map::from_iter([("units".to_owned(), json!(unit))]))?;
        }
    }
    let time = time(args);
    if !time.is_empty() {
        new = new.described("time", time).context("the table of --epochs needs a column time")?;
    }
    let cut = args.layout.cut(Cut::EpochOptimized);
    let io = opener(args.io)?;
    signals::writing();
    let warnings = new.cut(cut).codecs(args.codecs.clone()).create(&args.store, (args.overwrite, &io))?;
    signals::published();
    notes(&warnings);
    let store = LightCurveStore::open(&args.store, &io)?;
    let sizes: Vec<String> = store
        .schema()
        .dimensions
        .iter()
        .map(|dimension| format!("{} {}", table::count(dimension.size), dimension.name))
        .collect();
    tell!("{}: {} over {}", args.store, store.schema().values.join(" and "), sizes.join(" x "));
    Ok(ExitCode::SUCCESS)
}

/// What is said of times: days, unless their table says otherwise. xarray would take a word such as `days` for durations.
fn time(args: &CreateArgs) -> Map<String, Value> {
    let mut said = Map::new();
    let words = [("timescale", &args.timescale), ("refposition", &args.refposition)];
    said.extend(words.into_iter().filter_map(|(name, word)| Some((name.to_owned(), json!(word.as_ref()?)))));
    said.extend(args.timeorigin.map(|origin| ("timeorigin".to_owned(), json!(origin))));
    if !said.is_empty() {
        said.insert("units".to_owned(), json!("d"));
    }
    said
}

/// A dimension of a number, or of a table.
pub(crate) fn dimension(given: &str, bytes_max: u64) -> anyhow::Result<Given> {
    if let Ok(size) = given.parse::<u64>() {
        return Ok((size, None, Vec::new()));
    }
    let (labels, side) = read_columns(Path::new(given), bytes_max)?;
    Ok((labels.len(), Some(labels), side))
}
