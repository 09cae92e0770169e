//! A plan in words.

use std::fmt;

use crate::problem::{Plan, Stage, Strategy};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (problem, predicted) = (&self.problem, &self.predicted);
        writeln!(f, "strategy   {} ({})", self.strategy.name(), why(self))?;
        writeln!(f, "array      {:?} of {} bytes each", problem.shape, problem.item_bytes)?;
        writeln!(f, "source     {}", format(&problem.source.chunk, problem.source.shard.as_deref()))?;
        writeln!(f, "target     {}", format(&problem.target.chunk, problem.target.shard.as_deref()))?;
        for (k, stage) in self.stages.iter().enumerate() {
            writeln!(f, "stage {}    {}", k + 1, stage_line(stage))?;
        }
        if let Some(spill) = &self.spill {
            writeln!(f, "spill      {} pieces, {}", spill.pieces, bytes_text(spill.bytes))?;
        }
        let floor = predicted.bytes_written.saturating_mul(2);
        writeln!(
            f,
            "moves      {} read, {} written, {} spilled and read back (floor: {} in all)",
            bytes_text(predicted.bytes_read),
            bytes_text(predicted.bytes_written),
            bytes_text(predicted.spill_bytes),
            bytes_text(floor)
        )?;
        writeln!(
            f,
            "chunks     {} decodes of {} source chunks, {} target chunks",
            predicted.source_chunk_decodes, predicted.source_chunks, predicted.target_chunks
        )?;
        write!(
            f,
            "memory     {} of {} allowed",
            bytes_text(predicted.peak_budget_bytes),
            bytes_text(problem.memory_bytes_max)
        )?;
        for (strategy, seconds) in &self.rejected {
            let ratio = seconds / predicted.seconds;
            write!(f, "\nrejected   {}: estimated to take {ratio:.1} times as long", strategy.name())?;
        }
        Ok(())
    }
}

fn why(plan: &Plan) -> &'static str {
    match plan.strategy {
        Strategy::Copy => "chunks and codecs stay the same, so stored bytes are copied",
        Strategy::Regroup => "chunks and codecs stay the same, so encoded chunks are moved between shards",
        Strategy::Direct => "each source chunk is decoded once, straight into target chunks",
        Strategy::Reread => "some source chunks are decoded more than once, cheaper than an intermediate",
        Strategy::Staged => "each source chunk is decoded once, through one intermediate",
    }
}

fn format(chunk: &[u64], shard: Option<&[u64]>) -> String {
    match shard {
        Some(shard) => format!("chunks {chunk:?} in shards {shard:?}"),
        None => format!("chunks {chunk:?}"),
    }
}

fn stage_line(stage: &Stage) -> String {
    let Stage { tile, threads, slots, memory_bytes, .. } = stage;
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let (t, s) = (plural(*threads), plural(*slots));
    format!("tiles {tile:?}, {threads} thread{t}, {slots} tile{s} in memory, {}", bytes_text(*memory_bytes))
}

/// A size for people: three significant digits, decimal units as in `--max-mem`.
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
    use super::bytes_text;

    #[test]
    fn sizes_for_people() {
        for (n, expected) in
            [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (12_345, "12.3 kB"), (999_999, "1.00 MB")]
        {
            assert_eq!(bytes_text(n), expected);
        }
    }
}
