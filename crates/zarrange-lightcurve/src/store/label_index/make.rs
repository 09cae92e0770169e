//! How an index is made: in passes over the labels, each of which takes the next entries that fit the memory.

use zarrange_array::Array;
use zarrange_io::{Access, Change, Lock, Making, Store};

use super::entry::{ENTRY_BYTES, Entry, PLACES_MAX};
use super::error::NoIndex;
use super::file::{HEADER_BYTES, IndexFile, header, name};
use super::stamp::{Stamp, documents};
use crate::store::memory::Share;
use crate::store::side::each_text;

/// The most passes: where there is memory for less, labels are read sooner for each look-up.
const PASSES_MAX: u64 = 64;

/// Bytes that are written at once.
const PIECE_BYTES: usize = 1 << 20;

/// Makes the index of `labels` as they are at `stamp`: entries within `bytes_max`, chunks of labels within `reading`; if somebody else is just making it, that is left to them. It
/// gets its name when it is complete. Several that are made at once, where locks do not keep that from happening, are the same.
///
/// # Errors
/// If it cannot be made here, or labels changed meanwhile.
pub(super) fn make(labels: &Array, stamp: &Stamp, (bytes_max, reading): (u64, Share)) -> Result<(), NoIndex> {
    let count = labels.shape().first().copied().filter(|count| *count <= PLACES_MAX).ok_or(NoIndex)?;
    let room = bytes_max / ENTRY_BYTES as u64;
    // A pass takes half of what there is room for, at least.
    if count > room && count > (room / 2).saturating_mul(PASSES_MAX) {
        return Err(NoIndex);
    }
    let store = labels.store();
    if !store.abilities().partial_writes || !store.abilities().renames {
        return Err(NoIndex);
    }
    let document = documents(labels).first().ok_or(NoIndex)?;
    let locked = store.open(document, Access::Write)?.ok_or(NoIndex)?;
    match locked.lock().map_err(|_| NoIndex)? {
        Lock::Busy => return Err(NoIndex),
        Lock::Taken { .. } => remove_leftovers(store)?,
        // Nobody knows whether what is there is being written.
        Lock::Unknown => {}
    }
    // Somebody may have been faster.
    if IndexFile::open(labels, stamp)?.is_some() {
        return Ok(());
    }
    let mut writer = Writer::new(store, header(stamp, count))?;
    let mut smallest = Smallest::new(usize::try_from(room.min(count)).map_err(|_| NoIndex)?)?;
    let mut written = 0;
    while written < count {
        let mut place = 0;
        smallest.begin();
        each_text(labels, reading, &mut |label| {
            smallest.offer(Entry::new(label, place));
            place += 1;
            Ok(())
        })?;
        let next = smallest.sorted();
        if place != count || next.is_empty() {
            return Err(NoIndex);
        }
        next.iter().try_for_each(|entry| writer.write(&entry.to_bytes()))?;
        written += next.len() as u64;
    }
    // Of labels that changed meanwhile nobody knows which are in it.
    if Stamp::of(labels)?.digest != stamp.digest {
        return Err(NoIndex);
    }
    writer.finish()
}

/// Removes the index of `labels`, which is damaged.
///
/// # Errors
/// If it cannot be removed.
pub(super) fn remove(labels: &Array) -> Result<(), NoIndex> {
    Ok(labels.store().change(Change::Remove(&name()))?)
}

/// Removes what others that were ended have left.
fn remove_leftovers(store: &Store) -> Result<(), NoIndex> {
    let (mut left, begin) = (Vec::new(), format!(".{}.partial-", name()));
    store.visit("", false, &mut |found, _| {
        if found.starts_with(&begin) {
            left.push(found.to_owned());
        }
        true
    })?;
    left.iter().try_for_each(|found| store.change(Change::Remove(found)))?;
    Ok(())
}

/// The smallest of many entries, beyond those that were it before.
struct Smallest {
    room: usize,
    kept: Vec<Entry>,
    /// The last that was among the smallest before.
    after: Option<Entry>,
    /// Those from here on do not belong to the smallest.
    before: Option<Entry>,
}

impl Smallest {
    fn new(room: usize) -> Result<Self, NoIndex> {
        let mut kept = Vec::new();
        kept.try_reserve_exact(room).map_err(|_| NoIndex)?;
        Ok(Self { room, kept, after: None, before: None })
    }

    /// Leaves out those up to the last that was among the smallest; the others are offered again.
    fn begin(&mut self) {
        self.after = self.kept.last().copied().or(self.after);
        self.before = None;
        self.kept.clear();
    }

    fn offer(&mut self, entry: Entry) {
        let wanted = |this: &Self| {
            this.after.is_none_or(|after| after < entry) && this.before.is_none_or(|before| entry < before)
        };
        if !wanted(self) {
            return;
        }
        if self.kept.len() == self.room {
            let half = self.room / 2;
            self.before = Some(*self.kept.select_nth_unstable(half).1);
            self.kept.truncate(half);
            if !wanted(self) {
                return;
            }
        }
        self.kept.push(entry);
    }

    /// In order the smallest of all that were offered since the begin, half of the room at least if there were so many.
    fn sorted(&mut self) -> &[Entry] {
        self.kept.sort_unstable();
        &self.kept
    }
}

/// An index in the making; dropped before it is finished, it leaves nothing.
struct Writer<'a> {
    store: &'a Store,
    object: Making,
    piece: Vec<u8>,
    written: u64,
}

impl<'a> Writer<'a> {
    fn new(store: &'a Store, header: [u8; HEADER_BYTES]) -> Result<Self, NoIndex> {
        let object = store.make(&name(), true)?;
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        piece.extend_from_slice(&header);
        Ok(Self { store, object, piece, written: 0 })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NoIndex> {
        if self.piece.len() + bytes.len() > PIECE_BYTES {
            self.flush()?;
        }
        self.piece.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), NoIndex> {
        self.store.write_at(&self.object, self.written, &self.piece)?;
        self.written += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), NoIndex> {
        self.flush()?;
        Ok(self.object.finish()?)
    }
}
