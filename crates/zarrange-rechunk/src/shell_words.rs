//! Names and paths as a shell takes them: in commands and options that are printed, to be pasted.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Whether a character is not to be seen in what is printed, for a terminal obeys it: C0, delete, C1, and the marks of Unicode's
/// bidirectional algorithm (UAX #9).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text as bash takes it for one word, without characters that are hidden.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "_-./+,:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    if text.contains(is_hidden) {
        return Cow::Owned(escaped(text.as_bytes()));
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

/// A path as bash takes it for one word, and a command for no option.
pub fn shell_path(path: &Path) -> String {
    let dash = if path.as_os_str().as_bytes().starts_with(b"-") { "./" } else { "" };
    match path.to_str() {
        Some(text) => shell_word(&format!("{dash}{text}")).into_owned(),
        None => escaped(&[dash.as_bytes(), path.as_os_str().as_bytes()].concat()),
    }
}

/// Values of `option` as bash and the command take them: one that begins with a minus is no option.
pub fn shell_values(option: &str, values: &[&str]) -> String {
    if values.iter().any(|value| value.starts_with('-')) {
        let each = values.iter().map(|value| format!("{option}={}", shell_word(value)));
        return each.collect::<Vec<_>>().join(" ");
    }
    let words: Vec<_> = values.iter().copied().map(shell_word).collect();
    format!("{option} {}", words.join(" "))
}

/// Bytes in `$'...'`: whatever is hidden, or no text, by its bytes, so that no locale matters.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::from("$'");
    let by_number = |out: &mut String, bytes: &[u8]| {
        for byte in bytes {
            // Writing to a String does not fail. Three digits, so that none that follows is taken for one of them.
            let _ = write!(out, "\\{byte:03o}");
        }
    };
    for part in bytes.utf8_chunks() {
        for c in part.valid().chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                c if is_hidden(c) => by_number(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => out.push(c),
            }
        }
        by_number(&mut out, part.invalid());
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    /// What bash makes of words.
    fn pasted(words: &str) -> Vec<u8> {
        let done = Command::new("bash").args(["-c", &format!("printf '%s|' {words}")]).output().unwrap();
        assert!(done.status.success(), "{words}: {done:?}");
        done.stdout
    }

    #[test]
    fn words_are_taken_for_what_they_are() {
        let check = |text: &str| {
            let word = shell_word(text);
            assert_eq!(pasted(&word), format!("{text}|").as_bytes(), "{word}");
            assert!(!word.contains(is_hidden), "{word:?}");
        };
        for text in [
            "plain/a.zarr",
            "größe",
            "",
            " ",
            "a b",
            "it's",
            "\"$HOME\"",
            "`id`",
            "$(id)",
            "!x",
            "\\",
            "a\\'b",
        ] {
            check(text);
        }
        for text in [
            "a\nb",
            "\u{1b}[2J'x'",
            "\t1",
            "\u{7}7",
            "\u{9b}31m",
            "\u{202e}cod.\u{2069}",
            "*",
            "~",
            "a;b",
            "#",
        ] {
            check(text);
        }
        assert_eq!(shell_word("plain/a.zarr"), "plain/a.zarr");
    }

    #[test]
    fn paths_are_no_options_and_need_be_no_text() {
        let check = |bytes: &[u8], expected: &[u8]| {
            let word = shell_path(Path::new(OsStr::from_bytes(bytes)));
            assert_eq!(pasted(&word), [expected, b"|"].concat(), "{word}");
        };
        check(b"-r x", b"./-r x");
        check(b"a/-r", b"a/-r");
        check(b"\xff\xfe\n1", b"\xff\xfe\n1");
        check(b"-\xff", b"./-\xff");
        assert_eq!(shell_values("--skip", &["a", "b c"]), "--skip a 'b c'");
        assert_eq!(shell_values("--skip", &["a", "-b c"]), "--skip=a --skip='-b c'");
    }
}
