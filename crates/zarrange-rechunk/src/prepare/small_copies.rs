//! Which arrays are small and only copied, and how many of them at once.

use zarrange_plan::BATCH_BYTES;

use crate::prepare::item::Item;
use crate::request::Request;

/// The memory of one of them: copying takes half of what there is, and a batch at most.
pub(crate) const SHARE_BYTES: u64 = 2 * BATCH_BYTES;

/// Small arrays that are only copied, several at once and each by one thread. One after the other they would leave threads idle.
pub(crate) struct SmallCopies<'a> {
    pub(crate) items: Vec<&'a Item>,
    /// How many are copied at once.
    pub(crate) workers: u64,
}

impl<'a> SmallCopies<'a> {
    /// Those of `items`, copied as `request` allows; they take half of its memory at most.
    pub(crate) fn of(items: &'a [Item], request: &Request) -> Self {
        let items: Vec<&Item> = items.iter().filter(|item| item.is_small_copy()).collect();
        // Where objects are written only whole, an array may need all of the memory.
        let memory_bytes =
            if request.target.abilities().partial_writes { request.memory_bytes_max / 2 } else { 0 };
        let workers = request.threads.min(items.len() as u64).min(memory_bytes / SHARE_BYTES).max(1);
        Self { items, workers }
    }

    /// The memory that they take together; 0 if they are copied one after the other, each as planned.
    pub(crate) const fn memory_bytes(&self) -> u64 {
        if self.workers > 1 { self.workers * SHARE_BYTES } else { 0 }
    }
}
