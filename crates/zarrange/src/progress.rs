//! A progress bar on stderr.

use std::io::IsTerminal;
use std::sync::Once;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zarrange_rechunk::Progress;

use crate::args::ProgressArg;
use crate::out::note;

/// Shows how far a run is, and how long it may still take.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar, Once);

impl Bar {
    pub(crate) fn new(when: ProgressArg) -> Self {
        let shown = match when {
            ProgressArg::Always => true,
            ProgressArg::Never => false,
            ProgressArg::Auto => std::io::stderr().is_terminal(),
        };
        let target =
            if shown { ProgressDrawTarget::stderr_with_hz(10) } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        // A template of our own, which parses; the default would do as well.
        if let Ok(style) =
            ProgressStyle::with_template("{msg:8} {bar:40} {percent:>3}%  {elapsed} elapsed, {eta} left")
        {
            bar.set_style(style);
        }
        Self(bar, Once::new())
    }
}

impl Progress for Bar {
    fn begin(&self, phase: &str, bytes: u64) {
        self.0.reset();
        self.0.set_length(bytes.max(1));
        self.0.set_message(phase.to_owned());
    }

    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn fewer_threads(&self, started: u64, wanted: u64) {
        // Each array would find that out again.
        self.1.call_once(|| {
            self.0.suspend(|| note!("the system gives {started} of {wanted} threads: going on with those"));
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
