//! Stores that get more epochs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tempfile::TempDir;
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{
    Appended, Column, Contribution, Cut, FillOptions, LightCurveError, LightCurveStore, Named, NewEpochs,
    NewStore, Picked, Wanted,
};

const OBJECTS: u64 = 3;

fn labels(range: std::ops::Range<u64>) -> Column {
    Column::Text(range.map(|k| format!("night {k}")).collect())
}

fn times(range: std::ops::Range<u64>) -> Named {
    let times = range.map(|k| f64::from(u32::try_from(k).unwrap()) + 0.5).collect();
    Named { name: "time".to_owned(), column: Column::Float(times), attributes: serde_json::Map::new() }
}

struct Place {
    _dir: TempDir,
    location: Location,
}

/// A store of five epochs, the last of which is filled.
fn place(cut: Cut) -> Place {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let location = Location::Path(dir.path().join("curves.zarr"));
    let new = NewStore::flux(OBJECTS, 5, 1).cut(cut);
    let new = new.labels("epoch", labels(0..5)).unwrap().side("epoch", times(0..5)).unwrap();
    new.create(&location, (false, &Opener::auto())).unwrap();
    let place = Place { _dir: dir, location };
    place.fill(4).unwrap();
    place
}

impl Place {
    fn open(&self) -> LightCurveStore {
        LightCurveStore::open(&self.location, &Opener::auto()).unwrap()
    }

    fn fill(&self, epoch: u64) -> Result<(), LightCurveError> {
        fill(&self.open(), epoch)
    }

    /// The document of the root, by which xarray opens a store, has so many epochs in every array, and nothing is left to be done.
    fn check_root(&self, epochs: u64) {
        let root = self.location.open().unwrap();
        let text = root.get("zarr.json", u64::MAX).unwrap().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let members = document["consolidated_metadata"]["metadata"].as_object().unwrap();
        for (name, axis) in [("epoch", 0), ("time", 0), ("flux", 1), ("flux_err", 1), ("fills/time", 0)] {
            assert_eq!(members[name]["shape"][axis], epochs, "{name}");
        }
        assert!(root.get("fills/appending", 1).unwrap().is_none());
    }

    /// It has `epochs`, of which 4 and those of `filled` have values.
    fn check(&self, epochs: u64, filled: &[u64]) {
        let store = self.open();
        assert_eq!(store.schema().epochs().size, epochs);
        let known = store.labels("epoch", 1 << 20).unwrap();
        let names: Vec<String> = (0..epochs).map(|k| known.get(k)).collect();
        let expected: Vec<String> = (0..epochs).map(|k| format!("night {k}")).collect();
        assert_eq!(names, expected);
        let read = store.read("flux", &Wanted::default()).unwrap();
        assert_eq!(read.shape, [OBJECTS, epochs, 1]);
        for (k, value) in read.data.as_chunks::<4>().0.iter().enumerate() {
            let epoch = k as u64 % epochs;
            let there = !f32::from_ne_bytes(*value).is_nan();
            assert_eq!(there, epoch == 4 || filled.contains(&epoch), "epoch {epoch}");
        }
        for epoch in 0..epochs {
            let recorded = store.filled(epoch).unwrap().unwrap().objects;
            assert_eq!(recorded == [3], epoch == 4 || filled.contains(&epoch), "epoch {epoch}");
        }
    }
}

fn fill(store: &LightCurveStore, epoch: u64) -> Result<(), LightCurveError> {
    let data: Vec<u8> = [1.0_f32, 2.0, 3.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let values: &[(&str, &[u8])] = &[("flux", &data), ("flux_err", &data)];
    let contribution = Contribution { epoch, objects: Picked::All, measurements: Picked::All, values };
    store.fill(&contribution, &FillOptions::default()).map(drop)
}

fn append(store: &LightCurveStore, range: std::ops::Range<u64>) -> Result<Appended, LightCurveError> {
    let new = NewEpochs {
        count: range.end - range.start,
        labels: Some(labels(range.clone())),
        side: vec![times(range)],
    };
    store.append(&new, (Duration::from_secs(1), 1 << 20))
}

#[test]
fn epochs_are_added_and_filled() {
    for cut in [Cut::EpochOptimized, Cut::TimeBlocks(2), Cut::TimeBlocks(5)] {
        let place = place(cut.clone());
        let old = place.open();
        assert_eq!(append(&old, 5..7).unwrap(), Appended { first: 5, size: 7, unset: vec![] });
        place.check(7, &[]);
        // Who opened it before goes on with what does not share a chunk with the new epochs, and is told otherwise.
        if cut != Cut::TimeBlocks(5) {
            fill(&old, 0).unwrap();
        }
        match fill(&old, 4) {
            Ok(()) => assert_ne!(cut, Cut::TimeBlocks(2)),
            Err(error) => {
                let error = error.to_string();
                assert!(error.contains("has grown") && error.contains("7 epochs"), "{error}");
            }
        }
        let again = append(&old, 5..6).unwrap_err().to_string();
        assert!(again.contains("has grown"), "{again}");
        place.fill(0).unwrap();
        place.fill(6).unwrap();
        append(&place.open(), 7..20).unwrap();
        place.check(20, &[0, 6]);
    }
}

/// Whichever call ends it, the store opens as it was or as it will be, and the same can be added again.
#[test]
fn adding_may_end_at_every_call() {
    let (mut ended, mut before) = (0, 0);
    for at in 0.. {
        let place = place(Cut::TimeBlocks(4));
        let faults = Faults::new(Fault::Fail(5), at);
        let wrap = faults.clone();
        let io = Opener::auto().wrapped(move |store| faulty(store, &wrap));
        let appended = LightCurveStore::open(&place.location, &io).and_then(|store| append(&store, 5..8));
        if appended.is_err() {
            ended += 1;
            if place.open().schema().epochs().size == 5 {
                before += 1;
                place.check(5, &[]);
                // Others that are filled meanwhile are not lost.
                place.fill(0).unwrap();
                append(&place.open(), 5..8).unwrap();
            } else {
                // Only the last steps were missing: who says the same again, or fills, does them.
                place.check(8, &[]);
                if at % 2 == 0 {
                    assert_eq!(
                        append(&place.open(), 5..8).unwrap(),
                        Appended { first: 5, size: 8, unset: vec![] }
                    );
                }
                place.fill(0).unwrap();
            }
            place.fill(7).unwrap();
            place.check(8, &[0, 7]);
        } else {
            place.check(8, &[]);
        }
        place.check_root(8);
        if faults.calls() <= at {
            break;
        }
    }
    assert!(before > 20 && ended > before, "{before} of {ended} calls");
}

#[test]
fn what_does_not_fit_is_refused() {
    let place = place(Cut::TimeBlocks(4));
    let store = place.open();
    let check = |new: NewEpochs, expected: &str| {
        let error = store.append(&new, (Duration::ZERO, 1 << 20)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        place.check(5, &[]);
    };
    let new = |count, labels: Option<Column>, side| NewEpochs { count, labels, side };
    let texts = |texts: &[&str]| Some(Column::Text(texts.iter().map(|text| (*text).to_owned()).collect()));
    let side = |name: &str, column| {
        vec![Named { name: name.to_owned(), column, attributes: serde_json::Map::new() }]
    };
    check(new(1, None, vec![]), "has labels: give those of the new ones");
    check(new(2, texts(&["a"]), vec![]), "epoch has 1 values, epoch is 2 long");
    check(new(2, texts(&["a", "a"]), vec![]), "\"a\" is there twice");
    check(new(2, texts(&["a", "night 3"]), vec![]), "\"night 3\" is there twice, as number 3 and 6");
    check(new(1, texts(&[""]), vec![]), "is empty");
    check(
        new(1, texts(&["a"]), side("seeing", Column::Float(vec![1.0]))),
        "no side variable \"seeing\": it has [\"time\"]",
    );
    check(new(1, texts(&["a"]), side("time", Column::Float(vec![]))), "time has 0 values");
    check(new(1, texts(&["a"]), side("time", Column::Text(vec!["now".to_owned()]))), "cannot have text");
    check(new(u64::MAX, texts(&["a"]), vec![]), "are too many");
    // A dimension that an array has twice.
    let root = place.location.open().unwrap();
    let document = zarrange_array::Document::new(&zarrange_array::ArraySpec {
        shape: vec![5, 5],
        data_type: "uint8",
        fill_value: 0.into(),
        layout: zarrange_array::Layout {
            chunk: vec![5, 5],
            shard: None,
            codecs: vec![zarrange_codec::CodecMetadata::new("bytes")],
        },
        dimension_names: vec!["epoch", "epoch"],
        attributes: serde_json::Map::new(),
    });
    let covariance = zarrange_array::Array::new(root.below("covariance").unwrap(), document, 3).unwrap();
    covariance.write_metadata().unwrap();
    let store = place.open();
    let error = append(&store, 5..6).unwrap_err().to_string();
    assert!(error.contains("covariance has the dimension epoch twice"), "{error}");
    place.check(5, &[]);
    root.change(zarrange_io::Change::Remove("covariance")).unwrap();
    let store = place.open();
    let many = NewEpochs { count: 1 << 40, ..NewEpochs::default() };
    let error = store.append(&many, (Duration::ZERO, 1 << 20)).unwrap_err().to_string();
    assert!(error.contains("are too many"), "{error}");
    let check = |new: NewEpochs, expected: &str| {
        let error = store.append(&new, (Duration::ZERO, 1 << 20)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    // A chunk that holds something behind the end of its array.
    let longer = store.values("flux").unwrap().document().with_shape(&[OBJECTS, 6, 1]);
    let flux =
        zarrange_array::Array::new(place.location.open().unwrap().below("flux").unwrap(), longer, 3).unwrap();
    let region = zarrange_grid::Region::new(&[0, 4, 0][..], &[OBJECTS, 2, 1][..]);
    let data: Vec<u8> = [1.0_f32, 9.0, 2.0, 9.0, 3.0, 9.0].iter().flat_map(|v| v.to_ne_bytes()).collect();
    flux.write_region(&region, &data).unwrap();
    check(new(1, texts(&["a"]), vec![]), "chunk c/0/1/0 holds values beyond the end");
}
