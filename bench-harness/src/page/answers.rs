//! What the page answers first: the layouts that suit a mix of accesses, which the reader of the page sets. The script adds up; what it adds is here.

use serde_json::{Value, json};
use zarrange_rechunk::shell_word;

use crate::page::results::{Entry, Facet, Results};
use crate::page::text::json;
use crate::sweep::facts::LayoutFacts;

/// Where the script puts its answer.
pub(crate) const PLACE: &str = "<section id=\"answers\">\n<h2>For what you read</h2>\n<div id=\"mix\"></div>\n<div id=\"best\"></div>\n<svg id=\"plane\" hidden></svg>\n\
     <noscript><p>With scripts, this page says which layouts suit your mix of reads.</p></noscript>\n</section>\n";

/// Datasets, their layouts, and of each cell the mean time and bytes of an operation.
pub(crate) fn data(results: &Results) -> String {
    let places = results.places.iter().enumerate().map(|(number, place)| {
        let dataset = results.id(Facet::Dataset, &place.name);
        let layouts: Vec<Value> = place
            .layouts
            .iter()
            .enumerate()
            .map(|(number_of, layout)| {
                let mut measured =
                    results.of_place(number).filter(|e| e.layout == number_of).filter_map(Entry::measures);
                let stored = measured.next().map(|m| (m.layout_bytes, m.layout_objects));
                json!({
                    "name": layout.name, "chunk": layout.chunk, "shard": layout.shard, "codecs": layout.codecs,
                    "bytes": stored.map(|(bytes, _)| bytes), "files": stored.map(|(_, files)| files),
                    "command": command(layout),
                })
            })
            .collect();
        let cells: Vec<Value> = results.of_place(number).filter_map(cell).collect();
        json!({
            "dataset": dataset, "shape": place.dataset.shape, "axes": place.dataset.axes, "layouts": layouts,
            "cells": cells,
        })
    });
    json(&Value::Array(places.collect()))
}

/// Layout, workload, backend and cache by number, then milliseconds and bytes of an operation.
fn cell(entry: &Entry) -> Option<Value> {
    let m = entry.measures()?;
    #[expect(clippy::cast_precision_loss, reason = "means")]
    let [count, bytes] = [m.latency.count.max(1), m.backend_bytes].map(|n| n as f64);
    let ids = [Facet::Workload, Facet::Backend, Facet::Cache].map(|facet| entry.id(facet));
    Some(json!([entry.layout, ids[0], ids[1], ids[2], m.elapsed_s * 1e3 / count, bytes / count]))
}

/// What makes a layout.
fn command(layout: &LayoutFacts) -> String {
    let list = |shape: &[u64]| shape.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let shards = layout.shard.as_deref().map_or("none".to_owned(), list);
    let codecs = shell_word(&layout.codecs);
    format!("zarrange rechunk SRC DST --chunks {} --shards {shards} --codecs {codecs}", list(&layout.chunk))
}
