//! Where everything is.

use crate::axis::from_count;
use crate::clean::Measured;
use crate::curve::LightCurve;
use crate::font;
use crate::legend;
use crate::plan::{
    EDGE, Frame, LABEL, LABEL_LINE, NOTE, NOTE_LINE, Plot, TICK, TICK_GAP, TICK_LENGTH, TICK_LINE, TITLE,
    TITLE_LINE,
};
use crate::range::Range;
use crate::scene::{Anchor, Colour, Item, Lines, Markers, Point, Scene, Shape, Text};
use crate::words;

const INK: Colour = Colour(0x24, 0x29, 0x2f);
const PALE_INK: Colour = Colour(0x57, 0x60, 0x6a);
const FRAME: Colour = Colour(0x8b, 0x92, 0x9a);
const GRID: Colour = Colour(0xe8, 0xea, 0xed);

/// Baselines of digits and letters are so far below their middle, in their size.
const HALF_LETTER: f64 = 0.36;

/// Decides where everything is in a picture of so many pixels.
pub(crate) fn scene(curve: &LightCurve, size: (u32, u32)) -> Scene {
    const ROOM_MIN: (f64, f64) = (160.0, 100.0);
    let plot = Plot::new(curve);
    let (mut width, mut height) = units(size);
    let mut frame = plot.frame(width, height);
    // Text becomes smaller until there is room for the plot: everything that is said stays.
    for _ in 0..16 {
        if frame.width() >= ROOM_MIN.0 && frame.height() >= ROOM_MIN.1 {
            break;
        }
        (width, height) = (width * 1.25, height * 1.25);
        frame = plot.frame(width, height);
    }
    let mut items = Vec::new();
    paint_grid(&frame, plot.inverted, &mut items);
    paint_points(&plot, &frame, &mut items);
    paint_ticks(&frame, plot.inverted, &mut items);
    paint_labels(&plot, &frame, &mut items);
    paint_legend(&plot, &frame, &mut items);
    paint_notes(&frame, height, &mut items);
    let title = if plot.title.is_empty() { "Light curve".to_owned() } else { plot.title.clone() };
    Scene { width, height, title, description: words::description(curve, &plot.clean), items }
}

/// How large a picture is in units in which text has its size. Text of small pictures is larger, for what is around it.
fn units((width, height): (u32, u32)) -> (f64, f64) {
    const USUAL: (f64, f64) = (800.0, 500.0);
    const LEAST: (f64, f64) = (320.0, 200.0);
    let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
    let scale = (width / USUAL.0).min(height / USUAL.1);
    let scale = if scale < 1.0 { scale.sqrt() } else { scale };
    let scale = scale.min(width / LEAST.0).min(height / LEAST.1);
    (width / scale, height / scale)
}

/// Where a share of the times is.
fn x_of(frame: &Frame, fraction: f64) -> f64 {
    frame.left + fraction * frame.width()
}

/// Where a share of the values is; beyond the frame it is at its edge.
fn y_of(frame: &Frame, inverted: bool, fraction: f64) -> f64 {
    let up = if inverted { 1.0 - fraction } else { fraction };
    frame.bottom - up.clamp(0.0, 1.0) * frame.height()
}

/// Lines at ticks.
fn paint_grid(frame: &Frame, inverted: bool, items: &mut Vec<Item>) {
    let Some((times, values)) = &frame.axes else { return };
    let upright = times.ticks.iter().map(|tick| {
        let x = sharp(x_of(frame, tick.fraction));
        line(x, frame.top, x, frame.bottom)
    });
    let level = values.ticks.iter().map(|tick| {
        let y = sharp(y_of(frame, inverted, tick.fraction));
        line(frame.left, y, frame.right, y)
    });
    let segments = upright.chain(level).collect();
    items.push(Item::Lines(Lines { class: "grid", segments, width: 1.0, colour: GRID, opacity: 1.0 }));
}

/// The frame, ticks and their labels.
fn paint_ticks(frame: &Frame, inverted: bool, items: &mut Vec<Item>) {
    let Frame { left, top, right, bottom, .. } = *frame;
    let mut segments = vec![
        line(left, top, right, top),
        line(left, bottom, right, bottom),
        line(left, top, left, bottom),
        line(right, top, right, bottom),
    ];
    let mut labels = Vec::new();
    let mut label = |x: f64, y: f64, anchor: Anchor, text: &str| {
        labels.push(text_at(Point { x, y }, anchor, (TICK, PALE_INK), text));
    };
    if let Some((times, values)) = &frame.axes {
        for tick in &times.ticks {
            let x = sharp(x_of(frame, tick.fraction));
            segments.push(line(x, bottom, x, bottom + TICK_LENGTH));
            label(x, bottom + TICK_LINE - 5.0, Anchor::Middle, &tick.label);
        }
        for tick in &values.ticks {
            let y = sharp(y_of(frame, inverted, tick.fraction));
            segments.push(line(left - TICK_LENGTH, y, left, y));
            label(left - TICK_GAP, y + TICK * HALF_LETTER, Anchor::End, &tick.label);
        }
    }
    items.push(Item::Lines(Lines { class: "frame", segments, width: 1.0, colour: FRAME, opacity: 1.0 }));
    items.extend(labels);
}

/// Error bars, and markers above them.
fn paint_points(plot: &Plot, frame: &Frame, items: &mut Vec<Item>) {
    // Among more, white lines would be all that is seen.
    const HALO_MAX: usize = 300;
    let Some((times, values)) = &frame.axes else {
        let middle = Point { x: frame.left.midpoint(frame.right), y: frame.top.midpoint(frame.bottom) };
        items.push(text_at(middle, Anchor::Middle, (LABEL, PALE_INK), "no values"));
        return;
    };
    let count = plot.clean.series.iter().map(Vec::len).sum();
    let radius = radius(count);
    let x = |point: &Measured| x_of(frame, times.range.fraction(point.time));
    for (points, style) in plot.clean.series.iter().zip(&plot.styles) {
        let bar = |point: &Measured| bar(frame, plot.inverted, &values.range, (x(point), point));
        let segments: Vec<_> = points.iter().filter_map(bar).collect();
        if !segments.is_empty() {
            let width = (radius * 0.4).clamp(0.7, 1.3);
            let colour = style.colour;
            items.push(Item::Lines(Lines { class: "bars", segments, width, colour, opacity: 0.5 }));
        }
    }
    for (points, style) in plot.clean.series.iter().zip(&plot.styles) {
        // What is beyond is an arrow at the edge.
        let (mut inside, mut above, mut below) = (Vec::new(), Vec::new(), Vec::new());
        for point in points {
            let fraction = values.range.fraction(point.value);
            let place = Point { x: x(point), y: y_of(frame, plot.inverted, fraction) };
            match ((0.0..=1.0).contains(&fraction), (fraction > 0.5) != plot.inverted) {
                (true, _) => inside.push(place),
                (false, true) => above.push(Point { y: place.y + radius * 1.6, ..place }),
                (false, false) => below.push(Point { y: place.y - radius * 1.6, ..place }),
            }
        }
        let halo = if count <= HALO_MAX { 0.6 } else { 0.0 };
        for (class, shape, places) in
            [("markers", style.shape, inside), ("beyond", Shape::Up, above), ("beyond", Shape::Down, below)]
        {
            if !places.is_empty() {
                items.push(Item::Markers(Markers {
                    class,
                    shape,
                    radius,
                    places,
                    colour: style.colour,
                    halo,
                }));
            }
        }
    }
}

/// The error bar of a point, as far as it is inside the frame.
fn bar(frame: &Frame, inverted: bool, range: &Range, (x, point): (f64, &Measured)) -> Option<[Point; 2]> {
    let error = point.error?;
    let end = |more: f64| y_of(frame, inverted, range.fraction_beside(point.value, more));
    let (from, to) = (end(-error), end(error));
    // One that does not show is not drawn.
    ((from - to).abs() > 0.01).then(|| line(x, from, x, to))
}

/// How large markers are: smaller where there are many.
fn radius(count: usize) -> f64 {
    let radius = 3.9 - 0.75 * (from_count(count.max(1)) / 50.0).log10().max(0.0);
    // Short to write, too.
    (radius.max(1.2) * 10.0).round() / 10.0
}

/// The title, and what the axes are.
fn paint_labels(plot: &Plot, frame: &Frame, items: &mut Vec<Item>) {
    let axes = frame.axes.as_ref();
    if !plot.title.is_empty() {
        let at = Point { x: frame.left, y: EDGE + TITLE_LINE - 12.0 };
        let text = font::fit(&plot.title, TITLE * font::BOLD_WIDER, frame.width());
        let (anchor, size, colour) = (Anchor::Start, TITLE, INK);
        items.push(Item::Text(Text { at, anchor, upwards: false, size, bold: true, colour, letters: text }));
    }
    let mut label = |text: String, at: Point, upwards: bool| {
        let room = if upwards { frame.height() + frame.top } else { frame.width() };
        // A little smaller before it is cut.
        let size = (LABEL * room / font::width(&text, LABEL)).clamp(LABEL * 0.8, LABEL);
        let text = font::fit(&text, size, room);
        if !text.is_empty() {
            let anchor = Anchor::Middle;
            items.push(Item::Text(Text {
                at,
                anchor,
                upwards,
                size,
                bold: false,
                colour: INK,
                letters: text,
            }));
        }
    };
    let (x, y) = (frame.left.midpoint(frame.right), frame.bottom + TICK_LINE + LABEL_LINE - 5.0);
    label(words::label(&plot.time_label, axes.map(|axes| &axes.0)), Point { x, y }, false);
    let (x, y) = (EDGE + LABEL - 2.0, frame.top.midpoint(frame.bottom));
    label(words::label(&plot.value_label, axes.map(|axes| &axes.1)), Point { x, y }, true);
}

fn paint_legend(plot: &Plot, frame: &Frame, items: &mut Vec<Item>) {
    let top = EDGE + if plot.title.is_empty() { 0.0 } else { TITLE_LINE };
    for entry in &frame.legend.entries {
        let middle = top + (from_count(entry.row) + 0.5) * legend::ROW - 3.0;
        let mut x = frame.left + entry.x;
        if let Some(style) = entry.style {
            let (shape, colour) = (style.shape, style.colour);
            let places = vec![Point { x: x + 5.0, y: middle }];
            items.push(Item::Markers(Markers {
                class: "legend",
                shape,
                radius: 4.2,
                places,
                colour,
                halo: 0.0,
            }));
            x += legend::MARKER;
        }
        let at = Point { x, y: middle + legend::SIZE * HALF_LETTER };
        items.push(text_at(at, Anchor::Start, (legend::SIZE, INK), &entry.text));
    }
}

/// What is not drawn.
fn paint_notes(frame: &Frame, height: f64, items: &mut Vec<Item>) {
    let count = frame.notes.len();
    for (k, note) in frame.notes.iter().enumerate() {
        let at = Point { x: EDGE, y: height - EDGE * 0.7 - NOTE_LINE * from_count(count - 1 - k) };
        items.push(text_at(at, Anchor::Start, (NOTE, PALE_INK), note));
    }
}

fn text_at(at: Point, anchor: Anchor, (size, colour): (f64, Colour), text: &str) -> Item {
    Item::Text(Text { at, anchor, upwards: false, size, bold: false, colour, letters: text.to_owned() })
}

const fn line(x: f64, y: f64, x_end: f64, y_end: f64) -> [Point; 2] {
    [Point { x, y }, Point { x: x_end, y: y_end }]
}

/// The middle of a pixel: a line between two would be pale.
fn sharp(place: f64) -> f64 {
    place.floor() + 0.5
}
