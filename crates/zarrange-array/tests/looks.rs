//! What cannot be looked at, or is no file, is an error of whoever reads: never a missing chunk, attribute or member.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; mmap wants a promise")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::{Map, json};
use zarrange_array::{
    Array, ArraySpec, Document, Layout, Node, RegionReader, ShardFile, ShardWriter, Without, open,
    publish_metadata, survey,
};
use zarrange_codec::CodecMetadata;
use zarrange_grid::Region;
use zarrange_io::{Location, Opener};

const SHAPE: [u64; 2] = [4, 4];

fn openers() -> Vec<(&'static str, Opener)> {
    // SAFETY: no file changes while it is read.
    let mmap = unsafe { Opener::mmap() };
    let pool = Opener::std_pool(2);
    vec![
        ("std", Opener::default()),
        ("pool", pool),
        ("mmap", mmap),
        ("io_uring", Opener::io_uring().unwrap()),
    ]
}

fn write_array(place: &Path, sharded: bool) -> Array {
    let codecs: Vec<CodecMetadata> = serde_json::from_value(json!([{"name": "bytes"}])).unwrap();
    let document = Document::new(&ArraySpec {
        shape: SHAPE.to_vec(),
        data_type: "uint8",
        fill_value: json!(0),
        layout: Layout { chunk: vec![2, 2], shard: sharded.then(|| vec![2, 4]), codecs },
        dimension_names: vec!["a", "b"],
        attributes: Map::new(),
    });
    fs::create_dir_all(place).unwrap();
    let store = Location::Path(place.to_owned()).open().unwrap();
    let array = Array::new(store, document, 3).unwrap();
    array.write_metadata().unwrap();
    if sharded {
        let chunks = array.chunks().unwrap();
        for shard in 0..2 {
            let mut writer = ShardWriter::new(&chunks).unwrap();
            let file = ShardFile::create(&chunks, &[shard, 0], false).unwrap();
            for inner in 0..2 {
                let offset = writer.reserve(inner, 4);
                file.write(offset, &[1; 4]).unwrap();
            }
            writer.finish(&chunks, file).unwrap();
        }
    } else {
        array.write_region(&Region::whole(&SHAPE), &[1; 16]).unwrap();
    }
    array
}

/// What stands in the place of something, and a part of the error. A FIFO is not waited for, whoever reads.
const KINDS: [(&str, &str); 4] = [
    ("dangling", "cannot follow the link"),
    ("circle", "follow the link"),
    ("fifo", "is a FIFO"),
    ("device", "is a device"),
];

fn put(kind: &str, at: &Path) {
    if at.is_dir() { fs::remove_dir_all(at) } else { fs::remove_file(at) }.unwrap();
    match kind {
        "dangling" => symlink("not/here", at),
        "circle" => symlink(at.file_name().unwrap(), at),
        "device" => symlink("/dev/zero", at),
        _ => {
            assert!(std::process::Command::new("mkfifo").arg(at).status().unwrap().success());
            Ok(())
        }
    }
    .unwrap();
}

#[test]
fn regions() {
    for (kind, part) in KINDS {
        for (sharded, at) in [(false, "c/1/1"), (false, "c/1"), (false, "c"), (true, "c/1/0"), (true, "c/1")]
        {
            let dir = tempfile::tempdir().unwrap();
            write_array(dir.path(), sharded);
            put(kind, &dir.path().join(at));
            for (name, opener) in openers() {
                let Node::Array(array) =
                    open(&opener.open(&Location::Path(dir.path().to_owned())).unwrap()).unwrap()
                else {
                    panic!("an array was written");
                };
                let what = format!("{kind} at {at}, {name}");
                let mut reader = RegionReader::new(&array).unwrap();
                let read = reader.read_into(&Region::whole(&SHAPE), &mut [9; 16]);
                let error = read.expect_err(&what).to_string();
                assert!(error.contains(part) && error.contains(at), "{what}: {error}");
                let error = array.scan(true, &mut |_| true).expect_err(&what).to_string();
                assert!(error.contains(at), "{what}: {error}");
            }
        }
    }
}

#[test]
fn members() {
    for (kind, _) in KINDS {
        for at in ["zarr.json", "x", "x/zarr.json", "x/c", "group/zarr.json", "group/y"] {
            let dir = tempfile::tempdir().unwrap();
            let place = |below: &str| Location::Path(dir.path().join(below)).open().unwrap();
            let y = write_array(&dir.path().join("group/y"), false);
            let x = write_array(&dir.path().join("x"), true);
            let group = |path: &str| (path.to_owned(), zarrange_array::Group::new(place(path), Map::new()));
            let groups = [group(""), group("group")];
            publish_metadata(&place(""), &[("group/y".to_owned(), &y), ("x".to_owned(), &x)], &groups, false)
                .unwrap();
            put(kind, &dir.path().join(at));
            for (name, opener) in openers() {
                let found =
                    survey(&opener.open(&Location::Path(dir.path().to_owned())).unwrap(), Without::NOTHING);
                let told = match found {
                    Err(error) => error.to_string(),
                    Ok(found) => {
                        let failed = found.failed.first.iter().map(|(_, error)| error.to_string());
                        failed.chain(found.beside.special.examples).collect::<Vec<_>>().join("\n")
                    }
                };
                assert!(told.contains(at), "{kind} at {at}, {name}: {told}");
            }
        }
    }
}
