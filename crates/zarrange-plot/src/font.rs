//! How wide text is, and its strokes: the machine may have no fonts.

use crate::glyphs::{BOX, GLYPHS, Glyph, RAISED};

/// Units of glyphs in the size of a text.
const UNITS: f64 = 20.0;

/// How small and how high raised letters are.
const RAISED_SCALE: f64 = 0.66;
const RAISED_BY: f64 = 6.4;

/// Fonts of a browser may be wider.
const WIDER: f64 = 1.09;

/// Bold letters are.
pub(crate) const BOLD_WIDER: f64 = 1.14;

/// What stands between letters, apart from what is in them.
const BETWEEN: f64 = 0.3;

/// How wide strokes are, in the size of a text.
pub(crate) const REGULAR: f64 = 0.083;
pub(crate) const BOLD: f64 = 0.107;

/// A piece of a stroke: to the right of where the text begins, and below its baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Piece {
    Move(f64, f64),
    Line(f64, f64),
    Curve([(f64, f64); 3]),
    Close,
}

/// How wide a text is, about.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size * WIDER / UNITS
}

/// As much of a text as is so wide, with dots for what is left out.
pub(crate) fn fit(text: &str, size: f64, width_max: f64) -> String {
    if width(text, size) <= width_max {
        return text.to_owned();
    }
    let unit = size * WIDER / UNITS;
    let mut room = width_max - width("…", size);
    let mut out = String::new();
    for c in text.chars() {
        room -= advance(c) * unit;
        if room < 0.0 {
            break;
        }
        out.push(c);
    }
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// The strokes of a text, and how wide they are.
pub(crate) fn strokes(text: &str, size: f64) -> (Vec<Piece>, f64) {
    let (mut pieces, mut at) = (Vec::new(), 0.0);
    for c in text.chars() {
        let (glyph, scale, up) = glyph(c);
        let scale = scale * size / UNITS;
        trace(glyph.2, &mut pieces, |(x, y)| (at + x * scale, -(y * scale + up * size / UNITS)));
        at += advance(c) * size / UNITS;
    }
    (pieces, at)
}

/// The glyph of a letter, how much it is scaled and raised.
fn glyph(c: char) -> (&'static Glyph, f64, f64) {
    let find = |c: char| GLYPHS.iter().find(|glyph| glyph.0 == c);
    if let Some(glyph) = find(c) {
        return (glyph, 1.0, 0.0);
    }
    let raised = RAISED.iter().find(|(raised, _)| *raised == c).and_then(|(_, base)| find(*base));
    raised.map_or((&BOX, 1.0, 0.0), |glyph| (glyph, RAISED_SCALE, RAISED_BY))
}

fn advance(c: char) -> f64 {
    let (glyph, scale, _) = glyph(c);
    // Fonts of a browser have those as wide as high.
    if glyph.0 == BOX.0 && c >= '\u{1100}' { UNITS } else { glyph.1 * scale + BETWEEN }
}

/// Adds the strokes of a glyph, at places that `place` gives.
fn trace(strokes: &str, out: &mut Vec<Piece>, place: impl Fn((f64, f64)) -> (f64, f64)) {
    // So long a quarter of an ellipse pulls: a little more than a circle, as letters are.
    const PULL: f64 = 0.59;
    let mut at = (0.0, 0.0);
    let mut words = strokes.split_ascii_whitespace().peekable();
    let number = |word: Option<&str>| word.and_then(|word| word.parse().ok()).unwrap_or(0.0);
    while let Some(word) = words.next() {
        let (command, x) = word.split_at(1);
        if command == "Z" {
            out.push(Piece::Close);
            continue;
        }
        let to = (number(Some(x)), number(words.next()));
        let end = match command {
            "M" | "L" => {
                let (x, y) = place(to);
                out.push(if command == "M" { Piece::Move(x, y) } else { Piece::Line(x, y) });
                to
            }
            "C" => {
                let second = (number(words.next()), number(words.next()));
                let end = (number(words.next()), number(words.next()));
                out.push(Piece::Curve([place(to), place(second), place(end)]));
                end
            }
            _ => {
                let corner = if command == "H" { (to.0, at.1) } else { (at.0, to.1) };
                let pull = |from: (f64, f64)| {
                    (from.0 + (corner.0 - from.0) * PULL, from.1 + (corner.1 - from.1) * PULL)
                };
                out.push(Piece::Curve([place(pull(at)), place(pull(to)), place(to)]));
                to
            }
        };
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_can_be_read() {
        for (c, advance, strokes) in GLYPHS.iter().chain([&BOX]) {
            let mut words = strokes.split_ascii_whitespace();
            while let Some(word) = words.next() {
                let (command, x) = word.split_at(1);
                let numbers = match command {
                    "Z" => 0,
                    "M" | "L" | "H" | "V" => 2,
                    "C" => 6,
                    other => panic!("{c}: {other}"),
                };
                for k in 0..numbers {
                    let text = if k == 0 { x } else { words.next().unwrap() };
                    let number: f64 = text.parse().unwrap_or_else(|_| panic!("{c}: {text:?}"));
                    let inside = if k % 2 == 0 { 0.0..=*advance } else { -4.5..=15.5 };
                    assert!(inside.contains(&number), "{c}: {number}");
                }
                assert!(command != "Z" || x.is_empty(), "{c}: {word}");
            }
        }
    }

    #[test]
    fn letters_have_glyphs_and_others_a_box() {
        let check = |c: char, known: bool| assert_eq!(glyph(c).0.0 != BOX.0, known, "{c:?}");
        (' '..='~').for_each(|c| check(c, true));
        "µμ°²−±αβδσ×⁻⁹…·’".chars().for_each(|c| check(c, true));
        "é漢\u{7f}".chars().for_each(|c| check(c, false));
        for (k, glyph) in GLYPHS.iter().enumerate() {
            assert_eq!(GLYPHS.iter().position(|other| other.0 == glyph.0), Some(k), "{}", glyph.0);
        }
    }

    #[test]
    fn what_is_too_wide_ends_in_dots() {
        let check = |text: &str, width_max: f64, expected: &str| {
            let found = fit(text, 10.0, width_max);
            assert_eq!(found, expected);
            assert!(expected == "…" || width(&found, 10.0) <= width_max, "{text}");
        };
        check("light curve", 100.0, "light curve");
        check("light curve", 36.0, "light…");
        check("light curve", 26.0, "lig…");
        check("light curve", 0.0, "…");
        check("", 0.0, "");
    }

    #[test]
    fn strokes_are_where_they_should() {
        let (pieces, wide) = strokes("l²", 20.0);
        assert_eq!(pieces[..2], [Piece::Move(2.2, -15.0), Piece::Line(2.2, -2.0)]);
        assert!((wide - (5.0 + 11.2 * RAISED_SCALE + 2.0 * BETWEEN)).abs() < 1e-9);
        let Piece::Move(x, y) = pieces[3] else { panic!("{pieces:?}") };
        assert!((x - (5.0 + 1.8 * RAISED_SCALE + BETWEEN)).abs() < 1e-9);
        assert!((y + 10.4 * RAISED_SCALE + RAISED_BY).abs() < 1e-9);
    }
}
