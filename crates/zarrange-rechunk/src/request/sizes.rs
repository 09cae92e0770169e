//! Sizes and costs of places, understood from text: every command takes them, and in the same way.

use std::fmt;
use std::io;
use std::str::FromStr;

use zarrange_plan::StoreProfile;

use crate::error::SpecError;

/// A number of bytes, not 0: as text `256MB` (256e6), `256MiB`, `1e9` or plain bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

/// Units in which a size is written, if it is so many of them exactly.
const UNITS: [(u64, &str); 8] = [
    (1 << 40, "TiB"),
    (1_000_000_000_000, "TB"),
    (1 << 30, "GiB"),
    (1_000_000_000, "GB"),
    (1 << 20, "MiB"),
    (1_000_000, "MB"),
    (1 << 10, "KiB"),
    (1_000, "kB"),
];

impl FromStr for Bytes {
    type Err = SpecError;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    fn from_str(text: &str) -> Result<Self, SpecError> {
        let whole = text.parse::<u64>().map(Some);
        let bytes = whole.or_else(|_| {
            text.parse::<f64>().map(|n| (n.fract() == 0.0 && (1.0..9e18).contains(&n)).then_some(n as u64))
        });
        let bytes = bytes.unwrap_or_else(|_| parse_size::parse_size(text).ok());
        bytes.filter(|bytes| *bytes > 0).map(Self).ok_or_else(|| SpecError::Bytes { given: text.to_owned() })
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS.into_iter().find(|(unit, _)| self.0 > 0 && self.0.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl From<Bytes> for u64 {
    fn from(bytes: Bytes) -> Self {
        bytes.0
    }
}

/// Understands the name of a built-in profile, or of a file (JSON), which `read` reads.
///
/// # Errors
/// [`SpecError::UnknownProfile`] or [`SpecError::Profile`].
pub fn parse_profile(
    name: &str,
    read: impl FnOnce(&str) -> io::Result<String>,
) -> Result<StoreProfile, SpecError> {
    if let Some(profile) = StoreProfile::built_in(name) {
        return Ok(profile);
    }
    let given = || name.to_owned();
    let file = read(name).map_err(|error| SpecError::UnknownProfile {
        given: given(),
        known: StoreProfile::names().collect(),
        reason: error.to_string(),
    })?;
    let profile: StoreProfile = serde_json::from_str(&file)
        .map_err(|error| SpecError::Profile { given: given(), reason: error.to_string() })?;
    match profile.fault() {
        Some(reason) => Err(SpecError::Profile { given: given(), reason }),
        None => Ok(profile),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| {
            let wrong = format!("{text:?} is not a size: use 256MB, 256MiB, 1e9 or plain bytes");
            let expected = expected.map(Bytes).ok_or(wrong);
            assert_eq!(text.parse().map_err(|e: SpecError| e.to_string()), expected, "{text}");
            let Ok(bytes) = expected else { return };
            assert_eq!(bytes.to_string().parse(), Ok(bytes), "{text}");
        };
        check("256MB", Some(256_000_000));
        check("256MiB", Some(256 << 20));
        check("1e9", Some(1_000_000_000));
        check("4096", Some(4096));
        check("1.5GB", Some(1_500_000_000));
        check("9007199254740993", Some(9_007_199_254_740_993));
        check("18446744073709551615", Some(u64::MAX));
        for bad in ["", "0", "0MB", "-1", "1.5", "lots", "nan", "1e30", "99999999999EB"] {
            check(bad, None);
        }
    }

    #[test]
    fn sizes_are_written_in_the_largest_unit_that_fits() {
        let check = |bytes: u64, expected: &str| assert_eq!(Bytes(bytes).to_string(), expected);
        check(256 << 20, "256MiB");
        check(256_000_000, "256MB");
        check(3 << 40, "3TiB");
        check(1_536, "1536");
        check(2_000, "2kB");
        check(u64::MAX, "18446744073709551615");
    }

    #[test]
    fn profiles() {
        let disk = || StoreProfile::built_in("disk").unwrap_or_else(|| unreachable!("disk is built in"));
        let own = StoreProfile { name: "own".to_owned(), ..disk() };
        let broken = StoreProfile { in_flight: 0.0, ..own.clone() };
        let check = |name: &str, file: Option<&StoreProfile>, expected: Result<&StoreProfile, &str>| {
            let read = |_: &str| match file {
                Some(profile) => Ok(serde_json::to_string(profile)?),
                None => Err(io::Error::other("no such file")),
            };
            let expected = expected.cloned().map_err(str::to_owned);
            assert_eq!(parse_profile(name, read).map_err(|e| e.to_string()), expected, "{name}");
        };
        check("disk", None, Ok(&disk()));
        check("disk", Some(&own), Ok(&disk()));
        check("own.json", Some(&own), Ok(&own));
        check("own.json", Some(&broken), Err("own.json: in_flight is 0, but must be a number from 1"));
        check(
            "tape",
            None,
            Err(
                "\"tape\" is neither one of memory, page-cache, nvme, disk, parallel, object nor a file that can be read: no such file",
            ),
        );
    }
}
