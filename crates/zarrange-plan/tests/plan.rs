//! Plans of hard problems, and properties of all plans.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fmt::Write as _;

use proptest::prelude::*;
use support::{format, hard_cases};
use zarrange_grid::{ChunkGrid, Region};
use zarrange_plan::{Costs, PART_BYTES, Plan, PlanError, Problem, Purpose, Route, Stage, plan};

/// The explained plans of all hard cases, as a user would read them.
#[test]
fn hard_cases_explained() {
    let mut text = String::new();
    for (name, problem) in hard_cases() {
        let outcome = match plan(&problem) {
            Ok(plan) => plan.to_string(),
            Err(error) => format!("error: {error}"),
        };
        writeln!(text, "== {name}\n{outcome}\n").unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn hard_cases_keep_their_promises() {
    for (name, problem) in hard_cases() {
        let result = plan(&problem);
        let strategy = result.as_ref().ok().map(Plan::strategy);
        match name.as_str() {
            "wide" => assert!(matches!(result, Err(PlanError::Memory { source_bytes: 8_000_000_000, .. }))),
            "no-intermediate" | "merge-rows" | "shard-larger-than-memory" => {
                assert_eq!(strategy, Some("direct"), "{name}");
            }
            "light-curves" => {
                let predicted = result.as_ref().unwrap().predicted;
                assert!(
                    predicted.counts.source_chunk_decodes <= 2 * predicted.source_chunks,
                    "{name}: {predicted:?}"
                );
            }
            _ => assert!(result.is_ok(), "{name}: {result:?}"),
        }
        if let Ok(plan) = result {
            check_memory(&plan);
            let json = serde_json::to_string(&plan).unwrap();
            assert!(json.len() < 4000, "{name}: the plan holds no lists of tasks");
            assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan, "{name}");
        }
    }
}

fn check_memory(plan: &Plan) {
    let max = plan.problem.memory_bytes_max;
    assert!(plan.predicted.peak_budget_bytes <= max, "{plan}");
    assert!(plan.stages().iter().all(|s| s.memory_bytes <= max), "{plan}");
}

fn problem() -> impl Strategy<Value = Problem> {
    (1usize..4)
        .prop_flat_map(|rank| {
            let of = |range: std::ops::Range<u64>| prop::collection::vec(range, rank);
            (of(0..40), of(1..12), of(1..12), prop::option::of(of(1..4)), 1u64..5, 0u32..14, prop::bool::ANY)
        })
        .prop_map(|(shape, source, target, shards, threads, memory, compare)| {
            let shard = shards.map(|s| s.iter().zip(&target).map(|(k, c)| k * c).collect());
            Problem {
                shape,
                item_bytes: 4,
                source: format(source, None, 4),
                target: format(target, shard, 4),
                same_encoding: false,
                memory_bytes_max: 1000 << memory,
                threads,
                purpose: if compare { Purpose::Compare } else { Purpose::Write },
                costs: Costs::default(),
                way: None,
                part_bytes: PART_BYTES,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Tiles of every stage partition the array, are aligned to what they write, and fit the memory.
    #[test]
    fn stages_cover_the_array_once(problem in problem()) {
        match plan(&problem) {
            Err(PlanError::Memory { needed, have, .. }) => {
                prop_assert!(needed > have);
                // The message tells the truth: with that much, there is a plan.
                let enough = Problem { memory_bytes_max: needed, ..problem };
                prop_assert!(plan(&enough).is_ok(), "{:?}", plan(&enough));
            }
            Err(other) => prop_assert!(false, "{other}"),
            Ok(plan) => {
                check_memory(&plan);
                prop_assert_eq!(&again(&problem), &plan, "the same problem gives the same plan");
                for (k, stage) in plan.stages().iter().enumerate() {
                    let grid = ChunkGrid::new(&problem.shape, &stage.tile).unwrap();
                    let last = k + 1 == plan.stages().len();
                    let unit = if last { &problem.target.chunk } else { &problem.source.chunk };
                    for (d, unit) in unit.iter().enumerate() {
                        prop_assert_eq!(stage.tile[d] % unit, 0, "a tile holds whole chunks");
                        prop_assert_eq!(stage.group[d] % stage.tile[d], 0, "a group holds whole tiles");
                        if last {
                            prop_assert_eq!(stage.group[d] % problem.target.object()[d], 0, "a shard is written in one go");
                        }
                    }
                    prop_assert!(grid.count() > 0);
                }
                let decodes = plan.stages().first().map_or(0, |stage| decodes(&problem, stage));
                prop_assert_eq!(plan.predicted.counts.source_chunk_decodes, decodes);
                prop_assert_eq!(plan.strategy() == "reread", decodes > plan.predicted.source_chunks);
            }
        }
    }
}

/// Source chunks read for the tiles of a stage, by counting: in a sweep, one that begins in the tile before is not read again.
fn decodes(problem: &Problem, stage: &Stage) -> u64 {
    let tiles = ChunkGrid::new(&problem.shape, &stage.tile).unwrap();
    let chunks = ChunkGrid::new(&problem.shape, &problem.source.chunk).unwrap();
    let of_tile = |tile: Region| {
        let mut covering = chunks.covering(&tile);
        if let Some(axis) = stage.sweep.map(zarrange_grid::index) {
            let carried = covering.start()[axis] * problem.source.chunk[axis] < tile.start()[axis];
            let mut shape = covering.shape().to_vec();
            shape[axis] -= u64::from(carried);
            covering = Region::new(covering.start(), &shape[..]);
        }
        covering.elements()
    };
    (0..tiles.count()).map(|t| of_tile(tiles.region(&tiles.all().unravel(t)))).sum()
}

fn again(problem: &Problem) -> Plan {
    plan(problem).unwrap()
}

#[test]
fn nothing_changes_means_copy() {
    let check = |change: fn(&mut Problem), expected: &str| {
        let mut problem = Problem {
            shape: vec![100, 100],
            item_bytes: 8,
            source: format(vec![10, 10], None, 8),
            target: format(vec![10, 10], None, 8),
            same_encoding: true,
            memory_bytes_max: 1 << 20,
            threads: 2,
            purpose: Purpose::Write,
            costs: Costs::default(),
            way: None,
            part_bytes: PART_BYTES,
        };
        change(&mut problem);
        assert_eq!(plan(&problem).unwrap().strategy(), expected);
    };
    check(|_| {}, "copy");
    check(|p| p.same_encoding = false, "direct");
    check(|p| p.purpose = Purpose::Compare, "direct");
    check(|p| p.target = format(vec![10, 10], Some(vec![20, 20]), 8), "repack");
    check(|p| p.target = format(vec![20, 10], None, 8), "direct");
    // Of nothing, there is nothing to repack.
    check(|p| (p.shape[0], p.target.shard) = (0, Some(vec![20, 20])), "direct");
    check(|p| p.shape[0] = 0, "copy");
}

/// Where there is memory for it, a shard is written by one tile, so that its chunks lie in C order, and one object of many epochs is one request.
#[test]
fn tiles_hold_whole_shards_where_memory_has_room() {
    let check = |chunk: [u64; 3], shard: [u64; 3], memory_bytes_max: u64, whole: bool| {
        let problem = Problem {
            shape: vec![50_000, 400, 2],
            item_bytes: 4,
            source: format(vec![50_000, 1, 2], None, 4),
            target: format(chunk.to_vec(), Some(shard.to_vec()), 4),
            memory_bytes_max,
            ..hard_cases()[0].1.clone()
        };
        let plan = plan(&problem).unwrap();
        let Route::Tiled(tiled) = &plan.route else { panic!("{plan}") };
        assert_eq!(tiled.stages[0].tile == shard, whole, "{plan}");
    };
    let (chunk, shard) = ([32, 2, 2], [50_016, 20, 2]);
    check(chunk, shard, 1 << 30, true);
    check(chunk, shard, 12 << 20, false);
    // The memory of it takes a twentieth of the time.
    let (chunk, shard) = ([200, 2, 2], [50_000, 400, 2]);
    check(chunk, shard, 1 << 30, true);
    check(chunk, shard, 64 << 20, false);
}

#[test]
fn impossible_problems_name_what_would_do() {
    let mut problem = hard_cases()[0].1.clone();
    problem.target = format(vec![10, 7, 7], Some(vec![20, 14, 15]), 4);
    let error = plan(&problem).unwrap_err().to_string();
    assert!(error.contains("[20, 14, 21] would be"), "{error}");
    problem.target = format(vec![10, 7], None, 4);
    assert!(matches!(plan(&problem), Err(PlanError::Grid(_))));
    assert_eq!(Region::whole(&[]).elements(), 1);
}

/// What metadata may say is at most refused: sums of sizes do not wrap, and the highest rank is planned like any other.
#[test]
fn extreme_problems_are_planned_or_refused() {
    let check = |rank: usize, change: fn(&mut Problem)| {
        let mut problem = Problem {
            shape: vec![3; rank],
            item_bytes: 1,
            source: format(vec![1; rank], None, 1),
            target: format(vec![2; rank], None, 1),
            same_encoding: false,
            memory_bytes_max: 1 << 20,
            threads: 4,
            purpose: Purpose::Write,
            costs: Costs::default(),
            way: None,
            part_bytes: PART_BYTES,
        };
        change(&mut problem);
        match plan(&problem) {
            Ok(plan) => check_memory(&plan),
            Err(PlanError::Memory { needed, have, .. }) => {
                assert!(needed > have);
                if needed < u64::MAX {
                    let enough = Problem { memory_bytes_max: needed, ..problem };
                    assert!(plan(&enough).is_ok(), "{needed} bytes are not enough: {enough:?}");
                }
            }
            Err(other) => panic!("{other}"),
        }
    };
    for rank in [16, 30] {
        check(rank, |_| {});
    }
    check(2, |p| p.source.encoded_bytes_max = u64::MAX);
    check(2, |p| p.target.scratch_bytes = u64::MAX);
    check(2, |p| (p.source.scratch_bytes, p.target.scratch_bytes) = (u64::MAX, 1));
    check(2, |p| p.target.shard_index_bytes = u64::MAX);
    check(2, |p| (p.source.context_bytes, p.target.context_bytes) = (u64::MAX, 1));
    check(2, |p| p.threads = u64::MAX);
    // Contexts take most of the memory, and chunks are small: batches grow when it is raised.
    check(2, |p| p.source.context_bytes = 100 << 20);
}
