//! Codecs that an array keeps in other chunks.

use zarrange_array::Elements;
use zarrange_codec::{Chain, CodecMetadata, Scratch, codec_stage, same_values};

/// The codecs of `elements` for chunks of another shape, and the names of those that are left out.
///
/// Filters may round: what was decoded, and the fill value where chunks were missing, need not come back once encoded again. Such
/// filters are left out, so that the values stay; and so is `shuffle` where it does not divide the new chunk.
pub(crate) fn in_chunks(elements: &Elements, chunk: &[u64]) -> (Vec<CodecMetadata>, Vec<String>) {
    let all = &elements.layout.codecs;
    let without = |left_out: &dyn Fn(&CodecMetadata) -> bool| -> Vec<CodecMetadata> {
        all.iter().filter(|codec| !left_out(codec)).cloned().collect()
    };
    let filters = without(&is_filter);
    let plain = without(&|codec| is_filter(codec) || codec.name() == "numcodecs.shuffle");
    let keeps = |codecs: &Vec<CodecMetadata>| keeps_values(codecs, elements, chunk);
    let kept = [all, &filters, &plain].into_iter().find(|codecs| keeps(codecs)).unwrap_or(all);
    let dropped = all.iter().filter(|codec| !kept.contains(codec)).map(|codec| codec.name().to_owned());
    (kept.clone(), dropped.collect())
}

/// Whether a codec changes the elements rather than their order or their bytes.
fn is_filter(codec: &CodecMetadata) -> bool {
    codec.name() != "transpose" && matches!(codec_stage(codec), Ok(0))
}

fn keeps_values(codecs: &[CodecMetadata], elements: &Elements, chunk: &[u64]) -> bool {
    let Elements { element, fill, .. } = elements;
    let Ok(chain) = Chain::new(codecs, element, chunk, fill) else { return false };
    if !codecs.iter().any(is_filter) {
        return true;
    }
    !chain.loses() && fill_survives(codecs, elements, chunk.len()).unwrap_or(false)
}

/// Whether a chunk of the fill value alone decodes to it again.
fn fill_survives(codecs: &[CodecMetadata], elements: &Elements, rank: usize) -> Option<bool> {
    let Elements { element, fill, .. } = elements;
    let chain = Chain::new(codecs, element, &vec![1; rank], fill).ok()?;
    let (mut scratch, mut encoded) = (Scratch::new(&chain), vec![0; chain.encoded_bytes_max()]);
    let bytes = chain.encode(fill, &mut encoded, &mut scratch).ok()?;
    let mut decoded = vec![0; fill.len()];
    chain.decode(&encoded[..bytes], &mut decoded, &mut scratch).ok()?;
    Some(same_values(&decoded, fill, element, false).is_none())
}
