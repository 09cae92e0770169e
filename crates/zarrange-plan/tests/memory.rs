//! Planning takes little memory, however large the array is.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; an allocator that counts")]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use zarrange_plan::plan;

/// The system's allocator, counting what is allocated and the most that was.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// 50 MB, for 10^13 chunks as for one.
const BYTES_MAX: usize = 50_000_000;

#[test]
fn planning_takes_little_memory() {
    for (name, problem) in support::hard_cases() {
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let _ = plan(&problem);
        let peak = PEAK.load(Ordering::Relaxed) - before;
        assert!(peak > 0 && peak < BYTES_MAX, "{name}: {peak} bytes");
    }
}
