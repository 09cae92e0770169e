//! Whole objects behind callbacks: an object store, a store of another language, whatever gets, puts, lists and deletes.
//!
//! Such a store has no partial writes, no renames, no directories and no locks: what would need them is an error
//! ([`IoError::Unable`]), and nothing of it is done. What was put is as durable as the callbacks made it before they answered.

mod read;
mod requests;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use self::requests::{Failure, Get, Listed, Put, Wanted};
use crate::backend::{
    Abilities, Access, Backend, Change, FileId, Handle, Mark, Namespace, Object, ReadRequest, Seen, Source,
    Visit, WriteRequest,
};
use crate::{Coalescing, IoError, Store, key};

/// What a store of whole objects does. Keys are relative paths of plain segments, with `/` between them.
///
/// Gets and puts come in batches, and every one must be answered before the call returns: all at once, where that is possible, for
/// whoever handed them over waits for all. One that is not answered is an error.
pub trait Callbacks: Send + Sync + fmt::Debug {
    /// Answers every one of `gets`.
    fn get(&self, gets: &mut [Get<'_>]);

    /// Carries out every one of `puts`: a reader finds the old object or the new one, never a part.
    fn put(&self, puts: &mut [Put<'_>]);

    /// Whether a part of an object costs less to get than all of it. It does not where objects are computed when they are asked for.
    fn gets_parts(&self) -> bool {
        true
    }

    /// Calls `visit` with everything directly below `prefix`, in any order, as long as it returns true. `prefix` is a key, or empty
    /// for the whole store; below one that does not exist is nothing.
    ///
    /// # Errors
    /// If not all names can be told.
    fn list(&self, prefix: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<(), Failure>;

    /// Deletes the object at `key`, if there is one.
    ///
    /// # Errors
    /// If it may still be there.
    fn delete(&self, key: &str) -> Result<(), Failure>;
}

/// The store of the objects behind `callbacks`, called `label` in messages.
pub fn store(callbacks: Arc<dyn Callbacks>, label: &str) -> Store {
    let objects = Arc::new(Objects { callbacks, label: label.to_owned() });
    Store::new(objects.clone(), objects, label.to_owned(), Coalescing::OBJECT_STORE)
}

#[derive(Debug)]
struct Objects {
    callbacks: Arc<dyn Callbacks>,
    label: String,
}

/// An open object: the bytes that it had when it was opened.
#[derive(Debug)]
struct Opened(u64);

impl Handle for Opened {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.0)
    }
}

impl Objects {
    fn locate(&self, place: &str) -> String {
        let slash = if place.is_empty() { "" } else { "/" };
        format!("{}{slash}{place}", self.label)
    }

    fn failed(&self, operation: &'static str, place: &str, source: Failure) -> IoError {
        IoError::Callback { operation, location: self.locate(place), source }
    }

    fn unable(&self, place: &str, what: &'static str) -> IoError {
        IoError::Unable { location: self.locate(place), what }
    }

    /// Puts the objects of `batch`; the requests to open ones say that they cannot be carried out.
    fn put(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        let places: Vec<Result<String, IoError>> = batch
            .iter()
            .map(|request| match request.target {
                Source::Key(key) => key::join(within, key),
                Source::Open(object) => {
                    object.handle::<Opened>()?;
                    Err(self.unable(object.place(), PARTS))
                }
            })
            .collect();
        let data = places.iter().zip(&*batch).filter_map(|(place, request)| {
            let place = place.as_ref().ok()?;
            Some(Put::new(place, request.data))
        });
        let mut puts: Vec<Put<'_>> = data.collect();
        if !puts.is_empty() {
            self.callbacks.put(&mut puts);
        }
        let answers = puts.into_iter().map(Put::into_answer);
        let mut answers: std::vec::IntoIter<Result<(), Failure>> = answers.collect::<Vec<_>>().into_iter();
        for (request, place) in batch.iter_mut().zip(places) {
            request.result = place.and_then(|place| match answers.next() {
                Some(Ok(())) => Ok(()),
                Some(Err(source)) => Err(self.failed("write", &place, source)),
                None => Err(self.failed("write", &place, requests::unanswered())),
            });
        }
    }

    fn list(&self, place: &str, visit: &mut dyn FnMut(Listed<'_>) -> bool) -> Result<(), IoError> {
        self.callbacks.list(place, visit).map_err(|source| self.failed("list", place, source))
    }

    fn delete(&self, place: &str) -> Result<(), IoError> {
        self.callbacks.delete(place).map_err(|source| self.failed("remove", place, source))
    }

    /// Deletes everything below `place`.
    fn delete_below(&self, place: &str) -> Result<(), IoError> {
        let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
        self.list(place, &mut |listed| {
            match listed {
                Listed::Object { name, .. } => objects.push(key::joined(place, name)),
                Listed::Prefix(name) => prefixes.push(key::joined(place, name)),
            }
            true
        })?;
        objects.iter().try_for_each(|object| self.delete(object))?;
        prefixes.iter().try_for_each(|prefix| self.delete_below(prefix))
    }
}

/// What this store cannot do.
const PARTS: &str = "write parts of an object, or make one that it is sure is new";
const NAMES: &str = "change names, or make directories";

impl Backend for Objects {
    fn name(&self) -> &'static str {
        "callbacks"
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        self.get(within, batch);
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        self.put(within, batch);
    }
}

impl Namespace for Objects {
    fn abilities(&self, _: &str) -> Abilities {
        Abilities { partial_writes: false, partial_reads: self.callbacks.gets_parts(), renames: false }
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        let place = key::join(within, key)?;
        match access {
            Access::Read => {
                let bytes = self.bytes(&place)?;
                Ok(Object::new(within, place, Opened(bytes)))
            }
            Access::Write | Access::Create | Access::New => Err(self.unable(&place, PARTS)),
        }
    }

    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        let places: Vec<_> = keys.iter().map(|key| key::join(within, key)).collect();
        let mut sizes = self.sizes(places.iter().filter_map(|place| place.as_deref().ok())).into_iter();
        let opened = places.into_iter().map(|place| {
            let place = place?;
            let size =
                sizes.next().unwrap_or_else(|| Err(self.failed("read", &place, requests::unanswered())));
            Ok(Object::new(within, place, Opened(size?.bytes)))
        });
        opened.collect()
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        object.into_handle::<Opened>().map(drop)
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        let place = key::join(within, prefix)?;
        let mut wrong = None;
        self.list(&place, &mut |listed| {
            let (name, seen) = match listed {
                Listed::Object { name, bytes: None } if sizes => match self.bytes(&key::joined(&place, name))
                {
                    Ok(bytes) => (name, Seen::Object(Some(bytes))),
                    Err(error) => (name, Seen::Unseen(error)),
                },
                Listed::Object { name, bytes } => (name, Seen::Object(bytes)),
                Listed::Prefix(name) => (name, Seen::Directory { link: false }),
            };
            // A name is one segment of a key.
            if name.is_empty() || name.contains('/') || key::check(name).is_err() {
                wrong = Some(IoError::BadKey(key::joined(&place, name)));
                return false;
            }
            visit(name, seen)
        })?;
        wrong.map_or(Ok(()), Err)
    }

    fn identity(&self, _: &str, key: &str) -> Result<Option<FileId>, IoError> {
        key::check(key).map(|()| None)
    }

    fn mark(&self, _: &str, key: &str) -> Result<Option<Mark>, IoError> {
        key::check(key).map(|()| None)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        match change {
            Change::Remove(key) => {
                let place = key::join(within, key)?;
                if !place.is_empty() {
                    self.delete(&place)?;
                }
                self.delete_below(&place)
            }
            Change::Rename { from: key, .. }
            | Change::Move { from: key, .. }
            | Change::Exchange { a: key, .. }
            | Change::MakeDirectory(key)
            | Change::RemoveEmpty(key) => Err(self.unable(&key::join(within, key)?, NAMES)),
            // What was put is durable, as far as the callbacks know.
            Change::Sync | Change::SyncNames => Ok(()),
        }
    }
}
