//! Waiting for a descriptor: others give theirs back with every chunk that they finish.
//!
//! All openings of the process have one patience together, which begins anew whenever one of them finds a descriptor. A job that
//! goes on, however slowly, is waited for; one in which nobody gives any back fails at once for all, not opening by opening.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Tests take all descriptors away in hundreds of ways, and what they move takes a moment.
const PATIENCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 1 } else { 5 });
const PAUSE: Duration = Duration::from_millis(1);

/// Since when no opening has found a descriptor, in milliseconds from 1; 0 while they are found.
static HUNGRY: AtomicU64 = AtomicU64::new(0);

/// Waits a moment for somebody to give a descriptor back; false once that was in vain for too long.
pub(super) fn wait() -> bool {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let now =
        1 + u64::try_from(BEGIN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX - 1);
    let since = match HUNGRY.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => now,
        Err(since) => since,
    };
    if Duration::from_millis(now.saturating_sub(since)) > PATIENCE {
        return false;
    }
    std::thread::sleep(PAUSE);
    true
}

/// Notes that an opening had a descriptor, whatever else became of it.
pub(super) fn found() {
    if HUNGRY.load(Ordering::Relaxed) != 0 {
        HUNGRY.store(0, Ordering::Relaxed);
    }
}
