//! The codecs that are weighed, and which one is recommended.
//!
//! A layout that stores a tenth less may take a tenth longer: of the codecs that the reader decodes, that one is taken whose best layout has
//! the least product of bytes and time. What was measured is noisy, so of near ties the one that encodes fastest. Data that is read from
//! memory is faster the less is decoded, but most reads are not: uncompressed is taken only where nothing compresses, or where the reader
//! fetches parts of such chunks.

use zarrange_array::Layout;
use zarrange_codec::{Chain, CodecMetadata, ElementType};
use zarrange_grid::index;
use zarrange_plan::{CodecModel, CodecSpeed, Decodes, Design, Reader, bytes_text};
use zarrange_rechunk::{Codecs, Sample, Weighing, unsampled};

use super::advice::CodecChoice;
use super::ask::{Ask, UNSAMPLED, usage};

/// Codecs whose products differ by less than this factor are as good as each other.
const NEAR_TIE: f64 = 1.05;
/// What compresses less than this does not compress.
const GAIN: f64 = 1.1;
/// A sample of fewer bytes does not tell codecs apart.
const SAMPLE_BYTES_MIN: u64 = 64 << 10;
/// Layouts of all codecs, then of the one that is taken, on chunks of exactly whose shape they are measured.
const REFINED: [usize; 2] = [7, 32];

/// Codecs that are candidates.
pub(super) struct Candidates {
    /// As on the command line.
    pub(super) names: Vec<String>,
    /// Those that are not, and why.
    pub(super) left_out: Vec<String>,
    pub(super) sample: Option<Sample>,
    /// Why the sample does not tell them apart, if it does not.
    pub(super) untold: Option<String>,
    element: ElementType,
}

/// The layouts that were weighed for the codec that was chosen.
pub(super) struct Chosen {
    pub(super) rows: Vec<CodecChoice>,
    pub(super) why: Option<String>,
    /// The codec alone.
    pub(super) codecs: Vec<CodecModel>,
    pub(super) found: Vec<(f64, Design)>,
}

impl Candidates {
    /// Those of what is asked that the reader decodes, and that the elements allow. A sample that is too small to tell them apart counts for
    /// nothing.
    ///
    /// # Errors
    /// [`super::ask::Usage`] if none is left.
    pub(super) fn of(ask: &Ask, sample: Option<Sample>) -> anyhow::Result<Self> {
        let item_bytes = index(ask.subject.item_bytes);
        let element = match &ask.sample {
            Some((_, array)) => array.elements()?.element.clone(),
            None => element(item_bytes)?,
        };
        let untold =
            sample.as_ref().filter(|_| ask.codecs.len() > 1).and_then(|sample| untold(sample, item_bytes));
        let asked =
            if untold.is_some() && !ask.codecs_named { &vec![UNSAMPLED.to_owned()] } else { &ask.codecs };
        if untold.is_some() && asked.len() > 1 {
            let why = untold.unwrap_or_default();
            return Err(usage(format!(
                "--codecs {}: {why}; name one codec, or another sample",
                asked.join(",")
            )));
        }
        let (mut names, mut left_out) = (Vec::new(), Vec::new());
        for name in asked {
            let list = list(name, &[1], item_bytes)?;
            if let Some(codec) = list.iter().find(|codec| ask.reader.decodes(codec.name()) == Decodes::No) {
                left_out.push(format!("{name} is left out: {} does not decode {}", ask.reader, codec.name()));
            } else if Chain::new(&list, &element, &[1], &vec![0; item_bytes]).is_ok() {
                names.push(name.clone());
            } else {
                left_out.push(format!("{name} is left out: it does not take {} elements", element.name()));
            }
        }
        if names.is_empty() {
            return Err(usage(format!("--codecs: {}", left_out.join("; "))));
        }
        Ok(Self { names, left_out, sample, untold, element })
    }

    /// The layouts for that codec which is recommended.
    ///
    /// # Errors
    /// If they cannot be measured on the sample.
    pub(super) fn weighed(&self, ask: &Ask, weighing: &Weighing<'_>) -> anyhow::Result<Chosen> {
        let item_bytes = index(ask.subject.item_bytes);
        let mut codecs = self.known(item_bytes)?;
        let Some(sample) = self.sample.as_ref().filter(|_| self.untold.is_none()) else {
            let found = weighing.question(&codecs).search();
            return Ok(Chosen { rows: Vec::new(), why: self.untold.clone(), codecs, found });
        };
        let mut measure = |codec: usize, chunk: &[u64]| -> anyhow::Result<CodecSpeed> {
            Ok(sample.measure(&list(&self.names[codec], chunk, item_bytes)?, chunk)?)
        };
        let found = weighing.search(&mut codecs, REFINED[0], &mut measure)?;
        let mut rows = Vec::new();
        for k in 0..codecs.len() {
            let Some((_, design)) = found.iter().find(|(_, design)| design.codec == k) else { continue };
            let chunk = &design.chunk;
            if codecs[k].by_shape.iter().all(|(shape, _)| shape != chunk) {
                let speed = measure(k, chunk)?;
                codecs[k].by_shape.push((chunk.clone(), speed));
            }
            let (speed, again) = (codecs[k].speed(chunk), measure(k, chunk)?);
            let (codec, cost) = (&codecs[k], weighing.question(&codecs).cost(design));
            rows.push((
                k,
                CodecChoice {
                    name: codec.name.clone(),
                    stored_bytes: ask.subject.stored_bytes(design, codec),
                    noise: noise(&speed, &again),
                    speed,
                    weighted_ms: cost / 1e6,
                    needs: needs(&list(&codec.name, &[1], item_bytes)?, ask.reader),
                    chosen: false,
                },
            ));
        }
        let of: Vec<&CodecChoice> = rows.iter().map(|(_, row)| row).collect();
        let Some(best) = recommended(&of, ask) else {
            return Ok(Chosen { rows: Vec::new(), why: None, codecs, found });
        };
        let why = Some(reason(&of, best, ask));
        rows[best].1.chosen = true;
        let k = rows[best].0;
        let mut one = vec![codecs.swap_remove(k)];
        let found = weighing.refine(&mut one, REFINED[1], &mut |_, chunk| measure(k, chunk))?;
        Ok(Chosen { rows: rows.into_iter().map(|(_, row)| row).collect(), why, codecs: one, found })
    }

    /// What is known of them beforehand: how long they take, not how well they compress.
    fn known(&self, item_bytes: usize) -> anyhow::Result<Vec<CodecModel>> {
        let codec = |name: &String| {
            let chain =
                Chain::new(&list(name, &[1], item_bytes)?, &self.element, &[1], &vec![0; item_bytes])?;
            Ok(unsampled(name.clone(), &chain))
        };
        self.names.iter().map(codec).collect()
    }
}

/// Why a sample does not tell codecs apart, if it does not.
fn untold(sample: &Sample, item_bytes: usize) -> Option<String> {
    let bytes = sample.data().len() as u64;
    if bytes < SAMPLE_BYTES_MIN {
        let (bytes, least) = (bytes_text(bytes), bytes_text(SAMPLE_BYTES_MIN));
        return Some(format!("a sample of {bytes} is too small to tell codecs apart: {least} are needed"));
    }
    let first = sample.data().get(..item_bytes)?;
    sample
        .is_all(first)
        .then(|| "all elements of the sample are the same, which tells nothing of codecs".to_owned())
}

/// The part by which times differ that were measured twice.
fn noise(one: &CodecSpeed, other: &CodecSpeed) -> f64 {
    let apart = |a: f64, b: f64| (a.max(b) / a.min(b) - 1.0).abs();
    apart(one.decode_ns_per_byte, other.decode_ns_per_byte)
        .max(apart(one.encode_ns_per_byte, other.encode_ns_per_byte))
}

/// The package that a reader needs for a list of codecs.
fn needs(list: &[CodecMetadata], reader: Reader) -> Option<&'static str> {
    list.iter().find_map(|codec| match reader.decodes(codec.name()) {
        Decodes::With(package) => Some(package),
        Decodes::Yes | Decodes::No => None,
    })
}

/// The number of that which is recommended.
fn recommended(rows: &[&CodecChoice], ask: &Ask) -> Option<usize> {
    let packs = rows.iter().any(|row| row.speed.ratio >= GAIN && (ask.codecs_named || row.needs.is_none()));
    let may = |row: &CodecChoice| {
        let plain = row.name == "none" && packs && !ask.reader.takes_parts();
        !plain && (ask.codecs_named || row.needs.is_none())
    };
    let candidates: Vec<usize> = (0..rows.len()).filter(|k| may(rows[*k])).collect();
    let product = |k: usize| rows[k].stored_bytes * rows[k].weighted_ms;
    let least = candidates.iter().map(|k| product(*k)).fold(f64::INFINITY, f64::min);
    let near = candidates.into_iter().filter(|k| product(*k) <= least * NEAR_TIE);
    near.min_by(|a, b| rows[*a].speed.encode_ns_per_byte.total_cmp(&rows[*b].speed.encode_ns_per_byte))
}

/// Why that one.
fn reason(rows: &[&CodecChoice], best: usize, ask: &Ask) -> String {
    let row = rows[best];
    #[expect(clippy::cast_precision_loss, reason = "a part")]
    let saved = 1.0 - row.stored_bytes / ask.subject.bytes(&ask.subject.shape) as f64;
    let fastest = rows.iter().min_by(|a, b| a.weighted_ms.total_cmp(&b.weighted_ms)).unwrap_or(&row);
    let smallest = rows.iter().min_by(|a, b| a.stored_bytes.total_cmp(&b.stored_bytes)).unwrap_or(&row);
    let mut parts = vec![match row.name.as_str() {
        "none" if ask.reader.takes_parts() && rows.iter().any(|row| row.speed.ratio >= GAIN) => {
            format!("none: {} fetches parts of chunks that are stored as they are", ask.reader)
        }
        "none" if rows.len() == 1 => "none is the only one that is asked for".to_owned(),
        "none" => format!("none: no codec that {} has as it is installed stores a tenth less", ask.reader),
        name => format!("{name} stores {:.0} % less than no codec", 100.0 * saved.max(0.0)),
    }];
    if fastest.name != row.name {
        let longer = 100.0 * (row.weighted_ms / fastest.weighted_ms - 1.0);
        parts.push(format!("an access takes {longer:.0} % longer than with {}", fastest.name));
    }
    if smallest.name != row.name {
        let less = 100.0 * (1.0 - smallest.stored_bytes / row.stored_bytes);
        let needs = smallest.needs.map_or(String::new(), |package| {
            format!(", but {} needs the package {package} for it", ask.reader)
        });
        parts.push(format!("{} would store another {less:.0} % less{needs}", smallest.name));
    }
    format!("Of the codecs {}.", parts.join("; "))
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
