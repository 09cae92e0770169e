//! Numbers that are cast to others than those nearest to them.

use std::collections::HashMap;

use serde_json::Value;

use crate::CodecError;
use crate::steps::config::Config;
use crate::steps::exact::Exact;
use crate::steps::lanes::{BLOCK, Block};
use crate::steps::number::{DEFAULT_FLOAT, Number};

/// Up to so many entries, looking for one after the other is fastest.
const FEW: usize = 8;

/// The pairs of one direction, each number once, in the order of their keys; and the type of what they become.
#[derive(Debug)]
pub(crate) struct Map {
    entries: Vec<Entry>,
    to: Number,
}

#[derive(Debug)]
struct Entry {
    key: i128,
    from: Exact,
    to: Exact,
}

/// Which entry each number of a block has, counted from 1; 0 for none.
pub(crate) struct Marks([u32; BLOCK]);

impl Marks {
    pub(crate) const fn new() -> Self {
        Self([0; BLOCK])
    }
}

/// What numbers have in common that are the same: zeros, and all NaN.
fn key(value: Exact) -> i128 {
    match value {
        Exact::Int(n) => n,
        Exact::Float(x) if x.is_nan() => f64::NAN.to_bits().into(),
        Exact::Float(x) => (x + 0.0).to_bits().into(),
    }
}

impl Map {
    /// The pairs of `maps`, the value of `scalar_map`, in one direction. As in Python the last of the same number counts.
    pub(crate) fn parse(
        config: &Config<'_>,
        maps: Option<&Value>,
        direction: &str,
        (from, to): (Number, Number),
    ) -> Result<Self, CodecError> {
        let wrong = |value: &Value, expected: &str| config.wrong("scalar_map", value, expected);
        let maps = match maps {
            None => return Ok(Self { entries: Vec::new(), to }),
            Some(Value::Object(maps)) => maps,
            Some(other) => return Err(wrong(other, "encode and decode, each a list of pairs")),
        };
        if let Some(key) = maps.keys().find(|key| !matches!(key.as_str(), "encode" | "decode")) {
            return Err(config.unsupported(format!("{key:?} in scalar_map is none of encode, decode")));
        }
        let pairs = match maps.get(direction) {
            None | Some(Value::Null) => &Vec::new(),
            Some(Value::Array(pairs)) => pairs,
            Some(other) => return Err(wrong(other, &format!("a list of pairs as {direction}"))),
        };
        // Numbers are the same before they are rounded to those of a type, of which the first counts.
        let wide = if from.is_integer() { from } else { DEFAULT_FLOAT };
        let (mut places, mut entries) = (HashMap::new(), Vec::<Entry>::new());
        for pair in pairs {
            let Some([a, b]) = pair.as_array().map(Vec::as_slice) else {
                return Err(wrong(
                    pair,
                    &format!("pairs in {direction}, each of a number and what it becomes"),
                ));
            };
            let number = |value: &Value, kind: Number| {
                let expected = format!("numbers in {direction} that {kind} holds");
                Exact::parse(value, kind).ok_or_else(|| wrong(value, &expected))
            };
            let (from, whole, to) = (number(a, from)?, number(a, wide)?, number(b, to)?);
            let at = *places.entry(key(whole)).or_insert(entries.len());
            match entries.get_mut(at) {
                Some(entry) => entry.to = to,
                None => entries.push(Entry { key: key(from), from, to }),
            }
        }
        entries.sort_by_key(|entry| entry.key);
        entries.dedup_by_key(|entry| entry.key);
        Ok(Self { entries, to })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Marks the numbers of a block that have an entry, and makes them zeros; whether there are any.
    pub(crate) fn mark(&self, block: &mut Block, marks: &mut Marks) -> bool {
        if self.entries.is_empty() {
            return false;
        }
        if self.entries.len() > FEW {
            return self.mark_sorted(block, marks);
        }
        let entries = || (1u32..).zip(&self.entries);
        let zero = |(_, entry): &(u32, &Entry)| entry.key == 0;
        let mut marked = false;
        // Zeros first, while there are no others.
        for (mark, entry) in entries().filter(zero).chain(entries().filter(|entry| !zero(entry))) {
            marked |= block.zero(entry.from, &mut marks.0, mark);
        }
        marked
    }

    fn mark_sorted(&self, block: &mut Block, marks: &mut Marks) -> bool {
        let mut marked = false;
        for (k, mark) in marks.0.iter_mut().enumerate().take(block.count()) {
            let key = key(block.get(k));
            if let Ok(at) = self.entries.binary_search_by_key(&key, |entry| entry.key) {
                *mark = u32::try_from(at + 1).unwrap_or(0);
                block.set_zero(k);
                marked = true;
            }
        }
        marked
    }

    /// Sets the numbers that are marked to what they become, and takes the marks away.
    pub(crate) fn replace(&self, block: &mut Block, marks: &mut Marks) {
        for (k, mark) in marks.0.iter_mut().enumerate() {
            if let Some(entry) = mark.checked_sub(1).and_then(|at| self.entries.get(at as usize)) {
                block.set(k, self.to, entry.to);
            }
            *mark = 0;
        }
    }
}
