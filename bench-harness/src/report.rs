//! What a measurement says: tables as they come, then each figure that is asked for, reached or not.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::compare::{Ratio, Times};

/// Prints what is measured as it comes, and leaves it as JSON lines.
#[derive(Debug)]
pub struct Report {
    raw: File,
    summary: Vec<String>,
}

/// What a figure shall be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Bound {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bound) => figure >= bound,
            Self::AtMost(bound) => figure <= bound,
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
        }
    }
}

impl Report {
    /// A report whose numbers go to `raw`, the description of the machine first.
    ///
    /// # Errors
    /// If `raw` cannot be made.
    pub fn new(raw: &Path, machine: &(impl Serialize + Display)) -> io::Result<Self> {
        say!("{machine}\n");
        let mut report = Self { raw: File::create(raw)?, summary: Vec::new() };
        report.line(machine)?;
        Ok(report)
    }

    /// Adds a line to the raw numbers.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn line(&mut self, numbers: &impl Serialize) -> io::Result<()> {
        writeln!(self.raw, "{}", serde_json::to_string(numbers)?)
    }

    /// The times of a case.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn times(&mut self, times: &Times) -> io::Result<()> {
        say!("{times}");
        self.line(times)
    }

    /// A figure that is asked for.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn asked(
        &mut self,
        what: &str,
        asked: &str,
        measured: impl Display,
        reached: bool,
    ) -> io::Result<()> {
        let mark = if reached { "reached" } else { "MISSED " };
        self.summary.push(format!("{mark}  {what}: {measured}, asked {asked}"));
        let measured = measured.to_string();
        self.line(
            &serde_json::json!({"what": what, "asked": asked, "measured": measured, "reached": reached}),
        )
    }

    /// A ratio that is asked for, judged by its median.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn bound(&mut self, what: &str, asked: Bound, measured: Ratio) -> io::Result<()> {
        self.asked(what, &asked.to_string(), measured, asked.holds(measured.median))
    }

    /// A ratio of a case that is asked for: `slow` over `fast`.
    ///
    /// # Errors
    /// If one of them was not measured, or it cannot be written.
    pub fn ratio(
        &mut self,
        what: &str,
        asked: Bound,
        times: &Times,
        slow: &str,
        fast: &str,
    ) -> anyhow::Result<()> {
        let ratio = times.ratio(slow, fast).with_context(|| format!("{slow} or {fast} was not measured"))?;
        Ok(self.bound(&format!("{what}, {slow} / {fast}"), asked, ratio)?)
    }

    /// Prints what was asked for and whether it was reached.
    pub fn end(self) {
        say!("{}\n", self.summary.join("\n"));
    }
}
