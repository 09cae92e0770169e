//! `zarrange-bench report`: what a sweep found, as a page that needs nothing but itself, as SVG files and as Markdown.
//!
//! [`results`] puts records in order, [`charts`] and [`table`] draw them once, [`html`] puts the page together. The script of the page
//! only shows and hides what is drawn, and sorts tables: so a chart in a paper is the one of the page, and the page can be read and
//! printed where scripts do not run. Rejected: drawing in the page, which needs all of that a second time for files.

mod analysis;
mod charts;
mod html;
mod markdown;
mod results;
mod svg;
mod table;
mod text;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::sweep::record;
use charts::Charts;
use results::Results;

/// What to write, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records of sweeps.
    pub raw: Vec<PathBuf>,
    /// The page.
    pub out: PathBuf,
    /// A directory for the charts as files.
    pub svg: Option<PathBuf>,
    /// A file for the summary.
    pub markdown: Option<PathBuf>,
}

/// Writes the page and what else is asked for; returns how many cells and charts there are.
///
/// # Errors
/// If records cannot be read or there are none, or a file cannot be written.
pub fn write(options: &Options) -> anyhow::Result<(usize, usize)> {
    let mut records = Vec::new();
    for path in &options.raw {
        records.extend(record::read(path)?);
    }
    ensure!(!records.is_empty(), "there is no record in {:?}", options.raw);
    let results = Results::new(records);
    let charts = Charts::draw(&results)?;
    let file =
        |path: &Path, text: &str| std::fs::write(path, text).with_context(|| path.display().to_string());
    file(&options.out, &html::page(&results, &charts))?;
    if let Some(dir) = &options.svg {
        std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let mut names = HashSet::new();
        for chart in charts.all() {
            let mut name = chart.stem.clone();
            // Names of layouts may differ in signs that no file name should have.
            for number in 2.. {
                if names.insert(name.clone()) {
                    break;
                }
                name = format!("{}-{number}", chart.stem);
            }
            file(&dir.join(name + ".svg"), &chart.file())?;
        }
    }
    if let Some(path) = &options.markdown {
        file(path, &markdown::summary(&results))?;
    }
    Ok((results.entries.len(), charts.all().count()))
}
