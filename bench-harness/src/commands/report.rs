//! `zarrange-bench report`.

use std::path::PathBuf;

use crate::page;

#[derive(Debug, clap::Args)]
pub(crate) struct ReportArgs {
    /// Records of sweeps
    #[arg(required = true)]
    raw: Vec<PathBuf>,
    /// The page, one file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also each chart as an SVG file in this directory
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Also each chart as a PNG file of twice that size in this directory; needs an installed font
    #[arg(long, value_name = "DIR")]
    png: Option<PathBuf>,
    /// Also a summary as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

pub(crate) fn run(args: ReportArgs) -> anyhow::Result<()> {
    let ReportArgs { raw, out, svg, png, markdown } = args;
    let options = page::Options { raw, out, svg, png, markdown };
    let (cells, charts) = page::write(&options)?;
    say!("{cells} cells in {charts} charts: {}", options.out.display());
    Ok(())
}
