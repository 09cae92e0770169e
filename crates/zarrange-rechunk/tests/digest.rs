//! Digests through the engine: whatever the layout, the memory and the threads, also where little is stored.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Map, json};
use support::{End, create, create_of, place, values};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_grid::Region;
use zarrange_io::{Location, Opener};
use zarrange_rechunk::{NoProgress, RechunkError, digest};

/// The digest of the array at a place.
fn of(place: &Location, memory_bytes_max: u64, threads: u64) -> String {
    let digests = digest(place, &Opener::default(), (memory_bytes_max, threads), &NoProgress).unwrap();
    let [found] = &digests[..] else { panic!("one array") };
    found.digest.as_ref().unwrap().to_string()
}

fn end(chunk: &[u64], shard: Option<&[u64]>, codecs: &serde_json::Value) -> End {
    End { chunk: chunk.to_vec(), shard: shard.map(<[u64]>::to_vec), codecs: codecs.clone() }
}

#[test]
fn digests_are_those_of_the_elements() {
    let (bytes, zstd) = (
        json!([{"name": "bytes", "configuration": {"endian": "little"}}]),
        json!([{"name": "bytes", "configuration": {"endian": "big"}}, {"name": "zstd", "configuration": {"level": 1, "checksum": false}}]),
    );
    let shape = [300, 70, 3];
    let ends = [
        end(&[300, 1, 3], None, &bytes),
        end(&[7, 70, 2], None, &zstd),
        end(&[10, 7, 3], Some(&[40, 70, 3]), &zstd),
        end(&[1, 70, 3], None, &bytes),
    ];
    let mut found = Vec::new();
    for end in &ends {
        let place = create(&shape, end);
        for (memory, threads) in [(1 << 26, 3), (200_000, 2), (60_000, 1)] {
            found.push(of(&place, memory, threads));
        }
    }
    found.dedup();
    assert_eq!(found.len(), 1, "{found:?}");
    let mut changed = values(&shape);
    let last = changed.len() - 1;
    changed[last] ^= 0x80;
    assert_ne!(of(&create_of(&shape, &ends[1], &changed), 1 << 26, 2), found[0]);
}

/// 2^39 chunks, of which few are stored: the others are the fill value, and nobody looks for them.
#[test]
fn what_is_not_stored_takes_no_time() {
    let stored = |chunk: &[u64]| {
        let place = place();
        let document = Document::new(&ArraySpec {
            shape: vec![1 << 22, 1 << 20],
            data_type: "uint32",
            fill_value: json!(7),
            layout: Layout {
                chunk: chunk.to_vec(),
                shard: None,
                codecs: serde_json::from_value(
                    json!([{"name": "bytes", "configuration": {"endian": "little"}}]),
                )
                .unwrap(),
            },
            dimension_names: vec!["object", "epoch"],
            attributes: Map::new(),
        });
        let array = Array::new(place.open().unwrap(), document, 3).unwrap();
        array.write_metadata().unwrap();
        for k in [0u64, 1234, 4095] {
            // Whole chunks of both.
            let region = Region::new(vec![64 * k, 256 * k], vec![64, 256]);
            let elements: Vec<u8> = (0..64 * 256u32).flat_map(u32::to_ne_bytes).collect();
            array.write_region(&region, &elements).unwrap();
        }
        of(&place, 1 << 24, 2)
    };
    assert_eq!(stored(&[2, 4]), stored(&[64, 256]));
}

#[test]
fn too_little_memory_is_told() {
    let bytes = json!([{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip", "configuration": {"level": 1}}]);
    let place = create(&[300, 70, 3], &end(&[300, 70, 3], None, &bytes));
    let digests = digest(&place, &Opener::default(), (1000, 1), &NoProgress).unwrap();
    let error = digests[0].digest.as_ref().unwrap_err();
    assert!(matches!(error, RechunkError::Plan { .. }), "{error}");
}
