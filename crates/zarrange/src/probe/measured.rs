//! What a probe measured, and the profile that follows from it.

use std::fmt;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};
use zarrange_plan::StoreProfile;

use super::fit::fit;

/// Requests in flight at once that are tried; the first is one at a time.
pub const BATCHES: [usize; 4] = [1, 4, 16, 64];

/// Reads of this size say how many requests a place carries out at once.
const IN_FLIGHT_BYTES: usize = 16 << 10;

/// Times of a place: medians in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The backend that was used.
    pub backend: &'static str,
    /// By size of request, ascending.
    pub rows: Vec<Row>,
    /// Writing much.
    pub bulk: Bulk,
    /// Small objects.
    pub small: Small,
}

/// Requests of one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Their size.
    pub bytes: usize,
    /// What the page cache held of what was read.
    pub cache: Cache,
    /// A batch of reads, for each of [`BATCHES`]; `None` where that would be too many bytes.
    pub reads_ns: [Option<f64>; BATCHES.len()],
    /// A write into an open object.
    pub write_ns: f64,
    /// The same with its share of the sync after all of them.
    pub durable_ns: f64,
}

/// An object written in order and made durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Bulk {
    /// Its size.
    pub bytes: usize,
    /// Size of a request.
    pub block_bytes: usize,
    /// Requests in a batch.
    pub at_once: usize,
    /// Time for each byte, the requests' latency included.
    pub ns_per_byte: f64,
}

/// Small objects, each with a name of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Small {
    /// Number of them.
    pub objects: usize,
    /// Size of each.
    pub bytes: usize,
    /// Creating and writing one.
    pub create_ns: f64,
    /// The same with its share of the sync after all of them.
    pub durable_ns: f64,
    /// Opening and reading one.
    pub read_ns: f64,
    /// What the kernel kept of them, bytes and names.
    pub cache: Cache,
}

/// What the page cache held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Nothing.
    #[default]
    Cold,
    /// There is none here.
    None,
    /// That it held nothing could not be proven, for this reason.
    Unproven(String),
}

impl Measured {
    /// The profile of the place, four digits of each number.
    ///
    /// Latencies are those of lines through the times by size ([`fit`]). A byte that is read costs what the line says, or less where
    /// a batch was faster; one that is written costs what it takes to be durable, beyond the latency of the requests. Opening
    /// and creating are what a small object takes beyond the same bytes in an open one, until it is durable where it is created.
    ///
    /// # Errors
    /// If no size was measured.
    pub fn profile(&self, name: &str) -> anyhow::Result<StoreProfile> {
        let first = self.rows.first().context("no size was measured")?;
        let one_by_one: Vec<_> =
            self.rows.iter().filter_map(|row| Some((number(row.bytes), row.reads_ns[0]?))).collect();
        let writes: Vec<_> = self.rows.iter().map(|row| (number(row.bytes), row.write_ns)).collect();
        let read = fit(&one_by_one).context("no read was measured")?;
        let write = fit(&writes).context("no write was measured")?;
        let batched = self.rows.iter().filter_map(Row::batched_ns_per_byte).fold(f64::INFINITY, f64::min);
        let flat = read.ns_per_byte == 0.0;
        let (in_flight, bulk) = (self.in_flight(), &self.bulk);
        let waiting = write.request_ns / number(bulk.block_bytes) / in_flight.min(number(bulk.at_once));
        let written = write.ns_per_byte.max(bulk.ns_per_byte - waiting);
        Ok(StoreProfile {
            name: name.to_owned(),
            read_ns_per_byte: rounded(if flat { batched } else { read.ns_per_byte.min(batched) }),
            write_ns_per_byte: rounded(if written > 0.0 { written } else { bulk.ns_per_byte }),
            read_request_ns: rounded(read.request_ns),
            write_request_ns: rounded(write.request_ns),
            open_ns: rounded((self.small.read_ns - first.reads_ns[0].unwrap_or(0.0)).max(0.0)),
            create_ns: rounded((self.small.durable_ns - first.durable_ns).max(0.0)),
            in_flight: rounded(in_flight),
        })
    }

    /// How many times faster the best batch is than one read at a time, which is a batch too: at least 1.
    fn in_flight(&self) -> f64 {
        let row = self.rows.iter().min_by_key(|row| row.bytes.abs_diff(IN_FLIGHT_BYTES));
        let ratio =
            row.and_then(|row| Some(row.reads_ns[0]? / number(row.bytes) / row.batched_ns_per_byte()?));
        ratio.unwrap_or(1.0)
    }

    /// Why something was not proven to be cold: the first reason for each kind of reads.
    fn reasons(&self) -> impl Iterator<Item = String> {
        let large = self.rows.iter().map(|row| &row.cache).find_map(Cache::reason);
        let small = self.small.cache.reason();
        let named = |what: &'static str| move |reason: &str| format!("cache, {what}: {reason}");
        large.map(named("the large object")).into_iter().chain(small.map(named("small objects")))
    }
}

impl Cache {
    /// Adds another turn: cold is only what always was.
    pub(super) fn add(&mut self, turn: Self) {
        if turn != Self::Cold {
            *self = turn;
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Unproven(reason) => Some(reason),
            Self::Cold | Self::None => None,
        }
    }
}

impl Row {
    /// Time for each byte in the fastest batch.
    fn batched_ns_per_byte(&self) -> Option<f64> {
        let rates = self.reads_ns.iter().zip(BATCHES);
        rates.filter_map(|(ns, batch)| Some((*ns)? / number(batch * self.bytes))).min_by(f64::total_cmp)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        let header = ["request", "cache", "a read", "one at a time", "4 at once", "16 at once", "64 at once"];
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_header(header.into_iter().chain(["a write", "until durable"]));
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        for row in &self.rows {
            let mut cells = vec![size(row.bytes), row.cache.to_string()];
            cells.push(row.reads_ns[0].map_or_else(String::new, time));
            let rates = row.reads_ns.iter().zip(BATCHES);
            cells.extend(
                rates.map(|(ns, batch)| {
                    ns.map_or_else(String::new, |ns| rate(ns / number(batch * row.bytes)))
                }),
            );
            cells.extend([time(row.write_ns), rate(row.durable_ns / number(row.bytes))]);
            table.add_row(cells);
        }
        writeln!(f, "{table}")?;
        let Bulk { bytes, ns_per_byte, .. } = self.bulk;
        writeln!(f, "{} written in order, until durable: {}", size(bytes), rate(ns_per_byte))?;
        let Small { objects, bytes, create_ns, durable_ns, read_ns, cache } = &self.small;
        writeln!(
            f,
            "{objects} objects of {}: created in {}, {} until durable; opened and read in {} (cache: {cache})",
            size(*bytes),
            time(*create_ns),
            time(*durable_ns),
            time(*read_ns),
        )?;
        writeln!(f, "medians, backend {}; until durable: with one sync after all of a kind", self.backend)?;
        self.reasons().try_for_each(|reason| writeln!(f, "{reason}"))
    }
}

impl fmt::Display for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cold => "cold",
            Self::None => "none",
            Self::Unproven(_) => "not proven",
        })
    }
}

/// Four digits: a measurement has no more.
fn rounded(number: f64) -> f64 {
    format!("{number:.3e}").parse().unwrap_or(number)
}

fn size(bytes: usize) -> String {
    match bytes {
        n if n >= 1 << 20 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 => format!("{} KiB", n >> 10),
        n => format!("{n} B"),
    }
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}

fn rate(ns_per_byte: f64) -> String {
    match 1e3 / ns_per_byte {
        rate if rate < 1e3 => format!("{rate:.1} MB/s"),
        rate => format!("{:.2} GB/s", rate / 1e3),
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn number(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a probe of a place of this profile would measure, were it without noise.
    fn measured(place: &StoreProfile) -> Measured {
        let row = |bytes: usize| {
            let read = |batch: usize| {
                let waits = number(batch) / place.in_flight.min(number(batch));
                waits * place.read_request_ns + number(batch * bytes) * place.read_ns_per_byte
            };
            let write_ns = place.write_request_ns + number(bytes) * place.write_ns_per_byte;
            Row {
                bytes,
                cache: Cache::Cold,
                reads_ns: BATCHES.map(|batch| (batch * bytes <= 64 << 20).then(|| read(batch))),
                write_ns,
                durable_ns: write_ns + 1_000.0,
            }
        };
        let rows: Vec<Row> = (0..7).map(|k| row(4096 << (2 * k))).collect();
        let small = Small {
            objects: 100,
            bytes: rows[0].bytes,
            create_ns: rows[0].write_ns,
            durable_ns: rows[0].durable_ns + place.create_ns,
            read_ns: read_of(&rows[0]) + place.open_ns,
            cache: Cache::Unproven("nobody asked".to_owned()),
        };
        let (block_bytes, at_once) = (1 << 20, 16);
        let waiting = place.write_request_ns / number(block_bytes) / place.in_flight.min(number(at_once));
        let ns_per_byte = place.write_ns_per_byte + waiting;
        let bulk = Bulk { bytes: 256 << 20, block_bytes, at_once, ns_per_byte };
        Measured { backend: "std", rows, bulk, small }
    }

    fn read_of(row: &Row) -> f64 {
        row.reads_ns[0].unwrap()
    }

    /// Where latency is nearly everything, with sixteen requests at once.
    fn place() -> StoreProfile {
        StoreProfile { in_flight: 16.0, ..StoreProfile::built_in("object").unwrap() }
    }

    #[test]
    fn a_place_is_found_in_its_times() {
        for name in StoreProfile::names() {
            let place = StoreProfile { in_flight: 1.0, ..StoreProfile::built_in(name).unwrap() };
            assert_eq!(measured(&place).profile(name).unwrap(), place);
        }
        let found = measured(&place()).profile("object").unwrap();
        assert!((15.8..=16.0).contains(&found.in_flight), "{found:?}");
        assert_eq!(StoreProfile { in_flight: 16.0, ..found }, place());
    }

    #[test]
    fn what_was_not_seen_is_bounded_by_what_was() {
        let check = |change: &dyn Fn(&mut Measured), of: fn(&StoreProfile) -> f64, expected: f64| {
            let mut measured = measured(&place());
            change(&mut measured);
            let profile = measured.profile("changed").unwrap();
            assert!((of(&profile) - expected).abs() <= 0.01 * expected, "{profile:?}");
        };
        // One read takes as long whatever its size: bytes cost what they do in the best batch.
        let flat = |m: &mut Measured| m.rows.iter_mut().for_each(|row| row.reads_ns[0] = Some(3e7));
        check(&flat, |p| p.read_ns_per_byte, rounded(1.0 + 3e7 / f64::from(64 << 20)));
        // In batches, bytes arrive twice as fast as in one read.
        let batched = |m: &mut Measured| m.rows[6].reads_ns[1] = Some(0.5 * f64::from(64 << 20));
        check(&batched, |p| p.read_ns_per_byte, 0.5);
        // Writes return at once; the device takes its time.
        let late = |m: &mut Measured| m.bulk.ns_per_byte += 7.0;
        check(&late, |p| p.write_ns_per_byte, 1.5 + 7.0);
        // All that a write takes is latency, which no byte can then cost.
        let flat = |m: &mut Measured| {
            m.rows.iter_mut().for_each(|row| row.write_ns = 5e7);
            m.bulk.ns_per_byte = 2.0;
        };
        check(&flat, |p| p.write_ns_per_byte, 2.0);
        // A small object was faster than the same bytes of a large one; batches were slower than single reads.
        let fast = |m: &mut Measured| (m.small.read_ns, m.small.durable_ns) = (1.0, 1.0);
        check(&fast, |p| p.open_ns + p.create_ns, 0.0);
        let serial = |m: &mut Measured| m.rows[1].reads_ns[1..].fill(Some(1e12));
        check(&serial, |p| p.in_flight, 1.0);
        assert!(Measured { rows: Vec::new(), ..measured(&place()) }.profile("none").is_err());
    }

    #[test]
    fn a_table_for_people() {
        insta::assert_snapshot!(measured(&place()));
    }
}
