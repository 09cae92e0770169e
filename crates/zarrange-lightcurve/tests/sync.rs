//! Copies that stay in step.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::time::Duration;

use tempfile::TempDir;
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Location, Opener};
use zarrange_lightcurve::{
    Column, Contribution, CopyOptions, Cut, FillOptions, LightCurveError, LightCurveStore, NewEpochs,
    NewStore, Picked, Replace, Synced, Wanted,
};
use zarrange_rechunk::{Codecs, Durability, NoProgress, Verify};

const OBJECTS: u64 = 3;

struct Places {
    _dir: TempDir,
    source: Location,
    copy: Location,
}

fn labels(range: Range<u64>) -> Column {
    Column::Text(range.map(|k| format!("night {k}")).collect())
}

fn options(io: Opener) -> CopyOptions {
    CopyOptions {
        cut: Cut::ObjectBlocks(4),
        codecs: Codecs::Keep,
        memory_bytes_max: 1 << 20,
        threads: 1,
        verify: Verify::Full,
        durability: Durability::None,
        overwrite: false,
        io,
    }
}

/// A store of ten epochs, six of which are filled and in its copy; then one of them is replaced, two are filled and two are added.
fn places() -> Places {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| Location::Path(dir.path().join(name));
    let places = Places { source: at("epochs.zarr"), copy: at("objects.zarr"), _dir: dir };
    let new = NewStore::flux(OBJECTS, 10, 1).labels("epoch", labels(0..10)).unwrap();
    new.create(&places.source, (false, &Opener::auto())).unwrap();
    (0..6).for_each(|epoch| places.fill(epoch, 1.0));
    LightCurveStore::copy((&places.source, &places.copy), &options(Opener::auto()), &NoProgress).unwrap();
    places.fill(2, 2.0);
    places.fill(7, 1.0);
    let new = NewEpochs { count: 2, labels: Some(labels(10..12)), side: Vec::new() };
    open(&places.source).append(&new, (Duration::ZERO, 1 << 20)).unwrap();
    places.fill(11, 1.0);
    places
}

fn open(location: &Location) -> LightCurveStore {
    LightCurveStore::open(location, &Opener::auto()).unwrap()
}

impl Places {
    fn fill(&self, epoch: u64, value: f32) {
        let data: Vec<u8> = [value, 2.0 * value, f32::NAN].iter().flat_map(|v| v.to_ne_bytes()).collect();
        let values: &[(&str, &[u8])] = &[("flux", &data), ("flux_err", &data)];
        let contribution = Contribution { epoch, objects: Picked::All, measurements: Picked::All, values };
        let options = FillOptions { replace: Replace::ByAll, run: "now", ..FillOptions::default() };
        open(&self.source).fill(&contribution, &options).unwrap();
    }

    fn sync(&self, io: Opener) -> Result<Synced, LightCurveError> {
        LightCurveStore::sync((&self.copy, None), &options(io), Duration::from_secs(1), &NoProgress)
    }

    /// Everything is recorded and there.
    fn check(&self) {
        let (copy, source) = (open(&self.copy), open(&self.source));
        let lag = copy.lag(&source).unwrap();
        assert_eq!((&lag.epochs[..], lag.new, lag.since), (&[][..], 0, None));
        assert_eq!(copy.schema(), source.schema());
        for array in ["flux", "flux_err"] {
            let read = |store: &LightCurveStore| store.read(array, &Wanted::default()).unwrap().data;
            assert_eq!(read(&copy), read(&source), "{array}");
        }
        for epoch in 0..source.schema().epochs().size {
            let filled = |store: &LightCurveStore| store.filled(epoch).unwrap().unwrap();
            assert_eq!(format!("{:?}", filled(&copy)), format!("{:?}", filled(&source)), "epoch {epoch}");
        }
        let root = self.copy.open().unwrap();
        let text = root.get("zarr.json", u64::MAX).unwrap().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let members = document["consolidated_metadata"]["metadata"].as_object().unwrap();
        for (name, axis) in [("epoch", 0), ("flux", 1), ("flux_err", 1), ("fills/time", 0)] {
            assert_eq!(members[name]["shape"][axis], 12, "{name}");
        }
        let label = |store: &LightCurveStore| store.labels("epoch", 1 << 20).unwrap().get(11);
        assert_eq!(label(&copy), label(&source));
    }
}

/// What of a copy is recorded as its source has it now is there whole.
fn check_recorded(copy: &LightCurveStore, source: &LightCurveStore) {
    let lag = copy.lag(source).unwrap();
    for epoch in (0..copy.schema().epochs().size).filter(|epoch| !lag.epochs.contains(epoch)) {
        let wanted = Wanted { epochs: Picked::List(&[epoch]), ..Wanted::default() };
        for array in ["flux", "flux_err"] {
            let read = |store: &LightCurveStore| store.read(array, &wanted).unwrap().data;
            assert_eq!(read(copy), read(source), "{array}, epoch {epoch}");
        }
    }
}

#[test]
fn a_copy_is_brought_up_to_date() {
    let places = places();
    let lag = open(&places.copy).lag(&open(&places.source)).unwrap();
    assert_eq!((&lag.epochs[..], lag.new), (&[2, 7, 11][..], 2));
    assert_eq!(lag.since, Some(open(&places.source).filled(2).unwrap().unwrap().times[0]));
    let synced = places.sync(Opener::auto()).unwrap();
    assert_eq!(
        (&synced.epochs[..], synced.new, &synced.arrays[..]),
        (&[2, 7, 11][..], 2, &["epoch".to_owned()][..])
    );
    places.check();
    assert_eq!(places.sync(Opener::auto()).unwrap(), Synced::default());
    let new = NewEpochs { count: 1, labels: Some(labels(12..13)), side: Vec::new() };
    let refused = open(&places.copy).append(&new, (Duration::ZERO, 1 << 20)).unwrap_err().to_string();
    assert!(refused.contains("is a copy of"), "{refused}");
    // Epochs that were added in part to the source are not brought.
    places.source.open().unwrap().put("fills/appending", b"").unwrap();
    let refused = places.sync(Opener::auto()).unwrap_err().to_string();
    assert!(refused.contains("adding epochs broke off there"), "{refused}");
}

/// Attributes of the root and of arrays of values are those of the source again, whatever becomes of them; what only the copy has is named.
#[test]
fn attributes_are_brought_and_what_is_left_over_is_named() {
    let places = places();
    places.sync(Opener::auto()).unwrap();
    let changed = |location: &Location, key: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let root = location.open().unwrap();
        let text = root.get(key, u64::MAX).unwrap().unwrap();
        let mut document: serde_json::Value = serde_json::from_slice(&text).unwrap();
        change(&mut document["attributes"]);
        root.put(key, document.to_string().as_bytes()).unwrap();
    };
    let attributes = |location: &Location, key: &str| -> serde_json::Value {
        let text = location.open().unwrap().get(key, u64::MAX).unwrap().unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["attributes"].clone()
    };
    let [root, flux] = ["zarr.json", "flux/zarr.json"];
    let layout = attributes(&places.copy, root)["layout"].clone();
    for (key, change) in [(root, "survey"), (flux, "unit")] {
        changed(&places.source, key, &|attributes| attributes[change] = serde_json::json!({"of": ["x", 1]}));
        changed(&places.copy, key, &|attributes| attributes["only here"] = 1.into());
        assert_eq!(places.sync(Opener::auto()).unwrap(), Synced::default(), "{key}");
        let (mut copy, mut source) = (attributes(&places.copy, key), attributes(&places.source, key));
        if key == root {
            assert_eq!(copy["layout"], layout);
            copy.as_object_mut().unwrap().remove("light_curves_source").unwrap();
            for attributes in [&mut copy, &mut source] {
                attributes.as_object_mut().unwrap().remove("layout").unwrap();
            }
        } else {
            // As who opens the store by its root finds it.
            let text = places.copy.open().unwrap().get(root, u64::MAX).unwrap().unwrap();
            let document: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(document["consolidated_metadata"]["metadata"]["flux"]["attributes"], source);
        }
        assert_eq!(copy, source, "{key}");
        places.check();
    }
    let removed = places.source.open().unwrap();
    for key in ["flux_err/zarr.json", "flux_err"] {
        removed.change(zarrange_io::Change::Remove(key)).unwrap();
    }
    let synced = places.sync(Opener::auto()).unwrap();
    assert!(synced.warnings[0].starts_with("array flux_err is not in the source"), "{synced:?}");
}

/// Any other array follows its source: what it holds, what it does not hold any more, its size, and the way it is stored.
#[test]
fn other_arrays_follow() {
    type Objects<'a> = &'a [(&'a str, &'a [u8])];
    let places = places();
    places.sync(Opener::auto()).unwrap();
    let root = places.source.open().unwrap();
    let document = |shape: u64, chunk: u64, unit: &str| {
        let chunk_grid = serde_json::json!({"name": "regular", "configuration": {"chunk_shape": [chunk]}});
        serde_json::json!({
            "zarr_format": 3, "node_type": "array", "shape": [shape], "data_type": "uint8", "chunk_grid": chunk_grid,
            "chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "bytes"}], "fill_value": 7,
            "attributes": {"unit": unit}, "dimension_names": ["quality"],
        })
    };
    let cases: [(_, Objects<'_>, &[u8]); 6] = [
        (document(4, 2, "x"), &[("c/0", &[1, 2]), ("c/1", &[3, 4])], &[1, 2, 3, 4]),
        (document(4, 2, "x"), &[("c/0", &[1, 2]), ("c/1", &[3, 5])], &[1, 2, 3, 5]),
        (document(4, 2, "x"), &[("c/1", &[3, 5])], &[7, 7, 3, 5]),
        (document(6, 2, "x"), &[("c/1", &[3, 5]), ("c/2", &[6, 6])], &[7, 7, 3, 5, 6, 6]),
        (document(6, 2, "y"), &[("c/1", &[3, 5]), ("c/2", &[6, 6])], &[7, 7, 3, 5, 6, 6]),
        (document(6, 3, "y"), &[("c/0", &[1, 1, 1]), ("c/1", &[2, 2, 2])], &[1, 1, 1, 2, 2, 2]),
    ];
    for (document, objects, values) in cases {
        for key in ["c/0", "c/1", "c/2"].map(|key| format!("quality/{key}")) {
            // What is not there need not go.
            let _ = root.change(zarrange_io::Change::Remove(&key));
        }
        for (key, bytes) in objects {
            root.put(&format!("quality/{key}"), bytes).unwrap();
        }
        root.put("quality/zarr.json", document.to_string().as_bytes()).unwrap();
        assert_eq!(places.sync(Opener::auto()).unwrap().arrays, ["quality"], "{document}");
        let zarrange_array::Node::Array(copy) =
            zarrange_array::open(&places.copy.open().unwrap().below("quality").unwrap()).unwrap()
        else {
            panic!("an array")
        };
        let mut read = vec![0; values.len()];
        let whole = zarrange_grid::Region::whole(copy.shape());
        zarrange_array::RegionReader::new(&copy).unwrap().read_into(&whole, &mut read).unwrap();
        let unit = copy.document().attributes().get("unit");
        assert_eq!((&read[..], unit.unwrap().as_str()), (values, document["attributes"]["unit"].as_str()));
        assert_eq!(places.sync(Opener::auto()).unwrap().arrays, [""; 0], "{document}");
    }
}

/// Whichever call ends it, both stores open, what is recorded is there, and the same can be done again.
#[test]
fn bringing_it_may_end_at_every_call() {
    let template = places();
    let (mut ended, mut step) = (0, 0);
    loop {
        let places = template.again();
        let faults = Faults::new(Fault::Fail(5), step);
        let wrap = faults.clone();
        let io = Opener::auto().wrapped(move |store| faulty(store, &wrap));
        if places.sync(io).is_err() {
            ended += 1;
            check_recorded(&open(&places.copy), &open(&places.source));
            places.sync(Opener::auto()).unwrap();
        }
        places.check();
        if faults.calls() <= step {
            break;
        }
        // Calls beside each other are alike, and this is to be fast.
        step += 3;
    }
    assert!(ended > 50, "{ended} calls");
}

impl Places {
    /// The same stores at another place.
    fn again(&self) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let at = |name: &str| Location::Path(dir.path().join(name));
        let again = Self { source: at("epochs.zarr"), copy: at("objects.zarr"), _dir: dir };
        for (from, to) in [(&self.source, &again.source), (&self.copy, &again.copy)] {
            let (Location::Path(from), Location::Path(to)) = (from, to) else { continue };
            copy_tree(from, to);
        }
        // A copy names its source.
        let Location::Path(copy) = &again.copy else { return again };
        let document = copy.join("zarr.json");
        let text = std::fs::read_to_string(&document).unwrap();
        std::fs::write(&document, text.replace(&self.source.to_string(), &again.source.to_string())).unwrap();
        again
    }
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap().path(), to.to_owned());
        let to = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy_tree(&entry, &to);
        } else {
            std::fs::copy(&entry, &to).unwrap();
        }
    }
}
