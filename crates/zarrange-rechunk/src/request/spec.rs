//! What a user may ask for: chunk shapes and codecs, as text and resolved for an array.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zarrange_array::{KeyEncoding, Layout, Separator};
use zarrange_codec::CodecMetadata;
use zarrange_grid::ChunkGrid;

use crate::dimensions::Dimensions;
use crate::error::SpecError;

/// A chunk or shard shape as asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkSpec {
    /// The shape that the array has now.
    Keep,
    /// No shards.
    None,
    /// A length for each dimension; -1 is the whole dimension.
    Sizes(Vec<i64>),
    /// Lengths by dimension name; the others are kept.
    Named(Vec<(String, i64)>),
}

/// A shape for one array of a group, or for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Path of the array; `None` for every array.
    pub array: Option<String>,
    /// The shape.
    pub spec: ChunkSpec,
}

/// Understands `SPEC` and `ARRAY:SPEC`.
impl FromStr for Named {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (array, spec) = match text.rsplit_once(':') {
            Some((array, spec)) => (Some(array.trim_matches('/').to_owned()), spec),
            None => (None, text),
        };
        let syntax = |reason: String| SpecError::Syntax { given: text.to_owned(), reason };
        if array.as_deref() == Some("") {
            return Err(syntax("the array's name is empty".to_owned()));
        }
        Ok(Self { array, spec: ChunkSpec::understand(spec).map_err(syntax)? })
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { array, spec } = self;
        array.as_ref().map_or(Ok(()), |array| write!(f, "{array}:"))?;
        write!(f, "{spec}")
    }
}

/// Understands `1,500,2`, `object=1,epoch=-1`, `keep` and `none`.
impl FromStr for ChunkSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::understand(text).map_err(|reason| SpecError::Syntax { given: text.to_owned(), reason })
    }
}

impl fmt::Display for ChunkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = match self {
            Self::Keep => return f.write_str("keep"),
            Self::None => return f.write_str("none"),
            Self::Sizes(sizes) => sizes.iter().map(ToString::to_string).collect(),
            Self::Named(pairs) => pairs.iter().map(|(name, length)| format!("{name}={length}")).collect(),
        };
        f.write_str(&parts.join(","))
    }
}

impl ChunkSpec {
    /// What `text` says, or what is wrong with it.
    fn understand(text: &str) -> Result<Self, String> {
        let number = |n: &str| n.trim().parse::<i64>().map_err(|_| format!("{n:?} is not a number"));
        Ok(match text.trim() {
            "keep" => Self::Keep,
            "none" => Self::None,
            // An array without dimensions has a chunk without numbers.
            "" => Self::Sizes(Vec::new()),
            by_name if by_name.contains('=') => {
                let pairs = by_name.split(',').map(|pair| {
                    let (name, n) = pair.split_once('=').ok_or("names and plain numbers are mixed")?;
                    Ok::<_, String>((name.trim().to_owned(), number(n)?))
                });
                Self::Named(pairs.collect::<Result<_, _>>()?)
            }
            sizes => Self::Sizes(sizes.split(',').map(number).collect::<Result<_, _>>()?),
        })
    }

    /// The shape for an array: `current` is what it has now.
    ///
    /// # Errors
    /// [`SpecError`] if a length is not possible, the rank differs or a name is unknown.
    pub fn resolve(
        &self,
        array: &str,
        shape: &[u64],
        dimensions: &Dimensions,
        current: &[u64],
    ) -> Result<Vec<u64>, SpecError> {
        match self {
            Self::Keep => Ok(current.to_vec()),
            Self::None => Err(SpecError::Syntax {
                given: "none".to_owned(),
                reason: "only shards can be left out, chunks have a shape".to_owned(),
            }),
            Self::Sizes(sizes) if sizes.len() == shape.len() => {
                sizes.iter().zip(shape).map(|(length, n)| extent(array, *length, *n)).collect()
            }
            Self::Sizes(sizes) => {
                Err(SpecError::Rank { array: array.to_owned(), shape: shape.to_vec(), spec: sizes.clone() })
            }
            Self::Named(pairs) => {
                let (mut out, mut given) = (current.to_vec(), BTreeSet::new());
                for (name, length) in pairs {
                    let unknown = || SpecError::Dimension {
                        array: array.to_owned(),
                        name: name.clone(),
                        dimensions: dimensions.words(),
                    };
                    let d = dimensions.axis(name).ok_or_else(unknown)?;
                    if !given.insert(d) {
                        return Err(SpecError::Twice { array: array.to_owned(), name: name.clone() });
                    }
                    out[d] = extent(array, *length, shape[d])?;
                }
                Ok(out)
            }
        }
    }
}

fn extent(array: &str, length: i64, n: u64) -> Result<u64, SpecError> {
    match u64::try_from(length) {
        Ok(length) if length > 0 => Ok(length),
        _ if length == -1 => Ok(n.max(1)),
        _ => Err(SpecError::Length { array: array.to_owned(), length }),
    }
}

/// What stands between the numbers of a target's chunk keys. Serialised as its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeySeparator {
    /// As in the source, `/` for a v2 source; but `.` where `/` would make many directories for few chunks each.
    Auto,
    /// This one.
    Fixed(Separator),
}

/// Objects up to which directories do not matter.
const FEW_OBJECTS: u64 = 100;
/// A directory should hold at least this many objects: making one costs more than making a file.
const OBJECTS_PER_DIRECTORY: u64 = 4;

/// Understands `auto`, `/` and `.`.
impl FromStr for KeySeparator {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        match text {
            "auto" => Ok(Self::Auto),
            "/" => Ok(Self::Fixed(Separator::Slash)),
            "." => Ok(Self::Fixed(Separator::Dot)),
            other => Err(SpecError::Separator { given: other.to_owned() }),
        }
    }
}

impl fmt::Display for KeySeparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Fixed(Separator::Slash) => "/",
            Self::Fixed(Separator::Dot) => ".",
        })
    }
}

impl KeySeparator {
    /// The keys of a target stored as `objects`, whose source has the encoding `now`.
    pub fn resolve(self, now: KeyEncoding, objects: &ChunkGrid) -> KeyEncoding {
        match self {
            Self::Fixed(separator) => now.with_separator(separator),
            Self::Auto => {
                let (count, directories) = (objects.count(), now.directories(objects.counts()));
                let crowded = count <= FEW_OBJECTS || directories <= count / OBJECTS_PER_DIRECTORY;
                if crowded { now } else { now.with_separator(Separator::Dot) }
            }
        }
    }
}

impl TryFrom<String> for KeySeparator {
    type Error = SpecError;

    fn try_from(text: String) -> Result<Self, SpecError> {
        text.parse()
    }
}

impl From<KeySeparator> for String {
    fn from(separator: KeySeparator) -> Self {
        separator.to_string()
    }
}

/// Codecs as asked for. Serialised as their text, or as a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Codecs {
    /// Those of the source.
    Keep,
    /// No compression.
    None,
    /// zstd at a level.
    Zstd(i64),
    /// blosc: compressor, level, shuffle (by element size if not given).
    Blosc(String, i64, Option<String>),
    /// gzip at a level.
    Gzip(i64),
    /// LZ4 as numcodecs frames it.
    Lz4,
    /// pcodec, for numbers, at a level.
    Pcodec(i64),
    /// Bytes of the same significance next to each other; then another compressor.
    Shuffled(Box<Self>),
    /// Dimensions in another order inside each chunk, the one that varies slowest first; then other codecs.
    Transposed(Vec<usize>, Box<Self>),
    /// A list as `zarr.json` writes it.
    List(Vec<CodecMetadata>),
}

/// Understands `keep`, `none`, `zstd[:LEVEL]`, `blosc[:CNAME][:LEVEL][:SHUFFLE]`, `gzip[:LEVEL]`, `lz4`, `pcodec[:LEVEL]`, the compressors
/// of bytes also after `shuffle+`, all but the first after `transpose:ORDER+`, and a JSON list.
impl FromStr for Codecs {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let wrong = |reason: String| SpecError::Codecs { given: text.to_owned(), reason };
        if text.trim_start().starts_with('[') {
            return serde_json::from_str(text).map(Self::List).map_err(|e| wrong(e.to_string()));
        }
        if let Some(transposed) = text.strip_prefix("transpose:") {
            return Self::parse_transposed(transposed).map_err(wrong);
        }
        if let Some(rest) = text.strip_prefix("shuffle+") {
            return match rest.parse::<Self>() {
                Ok(rest @ (Self::Zstd(_) | Self::Gzip(_) | Self::Lz4)) => Ok(Self::Shuffled(Box::new(rest))),
                Ok(_) => {
                    Err(wrong("after shuffle+ comes zstd, gzip or lz4; blosc shuffles itself".to_owned()))
                }
                Err(error) => Err(error),
            };
        }
        let mut parts: Vec<&str> = text.split(':').collect();
        if parts.len() == 3 && parts[0] == "blosc" && parts[2].parse::<i64>().is_err() {
            parts.insert(2, BLOSC_LEVEL);
        }
        let level = |at: usize, default: i64, range: std::ops::RangeInclusive<i64>| match parts.get(at) {
            None => Ok(default),
            Some(n) => n.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
                wrong(format!("level {n} is not one of {} to {}", range.start(), range.end()))
            }),
        };
        let (codecs, parts_max) = match parts[0] {
            "keep" => (Self::Keep, 1),
            "none" => (Self::None, 1),
            "zstd" => (Self::Zstd(level(1, 3, -131_072..=22)?), 2),
            "gzip" => (Self::Gzip(level(1, 5, 0..=9)?), 2),
            "lz4" => (Self::Lz4, 1),
            "pcodec" => (Self::Pcodec(level(1, 8, 0..=12)?), 2),
            "blosc" => {
                let cname = *parts.get(1).unwrap_or(&"lz4");
                if !["blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"].contains(&cname) {
                    return Err(wrong(format!("blosc has no compressor {cname:?}")));
                }
                let shuffle = parts.get(3).map(|s| (*s).to_owned());
                if shuffle
                    .as_ref()
                    .is_some_and(|s| !["noshuffle", "shuffle", "bitshuffle"].contains(&s.as_str()))
                {
                    return Err(wrong("SHUFFLE is noshuffle, shuffle or bitshuffle".to_owned()));
                }
                (Self::Blosc(cname.to_owned(), level(2, 5, 0..=9)?, shuffle), 4)
            }
            other => return Err(wrong(format!("{other:?} is not known"))),
        };
        if parts.len() > parts_max {
            return Err(wrong("too many parts".to_owned()));
        }
        Ok(codecs)
    }
}

/// The level of blosc where none is named.
const BLOSC_LEVEL: &str = "5";

impl Codecs {
    /// Understands `1,0,2+zstd:3`.
    fn parse_transposed(text: &str) -> Result<Self, String> {
        let (order, rest) = text.split_once('+').ok_or("after ORDER come + and other codecs, or +none")?;
        let order: Option<Vec<usize>> = order.split(',').map(|d| d.trim().parse().ok()).collect();
        let order = order.filter(|order| (0..order.len()).all(|d| order.contains(&d)));
        let order = order.ok_or("ORDER is the numbers of all dimensions, such as 1,0,2")?;
        match rest.parse::<Self>().map_err(|e| e.to_string())? {
            Self::Keep | Self::List(_) | Self::Transposed(..) => {
                Err(format!("{rest:?} has an order of its own: name a compressor, or none"))
            }
            rest => Ok(Self::Transposed(order, Box::new(rest))),
        }
    }

    /// The list for an array now stored as `current`, with elements of `item_bytes`.
    pub fn resolve(&self, current: &Layout, item_bytes: usize) -> Vec<CodecMetadata> {
        let compressor = match self {
            Self::Keep => return current.codecs.clone(),
            Self::List(list) => return list.clone(),
            Self::Transposed(order, rest) => {
                let transpose = json!({"name": "transpose", "configuration": {"order": order}});
                let rest = rest.resolve(current, item_bytes);
                return serde_json::from_value(transpose).into_iter().chain(rest).collect();
            }
            Self::Shuffled(rest) => {
                let shuffle =
                    json!({"name": "numcodecs.shuffle", "configuration": {"elementsize": item_bytes}});
                let mut list = rest.resolve(current, item_bytes);
                list.splice(1..1, serde_json::from_value::<CodecMetadata>(shuffle));
                return list;
            }
            // A serializer, in the place of `bytes`.
            Self::Pcodec(level) => return vec![pcodec(*level)],
            Self::None => None,
            Self::Lz4 => Some(json!({"name": "numcodecs.lz4", "configuration": {"acceleration": 1}})),
            Self::Zstd(level) => {
                Some(json!({"name": "zstd", "configuration": {"level": level, "checksum": false}}))
            }
            Self::Gzip(level) => Some(json!({"name": "gzip", "configuration": {"level": level}})),
            Self::Blosc(cname, level, shuffle) => {
                let default = if item_bytes == 1 { "bitshuffle" } else { "shuffle" };
                let shuffle = shuffle.as_deref().unwrap_or(default);
                Some(json!({"name": "blosc", "configuration": {
                    "typesize": item_bytes, "cname": cname, "clevel": level, "shuffle": shuffle, "blocksize": 0}}))
            }
        };
        let bytes = if item_bytes == 1 {
            json!({"name": "bytes"})
        } else {
            json!({"name": "bytes", "configuration": {"endian": "little"}})
        };
        let list: Vec<Value> = [Some(bytes), compressor].into_iter().flatten().collect();
        serde_json::from_value(Value::Array(list))
            .unwrap_or_else(|error| unreachable!("codecs made of names and numbers: {error}"))
    }
}

/// pcodec with the settings that numcodecs has by default.
fn pcodec(level: i64) -> CodecMetadata {
    let configuration = json!({
        "level": level, "mode_spec": "auto", "delta_spec": "auto", "delta_encoding_order": null,
        "paging_spec": "equal_pages_up_to", "equal_pages_up_to": 262_144,
    });
    serde_json::from_value(json!({"name": "numcodecs.pcodec", "configuration": configuration}))
        .unwrap_or_else(|error| unreachable!("a codec made of names and numbers: {error}"))
}

impl Codecs {
    /// As [`Self::resolve`], for elements without a fixed size, which `current` makes bytes of.
    pub(crate) fn resolve_variable(&self, current: &Layout) -> Vec<CodecMetadata> {
        // It takes numbers only.
        if matches!(self, Self::Pcodec(_)) {
            return current.codecs.clone();
        }
        let serializer = current.codecs.iter().find(|codec| codec.name().starts_with("vlen"));
        let resolved = self.resolve(current, 1).into_iter();
        resolved
            .map(|codec| serializer.filter(|_| codec.name() == "bytes").cloned().unwrap_or(codec))
            .collect()
    }
}

impl TryFrom<Value> for Codecs {
    type Error = SpecError;

    fn try_from(value: Value) -> Result<Self, SpecError> {
        match value {
            Value::String(text) => text.parse(),
            list => list.to_string().parse(),
        }
    }
}

impl From<Codecs> for Value {
    fn from(codecs: Codecs) -> Self {
        match codecs {
            Codecs::List(list) => json!(list),
            text => json!(text.to_string()),
        }
    }
}

impl fmt::Display for Codecs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keep => f.write_str("keep"),
            Self::None => f.write_str("none"),
            Self::Zstd(level) => write!(f, "zstd:{level}"),
            Self::Gzip(level) => write!(f, "gzip:{level}"),
            Self::Lz4 => f.write_str("lz4"),
            Self::Pcodec(level) => write!(f, "pcodec:{level}"),
            Self::Shuffled(rest) => write!(f, "shuffle+{rest}"),
            Self::Blosc(cname, level, None) => write!(f, "blosc:{cname}:{level}"),
            Self::Blosc(cname, level, Some(shuffle)) => write!(f, "blosc:{cname}:{level}:{shuffle}"),
            Self::Transposed(order, rest) => {
                let order: Vec<String> = order.iter().map(ToString::to_string).collect();
                write!(f, "transpose:{}+{rest}", order.join(","))
            }
            Self::List(list) => write!(f, "{}", json!(list)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_as_text() {
        let check = |text: &str, array: Option<&str>, spec: ChunkSpec| {
            let expected = Named { array: array.map(str::to_owned), spec };
            assert_eq!(text.parse().as_ref(), Ok(&expected), "{text}");
            assert_eq!(expected.to_string().parse().as_ref(), Ok(&expected), "{text}");
            assert_eq!(expected.spec.to_string().parse(), Ok(expected.spec), "{text}");
        };
        let named = |pairs: &[(&str, i64)]| {
            ChunkSpec::Named(pairs.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect())
        };
        check("1,500,2", None, ChunkSpec::Sizes(vec![1, 500, 2]));
        check("mag:64,-1", Some("mag"), ChunkSpec::Sizes(vec![64, -1]));
        check("a/b/c:keep", Some("a/b/c"), ChunkSpec::Keep);
        check("none", None, ChunkSpec::None);
        check("object=1, epoch=-1", None, named(&[("object", 1), ("epoch", -1)]));
        check("", None, ChunkSpec::Sizes(vec![]));
        for bad in ["1,x", "1,,2", "object=1,5", "object=", ":1", "1.5"] {
            assert!(
                matches!(bad.parse::<Named>(), Err(SpecError::Syntax { given, .. }) if given == bad),
                "{bad}"
            );
        }
    }

    #[test]
    fn keys_without_a_directory_for_each_chunk() {
        let slash = KeyEncoding::Default(Separator::Slash);
        let check = |text: &str, shape: &[u64], chunk: &[u64], expected: Separator| {
            let objects = ChunkGrid::new(shape, chunk).unwrap();
            let separator = text.parse::<KeySeparator>().unwrap();
            let keys = separator.resolve(slash, &objects);
            assert_eq!(keys, KeyEncoding::Default(expected), "{text} {shape:?} {chunk:?}");
            assert_eq!(separator.to_string(), text);
        };
        check("auto", &[1000, 50, 2], &[1, 50, 2], Separator::Dot);
        check("auto", &[1000, 50, 2], &[1000, 1, 2], Separator::Slash);
        check("auto", &[1000, 500], &[100, 1], Separator::Slash);
        check("auto", &[1000], &[1], Separator::Slash);
        check("/", &[1000, 50, 2], &[1, 50, 2], Separator::Slash);
        check(".", &[10, 5], &[5, 5], Separator::Dot);
        assert!("-".parse::<KeySeparator>().is_err());
    }

    #[test]
    fn specs_for_an_array() {
        let dimensions = Dimensions::named(vec![Some("object".to_owned()), None], 2);
        let check = |text: &str, expected: Result<&[u64], &str>| {
            let spec = text.parse::<ChunkSpec>().unwrap();
            match (spec.resolve("mag", &[100, 0], &dimensions, &[10, 7]), expected) {
                (Ok(shape), Ok(expected)) => assert_eq!(shape, expected, "{text}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text}: {error}"),
                other => panic!("{text}: {other:?}"),
            }
        };
        check("keep", Ok(&[10, 7]));
        check("-1,-1", Ok(&[100, 1]));
        check("object=3", Ok(&[3, 7]));
        check("1=5", Ok(&[10, 5]));
        check("0=5", Err("no dimension \"0\""));
        check("1,2,3", Err("3 numbers, 2 are needed"));
        check("0,1", Err("chunk length 0"));
        check("-2,1", Err("chunk length -2"));
        check("epoch=1", Err("no dimension \"epoch\""));
        check("none", Err("only shards can be left out"));
    }

    #[test]
    fn codecs_as_text() {
        let check = |text: &str, expected: Option<Codecs>| {
            let codecs = text.parse().ok();
            assert_eq!(codecs, expected, "{text}");
            let Some(codecs) = codecs else { return };
            assert_eq!(codecs.to_string().parse().as_ref(), Ok(&codecs), "{text}");
            let json = serde_json::to_string(&codecs).unwrap();
            assert_eq!(serde_json::from_str::<Codecs>(&json).unwrap(), codecs, "{json}");
        };
        check("keep", Some(Codecs::Keep));
        check("none", Some(Codecs::None));
        check("zstd", Some(Codecs::Zstd(3)));
        check("zstd:-7", Some(Codecs::Zstd(-7)));
        check("gzip:9", Some(Codecs::Gzip(9)));
        check("blosc", Some(Codecs::Blosc("lz4".to_owned(), 5, None)));
        check(
            "blosc:zstd:1:bitshuffle",
            Some(Codecs::Blosc("zstd".to_owned(), 1, Some("bitshuffle".to_owned()))),
        );
        let bitshuffled = || Codecs::Blosc("zstd".to_owned(), 5, Some("bitshuffle".to_owned()));
        check("blosc:zstd:bitshuffle", Some(bitshuffled()));
        check("lz4", Some(Codecs::Lz4));
        check("pcodec", Some(Codecs::Pcodec(8)));
        check("pcodec:12", Some(Codecs::Pcodec(12)));
        check("shuffle+zstd:1", Some(Codecs::Shuffled(Box::new(Codecs::Zstd(1)))));
        check("transpose:1,0+pcodec", Some(Codecs::Transposed(vec![1, 0], Box::new(Codecs::Pcodec(8)))));
        check("transpose:1,0,2+zstd:5", Some(Codecs::Transposed(vec![1, 0, 2], Box::new(Codecs::Zstd(5)))));
        let list = vec![CodecMetadata::new("bytes"), CodecMetadata::new("crc32c")];
        check(r#"[{"name": "bytes"}, "crc32c"]"#, Some(Codecs::List(list)));
        for bad in [
            "zst",
            "zstd:23",
            "zstd:x",
            "gzip:10",
            "gzip:1:2",
            "blosc:lzma",
            "blosc:lz4:5:sideways",
            "blosc:lz4:sideways",
            "lz4:1",
            "pcodec:13",
            "shuffle+blosc",
            "shuffle+pcodec",
            "shuffle+",
            "none:1",
            "transpose:1,0,2",
            "transpose:1,1+zstd",
            "transpose:1,2+zstd",
            "transpose:+zstd",
            "transpose:1,0+keep",
            "transpose:1,0+zst",
            "[1]",
        ] {
            check(bad, None);
        }
    }
}
