//! Counts what passes: requests, bytes, opens, batches, hops of dependent requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::backend::{
    Abilities, Access, Backend, Change, FileId, Mark, Namespace, Object, ReadRequest, Source, Visit,
    WriteRequest,
};
use crate::{IoError, Store};

/// What passed so far.
#[derive(Debug, Default)]
pub struct IoCounters {
    reads: AtomicU64,
    read_bytes: AtomicU64,
    writes: AtomicU64,
    written_bytes: AtomicU64,
    opens: AtomicU64,
    batches: AtomicU64,
    hops: AtomicU64,
    lists: AtomicU64,
    changes: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IoCounts {
    /// Reads of an object or a part of one; those of a missing object too.
    pub reads: u64,
    /// Bytes that reads returned.
    pub read_bytes: u64,
    /// Writes of an object or a part of one.
    pub writes: u64,
    /// Bytes that were written.
    pub written_bytes: u64,
    /// Objects opened, by name or for a request.
    pub opens: u64,
    /// Batches of reads or writes: requests of one batch do not wait for each other.
    pub batches: u64,
    /// Steps that wait for the one before, over all threads: batches, and opens, listings, looks and changes outside of batches. A
    /// store far away costs at least its latency for each.
    pub hops: u64,
    /// Listings.
    pub lists: u64,
    /// Changes of names, and waits for durability.
    pub changes: u64,
}

impl IoCounters {
    /// What passed so far.
    pub fn counts(&self) -> IoCounts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        IoCounts {
            reads: get(&self.reads),
            read_bytes: get(&self.read_bytes),
            writes: get(&self.writes),
            written_bytes: get(&self.written_bytes),
            opens: get(&self.opens),
            batches: get(&self.batches),
            hops: get(&self.hops),
            lists: get(&self.lists),
            changes: get(&self.changes),
        }
    }
}

/// `store`, with everything that passes counted in `counters`.
pub fn counting(store: Store, counters: &Arc<IoCounters>) -> Store {
    store.wrapped(|backend, names| Arc::new(Counting { backend, names, counters: counters.clone() }))
}

#[derive(Debug)]
struct Counting {
    backend: Arc<dyn Backend>,
    names: Arc<dyn Namespace>,
    counters: Arc<IoCounters>,
}

fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

fn opened(source: &Source<'_>) -> bool {
    matches!(source, Source::Key(_))
}

impl Backend for Counting {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        self.backend.read(within, batch);
        let counters = &self.counters;
        add(&counters.batches, 1);
        add(&counters.hops, 1);
        add(&counters.reads, batch.len());
        add(&counters.opens, batch.iter().filter(|r| opened(&r.source)).count());
        add(&counters.read_bytes, batch.iter().filter_map(|r| r.result.as_ref().ok()).sum());
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        self.backend.write(within, batch);
        let counters = &self.counters;
        add(&counters.batches, 1);
        add(&counters.hops, 1);
        add(&counters.writes, batch.len());
        add(&counters.opens, batch.iter().filter(|r| opened(&r.target)).count());
        add(&counters.written_bytes, batch.iter().filter(|r| r.result.is_ok()).map(|r| r.data.len()).sum());
    }
}

impl Namespace for Counting {
    fn abilities(&self, within: &str) -> Abilities {
        self.names.abilities(within)
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        add(&self.counters.opens, 1);
        add(&self.counters.hops, 1);
        self.names.open(within, key, access)
    }

    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        add(&self.counters.opens, keys.len());
        add(&self.counters.hops, 1);
        self.names.open_all(within, keys)
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        self.names.close(object)
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        add(&self.counters.lists, 1);
        add(&self.counters.hops, 1);
        self.names.list(within, prefix, sizes, visit)
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        add(&self.counters.hops, 1);
        self.names.identity(within, key)
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        add(&self.counters.hops, 1);
        self.names.mark(within, key)
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        add(&self.counters.changes, 1);
        add(&self.counters.hops, 1);
        self.names.change(within, change)
    }
}
