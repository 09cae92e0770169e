//! Layouts to compare: named ones and grids of shapes, from TOML.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use zarrange_rechunk::Codecs;

use crate::sweep::facts::{DatasetFacts, LayoutFacts};

/// The layouts of `--layouts NAME`; `standard` is the default, `quick` that of `--quick`.
const BUILT_IN: [(&str, &str); 3] = [
    ("standard", include_str!("../../layouts/standard.toml")),
    ("shapes", include_str!("../../layouts/shapes.toml")),
    ("quick", include_str!("../../layouts/quick.toml")),
];

/// A file of layouts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layouts {
    #[serde(default)]
    layout: Vec<One>,
    #[serde(default)]
    grid: Vec<Grid>,
}

/// Lengths by dimension: `object`, `epoch`, or the number of another; -1 is the whole dimension, as are those that are not named.
type Lengths = BTreeMap<String, i64>;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    name: String,
    chunk: Lengths,
    shard: Option<Lengths>,
    #[serde(default = "zstd")]
    codecs: String,
    order: Option<String>,
}

/// Every pair of an extent along objects and one along epochs, with every codec and every order.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grid {
    objects: Vec<i64>,
    epochs: Vec<i64>,
    shard: Option<Lengths>,
    #[serde(default = "only_zstd")]
    codecs: Vec<String>,
    /// Dimensions that vary slowest inside the chunks; the array's first if there are none.
    #[serde(default)]
    orders: Vec<String>,
    /// Chunks of fewer decoded bytes are left out, and those of more.
    #[serde(default)]
    chunk_bytes_min: u64,
    chunk_bytes_max: Option<u64>,
}

fn zstd() -> String {
    "zstd:3".to_owned()
}

fn only_zstd() -> Vec<String> {
    vec![zstd()]
}

/// The layouts of a built-in list or a file, for `dataset`.
///
/// # Errors
/// If there is no such list or file, or a layout does not fit the dataset.
pub fn layouts(name: &str, dataset: &DatasetFacts) -> anyhow::Result<Vec<LayoutFacts>> {
    let read;
    let text = if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        text
    } else {
        let known = BUILT_IN.map(|(known, _)| known).join(", ");
        read = std::fs::read_to_string(Path::new(name)).with_context(|| {
            format!("layouts {name:?}: neither one of {known} nor a file that can be read")
        })?;
        read.as_str()
    };
    parse(text, dataset).with_context(|| format!("layouts {name:?}"))
}

fn parse(text: &str, dataset: &DatasetFacts) -> anyhow::Result<Vec<LayoutFacts>> {
    let Layouts { layout, grid } = toml::from_str(text)?;
    let mut out = Vec::new();
    for One { name, chunk, shard, codecs, order } in layout {
        let codecs = ordered(dataset, order.as_deref(), &codecs)?;
        out.push(resolve(dataset, name, &chunk, shard.as_ref(), &codecs)?);
    }
    for Grid { objects, epochs, shard, codecs, orders, chunk_bytes_min, chunk_bytes_max } in grid {
        let orders = if orders.is_empty() { vec![None] } else { orders.iter().map(Some).collect() };
        let codecs = codecs
            .iter()
            .flat_map(|codecs| orders.iter().map(move |order| (order, codecs)))
            .map(|(order, codecs)| ordered(dataset, order.map(String::as_str), codecs))
            .collect::<anyhow::Result<Vec<_>>>()?;
        for (a, b, codecs) in objects
            .iter()
            .flat_map(|a| epochs.iter().map(move |b| (*a, *b)))
            .flat_map(|(a, b)| codecs.iter().map(move |codecs| (a, b, codecs)))
        {
            let chunk = BTreeMap::from([("object".to_owned(), a), ("epoch".to_owned(), b)]);
            let layout = resolve(dataset, String::new(), &chunk, shard.as_ref(), codecs)?;
            let bytes = layout.chunk.iter().product::<u64>() * dataset.item_bytes;
            if (chunk_bytes_min..=chunk_bytes_max.unwrap_or(u64::MAX)).contains(&bytes) {
                out.push(layout);
            }
        }
    }
    // Extents beyond a small array's are those of the array: the same layout again.
    let mut seen = BTreeSet::new();
    out.retain(|layout| seen.insert(layout.name.clone()));
    ensure!(!out.is_empty(), "there is no layout");
    Ok(out)
}

/// The codecs with the dimension `slowest` before the others inside a chunk.
fn ordered(dataset: &DatasetFacts, slowest: Option<&str>, codecs: &str) -> anyhow::Result<String> {
    let slowest = slowest.map_or(Ok(0), |name| axis(dataset, name))?;
    if slowest == 0 {
        return Ok(codecs.to_owned());
    }
    let others = (0..dataset.shape.len()).filter(|d| *d != slowest);
    let order: Vec<String> = std::iter::once(slowest).chain(others).map(|d| d.to_string()).collect();
    Ok(format!("transpose:{}+{codecs}", order.join(",")))
}

/// A layout with its lengths within the dataset; without a name, one that tells its shape.
fn resolve(
    dataset: &DatasetFacts,
    name: String,
    chunk: &Lengths,
    shard: Option<&Lengths>,
    codecs: &str,
) -> anyhow::Result<LayoutFacts> {
    codecs.parse::<Codecs>()?;
    let chunk = shape(dataset, chunk)?;
    let shard = match shard {
        None => None,
        Some(lengths) => {
            let wanted = shape(dataset, lengths)?;
            // The multiple of the chunk that is nearest from above.
            Some(wanted.iter().zip(&chunk).map(|(s, c)| s.div_ceil(*c) * c).collect::<Vec<u64>>())
        }
    };
    let (objects, epochs) = dataset.axes;
    let name = if name.is_empty() {
        let shards = shard.as_ref().map_or(String::new(), |s| format!("-s{}x{}", s[objects], s[epochs]));
        let codecs = codecs.replace(':', "").replace([',', '+'], "-");
        format!("{}x{}{shards}-{codecs}", chunk[objects], chunk[epochs])
    } else {
        name
    };
    Ok(LayoutFacts { name, chunk, shard, codecs: codecs.to_owned() })
}

fn shape(dataset: &DatasetFacts, lengths: &Lengths) -> anyhow::Result<Vec<u64>> {
    let mut out = dataset.shape.clone();
    for (dimension, length) in lengths {
        let axis = axis(dataset, dimension)?;
        out[axis] = match u64::try_from(*length) {
            Ok(length) if length > 0 => length.min(dataset.shape[axis]),
            _ if *length == -1 => dataset.shape[axis],
            _ => anyhow::bail!("a length is {length}, but must be positive, or -1 for the whole dimension"),
        };
    }
    Ok(out)
}

fn axis(dataset: &DatasetFacts, name: &str) -> anyhow::Result<usize> {
    let dimensions = dataset.dimensions();
    let known = || format!("dimension {name:?} is none of {}", dimensions.words().join(", "));
    dimensions.axis(name).with_context(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> DatasetFacts {
        DatasetFacts { name: "d".to_owned(), shape: vec![1000, 50, 2], item_bytes: 4, axes: (0, 1) }
    }

    #[test]
    fn built_in_layouts_fit_any_survey() {
        for (name, _) in BUILT_IN {
            let found = layouts(name, &dataset()).unwrap();
            assert!(found.len() > 2, "{name}: {found:?}");
            for layout in found {
                assert!(layout.chunk.iter().zip(&dataset().shape).all(|(c, n)| c <= n));
                assert!(layout.shard.iter().flatten().zip(&layout.chunk).all(|(s, c)| s % c == 0));
            }
        }
    }

    #[test]
    fn grids_have_every_pair_within_their_limits() {
        let text = "[[grid]]\nobjects = [1, 16, -1]\nepochs = [1, 100]\nshard = { object = 100 }\nchunk_bytes_min = 100\n";
        let names: Vec<String> = parse(text, &dataset()).unwrap().into_iter().map(|l| l.name).collect();
        assert_eq!(
            names,
            [
                "1x50-s100x50-zstd3",
                "16x1-s112x50-zstd3",
                "16x50-s112x50-zstd3",
                "1000x1-s1000x50-zstd3",
                "1000x50-s1000x50-zstd3"
            ]
        );
    }

    #[test]
    fn chunks_are_stored_in_every_order() {
        let text = "[[grid]]\nobjects = [4]\nepochs = [2]\ncodecs = ['none', 'zstd']\norders = ['object', 'epoch']\n";
        let found = parse(text, &dataset()).unwrap();
        let codecs: Vec<&str> = found.iter().map(|l| l.codecs.as_str()).collect();
        assert_eq!(codecs, ["none", "transpose:1,0,2+none", "zstd", "transpose:1,0,2+zstd"]);
        assert_eq!(found[3].name, "4x2-transpose1-0-2-zstd");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, part: &str| {
            let error = format!("{:#}", parse(text, &dataset()).unwrap_err());
            assert!(error.contains(part), "{error}");
        };
        check("[[layout]]\nname = 'a'\nchunk = { objekt = 1 }", "objekt");
        check("[[layout]]\nname = 'a'\nchunk = { object = 0 }", "length is 0");
        check("[[layout]]\nname = 'a'\nchunk = { object = 1 }\ncodecs = 'zip'", "zip");
        check("[[layout]]\nname = 'a'\nchunk = { object = 1 }\norder = 'objekt'", "objekt");
        check("", "no layout");
        let error = format!("{:#}", layouts("nope", &dataset()).unwrap_err());
        assert!(error.contains("standard, shapes, quick"), "{error}");
    }
}
