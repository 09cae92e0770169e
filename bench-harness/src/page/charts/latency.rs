//! How long operations took in one layout: percentiles, and the backends side by side.

use std::collections::BTreeMap;

use zarrange_plan::Reader;

use super::words::{capital, describe, slug};
use crate::page::analysis::{best_layouts, percentiles};
use crate::page::labels::{SMALL, fit, width};
use crate::page::results::{Entry, Facet, Results, Tags};
use crate::page::svg::{Canvas, Chart, Frame, HEIGHT, SURFACE, Scale, Sign, WIDTH, around, colour, path};
use crate::page::text::{float, microseconds};
use crate::sweep::record::{CacheState, Latency};

/// Two charts for each workload of each layout. The page shows those of one layout at a time.
pub(super) fn charts(results: &Results) -> anyhow::Result<Vec<Chart>> {
    let best = best_layouts(results);
    let mut groups: BTreeMap<_, Vec<(&Entry, &Latency)>> = BTreeMap::new();
    for entry in &results.entries {
        if let Some(measures) = entry.measures() {
            let key = (entry.place, entry.layout, entry.id(Facet::Workload));
            groups.entry(key).or_default().push((entry, &measures.latency));
        }
    }
    let mut out = Vec::new();
    for ((place, layout, _), mut cells) in groups {
        cells.sort_by_key(|(entry, _)| (entry.record.cell.cache, entry.id(Facet::Backend)));
        let first = best[place] == layout;
        let group = Group { results, cells };
        out.push(group.percentiles()?.of_layout(first));
        out.push(group.bars().of_layout(first));
    }
    Ok(out)
}

/// A bar with the room around it.
const BAR_HEIGHT: f64 = 36.0;

/// The most that the name of a bar takes.
const NAME_MAX: f64 = 150.0;

/// The cells of one workload in one layout.
struct Group<'a> {
    results: &'a Results,
    cells: Vec<(&'a Entry, &'a Latency)>,
}

impl Group<'_> {
    fn first(&self) -> &Entry {
        self.cells[0].0
    }

    /// Whether others than our reader are among them.
    fn has_readers(&self) -> bool {
        self.cells.iter().any(|(entry, _)| entry.record.cell.reader != Reader::Zarrange)
    }

    /// Who reads: of our reader the backend, with its own name where there are others.
    fn who(&self, entry: &Entry) -> String {
        let cell = &entry.record.cell;
        let ours = cell.reader == Reader::Zarrange && self.has_readers();
        if ours { format!("{} {}", cell.reader, cell.backend) } else { cell.backend.clone() }
    }

    /// What a bar is called.
    fn name(&self, entry: &Entry) -> String {
        format!("{} {}", entry.record.cell.cache.name(), self.who(entry))
    }

    fn canvas(&self, title: &str) -> Canvas {
        let entry = self.first();
        let place = &self.results.places[entry.place];
        Canvas::new(title, &format!("{}, {}", entry.record.cell.layout.name, place.name))
    }

    fn chart(&self, canvas: Canvas, kind: &str, title: &str, height: f64) -> Chart {
        let entry = self.first();
        let cell = &entry.record.cell;
        let stem =
            format!("{kind}-{}-{}-{}", slug(&cell.workload.name), slug(&cell.layout.name), entry.place + 1);
        let tags = entry.tags(&[Facet::Dataset, Facet::Layout, Facet::Workload, Facet::Codec]);
        canvas.chart(&stem, title, height, tags)
    }

    fn hover(&self, entry: &Entry, latency: &Latency) -> String {
        let cell = &entry.record.cell;
        let us = microseconds;
        format!(
            "{}, {}\np50 {}, p90 {}, p99 {}, slowest {} of {}\n{}",
            self.who(entry),
            cell.cache.name(),
            us(latency.p50_us),
            us(latency.p90_us),
            us(latency.p99_us),
            us(latency.max_us),
            latency.count,
            describe(&self.results.places[entry.place], entry.layout)
        )
    }

    /// Time against percentile.
    fn percentiles(&self) -> anyhow::Result<Chart> {
        let title = format!("{}: percentiles of latency", capital(&self.first().record.cell.workload.name));
        let curves: Vec<Vec<(f64, f64)>> =
            self.cells.iter().map(|(_, l)| percentiles(&l.histogram)).collect::<Result<_, _>>()?;
        // From the half to what no operation reaches, each nine as wide as the one before.
        let most = self.cells.iter().map(|(_, l)| l.count).max().unwrap_or(1).max(5);
        let nines = |share: f64| 1.0 / (1.0 - share);
        let (left, right, ..) = SURFACE;
        let frame = Frame {
            x: Scale::logarithmic((1.0, 2.0 * float(most)), (left, right)),
            ..Frame::logarithmic((1.0, 10.0), around(curves.iter().flatten().map(|(_, time)| *time)))
        };
        let ticks: Vec<f64> = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999]
            .map(nines)
            .into_iter()
            .filter(|v| *v <= 2.0 * float(most))
            .collect();
        let mut canvas = self.canvas(&title);
        let percent = |v: f64| format!("{} %", trimmed(100.0 * (1.0 - 1.0 / v)));
        let axes = (
            ("operations that took no longer", &percent as &dyn Fn(f64) -> String),
            ("time", &microseconds as _),
        );
        frame.draw(&mut canvas, axes.0, axes.1, Some(&ticks));
        let height = canvas.legend(HEIGHT + 6.0, &self.legend());
        for ((entry, latency), curve) in self.cells.iter().zip(curves) {
            let mut places: Vec<(f64, f64)> =
                curve.iter().map(|(share, time)| (frame.x.at(nines(*share)), frame.y.at(*time))).collect();
            thin(&mut places);
            let class = if entry.record.cell.cache == CacheState::Cold { " cold" } else { "" };
            let attributes = format!(
                "d=\"{}\" class=\"mark line{class} {}\"",
                path(&places),
                colour(entry.id(Facet::Backend))
            );
            let tags = entry.tags(&[Facet::Reader, Facet::Backend, Facet::Cache]);
            canvas.mark("path", &attributes, &tags, &self.hover(entry, latency));
        }
        Ok(self.chart(canvas, "percentiles", &title, height))
    }

    /// Median and 99th percentile of each backend; a scale for each state of the cache, for they are far apart.
    fn bars(&self) -> Chart {
        let what = if self.has_readers() { "readers" } else { "backends" };
        let title = format!("{}: {what} side by side", capital(&self.first().record.cell.workload.name));
        let mut canvas = self.canvas(&title);
        let mut y = 40.0;
        let names = self.cells.iter().map(|(entry, _)| width(&self.name(entry), SMALL));
        let left = names.fold(0.0, f64::max).min(NAME_MAX) + 6.0;
        for cache in [CacheState::Cold, CacheState::Warm] {
            let cells: Vec<_> = self.cells.iter().filter(|(e, _)| e.record.cell.cache == cache).collect();
            let most = cells.iter().map(|(_, l)| l.p99_us).fold(0.0, f64::max);
            // What is written behind a bar needs room.
            let scale = Scale::linear((0.0, most), (left, WIDTH - 112.0));
            for (entry, latency) in cells {
                self.bar(&mut canvas, &scale, y, entry, latency);
                y += BAR_HEIGHT;
            }
            y += 16.0;
        }
        let note = "bar: median, line: to 99 %; cold and warm each on its scale";
        canvas.text((0.0, y + 8.0), "small", note);
        self.chart(canvas, "backends", &title, y + 16.0)
    }

    fn bar(&self, canvas: &mut Canvas, scale: &Scale, y: f64, entry: &Entry, latency: &Latency) {
        let cell = &entry.record.cell;
        let (from, p50, p99) = (scale.at(0.0), scale.at(latency.p50_us), scale.at(latency.p99_us));
        let (colour, middle) = (colour(entry.id(Facet::Backend)), y + BAR_HEIGHT / 2.0);
        let cold = if cell.cache == CacheState::Cold { " cold" } else { "" };
        let tags = entry.tags(&[Facet::Reader, Facet::Backend, Facet::Cache]);
        canvas.group(&tags, &format!("mark {colour}"), |canvas| {
            canvas.text((from - 6.0, middle + 4.0), "small end", &fit(&self.name(entry), SMALL, NAME_MAX));
            let bar = format!(
                "x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\" class=\"bar{cold}\"",
                middle - 9.0,
                (p50 - from).max(0.8)
            );
            canvas.mark("rect", &bar, &Tags::default(), &self.hover(entry, latency));
            let whisker = format!("M{p50:.1} {middle:.1}H{p99:.1}m0 -5v10");
            canvas.plain("path", &format!("d=\"{whisker}\" class=\"line\""));
            let text = format!("{}, {}", microseconds(latency.p50_us), microseconds(latency.p99_us));
            canvas.text((p99 + 8.0, middle + 4.0), "small", &text);
        });
    }

    fn legend(&self) -> Vec<(String, Sign)> {
        let mut backends = BTreeMap::new();
        for (entry, _) in &self.cells {
            backends.insert(entry.id(Facet::Backend), self.who(entry));
        }
        let mut out: Vec<_> = backends.into_iter().map(|(id, name)| (name, Sign::Line(id))).collect();
        out.push(("warm".to_owned(), Sign::Dashes(false)));
        out.push(("cold".to_owned(), Sign::Dashes(true)));
        out
    }
}

/// Leaves out places that nobody could tell from their neighbours.
fn thin(places: &mut Vec<(f64, f64)>) {
    let Some(end) = places.last().copied() else { return };
    let mut last = (f64::NEG_INFINITY, 0.0);
    places.retain(|place| {
        let far = place.0 - last.0 > 1.5 || (place.1 - last.1).abs() > 1.5 || *place == end;
        if far {
            last = *place;
        }
        far
    });
}

/// A percentage without zeros at its end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
