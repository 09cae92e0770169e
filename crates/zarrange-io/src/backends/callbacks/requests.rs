//! What callbacks are asked, and how they answer.

use std::ops::Range;

/// Why a callback failed.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a get asks of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of its bytes.
    Whole,
    /// These of its bytes, at least one; fewer where it ends before.
    Range(Range<u64>),
    /// How many bytes it has. Who cannot tell that may answer with all of them.
    Size,
}

/// A get of a batch.
#[derive(Debug)]
pub struct Get<'a> {
    key: &'a str,
    wanted: Wanted,
    buffer: &'a mut [u8],
    answer: Result<Option<Found>, Failure>,
}

/// How much of an object was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Bytes of the answer, whether they had room or not.
    pub(super) bytes: u64,
    /// Bytes of the whole object, if that was told.
    pub(super) total: Option<u64>,
}

impl<'a> Get<'a> {
    pub(super) fn new(key: &'a str, wanted: Wanted, buffer: &'a mut [u8]) -> Self {
        Self { key, wanted, buffer, answer: Err(unanswered()) }
    }

    /// Which object.
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// What of it.
    pub const fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// How many bytes can be valid at most: who finds more of them need not fetch any, and answers with [`Self::has`].
    pub const fn bytes_max(&self) -> usize {
        self.buffer.len()
    }

    /// There is no such object.
    pub fn missing(&mut self) {
        self.answer = Ok(None);
    }

    /// These are the bytes.
    pub fn found(&mut self, bytes: &[u8]) {
        self.found_in(bytes.len(), |to| to.copy_from_slice(&bytes[..to.len()]));
    }

    /// There are so many bytes, and `fill` puts those into a buffer that have room in it, beginning with the first.
    pub fn found_in(&mut self, bytes: usize, fill: impl FnOnce(&mut [u8])) {
        let room = self.buffer.len().min(bytes);
        fill(&mut self.buffer[..room]);
        let bytes = bytes as u64;
        let total = if matches!(self.wanted, Wanted::Range(_)) { None } else { Some(bytes) };
        self.answer = Ok(Some(Found { bytes, total }));
    }

    /// The whole object has `total` bytes: the answer to [`Wanted::Size`]. After [`Self::found`], it saves asking for that where only one
    /// size is valid.
    pub fn has(&mut self, total: u64) {
        if let Ok(Some(found)) = &mut self.answer {
            found.total = Some(total);
            return;
        }
        let suffices = match self.wanted {
            Wanted::Size => true,
            Wanted::Whole => total > self.buffer.len() as u64,
            Wanted::Range(_) => false,
        };
        let found = Found { bytes: total, total: Some(total) };
        self.answer = if suffices { Ok(Some(found)) } else { Err("the callback told the size only".into()) };
    }

    /// It cannot be told.
    pub fn failed(&mut self, error: impl Into<Failure>) {
        self.answer = Err(error.into());
    }

    pub(super) fn into_answer(self) -> Result<Option<Found>, Failure> {
        self.answer
    }
}

/// A put of a batch.
#[derive(Debug)]
pub struct Put<'a> {
    key: &'a str,
    data: &'a [u8],
    answer: Result<(), Failure>,
}

impl<'a> Put<'a> {
    pub(super) fn new(key: &'a str, data: &'a [u8]) -> Self {
        Self { key, data, answer: Err(unanswered()) }
    }

    /// Which object.
    pub const fn key(&self) -> &'a str {
        self.key
    }

    /// What it shall be.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// It is the object now.
    pub fn done(&mut self) {
        self.answer = Ok(());
    }

    /// It may not be.
    pub fn failed(&mut self, error: impl Into<Failure>) {
        self.answer = Err(error.into());
    }

    pub(super) fn into_answer(self) -> Result<(), Failure> {
        self.answer
    }
}

/// A name directly below a prefix: one segment of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed<'a> {
    /// An object.
    Object {
        /// Its name.
        name: &'a str,
        /// Its size, where it is known: otherwise it is asked for, where it is needed.
        bytes: Option<u64>,
    },
    /// A prefix of the keys of objects: of one at least.
    Prefix(&'a str),
}

pub(super) fn unanswered() -> Failure {
    "the callback gave no answer".into()
}
