//! A summary as Markdown: a table for each dataset, a line for each layout.

use crate::page::results::{Entry, Place, Results};
use crate::page::table::best;
use crate::page::text::{bytes, figure, float, markdown, microseconds, shape};
use crate::sweep::record::{CacheState, Measures};

const WORKLOADS: [&str; 2] = ["epoch", "object"];

/// The summary. A figure that was not measured is a dash.
pub(crate) fn summary(results: &Results) -> String {
    let tables = (0..results.places.len()).map(|place| table(results, place));
    tables.collect::<Vec<_>>().join("\n")
}

fn table(results: &Results, number: usize) -> String {
    let place = &results.places[number];
    let Place { name, dataset, machine, layouts } = place;
    let lines: String = (0..layouts.len()).map(|layout| line(results, number, layout)).collect();
    format!(
        "## {}\n\n{} elements of {} bytes. {}. Times are medians of the backend that was fastest.\n\n\
         | layout | chunk | shard | codecs | epoch: ra\\_geometry | ra\\_store | warm | cold \
         | object: ra\\_geometry | ra\\_store | warm | cold | stored | objects |\n\
         |---|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n{lines}",
        markdown(name),
        shape(&dataset.shape),
        dataset.item_bytes,
        markdown(&results.machines[*machine].to_string()),
    )
}

fn line(results: &Results, place: usize, layout: usize) -> String {
    let facts = &results.places[place].layouts[layout];
    let mut fields = vec![
        markdown(&facts.name),
        shape(&facts.chunk),
        facts.shard.as_deref().map_or_else(|| "none".to_owned(), shape),
        markdown(&facts.codecs),
    ];
    let dash = || "-".to_owned();
    let of_layout = |e: &&Entry| e.layout == layout && e.measures().is_some();
    for workload in WORKLOADS {
        let any: Option<&Measures> = results
            .of_place(place)
            .filter(of_layout)
            .find(|e| e.record.cell.workload.name == workload)
            .and_then(Entry::measures);
        fields.push(any.map_or_else(dash, |m| figure(m.ra_geometry)));
        fields.push(any.map_or_else(dash, |m| figure(m.ra_store)));
        for cache in [CacheState::Warm, CacheState::Cold] {
            let best = best(results, place, layout, workload, cache);
            fields.push(best.map_or_else(dash, |(time, backend)| {
                format!("{} {}", microseconds(time), markdown(backend))
            }));
        }
    }
    let any = results.of_place(place).filter(of_layout).find_map(Entry::measures);
    fields.push(any.map_or_else(dash, |m| bytes(m.layout_bytes)));
    fields.push(any.map_or_else(dash, |m| figure(float(m.layout_objects))));
    format!("| {} |\n", fields.join(" | "))
}
