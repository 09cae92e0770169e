//! What is known before anything is moved: codecs by sample, stored sizes, room, profiles that were kept, arrays that are not there yet.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use support::{document, write, zarrange, zarrange_at};
use zarrange::random::Random;
use zarrange_array::Array;
use zarrange_io::Location;

/// What an array holds.
#[derive(Clone, Copy)]
enum Held {
    /// Numbers that vary in their last bits only.
    Smooth,
    /// Bytes that nothing compresses.
    Noise,
    /// Nothing but the fill value, written.
    Same,
}

/// An array of 32-bit floats over (object, epoch), an epoch a chunk, stored with zstd.
fn array(dir: &Path, [objects, epochs]: [u64; 2], held: Held) -> String {
    chunked(dir, [objects, epochs], objects, held)
}

/// The same, with so many objects in a chunk.
fn chunked(dir: &Path, [objects, epochs]: [u64; 2], chunk: u64, held: Held) -> String {
    let path = dir.join("source.zarr");
    std::fs::create_dir(&path).unwrap();
    let case = json!({"name": "made", "shape": [objects, epochs]});
    let store = Location::Path(path.clone()).open().unwrap();
    let array = Array::new(store, document(&case, vec![chunk, 1]), 3).unwrap();
    let mut random = Random::new(1);
    write(&array, 0..epochs * objects.div_ceil(chunk), |_, data| {
        for (k, element) in data.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *element = match held {
                Held::Smooth => {
                    let [level, noise] = [k as u64 % 9000, random.next() >> 58];
                    (18.0 + f32::from(u16::try_from(level + noise).unwrap()) / 4096.0).to_ne_bytes()
                }
                Held::Noise => u32::try_from(random.next() >> 32).unwrap().to_ne_bytes(),
                Held::Same => 1.0_f32.to_ne_bytes(),
            };
        }
    });
    path.display().to_string()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn one_codec_is_recommended_and_why() {
    let mix = ["--mix", "object=0.8,epoch=0.2", "--names", "object,epoch"];
    let check = |shape: [u64; 2], held: Held, more: &[&str], codecs: &[&str], parts: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let source = array(dir.path(), shape, held);
        let asked = [&["advise", "--sample", &source][..], &mix, more].concat();
        let output = zarrange(&[&asked[..], &["--json"]].concat());
        assert!(output.status.success(), "{more:?}: {output:?}");
        let advice: Value = serde_json::from_slice(&output.stdout).unwrap();
        for layout in advice["layouts"].as_array().unwrap() {
            assert!(codecs.contains(&layout["codecs"].as_str().unwrap()), "{more:?}: {advice}");
        }
        let chosen = advice["codecs"].as_array().unwrap().iter().filter(|codec| codec["chosen"] == true);
        assert!(chosen.count() == usize::from(!advice["codecs"].as_array().unwrap().is_empty()), "{advice}");
        let text = said(&zarrange(&asked));
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    let packed = ["zstd:1", "zstd:3", "zstd:9", "blosc:lz4", "blosc:zstd"];
    let (large, small) = ([2000, 200], [50, 20]);
    // However fast memory is read.
    let warm = ["--profile", "memory"];
    check(
        large,
        Held::Smooth,
        &warm,
        &packed,
        &[" *", "noise", "% less than no codec", "needs the package pcodec", "Rechunking takes about "],
    );
    check(
        large,
        Held::Noise,
        &[],
        &["none"],
        &["none: no codec that zarr-python has as it is installed stores a tenth less"],
    );
    check(
        large,
        Held::Smooth,
        &["--reader", "tensorstore"],
        &packed,
        &["pcodec is left out: tensorstore does not"],
    );
    check(large, Held::Smooth, &["--codecs", "none,pcodec"], &["pcodec"], &["pcodec"]);
    check(large, Held::Smooth, &["--codecs", "lz4,shuffle+zstd:1"], &["lz4", "shuffle+zstd:1"], &["lz4"]);
    check(small, Held::Smooth, &[], &["zstd:3"], &["a sample of 4.00 kB is too small to tell codecs apart"]);
    check(large, Held::Same, &[], &["zstd:3"], &["all elements of the sample are the same"]);
}

#[test]
fn advice_says_when_rechunking_has_paid_back() {
    let dir = tempfile::tempdir().unwrap();
    let source = array(dir.path(), [2000, 200], Held::Smooth);
    let target = dir.path().join("target.zarr").display().to_string();
    let advised = |sample: &str, mix: &str, more: &[&str]| {
        let asked = ["advise", "--sample", sample, "--names", "object,epoch", "--json", "--codecs", "zstd:3"];
        let output = zarrange(&[&asked[..], &["--mix", mix], more].concat());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let number = |advice: &Value, key: &str| advice["payback"][key].as_f64();
    // 200 chunks for an object, each of which is one for an epoch.
    let slow = advised(&source, "object=1000/day", &[]);
    let best = slow["layouts"][0]["weighted_ms"].as_f64().unwrap();
    let (now, seconds) = (number(&slow, "now_ms").unwrap(), number(&slow, "rechunk_s").unwrap());
    assert!(now > 20.0 * best && seconds > 0.0, "{slow}");
    let accesses = number(&slow, "accesses").unwrap();
    assert!(((accesses - 1.0) * (now - best)..=accesses * (now - best)).contains(&(1e3 * seconds)), "{slow}");
    let made = zarrange(&["rechunk", &source, &target, "--for", "1=1", "--codecs", "zstd:3"]);
    assert!(made.status.success(), "{made:?}");
    let best = advised(&target, "epoch=1", &[]);
    let close = number(&best, "now_ms").unwrap() / best["layouts"][0]["weighted_ms"].as_f64().unwrap();
    assert!((0.7..1.5).contains(&close), "{best}");
    // Of another array nothing is known.
    assert!(advised(&source, "object=1", &["--shape", "4000,200"])["payback"].is_null());
}

#[test]
fn codecs_that_cannot_be_told_apart_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let source = array(dir.path(), [50, 20], Held::Smooth);
    let check = |asked: &[&str], part: &str| {
        let output = zarrange(&[&["advise", "--mix", "0=1"][..], asked].concat());
        assert!(output.status.code() == Some(2) && said(&output).contains(part), "{asked:?}: {output:?}");
    };
    let wide = ["--shape", "100,100", "--dtype", "f4", "--names", "0,1"];
    check(&[&wide[..], &["--codecs", "none,zstd:3"]].concat(), "only a --sample tells codecs apart");
    let sampled = ["--sample", &source, "--names", "0,1"];
    check(&[&sampled[..], &["--codecs", "none,zstd:3"]].concat(), "name one codec, or another sample");
    check(
        &[&sampled[..], &["--codecs", "lz4", "--reader", "tensorstore"]].concat(),
        "does not decode numcodecs.lz4",
    );
}

#[test]
fn plans_tell_what_is_stored_and_what_it_needs() {
    let dir = tempfile::tempdir().unwrap();
    // The last chunk of each epoch is half empty.
    let source = chunked(dir.path(), [60_000, 100], 40_000, Held::Smooth);
    let target = dir.path().join("target.zarr").display().to_string();
    let fixed = ["rechunk", &source, &target, "--chunks", "100,100"];
    let check = |more: &[&str], written: [f64; 2]| {
        let dry = zarrange(&[&fixed[..], more, &["--dry-run", "--json", "--overwrite"]].concat());
        let planned: Value = serde_json::from_slice(&dry.stdout).unwrap();
        let done = zarrange(&[&fixed[..], more, &["--json", "--overwrite", "--durability", "none"]].concat());
        let counted: Value = serde_json::from_slice(&done.stdout).unwrap();
        let ratio = |key: &str| planned[key].as_f64().unwrap() / counted[key].as_f64().unwrap();
        assert!((0.9..1.1).contains(&ratio("bytes_read")), "{more:?}: {planned} {counted}");
        assert!((written[0]..written[1]).contains(&ratio("bytes_written")), "{more:?}: {planned} {counted}");
    };
    // The same values compress otherwise in another order.
    check(&[], [0.3, 3.0]);
    check(&["--codecs", "none"], [0.99, 1.01]);
    let told = said(&zarrange(&[&fixed[..], &["--dry-run", "--overwrite"]].concat()));
    assert!(told.contains("disk       about ") && told.contains(" in up to 600 files; "), "{told}");
    assert!(told.contains(" free there"), "{told}");
    // An intermediate lies somewhere else.
    let temp = dir.path().join("temp").display().to_string();
    let staged = ["--way", "staged", "--max-mem", "6MB", "--threads", "1", "--temp", &temp];
    let told = said(&zarrange(&[&fixed[..], &staged, &["--dry-run", "--overwrite"]].concat()));
    assert!(told.contains(&format!(" at {temp}; ")) && !told.contains("worst moment"), "{told}");
}

#[test]
fn an_array_can_be_planned_before_it_is_there() {
    let check = |more: &[&str], parts: &[&str]| {
        let output = zarrange(&[&["plan", "--max-mem", "1GB", "--threads", "2"][..], more].concat());
        for part in parts {
            assert!(said(&output).contains(part), "{part}: {output:?}");
        }
        output.status.code().unwrap()
    };
    let field = ["--shape", "50000,40,2,1000", "--dtype", "float32", "--from", "50000,40,2,1"];
    let named = ["--names", "object,measurement,value,epoch"];
    let parts =
        ["[50000, 40, 2, 1000] of 4 bytes each", "chunks [50000, 40, 2, 1]", "sizes are before compression"];
    assert_eq!(check(&[&field[..], &["--chunks", "1,40,2,1000"]].concat(), &parts), 0);
    let mix = [&field[..], &named, &["--for", "object+measurement=0.8,epoch=0.2"]].concat();
    assert_eq!(check(&mix, &["layout     chunks of ", "disk       about 16.0 GB in up to "]), 0);
    assert_eq!(check(&[&mix[..], &["--simulate", "workers=10,store=s3"]].concat(), &["10 workers"]), 0);
    assert_eq!(check(&[&field[..], &["--out", "x.json"]].concat(), &["cannot be used with"]), 2);
    assert_eq!(check(&[&field[..], &["a.zarr"]].concat(), &["cannot be used with"]), 2);
    assert_eq!(
        check(&["--shape", "5,x", "--dtype", "f4", "--from", "5,1"], &["is not a list of lengths"]),
        2
    );
    assert_eq!(check(&["--shape", "5,5", "--dtype", "f4", "--from", "5"], &["each of the 2 dimensions"]), 2);
    assert_eq!(check(&["--shape", "5,5", "--dtype", "f33", "--from", "5,1"], &["f4 (float32)"]), 2);
}

#[test]
fn a_profile_that_was_probed_is_used_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let (config, here) = (dir.path().join("config"), dir.path().display().to_string());
    let source = array(dir.path(), [500, 20], Held::Smooth);
    let planned = |more: &[&str]| {
        let target = dir.path().join("target.zarr").display().to_string();
        let asked = ["rechunk", &source, &target, "--chunks", "50,20", "--dry-run"];
        said(&zarrange_at(&config, &[&asked[..], more].concat()))
    };
    let probed = |more: &[&str]| {
        let asked = ["probe", &here, "--name", "the field's disk", "--seconds", "1"];
        said(&zarrange_at(&config, &[&asked[..], more].concat()))
    };
    assert!(!probed(&["--no-keep"]).contains("Kept in"));
    assert!(planned(&[]).contains("source on nvme, target on nvme"), "{}", planned(&[]));
    assert!(probed(&[]).contains("Kept in "));
    assert!(
        planned(&[]).contains("source on the field's disk, target on the field's disk"),
        "{}",
        planned(&[])
    );
    assert!(planned(&["--profile", "target=disk"]).contains("source on the field's disk, target on disk"));
    let advised = zarrange_at(&config, &["advise", "--sample", &source, "--mix", "0=1", "--names", "0,1"]);
    assert!(said(&advised).contains("on the field's disk"), "{advised:?}");
    // As older versions kept it: the place alone.
    let file = config.join("zarrange/places.json");
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let places: serde_json::Map<String, Value> = kept
        .as_object()
        .unwrap()
        .iter()
        .map(|(place, kept)| {
            assert!(kept["codecs"].as_f64().unwrap() > 0.0, "{kept}");
            (place.clone(), kept["profile"].clone())
        })
        .collect();
    std::fs::write(&file, serde_json::to_vec(&places).unwrap()).unwrap();
    assert!(planned(&[]).contains("source on the field's disk"), "{}", planned(&[]));
    // What cannot be read is not used, and not replaced either.
    std::fs::write(&file, "{").unwrap();
    assert!(planned(&[]).contains("source on nvme"), "{}", planned(&[]));
    assert!(probed(&[]).contains("is no file of profiles: remove it"));
}
