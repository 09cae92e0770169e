//! A ring that dies while requests are in flight.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::UringFiles;
use super::requests::{Reads, Writes};
use super::ring::{Operation, Requests as _, Slot, Step};
use crate::IoError;
use crate::backend::{Backend, Extent, ReadRequest, Source, WriteRequest};
use crate::backends::directory::Directory;

/// What the kernel answers when a ring was closed under its owner.
const BAD_RING: i32 = libc::EBADF;

thread_local! {
    /// Calls of the kernel until one fails, on this thread.
    static CALLS_LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Fails the call that a test chose.
pub(super) fn fail_if_told() -> io::Result<()> {
    match CALLS_LEFT.take() {
        Some(0) => Err(io::Error::from_raw_os_error(BAD_RING)),
        left => {
            CALLS_LEFT.set(left.map(|n| n - 1));
            Ok(())
        }
    }
}

fn content(k: usize) -> Vec<u8> {
    vec![u8::try_from(k % 251).unwrap(); 1 + k * 37 % 9000]
}

/// Descriptors of this process that lead below `dir`.
fn descriptors(dir: &Path) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().map(|e| std::fs::read_link(e.unwrap().path()));
    links.filter(|link| link.as_ref().is_ok_and(|to| to != dir && to.starts_with(dir))).count()
}

/// Runs `batch` with the ring dying at each call in turn, until a batch needs no more calls; how often it lost requests.
fn at_every_call(mut batch: impl FnMut() -> bool) -> u32 {
    let mut losses = 0;
    for call in 0.. {
        CALLS_LEFT.set(Some(call));
        let lost = batch();
        if CALLS_LEFT.take().is_some() {
            assert!(!lost, "nothing is lost where nothing failed");
            break;
        }
        // At the last call everything may be done already: reaping it is enough.
        losses += u32::from(lost);
        assert!(!batch(), "the next ring works");
    }
    losses
}

/// An outcome of a request: its own error names file, offset and length.
fn is_lost<T>(key: &str, bytes: usize, result: &Result<T, IoError>) -> bool {
    let Err(e) = result else { return false };
    let (message, named) = (e.to_string(), format!("{bytes} bytes at offset"));
    assert!(message.contains(key) && message.contains(&named) && message.contains("ring"), "{message}");
    true
}

fn directory(path: &Path) -> UringFiles {
    // As where a server makes names: that is what runs in the ring.
    UringFiles { creates: true, ..UringFiles::new(Arc::new(Directory::open(path, false).unwrap())) }
}

#[test]
fn reads_on_a_dying_ring() {
    let dir = tempfile::tempdir().unwrap();
    let keys: Vec<String> = (0..200).map(|k| format!("f{k}")).collect();
    for (k, key) in keys.iter().enumerate() {
        std::fs::write(dir.path().join(key), content(k)).unwrap();
    }
    let files = directory(dir.path());
    let losses = at_every_call(|| {
        let mut buffers = vec![vec![0; 10_000]; keys.len()];
        let requests = keys.iter().zip(&mut buffers);
        let mut batch: Vec<_> =
            requests.map(|(key, b)| ReadRequest::new(Source::Key(key), Extent::Whole, b)).collect();
        files.read("", &mut batch);
        let mut lost = false;
        for (k, request) in batch.iter().enumerate() {
            lost |= is_lost(&keys[k], 10_000, &request.result);
            if let Ok(read) = request.result {
                assert!(request.buffer[..read] == content(k), "{}", keys[k]);
            }
        }
        lost
    });
    assert!(losses > 2, "{losses}");
    assert_eq!(descriptors(dir.path()), 0, "every file was closed");
}

#[test]
fn writes_on_a_dying_ring() {
    for atomic in [false, true] {
        let losses = at_every_call(|| {
            let dir = tempfile::tempdir().unwrap();
            let files = directory(dir.path());
            let keys: Vec<String> = (0..40).map(|k| format!("d{}/f{k}", k % 3)).collect();
            let data: Vec<Vec<u8>> = (0..40).map(content).collect();
            let requests = keys.iter().zip(&data);
            let mut batch: Vec<_> =
                requests.map(|(key, data)| WriteRequest::whole(key, data, atomic)).collect();
            files.write("", &mut batch);
            let mut lost = false;
            for (k, request) in batch.iter().enumerate() {
                let (stored, bytes) = (std::fs::read(dir.path().join(&keys[k])), data[k].len());
                match is_lost(&keys[k], bytes, &request.result) {
                    false => assert!(stored.unwrap() == data[k], "{} was reported written", keys[k]),
                    // Either nothing, or all of it: the rename may have been the last thing done.
                    true if atomic => assert!(stored.map_or(true, |s| s == data[k]), "{}", keys[k]),
                    true => {}
                }
                lost |= request.result.is_err();
            }
            if atomic {
                for entry in
                    (0..3).flat_map(|d| std::fs::read_dir(dir.path().join(format!("d{d}")))).flatten()
                {
                    let name = entry.unwrap().file_name().into_string().unwrap();
                    assert!(!name.contains("partial"), "{name} was left behind");
                }
            }
            lost
        });
        assert!(losses > 2, "{losses}");
    }
}

/// A rename that was interrupted is repeated, and the temporary name is kept for it.
#[test]
fn an_interrupted_rename_is_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path(), false).unwrap();
    let (requests, mut slot) = (Writes::new(&directory, ""), Slot::default());
    let mut request = WriteRequest::whole("object", b"", true);
    assert!(matches!(requests.start(&mut request, &mut slot), Step::Submit(Operation::Open { .. })));
    let temp = dir.path().join(&slot.temp);
    slot.file = Some(std::fs::File::create(&temp).unwrap().into());
    let opened = requests.advance(&mut request, &mut slot, 0);
    assert!(matches!(opened, Step::Submit(Operation::Rename { .. })));
    for error in [libc::EINTR, libc::EAGAIN] {
        let again = requests.advance(&mut request, &mut slot, -error);
        assert!(matches!(again, Step::Submit(Operation::Rename { .. })) && temp.exists(), "{error}");
    }
    assert!(matches!(requests.advance(&mut request, &mut slot, -libc::EIO), Step::Done));
    assert!(request.result.is_err() && !temp.exists(), "what failed leaves nothing behind");
}

/// What the kernel has no thread for is carried out by the caller, at whatever it had come to.
#[test]
fn what_the_kernel_has_no_thread_for_is_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::open(dir.path(), false).unwrap();
    let names = || std::fs::read_dir(dir.path()).unwrap().count();
    // After the opening there is a name, temporary or its own; then it is written, and renamed.
    for (ended, atomic) in [(0, false), (1, false), (0, true), (1, true), (2, true)] {
        let (requests, mut slot) = (Writes::new(&directory, ""), Slot::default());
        let mut request = WriteRequest::whole("object", b"all of it", atomic);
        assert!(matches!(requests.start(&mut request, &mut slot), Step::Submit(Operation::Open { .. })));
        if ended > 0 {
            let path = dir.path().join(if atomic { &slot.temp } else { "object" });
            slot.file = Some(std::fs::File::create(&path).unwrap().into());
            assert!(matches!(
                requests.advance(&mut request, &mut slot, 0),
                Step::Submit(Operation::Write { .. })
            ));
        }
        if ended > 1 {
            let written = requests.advance(&mut request, &mut slot, 9);
            assert!(matches!(written, Step::Submit(Operation::Rename { .. })));
        }
        assert!(matches!(requests.advance(&mut request, &mut slot, -libc::ECANCELED), Step::Done));
        request.result.as_ref().unwrap_or_else(|e| panic!("{ended} {atomic}: {e}"));
        assert_eq!(
            (std::fs::read(dir.path().join("object")).unwrap().as_slice(), names()),
            (&b"all of it"[..], 1)
        );

        let (requests, mut slot, mut buffer) = (Reads::new(&directory, ""), Slot::default(), [0; 9]);
        let mut request = ReadRequest::new(Source::Key("object"), Extent::Whole, &mut buffer);
        assert!(matches!(requests.start(&mut request, &mut slot), Step::Submit(Operation::Open { .. })));
        if ended > 0 {
            slot.file = Some(std::fs::File::open(dir.path().join("object")).unwrap().into());
            assert!(matches!(
                requests.advance(&mut request, &mut slot, 0),
                Step::Submit(Operation::Read { .. })
            ));
        }
        assert!(matches!(requests.advance(&mut request, &mut slot, -libc::ECANCELED), Step::Done));
        assert!(matches!(request.result, Ok(9)) && buffer == *b"all of it");
        std::fs::remove_file(dir.path().join("object")).unwrap();
    }
}
