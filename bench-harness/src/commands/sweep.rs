//! `zarrange-bench sweep`.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::bail;
use zarrange_plan::Reader;

use crate::backend::{BACKENDS, opener};
use crate::data;
use crate::program::Program;
use crate::sweep::cell::Inject;
use crate::sweep::dataset::Size;
use crate::sweep::others::Others;
use crate::sweep::record::{CacheState, Cell};
use crate::sweep::{Done, Options, Runner, sweep};

#[derive(Debug, clap::Args)]
pub(crate) struct SweepArgs {
    /// A survey (photometry), a recipe (FILE.toml) or the location of an array
    #[arg(long, default_value = "photometry")]
    pub(super) dataset: String,
    /// Sizes of a survey, `OBJECTSxEPOCHS` [default: that of its recipe]
    #[arg(long, value_name = "SIZE", value_delimiter = ',', value_parser = Size::parse)]
    pub(super) sizes: Vec<Size>,
    /// A list of layouts (standard, quick) or a file [default: standard]
    #[arg(long)]
    pub(super) layouts: Option<String>,
    /// Who reads: zarrange, zarr-python, zarr-python-3.3, xarray, tensorstore, zarrs-python. All but ours run in Python, in a virtual
    /// environment that is made beside the data, once
    #[arg(long, value_name = "READER", value_delimiter = ',', default_value = "zarrange")]
    pub(super) readers: Vec<Reader>,
    /// A Python that has what the readers are, instead of an environment of its own
    #[arg(long, value_name = "PROGRAM")]
    pub(super) python: Option<PathBuf>,
    /// Backends of our reader: std, mmap, `io_uring` [default: all that work here]
    #[arg(long, value_delimiter = ',')]
    pub(super) backends: Vec<String>,
    /// States of the page cache at the beginning of a cell: cold, warm
    #[arg(long, value_delimiter = ',', default_value = "cold,warm", value_parser = cache_state)]
    pub(super) cache: Vec<CacheState>,
    /// Let each request wait so many milliseconds, as in an object store
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(super) latency: u64,
    /// epoch, object, block:N, window:N, random:N, object+2 (one index of both), object:N, object~N (neighbouring or scattered ones), or a
    /// mix such as epoch=0.2,object=0.8, each also @RATE; several by commas or blanks
    #[arg(long, num_args = 1.., default_values = ["epoch", "object", "random:32"])]
    pub(super) workloads: Vec<String>,
    /// Operations of a cell, at most
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) operations: u64,
    /// A few layouts and operations: a first look within two minutes
    #[arg(long)]
    pub(super) quick: bool,
    /// Where datasets and layouts are kept [default: below target/]
    #[arg(long)]
    pub(super) dir: Option<PathBuf>,
    /// File for the records, as JSON lines; a sweep that was stopped goes on there
    #[arg(long)]
    pub(super) out: PathBuf,
    /// Do something badly, to see that it is noticed
    #[arg(long, hide = true)]
    pub(super) inject: Option<Inject>,
}

pub(crate) fn run(args: SweepArgs, program: Program) -> anyhow::Result<()> {
    let runner = Runner { program, out: args.out.clone(), inject: args.inject };
    with(args, &[runner], 1)
}

/// Lets `runners` measure the cells that are asked for.
pub(super) fn with(args: SweepArgs, runners: &[Runner], turns: u64) -> anyhow::Result<()> {
    let out = args.out.display().to_string();
    let mut progress = Progress { terminal: std::io::stderr().is_terminal(), last: String::new() };
    let options = args.options(turns)?;
    let done = sweep(&options, runners, &mut |k, of, cell| progress.tell((k, of), cell))?;
    if progress.terminal {
        eprintln!();
    }
    let Done { measured, known, unmeasured } = done;
    say!("{measured} cells measured, {known} were known, {unmeasured} could not be measured: {out}");
    Ok(())
}

impl SweepArgs {
    fn options(self, turns: u64) -> anyhow::Result<Options> {
        let (layouts, operations, bytes_max) = if self.quick {
            ("quick", self.operations.min(16), 64 << 20)
        } else {
            ("standard", self.operations, 512 << 20)
        };
        let works = |name: &&&str| opener(name).is_ok();
        let backends = if self.backends.is_empty() {
            BACKENDS.iter().filter(works).map(|name| (*name).to_owned()).collect()
        } else {
            self.backends
        };
        let dir = self.dir.map_or_else(data::folder, Ok)?;
        std::fs::create_dir_all(&dir)?;
        Ok(Options {
            others: Others::ready(&dir, &self.readers, self.python.as_deref())?,
            readers: self.readers,
            dataset: self.dataset,
            sizes: self.sizes,
            layouts: self.layouts.unwrap_or_else(|| layouts.to_owned()),
            backends,
            caches: self.cache,
            latency_ms: self.latency,
            workloads: each(self.workloads)?,
            operations,
            bytes_max,
            dir,
            turns,
        })
    }
}

/// Workloads one by one: between those without shares a comma separates, in a mix of shares it belongs to it.
fn each(given: Vec<String>) -> anyhow::Result<Vec<String>> {
    let mut out = Vec::new();
    for text in given {
        let parts: Vec<&str> = text.split(',').collect();
        match parts.iter().filter(|part| part.contains('=')).count() {
            0 => out.extend(parts.into_iter().map(str::to_owned)),
            shares if shares == parts.len() => out.push(text),
            _ => bail!("workloads {text:?}: a mix has a share for each access, as in epoch=0.2,object=0.8"),
        }
    }
    Ok(out)
}

/// Tells which cell is measured: on a terminal each, otherwise each layout.
struct Progress {
    terminal: bool,
    last: String,
}

impl Progress {
    fn tell(&mut self, (k, of): (usize, usize), cell: &Cell) {
        let line = format!("{}: {}", cell.dataset.name, cell.layout.name);
        if self.terminal {
            eprint!(
                "\r\x1b[K[{k}/{of}] {line}, {}, {} {} {}",
                cell.workload,
                cell.cache.name(),
                cell.reader,
                cell.backend
            );
        } else if line != self.last {
            eprintln!("[{k}/{of}] {line}");
        }
        self.last = line;
    }
}

fn cache_state(text: &str) -> Result<CacheState, String> {
    [CacheState::Cold, CacheState::Warm]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| format!("{text:?} is neither cold nor warm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_between_workloads_or_in_a_mix() {
        let check = |given: &[&str], expected: &[&str]| {
            assert_eq!(each(given.iter().map(|text| (*text).to_owned()).collect()).unwrap(), expected);
        };
        check(&["epoch,object"], &["epoch", "object"]);
        check(&["epoch", "object:7@5"], &["epoch", "object:7@5"]);
        check(&["epoch=0.2,object=0.8", "object+2"], &["epoch=0.2,object=0.8", "object+2"]);
        let error = each(vec!["epoch=1,object".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("a share for each access"), "{error}");
    }
}
