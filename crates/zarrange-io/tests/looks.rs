//! Not seen is not absent: what cannot be looked at or is no file is an error in every backend, and nothing is waited for.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; mmap wants a promise")]

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use zarrange_io::zarrs::ZarrsStore;
use zarrange_io::{Access, Extent, IoError, Location, Opener, ReadRequest, Source, Store};
use zarrs_storage::{ReadableStorageTraits as _, StoreKey};

fn scratch_dir() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Every backend, and those that read past the page cache where the file system lets them.
fn openers(dir: &Path) -> Vec<(&'static str, Opener)> {
    // SAFETY: no file changes while it is read.
    let mmap = unsafe { Opener::mmap() };
    let uring = Opener::io_uring().unwrap();
    let direct = Opener::default().direct(true);
    let mut all =
        vec![("std", Opener::default()), ("pool", Opener::std_pool(3)), ("mmap", mmap), ("uring", uring)];
    fs::write(dir.join("probe"), b"probe").unwrap();
    match direct.open(&Location::Path(dir.to_owned())).unwrap().open("probe", Access::Read) {
        Err(IoError::NoDirect { .. }) => {
            println!("direct reads: not supported by this file system, not tested");
        }
        _ => all.extend([("direct", direct), ("uring direct", Opener::io_uring().unwrap().direct(true))]),
    }
    all
}

/// Fails, instead of the whole run of tests waiting, where something waits for ever.
fn within_reason(what: &'static str, work: impl FnOnce() + Send + 'static) {
    let (done, wait) = channel();
    let thread = std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match wait.recv_timeout(Duration::from_mins(1)) {
        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => panic!("{what}: waits"),
        _ => thread.join().unwrap(),
    }
}

fn fifo(path: impl AsRef<Path>) {
    mknodat(CWD, path.as_ref(), FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// Everything that asks for an object by its key: what each says, `None` for a missing one.
fn ask(store: &Store, key: &str) -> Vec<(String, Result<Option<()>, String>)> {
    let mut said = Vec::new();
    // A batch of several, as a pool and a ring carry out at once.
    for extent in [Extent::Whole, Extent::From(0), Extent::From(5), Extent::Part { offset: 0, of: 4 }] {
        let mut buffers = [[0; 4]; 9];
        let request = |buffer| ReadRequest::new(Source::Key(key), extent, buffer);
        let mut batch: Vec<_> = buffers.iter_mut().map(|buffer| request(&mut buffer[..])).collect();
        store.read(&mut batch);
        for request in batch {
            let result = match request.result {
                Ok(_) => Ok(Some(())),
                Err(e) if e.is_not_found() => Ok(None),
                Err(e) => Err(e.to_string()),
            };
            said.push((format!("read {extent:?}"), result));
        }
    }
    let mut say = |what: &str, result: Result<Option<()>, IoError>| {
        said.push((what.to_owned(), result.map_err(|e| e.to_string())));
    };
    say("get", store.get(key, 100).map(|data| data.map(|_| ())));
    say("reader", store.reader(key).map(|reader| reader.map(|_| ())));
    say("open", store.open(key, Access::Read).map(|object| object.map(|_| ())));
    let zarrs = ZarrsStore::new(store.clone()).get(&StoreKey::new(key).unwrap());
    said.push(("zarrs".to_owned(), zarrs.map(|data| data.map(|_| ())).map_err(|e| e.to_string())));
    said
}

/// What is asked for, and a part of what the error says; nothing for what is missing.
const CASES: [(&str, Option<&str>); 17] = [
    ("dangling", Some("cannot follow the link: it leads to nowhere/at/all, where nothing is")),
    ("dangling/0", Some("dangling: cannot follow the link")),
    ("dangling/0/1/2", Some("dangling: cannot follow the link")),
    ("dir/dangling/1", Some("dir/dangling: cannot follow the link")),
    ("linked/dangling/1", Some("linked/dangling: cannot follow the link")),
    ("circle", Some("circle: cannot follow the link: Too many levels")),
    ("circle/0", Some("circle: cannot follow the link: Too many levels")),
    ("fifo", Some("it is a FIFO, neither a file nor a directory")),
    ("fifo/0", Some("it is a FIFO")),
    ("to-fifo", Some("it is a FIFO")),
    ("full-fifo", Some("it is a FIFO")),
    ("socket", Some("it is a socket")),
    ("zero", Some("it is a device")),
    ("proc", Some("the system does not tell it")),
    ("nothing", None),
    ("dir/nothing/0", None),
    ("linked/nothing/0", None),
];

fn lay_out(dir: &Path) -> impl Sized + use<> {
    fs::create_dir(dir.join("dir")).unwrap();
    symlink("dir", dir.join("linked")).unwrap();
    for at in ["dangling", "dir/dangling"] {
        symlink("nowhere/at/all", dir.join(at)).unwrap();
    }
    symlink("elcric", dir.join("circle")).unwrap();
    symlink("circle", dir.join("elcric")).unwrap();
    fifo(dir.join("fifo"));
    symlink("fifo", dir.join("to-fifo")).unwrap();
    fifo(dir.join("full-fifo"));
    let full = fs::File::options().read(true).write(true).open(dir.join("full-fifo")).unwrap();
    std::io::Write::write_all(&mut &full, b"abcdefghijkl").unwrap();
    symlink("/dev/zero", dir.join("zero")).unwrap();
    symlink("/proc/version", dir.join("proc")).unwrap();
    fs::write(dir.join("file"), b"abcd").unwrap();
    // Its path may be longer than the name of a socket can be.
    let socket = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(socket.path().join("s")).unwrap();
    symlink(socket.path().join("s"), dir.join("socket")).unwrap();
    (full, listener, socket)
}

#[test]
fn only_what_is_missing_is_missing() {
    let dir = scratch_dir();
    let _open = lay_out(dir.path());
    for (name, opener) in openers(dir.path()) {
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        within_reason(name, move || {
            for (key, expected) in CASES {
                // What cannot be read past the page cache says so first.
                let direct = name.contains("direct") && key == "proc";
                for (asked, said) in ask(&store, key) {
                    match (&said, expected) {
                        (Ok(None), None) => {}
                        (Err(error), Some(_)) if direct => assert!(error.contains("proc"), "{error}"),
                        // That it has bytes all the same is seen only by who asks for its size.
                        (_, Some(_)) if key == "proc" && (asked.contains("From") || asked == "open") => {}
                        (Err(error), Some(part)) => {
                            let named = error.contains(part) || (key == "proc" && error.contains("stored"));
                            assert!(named, "{name}, {key}, {asked}: {error}");
                        }
                        _ => panic!("{name}, {key}, {asked}: {said:?}"),
                    }
                }
            }
        });
    }
}

#[test]
fn what_cannot_be_listed_is_not_empty() {
    let dir = scratch_dir();
    let _open = lay_out(dir.path());
    let list = |store: &Store, prefix: &str| store.visit(prefix, false, &mut |_, _| true);
    for (name, opener) in openers(dir.path()) {
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        for (prefix, expected) in
            CASES.into_iter().filter(|(key, _)| !["zero", "proc", "socket"].contains(key))
        {
            match (list(&store, prefix), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(part)) => {
                    assert!(error.to_string().contains(part), "{name}, {prefix}: {error}");
                }
                (other, _) => panic!("{name}, {prefix}: {other:?}"),
            }
        }
        for prefix in ["zero", "proc", "socket", "file"] {
            assert!(list(&store, prefix).is_err(), "{name}, {prefix}");
        }
    }
}

#[test]
fn places_below_broken_links_are_not_new() {
    let dir = scratch_dir();
    let _open = lay_out(dir.path());
    let place = |below: &str| Location::Path(dir.path().join(below));
    for (below, part) in [
        ("dangling/new", "dangling: cannot follow the link"),
        ("circle/new", "circle: cannot follow the link"),
        ("fifo/new", "it is a FIFO"),
    ] {
        for error in [
            place(below).exists().unwrap_err(),
            place(below).make_directories().unwrap_err(),
            Opener::default().open(&place(below)).unwrap_err(),
        ] {
            assert!(error.to_string().contains(part), "{below}: {error}");
        }
    }
    assert!(place("dangling").exists().unwrap());
    assert!(!place("linked/new").exists().unwrap());
    assert!(matches!(Opener::default().open(&place("linked/new")), Err(IoError::NotFound { .. })));
    let made = place("linked/new/deep").make_directories().unwrap();
    assert_eq!(made, [place("linked/new"), place("linked/new/deep")]);
}

#[test]
fn what_lies_in_a_removed_directory_is_not_missing() {
    let dir = scratch_dir();
    for (name, opener) in openers(dir.path()) {
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        let store = opener.open(&Location::Path(root.clone())).unwrap();
        fs::remove_dir(&root).unwrap();
        for (asked, said) in ask(&store, "c/0") {
            assert!(
                said.as_ref().is_err_and(|e| e.contains("removed meanwhile")),
                "{name}, {asked}: {said:?}"
            );
        }
        assert!(store.list("").is_err(), "{name}");
    }
}

#[test]
fn leases_are_waited_for() {
    const F_SETSIG: libc::c_int = 10;
    let dir = scratch_dir();
    let path = dir.path().join("leased");
    fs::write(&path, b"abcd").unwrap();
    for (name, opener) in openers(dir.path()) {
        let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
        let file = fs::File::open(&path).unwrap();
        let fd = file.as_raw_fd();
        // SAFETY: these commands take integers. The signal of a lease that is to be given up is one that is ignored.
        let leased = unsafe {
            libc::fcntl(fd, F_SETSIG, libc::SIGWINCH);
            libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK)
        };
        if leased != 0 {
            println!("not tested: no lease can be had here: {}", std::io::Error::last_os_error());
            return;
        }
        let holder = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            drop(file);
        });
        within_reason(name, move || {
            let mut buffer = [0; 4];
            let read = store.read_whole("leased", &mut buffer);
            assert_eq!(read.unwrap(), Some(4), "{name}");
        });
        holder.join().unwrap();
    }
}

/// A ring reads files that do not wait only where the file system can promise that; in memory and in stacked ones it may not.
#[test]
fn files_are_read_on_every_file_system() {
    for place in ["/dev/shm", env!("CARGO_TARGET_TMPDIR")] {
        let Ok(dir) = tempfile::tempdir_in(place) else {
            println!("not tested: {place} cannot be written");
            continue;
        };
        let data: Vec<u8> = (0..3_000_000_u32).map(|k| k.to_le_bytes()[1]).collect();
        for k in 0..20 {
            fs::write(dir.path().join(format!("{k}")), &data[k..]).unwrap();
        }
        for (name, opener) in openers(dir.path()) {
            let store = opener.open(&Location::Path(dir.path().to_owned())).unwrap();
            let keys: Vec<_> = (0..20).map(|k| k.to_string()).collect();
            let mut buffers = vec![vec![0; data.len()]; keys.len()];
            let mut batch: Vec<_> = keys
                .iter()
                .zip(&mut buffers)
                .map(|(key, buffer)| ReadRequest::new(Source::Key(key), Extent::Whole, buffer))
                .collect();
            store.read(&mut batch);
            for (k, request) in batch.iter().enumerate() {
                let read = request.result.as_ref().unwrap();
                assert!(request.buffer[..*read] == data[k..], "{name}, {place}");
            }
            let object = store.open("3", Access::Read).unwrap().unwrap();
            let mut buffer = vec![0; 1_000_000];
            store.read_at(&object, 7, &mut buffer).unwrap();
            assert!(buffer == data[10..1_000_010], "{name}, {place}");
        }
    }
}

#[test]
fn walks_end() {
    let check = |lay_out: &dyn Fn(&Path), expected: Result<&[&str], &str>| {
        // Where a link leads up, nothing of other tests is met.
        let around = scratch_dir();
        let dir = around.path().join("walked");
        fs::create_dir(&dir).unwrap();
        lay_out(&dir);
        let store = Location::Path(dir).open().unwrap();
        let mut keys = Vec::new();
        match (store.walk("", &mut |key, _| keys.push(key.to_owned())), expected) {
            (Ok(()), Ok(expected)) => assert_eq!(keys, expected),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (walked, expected) => panic!("{walked:?}, not {expected:?}: {keys:?}"),
        }
    };
    let make = |dir: &Path, name: &str| fs::create_dir(dir.join(name)).unwrap();
    let link = |to: &str, at: std::path::PathBuf| symlink(to, at).unwrap();
    check(
        &|dir| {
            make(dir, "a");
            fs::write(dir.join("a/file"), b"").unwrap();
            link("a", dir.join("b"));
            link("../a/file", dir.join("a/to-file"));
        },
        Ok(&["a/file", "a/to-file", "b/file", "b/to-file"]),
    );
    check(
        &|dir| {
            link(".", dir.join("a"));
            link(".", dir.join("b"));
        },
        Err("/a: a circle of links: it leads to "),
    );
    // The link leads to a directory around the root, and from there a directory that is no link back to it.
    check(&|dir| link("..", dir.join("up")), Err("a circle of links"));
    // Thirty directories with two links each to the next: a thousand million ways.
    check(
        &|dir| {
            for k in 0..30 {
                make(dir, &format!("{k}"));
                for name in ["x", "y"] {
                    link(&format!("../{}", k + 1), dir.join(format!("{k}/{name}")));
                }
            }
            make(dir, "30");
        },
        Err("in more than 256 ways"),
    );
    // Many links to one directory are no ways through it, whether from here or from directories that are linked themselves.
    let dir = scratch_dir();
    make(dir.path(), "view");
    make(dir.path(), "epochs");
    make(dir.path(), "coords");
    fs::write(dir.path().join("coords/file"), b"").unwrap();
    for k in 0..1500 {
        make(dir.path(), &format!("epochs/{k}"));
        link("../../coords", dir.path().join(format!("epochs/{k}/coords")));
        link(&format!("../epochs/{k}"), dir.path().join(format!("view/{k}")));
    }
    let mut files = 0;
    Location::Path(dir.path().to_owned()).open().unwrap().walk("", &mut |_, _| files += 1).unwrap();
    assert_eq!(files, 1 + 2 * 1500);
}
