//! A probe of a small place: a sound profile, and nothing left behind.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use zarrange::probe::{Measured, Settings, probe};
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Location, Opener, STD_THREADS};
use zarrange_plan::StoreProfile;

/// Few bytes, and where there is a choice, as few requests as possible.
fn settings() -> Settings {
    Settings {
        sizes_bytes: vec![512, 4096, 20_000],
        object_bytes: 200_000,
        batch_bytes_max: 40_000,
        writes_bytes_max: 50_000,
        small_objects: 3,
        time: Duration::ZERO,
        drop_names: false,
    }
}

/// Probes, and reads the profile as the command does.
fn check(location: &Location, opener: &Opener) -> Measured {
    let measured = probe(location, opener, &settings()).unwrap();
    let profile = measured.profile("here").unwrap();
    let read: StoreProfile = serde_json::from_str(&serde_json::to_string(&profile).unwrap()).unwrap();
    assert_eq!((&read, read.fault()), (&profile, None));
    assert!(read.read_ns_per_byte > 0.0 && read.write_ns_per_byte > 0.0, "{read:?}");
    let batches: Vec<_> = measured.rows.iter().map(|row| row.reads_ns.map(|ns| ns.is_some())).collect();
    assert_eq!(batches, [[true; 4], [true, true, false, false], [true, false, false, false]]);
    measured
}

#[test]
fn every_backend_gives_a_sound_profile() {
    let openers = [
        ("std", Opener::default()),
        ("std", Opener::std_pool(STD_THREADS)),
        ("io_uring", Opener::io_uring().unwrap()),
    ];
    for (name, opener) in openers {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let measured = check(&Location::Path(dir.path().to_owned()), &opener);
        assert_eq!(measured.backend, name);
        assert!(dir.path().read_dir().unwrap().next().is_none(), "{opener:?} left something");
    }
    let memory = Location::Memory("probed".to_owned());
    assert_eq!(check(&memory, &Opener::default()).backend, "memory");
    assert!(!memory.exists().unwrap());
}

/// The error of a probe whose call `at` fails as on a read-only file system, and how many calls there were.
fn error_of_fault(at: u64) -> (Option<String>, u64) {
    const EROFS: i32 = 30;
    let faults = Faults::new(Fault::Fail(EROFS), at);
    let opener = Opener::default().wrapped({
        let faults = Arc::clone(&faults);
        move |store| faulty(store, &faults)
    });
    let place = Location::Memory("faulty".to_owned());
    let error = probe(&place, &opener, &settings()).err().map(|e| format!("{e:#}"));
    assert!(!place.exists().unwrap(), "call {at} failed, and something was left");
    (error, faults.calls())
}

#[test]
fn a_failure_is_told_and_leaves_nothing_behind() {
    let (none, calls) = error_of_fault(u64::MAX);
    assert_eq!(none, None);
    // The last call removes what is already gone.
    for at in 0..calls - 1 {
        let error = error_of_fault(at).0.unwrap_or_else(|| panic!("call {at} of {calls} may fail"));
        assert!(error.contains("Read-only file system"), "call {at}: {error}");
        let hint = "a probe writes up to 1 MiB, for a short while, at a place where it may: ";
        assert_eq!(error.contains(hint), at == 0, "call {at}: {error}");
    }
}

#[test]
fn a_place_that_does_not_exist_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = probe(&Location::Path(dir.path().join("missing")), &Opener::default(), &settings());
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.starts_with("a probe needs a directory that exists: "), "{error}");
    assert!(!dir.path().join("missing").exists());
}

#[test]
fn the_help_says_how_much_is_written() {
    assert_eq!(Settings::default().bytes_max(), 326 << 20);
}

#[test]
fn the_command_writes_a_profile_that_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (place, out) = (dir.path().to_str().unwrap(), dir.path().join("place.json"));
    let out = out.to_str().unwrap();
    let probe =
        ["probe", place, "--out", out, "--seconds", "1", "--backend", "mmap", "--name", "here", "--no-keep"];
    let done = support::zarrange(&probe);
    assert!(done.status.success(), "{done:?}");
    let advise = ["advise", "--shape", "100,100", "--dtype", "f4", "--mix", "epoch=1", "--profile", out];
    let said = String::from_utf8(support::zarrange(&advise).stdout).unwrap();
    assert!(said.contains("on here, for a reader"), "{said}");
    // What is there is not replaced unless that is asked.
    let refused = String::from_utf8(support::zarrange(&probe).stderr).unwrap();
    assert!(refused.contains("place.json exists"), "{refused}");
}
