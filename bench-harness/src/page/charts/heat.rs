//! Heat maps: objects in a chunk against epochs in a chunk.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{EPOCH, OBJECT, capital, describe, of_workload, slug, times};
use crate::page::labels::{SMALL, width as text_width};
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
        title: format!("{} reads: decoded per byte wanted", capital(workload)),
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
    let middle = |k: usize| left + width * (float(k as u64) + 0.5);
    let names = epochs.iter().enumerate().map(|(k, n)| (middle(k), figure(float(*n))));
    canvas.names(bottom + 16.0, names);
    for (k, n) in objects.iter().enumerate() {
        let y = bottom - CELL_HEIGHT * (float(k as u64) + 0.5) + 4.0;
        canvas.text((left - 6.0, y), "small end", &figure(float(*n)));
    }
    canvas.text((f64::midpoint(left, right), bottom + 34.0), "middle", "epochs in a chunk");
    // Not turned: of a few rows it would reach over the title.
    canvas.text((0.0, 51.0), "", "objects in a chunk");
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
    let class = if is_dark(shade(share)) { "dark" } else { "light" };
    canvas.group(&tags, "heat mark", |canvas| {
        let attributes = format!(
            "x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\" fill=\"{}\"",
            width - 2.0,
            CELL_HEIGHT - 2.0,
            rgb(shade(share))
        );
        canvas.mark("rect", &attributes, &Tags::default(), &hover.join("\n"));
        // Where many shapes are side by side: smaller, or only on hovering.
        let figure = (kind.write)(*best);
        let sizes = [(SMALL, ""), (SMALL - 2.0, "tight ")];
        if let Some((_, tight)) = sizes.iter().find(|(size, _)| text_width(&figure, *size) <= width - 2.0) {
            canvas.text((x + width / 2.0 - 1.0, y + 17.0), &format!("{tight}{class}"), &figure);
        }
    });
}

/// What the shades mean.
fn scale(canvas: &mut Canvas, kind: &Kind) {
    const STEPS: u32 = 24;
    let (left, width) = (WIDTH - 150.0, 72.0);
    canvas.group(&Tags::default(), "scale", |canvas| {
        for step in 0..STEPS {
            let fill = rgb(shade(f64::from(step) / f64::from(STEPS - 1)));
            let x = left + width * f64::from(step) / f64::from(STEPS);
            canvas.plain(
                "rect",
                &format!(
                    "x=\"{x:.0}\" y=\"42\" width=\"{:.0}\" height=\"10\" fill=\"{fill}\"",
                    width / f64::from(STEPS)
                ),
            );
        }
    });
    canvas.text((left - 6.0, 51.0), "small end", &(kind.write)(kind.span.0));
    canvas.text((left + width + 6.0, 51.0), "small", &(kind.write)(kind.span.1));
}

/// Where a value lies between the least and the greatest, by ratio.
fn share(value: f64, (low, high): (f64, f64)) -> f64 {
    if high > low && low > 0.0 { ((value / low).ln() / (high / low).ln()).clamp(0.0, 1.0) } else { 0.0 }
}

/// A colour from light (0) to dark (1), which differs in lightness for every kind of sight. Where neither black nor white text is easy to
/// read it changes quickly.
fn shade(share: f64) -> [f64; 3] {
    const STOPS: [(f64, [f64; 3]); 6] = [
        (0.0, [242.0, 240.0, 220.0]),
        (0.3, [176.0, 214.0, 190.0]),
        (0.6, [98.0, 172.0, 182.0]),
        (0.66, [38.0, 106.0, 152.0]),
        (0.8, [32.0, 82.0, 132.0]),
        (1.0, [24.0, 44.0, 98.0]),
    ];
    let share = share.clamp(0.0, 1.0);
    let stop = STOPS.iter().rposition(|(at, _)| *at <= share).unwrap_or(0).min(STOPS.len() - 2);
    let ((from, light), (to, dark)) = (STOPS[stop], STOPS[stop + 1]);
    [0, 1, 2].map(|k| light[k] + (dark[k] - light[k]) * (share - from) / (to - from))
}

fn rgb([red, green, blue]: [f64; 3]) -> String {
    format!("rgb({red:.0},{green:.0},{blue:.0})")
}

/// Whether white text is easier to read on a colour than black text: by the contrast of WCAG, one of them has 4.5 on any colour.
fn is_dark(colour: [f64; 3]) -> bool {
    let [red, green, blue] = colour.map(|part| {
        let part = part / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    let luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05
}
