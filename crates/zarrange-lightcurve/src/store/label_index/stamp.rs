//! What tells whether labels have changed since their index was made, without reading them.

use std::time::{Duration, SystemTime};

use twox_hash::XxHash3_128;
use zarrange_array::Array;
use zarrange_io::{IoError, Mark};

use super::error::NoIndex;

/// Objects of an array of labels that are looked at for each look-up, at most: a microsecond each.
const OBJECTS_MAX: u64 = 1 << 17;

/// How long labels must have been as they are before an index of them is made: file systems have clocks of up to two seconds (FAT; ext3
/// has one), and what is written within one tick after a look shows no other time.
const SETTLED: Duration = Duration::from_secs(2);

/// The marks of everything that an array is stored as.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    /// Of all marks, in the order of the grid.
    pub(super) digest: u128,
    /// When one of them changed last.
    changed: (i64, u64),
}

impl Stamp {
    /// That of `labels` now.
    ///
    /// # Errors
    /// If the store does not tell, or not soon.
    pub(super) fn of(labels: &Array) -> Result<Self, NoIndex> {
        let (store, objects) = (labels.store(), labels.objects().all());
        if objects.elements() > OBJECTS_MAX {
            return Err(NoIndex);
        }
        let (mut hasher, mut changed) = (XxHash3_128::new(), (i64::MIN, 0));
        let mut look = |key: &str| match store.mark(key) {
            Ok(Some(mark)) => {
                changed = changed.max(mark.changed);
                write(&mut hasher, &mark);
                Ok(())
            }
            // A chunk of nothing but fill value.
            Err(IoError::NotFound { .. }) => {
                hasher.write(b"nothing");
                Ok(())
            }
            Ok(None) | Err(_) => Err(NoIndex),
        };
        documents(labels).iter().try_for_each(|key| look(key))?;
        for object in (0..objects.elements()).map(|k| objects.unravel(k)) {
            look(&labels.key(&object))?;
        }
        Ok(Self { digest: hasher.finish_128(), changed })
    }

    /// Whether the labels have been like this for long enough: whoever changes them from now on changes their stamp.
    pub(super) fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let Ok(seconds) = u64::try_from(seconds) else { return false };
        let since = Duration::from_secs(seconds).saturating_add(Duration::from_nanos(nanoseconds));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.checked_sub(since).is_some_and(|age| age >= SETTLED)
    }
}

/// The documents that an array is read from, the one that is never missing first.
pub(super) fn documents(labels: &Array) -> &'static [&'static str] {
    if labels.zarr_format() == 2 { &[".zarray", ".zattrs"] } else { &["zarr.json"] }
}

fn write(hasher: &mut XxHash3_128, mark: &Mark) {
    let Mark { inode, bytes, modified, changed } = mark;
    for number in [*inode, *bytes, modified.1, changed.1] {
        hasher.write(&number.to_le_bytes());
    }
    hasher.write(&modified.0.to_le_bytes());
    hasher.write(&changed.0.to_le_bytes());
}
