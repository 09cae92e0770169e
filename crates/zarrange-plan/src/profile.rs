//! What a place costs: bytes, requests, openings.

use serde::{Deserialize, Serialize};

/// Costs of a place where arrays are stored, in nanoseconds. `zarrange probe` measures one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreProfile {
    /// What it is called in plans.
    pub name: String,
    /// Time to read a byte, everything in flight.
    pub read_ns_per_byte: f64,
    /// Time to write a byte.
    pub write_ns_per_byte: f64,
    /// Latency of a read in an open object, beyond its bytes.
    pub read_request_ns: f64,
    /// Latency of a write in an open object, beyond its bytes.
    pub write_request_ns: f64,
    /// Opening an object to read it.
    pub open_ns: f64,
    /// Creating an object.
    pub create_ns: f64,
    /// Requests under way at once that do not slow each other down.
    pub in_flight: f64,
}

/// What is taken where nothing is known.
const NVME: (&str, [f64; 7]) = ("nvme", [0.35, 0.8, 80_000.0, 30_000.0, 15_000.0, 40_000.0, 32.0]);

/// Built-in profiles: name, read and write (ns/byte), read and write request, open, create (ns), requests in flight.
/// Orders of magnitude: `memory` holds objects itself, `page-cache` is a local file system whose files are cached; memory bandwidth of one core, data sheets of `NVMe` and spinning disks, Lustre and S3 as their
/// guides describe them. A probe of the place itself is better.
const BUILT_IN: [(&str, [f64; 7]); 6] = [
    ("memory", [0.1, 0.2, 300.0, 300.0, 300.0, 1_000.0, 1.0]),
    ("page-cache", [0.15, 0.3, 800.0, 1_000.0, 3_000.0, 30_000.0, 1.0]),
    NVME,
    ("disk", [6.0, 7.0, 8_000_000.0, 8_000_000.0, 8_000_000.0, 8_000_000.0, 1.0]),
    ("parallel", [0.5, 0.7, 1_000_000.0, 1_000_000.0, 1_000_000.0, 2_000_000.0, 64.0]),
    ("object", [1.0, 1.5, 30_000_000.0, 50_000_000.0, 0.0, 0.0, 64.0]),
];

impl StoreProfile {
    /// The built-in profile of this name.
    pub fn built_in(name: &str) -> Option<Self> {
        BUILT_IN.iter().find(|(known, _)| *known == name).map(|(name, values)| Self::of(name, *values))
    }

    fn of(name: &str, values: [f64; 7]) -> Self {
        let [read, write, read_request, write_request, open, create, in_flight] = values;
        Self {
            name: name.to_owned(),
            read_ns_per_byte: read,
            write_ns_per_byte: write,
            read_request_ns: read_request,
            write_request_ns: write_request,
            open_ns: open,
            create_ns: create,
            in_flight,
        }
    }

    /// Names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// What is wrong with it: a number that is not finite, negative, or no request in flight.
    pub fn fault(&self) -> Option<String> {
        let Self { read_ns_per_byte, write_ns_per_byte, read_request_ns, write_request_ns, .. } = self;
        let Self { open_ns, create_ns, in_flight, .. } = self;
        let fields = [
            ("read_ns_per_byte", read_ns_per_byte, 0.0),
            ("write_ns_per_byte", write_ns_per_byte, 0.0),
            ("read_request_ns", read_request_ns, 0.0),
            ("write_request_ns", write_request_ns, 0.0),
            ("open_ns", open_ns, 0.0),
            ("create_ns", create_ns, 0.0),
            ("in_flight", in_flight, 1.0),
        ];
        let (name, value, least) =
            fields.into_iter().find(|(_, value, least)| !(value.is_finite() && *value >= least))?;
        Some(format!("{name} is {value}, but must be a number from {least}"))
    }

    /// Bytes that take as long to read as asking for them: a smaller request is mostly latency.
    pub(crate) fn efficient_bytes(&self) -> f64 {
        self.read_request_ns / self.in_flight / self.read_ns_per_byte.max(1e-3)
    }
}

/// What moving an array costs, the codecs apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Where the source is.
    pub source: StoreProfile,
    /// Where the target goes.
    pub target: StoreProfile,
    /// Where intermediates go.
    pub spill: StoreProfile,
    /// CPU time to copy a byte between a chunk and a tile.
    pub copy_ns_per_byte: f64,
    /// CPU time of the kernel for a byte that is read or written.
    pub kernel_ns_per_byte: f64,
    /// CPU time to get a byte of memory from the system, which clears it.
    pub fresh_ns_per_byte: f64,
    /// Time to begin and end a tile.
    pub tile_ns: f64,
}

impl Costs {
    /// Everything at places of one kind; the CPU as measured (`results/`).
    pub fn all_on(place: &StoreProfile) -> Self {
        Self {
            source: place.clone(),
            target: place.clone(),
            spill: place.clone(),
            copy_ns_per_byte: 0.4,
            kernel_ns_per_byte: 0.15,
            fresh_ns_per_byte: 0.3,
            tile_ns: 100_000.0,
        }
    }
}

impl Default for Costs {
    /// A local `NVMe` disk.
    fn default() -> Self {
        let (name, values) = NVME;
        Self::all_on(&StoreProfile::of(name, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_profiles_are_sound() {
        for name in StoreProfile::names() {
            let profile = StoreProfile::built_in(name).unwrap();
            assert_eq!((profile.name.as_str(), profile.fault()), (name, None));
        }
        assert_eq!(StoreProfile::built_in("tape"), None);
        assert_eq!(StoreProfile::built_in("nvme"), Some(Costs::default().source));
    }

    #[test]
    fn a_bad_number_is_named() {
        let nvme = || StoreProfile::built_in("nvme").unwrap();
        let check = |profile: StoreProfile, expected: &str| {
            let fault = profile.fault().unwrap();
            assert!(fault.starts_with(expected), "{fault}");
        };
        check(StoreProfile { open_ns: f64::NAN, ..nvme() }, "open_ns is NaN");
        check(StoreProfile { read_ns_per_byte: -1.0, ..nvme() }, "read_ns_per_byte is -1");
        check(StoreProfile { in_flight: 0.5, ..nvme() }, "in_flight is 0.5");
    }
}
