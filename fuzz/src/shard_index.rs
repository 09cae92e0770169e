//! Shard indexes: whatever an index says, an accepted one leads nowhere outside its shard.

use arbitrary::{Result, Unstructured};
use serde_json::json;
use zarrange_codec::{ArrayCodec, ShardCodec, ShardIndex};

use crate::{codecs, element, size};

const ENTRY_BYTES: usize = 16;

/// Reads an index and the size of its shard from `data`, and checks what is accepted.
pub fn run(data: &[u8]) {
    // An input that ends early is a shorter problem, not a finding.
    let _ = solve(&mut Unstructured::new(data));
}

fn solve(u: &mut Unstructured<'_>) -> Result<()> {
    let (big_endian, at_end, summed) = (u.arbitrary()?, u.arbitrary()?, u.arbitrary()?);
    let inner = u.int_in_range(1..=40)?;
    let codec = shard_codec(inner, big_endian, at_end, summed);
    let (encoded, shard_bytes) = if u.ratio(3, 4)? {
        let (entries, data_bytes) = entries(u, inner, codec.data_offset())?;
        let shard_bytes = data_bytes.saturating_add(if at_end { codec.index_bytes() as u64 } else { 0 });
        (encode(&entries, big_endian, summed), shard_bytes)
    } else {
        let (shard_bytes, exact) = (size(u)?, u.arbitrary()?);
        let mut encoded = u.bytes(u.len())?.to_vec();
        if exact {
            encoded.resize(codec.index_bytes(), 0xFF);
        }
        (encoded, shard_bytes)
    };
    check(&codec, &encoded, shard_bytes, inner);
    Ok(())
}

fn shard_codec(inner: usize, big_endian: bool, at_end: bool, summed: bool) -> ShardCodec {
    let bytes =
        |big| json!({"name": "bytes", "configuration": {"endian": if big { "big" } else { "little" }}});
    let mut index_codecs = vec![bytes(big_endian)];
    index_codecs.extend(summed.then(|| json!({"name": "crc32c"})));
    let list = json!([{"name": "sharding_indexed", "configuration": {
        "chunk_shape": [3], "codecs": [bytes(false)], "index_codecs": index_codecs,
        "index_location": if at_end { "end" } else { "start" },
    }}]);
    match ArrayCodec::new(&codecs(list), &element("uint16"), &[3 * inner as u64], &[0, 0]) {
        Ok(ArrayCodec::Shards(codec)) => codec,
        other => panic!("a plain shard is ours: {other:?}"),
    }
}

/// Entries that a writer could have made, some of them then changed; and where the last of its chunks ends.
fn entries(u: &mut Unstructured<'_>, inner: usize, data_offset: u64) -> Result<(Vec<(u64, u64)>, u64)> {
    let mut entries = vec![(u64::MAX, u64::MAX); inner];
    let mut end = data_offset;
    for _ in 0..inner {
        let k = u.int_in_range(0..=inner - 1)?;
        if entries[k].0 == u64::MAX && u.arbitrary()? {
            let bytes = u64::from(u.arbitrary::<u8>()?);
            entries[k] = (end, bytes);
            end += bytes;
        }
    }
    for _ in 0..u.int_in_range(0..=3)? {
        let k = u.int_in_range(0..=inner - 1)?;
        let value =
            if u.arbitrary()? { size(u)? } else { end.wrapping_add_signed(i64::from(u.arbitrary::<i8>()?)) };
        *(if u.arbitrary()? { &mut entries[k].0 } else { &mut entries[k].1 }) = value;
    }
    Ok((entries, end))
}

fn encode(entries: &[(u64, u64)], big_endian: bool, summed: bool) -> Vec<u8> {
    let word = |n: u64| if big_endian { n.to_be_bytes() } else { n.to_le_bytes() };
    let mut encoded: Vec<u8> = entries.iter().flat_map(|e| [word(e.0), word(e.1)].concat()).collect();
    if summed {
        let sum = crc32c::crc32c(&encoded);
        encoded.extend(sum.to_le_bytes());
    }
    encoded
}

fn check(codec: &ShardCodec, encoded: &[u8], shard_bytes: u64, inner: usize) {
    let Ok(index) = codec.decode_index(encoded, shard_bytes) else { return };
    assert_eq!(encoded.len(), codec.index_bytes(), "an index has an entry for each inner chunk");
    let data_end = codec.index_offset(shard_bytes).expect("the shard holds its index");
    let data = if codec.data_offset() == 0 { 0..data_end } else { codec.data_offset()..shard_bytes };
    let ranges: Vec<_> =
        (0..inner).filter_map(|k| index.get(k)).map(|(at, n)| (u128::from(at), u128::from(n))).collect();
    for (k, (at, bytes)) in ranges.iter().enumerate() {
        assert!(u128::from(data.start) <= *at && at + bytes <= u128::from(data.end), "in bounds");
        let apart = |(other, n): &(u128, u128)| at + bytes <= *other || other + n <= *at;
        assert!(ranges[..k].iter().all(apart), "no two overlap");
    }
    check_missing(&index, encoded, inner);
    let mut again = vec![0; codec.index_bytes()];
    codec.encode_index(&index, &mut again);
    assert_eq!(again, encoded, "an index has one form");
    assert_eq!(codec.decode_index(&again, shard_bytes).expect("a valid index"), index);
}

/// An inner chunk is missing only where both numbers say so.
fn check_missing(index: &ShardIndex, encoded: &[u8], inner: usize) {
    for k in 0..inner {
        let both = encoded[k * ENTRY_BYTES..][..ENTRY_BYTES].iter().all(|b| *b == 0xFF);
        assert_eq!(index.get(k).is_none(), both);
    }
}
