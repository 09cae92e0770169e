//! The parts of every way, in any order, some of them twice, by several engines over one store: the same bytes, and what was counted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;
use support::ways::{Case, SHAPE, cases, digest};
use support::{End, create, create_of, job, place, values};
use tempfile::TempDir;
use zarrange_io::wrappers::counting::{IoCounters, counting};
use zarrange_io::{Location, Opener, Store};
use zarrange_plan::{Counts, Way};
use zarrange_rechunk::{
    Item, Ledger, NoProgress, PartPlaces, Prepared, Receipt, RechunkError, Request, Sparse, prepare, run,
    run_parts,
};

/// So little that every way has several parts.
const PART_BYTES: u64 = 2000;

/// Parts that are wanted, others being left out, and receipts of those that are done.
struct Wanted<'a> {
    parts: BTreeSet<u64>,
    receipts: &'a Mutex<Vec<Receipt>>,
}

impl Ledger for Wanted<'_> {
    fn leaves_out(&self, _: u64, part: u64) -> bool {
        !self.parts.contains(&part)
    }

    fn done(&self, receipt: &Receipt) {
        self.receipts.lock().unwrap().push(receipt.clone());
    }
}

/// Several engines that prepared the same request, and where they write.
struct Engines {
    prepared: Vec<Prepared>,
    target: Location,
    stores: [Store; 2],
    _spilled: TempDir,
    receipts: Mutex<Vec<Receipt>>,
}

impl Engines {
    fn new(case: &Case, from: &Location) -> Self {
        let to = place();
        // The same request gives the same plan.
        let one = |_| {
            let request = case.request(from, &to, 2);
            prepare(Request { part_bytes: PART_BYTES, ..request }).unwrap()
        };
        // In files, of which a range can be given back.
        let spilled = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let target = place();
        let stores = [target.open().unwrap(), Location::Path(spilled.path().to_owned()).open().unwrap()];
        Self {
            prepared: (0..3).map(one).collect(),
            target,
            stores,
            _spilled: spilled,
            receipts: Mutex::default(),
        }
    }

    fn item(&self) -> &Item {
        &self.prepared[0].items[0]
    }

    fn places(&self) -> PartPlaces<'_> {
        PartPlaces { target: &self.stores[0], intermediates: &self.stores[1] }
    }

    fn do_parts(
        &self,
        engine: usize,
        stage: u64,
        parts: impl IntoIterator<Item = u64>,
    ) -> Result<(), RechunkError> {
        let prepared = &self.prepared[engine];
        let ledger = Wanted { parts: parts.into_iter().collect(), receipts: &self.receipts };
        run_parts(prepared, &prepared.items[0], stage, self.places(), &ledger, &NoProgress).map(drop)
    }

    /// Each part alone, in an order of no meaning, every third twice, by whichever engine is free.
    fn do_in_any_order(&self, stage: u64, seed: u64) {
        let count = self.item().parts(stage).count();
        let mut order: Vec<u64> = (0..count).chain((0..count).step_by(3)).collect();
        order.sort_by_key(|part| (part + 1).wrapping_mul(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        // The same part twice at the same time, too.
        order.extend([order[0], order[0]]);
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for engine in 0..self.prepared.len() {
                let (next, order) = (&next, &order);
                scope.spawn(move || {
                    while let Some(part) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.do_parts(engine, stage, [*part]).unwrap();
                    }
                });
            }
        });
    }

    /// Each part of each stage.
    fn all_parts(&self) -> Vec<(u64, u64)> {
        let of = |stage| (0..self.item().parts(stage).count()).map(move |part| (stage, part));
        (0..self.item().stage_count()).flat_map(of).collect()
    }

    /// The receipts of each part are the same, and all are there: their sum.
    fn counted(&self) -> Counts {
        let mut by_part: BTreeMap<(u64, u64), Counts> = BTreeMap::new();
        let mut digests = BTreeMap::new();
        for Receipt { stage, part, counts, digest } in self.receipts.lock().unwrap().iter() {
            let first = by_part.entry((*stage, *part)).or_insert(*counts);
            assert_eq!(first, counts, "part {part} of stage {stage}");
            let first = digests.entry((*stage, *part)).or_insert(*digest);
            assert_eq!(first, digest, "part {part} of stage {stage}");
        }
        assert_eq!(by_part.keys().copied().collect::<Vec<_>>(), self.all_parts());
        if let Some(plan) = self.item().plan() {
            for ((stage, part), counts) in &by_part {
                let stage = plan.stages().get(usize::try_from(*stage).unwrap());
                let border = stage.map_or(0, |stage| stage.border_chunks(&plan.problem, *part));
                assert_eq!(counts.border_chunks, border, "part {part}");
            }
        }
        by_part.into_values().sum()
    }
}

/// What must be the same in whatever parts an array is moved. Nothing stays in memory between stages where several processes work.
fn same_counts(counts: Counts) -> Counts {
    let Counts { border_chunks, border_bytes, .. } = counts;
    Counts {
        source_chunk_decodes: counts.source_chunk_decodes + counts.missing_chunks - border_chunks,
        decoded_bytes: counts.decoded_bytes + counts.missing_bytes - border_bytes,
        bytes_read: 0,
        missing_chunks: 0,
        missing_bytes: 0,
        border_chunks: 0,
        border_bytes: 0,
        requests: 0,
        spill_bytes: 0,
        ..counts
    }
}

#[test]
fn parts_in_any_order_give_the_same_bytes() {
    let (mut several, mut borders) = (BTreeSet::new(), 0);
    for (k, case) in cases().iter().enumerate() {
        let (from, whole) = (create(&SHAPE, &case.source), place());
        let report = run(prepare(case.request(&from, &whole, 2)).unwrap(), &NoProgress).unwrap();
        for seed in [1, 2] {
            let engines = Engines::new(case, &from);
            for stage in 0..engines.item().stage_count() {
                engines.do_in_any_order(stage, seed + k as u64);
                if engines.item().parts(stage).count() > 1 {
                    several.insert(case.way.name());
                }
            }
            assert_eq!(digest(&engines.target, false), digest(&whole, false), "{}", case.name());
            let counts = engines.counted();
            assert_eq!(same_counts(counts), same_counts(report.cost.counts), "{}", case.name());
            borders += counts.border_chunks;
        }
    }
    assert_eq!(several.len(), Way::ALL.len(), "{several:?}");
    assert!(borders > 0, "a sweep was cut");
}

/// Where some parts were done before, the others in one go give the rest; all in one go give what a run gives, and no border.
#[test]
fn parts_that_are_done_are_left_out() {
    for case in &cases() {
        let (from, whole) = (create(&SHAPE, &case.source), place());
        let report = run(prepare(case.request(&from, &whole, 2)).unwrap(), &NoProgress).unwrap();
        for begun in [1, 2, u64::MAX] {
            let engines = Engines::new(case, &from);
            for stage in 0..engines.item().stage_count() {
                let all = 0..engines.item().parts(stage).count();
                engines.do_parts(0, stage, all.clone().filter(|part| part % 3 == begun)).unwrap();
                engines.do_parts(2, stage, all.filter(|part| part % 3 != begun)).unwrap();
            }
            assert_eq!(digest(&engines.target, false), digest(&whole, false), "{}", case.name());
            let receipts = engines.receipts.lock().unwrap();
            let counts: Counts = receipts.iter().map(|receipt| receipt.counts).sum();
            assert_eq!(same_counts(counts), same_counts(report.cost.counts), "{}", case.name());
            assert!(begun != u64::MAX || counts.border_chunks == 0, "{}: {counts:?}", case.name());
        }
    }
}

/// Says that parts are left out as soon as it was asked once, as if others had taken them, too.
struct Fickle<'a> {
    asked: Mutex<BTreeSet<(u64, u64)>>,
    receipts: &'a Mutex<Vec<Receipt>>,
}

impl Ledger for Fickle<'_> {
    fn leaves_out(&self, stage: u64, part: u64) -> bool {
        !self.asked.lock().unwrap().insert((stage, part))
    }

    fn done(&self, receipt: &Receipt) {
        self.receipts.lock().unwrap().push(receipt.clone());
    }
}

/// A part that was begun goes on, whatever its ledger says meanwhile.
#[test]
fn a_ledger_is_asked_once() {
    for case in &cases() {
        let (from, whole) = (create(&SHAPE, &case.source), place());
        run(prepare(case.request(&from, &whole, 2)).unwrap(), &NoProgress).unwrap();
        let engines = Engines::new(case, &from);
        let ledger = Fickle { asked: Mutex::default(), receipts: &engines.receipts };
        for stage in 0..engines.item().stage_count() {
            run_parts(&engines.prepared[0], engines.item(), stage, engines.places(), &ledger, &NoProgress)
                .unwrap();
        }
        assert_eq!(digest(&engines.target, false), digest(&whole, false), "{}", case.name());
        let mut done: Vec<_> = engines.receipts.lock().unwrap().iter().map(|r| (r.stage, r.part)).collect();
        done.sort_unstable();
        assert_eq!(done, engines.all_parts(), "{}", case.name());
    }
}

/// Where few chunks are stored, parts that hold none have no receipt, and there is nothing to be done for them.
#[test]
fn parts_with_nothing_stored_are_not_looked_at() {
    let mut fewer = 0;
    for case in &cases() {
        let mut few = vec![u8::MAX; values(&SHAPE).len()];
        few[..4].fill(1);
        let (from, whole) = (create_of(&SHAPE, &case.source, &few), place());
        run(prepare(case.request(&from, &whole, 2)).unwrap(), &NoProgress).unwrap();
        let mut engines = Engines::new(case, &from);
        for prepared in &mut engines.prepared {
            prepared.sparse = Sparse { objects_min: 0, one_in: 1 };
        }
        for stage in 0..engines.item().stage_count() {
            engines.do_parts(0, stage, 0..engines.item().parts(stage).count()).unwrap();
        }
        assert_eq!(digest(&engines.target, false), digest(&whole, false), "{}", case.name());
        let receipts = engines.receipts.lock().unwrap().len();
        assert!(receipts > 0, "{}", case.name());
        fewer += usize::from(receipts < engines.all_parts().len());
    }
    assert!(fewer > 5, "{fewer} cases had parts with nothing stored");
}

/// A hole in an intermediate, or a piece that nobody wrote, is an error and not zeros.
#[test]
fn a_hole_in_an_intermediate_is_noticed() {
    for case in cases().iter().filter(|case| case.way >= Way::Staged) {
        let from = create(&SHAPE, &case.source);
        let engines = Engines::new(case, &from);
        let parts = engines.item().parts(0).count();
        engines.do_parts(0, 0, 1..parts).unwrap();
        let all = engines.item().parts(1).count();
        let error = engines.do_parts(0, 1, 0..all).unwrap_err();
        assert!(matches!(error, RechunkError::Intermediate { .. } | RechunkError::Io(_)), "{error}");
        engines.do_parts(1, 0, 0..1).unwrap();
        engines.do_parts(0, 1, 0..all).unwrap();
        let key = "intermediate-0-0";
        let mut bytes = engines.stores[1].get(key, u64::MAX).unwrap().unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 100].fill(0);
        engines.stores[1].put(key, &bytes).unwrap();
        let error = engines.do_parts(0, 1, 0..all).unwrap_err();
        assert!(error.to_string().contains("what was written is not there any more"), "{error}");
    }
}

/// Tiles are larger than what is moved at once, and what one of them has of another is small: as much of it goes together as the buffer holds.
#[test]
fn small_pieces_of_an_intermediate_are_moved_together() {
    let shape = [4000, 4000];
    let end = |chunk: &[u64]| End {
        chunk: chunk.to_vec(),
        shard: None,
        codecs: json!([{"name": "bytes", "configuration": {"endian": "little"}}]),
    };
    let (from, to) = (create(&shape, &end(&[4000, 2])), place());
    let counters = Arc::new(IoCounters::default());
    let counted = counters.clone();
    let io = Opener::default().wrapped(move |store| counting(store, &counted));
    let request = Request {
        way: Some(Way::Staged),
        memory_bytes_max: 3_200_000,
        io,
        ..job(&from, &to, &end(&[2, 4000]), 1)
    };
    let prepared = prepare(request).unwrap();
    let before = counters.counts().hops;
    let report = run(prepared, &NoProgress).unwrap();
    let hops = counters.counts().hops - before;
    // Requests count chunks and pieces.
    let requests = report.cost.counts.requests;
    assert!(hops * 3 < requests, "waited {hops} times for {requests}");
}
