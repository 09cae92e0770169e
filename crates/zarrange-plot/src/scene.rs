//! What painters draw: lines, markers and text at places that are decided.

/// A place: to the right, and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    pub(crate) y: f64,
}

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

/// A picture, in units of its own: painters scale it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scene {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// For those who do not see it.
    pub(crate) title: String,
    /// For those who do not see it.
    pub(crate) description: String,
    /// Later ones are above.
    pub(crate) items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Lines(Lines),
    Markers(Markers),
    Text(Text),
}

/// Lines of one look.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    /// What they are.
    pub(crate) class: &'static str,
    pub(crate) segments: Vec<[Point; 2]>,
    pub(crate) width: f64,
    pub(crate) colour: Colour,
    pub(crate) opacity: f64,
}

/// Markers of one look.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Markers {
    /// What they are.
    pub(crate) class: &'static str,
    pub(crate) shape: Shape,
    pub(crate) radius: f64,
    pub(crate) places: Vec<Point>,
    pub(crate) colour: Colour,
    /// Width of a white line around each, so that those that overlap are told apart.
    pub(crate) halo: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Circle,
    Square,
    Up,
    Down,
    Diamond,
    Pentagon,
    Star,
    Plus,
    Cross,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// The baseline.
    pub(crate) at: Point,
    pub(crate) anchor: Anchor,
    /// Whether it runs upwards.
    pub(crate) upwards: bool,
    pub(crate) size: f64,
    pub(crate) bold: bool,
    pub(crate) colour: Colour,
    pub(crate) letters: String,
}

/// What of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Shape {
    /// Its corners around a place, for a radius of 1. A circle has none. All have about the same area.
    pub(crate) const fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Self::Circle => &[],
            Self::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Self::Up => &[(0.0, -1.35), (1.2, 0.8), (-1.2, 0.8)],
            Self::Down => &[(0.0, 1.35), (-1.2, -0.8), (1.2, -0.8)],
            Self::Diamond => &[(0.0, -1.35), (1.1, 0.0), (0.0, 1.35), (-1.1, 0.0)],
            Self::Pentagon => {
                &[(0.0, -1.15), (1.094, -0.355), (0.676, 0.93), (-0.676, 0.93), (-1.094, -0.355)]
            }
            Self::Star => &[
                (0.0, -1.5),
                (0.382, -0.526),
                (1.427, -0.464),
                (0.618, 0.201),
                (0.882, 1.214),
                (0.0, 0.65),
                (-0.882, 1.214),
                (-0.618, 0.201),
                (-1.427, -0.464),
                (-0.382, -0.526),
            ],
            Self::Plus => &[
                (-0.4, -1.3),
                (0.4, -1.3),
                (0.4, -0.4),
                (1.3, -0.4),
                (1.3, 0.4),
                (0.4, 0.4),
                (0.4, 1.3),
                (-0.4, 1.3),
                (-0.4, 0.4),
                (-1.3, 0.4),
                (-1.3, -0.4),
                (-0.4, -0.4),
            ],
            Self::Cross => &[
                (0.0, -0.566),
                (0.637, -1.203),
                (1.203, -0.637),
                (0.566, 0.0),
                (1.203, 0.637),
                (0.637, 1.203),
                (0.0, 0.566),
                (-0.637, 1.203),
                (-1.203, 0.637),
                (-0.566, 0.0),
                (-1.203, -0.637),
                (-0.637, -1.203),
            ],
        }
    }
}
