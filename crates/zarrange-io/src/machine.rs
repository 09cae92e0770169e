//! Who writes here: this machine since it was started, and names that nobody else has.

use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};

/// A machine from one start to the next. Process numbers do not tell processes apart: two containers have the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name in the network.
    pub host: String,
    /// The kernel's random name for this start; empty where it has none.
    pub boot: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { host, boot: boot.trim().to_owned() }
    }
}

/// A name that nobody has had: 32 hexadecimal digits, from what the operating system gives at random.
pub fn token() -> String {
    let mut text = String::with_capacity(32);
    for _ in 0..2 {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        // Writing to a String does not fail.
        let _ = write!(text, "{:016x}", hasher.finish());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_the_machine_stays() {
        let (one, other) = (token(), token());
        assert!(one.len() == 32 && one.bytes().all(|b| b.is_ascii_hexdigit()), "{one}");
        assert_ne!(one, other);
        assert!(!Machine::this().host.is_empty());
        assert_eq!(Machine::this(), Machine::this());
    }
}
