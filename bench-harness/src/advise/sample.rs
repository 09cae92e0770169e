//! What is measured where there is no sample: a survey of light curves in the shape of the array.

use std::path::Path;

use serde_json::{Map, Value};
use zarrange::advise::codecs;
use zarrange_array::{Array, ArraySpec, Document, Layout, Staging, Target};
use zarrange_grid::{Region, index};
use zarrange_io::{Location, Opener, token};
use zarrange_lightcurve::Survey;
use zarrange_plan::Subject;
use zarrange_rechunk::Sample;

/// Bytes of a synthetic sample at most.
const SAMPLE_BYTES_MAX: u64 = 64 << 20;
/// Objects and epochs of a synthetic sample at most.
const SYNTHETIC: [u64; 2] = [10_000, 500];

/// A survey of light curves, in the shape of `like` but at most `SYNTHETIC` along the first two of `axes`, and one along other
/// dimensions where it would be too large.
///
/// # Errors
/// If elements have a size that no number has.
pub fn synthetic(like: &Subject, axes: [usize; 2]) -> anyhow::Result<Sample> {
    let survey = Survey::parse(include_str!("../../../datasets/photometry.toml"))?;
    let mut subject = like.clone();
    for (axis, most) in axes.into_iter().zip(SYNTHETIC) {
        subject.shape[axis] = subject.shape[axis].min(most);
    }
    for d in 0..subject.shape.len() {
        if !axes.contains(&d) && subject.bytes(&subject.shape) > SAMPLE_BYTES_MAX {
            subject.shape[d] = 1;
        }
    }
    let whole = Region::whole(&subject.shape);
    let mut data = Vec::with_capacity(index(subject.bytes(&subject.shape)));
    for k in 0..whole.elements() {
        let at = whole.unravel(k);
        let [value, _] = survey.measurement(at[axes[0]], at[axes[1]]);
        extend(&mut data, value, subject.item_bytes)?;
    }
    let element = codecs::element(index(subject.item_bytes))?;
    Ok(Sample::new(subject, element, data))
}

/// Stores a sample as an array with `object` and `epoch` along `axes`.
///
/// # Errors
/// If it cannot be written.
pub fn store(sample: &Sample, path: &Path, axes: [usize; 2]) -> anyhow::Result<()> {
    let Subject { shape, item_bytes, .. } = sample.subject();
    let name = |d: usize| {
        if d == axes[0] {
            "object"
        } else if d == axes[1] {
            "epoch"
        } else {
            "other"
        }
    };
    let document = Document::new(&ArraySpec {
        shape: shape.clone(),
        data_type: codecs::type_name(index(*item_bytes))?,
        fill_value: if *item_bytes == 16 { serde_json::json!([0.0, 0.0]) } else { Value::from(0) },
        layout: Layout {
            chunk: shape.clone(),
            shard: None,
            codecs: codecs::list("none", shape, index(*item_bytes))?,
        },
        dimension_names: (0..shape.len()).map(name).collect(),
        attributes: Map::new(),
    });
    let io = Opener::auto();
    let target = Target::check(&Location::Path(path.to_owned()), true, &io)?;
    let mut staging = Staging::begin(target, &token(), None, &io)?;
    let array = Array::new(staging.store()?, document, 3)?;
    array.write_region(&Region::whole(shape), sample.data())?;
    array.write_metadata()?;
    staging.publish(false)?;
    Ok(())
}

/// Appends a value as a number of this many bytes: a float where there is one, else thousandths.
#[expect(clippy::cast_possible_truncation, reason = "NaN becomes 0, magnitudes fit")]
fn extend(data: &mut Vec<u8>, value: f32, item_bytes: u64) -> anyhow::Result<()> {
    match item_bytes {
        1 => data.extend((value as i8).to_ne_bytes()),
        2 => data.extend(((value * 1000.0) as i16).to_ne_bytes()),
        4 => data.extend(value.to_ne_bytes()),
        8 => data.extend(f64::from(value).to_ne_bytes()),
        16 => data.extend([f64::from(value), 0.0].iter().flat_map(|part| part.to_ne_bytes())),
        other => anyhow::bail!("elements of {other} bytes are no numbers"),
    }
    Ok(())
}
