//! Several stores as one that can be read: parts of it are stores of their own.
//!
//! An array of a part is read by that store, batch by batch, as if there were nothing around it: one look at where the array is, and
//! nothing is allocated. What is asked for by its key in the whole store finds its way, too, request by request.

use std::collections::BTreeMap;
use std::io;
use std::slice::from_mut;
use std::sync::Arc;

use crate::backend::{
    Abilities, Access, Backend, Change, FileId, Handle, Lock, Mark, Namespace, Object, ReadRequest, Seen,
    Source, Visit, WriteRequest,
};
use crate::{Coalescing, IoError, Store, key};

/// A part of a joined store.
#[derive(Clone, Debug)]
pub struct Part {
    /// What lies there.
    pub store: Store,
    /// Objects directly in the part that are those of the store around it all the same.
    pub documents: Vec<String>,
}

/// `base` with the `parts` that have keys in it. It cannot be written. `base` lists the keys of its parts as prefixes, and no part is
/// within another one.
///
/// # Errors
/// [`IoError::BadKey`].
pub fn joined(base: &Store, parts: BTreeMap<String, Part>) -> Result<Store, IoError> {
    parts.keys().try_for_each(|key| key::check(key))?;
    let mut kinds = parts.values().map(|part| part.store.coalescing());
    let coalescing = match kinds.next() {
        None => base.coalescing(),
        Some(first) if kinds.all(|kind| kind == first) => first,
        // Of different ones the one that a far store needs.
        Some(_) => Coalescing::OBJECT_STORE,
    };
    let label = base.label().to_owned();
    let joined = Arc::new(Joined { base: base.clone(), parts });
    Ok(Store::new(joined.clone(), joined, label, coalescing))
}

#[derive(Debug)]
struct Joined {
    base: Store,
    parts: BTreeMap<String, Part>,
}

/// An object that was opened by its key in the whole store.
#[derive(Debug)]
struct Routed {
    store: Store,
    object: Object,
}

impl Handle for Routed {
    fn bytes(&self) -> io::Result<u64> {
        self.object.bytes()
    }

    fn lock(&self) -> io::Result<Lock> {
        self.object.lock()
    }

    fn lock_range(&self, offset: u64, bytes: u64) -> io::Result<Lock> {
        self.object.lock_range(offset, bytes)
    }
}

impl Joined {
    /// The part that `place` is in, and the key there.
    fn part<'p>(&self, place: &'p str) -> Option<(&Part, &'p str)> {
        let mut ends = place.match_indices('/').map(|(at, _)| at).chain([place.len()]);
        ends.find_map(|end| Some((self.parts.get(&place[..end])?, place[end..].trim_start_matches('/'))))
    }

    /// The store of the object at `place`, and its key there.
    fn route<'p>(&self, place: &'p str) -> (&Store, &'p str) {
        match self.part(place) {
            Some((part, key)) if !part.has_document(key) => (&part.store, key),
            _ => (&self.base, place),
        }
    }

    fn unable(&self, within: &str, key: &str) -> IoError {
        let location = format!("{}/{}", self.base.label(), key::joined(within, key));
        IoError::Unable { location, what: "write: several stores that are read as one cannot be written" }
    }

    /// Carries out one request, wherever its object is.
    fn read_one(&self, within: &str, request: &mut ReadRequest<'_>) {
        let through = |store: &Store, source: Source<'_>, request: &mut ReadRequest<'_>| {
            let mut same = ReadRequest::new(source, request.extent, &mut *request.buffer);
            store.read(from_mut(&mut same));
            same.result
        };
        request.result = match request.source {
            Source::Key(key) => key::join(within, key).and_then(|place| {
                let (store, key) = self.route(&place);
                through(store, Source::Key(key), request)
            }),
            Source::Open(object) => match (object.handle::<Routed>(), self.part(within)) {
                (Ok(routed), _) => through(&routed.store, Source::Open(&routed.object), request),
                (Err(_), Some((part, _))) => through(&part.store, request.source, request),
                (Err(foreign), None) => Err(foreign),
            },
        };
    }
}

impl Part {
    fn has_document(&self, key: &str) -> bool {
        self.documents.iter().any(|document| document == key)
    }

    /// Whether the store of this part has what is asked for.
    fn has(&self, request: &ReadRequest<'_>) -> bool {
        match request.source {
            Source::Key(key) => !self.has_document(key),
            Source::Open(object) => object.handle::<Routed>().is_err(),
        }
    }
}

impl Backend for Joined {
    fn name(&self) -> &'static str {
        "joined"
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        match self.part(within) {
            Some((part, "")) if batch.iter().all(|request| part.has(request)) => part.store.read(batch),
            _ => batch.iter_mut().for_each(|request| self.read_one(within, request)),
        }
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        for request in batch {
            request.result = Err(self.unable(within, request.target.key()));
        }
    }
}

impl Namespace for Joined {
    fn abilities(&self, within: &str) -> Abilities {
        let store = self.part(within).map_or(&self.base, |(part, _)| &part.store);
        Abilities { partial_writes: false, partial_reads: store.abilities().partial_reads, renames: false }
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        if access != Access::Read {
            return Err(self.unable(within, key));
        }
        // Whoever has opened an array of a part reads it there.
        let within_part = matches!(self.part(within), Some((part, "")) if !part.has_document(key));
        let place = key::join(within, key)?;
        let (store, key) = self.route(&place);
        let missing = || IoError::NotFound { location: format!("{}/{key}", store.label()) };
        let object = store.open(key, access)?.ok_or_else(missing)?;
        if within_part {
            return Ok(object);
        }
        let store = store.clone();
        Ok(Object::new(within, place, Routed { store, object }))
    }

    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        match self.part(within) {
            Some((part, "")) if !keys.iter().any(|key| part.has_document(key)) => {
                let missing = |key| IoError::NotFound { location: format!("{}/{key}", part.store.label()) };
                let opened = part.store.open_all(keys).into_iter().zip(keys);
                opened.map(|(opened, key)| opened?.ok_or_else(|| missing(key))).collect()
            }
            _ => keys.iter().map(|key| self.open(within, key, Access::Read)).collect(),
        }
    }

    fn close(&self, _: Object) -> Result<(), IoError> {
        Ok(())
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        let place = key::join(within, prefix)?;
        let Some((part, below)) = self.part(&place) else { return self.base.visit(&place, sizes, visit) };
        let documents = if below.is_empty() { part.documents.as_slice() } else { &[] };
        let mut goes_on = true;
        part.store.visit(below, sizes, &mut |name, seen| {
            goes_on = documents.iter().any(|document| document == name) || visit(name, seen);
            goes_on
        })?;
        for name in documents.iter().take_while(|_| goes_on) {
            let place = key::joined(&place, name);
            let Some(object) = self.base.open(&place, Access::Read)? else { continue };
            let bytes = object.bytes().map_err(|e| IoError::os("read size", place, e))?;
            if !visit(name, Seen::Object(Some(bytes))) {
                break;
            }
        }
        Ok(())
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        let place = key::join(within, key)?;
        let (store, key) = self.route(&place);
        store.identity(key)
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        let place = key::join(within, key)?;
        let (store, key) = self.route(&place);
        store.mark(key)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        match change {
            Change::Remove(key)
            | Change::Rename { from: key, .. }
            | Change::Move { from: key, .. }
            | Change::Exchange { a: key, .. }
            | Change::MakeDirectory(key)
            | Change::RemoveEmpty(key) => Err(self.unable(within, key)),
            Change::Sync | Change::SyncNames => Ok(()),
        }
    }
}
