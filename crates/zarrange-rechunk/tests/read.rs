//! Regions that are read by several threads: the same elements as read by one, within the memory that was given.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::json;
use support::{End, create, values};
use zarrange_array::{Array, Node, RegionReader, open};
use zarrange_grid::{Region, Strides, copy_region, index};
use zarrange_io::{IoError, Stop, Stopped};
use zarrange_rechunk::{RechunkError, read_region};

/// More than what is read in one go.
const SHAPE: [u64; 2] = [2600, 2500];

fn array(chunk: &[u64], shard: Option<&[u64]>) -> Array {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "big"}});
    let codecs = json!([bytes, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]);
    let end = End { chunk: chunk.to_vec(), shard: shard.map(<[u64]>::to_vec), codecs };
    let Node::Array(array) = open(&create(&SHAPE, &end).open().unwrap()).unwrap() else { panic!() };
    *array
}

#[test]
fn threads_read_what_one_does() {
    let all = values(&SHAPE);
    let whole = Strides::c_order(Region::whole(&SHAPE), 4);
    let check = |chunk: &[u64], shard: Option<&[u64]>| {
        let array = array(chunk, shard);
        let regions = [
            Region::whole(&SHAPE),
            Region::new(vec![1, 0], vec![2599, 2500]),
            Region::new(vec![0, 700], vec![2600, 1]),
            Region::new(vec![2599, 3], vec![1, 2400]),
            Region::new(vec![7, 7], vec![0, 9]),
        ];
        for region in regions {
            let strides = Strides::c_order(region.clone(), 4);
            let mut expected = vec![0; index(strides.bytes())];
            if !region.is_empty() {
                copy_region(&region, (&all, &whole), (&mut expected, &strides), 4);
            }
            for threads in [1, 2, 5] {
                let mut out = vec![0xEE; expected.len()];
                let cost =
                    read_region(&array, &region, &mut out, (1 << 30, threads), &Stop::default()).unwrap();
                assert!(out == expected, "{region} of chunks {chunk:?} in {shard:?}, {threads} threads");
                let chunks = array.elements().unwrap().chunks.covering(&region).elements();
                assert!(cost.chunks <= chunks && (cost.chunks > 0 || region.is_empty()));
            }
        }
    };
    check(&[2600, 30], None);
    check(&[130, 2500], None);
    check(&[100, 50], Some(&[1300, 500]));
}

#[test]
fn memory_is_for_all_threads_and_suffices_for_one() {
    let array = array(&[2600, 30], None);
    let (whole, each) = (Region::whole(&SHAPE), RegionReader::memory_bytes(&array).unwrap());
    let mut out = vec![0; index(whole.elements()) * 4];
    let mut read = |bytes| read_region(&array, &whole, &mut out, (bytes, 4), &Stop::default());
    assert!(matches!(read(each - 1), Err(RechunkError::Budget { wanted, .. }) if wanted == each));
    read(each).unwrap();
    assert!(out == values(&SHAPE));
}

#[test]
fn a_stop_and_a_damaged_chunk_are_errors() {
    let array = array(&[130, 2500], None);
    let whole = Region::whole(&SHAPE);
    let mut out = vec![0; index(whole.elements()) * 4];
    let stop = Stop::default();
    stop.request();
    let stopped = read_region(&array, &whole, &mut out, (1 << 30, 2), &stop);
    assert!(matches!(stopped, Err(RechunkError::Io(IoError::Stopped(Stopped)))));
    array.store().put(&array.key(&[11, 0]), b"no zstd frame").unwrap();
    for threads in [1, 3] {
        let damaged = read_region(&array, &whole, &mut out, (1 << 30, threads), &Stop::default());
        assert!(damaged.unwrap_err().to_string().contains("c/11/0"));
    }
}
