//! A job that is asked to stop, at each of its calls in turn: nothing of it is left, or everything of it is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, json};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_grid::Region;
use zarrange_io::{
    Abilities, Access, Backend, Change, FileId, IoError, Location, Mark, Namespace, Object, Opener,
    ReadRequest, Stop, Visit, WriteRequest,
};
use zarrange_plan::Way;
use zarrange_rechunk::{
    ChunkSpec, Codecs, Named, NoProgress, RechunkError, Request, Verify, prepare, run, verify,
};

/// Asks to stop during one of the calls that pass.
#[derive(Debug)]
struct Asks {
    at: u64,
    calls: AtomicU64,
    /// Changes of names, other than removals, after it has asked.
    late: AtomicU64,
    stop: Stop,
}

impl Asks {
    fn call(&self) {
        if self.calls.fetch_add(1, Ordering::Relaxed) == self.at {
            self.stop.request();
        }
    }
}

#[derive(Debug)]
struct Asking(Arc<dyn Backend>, Arc<dyn Namespace>, Arc<Asks>);

impl Backend for Asking {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        self.2.call();
        self.0.read(within, batch);
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        self.2.call();
        self.0.write(within, batch);
    }
}

impl Namespace for Asking {
    fn abilities(&self, within: &str) -> Abilities {
        self.1.abilities(within)
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        self.2.call();
        self.1.open(within, key, access)
    }

    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        self.2.call();
        self.1.open_all(within, keys)
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        self.2.call();
        self.1.list(within, prefix, sizes, visit)
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        self.2.call();
        self.1.close(object)
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        self.2.call();
        self.1.identity(within, key)
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        self.2.call();
        self.1.mark(within, key)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        let renames = matches!(change, Change::Rename { .. } | Change::Move { .. } | Change::Exchange { .. });
        if self.2.stop.is_requested() && renames {
            self.2.late.fetch_add(1, Ordering::Relaxed);
        }
        self.2.call();
        self.1.change(within, change)
    }
}

fn create(location: &Location, shape: &[u64], chunk: &[u64]) {
    let codecs = Codecs::Zstd(1).resolve(&Layout { chunk: vec![], shard: None, codecs: vec![] }, 4);
    let document = Document::new(&ArraySpec {
        shape: shape.to_vec(),
        data_type: "uint32",
        fill_value: json!(0),
        layout: Layout { chunk: chunk.to_vec(), shard: None, codecs },
        dimension_names: vec!["a", "b"],
        attributes: Map::new(),
    });
    let array = Array::new(location.open().unwrap(), document, 3).unwrap();
    let data: Vec<u8> =
        (1..=shape.iter().product::<u64>()).flat_map(|k| u32::try_from(k).unwrap().to_ne_bytes()).collect();
    array.write_region(&Region::whole(shape), &data).unwrap();
    zarrange_array::publish_metadata(&location.open().unwrap(), &[(String::new(), &array)], &[], false)
        .unwrap();
}

fn named(shape: &[i64]) -> Named {
    Named { array: None, spec: ChunkSpec::Sizes(shape.to_vec()) }
}

#[test]
fn at_every_call() {
    let check = |source: &[u64],
                 chunk: &[i64],
                 shard: Option<&[i64]>,
                 way: Way,
                 memory: u64,
                 threads: u64| {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let place = |name: &str| Location::Path(dir.path().join(name));
        for name in ["source", "temp"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        let (from, to) = (place("source"), place("made/target"));
        create(&from, &[24, 20], source);
        let names = || {
            let names = |dir| std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
            names(dir.path().to_owned()).chain(names(dir.path().join("temp"))).collect::<Vec<_>>()
        };
        let before = names();
        let (mut stopped, mut at) = (0, 0);
        loop {
            let stop = Stop::default();
            let asks =
                Arc::new(Asks { at, calls: AtomicU64::new(0), late: AtomicU64::new(0), stop: stop.clone() });
            let wrap = asks.clone();
            let asking = move |backend, names| Arc::new(Asking(backend, names, wrap.clone()));
            let io = Opener::default().wrapped(move |store| store.wrapped(asking.clone())).stopped_by(stop);
            let prepared = prepare(Request {
                chunks: vec![named(chunk)],
                shards: shard.map(named).into_iter().collect(),
                memory_bytes_max: memory,
                threads,
                temp: Some(place("temp")),
                verify: Verify::Full,
                skip: vec![],
                io,
                way: Some(way),
                ..Request::new(from.clone(), to.clone())
            });
            let Ok(prepared) = prepared else {
                assert_eq!(names(), before, "call {at} looks");
                at += 1;
                continue;
            };
            match run(prepared, &NoProgress) {
                Ok(_) => {
                    let io = Opener::default();
                    let same = verify((&from, &to), &io, (1 << 20, 1), false, &NoProgress).unwrap();
                    assert_eq!(same.difference, None, "call {at}");
                    let left: Vec<_> = std::fs::read_dir(dir.path().join("made")).unwrap().collect();
                    assert_eq!(left.len(), 1, "call {at}: {left:?}");
                    std::fs::remove_dir_all(dir.path().join("made")).unwrap();
                }
                Err(RechunkError::Stopped { target, .. }) => {
                    assert!(target.ends_with("made/target"));
                    assert_eq!(names(), before, "call {at}");
                    stopped += 1;
                }
                Err(other) => panic!("call {at}: {other}"),
            }
            assert_eq!(
                asks.late.load(Ordering::Relaxed),
                0,
                "call {at}: it would publish after it was to stop"
            );
            if asks.calls.load(Ordering::Relaxed) <= at {
                break;
            }
            at += 1;
        }
        assert!(stopped > 15, "{way:?}: stopped by {stopped} calls of {at}");
    };
    check(&[24, 3], &[24, 3], None, Way::Copy, 1 << 20, 2);
    check(&[24, 3], &[24, 3], Some(&[24, 9]), Way::Repack, 1 << 20, 2);
    check(&[24, 3], &[5, 20], None, Way::Tiles, 1 << 20, 1);
    check(&[24, 3], &[4, 5], Some(&[12, 10]), Way::Tiles, 1 << 20, 3);
    check(&[24, 3], &[24, 4], None, Way::Sweep, 4000, 2);
    check(&[24, 1], &[1, 20], None, Way::Staged, 3000, 2);
    check(&[24, 1], &[1, 20], None, Way::Staged2, 3000, 4);
}
