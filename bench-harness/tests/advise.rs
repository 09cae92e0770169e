//! Advice through the command: by the model, by a sample, by measuring, and what it says to wrong requests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use bench_harness::engine;
use bench_harness::random::Random;
use bench_harness::sweep::dataset::{Size, dataset};
use clap::Parser as _;
use serde_json::{Map, Value, json};
use zarrange::advise::advise as weigh;
use zarrange::advise::ask::AdviseArgs;
use zarrange_array::{Array, ArraySpec, Document, Layout};
use zarrange_io::Location;
use zarrange_plan::{Limits, Reader, StoreProfile};
use zarrange_rechunk::{Codecs, MixRequest, Request, prepare};

fn advise(more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_zarrange-bench")).arg("advise").args(more).output().unwrap()
}

fn json(more: &[&str]) -> Value {
    let done = advise(&[more, &["--json"]].concat());
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).unwrap()
}

fn survey(dir: &Path) -> String {
    dataset("photometry", Some(Size { objects: 120, epochs: 30 }), dir).unwrap();
    let made = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    made.filter(|path| path.extension().is_some_and(|e| e == "zarr"))
        .map(|path| path.to_str().unwrap().to_owned())
        .next()
        .unwrap()
}

#[test]
fn by_the_model() {
    let wide = ["--shape", "1000000,1000", "--dtype", "f4"];
    let advice = json(&[&wide[..], &["--mix", "epoch=0.2,object=0.8"]].concat());
    let layouts = advice["layouts"].as_array().unwrap();
    assert_eq!(layouts.len(), 5);
    let costs: Vec<f64> = layouts.iter().map(|layout| layout["weighted_ms"].as_f64().unwrap()).collect();
    // The first is the roundest of those that cost the same within 2 %.
    assert!(costs[1..].is_sorted() && costs[1..].iter().all(|ms| *ms * 1.02 >= costs[0]), "{costs:?}");
    for layout in layouts {
        let accesses = layout["accesses"].as_array().unwrap();
        let mean: f64 =
            accesses.iter().map(|a| a["share"].as_f64().unwrap() * a["ms"].as_f64().unwrap()).sum();
        assert!((mean / layout["weighted_ms"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{layout}");
        assert!(layout["files"].as_u64().unwrap() <= 10_000, "{layout}");
    }
    assert!(advice["why"].as_str().unwrap().starts_with("The first"), "{advice}");
    let copies = &advice["copies"];
    assert!(copies["weighted_ms"].as_f64().unwrap() <= costs[0], "{copies}");
    let command = advice["command"].as_str().unwrap();
    assert!(command.starts_with("zarrange rechunk SRC DST --chunks "), "{command}");
    // Whole chunks are fetched, so no chunk is so large that an object costs a tenth of the array.
    let read = &layouts[0]["accesses"][1];
    assert!(read["bytes"].as_f64().unwrap() < 4e8 / 10.0, "one object: {read}");
    // Only objects are read: each is in one chunk, whole.
    let advice = json(&[&wide[..], &["--mix", "object=1", "--top", "1"]].concat());
    assert_eq!(advice["layouts"][0]["chunk"][1], 1000, "{advice}");
    assert!(advice["copies"].is_null());
}

#[test]
fn by_a_sample_and_by_measuring() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (array, work) = (survey(dir.path()), dir.path().join("work"));
    let work = work.to_str().unwrap();
    let mix =
        ["--mix", "epoch=1,object=1", "--codecs", "zstd:3", "--max-mem", "8kB", "--dir", work, "--measure"];
    let check = |source: &[&str], sampled: bool| {
        let advice = json(&[source, &mix[..]].concat());
        assert_eq!(advice["codecs"].as_array().unwrap().is_empty(), !sampled, "{advice}");
        let measured = advice["measured"].as_array().unwrap();
        assert!(measured.len() > 1, "{measured:?}");
        let times = |key: &str| measured.iter().map(|m| m[key].as_f64().unwrap()).collect::<Vec<_>>();
        assert!(times("measured_ms").is_sorted() && times("measured_ms")[0] > 0.0);
        assert!(times("predicted_ms").iter().all(|ms| *ms > 0.0));
        assert!(measured.iter().all(|m| m["stored_bytes"].as_u64().unwrap() > 0));
        advice
    };
    let advice = check(&["--sample", &array], true);
    assert_eq!(advice["subject"]["shape"], json!([120, 30, 2]));
    assert!(advice["command"].as_str().unwrap().contains(&array));
    check(&["--shape", "120,30", "--dtype", "float32"], false);
    let joint = ["--mix", "object+value=8,object~20=1,epoch:2=1", "--names", "object,epoch,value"];
    let advice = json(
        &[
            &["--sample", &array, "--measure", "--dir", work, "--max-mem", "8kB", "--codecs", "zstd:3"][..],
            &joint,
        ]
        .concat(),
    );
    let names: Vec<&Value> =
        advice["layouts"][0]["accesses"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
    assert_eq!(names, ["object+value", "object~20", "epoch:2"]);
    assert!(advice["measured"].as_array().unwrap().len() > 1, "{advice}");
    let left: Vec<_> = std::fs::read_dir(work).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn people_read_tables() {
    let asked = ["--shape", "1000,50", "--dtype", "f8", "--mix", "epoch=1,object=3"];
    let done = advise(&[&asked[..], &["--storage-price", "1000/MB"]].concat());
    let said = String::from_utf8(done.stdout).unwrap();
    for part in [
        "one epoch",
        "mean",
        "stored",
        "a month",
        "400.00",
        "copies, ",
        "ratios are 1",
        "zarrange rechunk SRC DST",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn wrong_requests_are_told_what_there_is() {
    let check = |shape: &str, dtype: &str, mix: &str, more: &[&str], part: &str| {
        let output = advise(&[&["--shape", shape, "--dtype", dtype, "--mix", mix], more].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{shape} {dtype} {mix} {more:?}: {message}");
        assert!(message.contains(part), "{message}");
    };
    check("10,10", "f4", "epok=1", &[], "object, epoch");
    check("10,10", "f4", "epoch=-1", &[], "positive");
    check("10,10", "f4", "epoch=1,1=1", &[], "object, epoch");
    check("10,10", "f4", "epoch=1,epoch=1", &[], "two weights");
    check("10,x", "f4", "epoch=1", &[], "list of lengths");
    check("10,0", "f4", "epoch=1", &[], "length from 1");
    check("10,10", "float33", "epoch=1", &[], "f4 (float32)");
    check("10,10", "f4", "a=1", &["--names", "a"], "2 different names");
    check("10,10", "f4", "a=1", &["--names", "a,b", "--max-object-ms", "1"], "named object");
    check("10,10", "f4", "epoch=1", &["--max-object-ms", "0"], "positive number");
    check("10,10", "f4", "epoch=1", &["--max-mem", "much"], "256MiB");
    check("10,10", "f4", "epoch=1", &["--profile", "tape"], "nvme");
    check("10,10", "f4", "epoch=1", &["--reader", "dask"], "zarrs-python or zarrange");
    check("10,10", "f4", "epoch=1", &["--sample", "nowhere.zarr"], "nowhere.zarr");
    check(
        "64,64",
        "f4",
        "epoch=1",
        &["--max-files", "3", "--max-mem", "4096"],
        "--max-files 4, or --max-mem 5632 would",
    );
    check("64,64", "f4", "epoch=1", &["--max-object-ms", "0.001"], "--max-object-ms 0.467 would");
    check("64,64", "f4", "epoch=1", &["--max-stored", "1kB"], "--max-stored 16384 would");
    check("64,64", "f4", "epoch=1", &["--storage-price", "23"], "a price needs its unit");
    check("64,64", "f4", "epoch=1", &["--storage-price", "23/box"], "a price needs its unit");
    check("5", "f4", "a=1", &["--names", "a", "--measure"], "at least two dimensions");
    check("10,10", "f4", "epoch+epoch=1", &[], "\"epoch+epoch\" has dimension \"epoch\" twice");
    check("10,10", "f4", "epoch~11=1", &[], "reads 11 of dimension \"epoch\": from 1 to 10 are possible");
    check("10,10", "f4", "epoch:0+object=1", &[], "from 1 to 10");
    check("10,10", "f4", "epoch:2+band=1", &[], "\"band\" is none of the dimensions object, epoch");
    check("10,10", "f4", "epoch+object=1,object+epoch=1", &[], "named twice, as number 1 and 2");
    check("10,10", "f4", "epoch+object=x", &[], "is not a positive number");
}

#[test]
fn the_model_keeps_as_many_shards_open_as_our_reader() {
    assert_eq!(Reader::Zarrange.shards_kept(), zarrange_array::SHARDS_MAX as u64);
}

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    advise: AdviseArgs,
}

/// A question that both commands understand.
#[derive(Debug)]
struct Question {
    shape: Vec<u64>,
    codecs: &'static str,
    mix: String,
    profile: &'static str,
    reader: Reader,
    max_files: u64,
    chunk_bytes: u64,
}

impl Question {
    fn random(random: &mut Random) -> Self {
        fn one_of<T: Clone>(random: &mut Random, all: &[T]) -> T {
            all[usize::try_from(random.next() % all.len() as u64).unwrap()].clone()
        }
        let names = ["object", "epoch", "value"];
        let rank = 2 + usize::try_from(random.next() % 2).unwrap();
        let shape =
            (0..rank).map(|_| 1 + random.next() % 10_u64.pow(1 + u32::try_from(random.next() % 4).unwrap()));
        let shape: Vec<u64> = shape.collect();
        let read = 1 + usize::try_from(random.next() % rank as u64).unwrap();
        let weighted = |name: &str, random: &mut Random| format!("{name}={}", 1 + random.next() % 9);
        let mut shares: Vec<String> = names[..read].iter().map(|name| weighted(name, random)).collect();
        let count = 1 + random.next() % shape[0];
        let joint = [format!("object~{count}"), format!("object:{count}+epoch"), "object+epoch".to_owned()];
        if random.next().is_multiple_of(2) && count > 1 {
            shares.push(weighted(&one_of(random, &joint), random));
        }
        Self {
            mix: shares.join(","),
            shape,
            codecs: one_of(random, &["none", "zstd:3", "zstd:9", "blosc:lz4"]),
            profile: one_of(random, &StoreProfile::names().collect::<Vec<_>>()),
            reader: one_of(random, &Reader::ALL),
            max_files: one_of(random, &[5000, 10_000]),
            chunk_bytes: one_of(random, &[4096, 1 << 20, 16 << 20]),
        }
    }

    /// Chunk and shard, as `zarrange-bench advise` says.
    fn advised(&self) -> (Vec<u64>, Option<Vec<u64>>) {
        let Self { codecs, mix, profile, reader, max_files, chunk_bytes, shape } = self;
        let shape: Vec<String> = shape.iter().map(u64::to_string).collect();
        let names = ["object", "epoch", "value"][..shape.len()].join(",");
        let line = format!(
            "advise --shape {} --names {names} --dtype f4 --mix {mix} --codecs {codecs} --profile {profile} \
             --reader {reader} --max-files {max_files} --chunk-bytes {chunk_bytes}",
            shape.join(",")
        );
        let ask = Line::parse_from(line.split_whitespace()).advise.resolve().unwrap();
        let best = weigh(&ask, None).unwrap().layouts.swap_remove(0).design;
        (best.chunk, best.shard)
    }

    /// Chunk and shard, as `zarrange rechunk --for` takes them.
    fn taken(&self, dir: &Path) -> (Vec<u64>, Option<Vec<u64>>) {
        let Self { shape, .. } = self;
        let source = Location::Path(dir.join("source.zarr"));
        std::fs::create_dir_all(dir.join("source.zarr")).unwrap();
        let now = Layout { chunk: shape.clone(), shard: None, codecs: Vec::new() };
        let layout = Layout { codecs: Codecs::None.resolve(&now, 4), ..now };
        let document = Document::new(&ArraySpec {
            shape: shape.clone(),
            data_type: "float32",
            fill_value: json!(0.0),
            layout,
            dimension_names: vec!["object", "epoch", "value"][..shape.len()].to_vec(),
            attributes: Map::new(),
        });
        Array::new(source.open().unwrap(), document, 3).unwrap().write_metadata().unwrap();
        let limits =
            Limits { files_max: self.max_files, chunk_bytes_max: self.chunk_bytes, ..Limits::default() };
        let mut job = engine::job(source, Location::Path(dir.join("target.zarr")));
        job.costs.target = StoreProfile::built_in(self.profile).unwrap();
        let job = Request {
            mix: Some(MixRequest { mix: self.mix.parse().unwrap(), reader: self.reader, limits }),
            codecs: self.codecs.parse().unwrap(),
            memory_bytes_max: 1 << 40,
            ..job
        };
        let layout = prepare(job).unwrap().predicted().arrays.swap_remove(0).layout.unwrap();
        (layout.chunk, layout.shard)
    }
}

#[test]
fn both_commands_choose_the_same_layout() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut random = Random::new(16);
    let mut chosen = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let question = Question::random(&mut random);
        let advised = question.advised();
        assert_eq!(advised, question.taken(dir.path()), "{question:?}");
        chosen.insert(advised);
    }
    assert!(chosen.len() > 100, "{} answers", chosen.len());
}
