//! What of an array is worth a visit, where only few of its objects (chunks or shards) are stored.
//!
//! A grid may have 10^13 chunks of which three are stored: work that follows the grid would never end. Where the grid is large, the
//! stored objects are listed first, and if they are few, only tiles and objects that they touch are visited; the rest is counted as
//! missing by arithmetic. Elsewhere nothing is listed, and every chunk is looked for where its turn comes.
//!
//! A list that would become too large is given up, and everything is visited: not knowing is never wrong, only slow. Rejected: a
//! bit for each object (10^13 of them), and asking the list for each chunk (a search on the way of every chunk of dense arrays).

use std::sync::Arc;

use zarrange_array::{Array, Stored};
use zarrange_grid::{ChunkGrid, Dims, Region};

use crate::engine::budget::{Budget, Lease};

/// Bytes of a list that live in the allowance beside the budget. A pass has up to three.
const ALLOWANCE_BYTES: u64 = 3 << 20;

/// From when on an array counts as sparse.
#[derive(Clone, Copy, Debug)]
pub struct Sparse {
    /// Grids of fewer objects are not listed.
    pub objects_min: u64,
    /// One in so many objects is stored, or fewer.
    pub one_in: u64,
}

impl Default for Sparse {
    fn default() -> Self {
        Self { objects_min: 1 << 16, one_in: 4 }
    }
}

/// How to look for what is stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) sparse: Sparse,
    pub(crate) budget: &'a Arc<Budget>,
    /// What the work itself will take from the budget.
    pub(crate) needed_bytes: u64,
}

impl Look<'_> {
    /// Objects of `grid` that hold elements of what is stored of `arrays`: their numbers, ascending; `None` if all are to be visited.
    pub(crate) fn objects(&self, arrays: &[&Array], grid: &ChunkGrid) -> Option<List<u64>> {
        let mut list = self.list();
        let all = grid.all();
        let compact = |items: &mut Vec<u64>| {
            items.sort_unstable();
            items.dedup();
        };
        for array in arrays {
            self.stored(array, &mut |object| {
                let touched = grid.covering(&array.objects().region(object));
                (0..touched.elements()).all(|k| list.push(all.linear(&touched.unravel(k)), compact))
            })?;
        }
        compact(&mut list.items);
        Some(list)
    }

    /// Which objects of `array` are stored.
    pub(crate) fn listing(&self, array: &Array) -> Listing {
        let (mut list, all, mut full) = (self.list(), array.objects().all(), false);
        let listed = self.stored(array, &mut |object| {
            full |= !list.push(all.linear(object), |_| ());
            !full
        });
        match listed {
            Some(()) => {
                list.items.sort_unstable();
                Listing::Known(Arc::new(Known { list, all }))
            }
            None if full => Listing::TooLong,
            None => Listing::Useless,
        }
    }

    /// Groups of tiles that what is stored of `arrays` touches, where it is `known` without a listing; `None` if all are to be visited.
    pub(crate) fn groups(
        &self,
        arrays: &[(&Array, Option<&Known>)],
        order: GroupOrder,
        cells: ChunkGrid,
    ) -> Option<Touched> {
        let mut list = self.list();
        let compact = |groups: &mut Vec<Group>| merge(groups, &cells);
        for (array, known) in arrays {
            let mut note = |object: &[u64]| {
                let region = array.objects().region(object);
                let touched = order.groups.covering(&region);
                (0..touched.elements()).all(|k| {
                    let index = touched.unravel(k);
                    let Some(part) = order.groups.region(&index).intersect(&region) else { return true };
                    let covering = cells.covering(&part);
                    let low = cells.all().linear(covering.start());
                    let high = cells.all().linear(&covering.unravel(covering.elements() - 1));
                    list.push(Group { number: order.number(&index), low, high }, compact)
                })
            };
            match known {
                Some(known) => {
                    known.list.items.iter().all(|number| note(&known.all.unravel(*number))).then_some(())?;
                }
                None => self.stored(array, &mut note)?,
            }
        }
        compact(&mut list.items);
        Some(Touched { list, order, cells })
    }

    /// Calls `visit` with the index of each stored object, as long as it returns true; `None` if it did not, or if there are too
    /// many to be worth it. What cannot be listed may still be found by name, or tells then what is wrong.
    fn stored(&self, array: &Array, visit: &mut dyn FnMut(&[u64]) -> bool) -> Option<()> {
        let Sparse { objects_min, one_in } = self.sparse;
        let objects = array.objects().count();
        if objects < objects_min {
            return None;
        }
        let (mut found, mut few) = (0, true);
        let scanned = array.scan(false, &mut |stored| {
            if let Stored::Chunk(object, _) = stored {
                found += 1;
                few = found <= objects / one_in.max(1) && visit(object);
            }
            few
        });
        (scanned.is_ok() && few).then_some(())
    }

    /// An empty list, that may take a quarter of what the work leaves.
    fn list<T>(&self) -> List<T> {
        let free = self.budget.free().saturating_sub(self.needed_bytes) / 4;
        let bytes = ALLOWANCE_BYTES.saturating_add(free);
        let room = zarrange_grid::index(bytes / (size_of::<T>() as u64).max(1));
        List { items: Vec::new(), room, budget: self.budget.clone(), leases: Vec::new() }
    }
}

/// What came of listing an array.
#[derive(Debug)]
pub(crate) enum Listing {
    Known(Arc<Known>),
    /// Few objects are stored, but there is no room to note each of them.
    TooLong,
    /// Many are stored, or the grid is small, or it cannot be listed.
    Useless,
}

impl Listing {
    pub(crate) fn known(self) -> Option<Arc<Known>> {
        if let Self::Known(known) = self { Some(known) } else { None }
    }
}

/// The stored objects of an array, all of them: what is not among them need not be looked for.
#[derive(Debug)]
pub(crate) struct Known {
    list: List<u64>,
    /// The indices of all objects, by whose order they are numbered.
    all: Region,
}

impl Known {
    /// Whether the object at `index` is stored.
    pub(crate) fn holds(&self, index: &[u64]) -> bool {
        self.list.items.binary_search(&self.all.linear(index)).is_ok()
    }
}

/// A list within the budget.
#[derive(Debug)]
pub(crate) struct List<T> {
    items: Vec<T>,
    /// Items at most.
    room: usize,
    budget: Arc<Budget>,
    leases: Vec<Lease>,
}

impl<T> List<T> {
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// Adds an item; false if there is no room, also after `compact` has done what it can.
    fn push(&mut self, item: T, compact: impl FnOnce(&mut Vec<T>)) -> bool {
        if self.items.len() == self.items.capacity() && !self.grow() {
            compact(&mut self.items);
            // Less would not last for long.
            if self.items.len() > self.room / 2 {
                return false;
            }
        }
        self.items.push(item);
        true
    }

    fn grow(&mut self) -> bool {
        let now = self.items.capacity();
        let next = now.saturating_mul(2).max(64).min(self.room);
        if next <= now {
            return false;
        }
        let bytes = |items: usize| (items as u64).saturating_mul(size_of::<T>() as u64).max(ALLOWANCE_BYTES);
        let Ok(lease) = self.budget.lease(bytes(next) - bytes(now)) else { return false };
        self.leases.push(lease);
        self.items.try_reserve_exact(next - self.items.len()).is_ok()
    }
}

/// The order in which groups of tiles are visited: in C order, but with the axis of a sweep varying fastest.
#[derive(Clone, Debug)]
pub(crate) struct GroupOrder {
    pub(crate) groups: ChunkGrid,
    /// The axis along which groups follow each other.
    pub(crate) sweep: Option<usize>,
}

impl GroupOrder {
    /// The index of group `number`.
    pub(crate) fn index(&self, number: u64) -> Dims {
        let counts = self.groups.counts();
        let Some(axis) = self.sweep else { return self.groups.all().unravel(number) };
        let mut index = self.rows(axis).unravel(number / counts[axis]);
        index[axis] = number % counts[axis];
        index
    }

    /// The number of the group at `index`; the inverse of [`Self::index`].
    fn number(&self, index: &[u64]) -> u64 {
        let Some(axis) = self.sweep else { return self.groups.all().linear(index) };
        let mut row: Dims = index.into();
        row[axis] = 0;
        self.rows(axis).linear(&row) * self.groups.counts()[axis] + index[axis]
    }

    /// Groups at the beginning of axis `axis`.
    fn rows(&self, axis: usize) -> Region {
        let mut rows: Dims = self.groups.counts().into();
        rows[axis] = 1;
        Region::whole(&rows)
    }
}

/// A group of tiles with something stored: its number, and the cells of what is stored in it, from the lowest corner to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    number: u64,
    low: u64,
    high: u64,
}

/// Joins the entries of each group to one.
fn merge(groups: &mut Vec<Group>, cells: &ChunkGrid) {
    groups.sort_unstable();
    groups.dedup_by(|next, kept| {
        let same = next.number == kept.number;
        if same {
            (kept.low, kept.high) = around(cells, (kept.low, kept.high), (next.low, next.high));
        }
        same
    });
}

/// The corners of the smallest box around two, all of them numbers of `cells`.
fn around(cells: &ChunkGrid, a: (u64, u64), b: (u64, u64)) -> (u64, u64) {
    let all = cells.all();
    let corner = |a: u64, b: u64, of: fn(u64, u64) -> u64| {
        let both: Dims = all.unravel(a).iter().zip(&all.unravel(b)).map(|(a, b)| of(*a, *b)).collect();
        all.linear(&both)
    };
    (corner(a.0, b.0, u64::min), corner(a.1, b.1, u64::max))
}

/// The groups of tiles with something stored, in the order in which they are visited.
#[derive(Debug)]
pub(crate) struct Touched {
    list: List<Group>,
    order: GroupOrder,
    cells: ChunkGrid,
}

impl Touched {
    /// Their number.
    pub(crate) fn len(&self) -> usize {
        self.list.items.len()
    }

    /// The number of the `k`-th of them among all groups.
    pub(crate) fn number(&self, k: usize) -> u64 {
        self.list.items[k].number
    }

    /// How many of them have numbers below `number`.
    pub(crate) fn first_from(&self, number: u64) -> u64 {
        self.list.items.partition_point(|group| group.number < number) as u64
    }

    /// The run that begins with the `k`-th: groups that follow each other in a sweep, or that one alone. Its end, and the
    /// elements of the cells with something stored, a box.
    pub(crate) fn run(&self, k: usize) -> (usize, Region) {
        let groups = &self.list.items;
        let mut corners = (groups[k].low, groups[k].high);
        let mut end = k + 1;
        while end < groups.len() && self.follows(groups[end - 1].number, groups[end].number) {
            corners = around(&self.cells, corners, (groups[end].low, groups[end].high));
            end += 1;
        }
        let all = self.cells.all();
        let (first, last) =
            (self.cells.region(&all.unravel(corners.0)), self.cells.region(&all.unravel(corners.1)));
        let shape: Dims = (0..first.rank()).map(|d| last.end(d) - first.start()[d]).collect();
        (end, Region::new(first.start(), shape))
    }

    /// Whether group `next` begins where `before` ends, along the axis of the sweep.
    fn follows(&self, before: u64, next: u64) -> bool {
        let Some(axis) = self.order.sweep else { return false };
        next == before + 1 && !next.is_multiple_of(self.order.groups.counts()[axis])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbered_in_the_order_of_visits() {
        for sweep in [None, Some(0), Some(1), Some(2)] {
            let order = GroupOrder { groups: ChunkGrid::new(&[5, 7, 3], &[2, 2, 1]).unwrap(), sweep };
            for number in 0..order.groups.count() {
                assert_eq!(order.number(&order.index(number)), number, "{sweep:?}");
            }
        }
    }

    #[test]
    fn a_list_stays_within_its_room() {
        let budget = Budget::new(1 << 20);
        let look = Look { sparse: Sparse::default(), budget: &budget, needed_bytes: 1 << 19 };
        let mut list = look.list::<u64>();
        let most = (ALLOWANCE_BYTES + (1 << 17)) / 8;
        let taken = (0..2 * most).take_while(|k| list.push(*k, |_| {})).count();
        assert_eq!((taken as u64, budget.take_peak()), (most, 1 << 17));
        let mut list = look.list::<u64>();
        assert!((0..4 * most).all(|k| list.push(k % 100, |items| {
            items.sort_unstable();
            items.dedup();
        })));
    }
}
