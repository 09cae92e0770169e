//! Stores of whole objects as others may make them: a map, and a directory.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use zarrange_io::Stop;
use zarrange_io::backends::callbacks::{Callbacks, Failure, Get, Listed, Put, Wanted};

/// Objects in a map. Like a server that tells the size of an object with each range of it.
#[derive(Debug, Default)]
pub(crate) struct Map {
    pub(crate) objects: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Keys in the order in which they were put.
    #[allow(dead_code, reason = "not every test reads it")]
    pub(crate) puts: Mutex<Vec<String>>,
    /// Answers so far: each get, put, listing and removal.
    pub(crate) calls: AtomicU64,
    /// The answer that fails, and whether what was asked is done all the same.
    pub(crate) fault: Option<(u64, bool)>,
    /// After how many more answers it answers no more, once the answer to a put of this key was lost.
    pub(crate) end: Option<(&'static str, u64)>,
    /// An object that cannot be deleted.
    pub(crate) stuck: Option<&'static str>,
    /// The first answer that is not given any more; 0 as long as that is not known.
    pub(crate) last: AtomicU64,
    /// The answer with which somebody asks to stop.
    pub(crate) asks: Option<(u64, Stop)>,
}

impl Map {
    /// These objects, of which answer `at` fails; with `done`, only the answer is lost.
    #[allow(dead_code, reason = "not every test needs one")]
    pub(crate) fn failing(at: u64, done: bool) -> Self {
        Self { fault: Some((at, done)), ..Self::default() }
    }

    /// These objects: `key` is put, and that is the last but `then` that is answered.
    #[allow(dead_code, reason = "not every test needs one")]
    pub(crate) fn ending(key: &'static str, then: u64) -> Self {
        Self { end: Some((key, then)), ..Self::default() }
    }

    /// These objects, with whose answer `at` somebody asks to stop.
    #[allow(dead_code, reason = "not every test needs one")]
    pub(crate) fn asking(at: u64, stop: Stop) -> Self {
        Self { asks: Some((at, stop)), ..Self::default() }
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether this answer fails, and whether what was asked is to be done.
    fn fault(&self) -> (bool, bool) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        self.asks.iter().filter(|(at, _)| *at == call).for_each(|(_, stop)| stop.request());
        match self.fault {
            _ if self.end.is_some() && self.is_over(call) => (true, false),
            Some((at, done)) if at == call => (true, done),
            _ => (false, true),
        }
    }

    fn is_over(&self, call: u64) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last > 0 && call >= last
    }

    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> Result<T, Failure> {
        let (fails, is_done) = self.fault();
        let done = is_done.then(|| change(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner)));
        done.filter(|_| !fails).ok_or_else(|| "the server is not there".into())
    }
}

/// The bytes of `object` that are wanted.
fn part(object: &[u8], wanted: &Wanted) -> Vec<u8> {
    let Wanted::Range(range) = wanted else { return object.to_vec() };
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX).min(object.len());
    object[at(range.start)..at(range.end)].to_vec()
}

impl Callbacks for Map {
    fn get(&self, gets: &mut [Get<'_>]) {
        for get in gets {
            match self.change(|objects| objects.get(get.key()).cloned()) {
                Err(error) => get.failed(error),
                Ok(None) => get.missing(),
                Ok(Some(object)) => {
                    get.found(&part(&object, get.wanted()));
                    get.has(object.len() as u64);
                }
            }
        }
    }

    fn put(&self, puts: &mut [Put<'_>]) {
        for put in puts {
            self.puts.lock().unwrap_or_else(PoisonError::into_inner).push(put.key().to_owned());
            let done = self.change(|objects| objects.insert(put.key().to_owned(), put.data().to_vec()));
            let lost = self.end.filter(|(key, _)| *key == put.key() && done.is_ok());
            match (done, lost) {
                (Err(error), _) => put.failed(error),
                (Ok(_), None) => put.done(),
                (Ok(_), Some((_, then))) => {
                    self.last.store(self.calls() + then, Ordering::Relaxed);
                    put.failed("the server is not there");
                }
            }
        }
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<(), Failure> {
        let start = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let names = self.change(|objects| {
            let mut names: BTreeMap<String, Option<u64>> = BTreeMap::new();
            for (key, object) in objects.iter() {
                match key.strip_prefix(&start).map(|rest| rest.split_once('/').ok_or(rest)) {
                    Some(Ok((prefix, _))) => drop(names.insert(prefix.to_owned(), None)),
                    Some(Err(name)) => drop(names.insert(name.to_owned(), Some(object.len() as u64))),
                    None => {}
                }
            }
            names
        })?;
        for (name, bytes) in &names {
            let listed = bytes
                .map_or(Listed::Prefix(name.as_str()), |bytes| Listed::Object { name, bytes: Some(bytes) });
            if !visit(listed) {
                break;
            }
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        if self.stuck == Some(key) {
            return Err("it is kept".into());
        }
        self.change(|objects| drop(objects.remove(key)))
    }
}

/// Files of a directory. Like a client that knows no sizes: it answers with bytes, whatever is asked.
#[derive(Debug)]
#[allow(dead_code, reason = "not every test needs one")]
pub(crate) struct Files(pub(crate) PathBuf);

impl Callbacks for Files {
    fn get(&self, gets: &mut [Get<'_>]) {
        for get in gets {
            match fs::read(self.0.join(get.key())) {
                Ok(object) => get.found(&part(&object, get.wanted())),
                Err(e) if is_absent(&e) => get.missing(),
                Err(e) => get.failed(e),
            }
        }
    }

    fn put(&self, puts: &mut [Put<'_>]) {
        for put in puts {
            let path = self.0.join(put.key());
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            match made.and_then(|()| fs::write(path, put.data())) {
                Ok(()) => put.done(),
                Err(e) => put.failed(e),
            }
        }
    }

    fn list(&self, prefix: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<(), Failure> {
        let entries = match fs::read_dir(self.0.join(prefix)) {
            Err(e) if is_absent(&e) => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|_| "a name that is not text")?;
            let listed = if entry.file_type()?.is_dir() {
                Listed::Prefix(&name)
            } else {
                Listed::Object { name: &name, bytes: None }
            };
            if !visit(listed) {
                break;
            }
        }
        Ok(())
    }

    fn delete(&self, key: &str) -> Result<(), Failure> {
        let path = self.0.join(key);
        match fs::remove_file(&path) {
            Err(e) if !is_absent(&e) => return Err(e.into()),
            _ => {}
        }
        // A prefix without objects is none.
        let around = path.ancestors().skip(1).take_while(|dir| *dir != self.0);
        let _ = around.map(fs::remove_dir).take_while(Result::is_ok).count();
        Ok(())
    }
}

/// A directory is no object, and nothing lies below one.
fn is_absent(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | IsADirectory | NotADirectory)
}
