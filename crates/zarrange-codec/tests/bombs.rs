//! Small chunks that say that they are large: each is an error, and takes no more memory than a chunk of its size could.
#![expect(clippy::unwrap_used, unsafe_code, reason = "a test fails by panicking; an allocator is unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use pco::data_types::Number;
use pco::standalone::simple_compress;
use pco::{ChunkConfig, DeltaSpec, ModeSpec};
use serde_json::{Value, json};
use zarrange_codec::{
    ArrayCodec, Chain, CodecError, CodecMetadata, ElementType, Scratch, Variable, VariableChain, VariableKind,
};

/// More than the contexts of any codec here, and far less than any of the chunks would take.
const PEAK_MAX: usize = 2 << 20;

/// Elements of a bomb. Where it is decoded, a chunk has 100.
const BOMB: usize = 1 << 26;

/// The system's allocator, which knows how much is allocated, and was at most.
struct Measuring;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grown(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Measuring {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Measuring = Measuring;

/// What `work` gives, and the most memory that it took.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    (result, PEAK.load(Ordering::Relaxed) - before)
}

fn decode(chain: &Chain, stored: &[u8]) -> (Result<(), CodecError>, usize) {
    let mut chunk = vec![0; chain.chunk_bytes()];
    measured(|| chain.decode(stored, &mut chunk, &mut Scratch::new(chain)))
}

fn chain(list: &Value, kind: &str, shape: &[u64]) -> Chain {
    let metadata = CodecMetadata::new(kind);
    let element = ElementType::new(&metadata).unwrap();
    let codecs: Vec<CodecMetadata> = serde_json::from_value(list.clone()).unwrap();
    match ArrayCodec::new(&codecs, &element, shape, &vec![0; element.bytes()]).unwrap() {
        ArrayCodec::Chunks(chain) => chain,
        other => panic!("{list} is decoded as a whole, not as {other:?}"),
    }
}

/// The only test of its binary, for other tests would allocate meanwhile.
#[test]
fn small_chunks_cannot_take_much_memory() {
    pcodec_streams();
    inner_chunks_of_nested_shards();
    compressed_shards();
    nested_shards_are_encoded();
    steps();
    dictionaries();
    text();
}

fn pcodec_streams() {
    let list = json!([pcodec()]);
    let check = |kind: &str, stored: &[u8], expected: &str| {
        assert!(stored.len() < 10_000, "{expected}: {} bytes", stored.len());
        let (result, peak) = decode(&chain(&list, kind, &[100]), stored);
        if expected.is_empty() {
            result.unwrap();
        } else {
            let error = result.unwrap_err().to_string();
            assert!(error.contains("pcodec") && error.contains(expected), "{error}");
        }
        assert!(peak < PEAK_MAX, "{kind} {expected}: {peak} bytes");
    };
    let more = "decodes to more bytes than the metadata says";
    check("uint32", &compress(&vec![7u32; BOMB], DeltaSpec::Auto), more);
    check("uint32", &compress(&[7u32; 101], DeltaSpec::Auto), more);
    check("uint32", &compress(&[7u32; 99], DeltaSpec::Auto), "decodes to 396 bytes, the metadata says 400");
    check("uint32", &compress(&[7u64; 100], DeltaSpec::Auto), "expected U32");
    let numbers: Vec<u64> = (0..100u64).map(|k| k * k % 7 * 1_000_003).collect();
    let good = compress(&numbers, DeltaSpec::TryLookback);
    check("uint64", &good, "");
    check("uint64", &good[..good.len() / 2], "pco");
    // The count of the first part, three bytes after its type, is in all numbers of a stream with one part.
    let at = good.windows(3).position(|bytes| bytes == [99, 0, 0]).unwrap();
    let patched = |offset: usize, bytes: &[u8]| {
        let mut stored = good.clone();
        stored[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        stored
    };
    check("uint64", &patched(0, &[0xFF; 3]), more);
    // What follows is a mode of four bits; then, for a dictionary, its length in 25 bits.
    check("uint64", &patched(3, &[0xF4, 0xFF, 0xFF, 0x1F]), "dictionary of 33554431 entries");
    // And for other modes four bits that say how numbers refer to earlier ones, here (2) in a window, and five for its size.
    assert_eq!(good[at + 3], 2 << 4);
    check("uint64", &patched(4, &[good[at + 4] & !0x1F | 0x17]), "window of 2^24 numbers");
}

fn compress<T: Number>(numbers: &[T], delta: DeltaSpec) -> Vec<u8> {
    let config = ChunkConfig::default().with_mode_spec(ModeSpec::Classic).with_delta_spec(delta);
    simple_compress(numbers, &config).unwrap()
}

fn pcodec() -> Value {
    json!({"name": "numcodecs.pcodec", "configuration": {"level": 8, "equal_pages_up_to": 1 << 18}})
}

fn bytes() -> Value {
    json!({"name": "bytes", "configuration": {"endian": "little"}})
}

fn compressors() -> [Value; 4] {
    [
        json!({"name": "zstd", "configuration": {"level": 1, "checksum": false}}),
        json!({"name": "gzip", "configuration": {"level": 9}}),
        json!({"name": "blosc", "configuration": {"cname": "zstd", "clevel": 5, "shuffle": "noshuffle", "blocksize": 0}}),
        json!({"name": "numcodecs.zlib", "configuration": {"level": 9}}),
    ]
}

fn shards(inner: u64, codecs: &[Value]) -> Value {
    json!({"name": "sharding_indexed", "configuration": {
        "chunk_shape": [inner], "codecs": codecs, "index_codecs": [bytes()]}})
}

/// A shard of `count` inner chunks, of which the second is `inner` and all others are missing.
fn shard(count: usize, inner: &[u8]) -> Vec<u8> {
    let mut index = vec![[u64::MAX; 2]; count];
    index[1] = [0, inner.len() as u64];
    let index = index.iter().flatten().flat_map(|word| word.to_le_bytes());
    inner.iter().copied().chain(index).collect()
}

fn compressed(list: &[Value], elements: usize) -> Vec<u8> {
    let large = chain(&json!(list), "uint16", &[elements as u64]);
    let mut encoded = vec![0; large.encoded_bytes_max()];
    let zeros = vec![0; large.chunk_bytes()];
    let n = large.encode(&zeros, &mut encoded, &mut Scratch::new(&large)).unwrap();
    encoded[..n].to_vec()
}

fn inner_chunks_of_nested_shards() {
    let compressed_bytes = compressors().map(|compressor| vec![bytes(), compressor]);
    for inner in compressed_bytes.into_iter().chain([vec![pcodec()]]) {
        let list = json!([shards(50, &[shards(10, &inner)])]);
        let small = chain(&list, "uint16", &[100]);
        decode(&small, &shard(2, &shard(5, &compressed(&inner, 10)))).0.unwrap();
        let bomb = shard(2, &shard(5, &compressed(&inner, BOMB)));
        let (result, peak) = decode(&small, &bomb);
        // blosc says in its header how much it is, the others are left where they go on.
        let error = result.unwrap_err().to_string();
        assert!(error.contains("the metadata says"), "{list}: {error}");
        assert!(peak < PEAK_MAX, "{list}: {peak} bytes");
    }
}

/// Shards that are compressed as a whole, and whose inner chunks are so many that each of them decoding to a whole shard would
/// be a lot.
fn compressed_shards() {
    for compressor in compressors() {
        let list = json!([shards(1, &[bytes()]), compressor]);
        let (result, peak) =
            decode(&chain(&list, "uint16", &[4096]), &compressed(&[bytes(), compressor], BOMB));
        let error = result.unwrap_err().to_string();
        assert!(error.contains("the metadata says"), "{list}: {error}");
        assert!(peak < PEAK_MAX, "{list}: {peak} bytes");
    }
}

/// Many small shards in a large one: `zarrs` would take each inner chunk, at every level, to be as large as the outermost.
fn nested_shards_are_encoded() {
    const ELEMENTS: u64 = 1 << 17;
    let list = json!([shards(1 << 9, &[shards(1 << 3, &[bytes()])])]);
    let chain = chain(&list, "uint16", &[ELEMENTS]);
    let data: Vec<u8> = (0..ELEMENTS).flat_map(|k| u16::try_from(k / 100).unwrap().to_le_bytes()).collect();
    let mut encoded = vec![0; chain.encoded_bytes_max()];
    let (n, peak) = measured(|| chain.encode(&data, &mut encoded, &mut Scratch::new(&chain)).unwrap());
    assert!(peak < PEAK_MAX, "{peak} bytes");
    let mut decoded = vec![1; data.len()];
    chain.decode(&encoded[..n], &mut decoded, &mut Scratch::new(&chain)).unwrap();
    assert!(decoded == data);
}

/// Every compressor but those above, and the ways of LZMA.
fn more_compressors() -> [Value; 6] {
    [
        json!({"name": "numcodecs.bz2", "configuration": {"level": 9}}),
        json!({"name": "numcodecs.lz4"}),
        json!({"name": "numcodecs.lzma", "configuration": {"preset": 0}}),
        json!({"name": "numcodecs.lzma", "configuration": {"format": 2, "preset": 0}}),
        json!({"name": "numcodecs.lzma", "configuration": {"format": 3, "filters": [{"id": 33, "preset": 0}]}}),
        json!({"name": "numcodecs.blosc", "configuration": {"cname": "zlib"}}),
    ]
}

/// Bytes that a chunk of lists with any compressors would decode to.
const BYTES: usize = 1 << 24;

fn steps() {
    let sum = json!({"name": "numcodecs.crc32"});
    for compressor in compressors().into_iter().chain(more_compressors()) {
        for last in [&sum, &compressor] {
            let list = [json!({"name": "bytes"}), compressor.clone(), last.clone()];
            let small = chain(&json!(list), "uint8", &[100]);
            assert!(!small.is_fallback());
            let bomb = {
                let large = chain(&json!(list), "uint8", &[BYTES as u64]);
                let mut encoded = vec![0; large.encoded_bytes_max()];
                let zeros = vec![0; large.chunk_bytes()];
                let n = large.encode(&zeros, &mut encoded, &mut Scratch::new(&large)).unwrap();
                encoded[..n].to_vec()
            };
            let (result, peak) = decode(&small, &bomb);
            let error = result.unwrap_err().to_string();
            assert!(error.contains("the metadata says"), "{compressor} {last}: {error}");
            assert!(peak < PEAK_MAX + small.context_bytes(), "{compressor} {last}: {peak} bytes");
        }
    }
}

/// A header that asks for a dictionary of almost 4 GiB.
fn dictionaries() {
    let list = json!([{"name": "bytes"}, {"name": "numcodecs.lzma", "configuration": {"format": 2}}]);
    let small = chain(&list, "uint8", &[100]);
    let header = [&[0x5D][..], &[0xFF, 0xFF, 0xFF, 0xEF], &[0xFF; 8], &[0; 30]].concat();
    let error = decode(&small, &header).0.unwrap_err().to_string();
    assert!(error.contains("its dictionary is larger"), "{error}");
}

/// Text that needs more memory than is allowed, or says that it does.
fn text() {
    const ROOM: usize = 10_000;
    let check = |list: &Value, elements: u64, stored: &[u8], room: usize, expected: &str| {
        let codecs: Vec<CodecMetadata> = serde_json::from_value(list.clone()).unwrap();
        let chain = VariableChain::new(&codecs, VariableKind::Text, &[elements], b"").unwrap();
        let work = || chain.decode(stored, room, &mut Variable::new(), &mut Scratch::default());
        let (result, peak) = measured(work);
        let error = result.unwrap_err().to_string();
        assert!(error.contains(expected), "{list}: {error}");
        assert!(peak < PEAK_MAX + chain.scratch_bytes(ROOM), "{list}: {peak} bytes");
    };
    let plain =
        [&1u32.to_le_bytes()[..], &u32::try_from(BYTES).unwrap().to_le_bytes(), &vec![b'a'; BYTES]].concat();
    check(&json!([{"name": "vlen-utf8"}]), 1, &plain, ROOM, "at least 16777224 bytes of memory");
    for compressor in compressors().into_iter().chain(more_compressors()) {
        let bytes = chain(&json!([{"name": "bytes"}, compressor]), "uint8", &[plain.len() as u64]);
        let mut encoded = vec![0; bytes.encoded_bytes_max()];
        let n = bytes.encode(&plain, &mut encoded, &mut Scratch::new(&bytes)).unwrap();
        let list = json!([{"name": "vlen-utf8"}, compressor]);
        check(&list, 1, &encoded[..n], ROOM, "at least 10001 bytes of memory");
    }
    // Elements that are not there are not allocated, however many the metadata says.
    let many = 1u32 << 30;
    let says = [many.to_le_bytes(), [0; 4]].concat();
    check(&json!([{"name": "vlen-utf8"}]), many.into(), &says, usize::MAX, "ends within an element");
}
