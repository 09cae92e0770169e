//! Choices against brute force, and what is refused.

use proptest::prelude::*;

use super::*;

/// Chunks for a place where a request takes 15 us.
fn aim() -> Aim {
    let chunk_bytes = efficient_bytes(15_000.0, 1.9);
    Aim { chunk_bytes, chunk_bytes_max: CHUNK_BYTES.1, shard_bytes_max: 256_000_000, objects_max: 10_000 }
}

/// An array of bytes in chunks of exactly so many.
fn limits(chunk_bytes: u64) -> Aim {
    Aim { chunk_bytes, chunk_bytes_max: chunk_bytes, ..aim() }
}

/// The least expected number of chunks, of all shapes that hold the dimensions without a share whole.
fn brute_force(shape: &[u64], mix: &Mix, volume_max: u64) -> f64 {
    let shares = mix.shares(shape.len());
    let all: u64 = shape.iter().product();
    let mut best = f64::INFINITY;
    for k in 0..all {
        let mut rest = k;
        let mut part = Vec::new();
        for n in shape {
            part.push(rest % n + 1);
            rest /= n;
        }
        let held = (0..part.len()).all(|d| shares[d] > 0.0 || part[d] == shape[d]);
        if held && part.iter().product::<u64>() <= volume_max {
            best = best.min(mix.expected(shape, &part));
        }
    }
    best
}

/// A shape, and a mix of at least one of its dimensions.
fn array(extents: std::ops::Range<u64>) -> impl Strategy<Value = (Vec<u64>, Mix)> {
    let dims = prop::collection::vec((extents, prop::option::of(0.01_f64..10.0)), 1..4);
    dims.prop_map(|dims| {
        let weights = dims.iter().enumerate().filter_map(|(k, (_, w))| Some((k, (*w)?)));
        let mix = Mix::new(weights).or_else(|_| Mix::new([(0, 1.0)])).unwrap();
        (dims.iter().map(|(n, _)| *n).collect(), mix)
    })
}

/// A shape, and a mix of up to three accesses to any indices of any of its dimensions.
fn joint(extents: std::ops::Range<u64>) -> impl Strategy<Value = (Vec<u64>, Mix)> {
    let pick = prop::option::of((1_u64..12, any::<bool>()));
    let accesses = prop::collection::vec((prop::collection::vec(pick, 3), 0.01_f64..10.0), 1..4);
    (prop::collection::vec(extents, 1..4), accesses).prop_map(|(shape, accesses)| {
        let mut weights: Vec<(Access, f64)> = Vec::new();
        for (picks, weight) in accesses {
            let picks = picks.into_iter().zip(&shape).enumerate();
            let picks = picks.filter_map(|(axis, (pick, n))| {
                pick.map(|(count, scattered)| Pick { axis, count: count.min((*n).max(1)), scattered })
            });
            let access = Access::new(picks.collect()).unwrap_or_else(|_| Access::from(0));
            if weights.iter().all(|(known, _)| *known != access) {
                weights.push((access, weight));
            }
        }
        (shape, Mix::new(weights).unwrap())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_shape_is_much_better((shape, mix) in array(1..40), volume_max in 1_u64..3000) {
        let chosen = layout_for(&shape, 1, &mix, &limits(volume_max)).unwrap();
        prop_assert!(chosen.chunk.iter().product::<u64>() <= volume_max);
        prop_assert!(chosen.chunk.iter().zip(&shape).all(|(c, n)| (1..=*n).contains(c)));
        let best = brute_force(&shape, &mix, volume_max);
        prop_assert!(chosen.chunks_per_access <= 1.05 * best, "{chosen:?}, but {best} is possible");
    }

    #[test]
    fn no_shape_is_much_better_for_joint_accesses((shape, mix) in joint(1..30), volume_max in 1_u64..3000) {
        let chosen = layout_for(&shape, 1, &mix, &limits(volume_max)).unwrap();
        prop_assert!(chosen.chunk.iter().product::<u64>() <= volume_max);
        // The formula is rougher here, and others are weighed beside what it gives.
        let best = brute_force(&shape, &mix, volume_max);
        prop_assert!(chosen.chunks_per_access <= 1.2 * best, "{chosen:?}, but {best} is possible");
    }

    #[test]
    fn shards_keep_the_limits(
        (shape, mix) in prop_oneof![array(0..300), joint(0..300)],
        chunk_bytes in 1_u64..500,
        shard_bytes_max in 1_u64..5000,
        objects_max in 1_u64..500,
    ) {
        let limits = Aim { shard_bytes_max, objects_max, ..limits(chunk_bytes) };
        match layout_for(&shape, 1, &mix, &limits) {
            Ok(Chosen { chunk, shard, objects, .. }) => {
                prop_assert!(objects <= objects_max);
                let stored = shard.as_ref().unwrap_or(&chunk);
                prop_assert_eq!(objects, pieces(&shape, stored));
                prop_assert!(stored.iter().zip(&chunk).all(|(s, c)| s.is_multiple_of(*c)));
                let most = shape.iter().zip(&chunk).map(|(n, c)| n.max(&1).next_multiple_of(*c));
                prop_assert!(stored.iter().zip(most).all(|(s, most)| *s <= most));
                let bytes: u64 = stored.iter().product();
                prop_assert!(bytes <= shard_bytes_max.max(chunk.iter().product()));
            }
            Err(MixError::Objects { objects, .. }) => {
                prop_assert!(objects > objects_max);
                let enough = Aim { objects_max: objects, ..limits };
                prop_assert!(layout_for(&shape, 1, &mix, &enough).is_ok());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

#[test]
fn the_formula_within_the_array() {
    let check = |shape: &[u64], shares: &[f64], room: u64, expected: &[f64]| {
        let mix = Mix::new(shares.iter().copied().enumerate()).unwrap();
        let cells = vec![1; shape.len()];
        let reads = Reads { shape, cell: &cells, mix: &mix };
        let search = reads.search(room, u64::MAX);
        let axes: Vec<usize> = (0..shape.len()).collect();
        let ideal = search.ideal(&axes, room);
        let close = ideal.iter().zip(expected).all(|(a, b)| (a / b - 1.0).abs() < 1e-9);
        assert!(close, "{shape:?} {shares:?} {room}: {ideal:?}");
    };
    check(&[1000, 1000], &[0.5, 0.5], 2500, &[50.0, 50.0]);
    check(&[1000, 1000], &[0.2, 0.8], 2500, &[100.0, 25.0]);
    check(&[4000, 1000], &[0.5, 0.5], 2500, &[100.0, 25.0]);
    check(&[10_000, 500], &[0.8, 0.2], 2000, &[100.0, 20.0]);
    check(&[1000, 1000, 1000], &[0.5, 0.25, 0.25], 500, &[5.0, 10.0, 10.0]);
    // What a short dimension cannot take goes to the others, and no extent is less than 1.
    check(&[4, 1000, 1000], &[0.2, 0.4, 0.4], 1600, &[1.0, 40.0, 40.0]);
    check(&[4, 1000, 1000], &[0.000_1, 0.499_95, 0.499_95], 1600, &[4.0, 20.0, 20.0]);
    check(&[10, 10], &[0.5, 0.5], 1000, &[10.0, 10.0]);
}

#[test]
fn layouts() {
    let check = |shape: &[u64], mix: &[(usize, f64)], chunk: &[u64], shard: Option<&[u64]>| {
        let mix = Mix::new(mix.iter().copied()).unwrap();
        let chosen = layout_for(shape, 4, &mix, &aim()).unwrap();
        let found = (chosen.chunk.as_slice(), chosen.shard.as_deref());
        assert_eq!(found, (chunk, shard), "{shape:?} {mix:?}: {chosen:?}");
    };
    // a / b = 0.2 * 10000 / (0.8 * 500) = 5.
    check(&[10_000, 500, 2], &[(1, 0.2), (0, 0.8)], &[100, 20, 2], Some(&[10_000, 500, 2]));
    // Weights are shares of their sum.
    check(&[10_000, 500, 2], &[(1, 1.0), (0, 4.0)], &[100, 20, 2], Some(&[10_000, 500, 2]));
    check(&[10_000, 500, 2], &[(0, 1.0)], &[4, 500, 2], Some(&[10_000, 500, 2]));
    check(&[10_000, 500, 2], &[(1, 1.0)], &[10_000, 1, 2], Some(&[10_000, 500, 2]));
    check(&[3, 5], &[(0, 1.0), (1, 1.0)], &[3, 5], None);
    check(&[0, 5], &[(0, 1.0)], &[1, 5], None);
    check(&[0, 0], &[(0, 1.0), (1, 0.5)], &[1, 1], None);
}

#[test]
fn what_is_always_read_is_cut_last_and_largest_first() {
    let check = |chunk_bytes: u64, chunk_bytes_max: u64, chunk: &[u64]| {
        let limits = Aim { chunk_bytes, chunk_bytes_max, ..limits(1) };
        let chosen = layout_for(&[10, 20, 6], 1, &Mix::new([(0, 1.0)]).unwrap(), &limits).unwrap();
        assert_eq!(chosen.chunk, chunk, "{chunk_bytes} {chunk_bytes_max}");
    };
    check(240, 240, &[2, 20, 6]);
    check(120, 120, &[1, 20, 6]);
    check(50, 120, &[1, 20, 6]);
    check(60, 60, &[1, 10, 6]);
    check(50, 50, &[1, 7, 6]);
    check(4, 4, &[1, 1, 3]);
    check(1, 1, &[1, 1, 1]);
}

#[test]
fn few_files_come_before_few_shards_touched() {
    let check = |objects_max: u64, shard: Result<&[u64], u64>| {
        let limits = Aim { shard_bytes_max: 2500, objects_max, ..limits(100) };
        let mix = Mix::new([(0, 0.8), (1, 0.2)]).unwrap();
        let found = shard_for(&Reads { shape: &[100, 50], cell: &[10, 5], mix: &mix }, 100, &limits);
        let found = found.map(Option::unwrap_or_default).map_err(|error| match error {
            MixError::Objects { objects, .. } => objects,
            other => panic!("{other}"),
        });
        assert_eq!(found, shard.map(<[u64]>::to_vec), "{objects_max}");
    };
    check(100, Ok(&[2, 10]));
    check(4, Ok(&[5, 5]));
    check(3, Err(5));
}

#[test]
fn chunks_that_make_good_files_need_no_shards() {
    let check = |objects_max: u64, shard: Option<&[u64]>| {
        let limits = Aim { objects_max, ..limits(1 << 20) };
        let chosen = layout_for(&[100, 1 << 20], 1, &Mix::new([(0, 1.0)]).unwrap(), &limits).unwrap();
        assert_eq!((chosen.chunk.as_slice(), chosen.shard.as_deref()), (&[1, 1 << 20][..], shard));
    };
    check(100, None);
    check(99, Some(&[100, 1 << 20]));
}

#[test]
fn sizes_follow_from_what_a_request_costs() {
    let check = |request_ns: f64, byte_ns: f64, bytes: u64| {
        assert_eq!(efficient_bytes(request_ns, byte_ns), bytes, "{request_ns} / {byte_ns}");
    };
    check(100_000.0, 1.0, 100_000);
    check(15_000.0, 1.9, 16 << 10);
    check(1e9, 0.1, 16 << 20);
    check(1.0, 0.0, 16 << 20);
    check(0.0, 0.0, 16 << 10);
}

#[test]
fn mixes_that_have_no_layout() {
    let check = |mix: &[(usize, f64)], part: &str| {
        let limits = Aim { objects_max: 3, shard_bytes_max: 1000, ..limits(100) };
        let outcome = Mix::new(mix.iter().copied()).and_then(|mix| layout_for(&[100, 100], 1, &mix, &limits));
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(part), "{mix:?}: {error}");
    };
    check(&[], "names no dimension");
    check(&[(0, 0.0)], "weight 0");
    check(&[(0, -1.5)], "weight -1.5");
    check(&[(0, f64::NAN)], "weight NaN");
    check(&[(0, f64::INFINITY)], "weight inf");
    check(&[(1, 1.0), (0, 1.0), (1, 2.0)], "named twice, as number 1 and 3");
    check(&[(2, 1.0)], "2 dimensions: dimension 2 is not one");
    check(&[(0, 1.0), (1, 1.0)], ": allow so many");
    let overflow = layout_for(&[u64::MAX, 2], 1, &Mix::new([(0, 1.0)]).unwrap(), &limits(1));
    assert!(matches!(overflow, Err(MixError::Grid(_))));
}

#[test]
fn huge_arrays_are_quick_and_extreme_weights_are_bounded() {
    let check = |shape: &[u64], weights: &[f64]| {
        let mix = Mix::new(weights.iter().copied().enumerate()).unwrap();
        let limits = Aim { objects_max: u64::MAX, ..aim() };
        let chosen = layout_for(shape, 1, &mix, &limits).unwrap();
        let bytes: u64 = chosen.chunk.iter().product();
        assert!((8 << 10..=16 << 10).contains(&bytes), "{chosen:?}");
    };
    check(&[1 << 30, 1 << 30], &[1.0, 3.0]);
    check(&[1 << 20; 3], &[1.0, 2.0, 3.0]);
    check(&[1 << 10; 6], &[1.0; 6]);
    check(&[2; 20], &[1.0; 20]);
    check(&[1000, 100_000], &[f64::MAX, f64::MAX]);
    check(&[1000, 100_000], &[1e-300, 1e300]);
}
