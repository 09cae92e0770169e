//! The order of work where it follows stored objects: all of them, or those that are worth a visit, part by part.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zarrange_grid::{ChunkGrid, Dims, Region, index};

use crate::engine::parts::{OpenPart, StageParts};
use crate::engine::presence::List;

/// Objects that workers take, in their order.
pub(crate) struct ObjectWalk<'a> {
    all: Region,
    /// Numbers of the objects that are visited, if not all are.
    touched: Option<List<u64>>,
    parts: &'a StageParts<'a>,
    state: Mutex<State<'a>>,
}

struct State<'a> {
    /// The next object, counted among those that are visited.
    next: u64,
    part: Option<Arc<OpenPart<'a>>>,
    left_out: bool,
    stopped: bool,
}

/// Objects that one worker took.
pub(crate) struct Taken<'a> {
    pub(crate) objects: Vec<Dims>,
    /// The part that they belong to, which expects each of them.
    pub(crate) part: Arc<OpenPart<'a>>,
}

impl<'a> ObjectWalk<'a> {
    /// The objects of `grid`, or those `touched`.
    pub(crate) fn new(grid: &ChunkGrid, touched: Option<List<u64>>, parts: &'a StageParts<'a>) -> Self {
        let state = State { next: 0, part: None, left_out: false, stopped: false };
        Self { all: grid.all(), touched, parts, state: Mutex::new(state) }
    }

    /// Whether objects without anything stored are left out.
    pub(crate) const fn is_sparse(&self) -> bool {
        self.touched.is_some()
    }

    /// Whether parts were left out.
    pub(crate) fn left_out(&self) -> bool {
        self.lock().left_out
    }

    /// The next of them, `most` at most and all of one part.
    pub(crate) fn take(&self, most: u64) -> Option<Taken<'a>> {
        let mut state = self.lock();
        let part = self.enter(&mut state)?;
        let mut objects = Vec::new();
        while state.next < self.count() && (objects.len() as u64) < most {
            let number = self.number(state.next);
            if self.parts.parts.of(number) != part.number {
                break;
            }
            objects.push(self.all.unravel(number));
            state.next += 1;
        }
        part.expect(objects.len() as u64);
        Some(Taken { objects, part })
    }

    /// Goes on to the next part that is not left out; the part of the next object, if there is one.
    fn enter(&self, state: &mut State<'a>) -> Option<Arc<OpenPart<'a>>> {
        let number = loop {
            if state.stopped || state.next >= self.count() {
                if let Some(part) = state.part.take().filter(|_| !state.stopped) {
                    part.finish(1);
                }
                return None;
            }
            let object = self.number(state.next);
            if let Some(part) = self.parts.of(object) {
                break part;
            }
            state.left_out = true;
            let behind = self.parts.behind(object);
            state.next = match &self.touched {
                None => behind,
                Some(list) => list.items().partition_point(|number| *number < behind) as u64,
            };
        };
        if state.part.as_ref().is_none_or(|part| part.number != number)
            && let Some(before) = state.part.replace(self.parts.open(number))
        {
            before.finish(1);
        }
        state.part.clone()
    }

    /// Nobody takes anything any more.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
    }

    fn count(&self) -> u64 {
        self.touched.as_ref().map_or_else(|| self.all.elements(), |list| list.items().len() as u64)
    }

    fn number(&self, k: u64) -> u64 {
        self.touched.as_ref().map_or(k, |list| list.items()[index(k)])
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
