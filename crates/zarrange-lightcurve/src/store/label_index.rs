//! An index of labels on disk, so that a few of many are found without reading all of them.
//!
//! It is one file at the place of the array of labels, which no reader of Zarr sees, because none lists the place of an array. It goes where
//! that goes, and is made again where it is missing. Entries are sorted by a hash of their label, so that one read finds a label: how far it
//! is from the begin follows from its hash. The file says of which labels it is by the sizes, times and inodes of everything that they are
//! stored as. These are looked at for each look-up; of other labels an index is never used.
//!
//! Rejected: an array of Zarr for it. Copies, comparisons and lists of members would show what nobody has stored. Rejected: a table of where
//! prefixes of hashes begin. It takes a read before each read, or memory. Rejected: the labels in the index. They would take more than half of
//! it, and what 88 bits of a hash leave open is less likely than a broken disk.

mod entry;
mod error;
mod file;
mod make;
mod search;
mod stamp;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zarrange_array::Array;

use self::entry::Entry;
pub(super) use self::error::NoIndex;
use self::file::IndexFile;
use self::search::Search;
use self::stamp::Stamp;
use crate::store::memory::Share;
use crate::store::side::texts_at;

/// Entries with the same hash that are looked at: more than two only where labels are there several times.
const SAME_MAX: usize = 16;

/// The first two places of a label.
pub(super) type Places = [Option<u64>; 2];

/// Open indexes, by the name of the array of labels.
#[derive(Debug, Default)]
pub(super) struct LabelIndexes(Mutex<BTreeMap<String, Arc<LabelIndex>>>);

/// An open index, and the labels that it is of.
#[derive(Debug)]
struct LabelIndex {
    labels: Array,
    file: IndexFile,
}

impl LabelIndexes {
    /// Where `labels` are in the array `name`, which `open` opens. If it has no index yet and one is to be made, that is within `share`.
    ///
    /// # Errors
    /// If there is no index to be trusted.
    pub(super) fn find(
        &self,
        (name, open): (&str, &dyn Fn() -> Result<Array, NoIndex>),
        labels: &[String],
        (share, make): (Share, bool),
    ) -> Result<Vec<Places>, NoIndex> {
        if let Some(index) = self.lock().get(name).cloned()
            && index.file.is_of(&Stamp::of(&index.labels)?)
            && let Ok(found) = index.find(labels, share)
        {
            return Ok(found);
        }
        let array = open()?;
        let stamp = Stamp::of(&array)?;
        if let Some(file) = IndexFile::open(&array, &stamp)? {
            let index = LabelIndex { labels: array, file };
            match index.find(labels, share) {
                Ok(found) => {
                    self.lock().insert(name.to_owned(), Arc::new(index));
                    return Ok(found);
                }
                // It is damaged.
                Err(NoIndex) => make::remove(&index.labels)?,
            }
        }
        if !make || !stamp.is_settled() {
            return Err(NoIndex);
        }
        let array = open()?;
        make::make(&array, &stamp, (share.bytes / 2, share.part(2)))?;
        let file = IndexFile::open(&array, &stamp)?.ok_or(NoIndex)?;
        let index = LabelIndex { labels: array, file };
        let found = index.find(labels, share)?;
        self.lock().insert(name.to_owned(), Arc::new(index));
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<LabelIndex>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LabelIndex {
    /// Where `labels` are.
    fn find(&self, labels: &[String], share: Share) -> Result<Vec<Places>, NoIndex> {
        let mut wanted: Vec<(Entry, usize)> =
            labels.iter().zip(0..).map(|(label, k)| (Entry::new(label, 0), k)).collect();
        wanted.sort_unstable();
        let (mut found, mut search) = (vec![[None; 2]; labels.len()], Search::new(&self.file));
        let mut places = Vec::new();
        for (first, k) in wanted {
            search.places(first, SAME_MAX, &mut places)?;
            found[k] = match places[..] {
                [] => [None; 2],
                [place] => [Some(place), None],
                _ => self.of_several(&labels[k], &places, share)?,
            };
        }
        Ok(found)
    }

    /// The first two of several `places` whose label is this one, and not only has its hash.
    fn of_several(&self, label: &str, places: &[u64], share: Share) -> Result<Places, NoIndex> {
        let texts = texts_at(&self.labels, places, share)?;
        let mut same = places.iter().zip(&texts).filter(|(_, text)| *text == label).map(|(place, _)| *place);
        let found = [same.next(), same.next()];
        // There may be others beyond these.
        if found[1].is_none() && places.len() == SAME_MAX { Err(NoIndex) } else { Ok(found) }
    }
}
