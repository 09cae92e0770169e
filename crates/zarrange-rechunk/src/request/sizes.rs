//! Sizes and costs of places, understood from text: every command takes them, and in the same way.

use std::io;

use zarrange_plan::StoreProfile;

use crate::error::SpecError;

/// Understands `256MB` (256e6), `256MiB`, `1e9` and plain bytes.
///
/// # Errors
/// [`SpecError::Bytes`], also for 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
pub fn parse_bytes(text: &str) -> Result<u64, SpecError> {
    let bytes = match text.parse::<f64>() {
        Ok(n) if n.fract() == 0.0 && (1.0..9e18).contains(&n) => Some(n as u64),
        Ok(_) => None,
        Err(_) => parse_size::parse_size(text).ok().filter(|bytes| *bytes > 0),
    };
    bytes.ok_or_else(|| SpecError::Bytes { given: text.to_owned() })
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
            assert_eq!(parse_bytes(text).map_err(|e| e.to_string()), expected.ok_or(wrong), "{text}");
        };
        check("256MB", Some(256_000_000));
        check("256MiB", Some(256 << 20));
        check("1e9", Some(1_000_000_000));
        check("4096", Some(4096));
        check("1.5GB", Some(1_500_000_000));
        for bad in ["", "0", "0MB", "-1", "1.5", "lots", "nan", "1e30", "99999999999EB"] {
            check(bad, None);
        }
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
