//! From the words of a command line to matches.
//!
//! An option that takes several values takes every word up to the next option, places too. A word that can be no value ends the values
//! where places are missing; where names of any kind are values, the error says what to write.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};

/// What `command` understands of `line`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub(crate) fn matches(command: &Command, line: &[OsString]) -> Result<ArgMatches, clap::Error> {
    let parse = |line: &[OsString]| command.clone().try_get_matches_from(line);
    let mut first = match parse(line) {
        Ok(matches) => return Ok(matches),
        Err(error) => error,
    };
    let (mut freed, mut last) = (line.to_owned(), None);
    while let Some((words, places)) = without_places(&freed, last.as_ref().unwrap_or(&first)) {
        match parse(&words) {
            // Where no place was missing, the word is a wrong value.
            Ok(_) if parse(&[&words[..places.start], &words[places.end..]].concat()).is_ok() => break,
            Ok(matches) => return Ok(matches),
            Err(error) => (freed, last) = (words, Some(error)),
        }
    }
    let lacks = lacks_place(last.as_ref().unwrap_or(&first));
    if let Some(option) = greedy(command, line).filter(|_| lacks) {
        let tip = format!(
            "{option} takes every word up to the next option: write what is missing before it, or behind --"
        );
        first.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    Err(first)
}

/// The line in which the value that `error` refuses ends the values of its option, and the words that are no values then; none if it is the first
/// of them.
fn without_places(line: &[OsString], error: &clap::Error) -> Option<(Vec<OsString>, std::ops::Range<usize>)> {
    if error.kind() != ErrorKind::ValueValidation {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let (option, value) =
        (text(ContextKind::InvalidArg)?.split(' ').next()?, text(ContextKind::InvalidValue)?);
    let uses = (0..line.len()).filter(|at| line[*at] == option);
    let (begin, end, at) =
        uses.map(|at| (at + 1, end_of_values(line, at + 1))).find_map(|(begin, end)| {
            let at = line[begin..end].iter().position(|word| word == value)?;
            (at > 0).then_some((begin, end, begin + at))
        })?;
    let attached = line[begin..at].iter().map(|value| {
        let mut word = OsString::from(format!("{option}="));
        word.push(value);
        word
    });
    // An option with its value in one word takes no other.
    let words: Vec<OsString> =
        line[..begin - 1].iter().cloned().chain(attached).chain(line[at..].iter().cloned()).collect();
    Some((words, at - 1..end - 1))
}

/// Where the words end that an option before `begin` may take.
fn end_of_values(line: &[OsString], begin: usize) -> usize {
    let is_option = |word: &OsString| word.as_encoded_bytes().starts_with(b"-");
    line[begin..].iter().position(is_option).map_or(line.len(), |count| begin + count)
}

/// Whether a place is missing.
fn lacks_place(error: &clap::Error) -> bool {
    let missing = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.as_slice(),
        _ => &[],
    };
    error.kind() == ErrorKind::MissingRequiredArgument && missing.iter().any(|name| name.starts_with('<'))
}

/// The last option of `line` that took more words than it needs.
fn greedy(command: &Command, line: &[OsString]) -> Option<String> {
    let mut inside = command;
    for word in line {
        inside = inside.find_subcommand(word).unwrap_or(inside);
    }
    let takes = |at: usize| {
        let option = line[at].to_str()?.strip_prefix("--")?;
        let arg = inside.get_arguments().find(|arg| arg.get_long() == Some(option))?;
        let values = arg.get_num_args()?;
        let words = end_of_values(line, at + 1) - at - 1;
        (values.max_values() > values.min_values() && words > values.min_values())
            .then(|| format!("--{option}"))
    };
    (0..line.len()).rev().find_map(takes)
}
