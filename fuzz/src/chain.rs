//! Chunks: whatever bytes are stored, decoding gives a whole chunk or an error, and a chunk survives its own encoding.

use arbitrary::{Result, Unstructured};
use serde_json::{Value, json};
use zarrange_codec::{Chain, Scratch};

use crate::{codecs, element};

/// Chunks stay this small: what is sought lies in the formats, not in sizes.
const CHUNK_BYTES_MAX: usize = 1 << 16;

/// Chunks that may become larger are many small ones in a shard.
const ENCODED_BYTES_MAX: usize = 1 << 20;

/// Shards in shards, one more than are allowed.
const SHARD_LEVELS: usize = 5;

/// Types of each size; the last has no `bytes` codec of ours, so its chains go through `zarrs`.
const TYPES: [&str; 13] = [
    "uint8",
    "bool",
    "int16",
    "float16",
    "r24",
    "uint32",
    "float32",
    "complex64",
    "int64",
    "float64",
    "complex128",
    "r104",
    "complex_float16",
];

/// Reads a chain and stored bytes from `data`, and checks what the chain makes of them.
pub fn run(data: &[u8]) {
    // An input that ends early is a shorter problem, not a finding.
    let _ = solve(&mut Unstructured::new(data));
}

fn solve(u: &mut Unstructured<'_>) -> Result<()> {
    let kind = element(u.choose(&TYPES)?);
    let shape = shape(u, kind.bytes())?;
    let list = list(u, shape.clone(), 0)?;
    let Ok(chain) = Chain::new(&codecs(json!(list)), &kind, &shape, &vec![0; kind.bytes()]) else {
        return Ok(());
    };
    if chain.encoded_bytes_max() > ENCODED_BYTES_MAX {
        return Ok(());
    }
    let scratch = &mut Scratch::new(&chain);
    let promises = Promises::of(&chain, &json!(list).to_string());
    let stored = stored(u, &chain, &list, promises, scratch)?;
    check(&chain, (&stored, kind.bytes()), promises, scratch);
    Ok(())
}

/// What a chain promises, which its codecs decide.
#[derive(Clone, Copy)]
struct Promises {
    /// Any chunk can be encoded.
    encodes: bool,
    /// It is then decoded to what it was.
    keeps: bool,
    /// At least if it was decoded before.
    settles: bool,
}

impl Promises {
    fn of(chain: &Chain, list: &str) -> Self {
        // Bits that are rounded away, bytes that are no bools, payloads of NaN.
        let settles = !chain.loses() && !list.contains("bitround") && !list.contains("astype");
        let keeps = settles && !list.contains("packbits") && !list.contains("cast_value");
        // Operands may not fit, nor numbers, nor what was compressed be whole elements; one format of LZMA is to read only.
        let may_refuse =
            ["fixedscaleoffset", "cast_value", "scale_offset", "numcodecs.shuffle", "\"format\":0"];
        let refuses = chain.is_fallback() || may_refuse.iter().any(|text| list.contains(text));
        Self { encodes: !refuses, keeps, settles }
    }
}

fn shape(u: &mut Unstructured<'_>, item_bytes: usize) -> Result<Vec<u64>> {
    let rank = u.int_in_range(0..=4)?;
    // Small ones are quick.
    let bytes = if u.ratio(1, 16)? { CHUNK_BYTES_MAX } else { CHUNK_BYTES_MAX / 16 };
    let mut room = (bytes / item_bytes) as u64;
    let mut shape = Vec::with_capacity(rank);
    for _ in 0..rank {
        let extent = match u.arbitrary::<u8>()? {
            small @ 0..=199 => 1 + u64::from(small % 20),
            _ => 1 + u64::from(u.arbitrary::<u16>()?),
        };
        shape.push(extent.min(room));
        room /= extent.min(room);
    }
    Ok(shape)
}

/// A codec list for chunks of `shape` within `depth` shards: mostly one without shards.
fn list(u: &mut Unstructured<'_>, mut shape: Vec<u64>, depth: usize) -> Result<Vec<Value>> {
    let mut list = Vec::new();
    if u.ratio(1, 3)? {
        let rank = shape.len();
        let mut order: Vec<usize> = (0..rank).collect();
        for k in (1..rank).rev() {
            order.swap(k, u.int_in_range(0..=k)?);
        }
        shape = order.iter().map(|d| shape[*d]).collect();
        list.push(json!({"name": "transpose", "configuration": {"order": order}}));
    }
    if u.ratio(1, 6)? {
        list.push(filter(u)?);
    }
    // Several together, as they are meant.
    for _ in 6..u.int_in_range(0..=8)? {
        list.push(values(u)?);
    }
    list.push(serializer(u, &shape, depth)?);
    // Behind `bytes` too, as in pipelines of Zarr v2.
    if u.ratio(1, 12)? {
        list.push(filter(u)?);
    }
    list.extend(compressor(u)?);
    // Mostly none, more than one now and then.
    for _ in 12..u.int_in_range(0..=15)? {
        list.extend(compressor(u)?);
    }
    if u.ratio(1, 4)? {
        list.push(json!({"name": "crc32c"}));
    }
    Ok(list)
}

/// What makes bytes of an array of `shape`.
fn serializer(u: &mut Unstructured<'_>, shape: &[u64], depth: usize) -> Result<Value> {
    let bytes = |endian| json!({"name": "bytes", "configuration": {"endian": endian}});
    let endian = *u.choose(&["little", "big"])?;
    Ok(match u.int_in_range(0..=15)? {
        0 => json!({"name": "numcodecs.pcodec", "configuration": {
            "level": u.int_in_range(0..=8)?, "mode_spec": u.choose(&["auto", "classic"])?,
            "delta_spec": u.choose(&["auto", "none", "try_consecutive", "try_lookback"])?, "delta_encoding_order": 2,
            "paging_spec": "equal_pages_up_to", "equal_pages_up_to": u.choose(&[1, 100, 1 << 18])?,
        }}),
        1 | 2 if depth < SHARD_LEVELS => {
            let inner: Vec<u64> = shape
                .iter()
                .map(|n| Ok([1, 2, 3, 5].into_iter().filter(|k| n % k == 0).nth(u.int_in_range(0..=3)?)))
                .zip(shape)
                .map(|(parts, n): (Result<Option<u64>>, _)| Ok(n / parts?.unwrap_or(1)))
                .collect::<Result<_>>()?;
            let mut index = vec![bytes(endian)];
            index.extend(u.arbitrary::<bool>()?.then(|| json!({"name": "crc32c"})));
            json!({"name": "sharding_indexed", "configuration": {
                "index_codecs": index, "index_location": u.choose(&["start", "end"])?,
                "codecs": list(u, inner.clone(), depth + 1)?, "chunk_shape": inner,
            }})
        }
        _ => bytes(endian),
    })
}

/// A codec on numbers, more often one that does not fit than not.
fn filter(u: &mut Unstructured<'_>) -> Result<Value> {
    let types = ["<i4", ">i4", "u1", "i8", "<f4", ">f8", "f2", "c8", "?", "<u2", "u8"];
    let (dtype, astype) = (*u.choose(&types)?, *u.choose(&types)?);
    let scalar =
        |u: &mut Unstructured<'_>| Ok(u.choose(&[json!(0), json!(1000), json!(-2.5), json!(0.1)])?.clone());
    let (name, mut configuration) = match u.int_in_range(0..=5)? {
        0 => ("delta", json!({"dtype": dtype, "astype": astype})),
        1 => (
            "fixedscaleoffset",
            json!({"dtype": dtype, "astype": astype, "offset": scalar(u)?, "scale": scalar(u)?}),
        ),
        2 => ("quantize", json!({"dtype": dtype, "astype": astype, "digits": u.int_in_range(-5..=9)?})),
        3 => ("astype", json!({"decode_dtype": dtype, "encode_dtype": astype})),
        4 => ("bitround", json!({"keepbits": u.int_in_range(0..=24)?})),
        _ => ("packbits", json!({})),
    };
    // The array's own type fits.
    if let (true, Some(keys)) = (u.arbitrary()?, configuration.as_object_mut()) {
        keys.remove("dtype");
        keys.remove("decode_dtype");
    }
    Ok(json!({"name": format!("numcodecs.{name}"), "configuration": configuration}))
}

/// A codec of Zarr v3 on numbers.
fn values(u: &mut Unstructured<'_>) -> Result<Value> {
    let scalars = [
        json!(0),
        json!(1),
        json!(-7),
        json!(255),
        json!(0.5),
        json!("NaN"),
        json!("-Infinity"),
        json!("0x3c00"),
    ];
    let scalar = |u: &mut Unstructured<'_>| Ok(u.choose(&scalars)?.clone());
    if u.arbitrary()? {
        return Ok(
            json!({"name": "scale_offset", "configuration": {"offset": scalar(u)?, "scale": scalar(u)?}}),
        );
    }
    let types =
        ["int8", "int16", "int64", "uint8", "uint32", "uint64", "float16", "float32", "float64", "bool"];
    let roundings = ["nearest-even", "towards-zero", "towards-positive", "towards-negative", "nearest-away"];
    let mut configuration = json!({"data_type": u.choose(&types)?, "rounding": u.choose(&roundings)?,
        "out_of_range": u.choose(&[None, Some("clamp"), Some("wrap")])?});
    for direction in ["encode", "decode"] {
        if u.ratio(1, 4)? {
            let pairs = (0..u.int_in_range(1..=12)?)
                .map(|k| Ok(json!([scalar(u)?, k])))
                .collect::<Result<Vec<_>>>()?;
            configuration["scalar_map"][direction] = json!(pairs);
        }
    }
    Ok(json!({"name": "cast_value", "configuration": configuration}))
}

pub(crate) fn compressor(u: &mut Unstructured<'_>) -> Result<Option<Value>> {
    let codec = match u.int_in_range(0..=23)? {
        0 => return Ok(None),
        1..=8 => json!({"name": "blosc", "configuration": {
            "cname": u.choose(&["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"])?,
            "clevel": u.int_in_range(0..=9)?,
            "shuffle": u.choose(&["noshuffle", "shuffle", "bitshuffle"])?,
            "typesize": u.choose(&[1, 2, 3, 4, 8, 16, 17])?,
            "blocksize": u.choose(&[0, 64, 129, 4096])?,
        }}),
        9..=11 => json!({"name": "zstd", "configuration": {
            "level": u.choose(&[-5, 1, 3, 9])?, "checksum": u.arbitrary::<bool>()?,
        }}),
        12..=14 => json!({"name": "gzip", "configuration": {"level": u.int_in_range(0..=9)?}}),
        _ => numcodecs(u)?,
    };
    Ok(Some(codec))
}

/// A codec of numcodecs on bytes.
fn numcodecs(u: &mut Unstructured<'_>) -> Result<Value> {
    let names = [
        "zlib",
        "bz2",
        "lz4",
        "lzma",
        "blosc",
        "zstd",
        "shuffle",
        "adler32",
        "crc32",
        "crc32c",
        "fletcher32",
        "jenkins_lookup3",
        "base64",
    ];
    let name = *u.choose(&names)?;
    let configuration = match name {
        "zlib" | "zstd" => json!({"level": u.int_in_range(-1..=9)?}),
        "bz2" => json!({"level": u.int_in_range(1..=9)?}),
        "shuffle" => json!({"elementsize": u.int_in_range(1..=4)?}),
        "blosc" => {
            json!({"cname": u.choose(&["lz4", "zstd", "blosclz"])?, "shuffle": u.int_in_range(-1..=2)?})
        }
        "crc32" | "adler32" | "crc32c" => json!({"location": u.choose(&["start", "end"])?}),
        // Dictionaries of these presets have up to 1 MiB.
        "lzma" => match u.int_in_range(0..=3)? {
            3 => json!({"format": 3, "filters": [{"id": u.int_in_range(3..=9)?}, {"id": 33, "preset": 0}]}),
            format => json!({"format": format, "preset": u.int_in_range(0..=1)?}),
        },
        _ => json!({}),
    };
    Ok(json!({"name": format!("numcodecs.{name}"), "configuration": configuration}))
}

/// Stored bytes: the rest of the input as it is, or what the chain makes of it with a few bytes changed, which leads the
/// fuzzer past headers.
fn stored(
    u: &mut Unstructured<'_>,
    chain: &Chain,
    list: &[Value],
    promises: Promises,
    scratch: &mut Scratch,
) -> Result<Vec<u8>> {
    let (raw, mended) = (u.arbitrary()?, u.arbitrary()?);
    let mut stored = if raw {
        // Longer ones are refused before they are read.
        u.bytes(u.len().min(chain.encoded_bytes_max()))?.to_vec()
    } else {
        let patches: Vec<(u16, u8)> =
            (0..u.int_in_range(0..=6)?).map(|_| u.arbitrary()).collect::<Result<_>>()?;
        let cut = u.ratio(1, 8)?.then(|| u.arbitrary::<u16>()).transpose()?;
        let plain = u.bytes(u.len())?;
        let chunk: Vec<u8> = plain.iter().copied().chain([7]).cycle().take(chain.chunk_bytes()).collect();
        let mut stored = encode(chain, &chunk, promises, scratch).unwrap_or_default();
        if !stored.is_empty() {
            check_decodes(chain, &stored, promises.keeps.then_some(&chunk), scratch);
        }
        for (at, byte) in patches {
            // As often near the start as anywhere: headers are there.
            let at = usize::from(if at % 2 == 0 { at % 64 } else { at }) % stored.len().max(1);
            stored.get_mut(at).into_iter().for_each(|b| *b ^= byte);
        }
        stored.truncate(cut.map_or(usize::MAX, |cut| usize::from(cut) % (stored.len() + 1)));
        stored
    };
    if mended {
        mend(&mut stored, list, chain.chunk_bytes());
    }
    Ok(stored)
}

/// Sets the sizes of a blosc header and the checksum to what they must be, so that what lies behind them is reached.
fn mend(stored: &mut [u8], list: &[Value], chunk_bytes: usize) {
    let summed = list.last().is_some_and(|codec| codec["name"] == "crc32c");
    let end = stored.len().saturating_sub(if summed { 4 } else { 0 });
    let (packed, sum) = stored.split_at_mut(end);
    if list.iter().any(|codec| codec["name"] == "blosc") && packed.len() >= 16 {
        let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
        packed[4..8].copy_from_slice(&word(chunk_bytes));
        let whole = word(packed.len());
        packed[12..16].copy_from_slice(&whole);
    }
    if summed && sum.len() == 4 {
        sum.copy_from_slice(&crc32c::crc32c(packed).to_le_bytes());
    }
}

fn check(chain: &Chain, (stored, item_bytes): (&[u8], usize), promises: Promises, scratch: &mut Scratch) {
    // Two buffers that differ everywhere: a byte that is not written shows.
    let (mut chunk, mut again) = (vec![0xEE; chain.chunk_bytes()], vec![0x11; chain.chunk_bytes()]);
    let decoded = chain.decode(stored, &mut chunk, scratch);
    // What another chunk left in the working memory must not show either.
    let decoded_again = chain.decode(stored, &mut again, &mut Scratch::new(chain));
    assert_eq!(decoded.is_ok(), decoded_again.is_ok(), "the same bytes decode twice the same");
    check_part(chain, (stored, item_bytes), decoded.is_ok().then_some(&chunk), scratch);
    if let Err(error) = decoded {
        assert!(!error.to_string().is_empty());
        return;
    }
    assert!(chunk == again, "every byte of a chunk is decoded");
    if let Some(encoded) = encode(chain, &chunk, promises, scratch) {
        check_decodes(chain, &encoded, promises.settles.then_some(&chunk), scratch);
    }
}

/// A part of a chunk that decodes to `whole` has the bytes that it has there; a part of a damaged one may be an error.
fn check_part(
    chain: &Chain,
    (stored, item_bytes): (&[u8], usize),
    whole: Option<&Vec<u8>>,
    scratch: &mut Scratch,
) {
    let bytes = chain.chunk_bytes();
    if bytes == 0 || (chain.stores_c_order() && stored.len() != bytes) {
        return;
    }
    // Some elements that depend on the input.
    let seed = stored.iter().take(64).fold(7usize, |n, b| n.wrapping_mul(31).wrapping_add((*b).into()));
    let elements = bytes / item_bytes;
    let start = seed % elements;
    let part = start * item_bytes..(start + 1 + seed / 7 % (elements - start)) * item_bytes;
    let encoded = if chain.stores_c_order() { &stored[part.clone()] } else { stored };
    let mut chunk = vec![0x33; bytes];
    let decoded = chain.decode_part(encoded, part.clone(), &mut chunk, scratch);
    if let Some(whole) = whole {
        decoded.expect("a part of a chunk that decodes decodes");
        assert!(chunk[part.clone()] == whole[part.clone()], "{part:?} has the bytes of the whole: {chain:?}");
    }
}

fn check_decodes(chain: &Chain, encoded: &[u8], expected: Option<&Vec<u8>>, scratch: &mut Scratch) {
    let mut chunk = vec![0x22; chain.chunk_bytes()];
    chain.decode(encoded, &mut chunk, scratch).expect("what was encoded decodes");
    assert!(expected.is_none_or(|expected| chunk == *expected), "a chunk survives its encoding");
}

/// The encoded chunk; `None` where a codec refuses it that may.
fn encode(chain: &Chain, chunk: &[u8], promises: Promises, scratch: &mut Scratch) -> Option<Vec<u8>> {
    let mut encoded = vec![0; chain.encoded_bytes_max()];
    match chain.encode(chunk, &mut encoded, scratch) {
        Ok(bytes) => {
            encoded.truncate(bytes);
            Some(encoded)
        }
        Err(error) => {
            assert!(!promises.encodes, "a chunk can be encoded: {error}");
            None
        }
    }
}
