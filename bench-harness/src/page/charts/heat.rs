//! Heat maps: objects in a chunk against epochs in a chunk.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{EPOCH, OBJECT, capital, describe, of_workload, slug, times};
use crate::page::results::{Entry, Facet, Results, Tags};
use crate::page::svg::{Canvas, Chart, WIDTH};
use crate::page::text::{figure, float, microseconds};
use crate::sweep::record::Measures;

/// A map with fewer shapes than this says no more than the table.
const SHAPES_MIN: usize = 4;

/// What a map shows.
struct Kind {
    stem: String,
    title: String,
    value: fn(&Measures) -> f64,
    write: fn(f64) -> String,
    tags: Tags,
    /// What is darkest and lightest.
    span: (f64, f64),
}

/// Amplification for each codec, and median times for each codec, backend and state of the cache; of epochs and of objects.
pub(super) fn charts(results: &Results) -> Vec<Chart> {
    let mut out = Vec::new();
    for place in 0..results.places.len() {
        let codecs: BTreeSet<usize> = results.of_place(place).map(|e| e.id(Facet::Codec)).collect();
        for codec in codecs {
            for workload in [EPOCH, OBJECT] {
                let of: Vec<&Entry> = of_workload(results, place, workload)
                    .filter(|e| e.id(Facet::Codec) == codec && e.measures().is_some())
                    .collect();
                out.extend(maps(results, place, workload, &of));
            }
        }
    }
    out
}

/// The maps of a workload and a codec.
fn maps(results: &Results, place: usize, workload: &str, of: &[&Entry]) -> Vec<Chart> {
    let Some(first) = of.first() else { return Vec::new() };
    let shared = first.tags(&[Facet::Dataset, Facet::Codec, Facet::Workload]);
    let codec = &first.record.cell.layout.codecs;
    let stem = |kind: &str| format!("heat-{kind}-{}-{}-{}", slug(workload), slug(codec), place + 1);
    let span = |value: fn(&Measures) -> f64| {
        of.iter()
            .filter_map(|e| e.measures().map(value))
            .fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)))
    };
    let geometry: fn(&Measures) -> f64 = |m| m.ra_geometry;
    let kind = Kind {
        stem: stem("amplification"),
        title: format!("{} reads: decoded for each byte that is wanted", capital(workload)),
        value: geometry,
        write: times,
        tags: shared.clone(),
        span: span(geometry),
    };
    let mut out: Vec<Chart> = draw(results, place, &kind, of).into_iter().collect();
    let median: fn(&Measures) -> f64 = |m| m.latency.p50_us;
    let pairs: BTreeSet<_> = of.iter().map(|e| (e.id(Facet::Cache), e.id(Facet::Backend))).collect();
    for (cache, backend) in pairs {
        let (state, name) = (&results.names(Facet::Cache)[cache], &results.names(Facet::Backend)[backend]);
        let kind = Kind {
            stem: stem(&format!("p50-{state}-{}", slug(name))),
            title: format!("{} reads: median time, {state}, {name}", capital(workload)),
            value: median,
            write: microseconds,
            tags: results.with_backend(shared.clone().with(Facet::Cache, cache), backend),
            span: span(median),
        };
        let same = |e: &&&Entry| e.id(Facet::Cache) == cache && e.id(Facet::Backend) == backend;
        let of: Vec<&Entry> = of.iter().filter(same).copied().collect();
        out.extend(draw(results, place, &kind, &of));
    }
    out
}

/// Where the cells lie: left, right, top; their height.
const CELLS: (f64, f64, f64) = (60.0, WIDTH - 2.0, 62.0);
const CELL_HEIGHT: f64 = 28.0;

fn draw(results: &Results, place: usize, kind: &Kind, of: &[&Entry]) -> Option<Chart> {
    let facts = &results.places[place];
    // The best layout of a shape; hovering names all.
    let mut shapes: BTreeMap<(u64, u64), Vec<(f64, usize)>> = BTreeMap::new();
    for entry in of {
        let value = (kind.value)(entry.measures()?);
        let known = shapes.entry(facts.chunk(entry.layout)).or_default();
        if !known.contains(&(value, entry.layout)) {
            known.push((value, entry.layout));
        }
    }
    let objects: Vec<u64> =
        shapes.keys().map(|(objects, _)| *objects).collect::<BTreeSet<_>>().into_iter().collect();
    let epochs: Vec<u64> =
        shapes.keys().map(|(_, epochs)| *epochs).collect::<BTreeSet<_>>().into_iter().collect();
    if shapes.len() < SHAPES_MIN || objects.len() < 2 || epochs.len() < 2 {
        return None;
    }
    let (left, right, top) = CELLS;
    let width = (right - left) / float(epochs.len() as u64);
    let bottom = top + CELL_HEIGHT * float(objects.len() as u64);
    let codec = &of.first()?.record.cell.layout.codecs;
    let mut canvas = Canvas::new(&kind.title, &format!("{}, {codec}", facts.name));
    scale(&mut canvas, kind);
    let at = |values: &[u64], value: u64| float(values.iter().position(|v| *v == value).unwrap_or(0) as u64);
    for ((a, b), mut layouts) in shapes {
        layouts.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (x, y) = (left + width * at(&epochs, b), bottom - CELL_HEIGHT * (at(&objects, a) + 1.0));
        cell(&mut canvas, results, (kind, place), &Shape { x, y, width, layouts: &layouts });
    }
    for (k, n) in epochs.iter().enumerate() {
        canvas.text(
            (left + width * (float(k as u64) + 0.5), bottom + 16.0),
            "small middle",
            &figure(float(*n)),
        );
    }
    for (k, n) in objects.iter().enumerate() {
        let y = bottom - CELL_HEIGHT * (float(k as u64) + 0.5) + 4.0;
        canvas.text((left - 6.0, y), "small end", &figure(float(*n)));
    }
    canvas.text((f64::midpoint(left, right), bottom + 34.0), "middle", "epochs in a chunk");
    canvas.turned((10.0, f64::midpoint(top, bottom)), "objects in a chunk");
    Some(canvas.chart(&kind.stem, &kind.title, bottom + 42.0, kind.tags.clone()))
}

/// Where a shape of chunks is drawn, and the layouts that have it with their figures, the best first.
struct Shape<'a> {
    x: f64,
    y: f64,
    width: f64,
    layouts: &'a [(f64, usize)],
}

/// One shape: its best figure, and all on hovering.
fn cell(canvas: &mut Canvas, results: &Results, (kind, place): (&Kind, usize), of: &Shape<'_>) {
    let Shape { x, y, width, layouts } = *of;
    let facts = &results.places[place];
    let mut tags = Tags::default();
    let mut hover = Vec::new();
    let Some((best, _)) = layouts.first() else { return };
    for (value, layout) in layouts {
        if let Some(id) = results.id(Facet::Layout, &facts.layouts[*layout].name) {
            tags.merge(Tags::default().with(Facet::Layout, id));
        }
        hover.push(format!("{}: {}", (kind.write)(*value), describe(facts, *layout)));
    }
    let share = share(*best, kind.span);
    let class = if share > 0.65 { "dark" } else { "light" };
    canvas.group(&tags, "heat mark", |canvas| {
        let attributes = format!(
            "x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{}\"",
            width - 2.0,
            CELL_HEIGHT - 2.0,
            shade(share)
        );
        canvas.mark("rect", &attributes, &Tags::default(), &hover.join("\n"));
        canvas.text((x + width / 2.0 - 1.0, y + 17.0), class, &(kind.write)(*best));
    });
}

/// What the shades mean.
fn scale(canvas: &mut Canvas, kind: &Kind) {
    const STEPS: u32 = 24;
    let (left, width) = (WIDTH - 150.0, 72.0);
    for step in 0..STEPS {
        let share = f64::from(step) / f64::from(STEPS - 1);
        let x = left + width * f64::from(step) / f64::from(STEPS);
        let w = width / f64::from(STEPS) + 0.3;
        canvas.plain(
            "rect",
            &format!("x=\"{x:.1}\" y=\"42\" width=\"{w:.1}\" height=\"10\" fill=\"{}\"", shade(share)),
        );
    }
    canvas.text((left - 6.0, 51.0), "small end", &(kind.write)(kind.span.0));
    canvas.text((left + width + 6.0, 51.0), "small", &(kind.write)(kind.span.1));
}

/// Where a value lies between the least and the greatest, by ratio.
fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    if high > low && low > 0.0 { ((value / low).ln() / (high / low).ln()).clamp(0.0, 1.0) } else { 0.0 }
}

/// A colour from light (0) to dark (1), which differs in lightness for every kind of sight.
fn shade(share: f64) -> String {
    const STOPS: [[f64; 3]; 5] = [
        [242.0, 240.0, 220.0],
        [176.0, 214.0, 190.0],
        [86.0, 164.0, 176.0],
        [36.0, 104.0, 150.0],
        [24.0, 44.0, 98.0],
    ];
    let (mut rest, mut stop) = (share.clamp(0.0, 1.0) * 4.0, 0);
    while rest > 1.0 && stop < 3 {
        (rest, stop) = (rest - 1.0, stop + 1);
    }
    let channel = |k: usize| STOPS[stop][k] + (STOPS[stop + 1][k] - STOPS[stop][k]) * rest;
    format!("rgb({:.0},{:.0},{:.0})", channel(0), channel(1), channel(2))
}
