//! Properties of regions, grids, copies and tiles on index-valued data.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use zarrange_grid::{
    ChunkGrid, Dims, Edges, GridError, LentTile, Region, Strides, Tile, checked_bytes, copy_region, index,
};

/// Every element of `region` holds its own C-order position in an array of `shape`, in `item` bytes.
fn index_valued(shape: &[u64], strides: &Strides, item: usize) -> Vec<u8> {
    let mut data = vec![0xEE; index(strides.bytes())];
    for_each(strides.region(), |at| {
        let value = Region::whole(shape).linear(at).to_le_bytes();
        let offset = index(strides.offset(at));
        for k in 0..item {
            data[offset + k] = value[k % 8].wrapping_add(u8::try_from(k / 8).unwrap());
        }
    });
    data
}

fn for_each(region: &Region, mut body: impl FnMut(&[u64])) {
    for k in 0..region.elements() {
        body(&region.unravel(k));
    }
}

/// (array, chunk, other chunk) shapes of one rank, with zero lengths and ragged edges.
fn problem() -> impl Strategy<Value = (Vec<u64>, Vec<u64>, Vec<u64>)> {
    (0usize..5).prop_flat_map(|rank| {
        let of = |range: std::ops::Range<u64>| prop::collection::vec(range, rank);
        (of(0..9), of(1..11), of(1..11))
    })
}

fn order(rank: usize) -> impl Strategy<Value = Dims> {
    Just((0..rank as u64).collect::<Vec<_>>()).prop_shuffle().prop_map(Dims::from_vec)
}

/// A grid over `array` of chunks with the lengths given for each dimension, of which the last follows as often as it takes.
fn rectilinear(array: &[u64], lengths: &[Vec<u64>]) -> ChunkGrid {
    let edges = array.iter().zip(lengths).map(|(n, lengths)| {
        let last = *lengths.last().unwrap();
        Edges::new(*n, lengths.iter().map(|length| (*length, 1)).chain([(last, 9)])).unwrap()
    });
    ChunkGrid::rectilinear(array, edges.collect()).unwrap()
}

proptest! {
    /// The chunks of a grid hold every element exactly once, and `covering` finds those that overlap a region.
    #[test]
    fn chunks_partition_the_array(
        (array, chunk, other) in problem(),
        lengths in prop::collection::vec(prop::collection::vec(1u64..7, 1..5), 5),
    ) {
        let whole = Region::whole(&array);
        for grid in [ChunkGrid::new(&array, &chunk).unwrap(), rectilinear(&array, &lengths[..array.len()])] {
            let mut owners = vec![0; index(whole.elements())];
            for_each(&grid.all(), |c| for_each(&grid.region(c), |at| owners[index(whole.linear(at))] += 1));
            prop_assert!(owners.iter().all(|n| *n == 1));
            for_each(&grid.all(), |c| {
                assert!(grid.cell(c).contains(&grid.region(c)));
                for d in 0..grid.rank() {
                    assert_eq!(grid.span(d, c[d]), (grid.cell(c).start()[d], grid.cell(c).shape()[d]));
                }
            });

            let regions = ChunkGrid::new(&array, &other).unwrap();
            for_each(&regions.all(), |r| {
                let region = regions.region(r);
                let covering = grid.covering(&region);
                let mut elements = 0;
                for_each(&covering, |c| elements += grid.cell(c).elements());
                assert_eq!(grid.whole_elements(&covering), elements);
                for_each(&grid.all(), |c| {
                    let overlaps = grid.region(c).intersect(&region).is_some();
                    let one: Dims = grid.all().shape().iter().map(|_| 1).collect();
                    let covered = covering.intersect(&Region::new(c, one));
                    assert_eq!(overlaps, covered.is_some(), "chunk {c:?} of {covering} and {region}");
                });
            });
        }
    }

    #[test]
    fn linear_and_unravel_are_inverse((array, chunk, _) in problem()) {
        let grid = ChunkGrid::new(&array, &chunk).unwrap();
        for k in 0..grid.count() {
            prop_assert_eq!(grid.all().linear(&grid.all().unravel(k)), k);
        }
    }

    /// A tile filled chunk by chunk, in any axis order and element size, holds the array; read back by other chunks too.
    #[test]
    fn tiles_move_every_element_once(
        ((array, chunk, other), tile_order, source_order) in problem().prop_flat_map(|p| {
            let rank = p.0.len();
            (Just(p), order(rank), order(rank))
        }),
        item in prop::sample::select(vec![1usize, 2, 3, 4, 8, 12, 16]),
        tile_number in any::<prop::sample::Index>(),
    ) {
        let source = ChunkGrid::new(&array, &chunk).unwrap();
        let target = ChunkGrid::new(&array, &other).unwrap();
        prop_assume!(target.count() > 0);
        let region = target.region(&target.all().unravel(tile_number.index(index(target.count())) as u64));
        let strides = Strides::ordered(region.clone(), &tile_order, item as u64);
        let tile = Tile::new(vec![0xEE; index(strides.bytes())], strides.clone(), source.clone(), item);
        prop_assert_eq!(tile.filled().is_some(), tile.chunks().is_empty());
        for_each(tile.chunks(), |c| {
            let from = Strides::ordered(source.cell(c), &source_order, item as u64);
            let exact = index_valued_cell(&array, &from, item);
            tile.claim(c).copy_from(&exact, &from);
        });
        let expected = index_valued(&array, &strides, item);
        prop_assert_eq!(&tile.filled().unwrap().data[..expected.len()], &expected[..]);

        let back = Strides::c_order(region.clone(), item as u64);
        let mut out = vec![0; index(back.bytes())];
        copy_region(&region, (tile.filled().unwrap().data, &strides), (&mut out, &back), item);
        prop_assert_eq!(out, index_valued(&array, &back, item));
    }

    #[test]
    fn fill_writes_its_part_only((array, chunk, _) in problem(), item in prop::sample::select(vec![1usize, 4, 8, 12])) {
        let grid = ChunkGrid::new(&array, &chunk).unwrap();
        prop_assume!(grid.count() > 0);
        let strides = Strides::c_order(Region::whole(&array), item as u64);
        let tile = Tile::new(vec![0xEE; index(strides.bytes())], strides.clone(), grid.clone(), item);
        let pattern = |c: &[u64]| (0..item).map(|k| u8::try_from(grid.all().linear(c) % 251).unwrap().wrapping_add(u8::try_from(k).unwrap())).collect::<Vec<_>>();
        for_each(&grid.all(), |c| tile.claim(c).fill(&pattern(c)));
        let data = tile.filled().unwrap().data;
        for_each(&Region::whole(&array), |at| {
            let chunk_of: Dims = at.iter().zip(&chunk).map(|(i, c)| i / c).collect();
            let offset = index(strides.offset(at));
            assert_eq!(&data[offset..offset + item], &pattern(&chunk_of)[..]);
        });
    }
}

/// A whole cell, the part beyond the array's edge holding rubbish.
fn index_valued_cell(array: &[u64], strides: &Strides, item: usize) -> Vec<u8> {
    let mut data = vec![0xDD; index(strides.bytes())];
    let Some(inside) = strides.region().intersect(&Region::whole(array)) else { return data };
    let exact = Strides::c_order(inside.clone(), item as u64);
    copy_region(&inside, (&index_valued(array, &exact, item), &exact), (&mut data, strides), item);
    data
}

/// A buffer that was lent to threads holds what they wrote, once they are done.
#[test]
fn a_lent_buffer_is_filled_by_threads() {
    let grid = ChunkGrid::new(&[4, 6], &[2, 4]).unwrap();
    let region = Region::new(vec![1, 1], vec![3, 5]);
    let mut buffer = [0; 15];
    let tile = LentTile::new(&mut buffer, Strides::c_order(region.clone(), 1), grid.clone(), 1);
    std::thread::scope(|scope| {
        for chunk in (0..grid.count()).map(|k| grid.all().unravel(k)) {
            let tile = &tile;
            scope.spawn(move || {
                tile.claim(&chunk).fill(&[u8::try_from(1 + chunk[0] * 2 + chunk[1]).unwrap()]);
            });
        }
    });
    assert_eq!(tile.region(), &region);
    assert_eq!(buffer, [1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 3, 3, 3, 4, 4]);
}

#[test]
fn a_part_is_claimed_once() {
    let grid = ChunkGrid::new(&[4], &[2]).unwrap();
    let tile = Tile::new(vec![0; 4], Strides::c_order(Region::whole(&[4]), 1), grid, 1);
    drop(tile.claim(&[0]));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| tile.claim(&[0]))).is_err());
    tile.claim(&[1]).fill(&[1]);
    assert!(tile.filled().is_none(), "an abandoned part leaves the tile unreadable");
}

#[test]
fn impossible_grids_are_refused() {
    let check = |array: &[u64], chunk: &[u64], expected: fn(&GridError) -> bool| {
        let error = ChunkGrid::new(array, chunk).unwrap_err();
        assert!(expected(&error), "{array:?} in {chunk:?}: {error}");
    };
    check(&[1, 2], &[1], |e| matches!(e, GridError::Rank { .. }));
    check(&[1], &[0], |e| matches!(e, GridError::ZeroChunk(_)));
    check(&[u64::MAX], &[1], |e| matches!(e, GridError::Overflow(_)));
    check(&[1 << 40, 1 << 40], &[1, 1], |e| matches!(e, GridError::Overflow(_)));
    check(&[0, 1 << 40, 1 << 40], &[1, 1, 1], |e| matches!(e, GridError::Overflow(_)));
    check(&[1], &[1 << 63], |e| matches!(e, GridError::Overflow(_)));
    check(&vec![1; 65], &vec![1; 65], |e| matches!(e, GridError::RankTooHigh(65)));
    assert!(checked_bytes(&[1 << 60], 8).is_err());
    assert_eq!(checked_bytes(&[3, 0, 5], 8), Ok(0));
}
