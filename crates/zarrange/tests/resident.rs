//! The promise of `--max-mem`, on 200 seeded random runs: the process stays within it plus 64 MiB, or says what it needs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::{Map, Value, json};
use support::{check_memory, text, write, zarrange};
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_io::Location;
use zarrange_rechunk::Codecs;

/// Each is an array, and the runs that it goes through one after the other.
const SEEDS: Range<u64> = 0..40;
const RUNS: u64 = 5;

/// More would take long, for each is a file.
const CHUNKS_MAX: u64 = 600;

const CODECS: [&str; 4] = ["none", "zstd:1", "blosc:lz4:5", "gzip:1"];

#[test]
fn random_runs_stay_within_their_memory() {
    let mut ways: BTreeMap<String, usize> = BTreeMap::new();
    for seed in SEEDS {
        for way in check(seed) {
            *ways.entry(way).or_default() += 1;
        }
    }
    // Or the problems are no longer those that are worth trying.
    assert!(ways.values().sum::<usize>() >= 100, "too many have no plan: {ways:?}");
    for way in ["copy", "repack", "direct", "reread", "staged"] {
        assert!(ways.contains_key(way), "no run went the way {way:?}: {ways:?}");
    }
}

/// Rechunks the array of a seed again and again, each time from what was made before; the ways that the runs went.
fn check(seed: u64) -> Vec<String> {
    let mut random = Random(seed);
    let dir = tempfile::tempdir().unwrap();
    let place = |k: u64| dir.path().join(format!("{k}.zarr")).display().to_string();
    let (shape, mut chunk) = create(&mut random, Path::new(&place(0)));
    let (mut source, mut ways) = (place(0), Vec::new());
    for k in 1..=RUNS {
        let next = if random.one_of(6) { chunk.clone() } else { random.chunk(&shape) };
        let max_mem = random.between(4_000, 32_000_000);
        let options = options(&mut random, &next, max_mem);
        let Some(report) = rechunk(seed, (&source, &place(k)), max_mem, &options) else { continue };
        ways.push(report["strategy"].as_str().unwrap().to_owned());
        (source, chunk) = (place(k), next);
    }
    // Every tenth run: here, whatever the ones before it lost would be missing, too.
    if seed.is_multiple_of(2) {
        let output = zarrange(&["verify", &place(0), &source]);
        assert!(output.status.success(), "seed {seed}: {output:?}");
    }
    ways
}

/// The report of a run, unless its memory is too small for any plan.
fn rechunk(seed: u64, (source, target): (&str, &str), max_mem: u64, options: &[String]) -> Option<Value> {
    let mut args = vec!["rechunk", source, target, "--durability", "none", "--json"];
    args.extend(options.iter().map(String::as_str));
    let what = format!("seed {seed}, {args:?}");
    let output = zarrange(&args);
    let message = String::from_utf8(output.stderr).unwrap();
    if !output.status.success() {
        let expected = format!("the memory limit of {max_mem} bytes is too small");
        let refused = output.status.code() == Some(1) && message.contains(&expected);
        assert!(refused, "{what}: {message}");
        return None;
    }
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    check_memory(&report, max_mem, &what);
    assert_eq!(report["as_planned"], json!(true), "{what}: {report}");
    Some(report)
}

fn options(random: &mut Random, chunk: &[u64], max_mem: u64) -> Vec<String> {
    let shard: Vec<u64> = chunk.iter().map(|c| c * random.between(1, 8)).collect();
    let shards = if random.one_of(2) { text(&shard) } else { "none".to_owned() };
    let codecs = if random.one_of(3) { "keep" } else { random.pick(&CODECS) };
    let options = [
        ("--chunks", text(chunk)),
        ("--shards", shards),
        ("--codecs", codecs.to_owned()),
        ("--max-mem", max_mem.to_string()),
        ("--threads", random.between(1, 8).to_string()),
        ("--backend", random.pick(&["auto", "std", "mmap"]).to_owned()),
    ];
    options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
}

/// An array of 1 to 48 MB, its shape and that of its chunks: random bytes, nothing but fill value, or chunks of either
/// kind and of one value.
fn create(random: &mut Random, place: &Path) -> (Vec<u64>, Vec<u64>) {
    let (data_type, item) = random.pick(&[("uint8", 1), ("uint16", 2), ("uint32", 4), ("uint64", 8)]);
    let (rank, elements) = (random.pick(&[1, 2, 3]), random.between(1_000_000 / item, 48_000_000 / item));
    let shape = random.shape(rank, elements);
    let chunk = random.chunk(&shape);
    let plain = Layout { chunk: chunk.clone(), shard: None, codecs: Vec::new() };
    let codecs = random.pick(&CODECS).parse::<Codecs>().unwrap();
    let codecs = codecs.resolve(&plain, usize::try_from(item).unwrap());
    let document = Document::new(&ArraySpec {
        shape: shape.clone(),
        data_type,
        fill_value: json!(7),
        layout: Layout { codecs, ..plain },
        dimension_names: ["x", "y", "z"][..shape.len()].to_vec(),
        attributes: Map::new(),
    });
    std::fs::create_dir(place).unwrap();
    let array = Array::new(Location::Path(place.to_owned()).open().unwrap(), document, 3).unwrap();
    let chunks = 0..array.objects().count();
    match random.pick(&["random", "mixed", "fill"]) {
        "random" => write(&array, chunks, |_, data| random.fill(data)),
        "mixed" => write(&array, chunks, |_, data| match random.pick(&["random", "one value", "fill"]) {
            "random" => random.fill(data),
            "one value" => data.fill(1),
            _ => (),
        }),
        _ => write(&array, [], |_, _| ()),
    }
    (shape, chunk)
}

/// The same numbers everywhere: splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn one_of(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.next()).unwrap() % of.len()]
    }

    /// A number of a range: between one and two as likely as between a thousand and two thousand.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "of random numbers, any rounding is right"
    )]
    fn between(&mut self, least: u64, most: u64) -> u64 {
        let fraction = self.next() as f64 / u64::MAX as f64;
        let ratio = (most as f64 / least as f64).powf(fraction);
        (least as f64 * ratio).round() as u64
    }

    fn fill(&mut self, data: &mut [u8]) {
        for part in data.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes()[..part.len()]);
        }
    }

    /// Lengths whose product is about `elements`.
    fn shape(&mut self, rank: usize, elements: u64) -> Vec<u64> {
        let mut left = elements;
        let mut shape = Vec::new();
        for _ in 1..rank {
            let length = self.between(1, left);
            left = left.div_ceil(length);
            shape.push(length);
        }
        shape.insert(self.pick(&[0, rank / 2, rank - 1]), left);
        shape
    }

    /// Chunks of an array: from eight to `CHUNKS_MAX` of them, as far as their shape allows.
    fn chunk(&mut self, shape: &[u64]) -> Vec<u64> {
        let elements = shape.iter().product::<u64>();
        let of_chunk = self.between(elements.div_ceil(CHUNKS_MAX), elements.div_ceil(8));
        let mut chunk = self.shape(shape.len(), of_chunk);
        chunk.iter_mut().zip(shape).for_each(|(c, n)| *c = (*c).min(*n));
        loop {
            let counts: Vec<u64> = shape.iter().zip(&chunk).map(|(n, c)| n.div_ceil(*c)).collect();
            if counts.iter().product::<u64>() <= CHUNKS_MAX {
                return chunk;
            }
            let longest = (0..shape.len()).max_by_key(|axis| counts[*axis]).unwrap();
            chunk[longest] *= 2;
        }
    }
}
