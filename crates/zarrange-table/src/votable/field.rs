//! What a FIELD declares: the type and shape of its cells.

use super::xml::{Start, attribute, cut};
use crate::batch::Kind;
use crate::table::Field;

/// Elements of an array at most that become columns of their own.
const ELEMENTS_MAX: u64 = 64;

/// A FIELD: a column of the document, and one or more of the table.
#[derive(Debug)]
pub(super) struct VoField {
    pub(super) name: String,
    unit: Option<String>,
    /// As it is declared, if it is not known.
    pub(super) datatype: Result<Datatype, String>,
    pub(super) shape: Shape,
    /// The value that stands for nothing.
    pub(super) null: Option<String>,
}

/// A primitive of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Datatype {
    Boolean,
    Bit,
    UnsignedByte,
    Short,
    Int,
    Long,
    Char,
    UnicodeChar,
    Float,
    Double,
    FloatComplex,
    DoubleComplex,
}

/// How many elements are in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// One, or an array of these dimensions.
    Fixed { elements: u64, dimensions: u32 },
    /// As many as the cell says.
    Variable,
    /// As many of another array as the cell says.
    Arrays,
}

impl VoField {
    /// Reads a FIELD.
    pub(super) fn of(start: &Start) -> Result<Self, String> {
        let name = match attribute(start, "name")? {
            Some(name) => name,
            None => attribute(start, "ID")?.ok_or("a FIELD has neither name nor ID")?,
        };
        let datatype = attribute(start, "datatype")?.unwrap_or_default();
        let shape = attribute(start, "arraysize")?.unwrap_or_default();
        let shape = Shape::of(&shape)
            .ok_or_else(|| format!("FIELD {:?} has an arraysize of {:?}", cut(&name), cut(&shape)))?;
        let unit = attribute(start, "unit")?.filter(|unit| !unit.is_empty());
        Ok(Self { datatype: Datatype::of(&datatype).ok_or(datatype), shape, name, unit, null: None })
    }

    /// How many columns of the table it makes.
    pub(super) fn width(&self) -> usize {
        match (self.kind(), self.shape) {
            (Ok(Kind::Float | Kind::Integer | Kind::Bool), Shape::Fixed { elements, .. }) => {
                usize::try_from(elements).unwrap_or(1)
            }
            (Ok(_) | Err(_), _) => 1,
        }
    }

    /// Bytes of the names and units of its columns, or a few more.
    pub(super) fn bytes(&self) -> usize {
        let texts = [Some(&self.name), self.unit.as_ref(), self.datatype.as_ref().err()];
        let bytes: usize = texts.into_iter().flatten().map(String::len).sum();
        self.width() * (bytes + 3)
    }

    /// The columns of the table that it makes.
    pub(super) fn columns(&self) -> impl Iterator<Item = Field> {
        (0..self.width()).map(|element| Field {
            name: if element == 0 { self.name.clone() } else { format!("{}_{element}", self.name) },
            unit: self.unit.clone(),
        })
    }

    /// What its columns hold, or what it is that they cannot.
    pub(super) fn kind(&self) -> Result<Kind, String> {
        let (datatype, shape) = match (&self.datatype, self.shape) {
            (Err(unknown), _) => return Err(format!("values of the type {:?}", cut(unknown))),
            (Ok(datatype), shape) => (*datatype, shape),
        };
        let kind = match datatype {
            Datatype::Char | Datatype::UnicodeChar => {
                return match shape {
                    Shape::Fixed { dimensions: 0 | 1, .. } | Shape::Variable => Ok(Kind::Text),
                    Shape::Fixed { .. } | Shape::Arrays => Err("arrays of text".to_owned()),
                };
            }
            Datatype::Bit => {
                let one = matches!(shape, Shape::Fixed { elements: 1, .. });
                return if one { Ok(Kind::Bool) } else { Err("several bits".to_owned()) };
            }
            Datatype::FloatComplex | Datatype::DoubleComplex => return Err("complex numbers".to_owned()),
            Datatype::Boolean => Kind::Bool,
            Datatype::UnsignedByte | Datatype::Short | Datatype::Int | Datatype::Long => Kind::Integer,
            Datatype::Float | Datatype::Double => Kind::Float,
        };
        match shape {
            Shape::Fixed { elements: 1..=ELEMENTS_MAX, .. } => Ok(kind),
            Shape::Fixed { elements, .. } => Err(format!("arrays of {elements} elements")),
            Shape::Variable | Shape::Arrays => Err("arrays of any length".to_owned()),
        }
    }
}

impl Datatype {
    /// `None` if the standard has no such type.
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "bit" => Self::Bit,
            "unsignedByte" => Self::UnsignedByte,
            "short" => Self::Short,
            "int" => Self::Int,
            "long" => Self::Long,
            "char" => Self::Char,
            "unicodeChar" => Self::UnicodeChar,
            "float" => Self::Float,
            "double" => Self::Double,
            "floatComplex" => Self::FloatComplex,
            "doubleComplex" => Self::DoubleComplex,
            _ => return None,
        })
    }

    /// Bytes of so many elements in BINARY; `None` if there are too many to count.
    pub(super) const fn bytes(self, elements: u64) -> Option<u64> {
        let of_one = match self {
            // Eight to a byte.
            Self::Bit => return Some(elements.div_ceil(8)),
            Self::Boolean | Self::UnsignedByte | Self::Char => 1,
            Self::Short | Self::UnicodeChar => 2,
            Self::Int | Self::Float => 4,
            Self::Long | Self::Double | Self::FloatComplex => 8,
            Self::DoubleComplex => 16,
        };
        elements.checked_mul(of_one)
    }
}

impl Shape {
    /// That of an `arraysize`: `3`, `3x4`, `*`, `20*` or `3x*`.
    fn of(size: &str) -> Option<Self> {
        if size.is_empty() {
            return Some(Self::Fixed { elements: 1, dimensions: 0 });
        }
        let (mut elements, mut dimensions) = (1_u64, 0_u32);
        for part in size.split('x') {
            dimensions = dimensions.checked_add(1)?;
            match part.trim().strip_suffix('*') {
                // How long it may be is of no use: what comes says how long it is.
                Some(_) if !size.trim().ends_with(part.trim()) => return None,
                Some(most) if most.is_empty() || most.parse::<u64>().is_ok() => {
                    return Some(if dimensions == 1 { Self::Variable } else { Self::Arrays });
                }
                Some(_) => return None,
                None => elements = elements.checked_mul(part.trim().parse().ok()?)?,
            }
        }
        Some(Self::Fixed { elements, dimensions })
    }
}

/// A whole number, which may be written as `0x..`.
pub(super) fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
