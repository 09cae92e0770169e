//! An access, as a user names it: `object`, `object:50`, `object~50`, and several of them with `+` between; `write:epoch` is written.
//!
//! What a name means follows from the dimensions of an array: they may be called `a+b` or `a:5`. The longest name that is one of a dimension
//! is taken first, so a dimension is always reached by its own name.

use zarrange_plan::{Access, Pick};

use crate::dimensions::Dimensions;
use crate::error::AccessError;

/// What `text` picks of an array of this shape.
pub(crate) fn access(text: &str, dimensions: &Dimensions, shape: &[u64]) -> Result<Access, AccessError> {
    if let Some(written) = written(text).filter(|_| dimensions.axis(text.trim()).is_none()) {
        return Ok(access(written, dimensions, shape)?.written());
    }
    let parts: Vec<&str> = text.split('+').collect();
    let (mut picks, mut at) = (Vec::new(), 0);
    while at < parts.len() {
        let longest = (at + 1..=parts.len()).rev().find_map(|end| {
            let name = parts[at..end].join("+");
            Some((pick(name.trim(), dimensions)?, end))
        });
        let Some((found, end)) = longest else {
            let name = without_count(parts[at].trim()).0.to_owned();
            return Err(AccessError::Dimension { name, dimensions: dimensions.words() });
        };
        picks.push(found);
        at = end;
    }
    let (access, name) = (|| text.to_owned(), |axis: usize| dimensions.words().swap_remove(axis));
    // An array without elements has nothing to read, and is laid out all the same.
    let size = |axis: usize| if shape.contains(&0) { u64::MAX } else { shape[axis] };
    for (k, Pick { axis, count, .. }) in picks.iter().enumerate() {
        if picks[..k].iter().any(|other| other.axis == *axis) {
            return Err(AccessError::Twice { access: access(), dimension: name(*axis) });
        }
        if *count == 0 || *count > size(*axis) {
            let (dimension, count, size) = (name(*axis), *count, shape[*axis]);
            return Err(AccessError::Count { access: access(), dimension, count, size });
        }
    }
    Ok(Access::new(picks)?)
}

/// What is written, if something is.
pub(crate) fn written(text: &str) -> Option<&str> {
    text.trim().strip_prefix("write:")
}

/// Indices of one dimension: one, or as many as stand behind its name.
fn pick(text: &str, dimensions: &Dimensions) -> Option<Pick> {
    if let Some(axis) = dimensions.axis(text) {
        return Some(Pick::one(axis));
    }
    let (name, count) = without_count(text);
    let (count, scattered) = count?;
    Some(Pick { axis: dimensions.axis(name)?, count, scattered })
}

/// A name without the number behind it, and the number: how many neighbouring (`:`) or scattered (`~`) indices.
pub(crate) fn without_count(text: &str) -> (&str, Option<(u64, bool)>) {
    let Some((at, sign)) = text.char_indices().rfind(|(_, c)| matches!(c, ':' | '~')) else {
        return (text, None);
    };
    match text[at + 1..].trim().parse() {
        Ok(count) => (text[..at].trim(), Some((count, sign == '~'))),
        Err(_) => (text, None),
    }
}

impl Dimensions {
    /// An access to an array of these dimensions, as it is written in a mix.
    pub fn text_of(&self, access: &Access) -> String {
        let words = self.words();
        let text = |Pick { axis, count, scattered }: &Pick| match (count, scattered) {
            (1, _) => words[*axis].clone(),
            (count, false) => format!("{}:{count}", words[*axis]),
            (count, true) => format!("{}~{count}", words[*axis]),
        };
        let picks = access.picks().iter().map(text).collect::<Vec<_>>().join("+");
        if access.writes() { format!("write:{picks}") } else { picks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_as_text() {
        let plain = ["object", "epoch", "band"];
        let check = |names: [&str; 3], text: &str, expected: Result<&[(usize, u64, bool)], &str>| {
            let named = names.map(|name| (!name.is_empty()).then(|| name.to_owned()));
            let dimensions = Dimensions::named(named.to_vec(), 3);
            match (access(text, &dimensions, &[101, 21, 1]), expected) {
                (Ok(found), Ok(expected)) => {
                    let picks = found.picks().iter().map(|p| (p.axis, p.count, p.scattered));
                    assert_eq!(picks.collect::<Vec<_>>(), expected, "{text}");
                    if names == plain {
                        let again = access(&dimensions.text_of(&found), &dimensions, &[101, 21, 1]);
                        assert_eq!(again, Ok(found), "{text}");
                    }
                }
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
                other => panic!("{text}: {other:?}"),
            }
        };
        check(plain, "object", Ok(&[(0, 1, false)]));
        check(plain, "object:50", Ok(&[(0, 50, false)]));
        check(plain, "object~50", Ok(&[(0, 50, true)]));
        check(plain, " object : 50 + band ", Ok(&[(0, 50, false), (2, 1, false)]));
        check(plain, "band+epoch~3+object:7", Ok(&[(0, 7, false), (1, 3, true), (2, 1, false)]));
        check(plain, "object~1", Ok(&[(0, 1, false)]));
        check(plain, "write:epoch", Ok(&[(1, 1, false)]));
        check(["write:a", "a", ""], "write:a", Ok(&[(0, 1, false)]));
        check(plain, "write:night", Err("\"night\" is none"));
        check(plain, "object:101", Ok(&[(0, 101, false)]));
        check(["", "", ""], "0:5+2", Ok(&[(0, 5, false), (2, 1, false)]));
        // A dimension is reached by its own name, whatever it looks like.
        check(["a+b", "a", "b"], "a+b", Ok(&[(0, 1, false)]));
        check(["a+b", "a", "b"], "b+a", Ok(&[(1, 1, false), (2, 1, false)]));
        check(["a+b", "a", "b"], "a+b:3+a", Ok(&[(0, 3, false), (1, 1, false)]));
        check(["a:5", "a", "a~2"], "a:5", Ok(&[(0, 1, false)]));
        check(["a:5", "a", "a~2"], "a:6", Ok(&[(1, 6, false)]));
        check(["a:5", "a", "a~2"], "a:5:9+a~2", Ok(&[(0, 9, false), (2, 1, false)]));
        check(plain, "objekt", Err("\"objekt\" is none of the dimensions object, epoch, band"));
        check(plain, "object+mag~5", Err("\"mag\" is none"));
        check(plain, "object+", Err("\"\" is none"));
        check(plain, "object:x", Err("\"object:x\" is none"));
        check(plain, "object:-1", Err("\"object:-1\" is none"));
        check(plain, "object+object~3", Err("\"object+object~3\" has dimension \"object\" twice"));
        check(plain, "object:0", Err("reads 0 of dimension \"object\": from 1 to 101"));
        check(plain, "band+epoch~22", Err("reads 22 of dimension \"epoch\": from 1 to 21"));
    }
}
