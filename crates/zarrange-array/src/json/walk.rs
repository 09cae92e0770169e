//! Walks through JSON that stays text, on one line.

use super::value::Number;

/// Behind the string that begins at `at`.
pub(super) fn end_of_string(text: &[u8], mut at: usize) -> usize {
    loop {
        at += 1;
        match text.get(at) {
            Some(b'\\') => at += 1,
            Some(b'"') => return at + 1,
            Some(_) => {}
            None => return text.len(),
        }
    }
}

/// Behind the value that begins at `at`.
pub(super) fn end_of_value(text: &[u8], mut at: usize) -> usize {
    let mut depth = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(text, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The elements between brackets, or members between braces, one after the other.
struct Elements<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Elements<'t> {
    const fn of(text: &'t str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'t> Iterator for Elements<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let bytes = self.text.as_bytes();
        if self.at + 1 >= bytes.len() {
            return None;
        }
        let end = end_of_value(bytes, self.at);
        let element = &self.text[self.at..end];
        self.at = end + 1;
        Some(element)
    }
}

/// The members of an object: keys in quotes, and values.
pub(super) struct Members<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Members<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Self { text, at: 1 }
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<(&'t str, &'t str)> {
        let bytes = self.text.as_bytes();
        if self.at + 1 >= bytes.len() {
            return None;
        }
        let key_end = end_of_string(bytes, self.at);
        let end = end_of_value(bytes, key_end + 1);
        let member = (&self.text[self.at..key_end], &self.text[key_end + 1..end]);
        self.at = end + 1;
        Some(member)
    }
}

/// Whether two texts mean values that are equal as trees.
pub(super) fn same(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (a.as_bytes()[0], b.as_bytes()[0]) {
        (b'{', b'{') => first_difference(a, b).is_none(),
        (b'[', b'[') => {
            let (mut a, mut b) = (Elements::of(a), Elements::of(b));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if same(a, b) => {}
                    _ => return false,
                }
            }
        }
        _ => match (number(a), number(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
    }
}

/// A number, or a token of Python's.
fn number(text: &str) -> Option<Number> {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | 'N' | 'I'));
    begins.then(|| Number::new(text))
}

pub(super) type Differing<'t> = (&'t str, Option<&'t str>, Option<&'t str>);

/// The first member, in the order of `a` and then of `b`, that objects do not share.
pub(super) fn first_difference<'t>(a: &'t str, b: &'t str) -> Option<Differing<'t>> {
    let (mut ours, mut theirs) = (Members::of(a), Members::of(b));
    // Most have one order: then nothing is sorted.
    loop {
        let (at_a, at_b) = (ours.at, theirs.at);
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (Some((key, one)), Some((other, two))) if key == other => {
                if !same(one, two) {
                    return Some((key, Some(one), Some(two)));
                }
            }
            _ => {
                (ours.at, theirs.at) = (at_a, at_b);
                return in_any_order(ours, theirs);
            }
        }
    }
}

/// As [`first_difference`], of the members from here on.
fn in_any_order<'t>(a: Members<'t>, b: Members<'t>) -> Option<Differing<'t>> {
    let (a_text, b_text, from) = (a.text, b.text, a.at);
    let ours = Index::of(a);
    let theirs = Index::of(b);
    for (key, one) in (Members { text: a_text, at: from }) {
        match theirs.get(key) {
            Some(two) if same(one, two) => {}
            two => return Some((key, Some(one), two)),
        }
    }
    let only = (theirs.sorted.iter().copied()).filter(|at| ours.get(theirs.key(*at)).is_none()).min()?;
    let (key, two) = Members { text: b_text, at: only as usize }.next()?;
    Some((key, None, Some(two)))
}

/// Members by key: only where they begin is kept, for there may be millions.
struct Index<'t> {
    text: &'t str,
    sorted: Vec<u32>,
}

impl<'t> Index<'t> {
    fn of(mut members: Members<'t>) -> Self {
        let text = members.text;
        let mut sorted = Vec::new();
        loop {
            // No text is longer than what is read of a document.
            let at = u32::try_from(members.at).unwrap_or(u32::MAX);
            if members.next().is_none() {
                break;
            }
            sorted.push(at);
        }
        let mut index = Self { text, sorted: Vec::new() };
        sorted.sort_unstable_by_key(|at| index.key(*at));
        index.sorted = sorted;
        index
    }

    fn key(&self, at: u32) -> &'t str {
        let at = at as usize;
        &self.text[at..end_of_string(self.text.as_bytes(), at)]
    }

    fn get(&self, key: &str) -> Option<&'t str> {
        let found = self.sorted.binary_search_by_key(&key, |at| self.key(*at)).ok()?;
        let member = Members { text: self.text, at: self.sorted[found] as usize }.next()?;
        Some(member.1)
    }
}

/// Joins members with one key, from `begin` on, where an object begins that has no end yet: the last value counts, where the first one
/// stands.
pub(super) fn join_members(text: &mut Vec<u8>, begin: usize) {
    text.push(b'}');
    let joined = match std::str::from_utf8(&text[begin..]) {
        Ok(object) => joined(object),
        // The reader has seen that it is.
        Err(_) => return,
    };
    text.truncate(begin);
    text.extend_from_slice(joined.as_bytes());
}

fn joined(object: &str) -> String {
    let (mut members, mut starts) = (Members::of(object), Vec::new());
    loop {
        // No text is longer than what is read of a document.
        let at = u32::try_from(members.at).unwrap_or(u32::MAX);
        if members.next().is_none() {
            break;
        }
        starts.push(at);
    }
    let key = |at: u32| &object[at as usize..end_of_string(object.as_bytes(), at as usize)];
    let mut sorted = starts.clone();
    sorted.sort_unstable_by_key(|at| (key(*at), *at));
    // Where the value of each member stands; nowhere for one that is left out.
    let mut values = starts.clone();
    for group in sorted.chunk_by(|a, b| key(*a) == key(*b)) {
        for at in group {
            let Ok(k) = starts.binary_search(at) else { continue };
            values[k] = if *at == group[0] { group[group.len() - 1] } else { u32::MAX };
        }
    }
    let mut joined = String::with_capacity(object.len());
    joined.push('{');
    for value in values.into_iter().filter(|value| *value != u32::MAX) {
        let Some((key, value)) = (Members { text: object, at: value as usize }).next() else { continue };
        if joined.len() > 1 {
            joined.push(',');
        }
        joined.push_str(key);
        joined.push(':');
        joined.push_str(value);
    }
    joined
}
