//! Rust as the tests of the house read it: words and signs, without comments, without the insides of strings, and without what only
//! tests are compiled with.

/// The words and signs of Rust code. `::`, `->` and `=>` are one each, and so are `..` and a string, of which the quotes stay.
pub(crate) fn tokens(text: &str) -> Vec<&str> {
    without_tests(&all_tokens(text))
}

fn all_tokens(text: &str) -> Vec<&str> {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let bytes = if first.is_whitespace() {
            first.len_utf8()
        } else if let Some(bytes) = comment(rest) {
            bytes
        } else if let Some(bytes) = string(rest) {
            out.push("\"\"");
            bytes
        } else {
            let bytes = token(rest, first);
            out.push(&rest[..bytes]);
            bytes
        };
        rest = &rest[bytes..];
    }
    out
}

/// How long the comment is that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    let mut end = text.strip_prefix("/*").map(|_| 2)?;
    let mut depth = 1;
    while depth > 0 && end < text.len() {
        let (more, deeper) = match &text[end..] {
            inside if inside.starts_with("/*") => (2, 1),
            inside if inside.starts_with("*/") => (2, -1),
            inside => (inside.chars().next().map_or(1, char::len_utf8), 0),
        };
        (end, depth) = (end + more, depth + deeper);
    }
    Some(end)
}

/// How long the string or character is that `text` begins with.
fn string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let rest = text.strip_prefix(*prefix).unwrap_or_default();
        rest.trim_start_matches('#').starts_with('"')
            || (*prefix == "b" && rest.starts_with('\''))
            || (prefix.is_empty() && is_character(rest))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    if prefix.ends_with('r') {
        let (begin, end) = (prefix.len() + hashes + 1, format!("\"{}", "#".repeat(hashes)));
        return text[begin..].find(&end).map(|at| begin + at + end.len());
    }
    if hashes > 0 {
        return None;
    }
    let quote = rest.chars().next()?;
    let mut escaped = false;
    let inside = rest.char_indices().skip(1).find(|(_, c)| {
        let ends = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    inside.map(|(at, _)| prefix.len() + at + 1)
}

/// Whether it is a character, not a lifetime.
fn is_character(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('\'') && (chars.next() == Some('\\') || chars.next() == Some('\''))
}

/// How long the word or sign is.
fn token(text: &str, first: char) -> usize {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    if first == '\'' || in_word(first) {
        let word = |text: &str| text.find(|c| !in_word(c)).unwrap_or(text.len());
        return if first == '\'' { 1 + word(&text[1..]) } else { word(text) };
    }
    let sign = ["::", "->", "=>", ".."].into_iter().find(|sign| text.starts_with(sign));
    sign.map_or(first.len_utf8(), str::len)
}

/// Where the group that begins at `at` ends: the position behind its closing bracket.
pub(crate) fn behind_group(tokens: &[&str], at: usize) -> usize {
    let mut depth = 0usize;
    for (k, token) in tokens.iter().enumerate().skip(at) {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return k + 1;
        }
    }
    tokens.len()
}

/// Where the generics that begin at `at` end: the position behind their `>`, or `at` if there are none.
pub(crate) fn behind_generics(tokens: &[&str], at: usize) -> usize {
    let mut depth = 0usize;
    for (k, token) in tokens.iter().enumerate().skip(at) {
        match *token {
            "<" => depth += 1,
            ">" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return if k == at { at } else { k + 1 };
        }
    }
    tokens.len()
}

/// The parts between commas that are in no brackets; those of types, too.
pub(crate) fn split_commas<'t, 's>(tokens: &'t [&'s str]) -> Vec<&'t [&'s str]> {
    let (mut depth, mut begin, mut parts) = (0isize, 0, Vec::new());
    for (k, token) in tokens.iter().enumerate() {
        match *token {
            "(" | "[" | "{" | "<" => depth += 1,
            ")" | "]" | "}" | ">" => depth -= 1,
            "," if depth == 0 => {
                parts.push(&tokens[begin..k]);
                begin = k + 1;
            }
            _ => {}
        }
    }
    parts.push(&tokens[begin..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// Without the items and statements that are there `#[cfg(test)]`.
fn without_tests<'t>(tokens: &[&'t str]) -> Vec<&'t str> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut out, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if !tokens[at..].starts_with(&TEST) {
            out.push(tokens[at]);
            at += 1;
            continue;
        }
        at += TEST.len();
        while tokens.get(at) == Some(&"#") {
            at = behind_group(tokens, at + 1);
        }
        let is_use = tokens[at..].iter().take(2).any(|token| *token == "use");
        while at < tokens.len() && tokens[at] != ";" && (is_use || tokens[at] != "{") {
            let group = matches!(tokens[at], "(" | "[" | "{");
            at = if group { behind_group(tokens, at) } else { at + 1 };
        }
        at = if tokens.get(at) == Some(&"{") { behind_group(tokens, at) } else { at + 1 };
    }
    out
}

#[test]
fn only_code_is_read() {
    let check = |text: &str, expected: &str| assert_eq!(tokens(text).join(" "), expected, "{text}");
    check(
        "let a = \"x // y\"; // b\n/* c /* d */ e */ f::<'g>(1..2)",
        "let a = \"\" ; f :: < 'g > ( 1 .. 2 )",
    );
    check(
        r##"let a = r#"b " c"#; let d = b'"'; let e = '\''; let f = "\"g";"##,
        "let a = \"\" ; let d = \"\" ; let e = \"\" ; let f = \"\" ;",
    );
    check("a('x', 'λ', b\"y\", broad, r, 'static)", "a ( \"\" , \"\" , \"\" , broad , r , 'static )");
    check("a;\n#[cfg(test)]\nmod tests;\nb;", "a ; b ;");
    check("#[cfg(test)]\n#[expect(c)]\nmod tests { fn d() {} }\ne", "e");
    check("#[cfg(test)]\nuse a::{b, c};\n#[cfg(test)] pub(crate) fn f([g]: [u8; 2]) -> H { i }\nj", "j");
    check("#[cfg(not(test))] a", "# [ cfg ( not ( test ) ) ] a");
}
