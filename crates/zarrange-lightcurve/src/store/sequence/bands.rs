//! Codes of bands, as the attributes of their array name them (CF conventions).

use serde_json::{Value, json};
use zarrange_array::{Array, Document};

use crate::LightCurveError;
use crate::store::flags::{MEANINGS, NAMES, VALUES, flags};
use crate::table::BANDS_MAX;

/// The bands of a store.
pub(super) struct Bands {
    /// Codes and names.
    known: Vec<(u8, String)>,
    /// The code that says that nothing was measured.
    missing: Option<u8>,
    /// Whether there are more than are stored.
    pub(super) is_longer: bool,
}

impl Bands {
    /// Those that `array` names.
    ///
    /// # Errors
    /// [`LightCurveError::Unfillable`] if it does not say what each of its codes means.
    pub(super) fn of(array: &Array) -> Result<Self, LightCurveError> {
        let known = flags(array).unwrap_or_default().into_iter();
        let known =
            known.map(|(code, name)| Some((u8::try_from(code).ok()?, name))).collect::<Option<Vec<_>>>();
        let known = known.filter(|known| !known.is_empty()).ok_or_else(|| LightCurveError::Unfillable {
            location: array.location().to_owned(),
            reason: format!("its attributes {VALUES} and {MEANINGS} do not name a band for each code"),
        })?;
        let missing = array.elements()?.fill.first().copied();
        Ok(Self { known, missing, is_longer: false })
    }

    /// The code of a band: the next one if it is new, and `None` if there are no more.
    pub(super) fn code(&mut self, name: &str) -> Option<u8> {
        if let Some((code, _)) = self.known.iter().find(|(_, known)| known == name) {
            return Some(*code);
        }
        let last = self.known.iter().map(|(code, _)| *code).max();
        let next = last.map_or(Some(0), |last| last.checked_add(1))?;
        let next = if self.missing == Some(next) { next.checked_add(1)? } else { next };
        if self.known.len() >= BANDS_MAX {
            return None;
        }
        self.known.push((next, name.to_owned()));
        self.is_longer = true;
        Some(next)
    }

    /// A document that names them.
    pub(super) fn named_in(&self, document: Document) -> Document {
        let codes: Vec<u8> = self.known.iter().map(|(code, _)| *code).collect();
        let names: Vec<&str> = self.known.iter().map(|(_, name)| name.as_str()).collect();
        let meanings: Value = meanings(names.iter().copied()).into();
        document
            .with_attribute(VALUES, json!(codes))
            .with_attribute(MEANINGS, meanings)
            .with_attribute(NAMES, json!(names))
    }
}

/// The CF conventions' way to name the values of a code: a word each, between blanks.
pub(crate) fn meanings<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let word = |name: &str| match name.split_whitespace().collect::<Vec<_>>().join("_") {
        empty if empty.is_empty() => "_".to_owned(),
        word => word,
    };
    names.map(word).collect::<Vec<_>>().join(" ")
}
