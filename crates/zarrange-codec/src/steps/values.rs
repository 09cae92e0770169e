//! The codecs of Zarr v3 that compute with values: one number in, one number out.

use crate::CodecError;
use crate::steps::cast::Cast;
use crate::steps::config::Config;
use crate::steps::number::Number;
use crate::steps::scale::Scale;

/// A codec from an array of numbers to one of as many numbers, both in native byte order.
#[derive(Debug)]
pub(crate) enum Values {
    Cast(Cast),
    Scale(Scale),
}

impl Values {
    /// The names of the codecs.
    pub(crate) const NAMES: [&str; 2] = ["cast_value", "scale_offset"];

    /// The codec that `config` describes, for elements of a type: its numbers, if it has them, else its name.
    pub(crate) fn parse(
        config: Config<'_>,
        number: Option<Number>,
        type_name: &str,
    ) -> Result<Self, CodecError> {
        let number = match number {
            Some(number @ (Number::Int { .. } | Number::Float { .. })) => number,
            other => {
                let name = other.map_or_else(|| type_name.to_owned(), |number| number.to_string());
                let takes = format!("takes integers and floats of up to 8 bytes, not {name}");
                return Err(config.unsupported(takes));
            }
        };
        if config.codec() == "cast_value" {
            Cast::parse(config, number).map(Self::Cast)
        } else {
            Scale::parse(config, number).map(Self::Scale)
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Cast(_) => "cast_value",
            Self::Scale(_) => "scale_offset",
        }
    }

    /// Elements before encoding.
    pub(crate) const fn decoded(&self) -> Number {
        match self {
            Self::Cast(cast) => cast.decoded(),
            Self::Scale(scale) => scale.number(),
        }
    }

    /// Elements after encoding.
    pub(crate) const fn encoded(&self) -> Number {
        match self {
            Self::Cast(cast) => cast.encoded(),
            Self::Scale(scale) => scale.number(),
        }
    }

    /// Whether values may not come back.
    pub(crate) fn loses(&self) -> bool {
        match self {
            Self::Cast(cast) => cast.loses(),
            Self::Scale(scale) => scale.loses(),
        }
    }

    /// From elements to as many elements, which `dst` has room for.
    pub(crate) fn decode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let decoded = match self {
            Self::Cast(cast) => cast.decode(src, dst),
            Self::Scale(scale) => scale.decode(src, dst),
        };
        decoded.map_err(|detail| CodecError::corrupt(self.name(), detail))
    }

    /// As [`Self::decode`], the other way.
    pub(crate) fn encode(&self, src: &[u8], dst: &mut [u8]) -> Result<(), CodecError> {
        let encoded = match self {
            Self::Cast(cast) => cast.encode(src, dst),
            Self::Scale(scale) => scale.encode(src, dst),
        };
        let (codec, bytes) = (self.name(), src.len() as u64);
        encoded.map_err(|detail| CodecError::Encode { codec, bytes, detail })
    }
}
