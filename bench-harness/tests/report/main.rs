//! The page of a report in a real browser: charts have marks, filters and orders in the address work, nothing of a name runs, nothing
//! is logged, nothing is loaded. PNG files show what the SVG files do. Where there is no browser or no font, only `CI` makes that a
//! failure.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod looks;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use bench_harness::machine::Machine;
use bench_harness::page::{Options, write};
use bench_harness::sweep::facts::{DatasetFacts, LayoutFacts};
use bench_harness::sweep::record::{CacheState, Cell, Latency, Measures, Outcome, Record, SCHEMA};
use bench_harness::sweep::workload::Workload;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Serializer as _, V2Serializer};
use resvg::tiny_skia::Pixmap;
use resvg::usvg::fontdb::{Database, Family, Query, Source};
use serde_json::Value;
use zarrange_plan::Reader;

/// A name that must stay text wherever it is shown.
const HOSTILE: &str = "<script>alert(1)</script>&\"'";

const SHAPES: [(u64, u64); 5] = [(100, 1), (1, 20), (10, 5), (10, 20), (50, 5)];

/// Before the page's own script: collects whatever goes wrong.
const WATCH: &str = r#"<script>
window.wrong = [];
window.alert = (text) => wrong.push("alert " + text);
console.error = console.warn = (...words) => wrong.push(words.join(" "));
addEventListener("error", (event) => wrong.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => wrong.push(event.blockedURI + " was to be loaded"));
</script>"#;

/// After it: presses what the address names as `press`, moves the sliders that it names as `slide`, then tells what there is to see.
const PROBE: &str = r##"<script>
for (const pair of new URLSearchParams(location.hash.slice(1)).getAll("slide")) {
  const slider = document.querySelector(`#mix input[name="${pair.split(":")[0]}"]`);
  slider.value = pair.split(":")[1];
  slider.dispatchEvent(new Event("input"));
}
for (const text of new URLSearchParams(location.hash.slice(1)).getAll("press"))
  [...document.querySelectorAll("button, .mark")].find((e) => e.textContent.startsWith(text)).dispatchEvent(new MouseEvent("click"));
const seen = (selector) => [...document.querySelectorAll(selector)].filter((e) => e.getClientRects().length > 0 && e.checkVisibility());
const answered = document.querySelector("#best .card").getBoundingClientRect().bottom <= innerHeight;
const open = seen("figure, table").length;
for (const folded of document.querySelectorAll("details")) folded.open = true;
const rows = (table) => {
  const keys = [...document.querySelectorAll(`#${table} th button`)].map((button) => button.dataset.key);
  return seen(`#${table} tbody tr`).map((row) => Object.fromEntries(keys.map((key, k) => [key, row.cells[k].textContent])));
};
const report = {
  wrong, hash: decodeURIComponent(location.hash), heading: document.querySelector("h1").textContent, width: innerWidth,
  needed: document.documentElement.scrollWidth, loaded: performance.getEntriesByType("resource").length,
  scripts: document.scripts.length,
  marks: Object.fromEntries(["trade", "heat", "latency", "predicted"].map((id) => [id, seen(`#${id} .mark`).length])),
  charts: seen("figure").length, rows: rows("cells"), payback: rows("payback"), latency: seen("#latency figure").map((f) => f.textContent),
  best: seen("#best .card").map((card) => card.textContent), mix: seen("#mix output").map((told) => told.textContent),
  answered, open,
  pressed: seen("nav button[aria-pressed=true]").map((b) => b.textContent),
};
const out = Object.assign(document.createElement("script"), { type: "application/json", id: "probe" });
out.textContent = JSON.stringify(report).replaceAll("<", "\\u003c");
document.body.append(out);
parent.postMessage(out.textContent, "*");
</script>"##;

/// A phone: the page in a frame, for no window of a browser is that narrow.
const PHONE: &str = r#"<!DOCTYPE html><body><iframe width="390" height="844" style="border: 0"></iframe><script>
addEventListener("message", (event) => {
  document.body.append(Object.assign(document.createElement("script"), { type: "application/json", id: "probe", textContent: event.data }));
});
document.querySelector("iframe").src = "PAGE" + location.hash;
</script>"#;

fn latency(number: u64) -> Latency {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 3_600_000_000_000, 3).unwrap();
    let base = 1000 * (1 + number);
    (0..8).for_each(|k| histogram.record(base + 100 * k).unwrap());
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(&histogram, &mut bytes).unwrap();
    let us = f64::from(u32::try_from(base).unwrap()) / 1e3;
    let histogram = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    Latency { histogram, count: 8, p50_us: us, p90_us: us + 0.6, p99_us: us + 0.7, max_us: us + 0.7 }
}

fn measures(cell: &Cell, number: u64) -> Measures {
    let extent = |axis: usize| f64::from(u32::try_from(cell.layout.chunk[axis]).unwrap());
    let amplification = if cell.workload.name == "epoch" { extent(1) } else { extent(0) };
    let latency = latency(number);
    Measures {
        backend: cell.backend.clone(),
        cache_proof: "known".to_owned(),
        useful_bytes: 800,
        ra_geometry: amplification,
        ra_store: amplification / 2.0,
        ra_backend: amplification / 2.0,
        ra_device: None,
        predicted_ra_geometry: amplification,
        predicted_ra_store: amplification / 2.0,
        predicted_chunks: 8,
        predicted_requests: Some(8.0),
        predicted_backend_bytes: Some(400.0),
        chunks: 8,
        requests: 8,
        opens: 8,
        hops: Some(8),
        faults: 0,
        stored_bytes: 400,
        backend_bytes: 400,
        device_bytes: None,
        throughput: 1e9,
        elapsed_s: 8.0 * latency.p50_us / 1e6,
        latency,
        cpu_s: 0.1,
        peak_resident_bytes: 1 << 20,
        layout_bytes: 8000,
        layout_objects: 20,
        rechunk_s: 2.0,
    }
}

/// Every shape with two codecs, read in two ways through two backends, cold and warm, of two datasets; each cell slower than the one
/// before. The last one could not be measured.
fn records() -> Vec<Record> {
    let machine = Machine {
        processor: "<b>processor</b>".to_owned(),
        processors: 2,
        memory_bytes: 1 << 33,
        device: "disk".to_owned(),
    };
    let mut out = Vec::new();
    for (dataset, layout, workload, backend, cache) in coordinates() {
        let reader = Reader::Zarrange;
        let cell = Cell { dataset, layout, workload, operations: 8, reader, backend, cache, latency_ms: 0 };
        let measured = measures(&cell, out.len() as u64);
        let (commit, machine) = ("abc".to_owned(), machine.clone());
        out.push(Record {
            schema: SCHEMA,
            commit,
            machine,
            cell,
            turn: 0,
            outcome: Outcome::Measured(Box::new(measured)),
        });
    }
    out.last_mut().unwrap().outcome = Outcome::Unmeasured("<i>no</i> cache".to_owned());
    out
}

type Coordinates = (DatasetFacts, LayoutFacts, Workload, String, CacheState);

fn coordinates() -> Vec<Coordinates> {
    let mut out = Vec::new();
    for name in [HOSTILE, "plain"] {
        let dataset =
            DatasetFacts { name: name.to_owned(), shape: vec![100, 20], item_bytes: 4, axes: (0, 1) };
        for (codecs, (objects, epochs)) in
            ["none", "zstd:3"].iter().flat_map(|c| SHAPES.map(|shape| (*c, shape)))
        {
            let name = if (objects, epochs, codecs) == (100, 1, "none") {
                "by-epoch".to_owned()
            } else {
                format!("{objects}x{epochs}-{codecs}")
            };
            let layout =
                LayoutFacts { name, chunk: vec![objects, epochs], shard: None, codecs: codecs.to_owned() };
            for (workload, backend) in
                ["epoch", "object"].iter().flat_map(|w| ["std", "mmap"].map(|b| (*w, b)))
            {
                for cache in [CacheState::Cold, CacheState::Warm] {
                    out.push((
                        dataset.clone(),
                        layout.clone(),
                        Workload::parse(workload).unwrap(),
                        backend.to_owned(),
                        cache,
                    ));
                }
            }
        }
    }
    out
}

/// Writes the report of [`records`] below `dir`.
fn report(dir: &Path) -> Options {
    let raw = dir.join("raw.jsonl");
    let lines: Vec<String> = records().iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect();
    std::fs::write(&raw, lines.concat()).unwrap();
    let options = Options {
        raw: vec![raw],
        out: dir.join("report.html"),
        svg: Some(dir.join("svg")),
        png: None,
        markdown: Some(dir.join("summary.md")),
    };
    let (cells, charts) = write(&options).unwrap();
    assert_eq!(cells, 160);
    // Each dataset: 2 + 4 of points, 2 x 2 x (1 + 4) maps, 10 x 2 x 2 of latencies, 2 of predictions.
    assert_eq!(charts, 2 * (6 + 20 + 40 + 2));
    options
}

/// A browser, if there is one.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
    let found =
        std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name))).find(|p| p.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "none of {} is in PATH", names.join(", "));
        println!("no browser, not tested: none of {} is in PATH", names.join(", "));
    }
    found
}

/// What the page at `#hash` tells in a window of this width.
fn look(browser: &Path, page: &Path, hash: &str, width: u32, dark: bool) -> Value {
    let phone = page.with_file_name("phone.html");
    std::fs::write(&phone, PHONE.replace("PAGE", &format!("file://{}", page.display()))).unwrap();
    let opened = if width < 500 { &phone } else { page };
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000", "--dump-dom"])
        .args(["--disable-background-networking", "--disable-component-update", "--no-first-run"])
        .arg(format!("--user-data-dir={}", page.with_file_name("profile").display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(!dark)))
        .arg(format!("--window-size={},900", width.max(500)))
        .arg(format!("file://{}#{hash}", opened.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let from = text.split_once("id=\"probe\">").unwrap_or_else(|| panic!("no probe: {output:?}")).1;
    serde_json::from_str(from.split_once("</script>").unwrap().0).unwrap()
}

fn field<'a>(seen: &'a Value, column: &str) -> Vec<&'a str> {
    seen["rows"].as_array().unwrap().iter().map(|row| row[column].as_str().unwrap()).collect()
}

/// The best layouts for a mix stand on top, and follow the sliders.
fn answers_first(look: &dyn Fn(&str, u32) -> Value) {
    let records = records();
    // The mean time of an operation in a layout, in milliseconds.
    let time = |layout: &str, workload: &str| {
        let same = |r: &&Record| {
            let Cell { dataset, layout: of, workload: w, backend, cache, .. } = &r.cell;
            (dataset.name.as_str(), of.name.as_str(), w.name.as_str(), backend.as_str(), *cache)
                == ("plain", layout, workload, "mmap", CacheState::Warm)
        };
        // One could not be measured.
        let measured = records.iter().find(same).and_then(Record::measures);
        measured.map_or(f64::INFINITY, |measured| measured.elapsed_s * 1e3 / 8.0)
    };
    let names: Vec<String> = coordinates().into_iter().map(|(_, layout, ..)| layout.name).collect();
    let check = |hash: &str, mix: [f64; 2], shown: &Value| {
        let part = |share: f64, ms: f64| if share > 0.0 { share * ms } else { 0.0 };
        let mean = |name: &str| part(mix[0], time(name, "epoch")) + part(mix[1], time(name, "object"));
        let best = names.iter().min_by(|a, b| mean(a).total_cmp(&mean(b))).unwrap();
        let layout = coordinates().into_iter().find(|(_, layout, ..)| layout.name == *best).unwrap().1;
        let chunks = layout.chunk.iter().map(u64::to_string).collect::<Vec<_>>();
        let cards = shown["best"].as_array().unwrap();
        let first = cards[0].as_str().unwrap();
        assert_eq!(cards.len(), 3, "{hash}");
        assert!(
            first.contains(&format!("chunks of {}, {}", chunks.join(" × "), layout.codecs)),
            "{hash}: {first}"
        );
        let command = format!("zarrange rechunk SRC DST --chunks {} --shards none", chunks.join(","));
        assert!(first.contains(&command), "{hash}: {first}");
        assert_eq!(shown["answered"], true, "{hash}: scrolling is needed");
    };
    let place = "of=plain&by=mmap&in=warm";
    for width in [1400, 390] {
        check("", [0.5, 0.5], &look(place, width));
        let hash = format!("{place}&mix=epoch:4&mix=object:1");
        check(&hash, [0.8, 0.2], &look(&hash, width));
    }
    let moved = look(&format!("{place}&slide=epoch:0&slide=object:3"), 1400);
    check("moved", [0.0, 1.0], &moved);
    assert_eq!(moved["mix"], serde_json::json!(["0", "3"]));
    let hash = moved["hash"].as_str().unwrap();
    assert!(hash.contains("mix=epoch:0") && hash.contains("mix=object:3"), "{hash}");
}

#[test]
fn the_page_works_in_a_browser() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = report(dir.path());
    let Some(browser) = browser() else { return };
    let html = std::fs::read_to_string(&options.out).unwrap();
    let page = dir.path().join("probed.html");
    let probed = html.replacen("<title>", &format!("{WATCH}<title>"), 1).replacen(
        "</body>",
        &format!("{PROBE}</body>"),
        1,
    );
    std::fs::write(&page, probed).unwrap();
    let look = |hash: &str, width: u32| {
        let seen = look(&browser, &page, hash, width, false);
        assert_eq!(seen["wrong"], serde_json::json!([]), "{hash}");
        assert_eq!(
            (&seen["loaded"], &seen["scripts"]),
            (&0.into(), &6.into()),
            "{hash}: two of ours, the names, the answers and two of the test"
        );
        assert!(
            seen["needed"].as_u64() <= seen["width"].as_u64(),
            "{hash}: wider than the window: {}",
            seen["needed"]
        );
        seen
    };

    let all = look("", 1400);
    assert_eq!(all["heading"], format!("Layouts of {HOSTILE}, plain"));
    assert_eq!(all["open"], 2, "a chart of each dataset, before anything is opened");
    assert_eq!(all["rows"].as_array().unwrap().len(), 160);
    // Layouts x charts; shapes x maps; curves and bars of one layout of each dataset; cells that differ. One cell is missing.
    let (trade, heat, latency, predicted) = (2 * 6 * 10 - 1, 2 * 20 * 5 - 1, 2 * 2 * 8, 2 * 2 * 20);
    let marks = |t: u32, h: u32, l: u32, p: u32| serde_json::json!({ "trade": t, "heat": h, "latency": l, "predicted": p });
    assert_eq!(all["marks"], marks(trade, heat, latency, predicted));
    let unmeasured =
        all["rows"].as_array().unwrap().iter().filter(|r| r["p50"] == "not measured: <i>no</i> cache");
    assert_eq!(unmeasured.count(), 1);
    assert!(html.contains("<li>1: &lt;i&gt;no&lt;/i&gt; cache</li>"));

    answers_first(&look);

    let some = look("backend=std&cache=warm&dataset=plain&sort=-p50&layout=10x5-zstd:3", 390);
    assert_eq!(some["width"], 390);
    assert_eq!(field(&some, "dataset"), ["plain"; 20]);
    assert_eq!(field(&some, "backend"), ["std"; 20]);
    let medians: Vec<f64> =
        field(&some, "p50").iter().map(|t| t.split_once(' ').unwrap().0.parse().unwrap()).collect();
    assert!(medians.is_sorted_by(|a, b| a > b), "{medians:?}");
    assert_eq!(some["marks"], marks(30, 40, 4, 40));
    assert_eq!(some["charts"], 3 + 8 + 4 + 2);
    assert!(
        some["latency"].as_array().unwrap().iter().all(|text| text.as_str().unwrap().contains("10x5-zstd:3"))
    );
    assert_eq!(some["payback"].as_array().unwrap().len(), 18, "all but by-epoch");

    // By hand: a filter on, another on and off, a column twice, a point.
    let pressed = look(
        "press=mmap&press=epoch&press=epoch&press=p99&press=p99&press=10x5-none&workload=nonsense",
        1400,
    );
    assert_eq!(pressed["pressed"], serde_json::json!(["mmap"]));
    assert_eq!(field(&pressed, "backend"), ["mmap"; 80]);
    assert!(
        pressed["hash"]
            .as_str()
            .unwrap()
            .ends_with("&backend=mmap&workload=nonsense&sort=-p99&layout=10x5-none"),
        "{}",
        pressed["hash"]
    );
    assert_eq!(
        field(&pressed, "p50").last().unwrap(),
        &"not measured: <i>no</i> cache",
        "behind all that have a figure"
    );

    let several = look("workload=epoch&codec=zstd:3&backend=std&backend=mmap&cache=cold", 1400);
    assert_eq!(several["rows"].as_array().unwrap().len(), 2 * 5 * 2);
    let hostile = format!("dataset={}", HOSTILE.replace('&', "%26").replace('<', "%3C").replace('"', "%22"));
    assert_eq!(field(&look(&hostile, 1400), "dataset"), [HOSTILE; 80]);
}

#[test]
fn names_are_text_in_every_file() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = report(dir.path());
    let html = std::fs::read_to_string(&options.out).unwrap();
    let mut files = vec![html.clone()];
    for entry in std::fs::read_dir(options.svg.unwrap()).unwrap() {
        files.push(std::fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    assert_eq!(files.len(), 1 + 136, "each chart has a file");
    for text in &files {
        for wrong in ["<script>alert", "alert(1)</script", "<b>", "<i>", "NaN", "inf"] {
            assert!(!text.contains(wrong), "{wrong} in {text:.300}");
        }
    }
    for address in ["http:", "https:", "src=", "href=", "url(", "@import"] {
        assert!(!html.contains(address), "{address} in the page");
    }
    let summary = std::fs::read_to_string(options.markdown.unwrap()).unwrap();
    assert_eq!(summary.lines().filter(|line| line.starts_with("| ")).count(), 2 * (1 + 10));
    assert!(
        summary.contains("## \\<script\\>alert(1)\\</script\\>\\&\"'")
            && summary.contains("| by-epoch | 100 × 1 |")
    );
}

/// The file of a font without serifs, if there is a font.
fn font() -> Option<PathBuf> {
    let mut fonts = Database::new();
    fonts.load_system_fonts();
    let families = [Family::Name("DejaVu Sans"), Family::Name("Liberation Sans"), Family::SansSerif];
    let wanted = fonts.query(&Query { families: &families, ..Query::default() });
    let face = wanted.and_then(|id| fonts.face(id)).or_else(|| fonts.faces().next());
    let Some(face) = face else {
        assert!(std::env::var_os("CI").is_none(), "no font is installed");
        println!("no font, not tested");
        return None;
    };
    match &face.source {
        Source::File(path) | Source::SharedFile(path, _) => Some(path.clone()),
        Source::Binary(_) => unreachable!("fonts of the system are files"),
    }
}

/// Each SVG has a PNG of twice its size: on white, with dark letters where the title is, and with colours.
fn check_pngs(options: &Options) {
    let (svg, png) = (options.svg.as_ref().unwrap(), options.png.as_ref().unwrap());
    let mut charts = 0;
    for entry in std::fs::read_dir(svg).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let path = png.join(path.file_stem().unwrap()).with_extension("png");
        let pixels = Pixmap::decode_png(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.display();
        let attribute = |name: &str| -> u32 {
            let value = text.split_once(&format!(" {name}=\"")).unwrap().1;
            value.split_once('"').unwrap().0.parse().unwrap()
        };
        let size = (pixels.width(), pixels.height());
        assert_eq!(size, (2 * attribute("width"), 2 * attribute("height")), "{name}");

        let parts = |p: &resvg::tiny_skia::PremultipliedColorU8| [p.red(), p.green(), p.blue()];
        assert!(pixels.pixels().iter().all(|p| p.alpha() == 255), "{name}: paper shines through");
        assert_eq!(pixels.pixels().last().map(parts), Some([255; 3]), "{name}: white paper");
        let title = pixels.pixels().iter().take(36 * pixels.width() as usize);
        let dark = title.filter(|p| parts(p).iter().all(|part| *part < 0x60)).count();
        assert!(dark > 500, "{name}: {dark} dark pixels in the title");
        let coloured: HashSet<_> = pixels
            .pixels()
            .iter()
            .map(parts)
            .filter(|c| c.iter().max().unwrap() - c.iter().min().unwrap() > 40)
            .collect();
        assert!(coloured.len() > 4, "{name}: {} colours", coloured.len());
        charts += 1;
    }
    assert_eq!((charts, std::fs::read_dir(png).unwrap().count()), (136, 136));
}

#[test]
fn pngs_show_what_the_svgs_show() {
    if font().is_none() {
        return;
    }
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = Options { png: Some(dir.path().join("png")), ..report(dir.path()) };
    write(&options).unwrap();
    check_pngs(&options);
}

/// Runs the command with PNG files where no fonts are installed but those in `fonts`, and nothing says what is without serifs.
#[cfg(target_os = "linux")]
fn run_with(fonts: &Path, options: &Options) -> std::process::Output {
    let config = fonts.with_extension("conf");
    let text = format!("<?xml version=\"1.0\"?><fontconfig><dir>{}</dir></fontconfig>", fonts.display());
    std::fs::write(&config, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_zarrange-bench"))
        .env("FONTCONFIG_FILE", config)
        .arg("report")
        .args(&options.raw)
        .arg("--out")
        .arg(&options.out)
        .arg("--svg")
        .arg(options.svg.as_ref().unwrap())
        .arg("--png")
        .arg(options.png.as_ref().unwrap())
        .output()
        .unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn any_font_will_do_but_none_is_an_error() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let options = Options { png: Some(dir.path().join("png")), ..report(dir.path()) };
    std::fs::remove_file(&options.out).unwrap();
    std::fs::remove_dir_all(options.svg.as_ref().unwrap()).unwrap();
    let fonts = dir.path().join("fonts");
    std::fs::create_dir(&fonts).unwrap();

    let output = run_with(&fonts, &options);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(message.contains("none is installed") && message.contains("fonts-dejavu-core"), "{message}");
    assert!(options.out.is_file(), "the page was written before");
    assert_eq!(std::fs::read_dir(options.svg.as_ref().unwrap()).unwrap().count(), 136);
    assert!(!options.png.as_ref().unwrap().exists(), "nothing without text");

    let Some(font) = font() else { return };
    std::fs::copy(&font, fonts.join(font.file_name().unwrap())).unwrap();
    let output = run_with(&fonts, &options);
    assert!(output.status.success(), "{output:?}");
    check_pngs(&options);
}
