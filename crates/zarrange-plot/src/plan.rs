//! What is drawn, and how much room it has.

use crate::axis::{Axis, from_count};
use crate::clean::{Clean, clean};
use crate::curve::LightCurve;
use crate::font;
use crate::legend::{self, Entry, Legend};
use crate::range::{Kind, Range};
use crate::style::{Style, styles};
use crate::words;

/// Sizes of text.
pub(crate) const TITLE: f64 = 17.0;
pub(crate) const LABEL: f64 = 13.5;
pub(crate) const TICK: f64 = 12.0;
pub(crate) const NOTE: f64 = 11.0;

/// What is left free at the edges.
pub(crate) const EDGE: f64 = 14.0;
const EDGE_RIGHT: f64 = 26.0;

/// Heights of lines of text.
pub(crate) const TITLE_LINE: f64 = 25.0;
pub(crate) const LABEL_LINE: f64 = 21.0;
pub(crate) const TICK_LINE: f64 = 22.0;
pub(crate) const NOTE_LINE: f64 = 15.0;

/// How long a tick is, and how far labels are from the frame.
pub(crate) const TICK_LENGTH: f64 = 4.0;
pub(crate) const TICK_GAP: f64 = 8.0;

/// What is drawn, without places.
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) time_label: String,
    pub(crate) value_label: String,
    pub(crate) inverted: bool,
    pub(crate) clean: Clean,
    /// By series.
    pub(crate) styles: Vec<Style>,
    legend: Vec<Entry>,
    /// Of times and values; none if there are no points.
    ranges: Option<(Range, Range)>,
}

/// Where the plot is, and what is around it.
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
    /// Of times and values; none if there are no points.
    pub(crate) axes: Option<(Axis, Axis)>,
    pub(crate) legend: Legend,
    /// Line by line.
    pub(crate) notes: Vec<String>,
}

impl Plot {
    /// What is drawn of a light curve.
    pub(crate) fn new(curve: &LightCurve) -> Self {
        let mut clean = clean(curve);
        let kind = if curve.inverted { Kind::Magnitude } else { Kind::Flux };
        let times = match clean.fold {
            // A little more, so that markers at both ends are inside.
            Some(_) => Some(Range::around(0.0, 2.0, Kind::Time, 0.02)),
            None => Range::of_times(&clean.series),
        };
        let ranges = times.zip(Range::of_values(&clean.series, kind));
        if let Some((_, values)) = &ranges {
            note_what_is_beyond(&mut clean, values);
        }
        Self {
            title: words::harmless(&curve.title),
            time_label: clean.fold.map_or_else(|| words::harmless(&curve.time_label), words::phase_label),
            value_label: words::harmless(&curve.value_label),
            inverted: curve.inverted,
            styles: styles(curve.series.iter().map(|series| series.name.as_str())),
            legend: entries(curve, &clean),
            clean,
            ranges,
        }
    }

    /// Where the plot is in a picture of this size.
    pub(crate) fn frame(&self, width: f64, height: f64) -> Frame {
        // How many rows a legend has depends on how wide labels are, and these on how many rows there are.
        let about = self.frame_beside(84.0, width, height);
        self.frame_beside(about.left, width, height)
    }

    /// The same, with a legend that begins at `left`.
    fn frame_beside(&self, left: f64, width: f64, height: f64) -> Frame {
        let rows_max = if height < 300.0 { 1 } else { 3 };
        let notes = wrapped(&self.clean.notes.join("; "), NOTE, width - 2.0 * EDGE);
        let line_of = |text: &str, line: f64| if text.is_empty() { 0.0 } else { line };
        let below =
            EDGE + NOTE_LINE * from_count(notes.len()) + line_of(&self.time_label, LABEL_LINE) + TICK_LINE;
        let legend = Legend::new(&self.legend, width - left - EDGE_RIGHT, rows_max);
        let above = EDGE + line_of(&self.title, TITLE_LINE) + legend::ROW * from_count(legend.rows);
        // Lines between pixels would be pale.
        let (top, bottom) = (above.round() + 0.5, (height - below).round() + 0.5);
        let mut right = (width - EDGE_RIGHT).round() + 0.5;
        let values = self.ranges.map(|(_, range)| Axis::new(range, ticks_max((bottom - top) / 46.0)));
        let labels = values.as_ref().map_or(0.0, widest);
        let left = (EDGE + line_of(&self.value_label, LABEL_LINE) + labels + TICK_GAP).round() + 0.5;
        let mut times = self.ranges.map(|(range, _)| time_axis(range, right - left));
        if let Some(axis) = &mut times {
            // A long label at the right end needs more room.
            let last = axis.ticks.last().map_or(0.0, |tick| tick.fraction * (right - left));
            let missing = left + last + widest(axis) / 2.0 + 4.0 - width;
            if missing > 0.0 {
                right -= missing.ceil();
                *axis = time_axis(axis.range, right - left);
            }
        }
        Frame { left, top, right, bottom, axes: times.zip(values), legend, notes }
    }
}

impl Frame {
    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// Says how many values do not widen the range.
fn note_what_is_beyond(clean: &mut Clean, range: &Range) {
    let is_beyond = |value: f64| !(0.0..=1.0).contains(&range.fraction(value));
    let count = clean.series.iter().flatten().filter(|point| is_beyond(point.value)).count();
    match if clean.fold.is_some() { count / 2 } else { count } {
        0 => {}
        1 => clean.notes.push("1 value with a large error is beyond the frame".to_owned()),
        count => clean.notes.push(format!("{count} values with large errors are beyond the frame")),
    }
}

/// What a legend says; nothing of a single series without a name.
fn entries(curve: &LightCurve, clean: &Clean) -> Vec<Entry> {
    if curve.series.len() < 2 && curve.series.iter().all(|series| words::harmless(&series.name).is_empty()) {
        return Vec::new();
    }
    let styles = styles(curve.series.iter().map(|series| series.name.as_str()));
    let entry = |(k, style): (usize, Style)| {
        let mut text = words::name(&curve.series[k].name);
        if clean.series[k].is_empty() {
            text += " (no values)";
        }
        Entry { style, text }
    };
    styles.into_iter().enumerate().map(entry).collect()
}

/// As many ticks as have room.
fn time_axis(range: Range, width: f64) -> Axis {
    const GAP: f64 = 18.0;
    let mut count = ticks_max(width / 76.0);
    loop {
        let axis = Axis::new(range, count);
        let apart = match &axis.ticks[..] {
            [first, second, ..] => (second.fraction - first.fraction) * width,
            _ => return axis,
        };
        if count == 1 || widest(&axis) + GAP <= apart {
            return axis;
        }
        count -= 1;
    }
}

/// So many ticks, in bounds that can be read.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 2 to 10")]
fn ticks_max(count: f64) -> usize {
    count.clamp(2.0, 10.0) as usize
}

/// How wide the labels of an axis are.
fn widest(axis: &Axis) -> f64 {
    axis.ticks.iter().map(|tick| font::width(&tick.label, TICK)).fold(0.0, f64::max)
}

/// Lines of text, broken between words.
fn wrapped(text: &str, size: f64, width_max: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if font::width(&format!("{line} {word}"), size) <= width_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_broken_between_words() {
        let check =
            |text: &str, width: f64, expected: &[&str]| assert_eq!(wrapped(text, 10.0, width), expected);
        check("", 100.0, &[]);
        check("3 values are infinite", 200.0, &["3 values are infinite"]);
        check("3 values are infinite", 70.0, &["3 values are", "infinite"]);
        check("3 values", 1.0, &["3", "values"]);
    }
}
