//! What an epoch costs against what an object costs: one point for each layout.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{EPOCH, OBJECT, describe, of_workload, slug, times};
use crate::page::analysis::front;
use crate::page::labels::Labels;
use crate::page::results::{Entry, Facet, Results, Tags};
use crate::page::svg::{Axis, Canvas, Chart, Frame, HEIGHT, SURFACE, Sign, around, colour, path, point};
use crate::page::text::{figure, float, microseconds};
use crate::sweep::record::Measures;

/// What is set against each other.
struct Kind<'a> {
    stem: String,
    title: String,
    axes: (Axis<'a>, Axis<'a>),
    value: fn(&Measures) -> f64,
    /// Whether the two multiply to the elements of a chunk.
    bounded: bool,
    /// What all points depend on.
    tags: Tags,
    /// The scales, where they are those of other charts, too.
    domain: Option<Domain>,
}

type Domain = ((f64, f64), (f64, f64));

/// A layout.
struct Point {
    layout: usize,
    codec: usize,
    /// The object's figure, and the epoch's.
    at: (f64, f64),
    tags: Tags,
}

/// Median times for each backend and state of the cache at each place, then amplification by geometry and of stored bytes.
pub(super) fn charts(results: &Results) -> Vec<Chart> {
    let mut out = Vec::new();
    for place in 0..results.places.len() {
        let pairs: BTreeSet<_> =
            results.of_place(place).map(|e| (e.id(Facet::Cache), e.id(Facet::Backend))).collect();
        let (mut objects, mut epochs) = (Vec::new(), Vec::new());
        for entry in results.of_place(place) {
            let Some(m) = entry.measures() else { continue };
            match entry.record.cell.workload.name.as_str() {
                OBJECT => objects.push(m.latency.p50_us),
                EPOCH => epochs.push(m.latency.p50_us),
                _ => {}
            }
        }
        let domain = (around(objects.into_iter()), around(epochs.into_iter()));
        for (cache, backend) in pairs {
            let kind = Kind { domain: Some(domain), ..times_of(results, place, cache, backend) };
            let same = |e: &Entry| e.id(Facet::Cache) == cache && e.id(Facet::Backend) == backend;
            out.extend(draw(results, place, &kind, &same));
        }
        let all = |_: &Entry| true;
        out.extend(draw(results, place, &geometry(place), &all));
        out.extend(draw(results, place, &store(place), &all));
    }
    out
}

fn geometry<'a>(place: usize) -> Kind<'a> {
    Kind {
        stem: format!("amplification-geometry-{}", place + 1),
        title: "Decoded for each byte that is wanted".to_owned(),
        axes: (("one object: chunk bytes per useful byte", &times), ("one epoch", &times)),
        value: |m| m.ra_geometry,
        bounded: true,
        tags: Tags::default(),
        domain: None,
    }
}

fn store<'a>(place: usize) -> Kind<'a> {
    Kind {
        stem: format!("amplification-store-{}", place + 1),
        title: "Stored bytes for each byte that is wanted".to_owned(),
        axes: (("one object: stored bytes per useful byte", &times), ("one epoch", &times)),
        value: |m| m.ra_store,
        bounded: false,
        tags: Tags::default(),
        domain: None,
    }
}

fn times_of<'a>(results: &Results, place: usize, cache: usize, backend: usize) -> Kind<'a> {
    let (state, name) = (&results.names(Facet::Cache)[cache], &results.names(Facet::Backend)[backend]);
    Kind {
        stem: format!("time-{state}-{}-{}", slug(name), place + 1),
        title: format!("Median time, {state}, {name}"),
        axes: (("one object", &microseconds), ("one epoch", &microseconds)),
        value: |m| m.latency.p50_us,
        bounded: false,
        tags: results.with_backend(Tags::default().with(Facet::Cache, cache), backend),
        domain: None,
    }
}

/// The layouts that have both figures.
fn points(results: &Results, place: usize, kind: &Kind<'_>, of: &dyn Fn(&Entry) -> bool) -> Vec<Point> {
    let figures = |workload: &str| -> BTreeMap<usize, (f64, usize)> {
        of_workload(results, place, workload)
            .filter(|entry| of(entry))
            .filter_map(|e| Some((e.layout, ((kind.value)(e.measures()?), e.id(Facet::Codec)))))
            .collect()
    };
    let (epochs, objects) = (figures(EPOCH), figures(OBJECT));
    let layout_id = |layout: usize| results.id(Facet::Layout, &results.places[place].layouts[layout].name);
    epochs
        .into_iter()
        .filter_map(|(layout, (epoch, codec))| {
            let (object, _) = objects.get(&layout)?;
            let tags = Tags::default().with(Facet::Codec, codec).with(Facet::Layout, layout_id(layout)?);
            Some(Point { layout, codec, at: (*object, epoch), tags })
        })
        .collect()
}

fn draw(results: &Results, place: usize, kind: &Kind<'_>, of: &dyn Fn(&Entry) -> bool) -> Option<Chart> {
    let points = points(results, place, kind, of);
    if points.is_empty() {
        return None;
    }
    let facts = &results.places[place];
    let own = || (around(points.iter().map(|p| p.at.0)), around(points.iter().map(|p| p.at.1)));
    let (x, y) = kind.domain.unwrap_or_else(own);
    let frame = Frame::logarithmic(x, y);
    let mut canvas = Canvas::new(&kind.title, &facts.name);
    frame.draw(&mut canvas, kind.axes.0, kind.axes.1, None);
    if kind.bounded {
        let sizes = points.iter().map(|p| facts.chunk(p.layout)).map(|(a, b)| a * b).collect();
        bounds(&mut canvas, &frame, &sizes);
    }
    let codecs: BTreeSet<usize> = points.iter().map(|p| p.codec).collect();
    let names = results.names(Facet::Codec);
    let entries: Vec<_> = codecs.iter().map(|c| (names[*c].clone(), Sign::Point(*c))).collect();
    let height = canvas.legend(HEIGHT + 6.0, &entries);
    let fronts: Vec<Front<'_>> = codecs.into_iter().map(|codec| Front::new(&points, codec)).collect();
    for front in &fronts {
        front.marks(&mut canvas, &frame, &|p| {
            let (objects, epochs) = facts.chunk(p.layout);
            let (x, y) = (kind.axes.0.1(p.at.0), kind.axes.1.1(p.at.1));
            let cells = objects * epochs;
            format!(
                "{}\n{objects} objects × {epochs} epochs = {cells}\none object {x}, one epoch {y}",
                describe(facts, p.layout)
            )
        });
    }
    label(&mut canvas, &frame, &fronts, &|p| {
        let (objects, epochs) = facts.chunk(p.layout);
        format!("{} × {}", figure(float(objects)), figure(float(epochs)))
    });
    Some(canvas.chart(&kind.stem, &kind.title, height, kind.tags.clone().with(Facet::Dataset, place)))
}

/// The points of a codec, and which of them nothing beats.
struct Front<'a> {
    codec: usize,
    points: Vec<&'a Point>,
    best: Vec<usize>,
}

impl<'a> Front<'a> {
    fn new(points: &'a [Point], codec: usize) -> Self {
        let mut points: Vec<&Point> = points.iter().filter(|p| p.codec == codec).collect();
        // From left to right, for those who go from one to the next by keyboard.
        points.sort_by(|a, b| a.at.0.total_cmp(&b.at.0).then(a.at.1.total_cmp(&b.at.1)));
        let ats: Vec<(f64, f64)> = points.iter().map(|p| p.at).collect();
        // A layout without others to compare with is on no front.
        let best = if ats.len() > 1 { front(&ats) } else { Vec::new() };
        Self { codec, points, best }
    }

    fn tags(&self) -> Tags {
        Tags::default().with(Facet::Codec, self.codec)
    }

    /// The line through those that nothing beats.
    fn line(&self, frame: &Frame) -> Vec<(f64, f64)> {
        self.best.iter().map(|k| frame.place(self.points[*k].at)).collect()
    }

    /// All points, those on the front filled and joined.
    fn marks(&self, canvas: &mut Canvas, frame: &Frame, hover: &dyn Fn(&Point) -> String) {
        let colour = colour(self.codec);
        if self.best.len() > 1 {
            let attributes = format!("d=\"{}\" class=\"line front {colour}\"", path(&self.line(frame)));
            let hover = format!("Pareto front of {} layouts", self.points.len());
            canvas.mark("path", &attributes, &self.tags(), &hover);
        }
        for (k, p) in self.points.iter().enumerate() {
            let on = if self.best.contains(&k) { " on" } else { "" };
            let shape = point(frame.place(p.at), p.codec);
            let attributes = format!("d=\"{shape}\" class=\"mark dot{on} {colour}\"");
            canvas.mark("path", &attributes, &p.tags, &hover(p));
        }
    }
}

/// Says of points on fronts what they are, where there is room: hovering says the same of all.
fn label(canvas: &mut Canvas, frame: &Frame, fronts: &[Front<'_>], name: &dyn Fn(&Point) -> String) {
    let (left, right, top, bottom) = SURFACE;
    let mut labels = Labels::new((left, right, top, bottom));
    for front in fronts {
        front.points.iter().for_each(|p| labels.point(frame.place(p.at)));
        labels.line(&front.line(frame));
    }
    for front in fronts {
        canvas.group(&front.tags(), "labels", |canvas| {
            for k in &front.best {
                let (p, text) = (front.points[*k], name(front.points[*k]));
                if let Some((at, class)) = labels.place(frame.place(p.at), &text) {
                    canvas.text(at, class, &text);
                }
            }
        });
    }
}

/// Lines on which two amplifications multiply to the cells of a chunk, for each size that there is.
fn bounds(canvas: &mut Canvas, frame: &Frame, sizes: &BTreeSet<u64>) {
    let (left, right, top, bottom) = SURFACE;
    let mut sums = Vec::new();
    for size in sizes {
        let cells = float(*size);
        // Down a straight line: where it comes in from the top or the left, and leaves to the bottom or the right.
        let (from, to) = ((frame.x.at(1.0), frame.y.at(cells)), (frame.x.at(cells), frame.y.at(1.0)));
        let slope = (to.1 - from.1) / (to.0 - from.0);
        let cut = |x: f64| (x, from.1 + (x - from.0) * slope);
        let back = |y: f64| (from.0 + (y - from.1) / slope, y);
        if !slope.is_finite() || slope <= 0.0 {
            continue;
        }
        let begin = if cut(left).1 >= top { cut(left) } else { back(top) };
        let end = if cut(right).1 <= bottom { cut(right) } else { back(bottom) };
        if begin.0 >= right || end.0 <= left {
            continue;
        }
        let hover = format!("{size} objects × epochs in a chunk: the two amplifications multiply to {size}");
        let attributes = format!("d=\"{}\" class=\"bound\"", path(&[begin, end]));
        canvas.mark("path", &attributes, &Tags::default(), &hover);
        // Beside the axis is a name of it.
        if begin.1 <= top + 0.5 && begin.0 > left + 16.0 {
            sums.push((begin.0, figure(cells)));
        }
    }
    canvas.names(top - 4.0, sums.into_iter());
}
