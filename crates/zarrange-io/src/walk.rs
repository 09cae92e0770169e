//! Walks through directories that end, whatever links there are.
//!
//! A link to a directory is followed, as every reader of a key does. One that leads back to where the walk is would never end, and
//! neither would, in the life of anybody, twenty directories with two links each to the next. Only directories that links lead to,
//! and those below, are asked what they are; others cost nothing.

use std::collections::HashMap;

use crate::backend::FileId;
use crate::{IoError, Store};

/// A directory that was reached through links, and has links in it, is walked through at most so often.
const WAYS_MAX: u32 = 256;

/// The directories that a walk is in, from its root to the one that is looked at.
#[derive(Debug)]
pub struct Walk {
    /// The root.
    store: Store,
    way: Vec<Level>,
    /// How often links of a directory were followed that was itself reached through links.
    ways: HashMap<FileId, u32>,
}

#[derive(Debug)]
struct Level {
    /// Its key is that many bytes of the key of each directory below.
    key_bytes: usize,
    id: Option<FileId>,
    /// It is a link, or is below one.
    linked: bool,
    /// Its links were counted.
    counted: bool,
}

impl Walk {
    /// A walk from the root of `store`.
    pub fn new(store: Store) -> Self {
        Self { store, way: Vec::new(), ways: HashMap::new() }
    }

    /// Goes into the directory at `key`, directly below the last one that was entered and not left; `link` tells whether a link leads
    /// there. False if it was not entered, because of something that an error told before.
    ///
    /// # Errors
    /// [`IoError::Circle`] if it is one of those that it lies in, [`IoError::Ways`] if links lead to the directory around it in ever
    /// more ways; then it was not entered.
    pub fn enter(&mut self, key: &str, link: bool) -> Result<bool, IoError> {
        if link && !self.count(key)? {
            return Ok(false);
        }
        let linked = link || self.way.last().is_some_and(|level| level.linked);
        let id = if linked { self.store.identity(key)? } else { None };
        if id.is_some() {
            for level in &mut self.way {
                let around = &key[..level.key_bytes];
                if level.id.is_none() {
                    level.id = self.store.identity(around)?;
                }
                if level.id == id {
                    return Err(IoError::Circle { location: self.locate(key), to: self.locate(around) });
                }
            }
        }
        self.way.push(Level { key_bytes: key.len(), id, linked, counted: false });
        Ok(true)
    }

    /// Leaves the directory that was entered last.
    pub fn leave(&mut self) {
        self.way.pop();
    }

    /// Counts the ways to the directory that the link at `key` lies in; whether the link is to be followed.
    fn count(&mut self, key: &str) -> Result<bool, IoError> {
        let Some(Level { key_bytes, id: Some(id), linked: true, counted }) = self.way.last_mut() else {
            return Ok(true);
        };
        let (ways, again) = (self.ways.entry(*id).or_default(), std::mem::replace(counted, true));
        if !again {
            *ways = ways.saturating_add(1);
        }
        match *ways {
            ways if ways > WAYS_MAX + 1 || (ways > WAYS_MAX && again) => Ok(false),
            ways if ways > WAYS_MAX => {
                let around = &key[..*key_bytes];
                let (location, around) = (self.locate(key), self.locate(around));
                Err(IoError::Ways { location, around, ways_max: WAYS_MAX })
            }
            _ => Ok(true),
        }
    }

    fn locate(&self, key: &str) -> String {
        let slash = if key.is_empty() { "" } else { "/" };
        format!("{}{slash}{key}", self.store.label())
    }
}

impl Store {
    /// Calls `visit` with the key and size of every object below `prefix`.
    ///
    /// # Errors
    /// If a listing fails, or links lead in a circle.
    pub fn walk(&self, prefix: &str, visit: &mut dyn FnMut(&str, u64)) -> Result<(), IoError> {
        self.walk_on(prefix, &mut Walk::new(self.clone()), false, visit)
    }

    fn walk_on(
        &self,
        prefix: &str,
        walk: &mut Walk,
        link: bool,
        visit: &mut dyn FnMut(&str, u64),
    ) -> Result<(), IoError> {
        if !walk.enter(prefix, link)? {
            return Ok(());
        }
        for (entry, linked) in self.entries(prefix)? {
            let slash = if prefix.is_empty() { "" } else { "/" };
            let key = format!("{prefix}{slash}{}", entry.name);
            match entry.bytes {
                Some(bytes) => visit(&key, bytes),
                None => self.walk_on(&key, walk, linked, visit)?,
            }
        }
        walk.leave();
        Ok(())
    }
}
