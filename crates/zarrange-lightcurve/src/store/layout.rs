//! How arrays of values are cut into chunks.

use std::fmt;
use std::str::FromStr;

use zarrange_array::Layout;
use zarrange_codec::{Chain, CodecMetadata, ElementType};
use zarrange_plan::{Costs, Limits, Mix, MixError, Question, Reader, Reading, Subject};
use zarrange_rechunk::{AccessError, Codecs, Dimensions, NamedMix, unsampled};

use crate::LightCurveError;
use crate::store::schema::{EPOCHS, OBJECT};

/// Array data of a chunk of one epoch, or of a block of them, at most: a fill holds one in memory, decoded and encoded.
const CHUNK_BYTES_MAX: u64 = 64 << 20;

/// How arrays of values are cut.
#[derive(Clone, Debug, PartialEq)]
pub enum Cut {
    /// One epoch of all objects: a fill writes one chunk.
    EpochOptimized,
    /// All epochs of a few objects, in shards: a light curve is one chunk.
    ObjectOptimized,
    /// The same in blocks of so many epochs: when there are more, the blocks before stay as they are.
    ObjectBlocks(u64),
    /// As many chunks for an epoch as for an object, about.
    Balanced,
    /// So many epochs of all objects.
    TimeBlocks(u64),
    /// What suits a mix of accesses.
    For(NamedMix),
    /// Chunks of so many along the dimensions that are named, and of all along the others.
    Chunks(Vec<(String, u64)>),
}

/// Understands `epoch-optimized`, `object-optimized`, `object-optimized:N`, `balanced` and `time-blocks:N`.
impl FromStr for Cut {
    type Err = LightCurveError;

    fn from_str(text: &str) -> Result<Self, LightCurveError> {
        let right = "use epoch-optimized, object-optimized, balanced, or for blocks of 30 epochs object-optimized:30 or time-blocks:30";
        let wrong = || LightCurveError::Layout { layout: text.to_owned(), reason: right.to_owned() };
        Ok(match text {
            "epoch-optimized" => Self::EpochOptimized,
            "object-optimized" => Self::ObjectOptimized,
            "balanced" => Self::Balanced,
            other => {
                let (kind, epochs) = other.split_once(':').ok_or_else(wrong)?;
                let epochs = epochs.parse().ok().filter(|epochs| *epochs > 0).ok_or_else(wrong)?;
                match kind {
                    "object-optimized" => Self::ObjectBlocks(epochs),
                    "time-blocks" => Self::TimeBlocks(epochs),
                    _ => return Err(wrong()),
                }
            }
        })
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EpochOptimized => f.write_str("epoch-optimized"),
            Self::ObjectOptimized => f.write_str("object-optimized"),
            Self::ObjectBlocks(epochs) => write!(f, "object-optimized:{epochs}"),
            Self::Balanced => f.write_str("balanced"),
            Self::TimeBlocks(epochs) => write!(f, "time-blocks:{epochs}"),
            Self::For(mix) => write!(f, "{mix}"),
            Self::Chunks(lengths) => {
                let words: Vec<String> =
                    lengths.iter().map(|(name, length)| format!("{name}={length}")).collect();
                write!(f, "chunks {}", words.join(","))
            }
        }
    }
}

impl Cut {
    /// The layout of an array over `dimensions` (names and sizes) of elements called `data_type`.
    ///
    /// # Errors
    /// [`LightCurveError::Layout`] if no layout suits.
    pub(crate) fn layout(
        &self,
        dimensions: &[(&str, u64)],
        (data_type, item_bytes): (&str, u64),
        codecs: &Codecs,
    ) -> Result<Layout, LightCurveError> {
        let shape: Vec<u64> = dimensions.iter().map(|(_, size)| *size).collect();
        let none = Layout { chunk: shape.clone(), shard: None, codecs: Vec::new() };
        let list = codecs.resolve(&none, usize::try_from(item_bytes).unwrap_or(usize::MAX));
        let refused = |reason: String| LightCurveError::Layout { layout: self.to_string(), reason };
        let found = match self {
            Self::EpochOptimized => {
                return Ok(Layout { chunk: epochs(dimensions, 1, item_bytes), shard: None, codecs: list });
            }
            Self::TimeBlocks(n) => {
                return Ok(Layout { chunk: epochs(dimensions, *n, item_bytes), shard: None, codecs: list });
            }
            Self::Chunks(lengths) => {
                let chunk = said(dimensions, lengths).map_err(refused)?;
                return Ok(Layout { chunk, shard: None, codecs: list });
            }
            Self::ObjectBlocks(n) => {
                let block: Vec<(&str, u64)> = dimensions.iter().map(|of| (of.0, in_block(of, *n))).collect();
                return Self::ObjectOptimized.layout(&block, (data_type, item_bytes), codecs);
            }
            Self::ObjectOptimized => Mix::new(axes(dimensions, &[OBJECT])).map_err(AccessError::from),
            Self::Balanced => {
                Mix::new(axes(dimensions, &[OBJECT, EPOCHS[0], EPOCHS[1]])).map_err(AccessError::from)
            }
            Self::For(mix) => {
                let names = dimensions.iter().map(|(name, _)| Some((*name).to_owned())).collect();
                mix.of(&Dimensions::named(names, shape.len()), &shape)
            }
        };
        let mix = found.map_err(|error| match error {
            AccessError::Dimension { name, .. } => refused(format!("there is no dimension {name:?}")),
            other => refused(other.to_string()),
        })?;
        let element =
            ElementType::new(&CodecMetadata::new(data_type)).map_err(|error| refused(error.to_string()))?;
        let fill = vec![0; usize::try_from(item_bytes).unwrap_or(usize::MAX)];
        let one: Vec<u64> = shape.iter().map(|_| 1).collect();
        let chain = Chain::new(&list, &element, &one, &fill).map_err(|error| refused(error.to_string()))?;
        let (subject, models) = (Subject::new(&shape, item_bytes), [unsampled(codecs.to_string(), &chain)]);
        let place = Costs::default().target;
        let reading = Reading { subject: &subject, place: &place, reader: Reader::default(), reads: 1 };
        let question = |limits: Limits| Question { reading, codecs: &models, mix: &mix, limits };
        let chosen = match question(Limits::default()).chosen(&shape) {
            // A large store has as many files as it needs.
            Err(MixError::Objects { objects, .. }) => {
                question(Limits { files_max: objects, ..Limits::default() }).chosen(&shape)
            }
            chosen => chosen,
        };
        let chosen = chosen.map_err(|error| refused(error.to_string()))?;
        Ok(Layout { chunk: chosen.chunk, shard: chosen.shard, codecs: list })
    }
}

/// Chunks of these lengths; of all along a dimension that has none.
fn said(dimensions: &[(&str, u64)], lengths: &[(String, u64)]) -> Result<Vec<u64>, String> {
    if let Some((name, _)) = lengths.iter().find(|(name, _)| dimensions.iter().all(|(d, _)| d != name)) {
        let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no dimension {name:?}: there are {names:?}"));
    }
    if let Some((name, _)) = lengths.iter().find(|(_, length)| *length == 0) {
        return Err(format!("a chunk has 1 or more along {name}"));
    }
    let length = |name: &str| lengths.iter().find(|(known, _)| known == name).map(|(_, length)| *length);
    Ok(dimensions.iter().map(|(name, size)| length(name).unwrap_or(*size).min(*size).max(1)).collect())
}

/// The length of a dimension in a block of `n` epochs.
fn in_block((name, size): &(&str, u64), n: u64) -> u64 {
    if EPOCHS.contains(name) { n.min(*size) } else { *size }.max(1)
}

/// The dimensions of these names, as far as they are there, each read as often as the others.
fn axes(dimensions: &[(&str, u64)], names: &[&str]) -> Vec<(usize, f64)> {
    let found = |name: &&str| dimensions.iter().position(|(dimension, _)| dimension == name);
    names.iter().filter_map(found).map(|axis| (axis, 1.0)).collect()
}

/// Chunks of `n` epochs and all of the others, of as many objects as a chunk may have.
fn epochs(dimensions: &[(&str, u64)], n: u64, item_bytes: u64) -> Vec<u64> {
    let mut chunk: Vec<u64> = dimensions.iter().map(|dimension| in_block(dimension, n)).collect();
    let Some(object) = dimensions.iter().position(|(name, _)| *name == OBJECT) else { return chunk };
    let others = chunk.iter().enumerate().filter(|(d, _)| *d != object);
    let bytes = others.fold(item_bytes.max(1), |bytes, (_, length)| bytes.saturating_mul(*length));
    chunk[object] = chunk[object].min(CHUNK_BYTES_MAX / bytes).max(1);
    chunk
}
