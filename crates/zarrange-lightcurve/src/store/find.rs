//! Which number something has: by its label, or where there are no labels by its number.

use std::collections::HashMap;

use crate::LightCurveError;
use crate::error::BadLabel;
use crate::store::LightCurveStore;
use crate::store::label_index::{NoIndex, Places};
use crate::store::memory::Share;
use crate::store::side::each_text;

/// Fewer labels are read for each look-up, which takes a millisecond, and have no index.
const INDEXED_MIN: u64 = 20_000;

/// If more than one in so many labels is looked for and there is no index, all are read: making one takes twice as long.
const SHARE_MAX: u64 = 4;

impl LightCurveStore {
    /// The number of what each of `labels` names along a dimension, if there is such a label. Labels are read and not kept, or where there are
    /// many found by an index on disk. That is made when it is needed first, within `bytes_max`, where the store can be written; never is one
    /// used of labels that were changed.
    ///
    /// # Errors
    /// [`LightCurveError::Dimension`] if there is no such dimension, [`LightCurveError::Label`] if one of `labels` is there twice, or if
    /// labels cannot be read.
    pub fn find(
        &self,
        dimension: &str,
        labels: &[String],
        bytes_max: u64,
    ) -> Result<Vec<Option<u64>>, LightCurveError> {
        self.find_within(dimension, labels, Share::all(bytes_max))
    }

    /// The same within a share of memory.
    pub(crate) fn find_within(
        &self,
        dimension: &str,
        labels: &[String],
        share: Share,
    ) -> Result<Vec<Option<u64>>, LightCurveError> {
        let known = self.schema.named(dimension)?;
        let Some(name) = &known.labels else {
            let number = |label: &String| label.parse().ok().filter(|number| *number < known.size);
            return Ok(labels.iter().map(number).collect());
        };
        let few = (labels.len() as u64).saturating_mul(SHARE_MAX) <= known.size;
        let open = || self.side(name).map_err(NoIndex::from);
        let found = if known.size < INDEXED_MIN {
            Err(NoIndex)
        } else {
            self.indexes.find((name, &open), labels, (share, few))
        };
        let found = match found {
            // Epochs that were added since the store was opened.
            Ok(found) => {
                found.into_iter().map(|places| places.map(|k| k.filter(|k| *k < known.size))).collect()
            }
            Err(NoIndex) => self.read_to_find(name, labels, share)?,
        };
        let twice = found
            .iter()
            .zip(labels)
            .filter_map(|([first, again], label)| Some(((*again)?, (*first)?, label)));
        if let Some((again, first, label)) = twice.min() {
            let bad = BadLabel::Twice { label: label.clone(), first, again };
            return Err(LightCurveError::Label { dimension: dimension.to_owned(), bad });
        }
        Ok(found.into_iter().map(|[first, _]| first).collect())
    }

    /// Reads all labels of the array `name`.
    fn read_to_find(
        &self,
        name: &str,
        labels: &[String],
        share: Share,
    ) -> Result<Vec<Places>, LightCurveError> {
        let mut wanted: HashMap<&str, Places> =
            labels.iter().map(|label| (label.as_str(), [None; 2])).collect();
        let mut at = 0;
        each_text(&self.side(name)?, share, &mut |label| {
            match wanted.get_mut(label) {
                Some([first @ None, _]) => *first = Some(at),
                Some([Some(_), again @ None]) => *again = Some(at),
                Some([Some(_), Some(_)]) | None => {}
            }
            at += 1;
            Ok(())
        })?;
        Ok(labels.iter().map(|label| wanted.get(label.as_str()).copied().unwrap_or_default()).collect())
    }
}
