//! `zarrange info`.

use std::cell::RefCell;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::ser::{Error as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use zarrange_array::{
    Array, ArrayError, Contents, Counted, Found, Json, Node, Stored, Survey, Without, survey,
};
use zarrange_io::Store;
use zarrange_plan::bytes_text;

use crate::args::InfoArgs;
use crate::backend::opener;
use crate::out::{self, one_line, say};
use crate::table;

/// What `--json` prints for an array or group.
#[derive(Debug, Serialize)]
struct NodeInfo {
    path: String,
    node_type: &'static str,
    zarr_format: u8,
    #[serde(flatten)]
    array: Option<ArrayInfo>,
}

#[derive(Debug, Serialize)]
struct ArrayInfo {
    shape: Vec<u64>,
    data_type: String,
    fill_value: Json,
    dimension_names: Option<Vec<Option<String>>>,
    /// Chunk shape; that of inner chunks, where there are shards.
    chunks: Vec<u64>,
    shards: Option<Vec<u64>>,
    /// In a rectilinear grid, for each dimension: elements of an object, and how many such objects follow each other. `chunks` and
    /// `shards` are then those of the largest.
    lengths: Option<Vec<Vec<(u64, u64)>>>,
    codecs: Vec<String>,
    /// Objects (chunks or shards) of the grid, and those not stored.
    objects: u64,
    missing: u64,
    stored_bytes: u64,
    /// Why the elements cannot be read, where they cannot.
    opaque: Option<String>,
}

pub(crate) fn run(args: &InfoArgs) -> anyhow::Result<ExitCode> {
    let store = opener(args.io)?.open(&args.location)?;
    let found = survey(&store, Without::NOTHING)?;
    if args.json {
        print_json(&store, &found)?;
    } else {
        print(&store, &found)?;
    }
    Ok(if found.failed.count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What there is to tell of a node; its documents may be large, and are let go again.
fn node_info(root: &Store, found: &Found) -> Result<NodeInfo, ArrayError> {
    let (node_type, zarr_format, array) = match found.open(root)? {
        Node::Group(group) => ("group", group.zarr_format(), None),
        Node::Array(array) => ("array", array.zarr_format(), Some(array_info(&array)?)),
    };
    Ok(NodeInfo { path: found.path().to_owned(), node_type, zarr_format, array })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Info<'a> {
    nodes: Nodes<'a>,
    unreadable: Vec<Value>,
    /// Those that cannot be read and are not named.
    #[serde(skip_serializing_if = "is_zero")]
    unreadable_more: u64,
    not_zarr: Value,
    unread_metadata: Value,
    neither_file_nor_directory: Value,
    backend: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The nodes, one after the other.
struct Nodes<'a> {
    root: &'a Store,
    found: &'a [Found],
    fault: &'a RefCell<Option<ArrayError>>,
}

impl Serialize for Nodes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.found.len()))?;
        for found in self.found {
            let info = node_info(self.root, found).map_err(|error| {
                *self.fault.borrow_mut() = Some(error);
                S::Error::custom("a node cannot be read")
            })?;
            list.serialize_element(&info)?;
        }
        list.end()
    }
}

fn print_json(root: &Store, found: &Survey) -> Result<(), ArrayError> {
    let mut outcome = Ok(());
    out::stream(|out| {
        outcome = write_json(root, found, out)?;
        Ok(())
    });
    outcome
}

/// What `zarrange info --json` prints of a store.
///
/// # Errors
/// If something in it cannot be read.
pub fn info_json(root: &Store) -> Result<Vec<u8>, ArrayError> {
    let mut text = Vec::new();
    // Writing to memory does not fail.
    write_json(root, &survey(root, Without::NOTHING)?, &mut text).unwrap_or(Ok(()))?;
    Ok(text)
}

fn write_json(
    root: &Store,
    Survey { nodes, failed, beside }: &Survey,
    out: &mut dyn Write,
) -> io::Result<Result<(), ArrayError>> {
    let fault = RefCell::new(None);
    let unreadable =
        failed.first.iter().map(|(path, error)| json!({"path": path, "error": error.to_string()}));
    let counted = |Counted { count, examples }: &Counted| json!({"files": count, "examples": examples});
    let info = Info {
        nodes: Nodes { root, found: nodes, fault: &fault },
        unreadable: unreadable.collect(),
        unreadable_more: failed.count - failed.first.len() as u64,
        not_zarr: counted(&beside.files),
        unread_metadata: counted(&beside.metadata),
        neither_file_nor_directory: counted(&beside.special),
        backend: root.backend(),
    };
    let written = serde_json::to_writer(&mut *out, &info);
    writeln!(out)?;
    match (fault.take(), written) {
        (Some(fault), _) => Ok(Err(fault)),
        (None, written) => Ok(Ok(written?)),
    }
}

fn print(root: &Store, Survey { nodes, failed, beside }: &Survey) -> Result<(), ArrayError> {
    /// Rows of a table: it is held as a whole, to know how wide its columns are.
    const ROWS: usize = 1000;
    for part in nodes.chunks(ROWS) {
        let infos: Result<Vec<_>, _> = part.iter().map(|found| node_info(root, found)).collect();
        print_nodes(&infos?);
    }
    for (path, error) in &failed.first {
        say!("unreadable: {}", one_line(&format!("{path}: {error}")));
    }
    if failed.count > failed.first.len() as u64 {
        say!("unreadable: {} more", failed.count - failed.first.len() as u64);
    }
    let kinds = [
        ("not Zarr", &beside.files),
        ("metadata that no group or array is read from", &beside.metadata),
        ("neither a file nor a directory, or not to be looked at", &beside.special),
    ];
    for (what, Counted { count, examples }) in kinds.into_iter().filter(|(_, found)| found.count > 0) {
        let more = if *count > examples.len() as u64 { ", ..." } else { "" };
        say!("{what}: {count}, e.g. {}{more}", one_line(&examples.join(", ")));
    }
    Ok(())
}

fn array_info(array: &Array) -> Result<ArrayInfo, ArrayError> {
    let (mut stored, mut stored_bytes) = (0, 0);
    array.scan(true, &mut |found| {
        if let Stored::Chunk(_, bytes) = found {
            stored += 1;
            stored_bytes += bytes;
        }
        true
    })?;
    let objects = array.objects().count();
    let document = array.document();
    let (chunks, shards, codecs, opaque) = match array.contents() {
        Contents::Elements(elements) => {
            let layout = &elements.layout;
            let codecs = layout.codecs.iter().map(|c| c.name().to_owned()).collect();
            (layout.chunk.clone(), layout.shard.clone(), codecs, None)
        }
        Contents::Variable(elements) => {
            let layout = &elements.layout;
            let codecs = layout.codecs.iter().map(|c| c.name().to_owned()).collect();
            (layout.chunk.clone(), layout.shard.clone(), codecs, None)
        }
        Contents::Unknown(reason) => {
            let names = document.get("codecs").as_array().into_iter().flatten();
            let codecs = names.filter_map(|c| c.get("name")?.as_str().map(str::to_owned)).collect();
            (array.objects().chunk_shape().to_vec(), None, codecs, Some(reason.clone()))
        }
    };
    Ok(ArrayInfo {
        shape: array.shape().to_vec(),
        data_type: document
            .get("data_type")
            .as_str()
            .map_or_else(|| document.get("data_type").to_string(), str::to_owned),
        fill_value: document.get("fill_value").clone(),
        dimension_names: document.dimension_names(),
        chunks,
        shards,
        lengths: array.objects().edges().map(|edges| edges.iter().map(|e| e.runs().collect()).collect()),
        codecs,
        objects,
        missing: objects.saturating_sub(stored),
        stored_bytes,
        opaque,
    })
}

fn print_nodes(nodes: &[NodeInfo]) {
    let mut out = table::new(&[
        "path", "shape", "type", "fill", "chunks", "shards", "codecs", "objects", "missing", "stored",
    ]);
    for node in nodes {
        let path = if node.path.is_empty() { "/".to_owned() } else { one_line(&node.path).into_owned() };
        let Some(array) = &node.array else {
            out.add_row([path, format!("group, Zarr v{}", node.zarr_format)]);
            continue;
        };
        out.add_row([
            path,
            one_line(&shape(&array.shape, array.dimension_names.as_deref())).into_owned(),
            one_line(&array.data_type).into_owned(),
            one_line(&array.fill_value.to_string()).into_owned(),
            if array.shards.is_none() {
                objects(&array.chunks, array)
            } else {
                format!("{:?}", array.chunks)
            },
            array.shards.as_ref().map_or_else(|| "-".to_owned(), |shards| objects(shards, array)),
            one_line(&array.codecs.join(" ")).into_owned(),
            table::count(array.objects),
            table::count(array.missing),
            bytes_text(array.stored_bytes),
        ]);
    }
    say!("{out}");
}

/// The shape of objects, where they differ the lengths of the first few in each dimension.
fn objects(largest: &[u64], array: &ArrayInfo) -> String {
    const SHOWN: usize = 4;
    let Some(lengths) = &array.lengths else { return format!("{largest:?}") };
    let axis = |(runs, largest): (&Vec<(u64, u64)>, &u64)| {
        if runs.len() <= 1 {
            return largest.to_string();
        }
        let mut each = runs.iter().flat_map(|(length, count)| (0..*count).map(move |_| length.to_string()));
        let first: Vec<String> = each.by_ref().take(SHOWN).collect();
        first.join("+") + if each.next().is_some() { "+..." } else { "" }
    };
    format!("[{}]", lengths.iter().zip(largest).map(axis).collect::<Vec<_>>().join(", "))
}

/// `object=100 epoch=5`, or plain numbers where dimensions have no names.
fn shape(shape: &[u64], names: Option<&[Option<String>]>) -> String {
    let name = |d: usize| names.and_then(|n| n.get(d)?.as_deref());
    let dims = shape.iter().enumerate().map(|(d, n)| match name(d) {
        Some(name) => format!("{name}={n}"),
        None => n.to_string(),
    });
    let dims: Vec<String> = dims.collect();
    format!("[{}]", dims.join(", "))
}
