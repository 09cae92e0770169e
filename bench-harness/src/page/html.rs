//! The page, put together.

use std::collections::{BTreeMap, BTreeSet};

use crate::page::answers;
use crate::page::charts::Charts;
use crate::page::results::{Facet, Results};
use crate::page::svg::{Chart, STYLE};
use crate::page::table;
use crate::page::text::{bytes, escape, json, shape};
use crate::sweep::record::Outcome;

const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const POINTS: &str = include_str!("points.js");
const ANSWERS: &str = include_str!("answers.js");

/// What the figures mean and how they came about.
const METHOD: &str = include_str!("method.html");

/// The section that is open from the beginning.
const OPEN: &str = "trade";

/// The page. Nothing in it is loaded from elsewhere, and its policy lets nothing be.
pub(crate) fn page(results: &Results, charts: &Charts) -> String {
    let title = title(results);
    let names: serde_json::Map<String, serde_json::Value> =
        Facet::ALL.iter().map(|facet| (facet.name().to_owned(), results.names(*facet).into())).collect();
    let (names, answers) = (json(&names.into()), answers::data(results));
    let (header, body, narrow) = (header(results, &title), body(results, charts), table::narrow_style());
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}{PAGE_STYLE}{narrow}</style>\n</head>\n<body>\n{header}{body}\
         <script type=\"application/json\" id=\"names\">{names}</script>\n\
         <script type=\"application/json\" id=\"answers-data\">{answers}</script>\n\
         <script>\n{ANSWERS}</script>\n<script>\n{POINTS}{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

fn title(results: &Results) -> String {
    let names: BTreeSet<&str> = results.places.iter().map(|p| p.name.as_str()).collect();
    escape(&format!("Layouts of {}", names.into_iter().collect::<Vec<_>>().join(", ")))
}

/// Why cells could not be measured, each reason once.
fn reasons(results: &Results) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &results.entries {
        if let Outcome::Unmeasured(why) = &entry.record.outcome {
            *counts.entry(why).or_default() += 1;
        }
    }
    let line = |(why, count): (&&str, &usize)| format!("<li>{count}: {}</li>", escape(why));
    let lines: String = counts.iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("<p>Not measured:</p>\n<ul>{lines}</ul>\n") }
}

/// What was measured, where, by which program, and how.
fn header(results: &Results, title: &str) -> String {
    let cells = results.entries.len();
    let measured = results.entries.iter().filter(|e| e.measures().is_some()).count();
    let layouts: usize = results.places.iter().map(|p| p.layouts.len()).sum();
    let unmeasured = match cells - measured {
        0 => String::new(),
        n => format!(", {n} could not be"),
    };
    let list = |facet: Facet| escape(&results.names(facet).join(", "));
    let several = results.machines.len() > 1;
    let machines = results.machines.iter().enumerate().map(|(k, machine)| {
        let number = if several { format!("{}: ", k + 1) } else { String::new() };
        format!("<div>{number}{}</div>", escape(&machine.to_string()))
    });
    let datasets = results.places.iter().map(|place| {
        let of = &place.dataset;
        let all = of.shape.iter().product::<u64>().saturating_mul(of.item_bytes);
        format!("<div>{}: {}, {}</div>", escape(&place.name), shape(&of.shape), bytes(all))
    });
    let commits: Vec<String> = results.commits.iter().map(|c| escape(c)).collect();
    format!(
        "<header>\n<h1>{title}</h1>\n<p class=\"lead\">How much is read, and how long it takes, when {layouts} chunk layouts \
         are read by epoch, by object and otherwise: {measured} cells measured{unmeasured}.</p>\n{}<details>\n\
         <summary>What was measured, where and how</summary>\n<dl>\n\
         <dt>Data</dt><dd>{}</dd>\n<dt>Workloads</dt><dd>{}</dd>\n<dt>Readers</dt><dd>{}</dd>\n<dt>Backends</dt><dd>{}</dd>\n\
         <dt>Machine</dt><dd>{}</dd>\n<dt>Commit</dt><dd>{}</dd>\n</dl>\n{}{METHOD}</details></header>\n\
         <nav id=\"filters\" aria-label=\"Filters\"></nav>\n<main>\n",
        answers::PLACE,
        datasets.collect::<String>(),
        list(Facet::Workload),
        list(Facet::Reader),
        list(Facet::Backend),
        machines.collect::<String>(),
        commits.join(", "),
        reasons(results),
    )
}

fn body(results: &Results, charts: &Charts) -> String {
    let payback = table::paybacks(results).unwrap_or_else(|| {
        "<p class=\"none\">No cell of another layout has one of the layout by-epoch to compare with.</p>\n".to_owned()
    });
    let sections = [
        section(
            "trade",
            "An epoch against an object",
            "One point for each layout; filled points are on the Pareto front of their codec: no layout is better in one \
             without being worse in the other. A chunk of N = objects × epochs multiplies the two amplifications to N, \
             so a shape moves a layout along its dotted line, and only a smaller chunk leaves it. Times show what small chunks cost.",
            &first_of_each(&charts.trade),
        ),
        section(
            "heat",
            "Shapes of chunks",
            "Objects in a chunk against epochs in a chunk. Where layouts share a shape, the best is shown.",
            &panels(&charts.heat),
        ),
        section(
            "latency",
            "Latency",
            "One layout at a time. A point or a square above chooses it, too, by keyboard with arrows and Enter.",
            &format!("<p id=\"layouts\"></p>\n{}", panels(&charts.latency)),
        ),
        section(
            "cost",
            "What rechunking costs",
            "Time of rechunking, and after how many reads it has paid for itself compared with reading the layout by-epoch.",
            &payback,
        ),
        section(
            "predicted",
            "Predicted against measured",
            "Points on the diagonal are as predicted: by the formula for chunks that a region touches, and by the sizes of the stored chunks.",
            &panels(&charts.predicted),
        ),
        section(
            "all",
            "All cells",
            "Bytes, requests and chunks are those of one operation. Click a column to sort.",
            &table::cells(results),
        ),
    ];
    sections.concat() + "</main>\n"
}

fn section(id: &str, title: &str, caption: &str, content: &str) -> String {
    let none = "<p class=\"none\" hidden>Nothing here matches the filters.</p>\n";
    let text = format!("<p>{caption}</p>\n{content}{none}");
    // What is asked first is open.
    if id == OPEN {
        return format!("<section id=\"{id}\">\n<h2>{title}</h2>\n{text}</section>\n");
    }
    format!(
        "<section id=\"{id}\">\n<details><summary><h2>{title}</h2></summary>\n{text}</details></section>\n"
    )
}

/// The first chart of each dataset, then the others to be opened.
fn first_of_each(charts: &[Chart]) -> String {
    let mut seen = BTreeSet::new();
    let (first, others): (Vec<Chart>, Vec<Chart>) =
        charts.iter().cloned().partition(|chart| seen.insert(chart.tags.values(Facet::Dataset)));
    let count = others.len();
    format!(
        "{}<details><summary>{count} more: other readers, cold and warm, bytes</summary>\n{}</details>\n",
        panels(&first),
        panels(&others)
    )
}

fn panels(charts: &[Chart]) -> String {
    let figures: String = charts.iter().map(Chart::figure).collect();
    format!("<div class=\"panels\">\n{figures}</div>\n")
}
