//! A progress bar on stderr, and what is being done in words where that is wanted.

use std::io::IsTerminal;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use zarrange_rechunk::Progress;

use crate::args::ProgressArg;
use crate::out::{self, detail, note, one_line};

/// Shows how far a run is, and how long it may still take.
#[derive(Debug)]
pub(crate) struct Bar {
    shown: ProgressBar,
    noted: Once,
    /// The phase that is under way, and the stage in it.
    doing: Mutex<[Option<(String, Instant)>; 2]>,
}

impl Bar {
    pub(crate) fn new(when: ProgressArg) -> Self {
        let shown = match when {
            ProgressArg::Always => true,
            ProgressArg::Never => false,
            ProgressArg::Auto => !out::is_quiet() && std::io::stderr().is_terminal(),
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
        Self { shown: bar, noted: Once::new(), doing: Mutex::default() }
    }

    /// Says that what is under way from `level` on has ended: 0 is a phase, 1 a stage; and that `next` begins there.
    fn go_on(&self, level: usize, next: Option<String>) {
        if !out::is_verbose() {
            return;
        }
        let mut doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        self.shown.suspend(|| {
            for (what, begun) in doing[level..].iter_mut().rev().filter_map(Option::take) {
                detail!("{what} ended after {:.2} s", begun.elapsed().as_secs_f64());
            }
            if let Some(next) = &next {
                detail!("{next} begins");
            }
        });
        doing[level] = next.map(|next| (next, Instant::now()));
    }
}

impl Progress for Bar {
    fn begin(&self, phase: &str, bytes: u64) {
        self.go_on(0, Some(phase.to_owned()));
        self.shown.reset();
        self.shown.set_length(bytes.max(1));
        self.shown.set_message(phase.to_owned());
    }

    fn advance(&self, bytes: u64) {
        self.shown.inc(bytes);
    }

    fn stage(&self, array: &str, stage: u64, stages: u64) {
        self.go_on(1, Some(format!("{}: stage {stage} of {stages}", one_line(array))));
    }

    fn fewer_threads(&self, started: u64, wanted: u64) {
        // Each array would find that out again.
        self.noted.call_once(|| {
            self.shown
                .suspend(|| note!("the system gives {started} of {wanted} threads: going on with those"));
        });
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.go_on(0, None);
        self.shown.finish_and_clear();
    }
}
