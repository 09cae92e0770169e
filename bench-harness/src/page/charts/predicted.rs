//! Amplification that was predicted against what was measured.

use std::collections::BTreeSet;

use super::words::{capital, describe, slug, times};
use crate::page::results::{Entry, Facet, Results, Tags};
use crate::page::svg::{Canvas, Chart, Frame, HEIGHT, Sign, around, colour, path, point};
use crate::page::text::figure;
use crate::sweep::record::Measures;

/// What is compared: the name, and the figure that was predicted with the one that was measured.
type Kind = (&'static str, fn(&Measures) -> (f64, f64));

const KINDS: [Kind; 2] = [
    ("decoded", |m| (m.predicted_ra_geometry, m.ra_geometry)),
    ("stored bytes", |m| (m.predicted_ra_store, m.ra_store)),
];

/// Two charts for each place.
pub(super) fn charts(results: &Results) -> Vec<Chart> {
    let places = 0..results.places.len();
    places.flat_map(|place| KINDS.iter().filter_map(move |kind| draw(results, place, kind))).collect()
}

/// Cells whose figures are the same, as they are through every backend.
struct Point<'a> {
    entry: &'a Entry,
    at: (f64, f64),
    tags: Tags,
}

fn points<'a>(results: &'a Results, place: usize, value: fn(&Measures) -> (f64, f64)) -> Vec<Point<'a>> {
    let mut out: Vec<Point<'a>> = Vec::new();
    for entry in results.of_place(place) {
        let Some(at) = entry.measures().map(value) else { continue };
        let tags = entry.tags(&[
            Facet::Workload,
            Facet::Codec,
            Facet::Reader,
            Facet::Backend,
            Facet::Cache,
            Facet::Layout,
        ]);
        let same = |p: &&mut Point<'_>| {
            p.at == at
                && p.entry.layout == entry.layout
                && p.entry.id(Facet::Workload) == entry.id(Facet::Workload)
        };
        match out.iter_mut().find(same) {
            Some(known) => known.tags.merge(tags),
            None => out.push(Point { entry, at, tags }),
        }
    }
    out
}

fn draw(results: &Results, place: usize, (name, value): &Kind) -> Option<Chart> {
    let facts = &results.places[place];
    let mut points = points(results, place, *value);
    // From left to right, for those who go from one to the next by keyboard.
    points.sort_by(|a, b| a.at.0.total_cmp(&b.at.0).then(a.at.1.total_cmp(&b.at.1)));
    let cells: Vec<(f64, f64)> = results.of_place(place).filter_map(|e| e.measures().map(value)).collect();
    if points.is_empty() {
        return None;
    }
    let near = cells.iter().filter(|(p, m)| (m / p - 1.0).abs() <= 0.01).count();
    let title = format!("{} per byte wanted: predicted, measured", capital(name));
    let mut canvas =
        Canvas::new(&title, &format!("{near} of {} cells within 1 %; {}", cells.len(), facts.name));
    let domain = around(points.iter().flat_map(|p| [p.at.0, p.at.1]));
    let frame = Frame::logarithmic(domain, domain);
    frame.draw(&mut canvas, ("predicted", &times), ("measured", &times), None);
    let diagonal = path(&[frame.place((domain.0, domain.0)), frame.place((domain.1, domain.1))]);
    canvas.plain("path", &format!("d=\"{diagonal}\" class=\"bound\""));
    let workloads: BTreeSet<usize> = points.iter().map(|p| p.entry.id(Facet::Workload)).collect();
    let names = results.names(Facet::Workload);
    let legend: Vec<_> = workloads.iter().map(|w| (names[*w].clone(), Sign::Point(*w))).collect();
    let height = canvas.legend(HEIGHT + 6.0, &legend);
    for p in &points {
        let workload = p.entry.id(Facet::Workload);
        let hover = format!(
            "{}, predicted {}, measured {}\n{}",
            names[workload],
            figure(p.at.0),
            figure(p.at.1),
            describe(facts, p.entry.layout)
        );
        let attributes =
            format!("d=\"{}\" class=\"mark dot {}\"", point(frame.place(p.at), workload), colour(workload));
        canvas.mark("path", &attributes, &p.tags, &hover);
    }
    let tags = points.first()?.entry.tags(&[Facet::Dataset]);
    Some(canvas.chart(&format!("predicted-{}-{}", slug(name), place + 1), &title, height, tags))
}
