//! Stores of sequences that observations are added to.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use zarrange_codec::CodecMetadata;
use zarrange_io::wrappers::faults::{Fault, Faults, faulty};
use zarrange_io::{Access, Location, Opener};
use zarrange_lightcurve::{
    FillOptions, IngestOptions, LightCurveError, LightCurveStore, LightCurves, Mapping, Query, Rejects,
    Replace, TableFill, TableReport, Wanted, ingest,
};

const HEAD: &str = "object_id,time,band,mag,magerr\n";

/// What the store begins with, and two nights: more observations than there are places, some in a new band, of one object before its last.
const BEFORE: &str = "a,1,g,10,0.1\na,2,r,11,0.2\nb,1,g,20,0.3\nc,5,g,30,\n";
const NIGHT: &str = "b,3,z,21,0.1\na,4,g,13,0.1\na,3,g,12,\nc,4,r,29,0.5\nb,2,r,20.5,0.2\n";

struct Place {
    dir: TempDir,
    location: Location,
}

/// The store of `rows`, in these chunks of objects and places.
fn place(rows: &str, chunk: [u64; 2]) -> Place {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let location = Location::Path(dir.path().join("curves.zarr"));
    let place = Place { dir, location };
    let curves = LightCurves::read_table(&place.table("before.csv", rows), &[], 1 << 20).unwrap();
    let chunks = ["time", "band", "mag", "magerr"].map(|name| (name.to_owned(), chunk.to_vec()));
    let options = IngestOptions {
        chunks: chunks.to_vec(),
        codecs: |_| {
            let endian = serde_json::json!([{"name": "bytes", "configuration": {"endian": "little"}}]);
            serde_json::from_value::<Vec<CodecMetadata>>(endian).unwrap()
        },
        memory_bytes_max: 1 << 20,
        overwrite: false,
        io: Opener::auto(),
    };
    ingest(&curves, &place.location, &options).unwrap();
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            std::fs::copy(&entry, &to).unwrap();
        }
    }
}

/// How a table is filled; `bytes_max` bounds what it takes.
fn how(mapping: &Mapping) -> TableFill<'_> {
    let options = FillOptions { wait: Duration::ZERO, ..FillOptions::default() };
    TableFill { mapping, options, memory_bytes_max: 1 << 20, threads: 2 }
}

impl Place {
    fn table(&self, name: &str, rows: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, format!("{HEAD}{rows}")).unwrap();
        path
    }

    /// The same store elsewhere.
    fn copy(&self) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let to = dir.path().join("curves.zarr");
        copy(&self.dir.path().join("curves.zarr"), &to);
        Self { dir, location: Location::Path(to) }
    }

    fn open(&self) -> LightCurveStore {
        LightCurveStore::open(&self.location, &Opener::auto()).unwrap()
    }

    /// Fills `rows`; what was done, and why rows were rejected.
    fn fill_how(
        &self,
        rows: &str,
        how: &TableFill<'_>,
    ) -> Result<(TableReport, Vec<String>), LightCurveError> {
        fill(&self.open(), &self.table("night.csv", rows), how)
    }

    /// The same; how many observations were added, how many values changed, and why rows were rejected.
    fn fill(&self, rows: &str) -> (u64, u64, Vec<String>) {
        let (report, rejected) = self.fill_how(rows, &how(&Mapping::default())).unwrap();
        assert!(report.failed.is_empty() && report.epochs.is_empty(), "{report:?}");
        let added = report.sequence.unwrap();
        (added.observations, added.written.changed, rejected)
    }

    /// Every observation as a row of a table, by object and time.
    fn rows(&self) -> Vec<String> {
        rows(&self.open())
    }
}

fn fill(
    store: &LightCurveStore,
    table: &Path,
    how: &TableFill<'_>,
) -> Result<(TableReport, Vec<String>), LightCurveError> {
    let mut rejects = Rejects::new(None);
    let report = store.fill_tables(&[table.to_owned()], how, &mut rejects, &|_| ())?;
    let told = rejects.first().iter().map(|rejected| format!("{}: {}", rejected.place, rejected.reason));
    Ok((report, told.collect()))
}

fn rows(store: &LightCurveStore) -> Vec<String> {
    let query = Query::default();
    let mut curves = store.curves(&query, 1 << 20).unwrap();
    let names: Vec<String> = curves.fields().iter().map(|field| field.name.clone()).collect();
    let mut rows = Vec::new();
    while let Some(part) = curves.read().unwrap() {
        for k in 0..part.lengths.iter().sum() {
            let text = |name: &str| {
                let text =
                    part.rows[names.iter().position(|other| other == name).unwrap()].text(k).into_owned();
                if text == "NaN" { String::new() } else { text }
            };
            rows.push(["object", "time", "band", "mag", "magerr"].map(text).join(","));
        }
    }
    rows
}

/// Rows of tables as [`rows`] has them.
fn sorted(tables: &[&str]) -> Vec<String> {
    let mut rows: Vec<String> = tables.iter().flat_map(|rows| rows.lines().map(str::to_owned)).collect();
    // Objects have one letter, and times one digit.
    rows.sort();
    rows
}

const CHUNKS: [[u64; 2]; 4] = [[100, 1], [2, 3], [1, 50], [3, 2]];

#[test]
fn nights_are_added_once() {
    for chunk in CHUNKS {
        let place = place(BEFORE, chunk);
        let (added, changed, rejected) = place.fill(NIGHT);
        // Of one observation the error is a gap.
        assert_eq!((added, changed, &rejected[..]), (5, 5 * 4 - 1, &[][..]), "{chunk:?}");
        assert_eq!(place.rows(), sorted(&[BEFORE, NIGHT]), "{chunk:?}");
        assert_eq!(place.open().schema().epochs().size, 4);
        // The same again, and what the store began with, changes nothing.
        for table in [NIGHT, BEFORE, &format!("{NIGHT}{BEFORE}")] {
            assert_eq!(place.fill(table), (0, 0, vec![]), "{chunk:?}");
        }
        // Where there is room nothing grows.
        assert_eq!(place.fill("c,6,w,31,0.1\n").0, 1);
        assert_eq!(place.open().schema().epochs().size, 4);
        let bands = place.open().values("band").unwrap().document().attributes();
        assert_eq!(bands.get("bands").unwrap().to_string(), r#"["g","r","z","w"]"#);
        assert_eq!(bands.get("flag_values").unwrap().to_string(), "[0,1,2,3]");
        assert_eq!(bands.get("flag_meanings").unwrap().as_str(), Some("g r z w"));
    }
}

/// In as many parts as there is memory for.
#[test]
fn more_rows_than_there_is_room_for() {
    let of = |object: char, count: u32| {
        (0..count).map(move |k| format!("{object},{k},g,{k}.5,1\n")).collect::<Vec<_>>().concat()
    };
    let place = place(BEFORE, [2, 64]);
    let night = format!("{}{}", of('d', 0), of('b', 3000).replace("b,1,g,1.5,1\n", ""));
    let mapping = Mapping::default();
    let (report, rejected) =
        place.fill_how(&night, &TableFill { memory_bytes_max: 1000, ..how(&mapping) }).unwrap();
    assert_eq!((report.rows, report.sequence.unwrap().observations, rejected.len()), (2999, 2999, 0));
    assert_eq!(place.open().schema().epochs().size, 3000);
    assert_eq!(place.fill(&night).0, 0);
    let times: Vec<String> = place
        .rows()
        .iter()
        .filter(|row| row.starts_with("b,"))
        .map(|row| row.split(',').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(times, (0..3000).map(|k| k.to_string()).collect::<Vec<_>>());
}

#[test]
fn what_cannot_be_used_is_named() {
    let cases = [
        ("x,7,g,1,1\n", "line 2: the store has no object \"x\""),
        (",7,g,1,1\n", "line 2: no object"),
        ("a,nan,g,1,1\n", "line 2: no time"),
        ("a,,g,1,1\n", "line 2: no time"),
        ("a,inf,g,1,1\n", "line 2: no time"),
        ("a,soon,g,1,1\n", "line 2: time: \"soon\" is no number"),
        ("a,7,,1,1\n", "line 2: no band"),
        ("a,7,g,bright,1\n", "line 2: mag: \"bright\" is no number"),
        ("a,7,g\n", "line 2: 3 fields, where there are 5 columns"),
        (
            "a,1,g,9,0.1\n",
            "line 2: mag of this observation is 10, and 9 is given: have it replaced if that is meant",
        ),
    ];
    let place = place(BEFORE, [2, 2]);
    for (row, expected) in cases {
        assert_eq!(place.fill(row), (0, 0, vec![expected.to_owned()]), "{row}");
    }
    assert_eq!(place.rows(), sorted(&[BEFORE]));
    // The second of two that differ names the first, and a third that is as the first one is no other.
    let (added, _, rejected) = place.fill("b,7,g,1,1\na,8,g,2,2\nb,7,g,3,1\nb,7,g,1,1\nb,7,r,9,9\n");
    assert_eq!((added, rejected.len()), (3, 1));
    assert!(
        rejected[0].starts_with("line 4: mag is 3, and was given before as 1 (")
            && rejected[0].ends_with("night.csv, line 2)")
    );
    // What one of two lacks the other has; where the first is refused, so is the second.
    assert_eq!(place.fill("c,8,g,1,\nc,8,g,,2\n"), (1, 4, vec![]));
    assert!(place.rows().contains(&"c,8,g,1,2".to_owned()));
    let (added, _, rejected) = place.fill("c,8,g,1,\nc,8,g,,3\n");
    assert_eq!((added, rejected.len()), (0, 2), "{rejected:?}");
    assert!(rejected[1].contains("it is the same observation as that of") && rejected[1].contains("line 2"));
    // More bands than a byte has.
    let many = (0..260).map(|k| format!("c,{},band{k},1,1\n", 10 + k)).collect::<Vec<_>>().concat();
    let (added, _, rejected) = place.fill(&many);
    assert_eq!((added, rejected.len()), (253, 7), "{rejected:?}");
    assert!(rejected.iter().any(|why| why.contains("more than 255 bands")), "{rejected:?}");
    assert!(rejected.iter().any(|why| why.contains("no code is left for band")), "{rejected:?}");
}

#[test]
fn values_are_replaced_and_gaps_filled() {
    let place = place(BEFORE, [2, 2]);
    // The error of c was not there, and is added.
    assert_eq!(place.fill("c,5,g,30,0.5\na,1,g,,\n"), (0, 1, vec![]));
    let mapping = Mapping::default();
    let replacing = FillOptions { replace: Replace::ByValues, ..how(&mapping).options };
    let (report, rejected) = place
        .fill_how("a,1,g,9,\nb,1,g,20,0.3\n", &TableFill { options: replacing, ..how(&mapping) })
        .unwrap();
    assert_eq!((report.sequence.unwrap().written.changed, rejected.len()), (1, 0));
    let expected = BEFORE.replace("c,5,g,30,", "c,5,g,30,0.5").replace("a,1,g,10,0.1", "a,1,g,9,0.1");
    assert_eq!(place.rows(), sorted(&[&expected]));
    // Times that are not quite the same are others, unless it is said how far they may be apart.
    let near = Mapping { tolerance: Some(0.01), ..Mapping::default() };
    let (report, rejected) =
        place.fill_how("b,1.005,g,20,0.3\nb,1.02,g,5,5\nb,1.025,g,5,5\n", &how(&near)).unwrap();
    assert_eq!((report.sequence.unwrap().observations, report.rows, rejected.len()), (1, 3, 0));
    for tolerance in [None, Some(f64::NAN), Some(-1.0)] {
        let odd = Mapping { tolerance, ..Mapping::default() };
        let (report, _) = place.fill_how("b,1.005,g,20,0.3\nb,1,g,20,0.3\n", &how(&odd)).unwrap();
        assert_eq!(report.sequence.unwrap().observations, u64::from(tolerance.is_none()));
    }
}

/// Whichever call ends it, the store opens with what it had, and the same can be filled again.
#[test]
fn a_fill_may_end_at_every_call() {
    let mapping = Mapping::default();
    for (chunk, night) in [([2, 2], NIGHT), ([100, 1], "b,2,g,1,1\nc,6,q,2,2\n")] {
        let (mut ended, mut sizes, first) = (0, Vec::new(), place(BEFORE, chunk));
        for at in 0.. {
            let place = first.copy();
            let table = place.table("night.csv", night);
            let faults = Faults::new(Fault::Fail(5), at);
            let wrap = faults.clone();
            let io = Opener::auto().wrapped(move |store| faulty(store, &wrap));
            let filled = LightCurveStore::open(&place.location, &io)
                .and_then(|store| fill(&store, &table, &how(&mapping)));
            let whole = sorted(&[BEFORE, night]);
            let now = place.rows();
            assert!(sorted(&[BEFORE]).iter().all(|row| now.contains(row)), "call {at}: {now:?}");
            assert!(now.iter().all(|row| whole.contains(row)), "call {at}: {now:?}");
            if filled.is_ok_and(|(report, _)| report.failed.is_empty()) {
                assert_eq!(now, whole);
            } else {
                ended += 1;
                sizes.push(place.open().schema().epochs().size);
                // Somebody else has another table, and then the first comes again.
                assert_eq!(place.fill("c,9,g,,\n").0, 1, "call {at}");
                let (_, _, rejected) = place.fill(night);
                assert!(rejected.is_empty(), "call {at}: {rejected:?}");
                assert_eq!(place.rows(), sorted(&[BEFORE, night, "c,9,g,,\n"]), "call {at}");
            }
            if faults.calls() <= at {
                break;
            }
        }
        let grown = sizes.iter().filter(|size| **size > 2).count();
        assert!(ended > 60 && (grown > 5) == (night == NIGHT), "{ended} calls, {grown} of them grown");
    }
}

/// Who has the store open while it grows reads on, and who fills it afterwards sees what was added.
#[test]
fn others_fill_and_read_meanwhile() {
    let place = place(BEFORE, [2, 2]);
    let (old, other) = (place.open(), place.open());
    let mapping = Mapping::default();
    place.fill(NIGHT);
    assert_eq!(old.read("mag", &Wanted::default()).unwrap().shape, [3, 2]);
    let table = place.table("more.csv", "a,9,z,1,1\nb,3,z,21,0.1\n");
    assert_eq!(fill(&old, &table, &how(&mapping)).unwrap().0.sequence.unwrap().observations, 1);
    assert_eq!(place.rows(), sorted(&[BEFORE, NIGHT, "a,9,z,1,1\n"]));
    // While somebody else adds, it is waited for.
    let root = place.location.open().unwrap();
    let held = root.open("object_id/zarr.json", Access::Write).unwrap().unwrap();
    held.lock_range(0, 1).unwrap();
    let error = fill(&other, &table, &how(&mapping)).unwrap_err();
    assert!(matches!(error, LightCurveError::BusyStore { .. }), "{error}");
    drop(held);
    // Many at once, each in bands of its own.
    std::thread::scope(|scope| {
        for k in 0..4 {
            let (place, mapping) = (&place, &mapping);
            scope.spawn(move || {
                let night = (0..9)
                    .map(|n| format!("{},{},own{k},{k},1\n", ['a', 'b', 'c'][n % 3], 20 + k))
                    .collect::<Vec<_>>()
                    .concat();
                let table = place.table(&format!("night{k}.csv"), &night);
                let options = FillOptions::default();
                let (report, rejected) =
                    fill(&place.open(), &table, &TableFill { options, ..how(mapping) }).unwrap();
                assert_eq!((report.sequence.unwrap().observations, rejected.len()), (3, 0));
            });
        }
    });
    let rows = place.rows();
    assert_eq!(rows.iter().filter(|row| row.contains("own")).count(), 12);
    assert!((0..4).all(|k| rows.contains(&format!("b,{},own{k},{k},1", 20 + k))), "{rows:?}");
}

#[test]
fn wrong_stores_are_refused() {
    let check = |name: &str, changes: &[(&str, &str)], expected: &str| {
        let place = place(BEFORE, [2, 2]);
        let (root, key) = (place.location.open().unwrap(), format!("{name}zarr.json"));
        let document = String::from_utf8(root.get(&key, u64::MAX).unwrap().unwrap()).unwrap();
        let mut compact = document.split_whitespace().collect::<String>();
        for (from, to) in changes {
            assert!(compact.contains(from), "{compact}");
            compact = compact.replacen(from, to, 1);
        }
        root.put(&key, compact.as_bytes()).unwrap();
        // Where there are no labels objects have numbers.
        let table = place.table("night.csv", "a,7,g,1,1\n0,7,g,1,1\n");
        let filled = LightCurveStore::open(&place.location, &Opener::auto())
            .and_then(|store| fill(&store, &table, &how(&Mapping::default())));
        let error = filled.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let attributes = "\"attributes\":{";
    check("", &[(attributes, "\"attributes\":{\"light_curves_version\":99,")], "a newer version than 1");
    check("", &[(attributes, "\"attributes\":{\"light_curves_source\":\"x\",")], "is a copy of x");
    check("band/", &[("flag_values", "flags")], "do not name a band for each code");
    check("band/", &[("\"uint8\"", "\"int8\""), (":255", ":-1")], "bands uint8");
    check("time/", &[("\"float64\"", "\"int64\""), ("\"NaN\"", "0")], "times would be float64");
    check("mag/", &[("[\"object\",\"sequence\"]", "[\"sequence\",\"object\"]")], "mag is");
    let inner = "\"codecs\":[{\"name\":\"bytes\"";
    check(
        "mag/",
        &[
            (
                inner,
                "\"codecs\":[{\"name\":\"sharding_indexed\",\"configuration\":{\"chunk_shape\":[1,1],\"index_location\":\"end\",\"index_codecs\":[{\"name\":\"bytes\",\"configuration\":{\"endian\":\"little\"}},{\"name\":\"crc32c\"}],\"codecs\":[{\"name\":\"bytes\"",
            ),
            ("}],\"attributes\"", "}]}}],\"attributes\""),
        ],
        "stored in shards",
    );
    let large = "\"chunk_shape\":[2000,10000]";
    check("mag/", &[("\"chunk_shape\":[2,2]", large)], "adding to a chunk of");
    check("object_id/", &[("[\"object\"]", "[\"other\"]")], "no array over objects alone");
}
