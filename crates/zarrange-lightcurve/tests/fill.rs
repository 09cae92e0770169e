//! Stores that are made, filled by several at once, and read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use zarrange_grid::Region;
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Access, Location, Opener};
use zarrange_lightcurve::{
    Column, Contribution, Cut, FillOptions, FillReport, LightCurveError, LightCurveStore, Named, NewStore,
    Picked, Replace, Wanted,
};

const OBJECTS: u64 = 7;
const EPOCHS: u64 = 5;
const MEASUREMENTS: u64 = 3;

/// The value of an object in a measurement at an epoch; of some nothing was measured.
fn value(object: u64, measurement: u64, epoch: u64) -> f32 {
    let k = object * 1000 + measurement * 100 + epoch;
    if k.is_multiple_of(6) { f32::NAN } else { f32::from(u16::try_from(k).unwrap()) }
}

/// Both presets, cut in every way that epochs are filled in.
fn stores() -> Vec<(&'static str, NewStore)> {
    let chunks = Cut::Chunks(vec![("object".to_owned(), 3), ("epoch".to_owned(), 2)]);
    let cuts = [Cut::EpochOptimized, Cut::TimeBlocks(2), Cut::ObjectOptimized, chunks];
    let labels = |store: NewStore| {
        let names = (0..OBJECTS).map(|k| format!("I{k}")).collect();
        store.labels("object", Column::Text(names)).unwrap()
    };
    let both = |cut: Cut| {
        let flux = NewStore::flux(OBJECTS, EPOCHS, MEASUREMENTS).cut(cut.clone());
        let labelled = NewStore::labelled(OBJECTS, MEASUREMENTS, EPOCHS).cut(cut);
        [("flux", labels(flux)), ("labelled", labels(labelled))]
    };
    cuts.into_iter().flat_map(both).collect()
}

struct Place {
    _dir: TempDir,
    location: Location,
}

fn place() -> Place {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let location = Location::Path(dir.path().join("curves.zarr"));
    Place { _dir: dir, location }
}

impl Place {
    fn make(&self, new: &NewStore) -> LightCurveStore {
        assert!(new.create(&self.location, (false, &Opener::auto())).unwrap().is_empty());
        self.open()
    }

    fn open(&self) -> LightCurveStore {
        LightCurveStore::open(&self.location, &Opener::auto()).unwrap()
    }
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// Elements of a contribution of these objects and measurements, array by array.
fn elements(kind: &str, epoch: u64, objects: &[u64], measurements: &[u64]) -> Vec<(&'static str, Vec<u8>)> {
    let each = |of: &dyn Fn(f32) -> Vec<f32>| {
        let pairs = objects.iter().flat_map(|o| measurements.iter().map(move |m| value(*o, *m, epoch)));
        bytes(&pairs.flat_map(of).collect::<Vec<_>>())
    };
    match kind {
        "flux" => vec![("flux", each(&|v| vec![v])), ("flux_err", each(&|v| vec![v / 2.0]))],
        _ => vec![("lightcurves", each(&|v| vec![v, v / 2.0]))],
    }
}

fn fill(
    store: &LightCurveStore,
    kind: &str,
    epoch: u64,
    (objects, measurements): (&[u64], &[u64]),
    options: &FillOptions<'_>,
) -> Result<FillReport, LightCurveError> {
    let elements = elements(kind, epoch, objects, measurements);
    let values: Vec<(&str, &[u8])> = elements.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
    let (objects, measurements) = (Picked::List(objects), Picked::List(measurements));
    store.fill(&Contribution { epoch, objects, measurements, values: &values }, options)
}

/// Of objects, measurements and epochs, some.
type Some3<'a> = &'a dyn Fn(u64, u64, u64) -> bool;

/// Every value of the store, against what was filled.
fn check(store: &LightCurveStore, kind: &str, filled: Some3<'_>) {
    check_but(store, kind, filled, &|_, _, _| false);
}

/// The same; where it `may` be filled, there is the value or nothing.
fn check_but(store: &LightCurveStore, kind: &str, filled: Some3<'_>, may: Some3<'_>) {
    for name in &store.schema().values {
        let array = store.values(name).unwrap();
        let whole = Region::whole(array.shape());
        let (bytes, _) = array.read_region(&whole).unwrap();
        let names = array.document().dimension_names().unwrap();
        let axis = |wanted: &str| names.iter().position(|n| n.as_deref() == Some(wanted));
        for (k, found) in bytes.as_chunks::<4>().0.iter().enumerate() {
            let at = whole.unravel(k as u64);
            let index = |wanted: &str| axis(wanted).map_or(0, |d| at[d]);
            let (object, measurement, epoch) = (index("object"), index("measurement"), index("epoch"));
            let half = if name == "flux_err" || index("value") == 1 { 2.0 } else { 1.0 };
            let found = f32::from_ne_bytes(*found);
            let there =
                filled(object, measurement, epoch) || (may(object, measurement, epoch) && !found.is_nan());
            let expected = if there { value(object, measurement, epoch) / half } else { f32::NAN };
            let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
            assert!(same, "{kind} {name} at {at:?}: {found}, {expected} expected");
        }
    }
}

#[test]
fn contributions_merge() {
    let all: Vec<u64> = (0..OBJECTS).collect();
    for (kind, new) in stores() {
        let place = place();
        let store = place.make(&new);
        let options = FillOptions { run: "night", ..FillOptions::default() };
        assert_eq!(store.filled(3).unwrap().unwrap().objects, [0; 3]);
        // Objects in any order, and some of the measurements.
        let first = fill(&store, kind, 3, (&[5, 0, 6], &[2, 0]), &options).unwrap();
        assert!(first.changed > 0 && first.chunks > 0, "{kind}: {first:?}");
        let there = |o: u64, m: u64, e: u64| e == 3 && [0, 5, 6].contains(&o) && m != 1;
        check(&store, kind, &there);
        let record = store.filled(3).unwrap().unwrap();
        let objects = |m: u64| all.iter().filter(|o| there(**o, m, 3) && !value(**o, m, 3).is_nan()).count();
        let counts: Vec<u32> = (0..3).map(|m| u32::try_from(objects(m)).unwrap()).collect();
        assert_eq!(record.objects, counts, "{kind}");
        assert_eq!(record.runs, ["night", "", "night"]);
        assert!(record.times[0] > 1.7e9 && record.times[1].is_nan(), "{record:?}");
        // The same again changes nothing, the rest adds to it.
        assert_eq!(fill(&store, kind, 3, (&[0, 5], &[0]), &options).unwrap(), FillReport::default());
        fill(&store, kind, 3, (&all, &[0, 1, 2]), &options).unwrap();
        check(&store, kind, &|_, _, e| e == 3);
        fill(&store, kind, 4, (&all, &[0, 1, 2]), &options).unwrap();
        let again = place.open();
        check(&again, kind, &|_, _, e| e >= 3);
        assert_eq!(again.schema(), store.schema());
        assert_eq!(again.filled(4).unwrap().unwrap().runs, ["night"; 3]);
    }
}

#[test]
fn what_differs_is_refused_or_replaced() {
    for (kind, new) in stores() {
        let place = place();
        let store = place.make(&new);
        let options = FillOptions::default();
        fill(&store, kind, 1, (&[0, 1, 2, 3, 4, 5, 6], &[0, 1, 2]), &options).unwrap();
        // Object 2 gets another value, object 3 none, and 4 another.
        let other = |replace: Replace| {
            let (plain, pairs) =
                (bytes(&[1.0, f32::NAN, 2.0]), bytes(&[1.0, 0.5, f32::NAN, f32::NAN, 2.0, 9.0]));
            let values: &[(&str, &[u8])] =
                if kind == "flux" { &[("flux", &plain)] } else { &[("lightcurves", &pairs)] };
            let (objects, measurements) = (Picked::List(&[2, 3, 4]), Picked::List(&[1]));
            let contribution = Contribution { epoch: 1, objects, measurements, values };
            store.fill(&contribution, &FillOptions { replace, ..options })
        };
        let error = other(Replace::Never).unwrap_err().to_string();
        assert!(error.contains("is 2101, and 1 is given: nothing of that epoch was written"), "{error}");
        check(&store, kind, &|_, _, e| e == 1);
        let before = store.filled(1).unwrap().unwrap();
        // What is given takes the place of what is there, and then nothing does.
        assert!(other(Replace::ByValues).unwrap().changed > 0);
        assert_eq!(store.filled(1).unwrap().unwrap().objects, before.objects, "{kind}");
        assert!(other(Replace::ByAll).unwrap().changed > 0);
        let after = store.filled(1).unwrap().unwrap();
        assert!([2, 3, 4].iter().all(|o| !value(*o, 1, 1).is_nan()), "all three had a value");
        // Where the error stays, the object has a value.
        assert_eq!(after.objects[1], before.objects[1] - u32::from(kind == "labelled"), "{kind}");
    }
}

/// Many at once fill different objects and measurements of the same epochs: nothing is lost.
#[test]
fn nothing_is_lost_among_several() {
    for (kind, new) in stores() {
        let place = place();
        place.make(&new);
        let next = AtomicU64::new(0);
        let work = || {
            let store = place.open();
            loop {
                let k = next.fetch_add(1, Ordering::Relaxed);
                let (epoch, rest) = (k / 6, k % 6);
                if epoch >= EPOCHS {
                    break;
                }
                let objects: &[u64] = if rest < 3 { &[0, 2, 4, 6] } else { &[5, 3, 1] };
                fill(&store, kind, epoch, (objects, &[rest % 3]), &FillOptions::default()).unwrap();
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        let store = place.open();
        check(&store, kind, &|_, _, _| true);
        for epoch in 0..EPOCHS {
            let filled = store.filled(epoch).unwrap().unwrap();
            assert!(filled.times.iter().all(|time| !time.is_nan()), "{kind} {epoch}: {filled:?}");
            let (whole, rest) = (0..MEASUREMENTS).partition::<Vec<u64>, _>(|m| {
                let objects = (0..OBJECTS).filter(|o| !value(*o, *m, epoch).is_nan()).count();
                usize::try_from(filled.objects[usize::try_from(*m).unwrap()]).unwrap() == objects
            });
            assert!(rest.is_empty() && whole.len() == 3, "{kind} {epoch}: {filled:?}");
        }
    }
}

/// Several begin at once to fill a store that has no record, whichever call fails: there is one afterwards, of what was filled.
#[test]
fn a_record_is_made_by_one_of_several() {
    let (kind, new) = stores().remove(0);
    let bare = || {
        let place = place();
        place.make(&new);
        let Location::Path(path) = &place.location else { unreachable!("a place is a path") };
        std::fs::remove_dir_all(path.join("fills")).unwrap();
        (path.clone(), place)
    };
    let (_, place) = bare();
    assert_eq!(place.open().filled(1).unwrap(), None);
    let (next, whole) = (AtomicU64::new(0), Barrier::new(6));
    let work = || {
        let (store, epoch) = (place.open(), next.fetch_add(1, Ordering::Relaxed) % EPOCHS);
        whole.wait();
        for m in 0..MEASUREMENTS {
            fill(&store, kind, epoch, (&[0, 1, 2, 3, 4, 5, 6], &[m]), &FillOptions::default()).unwrap();
        }
    };
    std::thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(work))));
    check(&place.open(), kind, &|_, _, _| true);
    for epoch in 0..EPOCHS {
        assert!(place.open().filled(epoch).unwrap().unwrap().times.iter().all(|time| !time.is_nan()));
    }
    for at in 0.. {
        let (_, place) = bare();
        let faults = Faults::new(Fault::Fail(5), at);
        let wrap = faults.clone();
        let io = Opener::auto().wrapped(move |store| faulty(store, &wrap));
        let all = (&[0, 1, 2, 3, 4, 5, 6][..], &[0, 1, 2][..]);
        let filled = LightCurveStore::open(&place.location, &io)
            .and_then(|store| fill(&store, kind, 2, all, &FillOptions::default()));
        if filled.is_err() {
            check_but(&place.open(), kind, &|_, _, _| false, &|_, _, e| e == 2);
            fill(&place.open(), kind, 2, all, &FillOptions::default()).unwrap();
        }
        check(&place.open(), kind, &|_, _, e| e == 2);
        assert_eq!(place.open().filled(2).unwrap().unwrap().runs.len(), 3);
        if faults.calls() <= at {
            break;
        }
    }
    // Something else is in its place.
    let (path, place) = bare();
    std::fs::create_dir(path.join("fills")).unwrap();
    std::fs::write(path.join("fills/zarr.json"), r#"{"zarr_format": 3, "node_type": "group"}"#).unwrap();
    let error = fill(&place.open(), kind, 2, (&[1], &[1]), &FillOptions::default()).unwrap_err();
    assert!(matches!(error, LightCurveError::Record { .. }), "{error}");
    assert_eq!(std::fs::read_dir(path.join("fills")).unwrap().count(), 1);
}

/// Objects, measurements and epochs in any order, and no chunk is decoded twice.
#[test]
fn what_is_wanted_is_read() {
    for (kind, new) in stores() {
        let place = place();
        let store = place.make(&new);
        for epoch in 0..EPOCHS {
            let all = (&[0, 1, 2, 3, 4, 5, 6][..], &[0, 1, 2][..]);
            fill(&store, kind, epoch, all, &FillOptions::default()).unwrap();
        }
        let name = &store.schema().values[0];
        let chunks = store.values(name).unwrap().elements().unwrap().chunks.count();
        let check = |objects: Option<&'static [u64]>,
                     measurements: Option<&'static [u64]>,
                     epochs: Option<Range<u64>>| {
            let listed = |list: Option<&'static [u64]>| list.map_or(Picked::All, Picked::List);
            let wanted = Wanted {
                objects: listed(objects),
                measurements: listed(measurements),
                epochs: epochs.clone().map_or(Picked::All, Picked::Range),
            };
            let block = store.read(name, &wanted).unwrap();
            let all = |n: u64| (0..n).collect::<Vec<_>>();
            let (o, m) =
                (objects.map_or(all(OBJECTS), <[u64]>::to_vec), measurements.map_or(all(3), <[u64]>::to_vec));
            let e: Vec<u64> = epochs.unwrap_or(0..EPOCHS).collect();
            let expected: Vec<f32> = if kind == "flux" {
                let of = |o: u64, e: u64| m.iter().map(move |m| value(o, *m, e));
                o.iter().flat_map(|o| e.iter().flat_map(move |e| of(*o, *e))).collect()
            } else {
                let of = |o: u64, m: u64| {
                    [1.0, 2.0]
                        .into_iter()
                        .flat_map(|half| e.iter().map(move |e| value(o, m, *e) / half))
                        .collect::<Vec<_>>()
                };
                o.iter().flat_map(|o| m.iter().flat_map(move |m| of(*o, *m))).collect()
            };
            let found: Vec<f32> =
                block.data.as_chunks::<4>().0.iter().map(|v| f32::from_ne_bytes(*v)).collect();
            assert_eq!(block.shape.iter().product::<u64>(), found.len() as u64);
            let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(
                found.len() == expected.len() && found.iter().zip(&expected).all(same),
                "{kind} {wanted:?}: {found:?}, {expected:?}"
            );
            assert!(block.cost.chunks <= chunks, "{kind} {wanted:?}: {:?} of {chunks} chunks", block.cost);
        };
        check(None, None, None);
        check(Some(&[3]), Some(&[1]), None);
        check(Some(&[6, 0, 3, 3]), Some(&[2, 0]), Some(1..4));
        check(None, Some(&[1]), Some(4..5));
        check(Some(&[1, 2]), None, Some(2..2));
        let wrong = |wanted: Wanted<'_>, expected: &str| {
            let error = store.read(name, &wanted).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        wrong(Wanted { objects: Picked::List(&[1, 7]), ..Wanted::default() }, "object 7 is out of range");
        wrong(Wanted { epochs: Picked::Range(3..6), ..Wanted::default() }, "epoch 5 is out of range");
    }
}

/// Whichever call of a fill fails, what follows it does not happen, as when its process is killed there: the store opens, what was filled
/// before is as it was, what is recorded is there whole, and the same can be filled again.
#[test]
fn a_fill_may_end_at_every_call() {
    // Each preset in one of the cuts, and one in shards.
    for (kind, new) in [0, 3, 5].map(|k| stores().remove(k)) {
        let mut ended = 0;
        for at in 0.. {
            let place = place();
            let store = place.make(&new);
            let (objects, measurements) = (&[0, 1, 2, 3, 4, 5, 6][..], &[0, 1, 2][..]);
            let options = FillOptions { run: "before", ..FillOptions::default() };
            fill(&store, kind, 1, (objects, measurements), &options).unwrap();
            fill(&store, kind, 2, (objects, &[0]), &options).unwrap();
            let before = store.filled(2).unwrap().unwrap();
            let faults = Faults::new(Fault::Fail(5), at);
            let wrap = faults.clone();
            let io = Opener::auto().wrapped(move |store| faulty(store, &wrap));
            let filled = LightCurveStore::open(&place.location, &io).and_then(|store| {
                let options = FillOptions { run: "now", ..FillOptions::default() };
                fill(&store, kind, 2, (objects, &[1, 2]), &options)
            });
            let store = place.open();
            let now = store.filled(2).unwrap().unwrap();
            let recorded = now.times[1..].iter().all(|time| !time.is_nan());
            check_but(&store, kind, &|_, m, e| e == 1 || (e == 2 && m == 0), &|_, m, e| e == 2 && m > 0);
            if filled.is_err() {
                ended += 1;
                assert_eq!(now.times[0].to_bits(), before.times[0].to_bits(), "{kind}, call {at}");
                if recorded {
                    check(&store, kind, &|_, _, e| e == 1 || e == 2);
                }
                fill(&store, kind, 2, (objects, &[1, 2]), &options).unwrap();
            }
            check(&store, kind, &|_, _, e| e == 1 || e == 2);
            assert!(store.filled(2).unwrap().unwrap().times.iter().all(|time| !time.is_nan()));
            if faults.calls() <= at {
                break;
            }
        }
        assert!(ended > 20, "{kind}: {ended} calls of a fill");
    }
}

/// A run without a name takes the name of the one before away.
#[test]
fn the_last_run_is_recorded() {
    let place = place();
    let store = place.make(&stores().remove(0).1);
    for (run, measurement) in [("first", 0), ("second", 1), ("", 0), ("", 1), ("third", 1)] {
        let options = FillOptions { run, ..FillOptions::default() };
        fill(&store, "flux", 2, (&[1, 2], &[measurement]), &options).unwrap();
        assert_eq!(store.filled(2).unwrap().unwrap().runs[usize::try_from(measurement).unwrap()], run);
    }
}

#[test]
fn wrong_contributions_are_refused() {
    let place = place();
    let store = place.make(&stores().remove(0).1);
    let data = vec![0; 4 * 3];
    let check = |epoch: u64, objects: Picked<'_>, measurements: Picked<'_>, name: &str, expected: &str| {
        let values: &[(&str, &[u8])] = &[(name, &data)];
        let contribution = Contribution { epoch, objects, measurements, values };
        let error = store.fill(&contribution, &FillOptions::default()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(5, Picked::List(&[1]), Picked::All, "flux", "epoch 5 is out of range: there are 5");
    check(0, Picked::List(&[7]), Picked::All, "flux", "object 7 is out of range: there are 7");
    check(0, Picked::List(&[1]), Picked::List(&[0, 3, 1]), "flux", "measurement 3 is out of range");
    check(0, Picked::List(&[1, 2, 1]), Picked::List(&[0]), "flux", "the same object twice");
    check(0, Picked::All, Picked::All, "flux", "12 bytes are given, [7, 3] elements of 4 bytes are expected");
    check(
        0,
        Picked::List(&[1]),
        Picked::All,
        "mag",
        "no array of values \"mag\": there are [\"flux\", \"flux_err\"]",
    );
    // Somebody else has the epoch.
    let root = place.location.open().unwrap();
    let held = root.open("fills/zarr.json", Access::Write).unwrap().unwrap();
    held.lock_range(2, 1).unwrap();
    let values: &[(&str, &[u8])] = &[("flux", &data)];
    let contribution =
        |epoch: u64| Contribution { epoch, objects: Picked::List(&[1]), measurements: Picked::All, values };
    let options = FillOptions { wait: Duration::from_millis(20), ..FillOptions::default() };
    let error = store.fill(&contribution(2), &options).unwrap_err();
    assert!(matches!(error, LightCurveError::Busy { epoch: 2, .. }), "{error}");
    store.fill(&contribution(3), &options).unwrap();
    // One thread waits for another.
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| store.fill(&contribution(2), &FillOptions::default()));
        std::thread::sleep(Duration::from_millis(50));
        assert!(!waits.is_finished());
        drop(held);
        waits.join().unwrap().unwrap();
    });
    // Chunks that there is no room for, and nothing is written.
    let options = FillOptions { memory_bytes_max: 1000, replace: Replace::ByValues, ..options };
    let error = store.fill(&contribution(4), &options).unwrap_err();
    assert!(matches!(error, LightCurveError::Room { bytes_max: 1000, needed: 1001.., .. }), "{error}");
    assert!(store.filled(4).unwrap().unwrap().times[0].is_nan());
}

#[test]
fn wrong_stores_are_refused() {
    let new = || NewStore::flux(2, 3, 1);
    let text = |labels: &[&str]| Column::Text(labels.iter().map(|l| (*l).to_owned()).collect());
    let label = |labels: Column, expected: &str| {
        let error = new().labels("object", labels).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    label(text(&["a", "a"]), "label \"a\" is there twice, as number 0 and 1");
    label(text(&["a", ""]), "label 1 is empty");
    label(text(&["a"]), "object has 1 values, object is 2 long");
    label(Column::Float(vec![1.0, 2.0]), "labels are text or whole numbers");
    let side = |dimension: &str, name: &str, expected: &str| {
        let (name, column, attributes) =
            (name.to_owned(), Column::Float(vec![1.0, 2.0]), serde_json::Map::new());
        let error = new().side(dimension, Named { name, column, attributes }).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    side("object", "flux", "no variable can be called \"flux\"");
    side("object", "fills", "no variable can be called");
    side("object", "a/b", "no variable can be called");
    side("epoch", "time", "time has 2 values, epoch is 3 long");
    side("band", "time", "no dimension \"band\": there are [\"object\", \"epoch\", \"measurement\"]");
    // A record of another shape, or of other elements.
    let place_of = |name: &str, from: &str, to: &str| {
        let place = place();
        place.make(&new());
        let (root, key) = (place.location.open().unwrap(), format!("fills/{name}/zarr.json"));
        let document = String::from_utf8(root.get(&key, u64::MAX).unwrap().unwrap()).unwrap();
        let compact = document.split_whitespace().collect::<String>();
        assert!(compact.contains(from), "{compact}");
        root.put(&key, compact.replacen(from, to, 1).as_bytes()).unwrap();
        let error = LightCurveStore::open(&place.location, &Opener::auto()).unwrap_err();
        assert!(matches!(error, LightCurveError::Record { .. }), "{error}");
    };
    place_of("time", "\"shape\":[3,1]", "\"shape\":[2,1]");
    place_of("time", "\"float64\"", "\"float32\"");
    place_of("objects", "\"chunk_shape\":[1,1]", "\"chunk_shape\":[2,1]");
    place_of("run", "\"shape\":[3,1]", "\"shape\":[3,2]");
    let nothing = place();
    assert!(LightCurveStore::open(&nothing.location, &Opener::auto()).is_err());
}

#[test]
fn chunks_that_are_said() {
    let check = |lengths: &[(&str, u64)], expected: &str| {
        let lengths = lengths.iter().map(|(name, length)| ((*name).to_owned(), *length)).collect();
        let (place, new) = (place(), NewStore::flux(OBJECTS, EPOCHS, MEASUREMENTS).cut(Cut::Chunks(lengths)));
        let found = match new.create(&place.location, (false, &Opener::auto())) {
            Ok(_) => {
                let store = place.open();
                format!("{:?}", store.values("flux").unwrap().elements().unwrap().layout.chunk)
            }
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expected), "{found}");
    };
    check(&[], "[7, 5, 3]");
    check(&[("epoch", 1), ("object", 100)], "[7, 1, 3]");
    check(
        &[("night", 1)],
        "there is no dimension \"night\": there are [\"object\", \"epoch\", \"measurement\"]",
    );
    check(&[("epoch", 0)], "a chunk has 1 or more along epoch");
}

#[test]
fn a_table_in_memory_is_filled() {
    use zarrange_lightcurve::{Mapping, Rejects, TableFill};
    use zarrange_table::{Cells, Field, Texts};
    let (place, mut objects) = (place(), Texts::default());
    let store = place.make(&stores()[0].1);
    for label in ["I2", "X", "I0"] {
        objects.push(label);
    }
    let field = |name: &str| Field { name: name.to_owned(), unit: None };
    let columns =
        [(field("id"), Cells::Text(objects)), (field("flux"), Cells::Single(vec![2.5, 1.0, f32::NAN]))];
    let mapping = Mapping {
        at: [("epoch", "1"), ("measurement", "2")].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec(),
        ..Mapping::default()
    };
    let how = TableFill {
        mapping: &mapping,
        options: FillOptions::default(),
        memory_bytes_max: 1 << 30,
        threads: 2,
    };
    let mut rejects = Rejects::new(None);
    let report = store.fill_columns("mine", columns.into(), &how, &mut rejects).unwrap();
    assert_eq!((report.rows, report.epochs[&1].changed, report.failed.len()), (2, 1, 0));
    assert_eq!((&rejects.first()[0].table[..], &rejects.first()[0].place[..]), ("mine", "row 2"));
    let wanted = Wanted { objects: Picked::List(&[2]), epochs: Picked::Range(1..2), ..Wanted::default() };
    let mut reader = store.reader("flux").unwrap();
    assert_eq!(reader.shape(&wanted).unwrap(), [1, 1, 3]);
    let mut data = vec![1; 12];
    reader.read_into(&wanted, &mut data).unwrap();
    assert_eq!(data, bytes(&[f32::NAN, f32::NAN, 2.5]));
}

#[test]
fn what_is_meant_has_numbers() {
    use zarrange_lightcurve::Which;
    let place = place();
    let store = place.make(&stores()[0].1);
    let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
    // In the order of the labels, as often as they are named; of what objects are meant, in theirs and once.
    assert_eq!(store.places("object", &labels(&["I3", "I0", "I3"]), 1 << 20).unwrap(), [3, 0, 3]);
    assert_eq!(store.places("epoch", &labels(&["4"]), 1 << 20).unwrap(), [4]);
    let error = store.places("object", &labels(&["I3", "I9"]), 1 << 20).unwrap_err();
    assert!(matches!(error, LightCurveError::NoLabel { .. }), "{error}");
    let meant = |which| store.numbers_of(&which, 1 << 20).unwrap();
    assert_eq!(meant(Which::Labels(labels(&["I3", "I0", "I3"]))), [0, 3]);
    assert_eq!(meant(Which::All), (0..OBJECTS).collect::<Vec<_>>());
    let error = store.numbers_of(&Which::Numbers(vec![OBJECTS]), 1 << 20).unwrap_err();
    assert!(matches!(error, LightCurveError::Index { .. }), "{error}");
}
