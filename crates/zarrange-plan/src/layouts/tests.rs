//! Choices against all layouts whatsoever, and the limits that they keep.

use super::*;
use crate::read_cost::tests::access;
use crate::{CodecSpeed, Reader};

fn codecs() -> Vec<CodecModel> {
    let codec = |name: &str, partial: bool, ratio: f64, decode_ns_per_byte: f64| {
        let table = CodecSpeed { ratio, decode_ns_per_byte, encode_ns_per_byte: 1.0 };
        CodecModel { name: name.to_owned(), partial, table, by_size: Vec::new(), by_shape: Vec::new() }
    };
    vec![codec("none", true, 1.0, 0.1), codec("packed", false, 3.0, 0.5)]
}

fn place(read_request_ns: f64, in_flight: f64) -> StoreProfile {
    let nvme = StoreProfile::built_in("nvme").unwrap();
    StoreProfile { read_request_ns, in_flight, read_ns_per_byte: 1.0, open_ns: 50.0, ..nvme }
}

fn limits(files_max: u64, bytes_max: u64) -> Limits {
    Limits {
        files_max,
        chunk_bytes_max: bytes_max,
        file_bytes_max: bytes_max,
        file_bytes_min: 0,
        access_ns_max: None,
        stored_bytes_max: None,
    }
}

fn volume(shape: &[u64]) -> u64 {
    shape.iter().product()
}

/// The best of all chunks and shards whatsoever.
fn exhaustive(question: &Question<'_>) -> f64 {
    let Question { limits, .. } = question;
    let subject = question.subject();
    let all = |n: &u64| (1..=*n).collect::<Vec<u64>>();
    let mut best = f64::INFINITY;
    each(&subject.shape.iter().map(all).collect::<Vec<_>>(), &mut |chunk| {
        let counts: Vec<u64> = subject.shape.iter().zip(chunk).map(|(n, c)| n.div_ceil(*c)).collect();
        each(&counts.iter().map(all).collect::<Vec<_>>(), &mut |factor| {
            let shard: Vec<u64> = chunk.iter().zip(factor).map(|(c, f)| c * f).collect();
            if subject.bytes(&shard) > limits.file_bytes_max || subject.files(&shard) > limits.files_max {
                return;
            }
            for (codec, kind) in question.codecs.iter().enumerate() {
                let shard = (volume(factor) > 1).then(|| shard.clone());
                let design = Design { chunk: chunk.to_vec(), shard, codec };
                let ns = |axis: usize| question.reading.read(&design, kind, &axis.into()).ns();
                let stored = subject.stored_bytes(&design, kind);
                let lean = limits.stored_bytes_max.is_none_or(|most| stored <= most as f64);
                if lean && limits.access_ns_max.is_none_or(|(axis, most)| ns(axis) <= most) {
                    best = best.min(question.cost(&design));
                }
            }
        });
    });
    best
}

#[test]
fn nearly_the_best_of_all_layouts() {
    let of = |shape: &[u64], mix: &Mix, place: &StoreProfile, limits: Limits| {
        for reader in Reader::ALL {
            let subject = Subject::new(shape, 4);
            let codecs = codecs();
            let reading = Reading { subject: &subject, place, reader, reads: 1 };
            let question = Question { reading, codecs: &codecs, mix, limits };
            let (found, best) = (question.search(), exhaustive(&question));
            let (cost, design) = &found[0];
            let message = format!("{reader} {shape:?} {mix:?}: {design:?} {cost} {best}");
            assert!(*cost >= best - 1e-6 && *cost <= best * 1.1, "{message}");
            assert!((question.cost(design) - cost).abs() < 1e-6, "{message}");
            assert_eq!(question.best().as_ref(), Some(&found[0]), "{message}");
            assert!(found[1..].is_sorted_by(|a, b| a.0 <= b.0), "{message}");
            assert!(found.iter().all(|(other, _)| *other * NEAR_TIE >= *cost), "{message}");
        }
    };
    let check = |shape: &[u64], shares: &[(usize, f64)], place: &StoreProfile, limits: Limits| {
        of(shape, &Mix::new(shares.iter().copied()).unwrap(), place, limits);
    };
    let even = [(0, 0.5), (1, 0.5)];
    let skewed = [(0, 0.8), (1, 0.2)];
    for (bytes_max, files_max) in [(64, 10_000), (256, 100), (1024, 64), (4096, 16), (1 << 20, 4)] {
        let limits = limits(files_max, bytes_max);
        for place in [place(20.0, 1.0), place(300.0, 4.0), place(5000.0, 16.0)] {
            for shape in [[17, 12], [32, 30], [40, 13], [64, 8]] {
                if shape[0] * shape[1] * 4 > bytes_max * files_max / 2 {
                    continue;
                }
                check(&shape, &even, &place, limits);
                check(&shape, &skewed, &place, limits);
                check(&shape, &[(1, 1.0)], &place, limits);
            }
        }
    }
    let quick = Limits { access_ns_max: Some((0, 600_000.0)), ..limits(64, 1 << 20) };
    check(&[40, 30], &skewed, &place(300.0, 4.0), quick);
    let lean = Limits { stored_bytes_max: Some(40 * 30 * 4 / 2), ..limits(64, 1 << 20) };
    check(&[40, 30], &skewed, &place(20.0, 1.0), lean);
    check(&[9, 8, 5], &[(0, 0.5), (2, 0.5)], &place(300.0, 4.0), limits(64, 1 << 20));
    let some = Mix::new([(access(&[(0, 7, true)]), 0.5), (access(&[(1, 3, false)]), 0.5)]);
    let written =
        Mix::new([(Access::from(1).written(), 0.3), (access(&[(0, 1, false), (2, 1, false)]), 0.7)]);
    for mix in [curves(), some.unwrap(), written.unwrap()] {
        for (bytes_max, files_max) in [(256, 100), (1 << 20, 64)] {
            for place in [place(20.0, 1.0), place(300.0, 4.0), place(5000.0, 16.0)] {
                of(&[17, 6, 4], &mix, &place, limits(files_max, bytes_max));
            }
        }
    }
}

/// Objects, epochs and measurements: one object in one measurement, several, and an epoch.
fn curves() -> Mix {
    let one = access(&[(0, 1, false), (2, 1, false)]);
    let some = access(&[(0, 5, true), (2, 1, false)]);
    Mix::new([(one, 0.8), (some, 0.1), (Access::from(1), 0.1)]).unwrap()
}

/// In arrays that are too large to try everything, no chunk or shard that has another length along one or two dimensions is better by much.
#[test]
fn nothing_near_is_much_better_for_joint_accesses() {
    let check = |shape: &[u64], mix: &Mix, place: &StoreProfile| {
        let (subject, codecs) = (Subject::new(shape, 4), codecs());
        for reader in Reader::ALL {
            let reading = Reading { subject: &subject, place, reader, reads: 1 };
            let question = Question { reading, codecs: &codecs, mix, limits: Limits::default() };
            let (cost, design) = question.best().unwrap();
            let shard = design.shard.clone().unwrap_or_else(|| design.chunk.clone());
            let factors: Vec<u64> = shard.iter().zip(&design.chunk).map(|(s, c)| s / c).collect();
            let lengths: Vec<Vec<u64>> = design.chunk.iter().zip(shape).map(|(c, n)| near(*c, *n)).collect();
            let mut best = (cost, design.clone());
            each(&lengths, &mut |chunk| {
                let shard: Vec<u64> = chunk.iter().zip(&factors).map(|(c, f)| c * f).collect();
                let Limits { chunk_bytes_max, file_bytes_max, files_max, file_bytes_min, .. } =
                    question.limits;
                let bytes = subject.bytes(&shard);
                if subject.bytes(chunk) <= chunk_bytes_max
                    && (file_bytes_min..=file_bytes_max).contains(&bytes)
                    && subject.files(&shard) <= files_max
                {
                    let other = Design { chunk: chunk.to_vec(), shard: Some(shard), codec: design.codec };
                    let ns = question.cost(&other);
                    if ns < best.0 {
                        best = (ns, other);
                    }
                }
            });
            assert!(
                cost <= best.0 * 1.1,
                "{reader} {shape:?} {}: {design:?} {cost}, but {best:?}",
                place.name
            );
        }
    };
    for name in ["nvme", "object"] {
        let place = StoreProfile::built_in(name).unwrap();
        check(&[47_287, 3000, 32], &curves(), &place);
        check(&[100_000, 500, 6], &curves(), &place);
        let some = access(&[(0, 50, false)]);
        let few = access(&[(1, 20, false), (0, 100, true)]);
        check(&[10_000, 500], &Mix::new([(some, 0.5), (few, 0.3), (1.into(), 0.2)]).unwrap(), &place);
    }
}

/// Lengths from a third to three times as long.
fn near(length: u64, n: u64) -> Vec<u64> {
    let all = [(1, 3), (1, 2), (2, 3), (4, 5), (1, 1), (5, 4), (3, 2), (2, 1), (3, 1)];
    all.map(|(a, b)| (length * a / b).clamp(1, n))
        .into_iter()
        .collect::<BTreeSet<u64>>()
        .into_iter()
        .collect()
}

#[test]
fn impossible_limits_name_what_would_do() {
    let place = StoreProfile::built_in("nvme").unwrap();
    let subject = Subject::new(&[64, 64], 4);
    let (codecs, mix) = (codecs(), Mix::new([(0, 0.5), (1, 0.5)]).unwrap());
    let reading = Reading { subject: &subject, place: &place, reader: Reader::Zarrange, reads: 1 };
    let check = |limits: Limits| {
        let question = Question { reading, codecs: &codecs, mix: &mix, limits };
        assert!(question.search().is_empty(), "{limits:?}");
        let needed = question.needed();
        let given = |limits| Question { limits, ..question }.best().is_some();
        if let Some(files_max) = needed.files_max {
            assert!(given(Limits { files_max, ..limits }));
            assert!(!given(Limits { files_max: files_max - 1, ..limits }));
        }
        if let Some(bytes) = needed.file_bytes_max {
            assert!(given(Limits { file_bytes_max: bytes, ..limits }));
            assert!(!given(Limits { file_bytes_max: bytes - 1, ..limits }));
        }
        if let (Some(ns), Some((axis, _))) = (needed.access_ns_max, limits.access_ns_max) {
            assert!(given(Limits { access_ns_max: Some((axis, ns * 1.000_001)), ..limits }));
            assert!(!given(Limits { access_ns_max: Some((axis, ns * 0.999_999)), ..limits }));
        }
        if let (Some(all), Some(_)) = (needed.stored_bytes_max, limits.stored_bytes_max) {
            let most = |bytes: f64| Limits { stored_bytes_max: Some(bytes as u64), ..limits };
            assert!(given(most(all.ceil())) && !given(most(all.ceil() - 1.0)), "{all}");
        }
        needed
    };
    let chunks = Limits { chunk_bytes_max: 1 << 20, ..limits(3, 4096) };
    let needed = check(chunks);
    assert_eq!((needed.files_max, needed.file_bytes_max), (Some(4), Some(64 * 22 * 4)));
    let needed = check(Limits { access_ns_max: Some((0, 100.0)), ..limits(10, 1 << 20) });
    assert!(needed.access_ns_max.is_some() && needed.files_max.is_none(), "{needed:?}");
    let needed = check(Limits { stored_bytes_max: Some(100), ..limits(10, 1 << 20) });
    assert!(needed.stored_bytes_max.is_some() && needed.files_max.is_none(), "{needed:?}");
}

#[test]
fn lengths_are_thinned_but_keep_their_ends() {
    let mut lists = vec![extents(1000, &[77]), extents(3, &[])];
    assert!(lists[0].contains(&77) && lists[0].contains(&334) && lists[1] == [1, 2, 3]);
    thin(&mut lists, 30.0);
    assert!(lists[0].len() * lists[1].len() <= 30);
    assert_eq!((lists[0].first(), lists[0].last()), (Some(&1), Some(&1000)));
    // More dimensions than there is room for.
    let mut lists = vec![extents(2, &[]); 60];
    thin(&mut lists, 30.0);
    assert!(lists.iter().map(Vec::len).product::<usize>() <= 30);
    assert!(lists.iter().all(|list| list.last() == Some(&2)));
}

/// A layout that was chosen for float32.
fn chosen(shape: &[u64], mix: &[(usize, f64)], reader: Reader, name: &str) -> (Vec<u64>, Option<Vec<u64>>) {
    let (subject, mix) = (Subject::new(shape, 4), Mix::new(mix.iter().copied()).unwrap());
    let place = StoreProfile::built_in(name).unwrap();
    let reading = Reading { subject: &subject, place: &place, reader, reads: 1 };
    let codecs = &codecs()[..1];
    let question = Question { reading, codecs, mix: &mix, limits: Limits::default() };
    let Chosen { chunk, shard, .. } = question.chosen(shape).unwrap();
    (chunk, shard)
}

#[test]
fn layouts() {
    type Layout<'a> = (&'a [u64], Option<&'a [u64]>);
    let check = |reader: Reader, shape: &[u64], mix: &[(usize, f64)], expected: Layout<'_>| {
        let (chunk, shard) = chosen(shape, mix, reader, "nvme");
        assert_eq!((chunk.as_slice(), shard.as_deref()), expected, "{reader} {shape:?} {mix:?}");
    };
    let both = [(1, 0.2), (0, 0.8)];
    let whole = Reader::ZarrPython;
    check(whole, &[10_000, 500, 2], &both, (&[200, 125, 2], Some(&[10_000, 125, 2])));
    check(whole, &[10_000, 500, 2], &[(0, 1.0)], (&[2, 500, 2], Some(&[400, 500, 2])));
    check(whole, &[10_000, 500, 2], &[(1, 1.0)], (&[10_000, 1, 2], Some(&[10_000, 20, 2])));
    check(whole, &[400, 120], &both, (&[400, 120], None));
    check(whole, &[400], &[(0, 1.0)], (&[400], None));
    check(whole, &[0, 120], &both, (&[1, 120], None));
    // Of chunks without compression ours fetches the part of an object, however large they are.
    check(Reader::Zarrange, &[10_000, 500, 2], &both, (&[10_000, 16, 2], None));
}

#[test]
fn many_dimensions_and_large_arrays_are_possible() {
    let check = |shape: &[u64]| {
        let mix: Vec<(usize, f64)> = (0..shape.len()).map(|axis| (axis, 1.0)).collect();
        let (chunk, shard) = chosen(shape, &mix, Reader::ZarrPython, "nvme");
        assert!(volume(&chunk) * 4 <= 16 << 20, "{shape:?} {chunk:?}");
        let subject = Subject::new(shape, 4);
        assert!(subject.files(shard.as_ref().unwrap_or(&chunk)) <= 10_000, "{shape:?} {chunk:?} {shard:?}");
    };
    check(&[2; 20]);
    check(&[1 << 5; 6]);
    check(&[10_000_000, 30_000]);
}

#[test]
fn what_has_no_layout_is_told_why() {
    let place = StoreProfile::built_in("nvme").unwrap();
    let codecs = codecs();
    let check = |shape: &[u64], mix: &[(usize, f64)], part: &str| {
        let (subject, mix) = (Subject::new(shape, 4), Mix::new(mix.iter().copied()).unwrap());
        let reading = Reading { subject: &subject, place: &place, reader: Reader::ZarrPython, reads: 1 };
        let question = Question { reading, codecs: &codecs, mix: &mix, limits: limits(3, 1000) };
        let error = question.chosen(shape).unwrap_err().to_string();
        assert!(error.contains(part), "{shape:?}: {error}");
    };
    check(&[100, 100], &[(0, 1.0), (1, 1.0)], ": allow so many");
    check(&[100, 100], &[(2, 1.0)], "dimension 2 is not one");
    check(&[u64::MAX, 2], &[(0, 1.0)], "overflows");
}
