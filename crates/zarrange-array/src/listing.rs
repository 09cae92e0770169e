//! What is stored at the place of an array: its chunks, and whatever else lies there.

use zarrange_grid::Dims;
use zarrange_io::{IoError, Seen, Store, Walk};

use crate::ArrayError;
use crate::array::Array;
use crate::keys::{KeyEncoding, Separator};
use crate::metadata::ArrayMetadata;

/// The documents of either version.
pub(crate) const DOCUMENTS: [&str; 5] = ["zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata"];

/// What the names of files begin with that are derived from an array and kept at its place: an index. They are no part of it, and are made
/// again where they are missing.
pub const DERIVED: &str = ".zarrange-";

/// Those that an array is read from.
pub(crate) const fn read_of_array(zarr_format: u8) -> &'static [&'static str] {
    if zarr_format == 2 { &[".zarray", ".zattrs"] } else { &["zarr.json"] }
}

/// Something at the place of an array, apart from documents.
#[derive(Debug)]
pub enum Stored<'a> {
    /// A chunk (or shard) of the grid, by its index, with its bytes where they were asked for.
    Chunk(&'a [u64], u64),
    /// A file that no key of the grid names, by its key.
    Beside(&'a str),
    /// Metadata that the array is not read from, by its key.
    Metadata(&'a str),
    /// Neither a file nor a directory, or nothing that can be looked at, by its key; no chunk has it.
    Special(&'a str),
    /// A directory that no key of the grid leads through; what is in it is not listed.
    Directory {
        /// Its key.
        key: &'a str,
        /// A link leads there.
        link: bool,
    },
}

impl Array {
    /// Calls `visit` with everything that is stored at the array's place, as long as it returns true. Names are not kept: an array
    /// may have millions.
    ///
    /// # Errors
    /// If a directory cannot be listed, or what may be a chunk cannot be looked at: it is not a missing one.
    pub fn scan(&self, sizes: bool, visit: &mut dyn FnMut(Stored<'_>) -> bool) -> Result<(), ArrayError> {
        let walk = Walk::new(self.store().clone());
        let mut scan = Scan { array: self, walk, sizes, visit, names: Names::of(self), done: false };
        scan.directory("", false, None)
    }
}

impl ArrayMetadata {
    /// Whether a file of this name, relative to the array, is a chunk of its grid.
    pub fn names_chunk(&self, key: &str) -> bool {
        matches!(self.name(key), Name::Chunk)
    }

    /// Whether keys of chunks lead through a directory of this name, relative to the array.
    pub fn leads_to_chunks(&self, key: &str) -> bool {
        matches!(self.name(key), Name::Level(_))
    }

    fn name(&self, key: &str) -> Name {
        let mut names = Names::of(self);
        let mut parts = key.split('/');
        let mut what = names.first(parts.next().unwrap_or_default());
        for part in parts {
            let Name::Level(level) = what else { return Name::Beside };
            what = names.number(part, level);
        }
        what
    }
}

/// What stands in the place of a chunk is none.
fn not_a_file(store: &Store, key: &str) -> IoError {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "neither a file nor a directory");
    IoError::Os { operation: "look at", location: format!("{}/{key}", store.label()), source }
}

struct Scan<'a> {
    array: &'a Array,
    walk: Walk,
    sizes: bool,
    visit: &'a mut dyn FnMut(Stored<'_>) -> bool,
    names: Names<'a>,
    done: bool,
}

/// The names in an array's place, as they are followed from directory to directory.
struct Names<'a> {
    metadata: &'a ArrayMetadata,
    /// Of the chunk whose key is being followed.
    index: Dims,
}

/// What a name in a directory of an array may be.
enum Name {
    /// The key of a chunk, whose index is known.
    Chunk,
    /// A directory that keys lead through, which has this level.
    Level(usize),
    /// Neither.
    Beside,
}

impl Scan<'_> {
    /// Visits the directory at `key`, which a `link` may lead to: the array's own, or one of `level` numbers.
    fn directory(&mut self, key: &str, link: bool, level: Option<usize>) -> Result<(), ArrayError> {
        // No array has a directory left out: what an error told ends the scan.
        self.walk.enter(key, link).map_err(|source| self.unseen(key, source))?;
        let mut failed = None;
        let mut below = String::with_capacity(key.len() + 24);
        self.array.store().visit(key, self.sizes, &mut |name, seen| {
            below.clear();
            below.push_str(key);
            if !key.is_empty() {
                below.push('/');
            }
            below.push_str(name);
            failed = self.entry(&below, name, seen, level).err();
            failed.is_none() && !self.done
        })?;
        self.walk.leave();
        failed.map_or(Ok(()), Err)
    }

    fn entry(&mut self, key: &str, name: &str, seen: Seen, level: Option<usize>) -> Result<(), ArrayError> {
        if level.is_none() && DOCUMENTS.contains(&name) {
            if !read_of_array(self.array.zarr_format()).contains(&name) {
                self.tell(Stored::Metadata(key));
            }
            return Ok(());
        }
        // Also while it is made, under a name with another point before it.
        let derived =
            || name.starts_with(DERIVED) || name.strip_prefix('.').is_some_and(|n| n.starts_with(DERIVED));
        if level.is_none() && matches!(seen, Seen::Object(_)) && derived() {
            return Ok(());
        }
        let named = match level {
            None => self.names.first(name),
            Some(level) => self.names.number(name, level),
        };
        match (named, seen) {
            (Name::Chunk, Seen::Object(bytes)) => {
                self.done |= !(self.visit)(Stored::Chunk(&self.names.index, bytes.unwrap_or(0)));
            }
            (Name::Level(level), Seen::Directory { link }) => return self.directory(key, link, Some(level)),
            (Name::Chunk | Name::Level(_), Seen::Unseen(source)) => return Err(self.unseen(key, source)),
            (_, Seen::Directory { link }) => self.tell(Stored::Directory { key, link }),
            (_, Seen::Object(_)) => self.tell(Stored::Beside(key)),
            (Name::Chunk | Name::Level(_), Seen::Other) => {
                return Err(self.unseen(key, not_a_file(self.array.store(), key)));
            }
            _ => self.tell(Stored::Special(key)),
        }
        Ok(())
    }

    fn tell(&mut self, stored: Stored<'_>) {
        self.done |= !(self.visit)(stored);
    }

    fn unseen(&self, key: &str, source: IoError) -> ArrayError {
        ArrayError::ChunkIo { array: self.array.location().to_owned(), key: key.to_owned(), source }
    }
}

impl<'a> Names<'a> {
    fn of(metadata: &'a ArrayMetadata) -> Self {
        Self { metadata, index: Dims::from_elem(0, metadata.shape().len()) }
    }

    /// A name in the array's own directory.
    fn first(&mut self, name: &str) -> Name {
        let (rest, separator) = match self.metadata.keys() {
            KeyEncoding::Default(separator) => match name.strip_prefix('c') {
                Some(rest) => (rest, separator),
                None => return Name::Beside,
            },
            KeyEncoding::V2(separator) => (name, separator),
        };
        let default = matches!(self.metadata.keys(), KeyEncoding::Default(_));
        match (self.index.len(), separator) {
            (0, _) if rest == if default { "" } else { "0" } => Name::Chunk,
            (0, _) => Name::Beside,
            (_, Separator::Slash) if default => {
                if rest.is_empty() {
                    Name::Level(0)
                } else {
                    Name::Beside
                }
            }
            (_, Separator::Slash) => self.number(name, 0),
            (_, Separator::Dot) => {
                let numbers = if default { rest.strip_prefix('.') } else { Some(rest) };
                if numbers.is_some_and(|numbers| self.numbers(numbers)) { Name::Chunk } else { Name::Beside }
            }
        }
    }

    /// A name that is one number: that of dimension `level`.
    fn number(&mut self, name: &str, level: usize) -> Name {
        if !self.set(level, name) {
            return Name::Beside;
        }
        if level + 1 == self.index.len() { Name::Chunk } else { Name::Level(level + 1) }
    }

    /// All numbers of an index, with points between them.
    fn numbers(&mut self, text: &str) -> bool {
        let mut parts = text.split('.');
        (0..self.index.len()).all(|d| parts.next().is_some_and(|part| self.set(d, part)))
            && parts.next().is_none()
    }

    /// Notes a number of the index, written as keys write it and within the grid.
    fn set(&mut self, dimension: usize, text: &str) -> bool {
        let digits = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        let number = text.parse().ok().filter(|_| digits);
        let number = number.and_then(|number| self.metadata.object_at(dimension, number));
        self.index[dimension] = number.unwrap_or(0);
        number.is_some()
    }
}
