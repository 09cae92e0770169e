//! `zarrange lightcurve get --plot`: the light curve of one object as a picture.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use zarrange_lightcurve::{Curves, CurvesPart};
use zarrange_plot::{Fold, LightCurve, Series, png, svg};
use zarrange_table::{Cells, Field};

/// The size of a picture, in pixels.
const SIZE: (u32, u32) = (1200, 750);

/// Columns that say when, and of which band a row is.
const TIMES: [&str; 3] = ["time", "epoch", "sequence"];
const BANDS: [&str; 3] = ["measurement", "band", "filter"];

/// A period, and the time of phase 0 if it is not that of the first value.
pub type Folded = Option<(f64, Option<f64>)>;

/// Draws the light curve that is read to the file at `path`.
pub(super) fn draw(curves: &mut Curves<'_>, path: &Path, folded: Folded) -> anyhow::Result<()> {
    let kind = path.extension().and_then(|extension| extension.to_str());
    ensure!(matches!(kind, Some("svg" | "png")), "{}: a picture is an .svg or a .png", path.display());
    ensure!(curves.objects() == 1, "a picture shows one object, these are {}", curves.objects());
    let part = curves.read()?.context("one object is there")?;
    let curve = light_curve(curves.fields(), &part, folded)?;
    let picture = if kind == Some("png") { png(&curve, SIZE)? } else { svg(&curve, SIZE).into_bytes() };
    std::fs::write(path, picture).with_context(|| path.display().to_string())
}

/// The light curve of one object as it is drawn: its rows, whose columns are `fields`, by measurement or band.
///
/// # Errors
/// If no column of numbers can be drawn.
pub fn light_curve(fields: &[Field], part: &CurvesPart, folded: Folded) -> anyhow::Result<LightCurve> {
    let position =
        |names: &[&str]| names.iter().find_map(|name| fields.iter().position(|field| field.name == *name));
    let time = position(&TIMES).context("a row has an epoch")?;
    let band = position(&BANDS);
    let Some(value) = value(fields, &part.rows) else {
        bail!("no array of numbers can be drawn: choose one with --array")
    };
    let errors = errors(fields, value);
    let mut series: Vec<Series> = Vec::new();
    for row in 0..part.rows[value].len() {
        let name = band.map_or(String::new(), |band| part.rows[band].text(row).into_owned());
        let at = series.iter().position(|series| series.name == name).unwrap_or_else(|| {
            let (times, values, errors) = (Vec::new(), Vec::new(), errors.map(|_| Vec::new()));
            series.push(Series { name, times, values, errors });
            series.len() - 1
        });
        let number = |column: usize| part.rows[column].number(row).unwrap_or(f64::NAN);
        series[at].times.push(number(time));
        series[at].values.push(number(value));
        if let (Some(errors), Some(column)) = (&mut series[at].errors, errors) {
            errors.push(number(column));
        }
    }
    let label = |column: usize| {
        let field = &fields[column];
        let unit = field.unit.as_ref().filter(|unit| **unit != field.name);
        unit.map_or_else(|| field.name.clone(), |unit| format!("{} ({unit})", field.name))
    };
    // What is not finite is not drawn.
    let drawn = series.iter().flat_map(|s| s.times.iter().zip(&s.values)).filter(|(_, v)| v.is_finite());
    let first = drawn.map(|(time, _)| *time).fold(f64::NAN, f64::min);
    let fold = folded.map(|(period, zero)| Fold { period, epoch: zero.unwrap_or(first) });
    Ok(LightCurve {
        title: part.objects.text(0).into_owned(),
        time_label: label(time),
        value_label: label(value),
        inverted: fields[value].unit.as_deref() == Some("mag")
            || fields[value].name.to_lowercase().starts_with("mag"),
        fold,
        series,
    })
}

/// The first column of numbers that has errors, or the first that may be drawn at all.
fn value(fields: &[Field], rows: &[Cells]) -> Option<usize> {
    let drawn = |k: &usize| {
        let name = fields[*k].name.as_str();
        let number = matches!(rows[*k], Cells::Float(_) | Cells::Single(_));
        number && !TIMES.contains(&name) && !is_error(name)
    };
    let drawn: Vec<usize> = (0..fields.len()).filter(drawn).collect();
    drawn.iter().copied().find(|k| errors(fields, *k).is_some()).or(drawn.first().copied())
}

fn is_error(name: &str) -> bool {
    ["err", "error", "uncertainty", "sigma"].iter().any(|end| name.ends_with(end))
}

/// The column of the errors of another.
fn errors(fields: &[Field], value: usize) -> Option<usize> {
    let name = &fields[value].name;
    let called = |other: &str| {
        let rest = other.strip_prefix(name.as_str()).map(|rest| rest.trim_start_matches('_'));
        // `value` has `uncertainty` beside it.
        let beside = name.strip_suffix("value").is_some_and(|begin| other == format!("{begin}uncertainty"));
        beside || matches!(rest, Some("err" | "error" | "uncertainty" | "sigma"))
    };
    fields.iter().position(|field| called(&field.name))
}
