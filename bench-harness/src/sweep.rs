//! Sweeps: every layout read in every way, through every backend, cold and warm.
//!
//! A [`cell`] is measured in a process of its own. What was measured is a line of a file at once, so a sweep that is stopped goes on
//! where it was: cells that the file has are not measured again.

pub mod cell;
pub mod dataset;
pub mod facts;
pub mod layout;
pub mod others;
pub mod record;
pub mod recorder;
pub mod stored;
pub mod workload;

use std::collections::HashSet;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use zarrange_plan::Reader;

use crate::backend::BACKENDS;
use crate::machine::Machine;
use crate::program::Program;
use cell::{Inject, Order};
use dataset::{Dataset, Size};
use facts::LayoutFacts;
use others::Others;
use record::{CacheState, Cell, Counted, Measures, Outcome, Record, SCHEMA};
use stored::{Prediction, Stored, stored};
use workload::Workload;
use zarrange::COMMIT;

/// What to sweep over.
#[derive(Clone, Debug)]
pub struct Options {
    /// A survey, a recipe, or an array.
    pub dataset: String,
    /// Sizes of a survey; that of its recipe if there is none.
    pub sizes: Vec<Size>,
    /// A built-in list of layouts, or a file.
    pub layouts: String,
    /// Who reads.
    pub readers: Vec<Reader>,
    /// What reads for others than ours.
    pub others: Others,
    /// Backends of our reader, by name.
    pub backends: Vec<String>,
    /// What each request waits, in milliseconds.
    pub latency_ms: u64,
    /// States of the cache.
    pub caches: Vec<CacheState>,
    /// Workloads as text.
    pub workloads: Vec<String>,
    /// Operations of a cell at most.
    pub operations: u64,
    /// Array bytes that the operations of a cell may handle; fewer operations where they would be more.
    pub bytes_max: u64,
    /// Where datasets and layouts are kept.
    pub dir: PathBuf,
    /// How often each cell is measured, the programs in turns.
    pub turns: u64,
}

impl Options {
    /// Every reader, ours with every backend.
    fn ways(&self) -> impl Iterator<Item = (Reader, &str)> {
        self.readers.iter().flat_map(|reader| {
            let backends: Vec<&str> = match reader {
                Reader::Zarrange => self.backends.iter().map(String::as_str).collect(),
                others => vec![others.name()],
            };
            backends.into_iter().map(|backend| (*reader, backend))
        })
    }
}

/// A program that measures cells, and where its records go.
#[derive(Clone, Debug)]
pub struct Runner {
    /// It is called as `zarrange-bench cell`.
    pub program: Program,
    /// JSON lines; cells that are there are not measured again.
    pub out: PathBuf,
    /// What it does badly on purpose.
    pub inject: Option<Inject>,
}

/// Operations of a cell at least, whatever they read.
const OPERATIONS_MIN: u64 = 1;

/// What a process that measured a cell says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// [`COMMIT`] of the program that measured.
    pub commit: String,
    /// What it counted.
    pub outcome: Outcome<Counted>,
}

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Cells measured.
    pub measured: u64,
    /// Cells that the file had already.
    pub known: u64,
    /// Cells that could not be measured.
    pub unmeasured: u64,
}

/// Sweeps: each of `runners` measures every cell, in turns. `progress` is told about each cell before it is measured: its number, how
/// many there are of this dataset, and what it is.
///
/// # Errors
/// If a name is unknown, a dataset or layout cannot be made, or a record cannot be written. What was measured before is kept.
pub fn sweep(
    options: &Options,
    runners: &[Runner],
    progress: &mut dyn FnMut(usize, usize, &Cell),
) -> anyhow::Result<Done> {
    for name in &options.backends {
        ensure!(BACKENDS.contains(&name.as_str()), "backend {name:?} is none of {}", BACKENDS.join(", "));
    }
    let workloads =
        options.workloads.iter().map(|w| Workload::parse(w)).collect::<anyhow::Result<Vec<_>>>()?;
    std::fs::create_dir_all(&options.dir)?;
    let machine = Machine::here(&options.dir);
    let runs = runners.iter().map(|runner| Run::begin(runner, &options.others, machine.clone()));
    let mut runs = runs.collect::<anyhow::Result<Vec<_>>>()?;
    let mut done = Done::default();
    let sizes: Vec<Option<Size>> =
        if options.sizes.is_empty() { vec![None] } else { options.sizes.iter().copied().map(Some).collect() };
    for size in sizes {
        let dataset = dataset::dataset(&options.dataset, size, &options.dir)?;
        let orders = Orders { options, dataset: &dataset, workloads: &workloads };
        orders.measure(&mut runs, &mut done, progress)?;
    }
    Ok(done)
}

/// A runner at work.
struct Run<'a> {
    runner: &'a Runner,
    others: &'a Others,
    known: HashSet<(Cell, u64)>,
    file: File,
    machine: Machine,
}

impl<'a> Run<'a> {
    fn begin(runner: &'a Runner, others: &'a Others, machine: Machine) -> anyhow::Result<Self> {
        let known = resume(&runner.out)?;
        let file = File::options().create(true).append(true).open(&runner.out);
        let file = file.with_context(|| runner.out.display().to_string())?;
        Ok(Self { runner, others, known, file, machine })
    }

    fn knows(&self, cell: &Cell, turn: u64) -> bool {
        self.known.contains(&(cell.clone(), turn))
    }

    /// Measures a cell, unless it is known, and writes its record.
    fn measure(
        &mut self,
        cell: &Cell,
        turn: u64,
        ready: &anyhow::Result<Ready>,
        done: &mut Done,
    ) -> anyhow::Result<()> {
        if self.knows(cell, turn) {
            done.known += 1;
            return Ok(());
        }
        let (commit, outcome) = self.outcome(cell, ready);
        match &outcome {
            Outcome::Measured(_) => done.measured += 1,
            Outcome::Unmeasured(_) => done.unmeasured += 1,
        }
        let (machine, cell) = (self.machine.clone(), cell.clone());
        let mut line = serde_json::to_vec(&Record { schema: SCHEMA, commit, machine, cell, turn, outcome })?;
        line.push(b'\n');
        self.file.write_all(&line).with_context(|| self.runner.out.display().to_string())
    }

    /// What a process of its own counts, joined with what is known of the layout; and the commit that counted.
    fn outcome(&self, cell: &Cell, ready: &anyhow::Result<Ready>) -> (String, Outcome) {
        let failed = |error: &anyhow::Error| (COMMIT.to_owned(), Outcome::Unmeasured(format!("{error:#}")));
        let Ready { stored: Stored { path, made }, prediction } = match ready {
            Ok(ready) => ready,
            Err(error) => return failed(error),
        };
        let order = Order { cell: cell.clone(), path: path.clone(), inject: self.runner.inject };
        if cell.reader != Reader::Zarrange {
            return match self.others.measure(&order, prediction) {
                Ok(counted) => {
                    let measures = Measures::of(counted, made, prediction);
                    (COMMIT.to_owned(), Outcome::Measured(Box::new(measures)))
                }
                Err(error) => failed(&error),
            };
        }
        match run(&self.runner.program, &order) {
            Ok(Answer { commit, outcome: Outcome::Measured(counted) }) => {
                (commit, Outcome::Measured(Box::new(Measures::of(*counted, made, prediction))))
            }
            Ok(Answer { commit, outcome: Outcome::Unmeasured(why) }) => (commit, Outcome::Unmeasured(why)),
            Err(error) => failed(&error),
        }
    }
}

/// The measured cells of a file that was begun, with their turns. A line that was cut off is taken away, and so are cells that could not be
/// measured: they are tried again.
fn resume(out: &Path) -> anyhow::Result<HashSet<(Cell, u64)>> {
    if !out.exists() {
        return Ok(HashSet::new());
    }
    let records = record::read(out)?;
    let measured = |record: &&Record| record.measures().is_some();
    let mut kept = Vec::new();
    for record in records.iter().filter(measured) {
        serde_json::to_writer(&mut kept, record)?;
        kept.push(b'\n');
    }
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&kept)?;
    file.persist(out)?;
    Ok(records.iter().filter(measured).map(|record| (record.cell.clone(), record.turn)).collect())
}

/// A layout that is made, and what a cell of it will cost.
struct Ready {
    stored: Stored,
    prediction: Prediction,
}

/// The cells of a dataset.
struct Orders<'a> {
    options: &'a Options,
    dataset: &'a Dataset,
    workloads: &'a [Workload],
}

impl Orders<'_> {
    /// Lets each of `runs` measure every cell that it does not know.
    fn measure(
        &self,
        runs: &mut [Run<'_>],
        done: &mut Done,
        progress: &mut dyn FnMut(usize, usize, &Cell),
    ) -> anyhow::Result<()> {
        let turns = self.options.turns;
        let cells = self.cells()?;
        // A layout that cannot be made, on a full disk for one, is not tried for each of its cells.
        let mut failed: Option<(&LayoutFacts, String)> = None;
        for (k, cell) in cells.iter().enumerate() {
            if runs.iter().all(|run| (0..turns).all(|turn| run.knows(cell, turn))) {
                done.known += turns * runs.len() as u64;
                continue;
            }
            progress(k + 1, cells.len(), cell);
            let ready = match &failed {
                Some((layout, why)) if **layout == cell.layout => Err(anyhow::anyhow!("{why}")),
                _ => self.ready(cell),
            };
            if let Err(error) = &ready {
                failed = Some((&cell.layout, format!("{error:#}")));
            }
            for turn in 0..turns {
                // A B, then B A: what a program leaves behind for the next does not always fall on the same one.
                runs.reverse();
                for run in &mut *runs {
                    run.measure(cell, turn, &ready, done)?;
                }
            }
        }
        Ok(())
    }

    /// All cells, layout by layout.
    fn cells(&self) -> anyhow::Result<Vec<Cell>> {
        let Self { options, dataset, workloads } = self;
        let mut out = Vec::new();
        for layout in layout::layouts(&options.layouts, &dataset.facts)? {
            for workload in *workloads {
                let operations = self.operations(&layout, workload)?;
                for (reader, backend) in options.ways() {
                    for cache in &options.caches {
                        let (dataset, layout) = (dataset.facts.clone(), layout.clone());
                        let (workload, backend, cache) = (workload.clone(), backend.to_owned(), *cache);
                        let latency_ms = options.latency_ms;
                        out.push(Cell {
                            dataset,
                            layout,
                            workload,
                            operations,
                            reader,
                            backend,
                            cache,
                            latency_ms,
                        });
                    }
                }
            }
        }
        Ok(out)
    }

    /// How many operations handle no more than the bytes allowed.
    fn operations(&self, layout: &LayoutFacts, workload: &Workload) -> anyhow::Result<u64> {
        let facts = &self.dataset.facts;
        let tried = workload.operations(facts, &layout.chunk, 16)?;
        // A shard is written as a whole.
        let written = layout.shard.as_ref().filter(|_| workload.writes);
        let chunk = written.unwrap_or(&layout.chunk);
        let mut bytes = 0;
        for region in tried.iter().flat_map(|operation| &operation.regions) {
            bytes += zarrange_plan::touched(&facts.shape, chunk, region)?.elements * facts.item_bytes;
        }
        let each = (bytes / tried.len().max(1) as u64).max(1);
        Ok((self.options.bytes_max / each).clamp(OPERATIONS_MIN, self.options.operations.max(OPERATIONS_MIN)))
    }

    /// Makes the layout of a cell and predicts what it will cost.
    fn ready(&self, cell: &Cell) -> anyhow::Result<Ready> {
        let stored = stored(self.dataset, &cell.layout, &self.options.dir)?;
        let prediction = stored::predict(&stored.path, cell)?;
        Ok(Ready { stored, prediction })
    }
}

/// Measures a cell in a process of its own.
fn run(program: &Program, order: &Order) -> anyhow::Result<Answer> {
    let mut child = program
        .bench()
        .arg("cell")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{:?}", program.bench))?;
    let text = serde_json::to_vec(order)?;
    child.stdin.take().context("a pipe")?.write_all(&text)?;
    let output = child.wait_with_output()?;
    let message = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the process ended with {}: {}", output.status, message.trim());
    Ok(serde_json::from_slice(&output.stdout)?)
}
