//! Lines for people and programs that may stop reading: a closed pipe ends them quietly, the exit code still tells.
//!
//! What comes from a store may hold characters that move the cursor, name the window, or turn the direction of writing: none of them
//! reaches a terminal.

use std::borrow::Cow;
use std::fmt::{Arguments, Write as _};
use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use zarrange_rechunk::is_hidden;

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
    match writeln!(std::io::stdout().lock(), "{}", visible(&line.to_string())) {
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
    let _ = writeln!(std::io::stderr().lock(), "{}", visible(&line.to_string()));
}

/// Text with control characters, but for ends of lines, and those that turn the direction as JSON escapes them; what was JSON stays so.
fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_hidden(c))
}

/// As what is printed, and in one line: for names, so that none is taken for a line of ours.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

fn escaped(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if hidden(c) {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_reaches_a_terminal() {
        let check = |text: &str, shown: &str, line: &str| {
            assert_eq!((&*visible(text), &*one_line(text)), (shown, line), "{text:?}");
        };
        check("größe 光 \u{1f52d}", "größe 光 \u{1f52d}", "größe 光 \u{1f52d}");
        check("a\nb", "a\nb", "a\\u000ab");
        check(
            "x\u{1b}[2K\r\u{7}\t\u{7f}",
            "x\\u001b[2K\\u000d\\u0007\\u0009\\u007f",
            "x\\u001b[2K\\u000d\\u0007\\u0009\\u007f",
        );
        check(
            "\u{9b}31m\u{202e}cod.\u{2069}",
            "\\u009b31m\\u202ecod.\\u2069",
            "\\u009b31m\\u202ecod.\\u2069",
        );
    }
}
