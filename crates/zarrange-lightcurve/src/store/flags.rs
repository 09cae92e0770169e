//! Codes that mean something, as the attributes of their array say (CF conventions; where names have blanks, as `ingest` names bands).

use zarrange_array::{Array, Json};

/// Attributes: codes, a word for each, and names with whatever is in them.
pub(crate) const VALUES: &str = "flag_values";
pub(crate) const MEANINGS: &str = "flag_meanings";
pub(crate) const NAMES: &str = "bands";

/// The codes of an array and what they mean; `None` if that is not said of each.
pub(crate) fn flags(array: &Array) -> Option<Vec<(i64, String)>> {
    let attributes = array.document().attributes();
    let list = |name: &str| attributes.get(name)?.as_array().map(<[Json]>::to_vec);
    let codes = list(VALUES)?;
    let codes = codes.iter().map(|code| i64::try_from(code.as_u64()?).ok()).collect::<Option<Vec<i64>>>()?;
    let names: Vec<String> = match list(NAMES) {
        Some(names) => names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        None => attributes.get(MEANINGS)?.as_str()?.split_whitespace().map(str::to_owned).collect(),
    };
    (codes.len() == names.len()).then(|| codes.into_iter().zip(names).collect())
}
