//! Nothing that is asked is ignored: an option takes effect, or is named, as an error where it contradicts another one and in a note otherwise.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::{document, zarrange};
use zarrange_array::{Array, Group, publish_metadata};
use zarrange_io::Location;

/// Options that take effect wherever they stand, and why.
const ALWAYS: [(&str, &str); 9] = [
    ("help quiet verbose json", "say how it is told"),
    ("max-mem threads", "are bounds of every plan, and of everything that is read"),
    ("verify durability", "hold for whatever is written, and stand in a plan"),
    ("out simulate stage part status give-up sample shape dtype mix", "are what is to be done"),
    ("overwrite foreign nan-payloads", "say what becomes of what may be there"),
    ("reader max-files chunk-bytes max-stored storage-price top codecs profile", "weigh in every advice"),
    ("dry-run", "writes nothing, whatever else is asked"),
    ("backend direct progress", "are for all files, and for all that takes a while"),
    ("key-separator", "is for every array that is written"),
];

/// Command lines after `zarrange`, in which `RECHUNK` and `PLAN` are those that have no option yet; the exit code; and what is said of what is asked.
const CASES: [(&str, i32, &str); 74] = [
    // What chooses among arrays needs something that it chooses for.
    ("RECHUNK --array mag", 2, "--array says which arrays a SPEC without ARRAY:, a MIX"),
    ("RECHUNK --array mag --chunks time:5", 2, "--array says which arrays"),
    ("RECHUNK --array mag --chunks time:5 --codecs zstd:1", 2, "--array says which arrays"),
    ("PLAN --array mag", 2, "--array says which arrays"),
    ("RECHUNK --only-named", 2, "--only-named leaves out every array without a SPEC or a MIX"),
    ("RECHUNK --only-named --codecs zstd:1 --array mag", 2, "--only-named leaves out every array"),
    ("PLAN --only-named", 2, "--only-named leaves out every array"),
    ("RECHUNK --chunks object=5 --array mag time", 0, "time: it has not the dimensions of what is asked"),
    ("RECHUNK --for object=1 --array mag time", 0, "time: it has not the dimensions of what is asked"),
    ("PLAN --for object=1 --array mag time", 0, "time: it has not the dimensions of what is asked"),
    ("RECHUNK --chunks mag:5,5 time:5 name:5 7,7", 0, "no array gets the chunks 7,7"),
    ("PLAN --chunks mag:5,5 time:5 name:5 7,7", 0, "no array gets the chunks 7,7"),
    ("RECHUNK --shards mag:none time:none name:none none", 0, "no array gets the shards none"),
    ("PLAN --shards mag:none time:none name:none none", 0, "no array gets the shards none"),
    ("RECHUNK --skip nix", 2, "no array \"nix\""),
    ("RECHUNK --skip mag --array mag --codecs zstd:1", 2, "no array \"mag\""),
    ("PLAN --skip nix", 2, "no array \"nix\""),
    // Codecs, of text whose chunks stay as they are, too.
    ("RECHUNK --chunks name:4 --codecs zstd:7 -v", 0, "become vlen-utf8 zstd {\"level\":7"),
    (
        "RECHUNK --chunks keep --codecs zstd:7 -v",
        0,
        "name: string of Zarr v3, codecs vlen-utf8 zstd {\"level\":1",
    ),
    ("RECHUNK --codecs zstd:7 -v", 0, "become vlen-utf8 zstd {\"level\":7"),
    ("rechunk unknown.zarr out.zarr --dry-run --codecs zstd:1", 0, "no array gets the codecs zstd:1"),
    ("plan unknown.zarr out.zarr --out - --codecs zstd:1", 0, "no array gets the codecs zstd:1"),
    // What is for a mix.
    ("RECHUNK --max-files 5", 2, "--for"),
    ("RECHUNK --chunk-bytes 5", 2, "--for"),
    ("RECHUNK --fix epoch=1", 2, "--for"),
    ("RECHUNK --reader xarray", 2, "--for"),
    ("PLAN --fix epoch=1", 2, "--for"),
    ("RECHUNK --max-files 5 --chunks mag:5,5", 2, "cannot be used with"),
    ("RECHUNK --chunk-bytes 5MB --chunks mag:5,5", 2, "cannot be used with"),
    ("RECHUNK --fix epoch=1 --shards none", 2, "cannot be used with"),
    ("RECHUNK --reader zarr-python --chunks mag:5,5", 2, "cannot be used with"),
    ("PLAN --reader xarray --shards none", 2, "cannot be used with"),
    (
        "RECHUNK --for object+epoch=1 --fix epoch=1",
        0,
        "each access of the mix says itself how many of epoch it reads",
    ),
    // Places.
    ("RECHUNK --temp t", 0, "t stays unused: nothing goes through an intermediate"),
    ("PLAN --temp t", 0, "t stays unused: nothing goes through an intermediate"),
    ("RECHUNK --profile disk nvme", 2, "says twice what one place costs"),
    ("RECHUNK --profile source=disk source=nvme", 2, "says twice what one place costs"),
    (
        "RECHUNK --profile disk source=nvme target=nvme temp=nvme",
        2,
        "--profile disk: each place has a profile of its own",
    ),
    ("RECHUNK --chunks mag:5,5 --profile source=disk object", 0, "source on disk, target on object"),
    ("RECHUNK --backend mmap --direct", 2, "leave out --direct"),
    ("PLAN --backend std", 0, "--backend and --direct are not in a plan"),
    ("PLAN --direct", 0, "--backend and --direct are not in a plan"),
    ("PLAN --overwrite-plan", 0, "--overwrite-plan: on stdout there is nothing to replace"),
    ("plan group.zarr out.zarr --simulate workers=2 --overwrite-plan", 2, "--out"),
    ("PLAN --simulate workers=2,store=disk --profile nvme", 0, "and not what the store of --simulate would"),
    // A region, parts, bars.
    (
        "rechunk group.zarr out.zarr --region object=0:5 --codecs zstd:1",
        2,
        "codecs and keys are those of the target",
    ),
    (
        "rechunk group.zarr out.zarr --region object=0:5 --foreign copy",
        2,
        "nothing but chunks of the target is replaced",
    ),
    (
        "rechunk group.zarr out.zarr --region object=0:5 --array mag --skip time",
        2,
        "arrays are named, so that there",
    ),
    ("RECHUNK --part-size 5MB", 2, "cannot be used with"),
    ("rechunk group.zarr out.zarr --part-size 5MB", 2, "--resume"),
    ("probe . --overwrite", 2, "--out"),
    ("probe memory://a --backend std", 2, "memory://a is no folder, so no backend reads it"),
    ("probe memory://a --direct", 2, "memory://a is no folder"),
    ("lightcurve ingest t.csv out.zarr --chunks 1,1 2,2", 2, "is given two SPECs for its chunks"),
    ("lightcurve get group.zarr --all --fold 5", 2, "--plot"),
    ("lightcurve get group.zarr --all --fold 5 --out a.csv", 2, "cannot be used with"),
    ("lightcurve get group.zarr --all --phase-zero 5 --out a.csv", 2, "cannot be used with"),
    ("RECHUNK --resume", 2, "cannot be used with"),
    ("RECHUNK --progress always", 0, "--progress: with --dry-run nothing is moved"),
    ("worker plan.json --status --progress always", 0, "--progress: with --status nothing is done"),
    ("finish plan.json --give-up --progress always --json", 0, "\"removed\":false"),
    // Advice.
    (
        "advise --shape 100,100 --dtype f4 --mix object=1 --accesses 5",
        0,
        "--accesses: zarr-python keeps no shard open",
    ),
    (
        "advise --shape 100,100 --dtype f4 --mix object=1 --fix object=1",
        0,
        "--fix object: each access says itself",
    ),
    (
        "plan --shape 9,9 --dtype f4 --from 9,1 --from-shards 9,9 --from-codecs none --names a,b --chunks b=9",
        0,
        "chunks [9, 1] in shards [9, 9]",
    ),
    ("PLAN --from 9,1", 2, "--shape"),
    (
        "RECHUNK --for object=1 --codecs lz4 --reader tensorstore",
        2,
        "tensorstore does not decode numcodecs.lz4: name another codec",
    ),
    ("PLAN --from-shards 9,1", 2, "--shape"),
    ("PLAN --from-codecs none", 2, "--shape"),
    ("PLAN --names a,b", 2, "--shape"),
    ("PLAN --dtype f4", 2, "--shape"),
    ("advise --shape 9,9 --dtype f4 --mix 0=1 --codecs none,zstd:3 --names 0,1", 2, "only a --sample"),
    ("advise --shape 100,100 --dtype f4 --mix a=1 --names a", 2, "--names a: 2 different names"),
    ("advise --shape 9,9 --dtype f4 --mix a=1 --names a,b --max-object-ms 5", 2, "is named object"),
    (
        "advise --sample group.zarr/mag --dtype f8 --mix object=1",
        2,
        "--dtype is float64, but the sample is float32",
    ),
];

/// `mag` over (object, epoch), `time` over epochs and `name` of text over objects; and beside it one array of a type that nobody knows.
fn sources(dir: &Path) {
    let path = dir.join("group.zarr");
    fs::create_dir(&path).unwrap();
    let root = Location::Path(path.clone()).open().unwrap();
    let array = |name: &str, shape: Value, chunk: Vec<u64>, change: &dyn Fn(&mut Value)| {
        let document = document(&json!({"name": name, "shape": shape}), chunk);
        Array::new(root.below(name).unwrap(), document, 3).unwrap().write_metadata().unwrap();
        let file = path.join(name).join("zarr.json");
        let mut members: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        change(&mut members);
        fs::write(file, members.to_string()).unwrap();
    };
    array("mag", json!([40, 60]), vec![40, 1], &|mag| mag["dimension_names"] = json!(["object", "epoch"]));
    array("time", json!([60]), vec![1], &|time| time["dimension_names"] = json!(["epoch"]));
    array("name", json!([40]), vec![4], &|name| {
        name["data_type"] = json!("string");
        name["fill_value"] = json!("");
        name["codecs"][0] = json!({"name": "vlen-utf8"});
        name["dimension_names"] = json!(["object"]);
    });
    array("unknown", json!([40]), vec![4], &|unknown| unknown["data_type"] = json!("unheard_of"));
    fs::rename(path.join("unknown"), dir.join("unknown.zarr")).unwrap();
    let group = Group::new(root.below("").unwrap(), serde_json::Map::new());
    publish_metadata(&root, &[], &[(String::new(), group)], false).unwrap();
}

fn line(case: &str) -> String {
    let rechunk = case.replace("RECHUNK", "rechunk group.zarr out.zarr --dry-run");
    rechunk.replace("PLAN", "plan group.zarr out.zarr --out -")
}

#[test]
fn nothing_that_is_asked_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    sources(dir.path());
    fs::write(dir.path().join("t.csv"), "object_id,time,band,mag,magerr\na,1,g,2,3\n").unwrap();
    let run = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zarrange"));
        command.args(line.split(' ')).current_dir(dir.path()).output().unwrap()
    };
    assert!(run("plan group.zarr out.zarr --out plan.json --chunks mag:5,5 --temp t").status.success());
    let check = |case: &str, code: i32, said: &str| {
        let output = run(&line(case));
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert_eq!(output.status.code(), Some(code), "{case}: {text}");
        assert!(text.contains(said), "{case}: {text}");
        assert!(!dir.path().join("out.zarr").exists(), "{case}");
    };
    for (case, code, said) in CASES {
        check(case, code, said);
    }
    // Who asks for quiet is not told of it, and gets the same exit code.
    let quiet = run(&format!("{} -q", line("RECHUNK --temp t")));
    assert!(quiet.status.success() && quiet.stderr.is_empty(), "{quiet:?}");
}

/// A new option is a case above, or stands among those that always take effect.
#[test]
fn every_option_is_a_case_or_always_takes_effect() {
    let always: Vec<&str> = ALWAYS.iter().flat_map(|(options, _)| options.split(' ')).collect();
    for command in ["rechunk", "plan", "run", "worker", "finish", "advise", "info", "digest", "verify"] {
        let help = String::from_utf8(zarrange(&[command, "--help"]).stdout).unwrap();
        let begins = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
        let options = begins.filter_map(|line| line.split("--").nth(1)?.split([' ', '=']).next());
        let cases: Vec<String> =
            CASES.iter().map(|case| line(case.0)).filter(|line| line.starts_with(command)).collect();
        let of_shared: Vec<String> = match command {
            "plan" => {
                CASES.iter().map(|case| line(case.0)).filter(|line| line.starts_with("rechunk")).collect()
            }
            _ => Vec::new(),
        };
        for option in options {
            let word = format!("--{option}");
            let is_case = cases.iter().chain(&of_shared).any(|line| line.split(' ').any(|part| part == word));
            assert!(is_case || always.contains(&option), "{command} {word}");
        }
    }
}
