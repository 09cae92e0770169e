//! Everything below a place: nodes, what is wrong with some of them, and what is not Zarr.

use zarrange_io::{Seen, Store, Walk};

use crate::ArrayError;
use crate::array::Array;
use crate::document::Watch;
use crate::hierarchy::{Documents, Group, Node, documents, open_watched};
use crate::listing::{DOCUMENTS, Stored};

/// Groups lie in each other at most this deep.
const DEPTH_MAX: usize = 64;

/// Files that are named as examples.
const EXAMPLES: usize = 3;

/// What is below a place.
#[derive(Debug, Default)]
pub struct Survey {
    /// Groups and arrays, parents first, names sorted; the root's path is empty.
    pub nodes: Vec<Found>,
    /// Members that cannot be opened.
    pub failed: Failed,
    /// What else there is.
    pub beside: Beside,
}

/// A group or array that was found. Its documents, which may be large, are read again when it is opened.
#[derive(Clone, Debug)]
pub struct Found {
    path: Box<str>,
    kind: Kind,
    hash: u128,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Group,
    /// A group without a document.
    Implicit,
    Array,
}

impl Found {
    fn new(path: &str, node: &Node, watch: &Watch) -> Self {
        let kind = match node {
            Node::Array(_) => Kind::Array,
            Node::Group(group) if group.is_implicit() => Kind::Implicit,
            Node::Group(_) => Kind::Group,
        };
        Self { path: path.into(), kind, hash: watch.hash() }
    }

    /// Looks at the node at `path` below `root`.
    ///
    /// # Errors
    /// As [`open`](crate::open).
    pub fn look(root: &Store, path: &str) -> Result<Self, ArrayError> {
        let mut watch = Watch::new();
        let node = open_watched(&root.below(path)?, &mut watch)?;
        Ok(Self::new(path, &node, &watch))
    }

    /// Its path; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether it is an array.
    pub fn is_array(&self) -> bool {
        self.kind == Kind::Array
    }

    /// Whether it is a group without a document of its own.
    pub fn is_implicit(&self) -> bool {
        self.kind == Kind::Implicit
    }

    /// The memory that it takes.
    pub const fn bytes(&self) -> u64 {
        (size_of::<Self>() + self.path.len() + ALLOCATED_BYTES) as u64
    }

    /// Opens it, below the `root` of the survey that found it.
    ///
    /// # Errors
    /// If it cannot be read, or [`ArrayError::Changed`] if it is no longer what was found.
    pub fn open(&self, root: &Store) -> Result<Node, ArrayError> {
        let store = root.below(&self.path)?;
        if self.kind == Kind::Implicit {
            return Ok(Node::Group(Group::implicit(store)));
        }
        let mut watch = Watch::new();
        match open_watched(&store, &mut watch) {
            // What cannot be read has not changed.
            Err(error @ ArrayError::Io(_)) => Err(error),
            _ if watch.hash() != self.hash => Err(ArrayError::Changed { location: store.label().to_owned() }),
            node => node,
        }
    }

    /// The array that it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn array(&self, root: &Store) -> Result<Array, ArrayError> {
        match self.open(root)? {
            Node::Array(array) => Ok(*array),
            Node::Group(group) => Err(ArrayError::Changed { location: group.store().label().to_owned() }),
        }
    }

    /// The group that it is.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn group(&self, root: &Store) -> Result<Group, ArrayError> {
        match self.open(root)? {
            Node::Group(group) => Ok(group),
            Node::Array(array) => Err(ArrayError::Changed { location: array.location().to_owned() }),
        }
    }
}

/// What an allocation takes beside its bytes.
const ALLOCATED_BYTES: usize = 16;

/// Members that cannot be opened: there may be more than anybody reads.
#[derive(Debug, Default)]
pub struct Failed {
    /// Their number.
    pub count: u64,
    /// The first of them, by path, and why not.
    pub first: Vec<(String, ArrayError)>,
}

impl Failed {
    /// Those that are told apart.
    const FIRST: usize = 1000;

    fn add(&mut self, path: String, error: ArrayError) {
        self.count += 1;
        if self.first.len() < Self::FIRST {
            self.first.push((path, error));
        }
    }
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
    /// The most memory that nodes may take, by [`Found::bytes`].
    pub nodes_bytes_max: u64,
}

impl Without<'_> {
    /// Nothing.
    pub const NOTHING: Without<'static> =
        Without { skip: &|_| false, unwanted: &|_| false, nodes_bytes_max: u64::MAX };
}

impl Counted {
    /// Counts one more.
    pub fn add(&mut self, path: &str) {
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
    let mut found = Survey::default();
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
    let mut surveyor = Surveyor { without, found, beside, walk: Walk::new(store.clone()), nodes_bytes: 0 };
    let mut watch = Watch::new();
    surveyor.walk.enter("", false)?;
    let root = match open_watched(store, &mut watch) {
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
    if surveyor.nodes_bytes > without.nodes_bytes_max {
        let (location, nodes, bytes) =
            (store.label().to_owned(), surveyor.found.nodes.len(), surveyor.nodes_bytes);
        return Err(ArrayError::TooMany { location, nodes, bytes, bytes_max: without.nodes_bytes_max });
    }
    found.nodes.insert(0, Found::new("", &root, &watch));
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
    /// Memory that nodes take, those that were not kept because it is too much included.
    nodes_bytes: u64,
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
                    self.found.failed.add(join(path, name), error.into());
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
        if let Err(error) = looked {
            self.found.failed.add(path, error);
        }
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
        let looked = self.entered(store, path, depth);
        self.walk.leave();
        looked
    }

    /// Looks at a directory that was entered.
    fn entered(&mut self, store: &Store, path: &str, depth: usize) -> Result<(), ArrayError> {
        let mut watch = Watch::new();
        match documents(store, &mut watch) {
            Ok(Documents::None) => self.undocumented(store, path, depth),
            Ok(Documents::Group(group)) => {
                let read = read_of_group(&group);
                self.node(self.found.nodes.len(), Found::new(path, &Node::Group(group), &watch));
                self.directory(store, path, read, depth)
            }
            Err(_) | Ok(Documents::Array(_)) if (self.without.unwanted)(path) => Ok(()),
            Ok(Documents::Array(array)) => {
                let array = Node::Array(Box::new(array.open(store, &mut watch)?));
                let (found, at) = (Found::new(path, &array, &watch), self.found.nodes.len());
                let Node::Array(array) = array else { return Ok(()) };
                let scanned = self.array(&array, path, depth);
                self.node(at, found);
                scanned
            }
            Err(error) => Err(error),
        }
    }

    /// Notes a node in its place among the others.
    fn node(&mut self, at: usize, found: Found) {
        self.nodes_bytes += found.bytes();
        if self.nodes_bytes <= self.without.nodes_bytes_max {
            self.found.nodes.insert(at, found);
        }
    }

    /// A directory without documents is a group if there are nodes below it.
    fn undocumented(&mut self, store: &Store, path: &str, depth: usize) -> Result<(), ArrayError> {
        let (nodes, failed) = (self.found.nodes.len(), self.found.failed.count);
        self.directory(store, path, &[], depth)?;
        if (self.found.nodes.len(), self.found.failed.count) > (nodes, failed) {
            let group = Node::Group(Group::implicit(store.clone()));
            self.node(nodes, Found::new(path, &group, &Watch::new()));
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
