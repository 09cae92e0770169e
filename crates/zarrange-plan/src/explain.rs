//! A plan in words.

use std::fmt;

use crate::plan::{Plan, Predicted, Repack, Route, Stage, Tiled};
use crate::problem::{Format, Way};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = &self.problem;
        writeln!(f, "strategy   {} ({})", self.strategy(), why(self))?;
        writeln!(f, "array      {:?} of {} bytes each", problem.shape, problem.item_bytes)?;
        writeln!(f, "source     {}", format(&problem.source))?;
        writeln!(f, "target     {}", format(&problem.target))?;
        match &self.route {
            Route::Copy => {}
            Route::Repack(repack) => writeln!(f, "stage 1    {}", repack_line(repack))?,
            Route::Tiled(Tiled { stages, .. }) => {
                for (k, stage) in stages.iter().enumerate() {
                    writeln!(f, "stage {}    {}", k + 1, stage_line(stage))?;
                }
            }
        }
        for spill in self.spills() {
            write!(f, "spill      {} pieces, {}", spill.pieces, bytes_text(spill.bytes))?;
            match spill.held_bytes() {
                0 => writeln!(f)?,
                held => {
                    let held = bytes_text(held);
                    writeln!(
                        f,
                        "; {held} more stay in memory, or go there where several processes share the work"
                    )?;
                }
            }
        }
        writeln!(
            f,
            "memory     {} of {} allowed",
            bytes_text(self.predicted.peak_budget_bytes),
            bytes_text(problem.memory_bytes_max)
        )?;
        writeln!(
            f,
            "costs      source on {}, target on {}{}",
            problem.costs.source.name,
            problem.costs.target.name,
            match self.spills().len() {
                0 => String::new(),
                _ => format!(", intermediates on {}", problem.costs.spill.name),
            }
        )?;
        f.write_str(&ways_table(self))
    }
}

/// The way taken, those weighed beside it, and the least that any way could cost.
fn ways_table(plan: &Plan) -> String {
    let array_bytes = plan.problem.shape.iter().fold(plan.problem.item_bytes, |n, s| n.saturating_mul(*s));
    let mut rows = vec![
        ["", "way", "time", "read", "decodes per chunk", "written", "spilled", "requests", "memory"]
            .map(str::to_owned),
        row("taken", plan.way(), &plan.predicted),
    ];
    rows.extend(plan.rejected.iter().map(|other| row("", other.way, &other.predicted)));
    let (source, target) = (&plan.problem.source, &plan.problem.target);
    let written = if matches!(plan.route, Route::Tiled(_)) { target } else { source };
    let [read, written] = [source, written].map(|format| bytes_text(format.stored_bytes(array_bytes)));
    rows.push(["floor", "", "", &read, "", &written, "", "", ""].map(str::to_owned));
    let widths: Vec<usize> =
        (0..rows[0].len()).map(|k| rows.iter().map(|row| row[k].len()).max().unwrap_or(0)).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate().map(|(k, (cell, width))| match k {
            0 => format!("{cell:<9}"),
            1 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn row(label: &str, way: Way, predicted: &Predicted) -> [String; 9] {
    let counts = &predicted.counts;
    let decodes = match counts.source_chunk_decodes {
        0 => "none".to_owned(),
        _ => format!("{:.2}", predicted.amplification()),
    };
    [
        label.to_owned(),
        way.name().to_owned(),
        seconds_text(predicted.seconds),
        bytes_text(counts.bytes_read),
        decodes,
        bytes_text(counts.bytes_written),
        bytes_text(counts.spill_bytes),
        counts.requests.to_string(),
        bytes_text(predicted.peak_budget_bytes),
    ]
}

fn why(plan: &Plan) -> &'static str {
    match (&plan.route, plan.way()) {
        (Route::Copy, _) => "chunks and codecs stay the same, so stored bytes are copied",
        (Route::Repack(_), _) => {
            "chunks and codecs stay the same, so encoded chunks are moved between shards"
        }
        (Route::Tiled(tiled), Way::Staged) if !tiled.spills.is_empty() => {
            "each source chunk is decoded once, through one intermediate"
        }
        (Route::Tiled(tiled), _) if !tiled.spills.is_empty() => {
            "each source chunk is decoded once, through intermediates: one would be in small pieces"
        }
        (Route::Tiled(_), _) if plan.rereads() => {
            "some source chunks are decoded more than once, cheaper than an intermediate"
        }
        (Route::Tiled(_), Way::Sweep) => {
            "each source chunk is decoded once, for two tiles where it reaches into both"
        }
        (Route::Tiled(_), _) => "each source chunk is decoded once, straight into target chunks",
    }
}

fn format(Format { chunk, shard, edges, .. }: &Format) -> String {
    let up_to = if edges.is_some() { "of up to " } else { "" };
    match shard {
        Some(shard) => format!("chunks {chunk:?} in shards {up_to}{shard:?}"),
        None => format!("chunks {up_to}{chunk:?}"),
    }
}

fn repack_line(Repack { threads, memory_bytes, .. }: &Repack) -> String {
    let plural = if *threads == 1 { "" } else { "s" };
    format!("encoded chunks, {threads} thread{plural}, {}", bytes_text(*memory_bytes))
}

fn stage_line(stage: &Stage) -> String {
    let Stage { tile, sweep, threads, slots, memory_bytes, .. } = stage;
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let (t, s) = (plural(*threads), plural(*slots));
    let along = sweep.map_or_else(String::new, |axis| format!(" along axis {axis}"));
    let memory = bytes_text(*memory_bytes);
    format!("tiles {tile:?}{along}, {threads} thread{t}, {slots} tile{s} in memory, {memory}")
}

/// A time for people, to two digits.
pub fn seconds_text(seconds: f64) -> String {
    let units = [("s", 1.0), ("min", 60.0), ("h", 3600.0), ("d", 86400.0)];
    if seconds < 1.0 {
        return format!("{:.0} ms", seconds * 1e3);
    }
    let (unit, one) = units.into_iter().rfind(|(_, one)| seconds >= 2.0 * one).unwrap_or(units[0]);
    let value = seconds / one;
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A size for people: three significant digits, decimal units.
#[expect(clippy::cast_precision_loss, reason = "for display")]
pub fn bytes_text(n: u64) -> String {
    let mut value = n as f64;
    let mut unit = "B";
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if value < 999.5 {
            break;
        }
        value /= 1000.0;
        unit = larger;
    }
    let digits = if unit == "B" || value >= 99.95 {
        0
    } else if value >= 9.995 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::{bytes_text, seconds_text};

    #[test]
    fn sizes_for_people() {
        for (n, expected) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (12_345, "12.3 kB"), (999_999, "1.00 MB")]
        {
            assert_eq!(bytes_text(n), expected);
        }
    }

    #[test]
    fn times_for_people() {
        for (seconds, expected) in [
            (0.0, "0 ms"),
            (0.0123, "12 ms"),
            (1.26, "1.3 s"),
            (61.0, "61 s"),
            (300.0, "5.0 min"),
            (1e6, "12 d"),
        ] {
            assert_eq!(seconds_text(seconds), expected);
        }
    }
}
