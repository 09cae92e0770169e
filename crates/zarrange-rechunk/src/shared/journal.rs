//! A journal of receipts: an object to which one process adds, a line for each receipt, with a checksum. What was torn when the process or its machine
//! ended is not taken for a receipt, and neither is what follows it.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_128;
use zarrange_io::{Access, Extent, IoError, Object, ReadRequest, Source, Store, token};
use zarrange_plan::Counts;

/// How the names of journals end.
pub(super) const SUFFIX: &str = ".receipts";

/// How much of one is read at a time. A line is some hundred bytes.
const BLOCK_BYTES: usize = 64 << 10;

/// Journals that are read at once.
const TOGETHER: usize = 16;

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

/// A journal that is being read.
struct Reading<'o> {
    number: usize,
    object: &'o Object,
    at: u64,
    end: u64,
}

/// Reads the receipts of journals, each from a byte on, as far as they are whole; with each goes the number of its journal. Where those of each end,
/// `None` if there is no such journal. So many are read at once that a thousand workers do not each wait for a thousand answers.
pub(super) fn read<E: From<IoError>>(
    store: &Store,
    journals: &[(&str, u64)],
    receipt: &mut dyn FnMut(usize, &Line<'_>) -> Result<(), E>,
) -> Result<Vec<Option<u64>>, E> {
    let mut ends = vec![None; journals.len()];
    let mut blocks = vec![0; TOGETHER.min(journals.len()) * BLOCK_BYTES];
    for (group, first) in journals.chunks(TOGETHER).zip((0..).step_by(TOGETHER)) {
        let names: Vec<&str> = group.iter().map(|(name, _)| *name).collect();
        let opened = store.open_all(&names).into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut reading = Vec::new();
        for ((number, object), (_, at)) in (first..).zip(&opened).zip(group) {
            let Some(object) = object else { continue };
            reading.push(Reading { number, object, at: *at, end: store.size(object)? });
        }
        loop {
            reading.retain(|one| {
                ends[one.number] = Some(one.at);
                one.at < one.end
            });
            if reading.is_empty() {
                break;
            }
            let (mut requests, mut rest) = (Vec::with_capacity(reading.len()), &mut blocks[..]);
            for one in &reading {
                let length = usize::try_from(one.end - one.at).map_or(BLOCK_BYTES, |n| n.min(BLOCK_BYTES));
                let (block, after) = rest.split_at_mut(length);
                rest = after;
                requests.push(ReadRequest::new(Source::Open(one.object), Extent::From(one.at), block));
            }
            store.read(&mut requests);
            for (request, one) in requests.into_iter().zip(&mut reading) {
                request.result?;
                let whole = lines(request.buffer, &mut |line| receipt(one.number, line))?;
                // Torn, if it is nothing.
                one.end = if whole == 0 { one.at } else { one.end };
                one.at += whole as u64;
            }
        }
    }
    Ok(ends)
}

/// The receipts at the beginning of a block, and their bytes.
fn lines<E>(block: &[u8], receipt: &mut dyn FnMut(&Line<'_>) -> Result<(), E>) -> Result<usize, E> {
    let mut whole = 0;
    for line in block.split_inclusive(|byte| *byte == b'\n') {
        let Some(found) = parsed(line) else { break };
        receipt(&found)?;
        whole += line.len();
    }
    Ok(whole)
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
    use std::sync::Arc;

    use zarrange_io::Location;
    use zarrange_io::wrappers::counting::{IoCounters, counting};

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
        let ends = read::<IoError>(store, &[(name, at)], &mut |_, line| {
            found.push(line.parts.start);
            Ok(())
        });
        (found, ends.unwrap()[0].unwrap())
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
    }

    /// Many journals, of one block and of several, torn ones and none among them: each is read to its end, and few times is waited.
    #[test]
    fn many_are_read_at_once() {
        let counters = Arc::new(IoCounters::default());
        let store = counting("memory://journals".parse::<Location>().unwrap().open().unwrap(), &counters);
        let long = |number: u64| if number.is_multiple_of(7) { 300 } else { number };
        let mut names: Vec<String> = (0..100).map(|number| format!("{number}{SUFFIX}")).collect();
        for (name, number) in names.iter().zip(0..) {
            let text: String = (0..long(number)).map(|k| written(&line(k))).collect();
            store.put(name, format!("{text}{}", if number == 5 { "torn" } else { "" }).as_bytes()).unwrap();
        }
        names.insert(50, "nothing".to_owned());
        let journals: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 0)).collect();
        let mut found = vec![0; names.len()];
        let before = counters.counts().hops;
        let ends = read::<IoError>(&store, &journals, &mut |number, line| {
            assert_eq!(line.parts.start, found[number]);
            found[number] += 1;
            Ok(())
        });
        let hops = counters.counts().hops - before;
        for ((name, end), found) in names.iter().zip(ends.unwrap()).zip(found) {
            let number = name.strip_suffix(SUFFIX).map(|number| number.parse().unwrap());
            assert_eq!(found, number.map_or(0, long), "{name}");
            let whole =
                number.map(|number| (0..long(number)).map(|k| written(&line(k)).len() as u64).sum::<u64>());
            assert_eq!(end, whole, "{name}: what is torn is not read");
        }
        assert!(hops <= 7 * 4, "{hops}, and not two for each");
    }
}
