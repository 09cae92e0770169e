//! A journal of receipts: an object to which one process adds, a line for each receipt, with a checksum. What was torn when the process or its machine
//! ended is not taken for a receipt, and neither is what follows it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use zarrange_io::{Access, IoError, Object, Store, token};
use zarrange_plan::Counts;

/// How the names of journals end.
pub(super) const SUFFIX: &str = ".receipts";

/// How much of one is read at a time. A line is some hundred bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Digits of a checksum.
const SUM_DIGITS: usize = 32;

/// A receipt: parts of one array and stage that are done, and what was counted for them. Of several parts nothing was counted, for nothing is stored there.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    /// The fingerprint of the plan.
    pub(super) plan: &'a str,
    /// Where nobody waited for the disk: the machine, and since when it runs. When it was started anew, nobody knows what was written.
    pub(super) since: Option<(&'a str, &'a str)>,
    pub(super) array: usize,
    pub(super) stage: u64,
    pub(super) parts: Range<u64>,
    pub(super) counts: Counts,
    /// The upper and the lower half of the digest of what was read, where that is digested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<(u64, u64)>,
}

/// What one process writes.
#[derive(Debug)]
pub(super) struct Journal {
    store: Store,
    /// The object, and the bytes in it; made for the first receipt.
    made: Option<(Object, u64)>,
}

impl Journal {
    pub(super) const fn new(store: Store) -> Self {
        Self { store, made: None }
    }

    /// Adds lines.
    pub(super) fn add<'a>(&mut self, lines: impl Iterator<Item = Line<'a>>) -> Result<(), IoError> {
        let text: String = lines.map(|line| written(&line)).collect();
        if text.is_empty() {
            return Ok(());
        }
        let (object, at) = match self.made.take() {
            Some(made) => made,
            None => match self.store.open(&format!("{}{SUFFIX}", token()), Access::New)? {
                Some(object) => (object, 0),
                None => unreachable!("it is made"),
            },
        };
        // After one that failed another object is begun.
        self.store.write_at(&object, at, text.as_bytes())?;
        self.made = Some((object, at + text.len() as u64));
        Ok(())
    }
}

fn written(line: &Line<'_>) -> String {
    let text =
        serde_json::to_string(line).unwrap_or_else(|error| unreachable!("numbers and digits: {error}"));
    format!("{} {text}\n", sum(text.as_bytes()))
}

fn sum(text: &[u8]) -> String {
    format!("{:0SUM_DIGITS$x}", XxHash3_128::oneshot(text))
}

/// Reads the receipts of the journal `name` from byte `at` on, as far as they are whole; where those end. `None` if there is no such journal.
pub(super) fn read<E: From<IoError>>(
    store: &Store,
    name: &str,
    mut at: u64,
    receipt: &mut dyn FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<Option<u64>, E> {
    let Some(object) = store.open(name, Access::Read)? else { return Ok(None) };
    let end = store.size(&object)?;
    let mut block = vec![0; BLOCK_BYTES];
    while at < end {
        let length = usize::try_from(end - at).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
        let text = &mut block[..length];
        store.read_at(&object, at, text)?;
        let mut whole = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(found) = parsed(line) else { break };
            receipt(&found)?;
            whole += line.len();
        }
        if whole == 0 {
            // Torn.
            break;
        }
        at += whole as u64;
    }
    Ok(Some(at))
}

/// The receipt of a line, with its end.
fn parsed(line: &[u8]) -> Option<Line<'_>> {
    let (digits, text) = line.strip_suffix(b"\n")?.split_at_checked(SUM_DIGITS)?;
    let text = text.strip_prefix(b" ")?;
    if digits != sum(text).as_bytes() {
        return None;
    }
    serde_json::from_slice(text).ok()
}

#[cfg(test)]
mod tests {
    use zarrange_io::Location;

    use super::*;

    fn line(number: u64) -> Line<'static> {
        let counts = Counts { bytes_read: number, ..Counts::default() };
        Line {
            plan: "f00d",
            since: Some(("host", "boot")),
            array: 1,
            stage: 2,
            parts: number..number + 1,
            counts,
            digest: (!number.is_multiple_of(2)).then_some((number, 7)),
        }
    }

    fn numbers(store: &Store, name: &str, at: u64) -> (Vec<u64>, u64) {
        let mut found = Vec::new();
        let end = read::<IoError>(store, name, at, &mut |line| {
            found.push(line.parts.start);
            Ok(())
        });
        (found, end.unwrap().unwrap())
    }

    #[test]
    fn what_is_torn_is_no_receipt() {
        let store = "memory://journal-torn".parse::<Location>().unwrap().open().unwrap();
        let mut journal = Journal::new(store.clone());
        // More than one block.
        journal.add((0..300).map(line)).unwrap();
        journal.add((300..303).map(line)).unwrap();
        let name = store.list("").unwrap()[0].name.clone();
        let (found, end) = numbers(&store, &name, 0);
        assert_eq!(found, (0..303).collect::<Vec<_>>());
        journal.add([line(303)].into_iter()).unwrap();
        assert_eq!(numbers(&store, &name, end).0, [303], "only what is new is read");
        let whole = store.get(&name, 1 << 20).unwrap().unwrap();
        let last = written(&line(303)).len();
        for kept in [whole.len() - 1, whole.len() - last / 2, whole.len() - last] {
            store.put("torn", &whole[..kept]).unwrap();
            assert_eq!(numbers(&store, "torn", 0), ((0..303).collect(), end), "{kept}");
        }
        let mut damaged = whole.clone();
        damaged[last / 2] ^= 1;
        store.put("damaged", &damaged).unwrap();
        assert_eq!(numbers(&store, "damaged", 0), (vec![], 0), "nothing behind it counts");
        store.put("zeros", &vec![0; 70_000]).unwrap();
        assert_eq!(numbers(&store, "zeros", 0), (vec![], 0));
        assert_eq!(read::<IoError>(&store, "nothing", 0, &mut |_| Ok(())).unwrap(), None);
    }
}
