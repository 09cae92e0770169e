//! A scene as PNG.

use tiny_skia::{Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, Stroke, Transform};

use crate::encode::encode;
use crate::error::{PIXELS_MAX, PlotError, SIDE_MAX};
use crate::font::{self, Piece};
use crate::scene::{Anchor, Colour, Item, Lines, Markers, Scene, Shape, Text};

/// White, of so many pixels.
pub(crate) fn canvas((width, height): (u32, u32)) -> Result<Pixmap, PlotError> {
    let fits = width.max(height) <= SIDE_MAX && u64::from(width) * u64::from(height) <= PIXELS_MAX;
    let canvas = if fits { Pixmap::new(width, height) } else { None };
    let mut canvas = canvas.ok_or(PlotError::Size { width, height })?;
    canvas.fill(Color::WHITE);
    Ok(canvas)
}

/// Draws a scene, and writes it as PNG.
pub(crate) fn paint(scene: &Scene, mut canvas: Pixmap) -> Result<Vec<u8>, PlotError> {
    let scale = f64::from(canvas.width()) / scene.width;
    let scale = Transform::from_scale(single(scale), single(scale));
    for item in &scene.items {
        match item {
            Item::Lines(lines) => paint_lines(lines, scale, &mut canvas),
            Item::Markers(markers) => paint_markers(markers, scale, &mut canvas),
            Item::Text(text) => paint_text(text, scale, &mut canvas),
        }
    }
    let size = (canvas.width(), canvas.height());
    encode(size, canvas.data()).map_err(|source| PlotError::Encode { source })
}

fn paint_lines(lines: &Lines, scale: Transform, canvas: &mut Pixmap) {
    let mut builder = PathBuilder::new();
    for [from, to] in &lines.segments {
        builder.move_to(single(from.x), single(from.y));
        builder.line_to(single(to.x), single(to.y));
    }
    let stroke = Stroke { width: single(lines.width), ..Stroke::default() };
    stroked(builder, lines.colour, lines.opacity, &stroke, scale, canvas);
}

fn paint_markers(markers: &Markers, scale: Transform, canvas: &mut Pixmap) {
    let mut builder = PathBuilder::new();
    let radius = markers.radius;
    for place in &markers.places {
        if markers.shape == Shape::Circle {
            builder.push_circle(single(place.x), single(place.y), single(radius));
        }
        for (k, corner) in markers.shape.corners().iter().enumerate() {
            let (x, y) = (single(place.x + corner.0 * radius), single(place.y + corner.1 * radius));
            if k == 0 {
                builder.move_to(x, y);
            } else {
                builder.line_to(x, y);
            }
        }
        if markers.shape != Shape::Circle {
            builder.close();
        }
    }
    let Some(path) = builder.finish() else { return };
    canvas.fill_path(&path, &paint_of(markers.colour, 1.0), FillRule::Winding, scale, None);
    if markers.halo > 0.0 {
        let stroke = Stroke { width: single(markers.halo), ..Stroke::default() };
        canvas.stroke_path(&path, &paint_of(Colour(255, 255, 255), 1.0), &stroke, scale, None);
    }
}

fn paint_text(text: &Text, scale: Transform, canvas: &mut Pixmap) {
    let (pieces, width) = font::strokes(&text.letters, text.size);
    let back = match text.anchor {
        Anchor::Start => 0.0,
        Anchor::Middle => width / 2.0,
        Anchor::End => width,
    };
    let mut place = scale.pre_translate(single(text.at.x), single(text.at.y));
    if text.upwards {
        place = place.pre_rotate(-90.0);
    }
    let place = place.pre_translate(single(-back), 0.0);
    let mut builder = PathBuilder::new();
    for piece in pieces {
        match piece {
            Piece::Move(x, y) => builder.move_to(single(x), single(y)),
            Piece::Line(x, y) => builder.line_to(single(x), single(y)),
            Piece::Curve([first, second, end]) => builder.cubic_to(
                single(first.0),
                single(first.1),
                single(second.0),
                single(second.1),
                single(end.0),
                single(end.1),
            ),
            Piece::Close => builder.close(),
        }
    }
    let weight = if text.bold { font::BOLD } else { font::REGULAR };
    let stroke = Stroke {
        width: single(weight * text.size),
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        ..Stroke::default()
    };
    stroked(builder, text.colour, 1.0, &stroke, place, canvas);
}

fn stroked(
    path: PathBuilder,
    colour: Colour,
    opacity: f64,
    stroke: &Stroke,
    place: Transform,
    canvas: &mut Pixmap,
) {
    // There is no path of nothing.
    let path: Option<Path> = path.finish();
    if let Some(path) = path {
        canvas.stroke_path(&path, &paint_of(colour, opacity), stroke, place, None);
    }
}

fn paint_of(Colour(red, green, blue): Colour, opacity: f64) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    // From 0 to 1, whose share of 255 is whole.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 255")]
    let alpha = (opacity.clamp(0.0, 1.0) * 255.0).round() as u8;
    paint.set_color_rgba8(red, green, blue, alpha);
    paint
}

/// A number of half the digits.
#[expect(clippy::cast_possible_truncation, reason = "hundredths of a pixel are enough")]
const fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Point;

    /// Left, top, right and bottom of what a text darkens.
    fn dark(anchor: Anchor, upwards: bool) -> [usize; 4] {
        const SIDE: usize = 100;
        let mut pixmap = canvas((100, 100)).unwrap();
        let (at, colour) = (Point { x: 50.0, y: 50.0 }, Colour(0, 0, 0));
        let letters = "LLL".to_owned();
        let text = Text { at, anchor, upwards, size: 20.0, bold: false, colour, letters };
        paint_text(&text, Transform::identity(), &mut pixmap);
        let mut edges = [SIDE, SIDE, 0, 0];
        for (k, pixel) in pixmap.data().chunks_exact(4).enumerate().filter(|(_, pixel)| pixel[0] < 128) {
            assert_eq!(pixel[3], 255);
            let (x, y) = (k % SIDE, k / SIDE);
            edges = [edges[0].min(x), edges[1].min(y), edges[2].max(x), edges[3].max(y)];
        }
        edges
    }

    #[test]
    fn text_is_where_it_should() {
        let check = |anchor: Anchor, upwards: bool, expected: [usize; 4]| {
            let found = dark(anchor, upwards);
            let near = found.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) <= 2);
            assert!(near, "{anchor:?} {upwards}: {found:?}, not {expected:?}");
        };
        // Three letters of 11 and their height of 14, from their baseline.
        check(Anchor::Start, false, [51, 36, 82, 50]);
        check(Anchor::Middle, false, [35, 36, 65, 50]);
        check(Anchor::End, false, [18, 36, 49, 50]);
        check(Anchor::Start, true, [36, 18, 50, 49]);
        check(Anchor::Middle, true, [36, 35, 50, 65]);
    }
}
