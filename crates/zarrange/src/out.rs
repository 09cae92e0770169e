//! Lines for people and programs that may stop reading: a closed pipe ends them quietly, the exit code still tells.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// Something could not be printed, and nobody chose not to read it.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Whether all of stdout was written, as far as somebody read it.
pub(crate) fn is_complete() -> bool {
    !FAILED.load(Ordering::Relaxed)
}

/// Prints a line to stdout.
macro_rules! say {
    ($($line:tt)*) => { $crate::out::to_stdout(format_args!($($line)*)) };
}

/// Prints a line to stderr, with the name of the program before it.
macro_rules! note {
    ($($line:tt)*) => { $crate::out::to_stderr(format_args!("zarrange: {}", format_args!($($line)*))) };
}

pub(crate) use {note, say};

/// As [`say`].
pub(crate) fn to_stdout(line: Arguments<'_>) {
    match writeln!(std::io::stdout().lock(), "{line}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            FAILED.store(true, Ordering::Relaxed);
            note!("stdout cannot be written: {error}");
        }
        _ => {}
    }
}

/// As [`note`], without the name.
pub(crate) fn to_stderr(line: Arguments<'_>) {
    // Where stderr cannot be written either, nobody is left to be told.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
