//! Which series is which.

use crate::font;
use crate::style::Style;

/// Height of a row.
pub(crate) const ROW: f64 = 20.0;

/// Size of its text.
pub(crate) const SIZE: f64 = 12.5;

/// Room for a marker before a text.
pub(crate) const MARKER: f64 = 16.0;

/// Between entries.
const GAP: f64 = 20.0;

/// Names that are wider are cut.
const NAME_MAX: f64 = 260.0;

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) style: Style,
    pub(crate) text: String,
}

/// Entries at their places.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Legend {
    pub(crate) entries: Vec<Placed>,
    pub(crate) rows: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    /// To the right of where the legend begins.
    pub(crate) x: f64,
    pub(crate) row: usize,
    /// None if it says how many more there are.
    pub(crate) style: Option<Style>,
    pub(crate) text: String,
}

impl Legend {
    /// Entries one after another, in rows of so much width. How many find no room is said.
    pub(crate) fn new(entries: &[Entry], width_max: f64, rows_max: usize) -> Self {
        let mut out = Self::default();
        let (mut x, mut row) = (0.0, 0);
        for (k, entry) in entries.iter().enumerate() {
            let text = font::fit(&entry.text, SIZE, NAME_MAX.min(width_max - MARKER));
            let width = MARKER + font::width(&text, SIZE);
            let rest = format!("and {} more", entries.len() - k);
            // The last row holds what is left, or how many these are.
            let more = match entries.len() - k {
                1 => 0.0,
                _ if row + 1 == rows_max => GAP + font::width(&rest, SIZE),
                _ => 0.0,
            };
            if x + width + more > width_max && x > 0.0 {
                if row + 1 == rows_max {
                    out.entries.push(Placed { x, row, style: None, text: rest });
                    break;
                }
                (x, row) = (0.0, row + 1);
            }
            out.entries.push(Placed { x, row, style: Some(entry.style), text });
            x += width + GAP;
        }
        out.rows = if entries.is_empty() { 0 } else { row + 1 };
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::styles;

    #[test]
    fn entries_are_in_rows() {
        let check = |names: &[&str], width_max: f64, expected: &str| {
            let styles = styles(names.iter().copied());
            let entry = |(name, style): (&&str, &Style)| Entry { style: *style, text: (*name).to_owned() };
            let entries: Vec<Entry> = names.iter().zip(&styles).map(entry).collect();
            let legend = Legend::new(&entries, width_max, 2);
            let mut rows = vec![Vec::new(); legend.rows];
            for placed in &legend.entries {
                rows[placed.row].push(placed.text.as_str());
                let width = MARKER + font::width(&placed.text, SIZE);
                assert!(placed.x == 0.0 || placed.x + width <= width_max + 1e-9, "{placed:?}");
                assert_eq!(placed.style.is_none(), placed.text.starts_with("and "));
            }
            let rows: Vec<String> = rows.iter().map(|row| row.join(", ")).collect();
            assert_eq!(rows.join(" / "), expected);
        };
        check(&[], 500.0, "");
        check(&["g", "r"], 500.0, "g, r");
        check(&["g", "r", "i", "z"], 80.0, "g, r / i, z");
        check(&["g", "r", "i", "z", "y", "u"], 140.0, "g, r, i / z, and 2 more");
        check(&["g", "r", "i", "z", "y"], 140.0, "g, r, i / z, y");
        check(&["a name of many letters", "b"], 100.0, "a name of… / b");
        check(&["g", "r"], 0.0, "… / …");
    }
}
