//! Digests are the same for all layouts, and for no other elements.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use zarrange_grid::{ChunkGrid, Digester, Dims, Region, Strides, copy_region, index};

const SIZES: [usize; 9] = [1, 2, 3, 4, 7, 8, 12, 16, 40];

/// The digest of elements in C order, taken chunk by chunk from buffers in which the axes lie in `order`.
fn digest(shape: &[u64], chunk: &[u64], order: &[u64], data: &[u8], fill: &[u8]) -> u128 {
    let digester = Digester::new(shape, fill);
    let whole = Strides::c_order(Region::whole(shape), fill.len() as u64);
    let grid = ChunkGrid::new(shape, chunk).unwrap();
    let all = grid.all();
    (0..all.elements()).fold(0, |sum, k| {
        let region = grid.region(&all.unravel(k));
        let strides = Strides::ordered(region.clone(), order, fill.len() as u64);
        let mut buffer = vec![0xEE; index(strides.bytes())];
        copy_region(&region, (data, &whole), (&mut buffer, &strides), fill.len());
        sum.wrapping_add(digester.sum(&region, &buffer, &strides))
    })
}

fn shapes() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Dims)> {
    (0usize..5).prop_flat_map(|rank| {
        let order = Just((0..rank as u64).collect::<Vec<_>>()).prop_shuffle().prop_map(Dims::from_vec);
        // Long enough for runs, and for several keys of a table.
        (prop::collection::vec(1u64..40, rank), prop::collection::vec(1u64..50, rank), order)
    })
}

fn bytes(shape: &[u64], size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let count = index(Region::whole(shape).elements()) * size;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Few values, so that some are the fill value.
        u8::try_from(state >> 62).unwrap()
    })
    .take(count)
    .collect()
}

proptest! {
    #[test]
    fn layouts_do_not_matter((shape, chunk, order) in shapes(), size in 0..SIZES.len(), seed: u64) {
        let size = SIZES[size];
        prop_assume!(Region::whole(&shape).elements() < 20_000);
        let (data, fill) = (bytes(&shape, size, seed), vec![1; size]);
        let c_order: Vec<u64> = (0..shape.len() as u64).collect();
        let whole = digest(&shape, &shape, &c_order, &data, &fill);
        prop_assert_eq!(digest(&shape, &chunk, &order, &data, &fill), whole);
    }

    #[test]
    fn elements_and_places_matter((shape, chunk, order) in shapes(), size in 0..SIZES.len(), seed: u64, k: prop::sample::Index, j: prop::sample::Index, bit in 0u32..8) {
        let size = SIZES[size];
        prop_assume!(Region::whole(&shape).elements() < 20_000);
        let (mut data, fill) = (bytes(&shape, size, seed), vec![1; size]);
        let digest = |data: &[u8]| digest(&shape, &chunk, &order, data, &fill);
        let before = digest(&data);
        let at = k.index(data.len());
        data[at] ^= 1 << bit;
        prop_assert_ne!(digest(&data), before);
        data[at] ^= 1 << bit;
        // Two elements that change places.
        let (one, other) = (at / size * size, j.index(data.len() / size) * size);
        let same = data[one..one + size] == data[other..other + size];
        for byte in 0..size {
            data.swap(one + byte, other + byte);
        }
        prop_assert_eq!(digest(&data) == before, same);
    }
}

#[test]
fn fill_values_add_nothing() {
    for size in SIZES {
        let (shape, fill) = ([7, 300], vec![3; size]);
        let data = vec![3; 2100 * size];
        assert_eq!(digest(&shape, &[2, 70], &[1, 0], &data, &fill), 0, "{size} bytes");
        // Zeros are elements, too.
        let zeros = vec![0; 2100 * size];
        assert_ne!(digest(&shape, &[2, 70], &[1, 0], &zeros, &fill), 0, "{size} bytes");
    }
}

/// Places beyond 2^64, and runs that reach there.
#[test]
fn large_arrays_have_places() {
    let shape = [1 << 33, 1 << 33];
    let digester = Digester::new(&shape, &[0; 4]);
    let of = |start: [u64; 2]| {
        let region = Region::new(start.to_vec(), vec![1, 40]);
        let strides = Strides::c_order(region.clone(), 4);
        digester.sum(&region, &[9; 160], &strides)
    };
    let sums: Vec<u128> =
        [[0, 0], [1 << 31, 0], [1 << 32, 0], [(1 << 31) - 1, (1 << 33) - 40]].map(of).to_vec();
    for (k, sum) in sums.iter().enumerate() {
        assert!(!sums[..k].contains(sum), "{k}");
    }
    assert_eq!(
        digester.sum(
            &Region::new(vec![0, 0], vec![0, 4]),
            &[],
            &Strides::c_order(Region::new(vec![0, 0], vec![0, 4]), 4)
        ),
        0
    );
}

/// Columns longer than what is taken of one at once, in rows of a few elements: as the same elements lie column by column.
#[test]
fn long_columns_of_short_rows() {
    let shape = [10_001, 3];
    let (region, value) = (Region::whole(&shape), |at: u64| u32::try_from(at * 7919 % 100_003).unwrap());
    let by_row = Strides::c_order(region.clone(), 4);
    let by_column = Strides::ordered(region, &[1, 0], 4);
    let rows: Vec<u8> = (0..30_003).flat_map(|at| value(at).to_le_bytes()).collect();
    let columns: Vec<u8> =
        (0..30_003).flat_map(|at| value(at % 10_001 * 3 + at / 10_001).to_le_bytes()).collect();
    // The rows lie in an array of longer ones: elements that are neighbours in memory are so in the array, and rows are not.
    let digester = Digester::new(&[10_001, 50], &[0; 4]);
    let [one, other] = [(&rows, &by_row), (&columns, &by_column)]
        .map(|(data, strides)| digester.sum(strides.region(), data, strides));
    assert_eq!(one, other);
}
