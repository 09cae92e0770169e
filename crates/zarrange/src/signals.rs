//! Signals that ask the process to end.
//!
//! As long as nothing is written, it ends at once. Then what was begun is tidied up first: the engine is stopped, and the command ends
//! with an error after everything of ours was removed. A second signal ends the process wherever it is, but a second SIGHUP does not: a
//! terminal that is closed sends more than one. What is published stays, and is a success.
//!
//! A signal that was ignored when the process began (`nohup`) stays ignored.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use zarrange_io::Stop;

use crate::out;

const SIGNALS: [(i32, &str); 3] = [(SIGHUP, "SIGHUP"), (SIGINT, "SIGINT"), (SIGTERM, "SIGTERM")];

/// What waits for signals does little.
const STACK_BYTES: usize = 256 << 10;

static STOP: LazyLock<Stop> = LazyLock::new(Stop::default);

/// The signal that stopped the engine; 0 as long as none has.
static CAME: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

static PHASE: Mutex<Phase> = Mutex::new(Phase::Looking);

#[derive(Clone, Copy)]
enum Phase {
    /// Nothing was written yet.
    Looking,
    /// There is something to tidy up.
    Writing,
    /// Nothing is left to do but to tell of it.
    Published,
}

/// What stops the engine.
pub(crate) fn stop() -> Stop {
    STOP.clone()
}

/// Begins to listen.
pub(crate) fn watch() {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    let wanted = || SIGNALS.iter().map(|(signal, _)| *signal).filter(|s| ignored & (1 << (s - 1)) == 0);
    let listening = Signals::new(wanted()).and_then(|signals| {
        let thread = std::thread::Builder::new().name("signals".to_owned()).stack_size(STACK_BYTES);
        thread.spawn(move || listen(signals)).map(|_| ())
    });
    if listening.is_err() {
        // Without a descriptor or a thread for it, signals can still be noted: the next access to a store finds out.
        let _: io::Result<()> = wanted().try_for_each(|signal| {
            flag::register_conditional_shutdown(signal, code(signal), STOP.flag())?;
            flag::register_usize(signal, CAME.clone(), usize::try_from(signal).unwrap_or(0))?;
            flag::register(signal, STOP.flag()).map(|_| ())
        });
    }
}

/// From now on there is something to tidy up.
pub(crate) fn writing() {
    *phase() = Phase::Writing;
}

/// The target is there, and complete.
pub(crate) fn published() {
    *phase() = Phase::Published;
}

/// The signal that stopped the engine: its name, and the exit code that it means.
pub(crate) fn came() -> Option<(&'static str, u8)> {
    let signal = i32::try_from(CAME.load(Ordering::Relaxed)).ok().filter(|signal| *signal > 0)?;
    Some((name(signal), u8::try_from(code(signal)).unwrap_or(1)))
}

fn listen(mut signals: Signals) {
    for signal in signals.forever() {
        // Held until the process has ended, where it does: nothing is begun meanwhile.
        let phase = phase();
        match *phase {
            Phase::Looking => end(signal, "nothing was written"),
            Phase::Published => std::process::exit(0),
            Phase::Writing if !STOP.is_requested() => {
                CAME.store(usize::try_from(signal).unwrap_or(0), Ordering::Relaxed);
                STOP.request();
            }
            Phase::Writing if signal == SIGHUP => {}
            Phase::Writing => end(
                signal,
                "for the second time, before everything was tidied up: names with .partial- beside the target may be left",
            ),
        }
    }
}

fn end(signal: i32, state: &str) -> ! {
    out::to_stderr_at_once(&format!("stopped by {}: {state}", name(signal)));
    std::process::exit(code(signal))
}

fn phase() -> MutexGuard<'static, Phase> {
    PHASE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a shell makes of a process that a signal ended.
const fn code(signal: i32) -> i32 {
    128 + signal
}

fn name(signal: i32) -> &'static str {
    SIGNALS.iter().find(|(number, _)| *number == signal).map_or("a signal", |(_, name)| name)
}

/// The signals that are ignored, a bit each, as `/proc/self/status` tells.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_mask() {
        for (status, mask) in [
            ("Name:\tx\nSigIgn:\t0000000000000001\nSigCgt:\t0000000180000442\n", 1),
            ("SigIgn:\t0000000000001003\n", 0x1003),
            ("SigCgt:\t0000000000001003\n", 0),
            ("", 0),
        ] {
            assert_eq!(ignored(status), mask, "{status}");
        }
        assert_eq!(
            SIGNALS.map(|(signal, _)| (code(signal), name(signal))),
            [(129, "SIGHUP"), (130, "SIGINT"), (143, "SIGTERM")]
        );
    }
}
