//! Makes any backend as slow as a described one: for planning studies, not a measurement of anything.
//!
//! Neighbouring ranges of an object are one request. The requests of a batch wait `requests_at_once` at a time, each wave for
//! one latency; the bytes of all threads pass one link, one after the other, from the moment when the first of a batch arrive. Opening, listing, looking and changes wait
//! for one latency. What the inner backend takes counts into that time. Batches of different threads wait for their
//! latencies side by side: the arm of a disk, which serves one after the other, is described for one thread only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::backend::{
    Abilities, Access, Backend, Change, FileId, Mark, Namespace, Object, ReadRequest, Source, Visit,
    WriteRequest,
};
use crate::{IoError, Store};

/// What a backend is as slow as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// From a request to the first byte of its answer.
    pub latency: Duration,
    /// What the link carries that all threads share; 0 for no limit.
    pub bytes_per_second: u64,
    /// Requests of a batch that wait side by side; 0 for all.
    pub requests_at_once: usize,
}

impl Profile {
    /// A flash disk on four lanes of PCI Express 3: data sheets state about 3 GB/s and 0.1 ms for a random read.
    pub const NVME: Self = Self::new(Duration::from_micros(100), 3_000_000_000, 32);

    const fn new(latency: Duration, bytes_per_second: u64, requests_at_once: usize) -> Self {
        Self { latency, bytes_per_second, requests_at_once }
    }

    /// When a batch returns that begins `now`. Pure: all times count from one moment, whichever it is.
    pub(crate) fn charge(
        &self,
        now: Duration,
        link_free_at: Duration,
        requests: usize,
        bytes: u64,
    ) -> Charge {
        let waves = match self.requests_at_once {
            0 => requests.min(1),
            at_once => requests.div_ceil(at_once),
        };
        let waves = u32::try_from(waves).unwrap_or(u32::MAX);
        let answered_at = now.saturating_add(self.latency.saturating_mul(waves));
        if bytes == 0 {
            return Charge { return_at: answered_at, link_free_at };
        }
        let first_at = now.saturating_add(self.latency);
        let link_free_at = link_free_at.max(first_at).saturating_add(self.transfer(bytes));
        Charge { return_at: link_free_at.max(answered_at), link_free_at }
    }

    /// How long the link is busy with `bytes`.
    fn transfer(&self, bytes: u64) -> Duration {
        if self.bytes_per_second == 0 {
            return Duration::ZERO;
        }
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.bytes_per_second));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// What a batch takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// When the batch returns.
    pub(crate) return_at: Duration,
    /// When the link is free for the bytes of the next batch.
    pub(crate) link_free_at: Duration,
}

/// `store`, as slow as `profile`, or slower if it is. It is named `throttled`, so that no result passes for a measured
/// one.
pub fn throttled(store: Store, profile: Profile) -> Store {
    Throttle::new(profile).slow(store)
}

/// A link that several stores share.
#[derive(Clone, Debug)]
pub struct Throttle(Arc<Link>);

#[derive(Debug)]
struct Link {
    profile: Profile,
    /// What times count from.
    begin: Instant,
    free_at: Mutex<Duration>,
}

impl Throttle {
    /// One as slow as `profile`.
    pub fn new(profile: Profile) -> Self {
        Self(Arc::new(Link { profile, begin: Instant::now(), free_at: Mutex::default() }))
    }

    /// `store`, whose bytes pass this link; as [`throttled`].
    pub fn slow(&self, store: Store) -> Store {
        let link = self.0.clone();
        store.wrapped(|backend, names| Arc::new(Throttled { backend, names, link }))
    }
}

#[derive(Debug)]
struct Throttled {
    backend: Arc<dyn Backend>,
    names: Arc<dyn Namespace>,
    link: Arc<Link>,
}

impl Link {
    /// Waits until a batch returns that began at `now`.
    fn wait(&self, now: Duration, requests: usize, bytes: u64) {
        let charge = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let charge = self.profile.charge(now, *free_at, requests, bytes);
            *free_at = charge.link_free_at;
            charge
        };
        std::thread::sleep(charge.return_at.saturating_sub(self.begin.elapsed()));
    }
}

/// How many requests ranges (of what, the first byte, bytes) are that follow each other. A range of an open object that begins where the one
/// before ends belongs to it: file systems read ahead, and collect what is written.
fn runs<'a>(ranges: impl Iterator<Item = (Source<'a>, u64, usize)>) -> usize {
    let mut behind = None;
    let begins = |(of, offset, bytes): (Source<'a>, u64, usize)| {
        let place =
            |offset: u64| if let Source::Open(object) = of { Some((object.place(), offset)) } else { None };
        let begins = behind.is_none() || behind != place(offset);
        behind = place(offset.saturating_add(bytes as u64));
        usize::from(begins)
    };
    ranges.map(begins).sum()
}

impl Throttled {
    /// A call that moves no bytes.
    fn answer<T>(&self, call: impl FnOnce() -> T) -> T {
        let now = self.link.begin.elapsed();
        let answer = call();
        self.link.wait(now, 1, 0);
        answer
    }
}

impl Backend for Throttled {
    fn name(&self) -> &'static str {
        "throttled"
    }

    fn read(&self, within: &str, batch: &mut [ReadRequest<'_>]) {
        let now = self.link.begin.elapsed();
        self.backend.read(within, batch);
        let bytes = batch.iter().filter_map(|r| r.result.as_ref().ok()).map(|n| *n as u64).sum();
        let ranges = batch.iter().map(|r| (r.source, r.extent.offset(), r.buffer.len()));
        self.link.wait(now, runs(ranges), bytes);
    }

    fn write(&self, within: &str, batch: &mut [WriteRequest<'_>]) {
        let now = self.link.begin.elapsed();
        self.backend.write(within, batch);
        let bytes = batch.iter().filter(|r| r.result.is_ok()).map(|r| r.data.len() as u64).sum();
        self.link.wait(now, runs(batch.iter().map(|r| (r.target, r.offset, r.data.len()))), bytes);
    }
}

impl Namespace for Throttled {
    fn abilities(&self, within: &str) -> Abilities {
        self.names.abilities(within)
    }

    fn open(&self, within: &str, key: &str, access: Access) -> Result<Object, IoError> {
        self.answer(|| self.names.open(within, key, access))
    }

    fn open_all(&self, within: &str, keys: &[&str]) -> Vec<Result<Object, IoError>> {
        let now = self.link.begin.elapsed();
        let opened = self.names.open_all(within, keys);
        self.link.wait(now, keys.len(), 0);
        opened
    }

    fn close(&self, object: Object) -> Result<(), IoError> {
        self.names.close(object)
    }

    fn list(&self, within: &str, prefix: &str, sizes: bool, visit: &mut Visit<'_>) -> Result<(), IoError> {
        self.answer(|| self.names.list(within, prefix, sizes, visit))
    }

    fn identity(&self, within: &str, key: &str) -> Result<Option<FileId>, IoError> {
        self.answer(|| self.names.identity(within, key))
    }

    fn mark(&self, within: &str, key: &str) -> Result<Option<Mark>, IoError> {
        self.answer(|| self.names.mark(within, key))
    }

    fn change(&self, within: &str, change: Change<'_>) -> Result<(), IoError> {
        self.answer(|| self.names.change(within, change))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Charge, Profile, runs, throttled};
    use crate::{Access, Change, Location, Source};

    const MS: Duration = Duration::from_millis(1);

    /// 5 ms, one byte in each microsecond, two requests at once.
    const SLOW: Profile =
        Profile { latency: Duration::from_millis(5), bytes_per_second: 1_000_000, requests_at_once: 2 };

    #[test]
    fn the_model() {
        let check = |profile: Profile, now, free, requests, bytes, return_at, link_free_at| {
            let charge = profile.charge(MS * now, MS * free, requests, bytes);
            let expected = Charge { return_at: MS * return_at, link_free_at: MS * link_free_at };
            assert_eq!(charge, expected, "now {now}, free at {free}, {requests} requests, {bytes} bytes");
        };
        // Nothing, and calls without bytes, do not touch the link.
        check(SLOW, 7, 3, 0, 0, 7, 3);
        check(SLOW, 7, 90, 1, 0, 12, 90);
        check(SLOW, 0, 0, 5, 0, 15, 0);
        // One wave: a latency, then the bytes.
        check(SLOW, 10, 0, 1, 4_000, 19, 19);
        check(SLOW, 10, 0, 2, 4_000, 19, 19);
        // The bytes pass while later waves wait, or the waves while bytes pass.
        check(SLOW, 10, 0, 5, 4_000, 25, 19);
        check(SLOW, 10, 0, 5, 40_000, 55, 55);
        // A busy link is waited for; one that becomes free before the first answer is not.
        check(SLOW, 10, 30, 1, 4_000, 34, 34);
        check(SLOW, 10, 15, 1, 4_000, 19, 19);
        check(SLOW, 10, 30, 9, 1_000, 35, 31);
        let at_once = Profile { requests_at_once: 0, ..SLOW };
        check(at_once, 0, 0, 1_000, 0, 5, 0);
        check(at_once, 0, 0, 0, 0, 0, 0);
        check(Profile { bytes_per_second: 0, ..SLOW }, 0, 0, 1, u64::MAX, 5, 5);
    }

    #[test]
    fn parts_of_a_nanosecond_count_and_nothing_overflows() {
        let fast = Profile { latency: Duration::ZERO, bytes_per_second: 3_000_000_000, requests_at_once: 1 };
        let charge = fast.charge(MS, Duration::ZERO, 1, 4);
        assert_eq!(charge.return_at, MS + Duration::from_nanos(2));
        let endless = Profile { latency: Duration::MAX, bytes_per_second: 1, requests_at_once: 1 };
        let charge = endless.charge(Duration::MAX, Duration::MAX, usize::MAX, u64::MAX);
        assert_eq!(charge.return_at, Duration::MAX);
    }

    #[test]
    fn neighbours_are_one_request() {
        let store = Location::Memory("throttled-runs".to_owned()).open().unwrap();
        store.put("a", &[0; 100]).unwrap();
        store.put("b", &[0; 100]).unwrap();
        let open = |key| store.open(key, Access::Read).unwrap().unwrap();
        let (a, b) = (open("a"), open("b"));
        let (a, b) = (Source::Open(&a), Source::Open(&b));
        let check = |ranges: &[(Source<'_>, u64, usize)], expected| {
            assert_eq!(runs(ranges.iter().copied()), expected, "{ranges:?}");
        };
        check(&[], 0);
        check(&[(a, 0, 10), (a, 10, 5), (a, 15, 1)], 1);
        check(&[(a, 0, 10), (a, 11, 5), (a, 5, 1)], 3);
        check(&[(a, 0, 10), (b, 10, 5), (b, 15, 1)], 2);
        check(&[(Source::Key("a"), 0, 10), (Source::Key("a"), 10, 5)], 2);
    }

    #[test]
    fn a_store_is_no_faster_than_the_model() {
        let store = throttled(Location::Memory("throttled".to_owned()).open().unwrap(), SLOW);
        assert_eq!(store.backend(), "throttled");
        let check = |expected: u32, call: &dyn Fn()| {
            let begin = Instant::now();
            call();
            assert!(begin.elapsed() >= MS * expected, "{expected} ms: {:?}", begin.elapsed());
        };
        let data: Vec<u8> = (0..4_000_u16).map(|i| i.to_le_bytes()[0]).collect();
        let read = || {
            let mut buffer = vec![0; data.len()];
            store.read_whole("a", &mut buffer).unwrap();
            assert_eq!(buffer, data);
        };
        check(9, &|| store.write_whole("a", &data).unwrap());
        check(9, &read);
        check(5, &|| assert!(store.open("missing", Access::Read).unwrap().is_none()));
        check(5, &|| assert_eq!(store.list("").unwrap().len(), 1));
        check(5, &|| store.change(Change::Sync).unwrap());
        // Four threads share the link: they wait side by side, their bytes pass one after the other.
        check(21, &|| {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(read);
                }
            });
        });
    }
}
