//! Lines for people and programs that may stop reading: a closed pipe ends them quietly, the exit code still tells.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};

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
        Err(error) if error.kind() != ErrorKind::BrokenPipe => note!("stdout cannot be written: {error}"),
        _ => {}
    }
}

/// As [`note`], without the name.
pub(crate) fn to_stderr(line: Arguments<'_>) {
    // Where stderr cannot be written either, nobody is left to be told.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
