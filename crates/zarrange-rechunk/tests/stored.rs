//! Stored chunks that nobody decodes: they are as long as they can be, and their checksums are right where a job verifies a sample.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use support::{End, create, job, place};
use zarrange_io::Location;
use zarrange_plan::Way;
use zarrange_rechunk::{NoProgress, Request, Verify, prepare, run};

/// Chunks of 1000 bytes: many more than what a sample compares.
const CHUNKS: u64 = 800;

/// Memory for batches of whole chunks, and for pieces of one.
const MEMORY: [u64; 2] = [80_000, 20_000];

#[expect(clippy::needless_pass_by_value, reason = "it is made where it is passed")]
fn codec(name: &str, configuration: Value) -> Value {
    json!({"name": name, "configuration": configuration})
}

fn bytes() -> Value {
    codec("bytes", json!({"endian": "little"}))
}

fn zstd() -> Value {
    codec("zstd", json!({"level": 1, "checksum": false}))
}

fn sum(name: &str) -> Value {
    codec(&format!("numcodecs.{name}"), json!({}))
}

fn end(shard: Option<u64>, codecs: &[Value]) -> End {
    End { chunk: vec![250], shard: shard.map(|chunks| vec![250 * chunks]), codecs: json!(codecs) }
}

/// Copies or repacks an array of which one object was damaged; with so much memory.
fn moved(from: &Location, end: &End, (way, memory, verify): (Way, u64, Verify)) -> Result<(), String> {
    let target = match way {
        Way::Copy => end.clone(),
        _ => End { shard: end.shard.is_none().then(|| vec![1000]), ..end.clone() },
    };
    let this = job(from, &place(), &target, 2);
    let this = Request { way: Some(way), memory_bytes_max: memory, verify, ..this };
    let moved = run(prepare(this).map_err(|e| e.to_string())?, &NoProgress);
    moved.map(|_| ()).map_err(|e| e.to_string())
}

fn damaged(end: &End, key: &str, damage: &dyn Fn(&mut Vec<u8>)) -> Location {
    let from = create(&[250 * CHUNKS], end);
    let store = from.open().unwrap();
    let mut stored = store.get(key, u64::MAX).unwrap().unwrap();
    damage(&mut stored);
    store.put(key, &stored).unwrap();
    from
}

#[test]
fn stored_chunks_are_as_long_as_they_can_be() {
    let check = |end: &End, ways: &[Way], damage: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let from = damaged(end, "c/5", damage);
        for way in ways {
            for verify in [Verify::None, Verify::Sample] {
                // With little of it objects are copied piece by piece.
                for memory in MEMORY {
                    let what = format!("{way:?} {end:?} {memory}");
                    let error = moved(&from, end, (*way, memory, verify)).expect_err(&what);
                    assert!(error.contains("c/5") && error.contains(expected), "{what}: {error}");
                }
            }
        }
    };
    let both = [Way::Copy, Way::Repack];
    for (codecs, size, least) in [
        (vec![bytes()], "1000 can be valid", 1000),
        (vec![bytes(), json!({"name": "crc32c"})], "1004 can be valid", 1004),
        (vec![bytes(), sum("adler32"), sum("crc32")], "1008 can be valid", 1008),
    ] {
        let end = end(None, &codecs);
        check(&end, &both, &|stored| stored.truncate(least - 1), size);
        check(&end, &both, &Vec::clear, size);
        check(&end, &both, &|stored| stored.push(0), &size[..4]);
    }
    let packed = end(None, &[bytes(), zstd()]);
    check(&packed, &both, &Vec::clear, "0 bytes are stored");
    check(&packed, &both, &|stored| stored.resize(5000, 0), "5000 bytes");
    // A shard may hold more than its chunks, but an index it has.
    let sharded = end(Some(4), &[bytes(), zstd()]);
    check(&sharded, &both, &|stored| stored.truncate(60), "the index alone has 68");
    let from = damaged(&sharded, "c/5", &|stored| {
        let at = stored.len() - 68;
        stored.splice(at..at, [7; 10_000]);
    });
    for verify in [Verify::None, Verify::Sample, Verify::Full] {
        moved(&from, &sharded, (Way::Copy, 20_000, verify)).unwrap();
    }
}

#[test]
fn checksums_are_looked_at_where_a_sample_is_verified() {
    let check = |end: &End, damage: &dyn Fn(&mut Vec<u8>), expected: &str| {
        // A fifth into the array: the four tiles that are compared are elsewhere.
        let object = CHUNKS / 5 / if end.shard.is_some() { 4 } else { 1 };
        let key = &format!("c/{object}");
        let whole = create(&[250 * CHUNKS], end);
        let from = damaged(end, key, damage);
        for way in [Way::Copy, Way::Repack] {
            for memory in MEMORY {
                let what = format!("{way:?} {end:?} {memory}");
                moved(&whole, end, (way, memory, Verify::Sample)).unwrap();
                let error = moved(&from, end, (way, memory, Verify::Sample)).expect_err(&what);
                assert!(error.contains(key) && error.contains(expected), "{what}: {error}");
            }
            let error = moved(&from, end, (way, MEMORY[0], Verify::Full)).unwrap_err();
            assert!(error.contains(key), "{way:?} {end:?}: {error}");
            if way == Way::Copy {
                moved(&from, end, (way, MEMORY[0], Verify::None)).unwrap();
            }
        }
    };
    let flip = |at: usize| move |stored: &mut Vec<u8>| stored[at] ^= 8;
    for name in ["crc32", "adler32", "fletcher32", "jenkins_lookup3"] {
        for at in [1, 2, 700, 1002] {
            check(&end(None, &[bytes(), sum(name)]), &flip(at), name);
        }
    }
    let crc32c = || json!({"name": "crc32c"});
    for at in [0, 500, 1003] {
        check(&end(None, &[bytes(), crc32c()]), &flip(at), "crc32c");
    }
    check(&end(None, &[bytes(), zstd(), crc32c()]), &flip(9), "crc32c");
    check(&end(None, &[bytes(), zstd(), sum("fletcher32")]), &flip(9), "fletcher32");
    for at in [0, 999, 1003, 1004, 3999] {
        check(&end(Some(4), &[bytes(), crc32c()]), &flip(at), "crc32c");
    }
    // The index: its checksum, an entry beyond the file, two that overlap, and a chunk that is too short.
    let entry = |number: usize, offset: u64, length: u64| {
        move |stored: &mut Vec<u8>| {
            let at = stored.len() - 68;
            stored[at + 16 * number..][..8].copy_from_slice(&offset.to_le_bytes());
            stored[at + 16 * number + 8..][..8].copy_from_slice(&length.to_le_bytes());
            let sum = crc32c_of(&stored[at..at + 64]);
            stored[at + 64..].copy_from_slice(&sum.to_le_bytes());
        }
    };
    let plain = end(Some(4), &[bytes()]);
    check(&plain, &|stored| *stored.last_mut().unwrap() ^= 1, "checksum");
    check(&plain, &entry(1, 3900, 1000), "outside");
    check(&plain, &entry(2, 500, 1000), "overlap");
    check(&plain, &entry(3, 3000, 999), "1000 can be valid");
}

/// The checksum of an index, bit by bit.
fn crc32c_of(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0x82F6_3B78 } else { 0 })
    })
}
