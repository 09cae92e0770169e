//! Codecs that an array keeps in other chunks.

use serde_json::{Value, json};
use zarrange_array::{Elements, Json, Layout, codec_metadata};
use zarrange_codec::{Chain, CodecMetadata, ElementType, Scratch, codec_stage, same_values};

const SHARDS: &str = "sharding_indexed";

/// The codecs of `elements` for chunks of `layout`, and the names of those that are left out.
///
/// Filters may round: what was decoded, and the fill value where chunks were missing, need not come back once encoded again. Such
/// filters are left out, so that the values stay; so are shards that stand among other codecs, and `shuffle` where it does not divide
/// the new chunk.
pub(crate) fn in_chunks(elements: &Elements, layout: &Layout) -> (Vec<CodecMetadata>, Vec<String>) {
    let stored = &elements.layout.codecs;
    let all =
        if stored.iter().any(|codec| codec.name() == SHARDS) { unsharded(stored) } else { stored.clone() };
    let plain = of_elements(&all, &elements.element);
    let mut unshuffled = plain.clone();
    unshuffled.retain(|codec| codec.name() != "numcodecs.shuffle");
    let keeps = |codecs: &&Vec<CodecMetadata>| keeps_values(codecs, elements, layout);
    let kept = [stored, &all, &plain].into_iter().find(keeps).unwrap_or(&unshuffled);
    if kept == stored {
        return (kept.clone(), Vec::new());
    }
    let is_kept = |codec: &CodecMetadata| kept.iter().any(|other| other.name() == codec.name());
    let dropped =
        stored.iter().chain(&all).filter(|codec| !is_kept(codec)).map(|codec| codec.name().to_owned());
    let mut names: Vec<String> = Vec::new();
    dropped.for_each(|name| {
        if !names.contains(&name) {
            names.push(name);
        }
    });
    (kept.clone(), names)
}

/// The codecs of inner chunks in the place of shards.
fn unsharded(codecs: &[CodecMetadata]) -> Vec<CodecMetadata> {
    let each = codecs.iter().flat_map(|codec| {
        let inner = codec.configuration().and_then(|c| c.get("codecs")).filter(|_| codec.name() == SHARDS);
        match inner.cloned().map(Json::from) {
            None => vec![codec.clone()],
            Some(list) => {
                let codecs = list.as_array().unwrap_or_default().iter().map(codec_metadata);
                unsharded(&codecs.filter_map(Result::ok).collect::<Vec<_>>())
            }
        }
    });
    each.collect()
}

/// The codecs without filters, told what the elements are that the others get then.
fn of_elements(codecs: &[CodecMetadata], element: &ElementType) -> Vec<CodecMetadata> {
    let kept: Vec<_> = codecs.iter().filter(|codec| !is_filter(codec)).cloned().collect();
    if kept.len() == codecs.len() {
        return kept;
    }
    let told = |codec: CodecMetadata| {
        let (key, value, given) = match codec.name() {
            "bytes" if element.units().any(|(_, bytes)| bytes > 1) => ("endian", json!("little"), false),
            "blosc" => ("typesize", json!(element.bytes().min(255)), true),
            _ => return codec,
        };
        let mut configuration: serde_json::Map<String, Value> =
            codec.configuration().cloned().unwrap_or_default().into();
        if given || !configuration.contains_key(key) {
            configuration.insert(key.to_owned(), value);
        }
        CodecMetadata::new_with_configuration(codec.name(), configuration)
    };
    kept.into_iter().map(told).collect()
}

/// Whether a codec changes the elements rather than their order or their bytes.
fn is_filter(codec: &CodecMetadata) -> bool {
    codec.name() != "transpose" && matches!(codec_stage(codec), Ok(0))
}

fn keeps_values(codecs: &[CodecMetadata], elements: &Elements, layout: &Layout) -> bool {
    let Elements { element, fill, .. } = elements;
    let Ok(chain) = Chain::new(codecs, element, &layout.chunk, fill) else { return false };
    if !codecs.iter().any(is_filter) {
        return true;
    }
    // zarr-python asks filters within shards what zero becomes, whatever the fill value is.
    let zero = vec![0; fill.len()];
    let opens = layout.shard.is_none() || once(codecs, elements, &zero, layout.chunk.len()).is_some();
    let fill_stays = || {
        let decoded = once(codecs, elements, fill, layout.chunk.len());
        decoded.is_some_and(|decoded| same_values(&decoded, fill, element, false).is_none())
    };
    !chain.loses() && opens && fill_stays()
}

/// One element, encoded and decoded again.
fn once(codecs: &[CodecMetadata], elements: &Elements, element: &[u8], rank: usize) -> Option<Vec<u8>> {
    let chain = Chain::new(codecs, &elements.element, &vec![1; rank], &elements.fill).ok()?;
    let (mut scratch, mut encoded) = (Scratch::new(&chain), vec![0; chain.encoded_bytes_max()]);
    let bytes = chain.encode(element, &mut encoded, &mut scratch).ok()?;
    let mut decoded = vec![0; element.len()];
    chain.decode(&encoded[..bytes], &mut decoded, &mut scratch).ok()?;
    Some(decoded)
}
