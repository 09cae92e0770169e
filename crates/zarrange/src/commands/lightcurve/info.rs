//! `zarrange lightcurve info`.

use std::process::ExitCode;

use serde_json::json;
use zarrange_lightcurve::{Lag, LightCurveStore};

use crate::args::lightcurve::LightcurveInfoArgs;
use crate::backend::opener;
use crate::out::{one_line, say};
use crate::table;

pub(crate) fn run(args: &LightcurveInfoArgs) -> anyhow::Result<ExitCode> {
    let io = opener(args.io)?;
    let store = LightCurveStore::open(&args.store, &io)?;
    let lag = || store.lag(&store.open_source(&io)?);
    let copy = store.copy_of().map(|of| (of, lag()));
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
        let copy = copy.map(|(of, lag)| match lag {
            Ok(Lag { epochs, new, since }) => {
                json!({"of": of, "behind": {"epochs": epochs, "new": new, "since": since}})
            }
            Err(error) => json!({"of": of, "behind": null, "error": error.to_string()}),
        });
        let others: Vec<_> =
            schema.others.iter().map(|(array, reason)| json!({"array": array, "reason": reason})).collect();
        say!(
            "{}",
            json!({
                "dimensions": schema.dimensions.iter().map(dimension).collect::<Vec<_>>(),
                "values": schema.values, "others": others,
                "copy": copy, "filled": recorded.then_some(filled), "partly_filled": recorded.then_some(gaps),
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
    match copy {
        Some((of, Ok(lag))) if lag.epochs.is_empty() && lag.new == 0 => {
            say!("it is a copy of {}, and up to date", one_line(of));
        }
        Some((of, Ok(Lag { epochs, new, .. }))) => {
            let (epochs, new) = (table::count(epochs.len() as u64), table::count(new));
            say!("it is a copy of {}, and {epochs} epochs behind; {new} epochs are new there", one_line(of));
        }
        Some((of, Err(error))) => {
            let error = error.to_string();
            say!("it is a copy of {}, which cannot be opened: {}", one_line(of), one_line(&error));
        }
        None => {}
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
