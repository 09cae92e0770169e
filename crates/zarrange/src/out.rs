//! Lines for people and programs that may stop reading: a closed pipe ends them quietly, the exit code still tells. Where lines cannot
//! be written otherwise, that is an error of a command whose lines are its result ([`say`]); one that has published something has done
//! what it should ([`report`], [`tell`]).
//!
//! What comes from a store may hold characters that move the cursor, name the window, or turn the direction of writing: none of them
//! reaches a terminal.

use std::borrow::Cow;
use std::fmt::{Arguments, Write as _};
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zarrange_rechunk::is_hidden;

/// Something could not be printed, and nobody chose not to read it.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Whether all of stdout was written, as far as somebody read it.
pub(crate) fn is_complete() -> bool {
    !FAILED.load(Ordering::Relaxed)
}

/// How much is said beside errors and what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing.
    Quiet,
    /// What was done, and what is worth a note.
    Usual,
    /// What is used, and what is being done, too.
    Verbose,
}

/// That of this process, as a number: signals and threads look at it.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Usual as u8);

/// Sets how much is said from now on.
pub(crate) fn set_level(level: Level) {
    LEVEL.store(level as u8, Ordering::Relaxed);
}

/// Whether nothing is said but errors and what was asked for.
pub(crate) fn is_quiet() -> bool {
    LEVEL.load(Ordering::Relaxed) == Level::Quiet as u8
}

/// Whether what is used and being done is said.
pub(crate) fn is_verbose() -> bool {
    LEVEL.load(Ordering::Relaxed) == Level::Verbose as u8
}

/// Prints a line to stdout.
macro_rules! say {
    ($($line:tt)*) => { $crate::out::to_stdout(format_args!($($line)*)) };
}

/// Prints an error to stderr, with the name of the program before it.
macro_rules! fault {
    ($($line:tt)*) => { $crate::out::to_stderr(format_args!("zarrange: {}", format_args!($($line)*))) };
}

/// As [`fault`], what is no error but worth saying.
macro_rules! note {
    ($($line:tt)*) => { if !$crate::out::is_quiet() { $crate::out::fault!($($line)*) } };
}

/// As [`fault`], what only those want to know who ask for it.
macro_rules! detail {
    ($($line:tt)*) => { if $crate::out::is_verbose() { $crate::out::fault!($($line)*) } };
}

/// Prints a line to stdout that was asked for, about what is done already: no failure to print it undoes that.
macro_rules! report {
    ($($line:tt)*) => { $crate::out::told(format_args!($($line)*)) };
}

/// As [`report`], where nobody asked for it.
macro_rules! tell {
    ($($line:tt)*) => { if !$crate::out::is_quiet() { $crate::out::report!($($line)*) } };
}

pub(crate) use {detail, fault, note, report, say, tell};

/// As [`say`].
pub(crate) fn to_stdout(line: Arguments<'_>) {
    stream(|out| writeln!(out, "{line}"));
}

/// As [`report`].
pub(crate) fn told(line: Arguments<'_>) {
    streamed(|out| writeln!(out, "{line}"));
}

/// Writes to stdout what may be long, and is what was asked for.
pub(crate) fn stream(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) {
    FAILED.fetch_or(!streamed(write), Ordering::Relaxed);
}

/// Writes to stdout what may be long; false if it could not be printed, although somebody may have wanted to read it.
pub(crate) fn streamed(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> bool {
    let mut out = Visible(BufWriter::with_capacity(BUFFER_BYTES, std::io::stdout().lock()));
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            drop(out);
            fault!("stdout cannot be written: {error}");
            false
        }
        _ => true,
    }
}

/// As [`fault`], for a process that ends: it waits for nobody, neither for who should read it nor for who is printing.
pub(crate) fn to_stderr_at_once(line: &str) {
    let stderr = rustix::stdio::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut ready, Some(&now)).is_ok_and(|count| count == 1) {
        // A progress bar may stand in the last line of a terminal.
        let above = if std::io::stderr().is_terminal() { "\n" } else { "" };
        let _ = rustix::io::write(stderr, format!("{above}zarrange: {line}\n").as_bytes());
    }
}

/// As [`fault`], without the name.
pub(crate) fn to_stderr(line: Arguments<'_>) {
    let mut out = Visible(BufWriter::with_capacity(BUFFER_BYTES, std::io::stderr().lock()));
    // Where stderr cannot be written either, nobody is left to be told.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

const BUFFER_BYTES: usize = 64 << 10;

/// What is written to it reaches a terminal as [`visible`] makes it; each piece is whole characters.
struct Visible<W>(W);

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(data);
        self.0.write_all(visible(&text).as_bytes())?;
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Stdout for who needs a writer of its own, within [`stream`]: pieces are whole characters, and large.
pub(crate) struct Stdout;

impl Write for Stdout {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        Visible(std::io::stdout().lock()).write(data)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stdout().flush()
    }
}

/// Text with control characters, but for ends of lines, and those that turn the direction as JSON escapes them; what was JSON stays so.
fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c != '\n' && is_hidden(c))
}

/// Notes lines that are worth saying, each on stderr.
pub(crate) fn notes(lines: &[String]) {
    for line in lines {
        note!("{}", one_line(line));
    }
}

/// As [`notes`], of details.
pub(crate) fn details(lines: &[String]) {
    for line in lines {
        detail!("{}", one_line(line));
    }
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
