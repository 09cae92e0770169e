//! Charts as SVG: scales, axes and marks. The same text stands in the page and in the files for papers.

use std::fmt::{self, Write as _};

use crate::page::labels::{SMALL, fit, width};
use crate::page::results::Tags;
use crate::page::text::escape;

/// Width of a chart; a phone shows it nearly as large as it is.
pub(crate) const WIDTH: f64 = 420.0;

/// A chart with what it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// Name of its file.
    pub(crate) stem: String,
    pub(crate) title: String,
    pub(crate) tags: Tags,
    /// Whether it is shown before a layout is chosen; `None` if it is of all layouts.
    of_layout: Option<bool>,
    height: f64,
    body: String,
}

/// The style of charts.
pub(crate) const STYLE: &str = include_str!("chart.css");

impl Chart {
    /// As one of a layout: shown first, or when it is chosen.
    pub(crate) fn of_layout(self, first: bool) -> Self {
        Self { of_layout: Some(first), ..self }
    }

    /// As an element of the page.
    pub(crate) fn figure(&self) -> String {
        let first = match self.of_layout {
            None => "",
            Some(true) => " data-of-layout=\"first\"",
            Some(false) => " data-of-layout hidden",
        };
        let Self { title, tags, .. } = self;
        format!("<figure{tags}{first}>{}</figure>\n", self.element(&escape(title), ""))
    }

    /// As a file of its own.
    pub(crate) fn file(&self) -> String {
        let size =
            format!(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{}\"", self.height);
        self.element(&escape(&self.title), &size).replacen('>', &format!("><style>{STYLE}</style>"), 1)
    }

    fn element(&self, title: &str, attributes: &str) -> String {
        let Self { height, body, .. } = self;
        format!(
            "<svg class=\"chart\"{attributes} viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">{body}</svg>"
        )
    }
}

/// From values to places.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    domain: (f64, f64),
    range: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    /// Equal ratios, equal lengths.
    pub(crate) fn logarithmic(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { domain, range, logarithmic: true }
    }

    /// Equal differences, equal lengths.
    pub(crate) fn linear(domain: (f64, f64), range: (f64, f64)) -> Self {
        Self { domain, range, logarithmic: false }
    }

    /// Where a value is.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let place = |v: f64| if self.logarithmic { v.ln() } else { v };
        let (from, to) = (place(self.domain.0), place(self.domain.1));
        self.range.0 + (place(value) - from) / (to - from) * (self.range.1 - self.range.0)
    }

    /// Round values: powers of ten, with others between them where there are few.
    pub(crate) fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.domain;
        if !self.logarithmic {
            let rough = (to - from) / 4.0;
            let power = 10f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough);
            let step = step.unwrap_or(rough);
            return (0..=8u32).map(|k| from + f64::from(k) * step).filter(|v| *v <= to * 1.0001).collect();
        }
        let decades = (to / from).log10();
        let within: &[f64] = match decades {
            d if d < 0.8 => &[1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0],
            d if d < 2.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let mut out = Vec::new();
        let mut power = 10f64.powf(from.log10().floor());
        // Every decade, or every second where there are many.
        let factor = if decades > 7.0 { 100.0 } else { 10.0 };
        while power <= to {
            out.extend(within.iter().map(|m| m * power).filter(|v| *v >= from * 0.999 && *v <= to * 1.001));
            power *= factor;
        }
        out
    }
}

/// A domain around `values`, a little larger on both sides; from 1 to 10 if there are none.
pub(crate) fn around(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|v| v.is_finite() && *v > 0.0)
        .fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
    if low > high { (1.0, 10.0) } else { (low / 1.35, high * 1.35) }
}

/// A chart that is being drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Canvas(String);

impl Canvas {
    /// One with a title and what it is of.
    pub(crate) fn new(title: &str, of: &str) -> Self {
        let mut out = Self::default();
        // Letters of a title are bold, so wider.
        out.text((0.0, 15.0), "title", &fit(title, 15.5, WIDTH));
        out.text((0.0, 31.0), "muted", &fit(of, 12.0, WIDTH));
        out
    }

    /// Ends the drawing.
    pub(crate) fn chart(self, stem: &str, title: &str, height: f64, tags: Tags) -> Chart {
        let (stem, title) = (stem.to_owned(), title.to_owned());
        Chart { stem, title, tags, of_layout: None, height, body: self.0 }
    }

    fn add(&mut self, text: fmt::Arguments<'_>) {
        // A string takes all that is written.
        let _ = self.0.write_fmt(text);
    }

    /// An element with its hover text.
    pub(crate) fn mark(&mut self, element: &str, attributes: &str, tags: &Tags, hover: &str) {
        let hover = escape(hover);
        self.add(format_args!("<{element} {attributes}{tags}><title>{hover}</title></{element}>"));
    }

    /// An element that says nothing.
    pub(crate) fn plain(&mut self, element: &str, attributes: &str) {
        self.add(format_args!("<{element} {attributes}/>"));
    }

    pub(crate) fn text(&mut self, at: (f64, f64), class: &str, text: &str) {
        let text = escape(text);
        self.add(format_args!("<text x=\"{:.1}\" y=\"{:.1}\" class=\"{class}\">{text}</text>", at.0, at.1));
    }

    /// Marks that are shown together.
    pub(crate) fn group(&mut self, tags: &Tags, class: &str, inside: impl FnOnce(&mut Self)) {
        self.add(format_args!("<g class=\"{class}\"{tags}>"));
        inside(self);
        self.0.push_str("</g>");
    }

    /// Names of colours or shapes from `y` on, each with its sign; returns where the rows of them end.
    pub(crate) fn legend(&mut self, y: f64, entries: &[(String, Sign)]) -> f64 {
        let (mut x, mut y) = (6.0, y);
        for (name, sign) in entries {
            let name = fit(name, SMALL, 160.0);
            let taken = 12.0 + width(&name, SMALL);
            if x + taken > WIDTH {
                (x, y) = (6.0, y + 16.0);
            }
            self.plain("path", &sign.attributes((x, y)));
            self.text((x + 12.0, y + 4.0), "small", &name);
            x += taken + 16.0;
        }
        y + 12.0
    }

    /// Names in a row, each with its middle at `x`; those that would cover the one before are left out.
    pub(crate) fn names(&mut self, y: f64, names: impl Iterator<Item = (f64, String)>) {
        let mut end = f64::NEG_INFINITY;
        for (x, name) in names {
            let half = width(&name, SMALL) / 2.0;
            let x = x.min(WIDTH - half);
            if x - half >= end {
                self.text((x, y), "small middle", &name);
                end = x + half + 2.0;
            }
        }
    }
}

/// What stands for a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sign {
    /// A point with shape and colour of this number.
    Point(usize),
    /// A line of this colour.
    Line(usize),
    /// A grey line, dashed or not.
    Dashes(bool),
}

impl Sign {
    fn attributes(self, (x, y): (f64, f64)) -> String {
        let line = format!("d=\"M{:.1} {y:.1}h14\"", x - 6.0);
        match self {
            Self::Point(number) => {
                format!("d=\"{}\" class=\"dot on {}\"", point((x, y), number), colour(number))
            }
            Self::Line(number) => format!("{line} class=\"line {}\"", colour(number)),
            Self::Dashes(dashed) => {
                format!("{line} class=\"line rule{}\"", if dashed { " cold" } else { "" })
            }
        }
    }
}

/// The class of a colour.
pub(crate) fn colour(number: usize) -> String {
    format!("c{}", number % 6)
}

/// The path of a point: shapes differ as colours do.
pub(crate) fn point((x, y): (f64, f64), number: usize) -> String {
    let place = |dx: f64, dy: f64| format!("{:.1} {:.1}", x + dx, y + dy);
    match number % 4 {
        0 => format!("M{}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", place(-4.0, 0.0)),
        1 => format!("M{}h7v7h-7z", place(-3.5, -3.5)),
        2 => format!("M{}l4.5 8h-9z", place(0.0, -5.0)),
        _ => format!("M{}l5 5l-5 5l-5 -5z", place(0.0, -5.0)),
    }
}

/// A path through places.
pub(crate) fn path(places: &[(f64, f64)]) -> String {
    let places: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("M{}", places.join("L"))
}

/// Two axes with a grid between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) x: Scale,
    pub(crate) y: Scale,
}

/// Where the surface of a chart with two axes lies: left, right, top, bottom.
pub(crate) const SURFACE: (f64, f64, f64, f64) = (66.0, WIDTH - 12.0, 62.0, 318.0);

/// Height of a chart with two axes, without its legend.
pub(crate) const HEIGHT: f64 = 360.0;

/// An axis: what it says, and how its values are written.
pub(crate) type Axis<'a> = (&'a str, &'a dyn Fn(f64) -> String);

impl Frame {
    /// Two logarithmic scales over [`SURFACE`].
    pub(crate) fn logarithmic(x: (f64, f64), y: (f64, f64)) -> Self {
        let (left, right, top, bottom) = SURFACE;
        Self { x: Scale::logarithmic(x, (left, right)), y: Scale::logarithmic(y, (bottom, top)) }
    }

    /// Where a pair of values is.
    pub(crate) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.x.at(x), self.y.at(y))
    }

    /// Draws the axes; `x_ticks` instead of round values if they are given.
    pub(crate) fn draw(&self, canvas: &mut Canvas, x: Axis<'_>, y: Axis<'_>, x_ticks: Option<&[f64]>) {
        let (left, right, top, bottom) = SURFACE;
        let ticks = self.x.ticks();
        for tick in x_ticks.unwrap_or(&ticks) {
            let at = self.x.at(*tick);
            canvas.plain("path", &format!("d=\"M{at:.1} {top}V{bottom}\" class=\"grid\""));
        }
        let names = x_ticks.unwrap_or(&ticks).iter().map(|tick| (self.x.at(*tick), x.1(*tick)));
        canvas.names(bottom + 18.0, names);
        for tick in self.y.ticks() {
            let at = self.y.at(tick);
            canvas.plain("path", &format!("d=\"M{left} {at:.1}H{right}\" class=\"grid\""));
            canvas.text((left - 6.0, at + 4.0), "small end", &y.1(tick));
        }
        canvas.text((f64::midpoint(left, right), HEIGHT - 6.0), "middle", x.0);
        canvas.turned((13.0, f64::midpoint(top, bottom)), y.0);
    }
}

impl Canvas {
    /// A text that reads upwards.
    pub(crate) fn turned(&mut self, (x, y): (f64, f64), text: &str) {
        let text = escape(text);
        self.add(format_args!(
            "<text transform=\"translate({x:.1} {y:.1}) rotate(-90)\" class=\"middle\">{text}</text>"
        ));
    }
}
