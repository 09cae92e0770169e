//! The baseline: what must not get worse from one commit to the next.
//!
//! Held against the baseline: counters that are the same in every run (requests, bytes, hops, decodes, sizes of what is stored), exactly,
//! and counts of instructions, within 2 %. Times are not: machines are shared. They are compared in pairs (`pairs`).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::sweep::record::{Cell, Measures, Record};

/// Version of the baseline's lines. Others are refused, and left as they are.
const SCHEMA: u32 = 1;

/// Instructions may vary by this much: the allocator's and the kernel's parts do.
const INSTRUCTIONS_MARGIN: f64 = 1.02;

/// What the baseline holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    cells: Vec<(Cell, Counters)>,
    instructions: BTreeMap<String, u64>,
    /// Where each of them comes from.
    commit: String,
}

/// Counters of a cell by name.
type Counters = BTreeMap<String, u64>;

/// A line of the baseline.
#[derive(Serialize, Deserialize)]
struct Line {
    schema: u32,
    commit: String,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    Cell { cell: Box<Cell>, counters: Counters },
    Instructions { name: String, count: u64 },
}

/// Something that got worse.
#[derive(Clone, Debug, PartialEq)]
pub struct Worse {
    /// The cell, or the function whose instructions were counted.
    pub place: String,
    /// The counter.
    pub counter: String,
    /// Its value in the baseline.
    pub before: u64,
    /// Its value now; `None` if it was not measured.
    pub now: Option<u64>,
}

/// The outcome of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// What got worse, or is missing.
    pub worse: Vec<Worse>,
    /// Counters that got better.
    pub better: u64,
    /// Counters that were compared.
    pub compared: u64,
    /// Cells that the baseline does not know.
    pub new: u64,
    /// Backends of the baseline that were not measured at all, as they may not work here.
    pub backends_missing: Vec<String>,
    /// Commits of the baseline and of what was compared.
    pub commits: (String, String),
}

/// The deterministic counters of a cell.
fn counters(measures: &Measures) -> Counters {
    let pairs = [
        ("chunks decoded", measures.chunks),
        ("requests", measures.requests),
        ("opens", measures.opens),
        ("hops", measures.hops.unwrap_or(0)),
        ("stored bytes", measures.stored_bytes),
        ("backend bytes", measures.backend_bytes),
        ("layout bytes", measures.layout_bytes),
        ("layout objects", measures.layout_objects),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl Baseline {
    /// What was measured: the cells of `records`, and instructions by function.
    pub fn of(records: &[Record], instructions: BTreeMap<String, u64>) -> Self {
        let measured = records.iter().filter_map(|r| Some((r.cell.clone(), counters(r.measures()?))));
        let commit = records.first().map_or_else(String::new, |r| r.commit.clone());
        Self { cells: measured.collect(), instructions, commit }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// If it cannot be read, or is of another schema.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{}: --update writes a first baseline", path.display()))?;
        let mut out = Self::default();
        for (k, line) in text.lines().enumerate() {
            let at = || format!("{}, line {}", path.display(), k + 1);
            let value: serde_json::Value = serde_json::from_str(line).with_context(at)?;
            let schema = &value["schema"];
            ensure!(
                *schema == SCHEMA,
                "{}: schema is {schema}, not {SCHEMA}: keep the file, and write a new baseline elsewhere",
                at()
            );
            let Line { commit, content, .. } = serde_json::from_value(value).with_context(at)?;
            out.commit = commit;
            match content {
                Content::Cell { cell, counters } => out.cells.push((*cell, counters)),
                Content::Instructions { name, count } => drop(out.instructions.insert(name, count)),
            }
        }
        ensure!(!out.cells.is_empty() || !out.instructions.is_empty(), "{} is empty", path.display());
        Ok(out)
    }

    /// Writes it to `path` in one step. Instructions that were not counted this time stay as they were.
    ///
    /// # Errors
    /// If `path` holds a baseline of another schema, or cannot be written.
    pub fn write(mut self, path: &Path) -> anyhow::Result<()> {
        if path.exists() {
            let before = Self::read(path)?;
            if self.instructions.is_empty() {
                self.instructions = before.instructions;
            }
        }
        let Self { cells, instructions, commit } = self;
        let cells =
            cells.into_iter().map(|(cell, counters)| Content::Cell { cell: Box::new(cell), counters });
        let instructions =
            instructions.into_iter().map(|(name, count)| Content::Instructions { name, count });
        let mut text = String::new();
        for content in cells.chain(instructions) {
            let line = Line { schema: SCHEMA, commit: commit.clone(), content };
            text += &serde_json::to_string(&line)?;
            text.push('\n');
        }
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    }

    /// Compares `now` with this baseline.
    pub fn compare(&self, now: &Self) -> Verdict {
        let mut verdict =
            Verdict { commits: (self.commit.clone(), now.commit.clone()), ..Verdict::default() };
        let measured: std::collections::HashMap<&Cell, &Counters> =
            now.cells.iter().map(|(cell, counters)| (cell, counters)).collect();
        let has_backend = |name: &str| now.cells.iter().any(|(cell, _)| cell.backend == name);
        for (cell, before) in &self.cells {
            if !has_backend(&cell.backend) {
                if !verdict.backends_missing.contains(&cell.backend) {
                    verdict.backends_missing.push(cell.backend.clone());
                }
                continue;
            }
            let now = measured.get(cell);
            for (counter, before) in before {
                let now = now.and_then(|counters| counters.get(counter)).copied();
                verdict.weigh(&place(cell), counter, *before, now, 1.0);
            }
        }
        let known: std::collections::HashSet<&Cell> = self.cells.iter().map(|(cell, _)| cell).collect();
        verdict.new = measured.keys().filter(|cell| !known.contains(*cell)).count() as u64;
        if !now.instructions.is_empty() {
            for (name, before) in &self.instructions {
                let now = now.instructions.get(name).copied();
                verdict.weigh(name, "instructions", *before, now, INSTRUCTIONS_MARGIN);
            }
        }
        verdict
    }
}

impl Verdict {
    #[expect(clippy::cast_precision_loss, reason = "a margin of per cents")]
    fn weigh(&mut self, place: &str, counter: &str, before: u64, now: Option<u64>, margin: f64) {
        self.compared += 1;
        match now {
            Some(now) if now as f64 <= before as f64 * margin => self.better += u64::from(now < before),
            _ => self.worse.push(Worse { place: place.to_owned(), counter: counter.to_owned(), before, now }),
        }
    }

    /// Whether nothing got worse, and something was compared.
    pub fn passes(&self) -> bool {
        self.worse.is_empty() && self.compared > 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worse, better, compared, new, backends_missing, commits: (before, now) } = self;
        for backend in backends_missing {
            writeln!(f, "backend {backend} was not measured")?;
        }
        for Worse { place, counter, before, now } in worse {
            let change = match now {
                None => "not measured".to_owned(),
                #[expect(clippy::cast_precision_loss, reason = "a ratio")]
                Some(now) => {
                    format!("{now} ({:+.1} %)", (*now as f64 / (*before).max(1) as f64 - 1.0) * 100.0)
                }
            };
            writeln!(f, "worse: {place}: {counter} {before} -> {change}")?;
        }
        let (worse, verdict) = (worse.len(), if self.passes() { "passed" } else { "FAILED" });
        write!(
            f,
            "{verdict}: {compared} counters of {now} against {before}: {worse} worse, {better} better, {new} new cells"
        )
    }
}

/// A cell in a line.
fn place(cell: &Cell) -> String {
    let Cell { dataset, layout, workload, backend, cache, .. } = cell;
    format!("{} {} {workload} {backend} {}", dataset.name, layout.name, cache.name())
}

/// Counts of instructions by function, from gungraun's output (`cargo bench --bench instructions`).
///
/// # Errors
/// If there are none.
pub fn instructions(output: &str) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut out = BTreeMap::new();
    let mut name = "";
    for line in output.lines() {
        if let Some(rest) = line.trim_start().strip_prefix("Instructions:") {
            let count = rest.trim().split('|').next().and_then(|count| count.trim().parse().ok());
            out.insert(name.to_owned(), count.with_context(|| format!("{name}: {line:?}"))?);
        } else if !line.starts_with(' ') {
            name = line.split_whitespace().next().unwrap_or(line);
        }
    }
    ensure!(!out.is_empty(), "no counts of instructions: is this the output of the bench `instructions`?");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use zarrange_plan::Reader;

    use super::*;
    use crate::sweep::facts::{DatasetFacts, LayoutFacts};
    use crate::sweep::record::CacheState;
    use crate::sweep::workload::Workload;

    fn cell(backend: &str) -> Cell {
        Cell {
            dataset: DatasetFacts { name: "d".to_owned(), shape: vec![4, 2], item_bytes: 4, axes: (0, 1) },
            layout: LayoutFacts {
                name: "l".to_owned(),
                chunk: vec![1, 2],
                shard: None,
                codecs: "none".to_owned(),
            },
            workload: Workload::parse("epoch").unwrap(),
            operations: 3,
            reader: Reader::Zarrange,
            backend: backend.to_owned(),
            cache: CacheState::Warm,
            latency_ms: 0,
        }
    }

    fn baseline(requests: u64, instructions: u64) -> Baseline {
        let counters = Counters::from([("requests".to_owned(), requests), ("hops".to_owned(), 2)]);
        let cells = vec![(cell("std"), counters.clone()), (cell("io_uring"), counters)];
        let instructions = BTreeMap::from([("decode".to_owned(), instructions)]);
        Baseline { cells, instructions, commit: "abc".to_owned() }
    }

    #[test]
    fn worse_by_one_fails() {
        let check = |now: &Baseline, worse: usize, better: u64| {
            let verdict = baseline(100, 1000).compare(now);
            assert_eq!((verdict.worse.len(), verdict.better), (worse, better), "{verdict}");
            assert_eq!(verdict.passes(), worse == 0);
        };
        check(&baseline(100, 1000), 0, 0);
        check(&baseline(101, 1020), 2, 0);
        check(&baseline(99, 1021), 1, 2);
        check(&baseline(100, 900), 0, 1);
        let mut less = baseline(100, 1000);
        less.cells.retain(|(cell, _)| cell.backend == "std");
        let verdict = baseline(100, 1000).compare(&less);
        assert!(verdict.passes() && verdict.backends_missing == ["io_uring"], "{verdict}");
        less.cells[0].0.workload = Workload::parse("object").unwrap();
        let verdict = baseline(100, 1000).compare(&less);
        assert!(
            !verdict.passes() && verdict.new == 1,
            "a cell that is not measured any more fails: {verdict}"
        );
        assert!(!baseline(100, 1000).compare(&Baseline::default()).passes(), "nothing was compared");
    }

    #[test]
    fn a_baseline_is_replaced_in_one_step_and_never_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("baseline.jsonl");
        baseline(100, 1000).write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline(100, 1000));
        let without = Baseline { instructions: BTreeMap::new(), ..baseline(90, 0) };
        without.write(&path).unwrap();
        assert_eq!(Baseline::read(&path).unwrap(), baseline(90, 1000));
        let other = std::fs::read_to_string(&path).unwrap().replace("\"schema\":1", "\"schema\":2");
        std::fs::write(&path, &other).unwrap();
        let error = baseline(1, 1).write(&path).unwrap_err().to_string();
        assert!(error.contains("schema is 2"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
    }

    #[test]
    fn instructions_are_read_from_the_benchs_output() {
        let output = "instructions::a:(x)\n  Instructions:      84948|N/A    (*)\n  L1 Hits:  1|N/A\nb c\n  Instructions: 7|8 (+1%)\n";
        let expected = BTreeMap::from([("instructions::a:(x)".to_owned(), 84948), ("b".to_owned(), 7)]);
        assert_eq!(instructions(output).unwrap(), expected);
        assert!(instructions("nothing").is_err());
    }
}
