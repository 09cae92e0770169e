//! Units of a table and of a store.

use crate::LightCurveError;
use crate::catalogue::mapping::{Finder, Of, Roles, TIME};
use crate::store::memory::{ALLOWANCE, Share};
use crate::store::schema::{MEASUREMENT, UNITS};
use crate::store::side::{each_text, text_bytes};

/// Memory that the units of measurements may take, and a chunk of them.
const UNITS_SHARE: Share = Share::all(ALLOWANCE / 4);

/// Whether units of the table are those of the store, where both are known.
///
/// # Errors
/// [`LightCurveError::Unit`] at the first that is another.
pub(super) fn check(finder: &Finder<'_>, roles: &Roles) -> Result<(), LightCurveError> {
    let store = finder.store;
    let of_array = |name: &str| -> Result<Option<String>, LightCurveError> {
        let attributes = store.side(name)?.document().attributes();
        Ok(UNITS.iter().find_map(|unit| attributes.get(unit)?.as_str().map(str::to_owned)))
    };
    let of_measurements = store
        .schema()
        .dimension(MEASUREMENT)
        .and_then(|dimension| dimension.side.iter().find(|side| UNITS.contains(&side.as_str())));
    let mut by_measurement: Vec<String> = Vec::new();
    if let Some(name) = of_measurements {
        let mut bytes = 0_u64;
        each_text(&store.side(name)?, UNITS_SHARE, &mut |unit| {
            bytes = bytes.saturating_add(text_bytes(unit.len()));
            UNITS_SHARE.fits("units of measurements", bytes)?;
            by_measurement.push(unit.to_owned());
            Ok(())
        })?;
    }
    let field = |column: usize| &finder.table.fields()[roles.wanted[column]];
    let compare = |column: usize, theirs: Option<String>, what: &str| {
        let Some((given, theirs)) = field(column).unit.as_deref().zip(theirs) else { return Ok(()) };
        if canonical(given) == canonical(&theirs) || theirs.is_empty() {
            return Ok(());
        }
        let (table, column) = (finder.path.to_owned(), field(column).name.clone());
        Err(LightCurveError::Unit {
            table,
            column,
            given: given.to_owned(),
            theirs: format!("{what} in {theirs:?}"),
        })
    };
    for value in &roles.values {
        let measurement = value.at.iter().find(|(name, _)| name == MEASUREMENT).map(|(_, k)| *k);
        let measurement = measurement.or_else(|| {
            let (_, of) = roles.others.iter().find(|(name, _)| name == MEASUREMENT)?;
            match of {
                Of::Fixed(k) => Some(*k),
                Of::Label(_) | Of::Time(_) => None,
            }
        });
        let own = if let Some(k) = measurement {
            usize::try_from(k).ok().and_then(|k| by_measurement.get(k).cloned())
        } else {
            // Rows say which: the unit is that of one of them at least.
            let given = field(value.column).unit.as_deref().map(canonical);
            let same = by_measurement.iter().find(|unit| given.as_deref() == Some(&canonical(unit)));
            same.or_else(|| by_measurement.iter().find(|unit| !unit.is_empty())).cloned()
        };
        let own = own.filter(|unit| !unit.is_empty());
        compare(
            value.column,
            own.map_or_else(|| of_array(&value.array), |unit| Ok(Some(unit)))?,
            &value.array,
        )?;
    }
    match roles.epoch {
        Of::Time(column) if store.schema().epochs().side.iter().any(|side| side == TIME) => {
            compare(column, of_array(TIME)?, TIME)
        }
        Of::Time(_) | Of::Label(_) | Of::Fixed(_) => Ok(()),
    }
}

/// One way to write a unit of those that mean the same.
fn canonical(unit: &str) -> String {
    let unit = unit.trim();
    match unit {
        "day" | "days" | "Day" => "d".to_owned(),
        "second" | "seconds" | "sec" => "s".to_owned(),
        "magnitude" | "mags" | "MAG" => "mag".to_owned(),
        "count" | "counts" => "ct".to_owned(),
        "electron/s" | "e-/s" | "electron.s-1" | "electron s-1" => "electron / s".to_owned(),
        other => other.to_owned(),
    }
}
