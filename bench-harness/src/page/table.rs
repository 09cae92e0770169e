//! The tables of the page: all cells, and when rechunking pays back.

use crate::page::analysis::payback;
use crate::page::results::{Entry, Facet, Results};
use crate::page::text::{bytes, escape, figure, float, microseconds, shape};
use crate::sweep::record::{CacheState, Measures, Outcome};

/// The layout that surveys are written in, which others are paid back against.
const BASE: &str = "by-epoch";

/// What a row depends on.
const TAGS: [Facet; 6] =
    [Facet::Dataset, Facet::Workload, Facet::Reader, Facet::Backend, Facet::Cache, Facet::Codec];

/// The content of a field, and what it is sorted by.
struct Field {
    text: String,
    number: Option<f64>,
}

impl Field {
    fn name(text: &str) -> Self {
        Self { text: text.to_owned(), number: None }
    }

    fn number(text: String, number: f64) -> Self {
        Self { text, number: Some(number) }
    }

    fn html(&self) -> String {
        let text = escape(&self.text);
        match self.number {
            None => format!("<td>{text}</td>"),
            Some(number) => {
                // More digits than are shown, but not all: a page has many of them.
                let number = if number.abs() < 1e3 { (number * 1e4).round() / 1e4 } else { number.round() };
                format!("<td data-v=\"{number}\">{text}</td>")
            }
        }
    }
}

/// A column: what `sort=` calls it, its head, and what hovering over it says.
type Head = (&'static str, &'static str, &'static str);

/// What a column says of a cell.
enum Source {
    /// Which one it is.
    Name(fn(&Results, &Entry) -> Field),
    /// What was measured.
    Figure(fn(&Measures) -> Field),
}

use Source::{Figure, Name};

fn amplification(value: f64) -> Field {
    Field::number(figure(value), value)
}

fn time(value: f64) -> Field {
    Field::number(microseconds(value), value)
}

fn count(value: u64) -> Field {
    Field::number(figure(float(value)), float(value))
}

fn size(value: u64) -> Field {
    Field::number(bytes(value), float(value))
}

/// A number of things, as many as an operation takes.
fn each(all: u64, m: &Measures) -> Field {
    amplification(float(all) / float(m.latency.count.max(1)))
}

/// The columns: which cell it is and what an operation took first, for a window shows the left of them.
const COLUMNS: [(Head, Source); 28] = [
    (("layout", "layout", ""), Name(|_, e| Field::name(&e.record.cell.layout.name))),
    (
        ("workload", "workload", "What an operation reads"),
        Name(|_, e| Field::name(&e.record.cell.workload.name)),
    ),
    (("backend", "backend", ""), Name(|_, e| Field::name(&e.record.cell.backend))),
    (
        ("cache", "cache", "State of the page cache when operations began"),
        Name(|_, e| Field::name(e.record.cell.cache.name())),
    ),
    (("dataset", "dataset", ""), Name(|results, e| Field::name(&results.places[e.place].name))),
    (("p50", "p50", "Median time of an operation"), Figure(|m| time(m.latency.p50_us))),
    (("p90", "p90", "90 % of the operations took no longer"), Figure(|m| time(m.latency.p90_us))),
    (("p99", "p99", "99 % of the operations took no longer"), Figure(|m| time(m.latency.p99_us))),
    (("max", "slowest", "The slowest operation"), Figure(|m| time(m.latency.max_us))),
    (
        ("bytes", "bytes", "Bytes that the backend read for an operation"),
        Figure(|m| size(m.backend_bytes / m.latency.count.max(1))),
    ),
    (("requests", "requests", "Requests of the backend for an operation"), Figure(|m| each(m.requests, m))),
    (("chunks", "chunks", "Chunks decoded for an operation"), Figure(|m| each(m.chunks, m))),
    (
        ("chunk", "chunk", "Elements of a chunk (of an inner chunk where there are shards)"),
        Name(|_, e| {
            let chunk = &e.record.cell.layout.chunk;
            Field::number(shape(chunk), float(chunk.iter().product()))
        }),
    ),
    (
        ("shard", "shard", ""),
        Name(|_, e| {
            let shard = e.record.cell.layout.shard.as_deref();
            Field::name(&shard.map_or_else(|| "none".to_owned(), shape))
        }),
    ),
    (("codec", "codecs", ""), Name(|_, e| Field::name(&e.record.cell.layout.codecs))),
    (("reader", "reader", ""), Name(|_, e| Field::name(e.record.cell.reader.name()))),
    (
        ("ra_geometry", "decoded", "Array bytes of the chunks handled, per useful byte"),
        Figure(|m| amplification(m.ra_geometry)),
    ),
    (
        ("predicted", "as predicted", "Decoded by the formula"),
        Figure(|m| amplification(m.predicted_ra_geometry)),
    ),
    (
        ("ra_store", "stored bytes", "Stored bytes of chunks and shard indexes, per useful byte"),
        Figure(|m| amplification(m.ra_store)),
    ),
    (
        ("ra_backend", "fetched", "Bytes that the backend read, per useful byte"),
        Figure(|m| amplification(m.ra_backend)),
    ),
    (
        ("ra_device", "ra_device", "Bytes that devices delivered, per useful byte"),
        Figure(|m| m.ra_device.map_or_else(|| Field::name("unknown"), amplification)),
    ),
    (("operations", "operations", "Operations measured"), Figure(|m| count(m.latency.count))),
    (
        ("throughput", "useful bytes/s", "Useful bytes per second"),
        Figure(|m| Field::number(figure(m.throughput), m.throughput)),
    ),
    (
        ("hops", "hops", "Steps of all operations that wait for the one before"),
        Figure(|m| m.hops.map_or_else(|| Field::name("-"), count)),
    ),
    (("stored", "stored", "Bytes of the whole layout"), Figure(|m| size(m.layout_bytes))),
    (("objects", "objects", "Objects (files) of the whole layout"), Figure(|m| count(m.layout_objects))),
    (("memory", "peak memory", "The most memory that was resident"), Figure(|m| size(m.peak_resident_bytes))),
    (
        ("proof", "cache proof", "How the state of the cache is known"),
        Figure(|m| Field::name(&m.cache_proof)),
    ),
];

/// Figures that stand side by side: the reason takes their place where nothing was measured.
const TOGETHER: usize = 7;

/// What a phone shows of a cell.
const KEPT: [&str; 9] =
    ["layout", "workload", "backend", "cache", "dataset", "p50", "p99", "bytes", "requests"];

/// All cells; those that could not be measured with the reason.
pub(crate) fn cells(results: &Results) -> String {
    let heads: Vec<Head> = COLUMNS.iter().map(|(head, _)| *head).collect();
    let rows = results.entries.iter().map(|entry| {
        let mut figures = 0;
        let fields = COLUMNS.iter().map(|(_, source)| match source {
            Name(field) => field(results, entry).html(),
            Figure(field) => {
                figures += 1;
                match &entry.record.outcome {
                    Outcome::Measured(m) => field(m).html(),
                    Outcome::Unmeasured(why) => unmeasured(figures, why),
                }
            }
        });
        row(results, entry, &fields.collect::<String>())
    });
    table("cells", "sort", &heads, rows)
}

/// The figure of this number, from one on, where there is none.
fn unmeasured(number: usize, why: &str) -> String {
    match number {
        1 => format!("<td class=\"why\" colspan=\"{TOGETHER}\">not measured: {}</td>", escape(why)),
        // So that all fields of a column have one number.
        ..=TOGETHER => "<td hidden></td>".to_owned(),
        _ => "<td></td>".to_owned(),
    }
}

const PAYBACK: [Head; 9] = [
    ("layout", "layout", ""),
    ("workload", "workload", "What a read is"),
    ("backend", "backend", ""),
    ("cache", "cache", ""),
    ("dataset", "dataset", ""),
    ("rechunk", "rechunking", "Time that rechunking to the layout took"),
    ("before", "a read by-epoch", "Mean time of an operation in the layout by-epoch"),
    ("after", "a read here", "Mean time of an operation in this layout"),
    ("reads", "pays back after", "rechunking / (a read by-epoch - a read here)"),
];

/// When rechunking to each layout pays back, soonest first; `None` if there is nothing to compare.
pub(crate) fn paybacks(results: &Results) -> Option<String> {
    let mean =
        |entry: &Entry| Some(entry.measures()?.elapsed_s / float(entry.measures()?.latency.count.max(1)));
    let key = |e: &Entry| (e.place, e.id(Facet::Workload), e.id(Facet::Backend), e.record.cell.cache);
    let mut rows = Vec::new();
    for entry in results.entries.iter().filter(|e| e.record.cell.layout.name != BASE) {
        let base = |e: &&Entry| e.record.cell.layout.name == BASE && key(e) == key(entry);
        let Some(before) = results.entries.iter().find(base).and_then(mean) else { continue };
        let (Some(after), Some(m)) = (mean(entry), entry.measures()) else { continue };
        let reads = payback(m.rechunk_s, before, after);
        rows.push((reads, entry, [m.rechunk_s, before, after]));
    }
    rows.sort_by(|(a, ..), (b, ..)| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)));
    let html = rows.iter().map(|(reads, entry, times)| {
        let cell = &entry.record.cell;
        let names = [
            cell.layout.name.as_str(),
            &cell.workload.name,
            &cell.backend,
            cell.cache.name(),
            &results.places[entry.place].name,
        ];
        let after = match reads {
            Some(1.0) => Field::number("1 read".to_owned(), 1.0),
            Some(reads) => Field::number(format!("{} reads", figure(*reads)), *reads),
            // Behind all that do.
            None => Field::number("never".to_owned(), 1e15),
        };
        let times = times.map(|seconds| time(seconds * 1e6));
        let fields: Vec<Field> = names.map(Field::name).into_iter().chain(times).chain([after]).collect();
        row(results, entry, &fields.iter().map(Field::html).collect::<String>())
    });
    (!rows.is_empty()).then(|| table("payback", "sort-payback", &PAYBACK, html))
}

fn row(results: &Results, entry: &Entry, fields: &str) -> String {
    let layout = results.id(Facet::Layout, &entry.record.cell.layout.name).unwrap_or(0);
    format!("<tr{} data-row=\"{layout}\">{fields}</tr>\n", entry.tags(&TAGS))
}

/// What the style of tables cannot say without their columns: on a phone figures have their names, and what has no room is left out.
pub(crate) fn narrow_style() -> String {
    let cells: Vec<Head> = COLUMNS.iter().map(|(head, _)| *head).collect();
    let tables = [("cells", cells.as_slice()), ("payback", PAYBACK.as_slice())];
    let rules = tables.iter().flat_map(|(id, heads)| {
        heads.iter().enumerate().map(move |(k, (key, head, _))| {
            let column = format!(":nth-child({})", k + 1);
            if *id == "payback" || KEPT.contains(key) {
                format!("#{id} td[data-v]{column}::before {{ content: \"{head}\"; }}\n")
            } else {
                format!("#{id} tr > {column} {{ display: none; }}\n")
            }
        })
    });
    format!("@media (max-width: 600px) {{\n{}}}\n", rules.collect::<String>())
}

/// A table in a box of its own, for it is wide.
fn table(id: &str, sort: &str, heads: &[Head], rows: impl Iterator<Item = String>) -> String {
    let heads: Vec<String> = heads
        .iter()
        .map(|(key, head, hover)| {
            format!("<th scope=\"col\"><button type=\"button\" data-key=\"{key}\" title=\"{hover}\">{head}</button></th>")
        })
        .collect();
    let (heads, rows) = (heads.concat(), rows.collect::<String>());
    format!(
        "<div class=\"box\" tabindex=\"0\"><table id=\"{id}\" data-sort=\"{sort}\"><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

/// The shortest median time of a workload in a layout, and the backend that had it.
pub(crate) fn best<'r>(
    results: &'r Results,
    place: usize,
    layout: usize,
    workload: &str,
    cache: CacheState,
) -> Option<(f64, &'r str)> {
    results
        .of_place(place)
        .filter(|e| {
            e.layout == layout && e.record.cell.workload.name == workload && e.record.cell.cache == cache
        })
        .filter_map(|e| Some((e.measures()?.latency.p50_us, e.record.cell.backend.as_str())))
        .min_by(|a, b| a.0.total_cmp(&b.0))
}
