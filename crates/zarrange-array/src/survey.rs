//! Everything below a place: nodes, what is wrong with some of them, and what is not Zarr.

use zarrange_io::{Seen, Store, Walk};

use crate::ArrayError;
use crate::array::Array;
use crate::hierarchy::{Documents, Group, Node, documents, open};
use crate::listing::{DOCUMENTS, Stored};

/// Groups lie in each other at most this deep.
const DEPTH_MAX: usize = 64;

/// Files that are named as examples.
const EXAMPLES: usize = 3;

/// What is below a place.
#[derive(Debug)]
pub struct Survey {
    /// Groups and arrays by path, parents first, names sorted; the root's path is empty.
    pub nodes: Vec<(String, Node)>,
    /// Members that cannot be opened, by path.
    pub failed: Vec<(String, ArrayError)>,
    /// What else there is.
    pub beside: Beside,
}

/// What lies beside the nodes of a hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Files that are neither metadata nor chunks of an array's grid.
    pub files: Counted,
    /// Metadata that no node is read from: attributes without a group, documents of v2 beside those of v3.
    pub metadata: Counted,
    /// Neither files nor directories, or nothing that can be looked at.
    pub special: Counted,
}

/// How many there are of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Their number.
    pub count: u64,
    /// The first of them, by path.
    pub examples: Vec<String>,
}

/// What is left out of a survey.
#[derive(Clone, Copy)]
pub struct Without<'a> {
    /// Whether the member at a path, and everything below it, is not even opened.
    pub skip: &'a dyn Fn(&str) -> bool,
    /// Whether the array at a path is not opened.
    pub unwanted: &'a dyn Fn(&str) -> bool,
}

impl Without<'_> {
    /// Nothing.
    pub const NOTHING: Without<'static> = Without { skip: &|_| false, unwanted: &|_| false };
}

impl Counted {
    fn add(&mut self, path: &str) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(path.to_owned());
        }
    }
}

/// Looks at everything below the root of `store`. What is wrong with one member does not keep others from being found.
///
/// # Errors
/// If the root itself is no group or array, or cannot be listed.
pub fn survey(store: &Store, without: Without<'_>) -> Result<Survey, ArrayError> {
    let mut found = Survey { nodes: Vec::new(), failed: Vec::new(), beside: Beside::default() };
    each_beside(store, without, &mut found, &mut |_| ())?;
    Ok(found)
}

/// As [`survey`], and calls `beside` with the path of every file that is neither metadata nor a chunk.
///
/// # Errors
/// As [`survey`].
pub fn each_beside(
    store: &Store,
    without: Without<'_>,
    found: &mut Survey,
    beside: &mut dyn FnMut(&str),
) -> Result<(), ArrayError> {
    let mut surveyor = Surveyor { without, found, beside, walk: Walk::new(store.clone()) };
    surveyor.walk.enter("", false)?;
    let root = match open(store) {
        Ok(Node::Group(group)) => {
            surveyor.directory(store, "", read_of_group(&group), 0)?;
            Node::Group(group)
        }
        Ok(Node::Array(array)) => {
            surveyor.array(&array, "", 0)?;
            Node::Array(array)
        }
        Err(error @ ArrayError::NotZarr { .. }) => {
            surveyor.directory(store, "", &[], 0)?;
            if surveyor.found.nodes.is_empty() {
                return Err(error);
            }
            Node::Group(Group::implicit(store.clone()))
        }
        Err(error) => return Err(error),
    };
    found.nodes.insert(0, (String::new(), root));
    Ok(())
}

/// The documents that a group is read from.
const fn read_of_group(group: &Group) -> &'static [&'static str] {
    if group.zarr_format() == 2 { &[".zgroup", ".zattrs", ".zmetadata"] } else { &["zarr.json"] }
}

struct Surveyor<'a> {
    without: Without<'a>,
    found: &'a mut Survey,
    beside: &'a mut dyn FnMut(&str),
    walk: Walk,
}

impl Surveyor<'_> {
    /// Looks at what is directly in a directory that is no array, and of whose documents those were `read`.
    fn directory(
        &mut self,
        store: &Store,
        path: &str,
        read: &[&str],
        depth: usize,
    ) -> Result<(), ArrayError> {
        if depth > DEPTH_MAX {
            let detail = format!("directories lie in each other more than {DEPTH_MAX} deep");
            return Err(ArrayError::Metadata { location: store.label().to_owned(), detail });
        }
        let mut directories = Vec::new();
        store.visit("", false, &mut |name, seen| {
            match seen {
                Seen::Directory { link } => directories.push((name.to_owned(), link)),
                Seen::Unseen(error) if !self.leaves_out(&join(path, name)) => {
                    self.found.failed.push((join(path, name), error.into()));
                }
                Seen::Unseen(_) => {}
                _ if read.contains(&name) => {}
                _ if DOCUMENTS.contains(&name) => self.found.beside.metadata.add(&join(path, name)),
                Seen::Object(_) => self.file(&join(path, name)),
                _ => self.found.beside.special.add(&join(path, name)),
            }
            true
        })?;
        directories.sort();
        for name in directories {
            self.below(store, &name, path, depth);
        }
        Ok(())
    }

    /// Looks at a member, which a link may lead to; what is wrong with it is noted.
    fn below(&mut self, store: &Store, (name, link): &(String, bool), path: &str, depth: usize) {
        let path = join(path, name);
        let looked = store.below(name).map_err(ArrayError::from);
        let looked = looked.and_then(|below| self.member(&below, (&path, *link), depth + 1));
        self.found.failed.extend(looked.err().map(|error| (path, error)));
    }

    fn leaves_out(&self, path: &str) -> bool {
        (self.without.skip)(path) || (self.without.unwanted)(path)
    }

    fn file(&mut self, path: &str) {
        self.found.beside.files.add(path);
        (self.beside)(path);
    }

    /// Looks at a directory below the root.
    fn member(&mut self, store: &Store, (path, link): (&str, bool), depth: usize) -> Result<(), ArrayError> {
        if (self.without.skip)(path) || !self.walk.enter(path, link)? {
            return Ok(());
        }
        let looked = self.node(store, path, depth);
        self.walk.leave();
        looked
    }

    /// Looks at a directory that was entered.
    fn node(&mut self, store: &Store, path: &str, depth: usize) -> Result<(), ArrayError> {
        match documents(store) {
            Ok(Documents::None) => self.undocumented(store, path, depth),
            Ok(Documents::Group(group)) => {
                let read = read_of_group(&group);
                self.found.nodes.push((path.to_owned(), Node::Group(group)));
                self.directory(store, path, read, depth)
            }
            Err(_) | Ok(Documents::Array(_)) if (self.without.unwanted)(path) => Ok(()),
            Ok(Documents::Array(array)) => {
                let (array, at) = (array.open(store)?, self.found.nodes.len());
                let scanned = self.array(&array, path, depth);
                self.found.nodes.insert(at, (path.to_owned(), Node::Array(Box::new(array))));
                scanned
            }
            Err(error) => Err(error),
        }
    }

    /// A directory without documents is a group if there are nodes below it.
    fn undocumented(&mut self, store: &Store, path: &str, depth: usize) -> Result<(), ArrayError> {
        let (nodes, failed) = (self.found.nodes.len(), self.found.failed.len());
        self.directory(store, path, &[], depth)?;
        if (self.found.nodes.len(), self.found.failed.len()) > (nodes, failed) {
            let group = Group::implicit(store.clone());
            self.found.nodes.insert(nodes, (path.to_owned(), Node::Group(group)));
        }
        Ok(())
    }

    /// Looks at what lies at the place of an array besides its chunks.
    fn array(&mut self, array: &Array, path: &str, depth: usize) -> Result<(), ArrayError> {
        let mut directories = Vec::new();
        array.scan(false, &mut |stored| {
            match stored {
                Stored::Chunk(..) => {}
                Stored::Beside(key) => self.file(&join(path, key)),
                Stored::Metadata(key) => self.found.beside.metadata.add(&join(path, key)),
                Stored::Special(key) => self.found.beside.special.add(&join(path, key)),
                Stored::Directory { key, link } => directories.push((key.to_owned(), link)),
            }
            true
        })?;
        directories.sort();
        for key in directories {
            self.below(array.store(), &key, path, depth);
        }
        Ok(())
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}
