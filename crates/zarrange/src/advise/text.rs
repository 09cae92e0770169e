//! Advice for people.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use zarrange_plan::{bytes_text, seconds_text};
use zarrange_rechunk::{Weighed, WeighedRead, shell_path, shell_word};

use super::advice::{Advice, CodecChoice, Copies, Payback};
use super::ask::Ask;

/// Copies that make accesses less than this much faster are not worth their bytes.
const WORTH: f64 = 1.2;
/// Layouts whose costs differ by less than this factor cost the same: of them the roundest is the first.
const EVEN: f64 = 1.02;

/// Everything, in tables and sentences.
pub fn text(advice: &Advice) -> String {
    let mut parts = vec![head(advice), codecs(advice), layouts(advice)];
    parts.extend(advice.why.clone());
    parts.extend(advice.per_day.map(|times| per_day(&advice.layouts[0], times)));
    parts.extend(advice.payback.as_ref().map(|found| payback(found, advice.per_day)));
    parts.extend(advice.copies.as_ref().map(copies));
    if !advice.measured.is_empty() {
        parts.push(measured(advice));
    }
    parts.push(advice.command.clone());
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// The command that makes `layout`.
pub fn command(ask: &Ask, layout: &Weighed) -> String {
    let source = ask.sample.as_ref().map_or("SRC", |(name, _)| name);
    let source = shell_path(Path::new(source));
    let shards = layout.design.shard.as_ref().map_or("none".to_owned(), |shard| list(shard));
    format!(
        "zarrange rechunk {source} DST --chunks {} --shards {shards} --codecs {}",
        list(&layout.design.chunk),
        shell_word(&layout.codecs)
    )
}

/// Why `first` is better than `second`: what it saves most, on average over the mix.
pub fn why(first: &Weighed, second: &Weighed) -> String {
    let mean = |layout: &Weighed, of: &dyn Fn(&WeighedRead) -> f64| {
        layout.accesses.iter().map(|a| a.share * of(a)).sum::<f64>()
    };
    let requests = |layout: &Weighed| mean(layout, &|a| a.cost.requests);
    let bytes = |layout: &Weighed| size(mean(layout, &|a| a.cost.bytes));
    let saved = |of: &dyn Fn(&WeighedRead) -> f64| (mean(second, of) - mean(first, of)) / 1e6;
    let waits = (
        saved(&|a| a.cost.wait_ns),
        format!("waiting, with {:.1} requests instead of {:.1}", requests(first), requests(second)),
    );
    let passes = (
        saved(&|a| a.cost.transfer_ns),
        format!("moving bytes, {} instead of {}", bytes(first), bytes(second)),
    );
    let codecs = if first.codecs == second.codecs {
        String::new()
    } else {
        format!(", by {} instead of {}", first.codecs, second.codecs)
    };
    let decodes =
        (saved(&|a| a.cost.decode_ns + a.cost.reader_ns), format!("handling and decoding chunks{codecs}"));
    let mut terms = [waits, passes, decodes];
    terms.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let [(most, reason), .., (least, _)] = &terms;
    if second.weighted_ms < first.weighted_ms * EVEN {
        return "The first two cost the same within 2 %; the first has the rounder lengths.".to_owned();
    }
    let against =
        if *least < 0.0 { format!(", though it loses {} elsewhere", ms(-least)) } else { String::new() };
    format!(
        "The first beats the second by {}: an access spends {} less on {reason}{against}.",
        percent(second.weighted_ms / first.weighted_ms),
        ms(*most)
    )
}

fn head(advice: &Advice) -> String {
    let shape: Vec<String> =
        advice.names.iter().zip(&advice.subject.shape).map(|(name, n)| format!("{name} {n}")).collect();
    let bytes = bytes_text(advice.subject.bytes(&advice.subject.shape));
    let part = |(read, share): &(String, f64)| format!("{} % {}", number(share * 100.0), one(read));
    let mix: Vec<String> = advice.mix.iter().map(part).collect();
    let (shape, mix) = (shape.join(" x "), mix.join(", "));
    format!("{shape} ({bytes}); {mix}; on {}, for a reader of {}", advice.profile, advice.reader.reads())
}

/// One row a codec, and which one is taken.
fn codecs(advice: &Advice) -> String {
    let mut said = advice.codecs_left_out.clone();
    match (&advice.sample, advice.codecs.is_empty()) {
        (None, _) => said
            .push("Without --sample nothing is known of how well codecs compress: ratios are 1.".to_owned()),
        (Some(_), true) => {
            let why = advice.codec_why.as_deref().unwrap_or_default();
            said.push(format!("Note: {why}. Ratios are 1, and {} is taken.", advice.layouts[0].codecs));
        }
        (Some(sample), false) => {
            let mut table =
                table(&["codecs", "stored", "ratio", "decode", "encode", "mean", "noise", "needs"]);
            for CodecChoice { name, stored_bytes, speed, noise, weighted_ms, needs, chosen } in &advice.codecs
            {
                table.add_row([
                    format!("{name}{}", if *chosen { " *" } else { "" }),
                    size(*stored_bytes),
                    format!("{:.2}", speed.ratio),
                    rate(speed.decode_ns_per_byte),
                    rate(speed.encode_ns_per_byte),
                    ms(*weighted_ms),
                    format!("{:.0} %", 100.0 * noise),
                    needs.unwrap_or_default().to_owned(),
                ]);
            }
            said.push(format!(
                "Codecs, measured on {sample}, each in the chunks that suit it best:\n{table}"
            ));
            said.extend(advice.codec_why.clone());
        }
    }
    said.join("\n")
}

/// How much passes in a second.
fn rate(ns_per_byte: f64) -> String {
    format!("{}/s", size(1e9 / ns_per_byte))
}

/// The layouts, the best first, and what each kind of access takes in the best: two tables that 80 columns hold.
fn layouts(advice: &Advice) -> String {
    let mut head = vec!["chunks", "shards", "codecs", "files", "stored", "mean"];
    head.extend(advice.byte_price.map(|_| "a month"));
    let mut all = table(&head);
    for layout in &advice.layouts {
        let Weighed { design, codecs, files, stored_bytes, weighted_ms, .. } = layout;
        let mut row = vec![
            list(&design.chunk),
            shard(design.shard.as_deref()),
            codecs.clone(),
            files.to_string(),
            size(*stored_bytes),
            ms(*weighted_ms),
        ];
        row.extend(advice.byte_price.map(|price| format!("{:.2}", price * stored_bytes)));
        all.add_row(row);
    }
    let mut reads = table(&["in the first", "share", "requests", "bytes", "time", "amplified"]);
    for WeighedRead { name, share, ms: time, amplification, cost, .. } in &advice.layouts[0].accesses {
        reads.add_row([
            one(name),
            format!("{} %", number(share * 100.0)),
            number(cost.requests),
            size(cost.bytes),
            ms(*time),
            format!("{} times", number(*amplification)),
        ]);
    }
    format!("{all}\n\n{reads}\n{}", memory(&advice.layouts[0]))
}

/// What the dearest access takes of the reader's memory.
fn memory(layout: &Weighed) -> String {
    let most = layout.accesses.iter().max_by(|a, b| a.memory_bytes.total_cmp(&b.memory_bytes));
    most.map_or_else(String::new, |access| {
        format!(
            "For one access the reader holds about {} ({}).",
            size(access.memory_bytes),
            one(&access.name)
        )
    })
}

/// What a day takes.
fn per_day(layout: &Weighed, times: f64) -> String {
    let each = |access: &WeighedRead| {
        let seconds = seconds_text(access.share * times * access.ms / 1e3);
        format!("{} {seconds}", one(&access.name))
    };
    let all = seconds_text(times * layout.weighted_ms / 1e3);
    format!(
        "A day of these accesses takes {all}: {}.",
        layout.accesses.iter().map(each).collect::<Vec<_>>().join(", ")
    )
}

/// What rechunking costs and saves.
fn payback(payback: &Payback, per_day: Option<f64>) -> String {
    let Payback { now_ms, rechunk_s, accesses } = payback;
    let (now, takes) = (ms(*now_ms), seconds_text(*rechunk_s));
    let Some(accesses) = accesses else {
        return format!("As it is stored now, an access takes {now}: rechunking saves nothing.");
    };
    let days = per_day.map_or(String::new(), |times| format!(" ({} days)", number(accesses / times)));
    let plural = if *accesses > 1.0 { "es" } else { "" };
    format!(
        "As it is stored now, an access takes {now}. Rechunking takes about {takes}, which is saved after {} access{plural}{days}.",
        number(*accesses)
    )
}

fn copies(copies: &Copies) -> String {
    let Copies { layouts, weighted_ms, single_ms, extra_bytes } = copies;
    let each = |layout: &Weighed| {
        let Weighed { design, codecs, accesses, .. } = layout;
        let shards =
            design.shard.as_ref().map_or(String::new(), |shard| format!(" in shards of {}", list(shard)));
        format!("chunks of {}{shards} ({codecs}) for {}", list(&design.chunk), one(&accesses[0].name))
    };
    let each = layouts.iter().map(each).collect::<Vec<_>>().join(" and ");
    let more = if *extra_bytes < 0.0 {
        format!("{} less", size(-extra_bytes))
    } else {
        format!("{} more", size(*extra_bytes))
    };
    let verdict = if single_ms / weighted_ms >= WORTH { "beat" } else { "hardly beat" };
    format!(
        "{} copies, {each}, {verdict} one compromise: an access takes {} instead of {} ({:.1} times less), and {more} is stored.",
        layouts.len(),
        ms(*weighted_ms),
        ms(*single_ms),
        single_ms / weighted_ms
    )
}

fn measured(advice: &Advice) -> String {
    let mut table =
        table(&["chunk", "shard", "codecs", "predicted ms", "on the whole array", "measured ms", "stored"]);
    for found in &advice.measured {
        table.add_row([
            list(&found.chunk),
            shard(found.shard.as_deref()),
            found.layout.codecs.clone(),
            number(found.predicted_ms),
            number(found.layout.weighted_ms),
            number(found.measured_ms),
            bytes_text(found.stored_bytes),
        ]);
    }
    let what = advice.sample.as_ref().map_or("a survey", |_| "the sample");
    format!("Made of {what} and read from memory, the fastest first:\n{table}")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header(header.to_vec());
    for (k, _) in
        header.iter().enumerate().filter(|(_, name)| !["codecs", "in the first", "needs"].contains(name))
    {
        if let Some(column) = table.column_mut(k) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// An access, for a sentence: `one object`, or as it is written.
fn one(read: &str) -> String {
    if let Some(written) = read.strip_prefix("write:") {
        format!("writing {}", one(written))
    } else if read.contains([':', '~', '+']) {
        read.to_owned()
    } else {
        format!("one {read}")
    }
}

fn list(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

fn shard(shape: Option<&[u64]>) -> String {
    shape.map_or("none".to_owned(), list)
}

/// Three significant digits; a whole number as it is.
fn number(x: f64) -> String {
    let decimals = match x.abs() {
        _ if x.fract() == 0.0 => 0,
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{x:.decimals$}")
}

fn ms(x: f64) -> String {
    if x < 1e3 { format!("{} ms", number(x)) } else { seconds_text(x / 1e3) }
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", (ratio - 1.0) * 100.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for display; not negative")]
fn size(bytes: f64) -> String {
    bytes_text(bytes.round() as u64)
}
