//! What is written beside a plot.

use std::fmt::Write as _;

use crate::axis::Axis;
use crate::clean::{Clean, Measured};
use crate::curve::{Fold, LightCurve};

/// Letters of a text that are read at most.
const LETTERS_MAX: usize = 1000;

/// A text of a file that is not trusted: without what is no letter, or would turn the direction of others.
pub(crate) fn harmless(text: &str) -> String {
    let is_letter = |c: &char| {
        let turns = matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !(c.is_control() || turns || matches!(c, '\u{fffe}' | '\u{ffff}'))
    };
    let text: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(is_letter).collect();
    text.trim().chars().take(LETTERS_MAX).collect()
}

/// The label of an axis, with what was taken off the numbers.
pub(crate) fn label(label: &str, axis: Option<&Axis>) -> String {
    let (mut text, Some(axis)) = (harmless(label), axis) else { return harmless(label) };
    if let Some(offset) = &axis.offset {
        text = format!("{text} {offset}");
    }
    if axis.exponent != 0 {
        let ten = format!("10{}", raised(axis.exponent));
        // Into the brackets of the unit.
        text = match text.strip_suffix(')').and_then(|rest| rest.rsplit_once('(')) {
            Some((before, unit)) => format!("{before}({ten} {unit})"),
            None => format!("{text} ({ten})"),
        };
    }
    text.trim().to_owned()
}

/// The label of phases.
pub(crate) fn phase_label(fold: Fold) -> String {
    format!("phase, P = {} d", short(fold.period))
}

/// What a light curve is, for those who do not see it.
pub(crate) fn description(curve: &LightCurve, clean: &Clean) -> String {
    const NAMED_MAX: usize = 12;
    let count: usize = curve_points(clean);
    let values = if count == 1 { "value" } else { "values" };
    let mut out = format!("{} of {count} {values}", kind(clean));
    let names = curve.series.iter().zip(&clean.series).take(NAMED_MAX);
    let half = if clean.fold.is_some() { 2 } else { 1 };
    let names: Vec<String> =
        names.map(|(series, points)| format!("{}: {}", name(&series.name), points.len() / half)).collect();
    if !names.is_empty() {
        let _ = write!(out, " ({})", names.join(", "));
    }
    if curve.series.len() > NAMED_MAX {
        let _ = write!(out, " and {} more series", curve.series.len() - NAMED_MAX);
    }
    let extent = |number: fn(&Measured) -> f64| {
        let all = || clean.series.iter().flatten().map(number);
        Some((short(all().reduce(f64::min)?), short(all().reduce(f64::max)?)))
    };
    if let Some((low, high)) = extent(|point| point.value) {
        let _ = write!(out, ". {}: from {low} to {high}", harmless(&curve.value_label));
    }
    match (clean.fold, extent(|point| point.time)) {
        (Some(fold), _) => {
            let _ = write!(out, ". Period: {} d, epoch: {}", short(fold.period), short(fold.epoch));
        }
        (None, Some((low, high))) => {
            let _ = write!(out, ". {}: from {low} to {high}", harmless(&curve.time_label));
        }
        (None, None) => {}
    }
    for note in &clean.notes {
        let _ = write!(out, ". {note}");
    }
    out + "."
}

/// How many points there are; one that is drawn twice counts once.
fn curve_points(clean: &Clean) -> usize {
    let drawn: usize = clean.series.iter().map(Vec::len).sum();
    if clean.fold.is_some() { drawn / 2 } else { drawn }
}

const fn kind(clean: &Clean) -> &'static str {
    if clean.fold.is_some() { "Folded light curve" } else { "Light curve" }
}

/// The name of a series, for one that has none too.
pub(crate) fn name(name: &str) -> String {
    let name = harmless(name);
    if name.is_empty() { "no name".to_owned() } else { name }
}

/// A number in as few digits as say it, 10 at most.
fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.9e}").parse().unwrap_or(number);
    // The greatest ones round to none.
    let rounded = if rounded.is_finite() { rounded } else { number };
    let magnitude = rounded.abs();
    let text = if magnitude == 0.0 || (1e-4..1e10).contains(&magnitude) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    };
    text.replace('-', "−")
}

/// A number as raised letters.
fn raised(number: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let letter = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    number.to_string().chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Kind, Range};

    #[test]
    fn labels_say_what_was_taken_off() {
        let check = |text: &str, low: f64, high: f64, expected: &str| {
            let axis = Axis::new(Range::around(low, high, Kind::Flux, 0.0), 6);
            assert_eq!(label(text, Some(&axis)), expected);
        };
        check("MJD (TDB)", 59000.0, 59100.0, "MJD (TDB)");
        check("MJD (TDB)", 59000.0, 59000.1, "MJD (TDB) − 59000");
        check("flux (nJy)", 0.0, 3e-17, "flux (10⁻¹⁷ nJy)");
        check("flux", 0.0, 3e12, "flux (10¹²)");
        check("", 0.0, 3e12, "(10¹²)");
        check("f(x", 0.0, 3e12, "f(x (10¹²)");
        assert_eq!(label("flux", None), "flux");
    }

    #[test]
    fn periods_are_short() {
        let check = |period: f64, expected: &str| {
            assert_eq!(phase_label(Fold { period, epoch: 0.0 }), format!("phase, P = {expected} d"));
        };
        check(0.5421, "0.5421");
        check(0.1 + 0.2, "0.3");
        check(0.567_867_523_4, "0.5678675234");
        check(365.25, "365.25");
        check(1e-9, "1e−9");
        check(f64::MAX, "1.7976931348623157e308");
    }

    #[test]
    fn texts_are_harmless() {
        let check = |text: &str, expected: &str| assert_eq!(harmless(text), expected, "{text:?}");
        check("SN 2011fe", "SN 2011fe");
        check(" a\0b\u{1b}[31m\tc\r\nd\u{202e}e\u{ffff} ", "ab[31m c  de");
        check("<b> & \"'", "<b> & \"'");
        check(&"x".repeat(5000), &"x".repeat(1000));
    }
}
