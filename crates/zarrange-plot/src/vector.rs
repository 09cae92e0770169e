//! A scene as SVG.

use std::fmt::Write as _;

use crate::scene::{Anchor, Colour, Item, Lines, Markers, Point, Scene, Shape, Text};

/// Writes a scene as SVG of so many pixels.
pub(crate) fn paint(scene: &Scene, (width, height): (u32, u32)) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" font-family=\"Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif\">\n",
        width.max(1),
        height.max(1),
        number(scene.width),
        number(scene.height),
    );
    for (tag, text) in [("title", &scene.title), ("desc", &scene.description)] {
        let _ = writeln!(out, "<{tag}>{}</{tag}>", escaped(text));
    }
    out += "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
    for item in &scene.items {
        match item {
            Item::Lines(lines) => paint_lines(lines, &mut out),
            Item::Markers(markers) => paint_markers(markers, &mut out),
            Item::Text(text) => paint_text(text, &mut out),
        }
    }
    out + "</svg>\n"
}

/// One path: thousands of elements would be large and slow.
fn paint_lines(lines: &Lines, out: &mut String) {
    let class = lines.class;
    let _ = write!(
        out,
        "<path class=\"{class}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"",
        hex(lines.colour),
        number(lines.width)
    );
    if lines.opacity < 1.0 {
        let _ = write!(out, " stroke-opacity=\"{}\"", number(lines.opacity));
    }
    *out += " d=\"";
    for [from, to] in &lines.segments {
        let _ = write!(out, "M{}", pair(*from));
        // Most are upright.
        let _ = match (from.x.total_cmp(&to.x).is_eq(), from.y.total_cmp(&to.y).is_eq()) {
            (true, _) => write!(out, "V{}", number(to.y)),
            (_, true) => write!(out, "H{}", number(to.x)),
            _ => write!(out, "L{}", pair(*to)),
        };
    }
    *out += "\"/>\n";
}

/// One path: a marker is where it begins, and the same steps for all.
fn paint_markers(markers: &Markers, out: &mut String) {
    let colour = hex(markers.colour);
    let _ = write!(out, "<path class=\"{}\" fill=\"{colour}\"", markers.class);
    if markers.halo > 0.0 {
        let _ = write!(out, " stroke=\"#fff\" stroke-width=\"{}\"", number(markers.halo));
    }
    let (radius, corners) = (markers.radius, markers.shape.corners());
    let (begin, steps) = match markers.shape {
        Shape::Circle => {
            let (r, across) = (number(radius), number(radius * 2.0));
            ((-radius, 0.0), format!("a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0-{across} 0z"))
        }
        Shape::Square
        | Shape::Up
        | Shape::Down
        | Shape::Diamond
        | Shape::Pentagon
        | Shape::Star
        | Shape::Plus
        | Shape::Cross => {
            let step = |pair: &[(f64, f64)]| {
                let (x, y) = ((pair[1].0 - pair[0].0) * radius, (pair[1].1 - pair[0].1) * radius);
                joined(&number(x), &number(y))
            };
            let steps: Vec<String> = corners.windows(2).map(step).collect();
            ((corners[0].0 * radius, corners[0].1 * radius), format!("l{}z", steps.join(" ")))
        }
    };
    *out += " d=\"";
    for place in &markers.places {
        let _ = write!(out, "M{}{steps}", pair(Point { x: place.x + begin.0, y: place.y + begin.1 }));
    }
    *out += "\"/>\n";
}

fn paint_text(text: &Text, out: &mut String) {
    let Text { at, anchor, size, bold, colour, .. } = text;
    let (x, y) = (number(at.x), number(at.y));
    let _ = write!(out, "<text font-size=\"{}\" fill=\"{}\"", number(*size), hex(*colour));
    let _ = match anchor {
        Anchor::Start => Ok(()),
        Anchor::Middle => write!(out, " text-anchor=\"middle\""),
        Anchor::End => write!(out, " text-anchor=\"end\""),
    };
    if *bold {
        *out += " font-weight=\"600\"";
    }
    let _ = if text.upwards {
        write!(out, " transform=\"translate({x} {y}) rotate(-90)\"")
    } else {
        write!(out, " x=\"{x}\" y=\"{y}\"")
    };
    let _ = writeln!(out, ">{}</text>", escaped(&text.letters));
}

fn pair(point: Point) -> String {
    joined(&number(point.x), &number(point.y))
}

/// Two numbers of a path; a sign parts them already.
fn joined(x: &str, y: &str) -> String {
    if y.starts_with('-') { format!("{x}{y}") } else { format!("{x} {y}") }
}

/// A number with two decimals at most.
fn number(value: f64) -> String {
    let rounded = (value * 100.0).round() / 100.0;
    let text = rounded.to_string();
    // There is no -0, and no 0 before a point.
    match (rounded == 0.0, text.strip_prefix("0."), text.strip_prefix("-0.")) {
        (true, ..) => "0".to_owned(),
        (_, Some(rest), _) => format!(".{rest}"),
        (.., Some(rest)) => format!("-.{rest}"),
        _ => text,
    }
}

fn hex(Colour(red, green, blue): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text as XML has it; what XML cannot hold was dropped before.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |value: f64, expected: &str| assert_eq!(number(value), expected);
        check(1.0, "1");
        check(1.005_1, "1.01");
        check(-0.001, "0");
        check(-12.5, "-12.5");
        check(0.1 + 0.2, ".3");
        check(-0.254, "-.25");
        check(100.0, "100");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
