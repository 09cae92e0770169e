//! Colours and markers of series.

use crate::scene::{Colour, Shape};

/// How a series looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) colour: Colour,
    pub(crate) shape: Shape,
}

/// Bands of surveys have customary colours: from blue by green and red to what no eye sees.
const BANDS: [(&str, Style); 6] = [
    ("u", Style { colour: Colour(0x4b, 0x5b, 0xdc), shape: Shape::Down }),
    ("g", Style { colour: Colour(0x23, 0x9b, 0x56), shape: Shape::Up }),
    ("r", Style { colour: Colour(0xc8, 0x28, 0x1e), shape: Shape::Circle }),
    ("i", Style { colour: Colour(0xee, 0x96, 0x1a), shape: Shape::Square }),
    ("z", Style { colour: Colour(0xa2, 0x3b, 0xb8), shape: Shape::Star }),
    ("y", Style { colour: Colour(0x4a, 0x3b, 0x32), shape: Shape::Diamond }),
];

/// Colours of Okabe and Ito, which the colour-blind tell apart. Their yellow is left out: it does not show on white.
const COLOURS: [Colour; 7] = [
    Colour(0x00, 0x72, 0xb2),
    Colour(0xd5, 0x5e, 0x00),
    Colour(0x00, 0x9e, 0x73),
    Colour(0xcc, 0x79, 0xa7),
    Colour(0x56, 0xb4, 0xe9),
    Colour(0xe6, 0x9f, 0x00),
    Colour(0x33, 0x33, 0x33),
];

/// One more than there are colours, so that it takes long until a pair returns. None looks like a band of about the same colour.
const SHAPES: [Shape; 8] = [
    Shape::Circle,
    Shape::Up,
    Shape::Diamond,
    Shape::Square,
    Shape::Down,
    Shape::Pentagon,
    Shape::Plus,
    Shape::Cross,
];

/// How series of these names look. A band has its own look; where two series are of one band, the second has another.
pub(crate) fn styles<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Style> {
    let (mut taken, mut others) = ([false; BANDS.len()], 0);
    let mut style = |name: &str| {
        if let Some(k) = band(name).filter(|k| !taken[*k]) {
            taken[k] = true;
            return BANDS[k].1;
        }
        others += 1;
        Style { colour: COLOURS[(others - 1) % COLOURS.len()], shape: SHAPES[(others - 1) % SHAPES.len()] }
    };
    names.map(&mut style).collect()
}

/// The band of `g`, of `lsst_g`, and of the `zg` of ZTF.
fn band(name: &str) -> Option<usize> {
    let last = name.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or(name);
    let last = match last {
        "Y" => "y",
        "zg" | "zr" | "zi" => &last[1..],
        other => other,
    };
    BANDS.iter().position(|(band, _)| *band == last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_have_their_colours() {
        let check = |names: &[&str], expected: &[Style]| {
            assert_eq!(styles(names.iter().copied()), expected, "{names:?}");
        };
        let other = |k: usize| Style { colour: COLOURS[k % 7], shape: SHAPES[k % 8] };
        let (g, r, y) = (BANDS[1].1, BANDS[2].1, BANDS[5].1);
        check(&["g", "r"], &[g, r]);
        check(&["lsst_g", "ZTF zr", "Y"], &[g, r, y]);
        check(
            &["", "V", "g", "ztf-g", "G", "forced"],
            &[other(0), other(1), g, other(2), other(3), other(4)],
        );
    }

    #[test]
    fn many_series_are_told_apart() {
        let names: Vec<String> = (0..56).map(|k| format!("filter {k}")).collect();
        let styles = styles(names.iter().map(String::as_str));
        for (k, style) in styles.iter().enumerate() {
            assert_eq!(styles.iter().position(|other| other == style), Some(k));
        }
    }
}
