//! `zarrange-bench report`: what a sweep found, as a page that needs nothing but itself, as SVG and PNG files and as Markdown.
//!
//! `answers` is what it says first: the best layouts for a mix that is set in the page. `results` puts records in order, `charts` and `table` draw them once, `html` puts the page together. Of charts, the script of the page
//! only shows and hides what is drawn, and it sorts tables: so a chart in a paper is the one of the page, and the page can be read and
//! printed where scripts do not run. Rejected: drawing in the page, which needs all of that a second time for files.

mod analysis;
mod answers;
mod charts;
mod html;
mod labels;
mod markdown;
mod png;
mod results;
mod svg;
mod table;
mod text;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::sweep::record;
use charts::Charts;
use png::Painter;
use results::Results;

/// What to write, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// Records of sweeps.
    pub raw: Vec<PathBuf>,
    /// The page.
    pub out: PathBuf,
    /// A directory for the charts as SVG files.
    pub svg: Option<PathBuf>,
    /// A directory for the charts as PNG files.
    pub png: Option<PathBuf>,
    /// A file for the summary.
    pub markdown: Option<PathBuf>,
}

/// Writes the page and what else is asked for; returns how many cells and charts there are.
///
/// # Errors
/// If records cannot be read or there are none, or a file cannot be written; if charts are wanted as PNG and no font is installed, after
/// everything else was written.
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
    if let Some(path) = &options.markdown {
        file(path, &markdown::summary(&results))?;
    }
    if let Some(dir) = &options.svg {
        write_charts(dir, "svg", &charts, |svg| Ok(svg.into_bytes()))?;
    }
    // The last one: it is the one that a machine may lack something for.
    if let Some(dir) = &options.png {
        let painter = Painter::new()?;
        write_charts(dir, "png", &charts, |svg| painter.png(&svg))?;
    }
    Ok((results.entries.len(), charts.all().count()))
}

/// Writes a file for each chart, `encode`d from its SVG.
fn write_charts(
    dir: &Path,
    extension: &str,
    charts: &Charts,
    encode: impl Fn(String) -> anyhow::Result<Vec<u8>>,
) -> anyhow::Result<()> {
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
        let path = dir.join(format!("{name}.{extension}"));
        encode(chart.file())
            .and_then(|bytes| Ok(std::fs::write(&path, bytes)?))
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}
