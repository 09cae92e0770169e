//! The codecs that are weighed.

use zarrange_array::Layout;
use zarrange_codec::{Chain, CodecMetadata, ElementType};
use zarrange_grid::index;
use zarrange_plan::CodecModel;
use zarrange_rechunk::{Codecs, unsampled};

/// The codecs that are weighed, with what is known of them beforehand: how long they take, not how well they compress.
///
/// # Errors
/// If elements have a size that no number has.
pub fn known(names: &[String], item_bytes: u64) -> anyhow::Result<Vec<CodecModel>> {
    let item_bytes = index(item_bytes);
    let codec = |name: &String| {
        let chain =
            Chain::new(&list(name, &[1], item_bytes)?, &element(item_bytes)?, &[1], &vec![0; item_bytes])?;
        Ok(unsampled(name.clone(), &chain))
    };
    names.iter().map(codec).collect()
}

/// The codecs of this name, for chunks of this shape.
///
/// # Errors
/// If there are none.
pub fn list(name: &str, chunk: &[u64], item_bytes: usize) -> anyhow::Result<Vec<CodecMetadata>> {
    let now = Layout { chunk: chunk.to_vec(), shard: None, codecs: Vec::new() };
    Ok(name.parse::<Codecs>()?.resolve(&now, item_bytes))
}

/// Codecs see bytes: any type of this size will do.
///
/// # Errors
/// If no type has this size.
pub fn element(item_bytes: usize) -> anyhow::Result<ElementType> {
    let metadata = CodecMetadata::new(type_name(item_bytes)?);
    Ok(ElementType::new(&metadata)?)
}

/// A type of this size.
///
/// # Errors
/// If there is none.
pub fn type_name(item_bytes: usize) -> anyhow::Result<&'static str> {
    Ok(match item_bytes {
        1 => "uint8",
        2 => "uint16",
        4 => "uint32",
        8 => "uint64",
        16 => "complex128",
        other => anyhow::bail!("elements of {other} bytes are not weighed: they have 1, 2, 4, 8 or 16"),
    })
}
