//! A survey as a telescope writes it: an array to which each night adds one epoch of all objects.

use serde_json::{Map, json};
use zarrange_array::{Array, ArrayError, ArraySpec, Document, Layout, RegionWriter, Staging, Target};
use zarrange_codec::CodecMetadata;
use zarrange_grid::Region;
use zarrange_io::{Location, Opener, token};

use crate::Survey;

/// Magnitude and error.
const VALUES: u64 = 2;

/// Writes `survey` to `location` as float32 over (object, epoch, value), one chunk for each epoch, zstd; `overwrite` what is there.
/// `written` is told how many epochs are done since it was told last. What is returned could not be tidied, one line each.
///
/// # Errors
/// If it cannot be written, or the metadata of a survey is refused.
pub fn write_survey(
    survey: &Survey,
    location: &Location,
    (overwrite, io): (bool, &Opener),
    written: &mut dyn FnMut(u64),
) -> Result<Vec<String>, ArrayError> {
    let document = Document::new(&ArraySpec {
        shape: vec![survey.objects, survey.epochs, VALUES],
        data_type: "float32",
        fill_value: json!("NaN"),
        layout: Layout { chunk: vec![survey.objects, 1, VALUES], shard: None, codecs: codecs() },
        dimension_names: vec!["object", "epoch", "value"],
        attributes: Map::from_iter([("seed".to_owned(), json!(survey.seed))]),
    });
    let target = Target::check(location, overwrite, io)?;
    let mut staging = Staging::begin(target, &token(), None, io)?;
    let array = Array::new(staging.store()?, document, 3)?;
    let mut writer = RegionWriter::new(&array)?;
    for epoch in 0..survey.epochs {
        let region = Region::new(&[0, epoch, 0][..], &[survey.objects, 1, VALUES][..]);
        let data: Vec<u8> = survey.epoch(epoch).iter().flat_map(|v| v.to_ne_bytes()).collect();
        writer.write(&region, &data)?;
        written(1);
    }
    array.write_metadata()?;
    staging.publish(false)
}

/// Little-endian bytes, zstd level 3.
fn codecs() -> Vec<CodecMetadata> {
    let list = json!([
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "zstd", "configuration": {"level": 3, "checksum": false}},
    ]);
    serde_json::from_value(list).unwrap_or_else(|error| unreachable!("codecs of names and numbers: {error}"))
}
