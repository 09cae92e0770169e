//! Labels of a dimension: found by what tables and people write.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::LightCurveError;
use crate::error::BadLabel;
use crate::store::LightCurveStore;
use crate::store::memory::Share;
use crate::store::schema::Dimension;
use crate::store::side::each_text;

/// What a label takes beside its text: where it ends, and its place in a table that doubles.
const LABEL_BYTES: u64 = 8 + 12;

/// The labels of a dimension, in memory.
#[derive(Debug)]
pub struct Labels {
    dimension: String,
    size: u64,
    /// Text after text, and where each ends; nothing where there are no labels.
    text: Option<(String, Vec<usize>)>,
    places: HashTable<u32>,
    hasher: RandomState,
}

impl Labels {
    /// Those of `dimension` of `store`, within `bytes_max`; a chunk of them is within `share` while they are read.
    ///
    /// # Errors
    /// [`LightCurveError::Label`] if one is there twice, [`LightCurveError::LabelMemory`] if they need more, or if they cannot be read.
    pub(crate) fn of(
        store: &LightCurveStore,
        dimension: &Dimension,
        (bytes_max, share): (u64, Share),
    ) -> Result<Self, LightCurveError> {
        let mut labels = Self {
            dimension: dimension.name.clone(),
            size: dimension.size,
            text: None,
            places: HashTable::new(),
            hasher: RandomState::new(),
        };
        let Some(name) = &dimension.labels else { return Ok(labels) };
        let (mut text, mut ends) = (String::new(), Vec::new());
        let mut twice = None;
        each_text(&store.side(name)?, share, &mut |label| {
            text.push_str(label);
            ends.push(text.len());
            let bytes =
                (text.capacity() as u64).saturating_add(LABEL_BYTES.saturating_mul(ends.capacity() as u64));
            if bytes > bytes_max || ends.len() > u32::MAX as usize {
                let (dimension, bytes_max) = (dimension.name.clone(), bytes_max);
                return Err(LightCurveError::LabelMemory { dimension, count: ends.len() as u64, bytes_max });
            }
            let (hash, k) = (labels.hasher.hash_one(label), ends.len() - 1);
            let (places, hasher) = (&mut labels.places, &labels.hasher);
            match places.find(hash, |other| nth(&text, &ends, *other) == label) {
                Some(first) if twice.is_none() => {
                    twice = Some((u64::from(*first), k as u64, label.to_owned()));
                }
                Some(_) => {}
                None => {
                    let rehash = |other: &u32| hasher.hash_one(nth(&text, &ends, *other));
                    places.insert_unique(hash, u32::try_from(k).unwrap_or(u32::MAX), rehash);
                }
            }
            Ok(())
        })?;
        if let Some((first, again, label)) = twice {
            let bad = BadLabel::Twice { label, first, again };
            return Err(LightCurveError::Label { dimension: dimension.name.clone(), bad });
        }
        labels.text = Some((text, ends));
        Ok(labels)
    }

    /// The number of what is called `label`. Where a dimension has no labels, numbers are their own.
    pub fn find(&self, label: &str) -> Option<u64> {
        let Some((text, ends)) = &self.text else {
            return label.parse().ok().filter(|number| *number < self.size);
        };
        let found = self.places.find(self.hasher.hash_one(label), |k| nth(text, ends, *k) == label);
        found.map(|k| u64::from(*k))
    }

    /// The same; an error if there is none.
    ///
    /// # Errors
    /// [`LightCurveError::NoLabel`], with what there is.
    pub fn named(&self, label: &str) -> Result<u64, LightCurveError> {
        const SHOWN: u64 = 5;
        self.find(label).ok_or_else(|| LightCurveError::NoLabel {
            dimension: self.dimension.clone(),
            label: label.to_owned(),
            some: (0..self.size.min(SHOWN)).map(|k| self.get(k)).collect(),
            count: self.size,
        })
    }

    /// What number `k` is called: its label, or where there are none its number.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn get(&self, k: u64) -> String {
        match &self.text {
            Some((text, ends)) => nth(text, ends, u32::try_from(k).unwrap_or(u32::MAX)).to_owned(),
            None => k.to_string(),
        }
    }

    /// Memory that they take.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.text.as_ref().map_or(0, |(text, ends)| {
            LABEL_BYTES.saturating_mul(ends.capacity() as u64).saturating_add(text.capacity() as u64)
        })
    }

    /// Whether there are labels, and not only numbers.
    pub(crate) const fn are_text(&self) -> bool {
        self.text.is_some()
    }
}

fn nth<'a>(text: &'a str, ends: &[usize], k: u32) -> &'a str {
    let k = k as usize;
    let start = k.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[k]]
}

impl LightCurveStore {
    /// The labels of a dimension, in memory, within `bytes_max`; half of it is for a chunk while they are read.
    ///
    /// # Errors
    /// [`LightCurveError::Dimension`] if there is no such dimension, [`LightCurveError::Label`] if a label is there twice,
    /// [`LightCurveError::LabelMemory`] if they need more memory; or if they cannot be read.
    pub fn labels(&self, dimension: &str, bytes_max: u64) -> Result<Labels, LightCurveError> {
        Labels::of(self, self.schema.named(dimension)?, (bytes_max / 2, Share::all(bytes_max).part(2)))
    }
}
