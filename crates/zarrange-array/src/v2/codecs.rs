//! Filters and compressors of v2 as codecs of v3.

use zarrange_codec::{CodecMetadata, NumpyType, Order};

use super::dtype::{Elements, WAY_ROUND};
use crate::json::{Json, Members};
use crate::named::{codec_metadata, named};

/// What a codec of numcodecs makes of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Numbers of other numbers: before the bytes, in v3.
    Numbers,
    /// Bytes of bytes.
    Bytes,
    /// Bytes of an array.
    Serializer,
    /// Bytes of objects.
    Objects,
    /// Bytes of bytes or numbers of text, without a name in v3: what is written anew goes without it.
    Nameless,
}

/// Every codec of numcodecs. Those with names of the specification are renamed by [`Codec::standard`].
const KINDS: [(&str, Kind); 25] = [
    ("delta", Kind::Numbers),
    ("fixedscaleoffset", Kind::Numbers),
    ("quantize", Kind::Numbers),
    ("bitround", Kind::Numbers),
    ("packbits", Kind::Numbers),
    ("astype", Kind::Numbers),
    ("shuffle", Kind::Bytes),
    ("fletcher32", Kind::Bytes),
    ("crc32", Kind::Bytes),
    ("crc32c", Kind::Bytes),
    ("adler32", Kind::Bytes),
    ("jenkins_lookup3", Kind::Bytes),
    ("blosc", Kind::Bytes),
    ("zstd", Kind::Bytes),
    ("lz4", Kind::Bytes),
    ("lzma", Kind::Bytes),
    ("gzip", Kind::Bytes),
    ("zlib", Kind::Bytes),
    ("bz2", Kind::Bytes),
    ("pcodec", Kind::Serializer),
    ("zfpy", Kind::Serializer),
    ("vlen-utf8", Kind::Objects),
    ("vlen-bytes", Kind::Objects),
    ("categorize", Kind::Nameless),
    ("base64", Kind::Nameless),
];

/// Codecs that have levels: the least, the most, what is meant by none, and what is meant by -1.
const LEVELS: [(&str, &str, [i64; 4]); 6] = [
    ("blosc", "clevel", [0, 9, 5, 5]),
    ("zstd", "level", [-131_072, 22, 1, -1]),
    ("gzip", "level", [0, 9, 1, 6]),
    ("zlib", "level", [0, 9, 1, 6]),
    ("bz2", "level", [1, 9, 1, 9]),
    ("lzma", "preset", [0, 9, 6, 6]),
];

/// The codecs of an array.
#[derive(Debug)]
pub(super) struct Codecs {
    /// Those of v3.
    pub(super) written: Vec<Json>,
    /// Those of the stored bytes, where v3 cannot say it: the elements as bytes, then every codec in its order.
    pub(super) stored: Option<Vec<CodecMetadata>>,
}

/// Translates what is done to the elements of a chunk; with `transposed`, their dimensions, so many, are reversed first.
pub(super) fn translate(
    elements: &Elements,
    filters: &[Json],
    compressor: Option<&Json>,
    transposed: Option<usize>,
) -> Result<Codecs, String> {
    let codecs: Vec<Codec> = filters.iter().chain(compressor).map(Codec::parse).collect::<Result<_, _>>()?;
    let transpose = transposed.map(|rank| {
        named(
            "transpose",
            [("order", Json::Array((0..rank).rev().map(|d| Json::integer(d as u64)).collect()))],
        )
    });
    if let Some(serializer) = codecs.iter().find(|c| c.kind == Kind::Serializer) {
        return serialized(elements, &codecs, serializer, transpose);
    }
    let mut list = Pipeline::new(elements);
    for codec in &codecs {
        list.push(codec)?;
    }
    Ok(list.finish(elements, transpose))
}

/// One that takes the array itself stands alone.
fn serialized(
    elements: &Elements,
    codecs: &[Codec],
    serializer: &Codec,
    transpose: Option<Json>,
) -> Result<Codecs, String> {
    if codecs.len() > 1 || elements.order == Order::Big || elements.element.is_none() {
        let id = &serializer.id;
        return Err(format!(
            "{id:?} stands among other codecs or after numbers in big endian order: {WAY_ROUND}"
        ));
    }
    let codec = serializer.numcodecs(serializer.configuration.clone());
    Ok(Codecs { written: transpose.into_iter().chain([codec]).collect(), stored: None })
}

/// A filter or compressor.
#[derive(Debug)]
struct Codec {
    id: String,
    kind: Kind,
    configuration: Members,
}

impl Codec {
    fn parse(json: &Json) -> Result<Self, String> {
        let mut configuration = json.as_object().cloned().unwrap_or_default();
        let id = configuration.shift_remove("id");
        let id = id.as_ref().and_then(Json::as_str).ok_or_else(|| format!("codec {json} has no id"))?;
        let kind = KINDS.iter().find(|(known, _)| *known == id).map(|(_, kind)| *kind);
        let kind = kind.ok_or_else(|| format!("codec {id:?} is not one of numcodecs: {WAY_ROUND}"))?;
        let mut codec = Self { id: id.to_owned(), kind, configuration };
        if codec.id == "shuffle" && codec.get("elementsize").is_none() {
            // The default of numcodecs; in v3 it is that of the array.
            codec.configuration.insert("elementsize".to_owned(), Json::integer(4));
        }
        codec.set_level()?;
        Ok(codec)
    }

    /// Makes a level that is missing or -1 one that v3 has; decoding does not depend on it.
    fn set_level(&mut self) -> Result<(), String> {
        let Some((_, key, [least, most, missing, default])) = LEVELS.iter().find(|(id, ..)| *id == self.id)
        else {
            return Ok(());
        };
        let level = match self.configuration.get(*key) {
            // What lzma takes for no preset.
            None | Some(Json::Null) if self.id == "lzma" => return Ok(()),
            None | Some(Json::Null) => *missing,
            Some(given) => match given.as_number().and_then(crate::json::Number::as_integer) {
                Some(-1) => *default,
                // Flags of presets stand above their numbers.
                Some(level) if self.id == "lzma" && (least..=most).contains(&&(level & 0x7FFF_FFFF)) => level,
                Some(level) if (least..=most).contains(&&level) => level,
                _ => {
                    let id = &self.id;
                    return Err(format!("{key} of {id} is {given}, from {least} to {most} would be right"));
                }
            },
        };
        self.configuration.insert((*key).to_owned(), Json::integer(level));
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&Json> {
        self.configuration.get(key).filter(|value| !value.is_null())
    }

    /// A member that names a data type of numpy.
    fn numpy(&self, key: &str) -> Result<Option<NumpyType>, String> {
        let Some(name) = self.get(key) else { return Ok(None) };
        let numpy = name.as_str().and_then(NumpyType::parse);
        numpy.map(Some).ok_or_else(|| format!("{key} of {} is {name}, which is no type of numpy", self.id))
    }

    /// The codec under numcodecs' name in v3.
    fn numcodecs(&self, configuration: Members) -> Json {
        let mut members = Members::new();
        members.insert("name".to_owned(), Json::String(format!("numcodecs.{}", self.id)));
        members.insert("configuration".to_owned(), Json::Object(configuration));
        Json::Object(members)
    }

    /// The codec of the specification that makes the same bytes, where there is one, else that of numcodecs. `item_bytes` are those
    /// of an element of what it gets.
    fn standard(&self, item_bytes: usize) -> Result<Json, String> {
        let get = |key: &str, default: i64| self.get(key).cloned().unwrap_or_else(|| Json::integer(default));
        Ok(match self.id.as_str() {
            "zstd" => {
                let checksum = self.get("checksum").cloned().unwrap_or(Json::Bool(false));
                named("zstd", [("level", get("level", 1)), ("checksum", checksum)])
            }
            "gzip" => named("gzip", [("level", get("level", 1))]),
            "crc32c" if self.get("location").is_none_or(|at| at.as_str() == Some("end")) => {
                named("crc32c", [])
            }
            "blosc" => {
                let cname = self.get("cname").cloned().unwrap_or_else(|| "lz4".into());
                named(
                    "blosc",
                    [
                        ("typesize", Json::integer(item_bytes.clamp(1, 255) as u64)),
                        ("cname", cname),
                        ("clevel", get("clevel", 5)),
                        ("shuffle", self.blosc_shuffle(item_bytes)?.into()),
                        ("blocksize", get("blocksize", 0)),
                    ],
                )
            }
            _ => self.numcodecs(self.configuration.clone()),
        })
    }

    /// numcodecs chooses by the size of the elements where it is left to it.
    fn blosc_shuffle(&self, item_bytes: usize) -> Result<&'static str, String> {
        let given = self.get("shuffle");
        Ok(match given.map_or(Some(1), |s| s.as_number().and_then(crate::json::Number::as_integer::<i64>)) {
            Some(0) => "noshuffle",
            Some(1) => "shuffle",
            Some(2) => "bitshuffle",
            Some(-1) => {
                if item_bytes == 1 {
                    "bitshuffle"
                } else {
                    "shuffle"
                }
            }
            _ => {
                let given = given.unwrap_or(&Json::Null);
                return Err(format!("shuffle of blosc is {given}, 0, 1, 2 or -1 would be right"));
            }
        })
    }
}

/// The codecs so far, as v3 has them and as they are.
struct Pipeline {
    /// What the last filter on numbers made; `None` once they are bytes only.
    numbers: Option<NumpyType>,
    /// In v3: on numbers, and on bytes.
    filters: Vec<Json>,
    packers: Vec<Json>,
    /// In their order, as they are.
    stored: Vec<Json>,
    /// v3 cannot describe the stored bytes.
    indescribable: bool,
    /// Filters on numbers are in bytes of big endian order.
    big: bool,
    /// What makes bytes of objects.
    objects: Option<Json>,
}

impl Pipeline {
    fn new(elements: &Elements) -> Self {
        let numbers = elements.element.as_ref().and_then(|_| elements.numpy());
        let (filters, packers, stored) = (Vec::new(), Vec::new(), Vec::new());
        Self { numbers, filters, packers, stored, indescribable: false, big: false, objects: None }
    }

    fn item_bytes(&self, elements_are_bytes: bool) -> usize {
        if elements_are_bytes { 1 } else { self.numbers.as_ref().map_or(1, |numpy| numpy.bytes) }
    }

    fn push(&mut self, codec: &Codec) -> Result<(), String> {
        match codec.kind {
            Kind::Objects if self.stored.is_empty() && self.numbers.is_none() => {
                self.objects = Some(named(&codec.id, []));
                return Ok(());
            }
            Kind::Nameless if codec.id == "categorize" && self.stored.is_empty() => {
                self.indescribable = true;
                self.objects = Some(codec.numcodecs(codec.configuration.clone()));
                self.numbers = codec.numpy("astype")?;
                return Ok(());
            }
            Kind::Objects | Kind::Serializer => {
                return Err(format!("{:?} stands behind other codecs: {WAY_ROUND}", codec.id));
            }
            Kind::Numbers => self.push_numbers(codec)?,
            Kind::Bytes => {
                let bytes_only = !self.packers.is_empty();
                let json = codec.standard(self.item_bytes(bytes_only))?;
                self.packers.push(json.clone());
                self.stored.push(json);
            }
            Kind::Nameless => {
                self.indescribable = true;
                self.stored.push(codec.numcodecs(codec.configuration.clone()));
            }
        }
        Ok(())
    }

    /// A filter on numbers of the type that there is; on anything else it is left out of what is written.
    fn push_numbers(&mut self, codec: &Codec) -> Result<(), String> {
        let (input, output) = codec.types(self.numbers.as_ref())?;
        self.stored.push(codec.with_types(input.as_ref(), output.as_ref(), false));
        let fits =
            input.as_ref().is_none_or(|input| self.numbers.as_ref().is_some_and(|now| same(now, input)));
        let describable = fits && self.packers.is_empty() && !self.indescribable;
        self.indescribable |= !describable;
        if describable {
            // zarr-python cannot decode what it encodes where the type changes.
            let narrowed = codec.id == "quantize" && input != output;
            self.indescribable |= narrowed;
            self.big |= [&input, &output].into_iter().flatten().any(|numpy| numpy.order == Order::Big);
            let output = if narrowed { input.clone() } else { output.clone() };
            self.filters.push(codec.with_types(input.as_ref(), output.as_ref(), true));
        }
        self.numbers = output;
        Ok(())
    }

    fn finish(mut self, elements: &Elements, transpose: Option<Json>) -> Codecs {
        // Where elements of one byte become larger numbers, zarr-python takes these for elements without an order, and fails.
        let ordered = self.numbers.as_ref().is_some_and(|numpy| numpy.order != Order::None);
        if !self.filters.is_empty() && elements.order == Order::None && ordered {
            self.filters.clear();
            self.indescribable = true;
        }
        let filtered = !self.filters.is_empty();
        self.indescribable |= !elements.swapped.is_empty();
        // Filters on numbers work in v3 on numbers in native order, and as they lie.
        self.indescribable |= filtered && (self.big || elements.order == Order::Big || transpose.is_some());
        if !self.indescribable {
            let serializer = match &self.objects {
                Some(objects) => objects.clone(),
                None => bytes(elements.order, self.numbers.as_ref().filter(|_| filtered), elements),
            };
            let written = transpose.into_iter().chain(self.filters).chain([serializer]).chain(self.packers);
            return Codecs { written: written.collect(), stored: None };
        }
        let swaps = elements.swaps();
        let stored = transpose.iter().cloned().chain([match &self.objects {
            Some(objects) => objects.clone(),
            None => named("bytes", [("endian", endian_name(elements.order).into())]),
        }]);
        let stored: Vec<Json> = stored.chain(swaps).chain(self.stored).collect();
        let stored = stored.iter().map(codec_metadata).collect::<Result<_, _>>();
        let stored = stored.unwrap_or_else(|error| unreachable!("codecs made of names and members: {error}"));
        let serializer = match &elements.element {
            None => named(elements.serializer(), []),
            Some(_) if filtered => named("bytes", [("endian", "little".into())]),
            Some(_) => bytes(Order::Little, None, elements),
        };
        let transpose = transpose.filter(|_| !filtered);
        let written = transpose.into_iter().chain(self.filters).chain([serializer]).chain(self.packers);
        Codecs { written: written.collect(), stored: Some(stored) }
    }
}

impl Codec {
    /// What a filter on numbers gets and makes; numcodecs' defaults, where they are not given. `now` is what there is.
    fn types(&self, now: Option<&NumpyType>) -> Result<(Option<NumpyType>, Option<NumpyType>), String> {
        let input = |key: &str| {
            let given = self.numpy(key)?;
            given
                .map(Some)
                .ok_or_else(|| format!("{key} of {} is missing: a type of numpy would be right", self.id))
        };
        match self.id.as_str() {
            "astype" => {
                let output = self.numpy("encode_dtype")?.ok_or("encode_dtype of astype is missing")?;
                Ok((input("decode_dtype")?, Some(output)))
            }
            "packbits" => Ok((now.cloned(), NumpyType::parse("|u1"))),
            "bitround" => Ok((now.cloned(), now.cloned())),
            _ => {
                let input = input("dtype")?;
                Ok((input.clone(), self.numpy("astype")?.or(input)))
            }
        }
    }

    /// The filter with its types named, in little endian order for v3.
    fn with_types(&self, input: Option<&NumpyType>, output: Option<&NumpyType>, little: bool) -> Json {
        let mut configuration = self.configuration.clone();
        let keys = match self.id.as_str() {
            "astype" => ["decode_dtype", "encode_dtype"],
            "packbits" | "bitround" => return self.numcodecs(configuration),
            _ => ["dtype", "astype"],
        };
        for (key, numpy) in keys.into_iter().zip([input, output]) {
            let Some(numpy) = numpy else { continue };
            let swapped = NumpyType { order: Order::Little, ..numpy.clone() };
            let named = if little && numpy.order == Order::Big { &swapped } else { numpy };
            configuration.insert(key.to_owned(), Json::String(named.to_string()));
        }
        self.numcodecs(configuration)
    }
}

/// The same numbers, whatever their order.
fn same(a: &NumpyType, b: &NumpyType) -> bool {
    (a.kind, a.bytes, &a.unit) == (b.kind, b.bytes, &b.unit)
}

const fn endian_name(order: Order) -> &'static str {
    if matches!(order, Order::Big) { "big" } else { "little" }
}

/// The `bytes` codec for what filters made of the elements; without a byte order where there is none.
fn bytes(order: Order, numbers: Option<&NumpyType>, elements: &Elements) -> Json {
    let unordered = match numbers {
        Some(numpy) => numpy.order == Order::None && elements.order == Order::None,
        None => elements.order == Order::None && elements.is_unordered(),
    };
    if unordered { named("bytes", []) } else { named("bytes", [("endian", endian_name(order).into())]) }
}
