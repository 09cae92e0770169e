//! Objects in memory: for tests, `memory://`, and the fastest possible store.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::{
    Abilities, Access, Backend, Change, Extent, FileId, Handle, Mark, Namespace, Object, ReadRequest, Seen,
    Source, Visit, WriteRequest,
};
use crate::{IoError, key};

/// The bytes of one object, shared with whoever opened it.
#[derive(Clone, Debug, Default)]
struct MemoryObject(Arc<Mutex<Vec<u8>>>);

impl Handle for MemoryObject {
    fn bytes(&self) -> io::Result<u64> {
        Ok(lock(&self.0).len() as u64)
    }
}

impl MemoryObject {
    fn read(&self, key: &str, extent: Extent, buffer: &mut [u8]) -> Result<usize, IoError> {
        let data = lock(&self.0);
        let (available, bytes_max) = (data.len() as u64, buffer.len() as u64);
        let short = |offset| IoError::Short { location: locate(key), offset, bytes: bytes_max, available };
        let from = match extent {
            Extent::Whole if available > bytes_max => {
                return Err(IoError::TooLarge { location: locate(key), bytes: available, bytes_max });
            }
            Extent::Part { of, .. } if available != of => {
                return Err(IoError::Size { location: locate(key), bytes: available, expected: of });
            }
            Extent::Whole => &data[..],
            Extent::From(offset) | Extent::Part { offset, .. } => {
                let start = usize::try_from(offset).map_err(|_| short(offset))?;
                let end = start.checked_add(buffer.len()).ok_or_else(|| short(offset))?;
                data.get(start..end).ok_or_else(|| short(offset))?
            }
        };
        buffer[..from.len()].copy_from_slice(from);
        Ok(from.len())
    }

    fn write(&self, key: &str, offset: u64, data: &[u8]) -> Result<(), IoError> {
        let mut object = lock(&self.0);
        let range =
            usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(data.len())?));
        let length = object.len();
        let range = range.filter(|range| object.try_reserve(range.end.saturating_sub(length)).is_ok());
        let Some(range) = range else {
            let (location, bytes) = (locate(key), data.len() as u64);
            let source = io::ErrorKind::OutOfMemory.into();
            return Err(IoError::Transfer { operation: "write", location, offset, bytes, source });
        };
        if object.len() < range.end {
            object.resize(range.end, 0);
        }
        object[range].copy_from_slice(data);
        Ok(())
    }
}

/// A store in memory: both the names and the bytes.
#[derive(Debug, Default)]
pub struct Memory {
    objects: Mutex<BTreeMap<String, MemoryObject>>,
}

impl Memory {
    fn find(&self, key: &str) -> Result<MemoryObject, IoError> {
        lock(&self.objects).get(key).cloned().ok_or_else(|| IoError::NotFound { location: locate(key) })
    }

    /// Refuses a key at which, or below which, anything is.
    fn check_free(&self, key: &str) -> Result<(), IoError> {
        let objects = lock(&self.objects);
        let exists = objects.contains_key(key) || objects.range(below(key)).next().is_some();
        if exists { Err(taken(key)) } else { Ok(()) }
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), IoError> {
        let taken = self.take(from);
        if taken.is_empty() {
            return Err(IoError::NotFound { location: locate(from) });
        }
        self.put_below(taken, from, to);
        Ok(())
    }

    fn create(&self, key: &str) -> MemoryObject {
        let object = MemoryObject::default();
        lock(&self.objects).insert(key.to_owned(), object.clone());
        object
    }

    /// The object at `key` is now `data`, for whoever opens it from now on.
    fn replace(&self, key: &str, data: &[u8]) {
        let object = MemoryObject(Arc::new(Mutex::new(data.to_vec())));
        lock(&self.objects).insert(key.to_owned(), object);
    }

    /// Takes out the object at `key` and all below it.
    fn take(&self, key: &str) -> Vec<(String, MemoryObject)> {
        let mut objects = lock(&self.objects);
        let own = objects.contains_key(key).then(|| key.to_owned());
        let keys: Vec<String> =
            own.into_iter().chain(objects.range(below(key)).map(|(k, _)| k.clone())).collect();
        keys.into_iter().filter_map(|k| objects.remove_entry(&k)).collect()
    }

    fn put_below(&self, taken: Vec<(String, MemoryObject)>, from: &str, to: &str) {
        let mut objects = lock(&self.objects);
        objects.extend(taken.into_iter().map(|(k, v)| (format!("{to}{}", &k[from.len()..]), v)));
    }
}

impl Backend for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        for ReadRequest { source, extent, buffer, result } in batch {
            *result = match *source {
                Source::Key(key) => key::with(within, key, |key| self.find(key)?.read(key, *extent, buffer)),
                Source::Open(object) => object
                    .handle::<MemoryObject>()
                    .and_then(|opened| opened.read(object.place(), *extent, buffer)),
            };
        }
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        for WriteRequest { target, offset, data, result, .. } in batch {
            *result = match *target {
                Source::Key(key) => key::with(within, key, |key| {
                    self.replace(key, data);
                    Ok(())
                }),
                Source::Open(object) => object
                    .handle::<MemoryObject>()
                    .and_then(|opened| opened.write(object.place(), *offset, data)),
            };
        }
    }
}

impl Namespace for Memory {
    fn abilities(&self, _: &str) -> Abilities {
        Abilities::ALL
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        let key = key::join(within, key)?;
        let object = match access {
            Access::Read | Access::Write => self.find(&key)?,
            Access::Create => self.create(&key),
            Access::New => {
                // Under one lock: of two that want it, one gets it.
                let mut objects = lock(&self.objects);
                if objects.contains_key(&key) || objects.range(below(&key)).next().is_some() {
                    return Err(taken(&key));
                }
                objects.entry(key.clone()).or_default().clone()
            }
        };
        Ok(Object::new(within, key, object))
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        object.into_handle::<MemoryObject>().map(drop)
    }

    fn list(&self, within: &str, prefix: &str, _sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        let prefix = key::join(within, prefix)?;
        let mut entries: Vec<(String, Option<u64>)> = Vec::new();
        let objects = lock(&self.objects);
        let start = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut rest = objects.range(start.clone()..);
        // From name to name, however many keys are below each.
        while let Some((key, object)) = rest.next() {
            let Some(name) = key.strip_prefix(&start) else { break };
            if let Some((dir, _)) = name.split_once('/') {
                entries.push((dir.to_owned(), None));
                rest = objects.range(below(&format!("{start}{dir}")).end..);
            } else {
                entries.push((name.to_owned(), Some(lock(&object.0).len() as u64)));
            }
        }
        drop(objects);
        // The lock is free again: who visits may list as well.
        for (name, bytes) in entries {
            if !visit(&name, bytes.map_or(Seen::Directory { link: false }, |bytes| Seen::Object(Some(bytes))))
            {
                break;
            }
        }
        Ok(())
    }

    fn identity(&self, _: &str, key: &str) -> Result<Option<FileId>, IoError> {
        key::check(key).map(|()| None)
    }

    fn mark(&self, _: &str, key: &str) -> Result<Option<Mark>, IoError> {
        key::check(key).map(|()| None)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        let place = |key: &str| key::join(within, key);
        match change {
            Change::Remove(key) => drop(self.take(&place(key)?)),
            // There are no directories, only keys.
            Change::MakeDirectory(key) => self.check_free(&place(key)?)?,
            Change::Rename { from, to } => self.rename(&place(from)?, &place(to)?)?,
            Change::Move { from, to } => {
                let to = place(to)?;
                self.check_free(&to)?;
                self.rename(&place(from)?, &to)?;
            }
            Change::Exchange { a, b } => {
                let (a, b) = (place(a)?, place(b)?);
                let (at_a, at_b) = (self.take(&a), self.take(&b));
                self.put_below(at_a, &a, &b);
                self.put_below(at_b, &b, &a);
            }
            Change::RemoveEmpty(_) | Change::Sync | Change::SyncNames => {}
        }
        Ok(())
    }
}

/// The keys below a prefix, which is not empty.
fn below(prefix: &str) -> Range<String> {
    // The character behind the slash.
    format!("{prefix}/")..format!("{prefix}0")
}

fn taken(key: &str) -> IoError {
    IoError::os("create", locate(key), io::ErrorKind::AlreadyExists)
}

fn locate(key: &str) -> String {
    format!("memory://{key}")
}

/// A panic elsewhere leaves the map whole: every change is one insertion or removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
