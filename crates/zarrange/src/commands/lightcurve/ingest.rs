//! `zarrange lightcurve ingest`.

use std::process::ExitCode;

use serde_json::json;
use zarrange_array::Layout;
use zarrange_codec::CodecMetadata;
use zarrange_lightcurve::{IngestOptions, Ingested, LightCurves, ingest};
use zarrange_rechunk::{Codecs, Dimensions, Named, SpecError};

use crate::args::lightcurve::IngestArgs;
use crate::backend::opener;
use crate::out::{notes, report, tell};
use crate::{memory, signals, table};

/// The arrays that a SPEC can be given for.
const ARRAYS: [&str; 4] = ["time", "band", "mag", "magerr"];

pub(crate) fn run(args: &IngestArgs) -> anyhow::Result<ExitCode> {
    let max_mem = memory::given(args.max_mem.map_or_else(memory::default_max, u64::from), 1)?;
    let io = opener(args.io)?;
    let curves = LightCurves::read_table(&args.table, &args.columns, max_mem)?;
    let shape = [curves.objects.len() as u64, curves.longest() as u64];
    let options = IngestOptions {
        chunks: chunks(args, &shape)?,
        codecs,
        memory_bytes_max: max_mem,
        overwrite: args.overwrite,
        io: io.clone(),
    };
    signals::writing();
    let Ingested { objects, sequence, measurements, warnings } = ingest(&curves, &args.out, &options)?;
    signals::published();
    notes(&warnings);
    if args.json {
        report!(
            "{}",
            json!({
                "objects": objects, "sequence": sequence, "measurements": measurements, "bands": curves.bands,
                "backend": io.open(&args.out)?.backend(),
            })
        );
    } else {
        tell!(
            "{}: {} measurements of {} objects in bands {}, at most {} for one object",
            args.out,
            table::count(measurements),
            table::count(objects),
            curves.bands.join(", "),
            table::count(sequence)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Chunk shapes by array name.
fn chunks(args: &IngestArgs, shape: &[u64; 2]) -> Result<Vec<(String, Vec<u64>)>, SpecError> {
    let dimensions = Dimensions::named(["object", "sequence"].map(|name| Some(name.to_owned())).into(), 2);
    for (k, Named { array, .. }) in args.chunks.iter().enumerate() {
        if args.chunks[..k].iter().any(|other| other.array == *array) {
            return Err(SpecError::Conflict { array: array.clone().unwrap_or_default(), what: "chunks" });
        }
    }
    let mut out: Vec<(String, Vec<u64>)> = Vec::new();
    // A SPEC for one array goes before one for all.
    let for_one = args.chunks.iter().filter(|n| n.array.is_some());
    for given in for_one.chain(args.chunks.iter().filter(|n| n.array.is_none())) {
        let arrays: Vec<&str> = match &given.array {
            None => ARRAYS.to_vec(),
            Some(name) if ARRAYS.contains(&name.as_str()) => vec![name],
            Some(name) => {
                let arrays = ARRAYS.map(str::to_owned).to_vec();
                return Err(SpecError::UnknownArray { name: name.clone(), arrays });
            }
        };
        for array in arrays {
            let chunk = given.spec.resolve(array, shape, &dimensions, &[shape[0], 1])?;
            if !out.iter().any(|(name, _)| name == array) {
                out.push((array.to_owned(), chunk));
            }
        }
    }
    Ok(out)
}

fn codecs(item_bytes: usize) -> Vec<CodecMetadata> {
    let none = Layout { chunk: Vec::new(), shard: None, codecs: Vec::new() };
    Codecs::Zstd(3).resolve(&none, item_bytes)
}
