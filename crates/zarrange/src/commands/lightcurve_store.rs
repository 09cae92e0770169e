//! `zarrange lightcurve create` and `info`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::json;
use zarrange_lightcurve::{Column, Cut, LightCurveStore, Named, NewStore, read_columns};

use crate::args::{CreateArgs, LightcurveInfoArgs, Preset};
use crate::backend::opener;
use crate::out::{note, one_line, say, tell};
use crate::{memory, signals, table};

/// A dimension as it is given: how long it is, its labels and its side variables.
type Given = (u64, Option<Column>, Vec<Named>);

pub(crate) fn create(args: &CreateArgs) -> anyhow::Result<ExitCode> {
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
    let cut = args.mix.as_ref().map_or_else(|| args.layout.clone(), |mix| Cut::For(mix.weights().to_vec()));
    let io = opener(args.io)?;
    signals::writing();
    let warnings = new.cut(cut).codecs(args.codecs.clone()).create(&args.store, (args.overwrite, &io))?;
    signals::published();
    for warning in &warnings {
        note!("{}", one_line(warning));
    }
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

/// A dimension of a number, or of a table.
fn dimension(given: &str, bytes_max: u64) -> anyhow::Result<Given> {
    if let Ok(size) = given.parse::<u64>() {
        return Ok((size, None, Vec::new()));
    }
    let (labels, side) = read_columns(Path::new(given), bytes_max)?;
    Ok((labels.len(), Some(labels), side))
}

pub(crate) fn info(args: &LightcurveInfoArgs) -> anyhow::Result<ExitCode> {
    let store = LightCurveStore::open(&args.store, &opener(args.io)?)?;
    let schema = store.schema();
    let (mut filled, mut gaps, mut recorded) = (0_u64, Vec::new(), true);
    for epoch in 0..schema.epochs().size {
        match store.filled(epoch)? {
            Some(record) if record.times.iter().all(|time| !time.is_nan()) => filled += 1,
            Some(record) if record.times.iter().any(|time| !time.is_nan()) => gaps.push(epoch),
            Some(_) => {}
            None => recorded = false,
        }
    }
    if args.json {
        let dimension = |d: &zarrange_lightcurve::Dimension| json!({"name": d.name, "size": d.size, "labels": d.labels, "side": d.side});
        let others: Vec<_> =
            schema.others.iter().map(|(array, reason)| json!({"array": array, "reason": reason})).collect();
        say!(
            "{}",
            json!({
                "dimensions": schema.dimensions.iter().map(dimension).collect::<Vec<_>>(),
                "values": schema.values, "others": others,
                "filled": recorded.then_some(filled), "partly_filled": recorded.then_some(gaps),
            })
        );
        return Ok(ExitCode::SUCCESS);
    }
    say!("{}: {}", args.store, schema.values.join(", "));
    let mut rows = table::new(&["dimension", "size", "labels", "side variables"]);
    for d in &schema.dimensions {
        let labels = d.labels.as_deref().unwrap_or("none");
        rows.add_row(vec![d.name.clone(), table::count(d.size), labels.to_owned(), d.side.join(" ")]);
    }
    say!("{rows}");
    for (array, reason) in &schema.others {
        say!("{array} is left as it is: {reason}");
    }
    let epochs = table::count(schema.epochs().size);
    if recorded {
        say!(
            "{} of {epochs} epochs are filled, {} partly",
            table::count(filled),
            table::count(gaps.len() as u64)
        );
    } else {
        say!("{epochs} epochs; what of them was filled is not recorded");
    }
    Ok(ExitCode::SUCCESS)
}
