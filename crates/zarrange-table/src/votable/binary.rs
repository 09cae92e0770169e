//! BINARY and BINARY2: rows of big-endian numbers, in base64 within a STREAM.

use super::base64::Base64;
use super::field::{Datatype, Shape, VoField};
use super::wanted::{Row, Wanted, WantedColumn};
use super::xml::{Node, TEXT_BYTES_MAX, Xml, attribute, cut, tag};
use crate::batch::{Batch, Kind};
use crate::error::TableError;

/// The inline STREAM of a table.
pub(super) struct Stream {
    bytes: Base64,
    /// What each field has for nothing.
    nulls: Vec<Null>,
    /// Bytes of flags before each row, of which one is a field that is missing.
    flag_bytes: usize,
    flags: Vec<u8>,
}

/// What a field has for nothing.
#[derive(Debug, PartialEq)]
enum Null {
    None,
    Integer(i64),
    Float(f64),
    Text(String),
}

/// A cell of a row.
struct Cell<'a> {
    field: &'a VoField,
    datatype: Datatype,
    null: &'a Null,
    columns: &'a [WantedColumn],
}

impl Stream {
    /// Reads up to the first row.
    pub(super) fn open(xml: &mut Xml, fields: &[VoField], null_flags: bool) -> Result<Self, TableError> {
        for field in fields {
            let name = cut(&field.name);
            let reason = match (&field.datatype, field.shape) {
                (Err(unknown), _) => format!("FIELD {name:?} is of the unknown type {:?}", cut(unknown)),
                // Readers count either the elements or the arrays.
                (Ok(_), Shape::Arrays) => {
                    format!(
                        "FIELD {name:?} has arrays of arrays of any length, which readers count differently"
                    )
                }
                (Ok(_), Shape::Fixed { .. } | Shape::Variable) => continue,
            };
            return Err(xml.failed(format!("{reason}: have the table written as TABLEDATA")));
        }
        let flag_bytes = if null_flags { fields.len().div_ceil(8) } else { 0 };
        let is_nothing = |field: &VoField| matches!(field.shape, Shape::Fixed { elements: 0, .. });
        if flag_bytes == 0 && fields.iter().all(is_nothing) {
            return Err(xml.failed("all of its fields have an arraysize of 0: its rows have no bytes"));
        }
        inline(xml)?;
        let nulls = fields.iter().map(Null::of).collect();
        Ok(Self { bytes: Base64::default(), nulls, flag_bytes, flags: Vec::new() })
    }

    /// Reads the next row into `batch`.
    pub(super) fn row(
        &mut self,
        xml: &mut Xml,
        fields: &[VoField],
        wanted: &Wanted,
        batch: &mut Batch,
    ) -> Result<Row, TableError> {
        let Self { bytes, nulls, flag_bytes, flags } = self;
        if bytes.is_at_end(xml)? {
            end(xml)?;
            return Ok(Row::End);
        }
        flags.clear();
        flags.extend_from_slice(bytes.take(xml, *flag_bytes, "the flags of what is missing")?);
        let mut reason = None;
        for (k, field) in fields.iter().enumerate() {
            // Fields of other types were refused when it was opened.
            let Ok(datatype) = field.datatype else { continue };
            let missing = flags.get(k / 8).is_some_and(|flags| flags & (0x80 >> (k % 8)) != 0);
            let columns = if reason.is_none() { wanted.of(k) } else { &[] };
            let cell = Cell { field, datatype, null: &nulls[k], columns };
            reason = cell.read(xml, bytes, missing, batch)?.or(reason);
        }
        Ok(Row::Read(reason))
    }
}

impl Cell<'_> {
    /// Reads the cell, and adds it to its columns; says what is wrong with it.
    fn read(
        &self,
        xml: &mut Xml,
        bytes: &mut Base64,
        missing: bool,
        batch: &mut Batch,
    ) -> Result<Option<String>, TableError> {
        let name = &self.field.name;
        let elements = match self.field.shape {
            Shape::Fixed { elements, .. } => elements,
            Shape::Variable | Shape::Arrays => {
                u64::from(u32::from_be_bytes(array(bytes.take(xml, 4, name)?)))
            }
        };
        let length = self.datatype.bytes(elements);
        let length = length.ok_or_else(|| xml.failed(format!("{name} has {elements} elements")))?;
        if self.columns.is_empty() || missing {
            bytes.skip(xml, length, name)?;
            self.columns.iter().for_each(|column| push_nothing(*column, batch));
            return Ok(None);
        }
        match usize::try_from(length) {
            Ok(length) if length <= TEXT_BYTES_MAX => {
                let cell = bytes.take(xml, length, name)?;
                Ok(self.columns.iter().try_for_each(|column| self.push(*column, cell, batch)).err())
            }
            Ok(_) | Err(_) => {
                bytes.skip(xml, length, name)?;
                Ok(Some(format!("its {name} has {length} bytes, where there may be {TEXT_BYTES_MAX}")))
            }
        }
    }

    /// Adds what a column has of the cell.
    fn push(&self, column: WantedColumn, cell: &[u8], batch: &mut Batch) -> Result<(), String> {
        let WantedColumn { element, k, kind } = column;
        let integer = |value: i64| (*self.null != Null::Integer(value)).then_some(value);
        let float = |value: f64| if *self.null == Null::Float(value) { f64::NAN } else { value };
        match self.datatype {
            Datatype::Char | Datatype::UnicodeChar => {
                let text =
                    text(self.datatype, cell).map_err(|what| format!("its {} is {what}", self.field.name))?;
                let text = text.trim();
                let missing = matches!(self.null, Null::Text(null) if null == text);
                batch.push_text(k, if missing { "" } else { text });
            }
            Datatype::Boolean => match cell[element] {
                b'T' | b't' | b'1' => batch.push_bool(k, Some(true)),
                b'F' | b'f' | b'0' => batch.push_bool(k, Some(false)),
                b'?' | b' ' | 0 => batch.push_bool(k, None),
                other => {
                    let name = &self.field.name;
                    return Err(format!("its {name} is a byte of {other}, neither true nor false"));
                }
            },
            Datatype::UnsignedByte => batch.push_integer(k, integer(i64::from(cell[element]))),
            Datatype::Short => batch.push_integer(k, integer(i16::from_be_bytes(nth(cell, element)).into())),
            Datatype::Int => batch.push_integer(k, integer(i32::from_be_bytes(nth(cell, element)).into())),
            Datatype::Long => batch.push_integer(k, integer(i64::from_be_bytes(nth(cell, element)))),
            Datatype::Float => batch.push_float(k, float(f32::from_be_bytes(nth(cell, element)).into())),
            Datatype::Double => batch.push_float(k, float(f64::from_be_bytes(nth(cell, element)))),
            // The standard has the first bit for true, astropy another one.
            Datatype::Bit => batch.push_bool(k, Some(cell[element] != 0)),
            // No column of theirs can be wanted.
            Datatype::FloatComplex | Datatype::DoubleComplex => {
                debug_assert!(false, "{kind:?} of {:?}", self.datatype);
            }
        }
        Ok(())
    }
}

impl Null {
    /// What is declared; nothing if it is no value of its type.
    fn of(field: &VoField) -> Self {
        let (Some(null), Ok(datatype)) = (&field.null, &field.datatype) else { return Self::None };
        match datatype {
            Datatype::Char | Datatype::UnicodeChar => Self::Text(null.clone()),
            Datatype::UnsignedByte | Datatype::Short | Datatype::Int | Datatype::Long => {
                super::field::integer(null).map_or(Self::None, Self::Integer)
            }
            // As it is rounded in the file.
            Datatype::Float => null.parse::<f32>().map_or(Self::None, |null| Self::Float(f64::from(null))),
            Datatype::Double => null.parse().map_or(Self::None, Self::Float),
            Datatype::Boolean | Datatype::Bit | Datatype::FloatComplex | Datatype::DoubleComplex => {
                Self::None
            }
        }
    }
}

fn push_nothing(column: WantedColumn, batch: &mut Batch) {
    match column.kind {
        Kind::Text => batch.push_text(column.k, ""),
        Kind::Float | Kind::Single => batch.push_float(column.k, f64::NAN),
        Kind::Integer => batch.push_integer(column.k, None),
        Kind::Bool => batch.push_bool(column.k, None),
    }
}

/// Text up to the first zero, or why there is none.
fn text(datatype: Datatype, cell: &[u8]) -> Result<String, &'static str> {
    if datatype == Datatype::UnicodeChar {
        let units = cell.chunks_exact(2).map(|unit| u16::from_be_bytes(array(unit)));
        let text = char::decode_utf16(units.take_while(|unit| *unit != 0)).collect::<Result<_, _>>();
        return text.map_err(|_| "not UTF-16");
    }
    let end = cell.iter().position(|byte| *byte == 0).unwrap_or(cell.len());
    std::str::from_utf8(&cell[..end]).map(str::to_owned).map_err(|_| "not UTF-8")
}

/// The bytes of one element.
fn nth<const N: usize>(cell: &[u8], element: usize) -> [u8; N] {
    array(&cell[element * N..][..N])
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// Reads up to the bytes of the STREAM, which must be in the document.
fn inline(xml: &mut Xml) -> Result<(), TableError> {
    let reason = loop {
        let start = match xml.next()? {
            Node::Start(start) if start.local_name().as_ref() == "STREAM" => start,
            Node::Start(start) => break format!("<{}> stands where STREAM should", tag(&start)),
            Node::Text(text) if text.trim().is_empty() => continue,
            Node::Text(_) | Node::End(_) | Node::Eof => break "its BINARY has no STREAM".to_owned(),
        };
        let attributes =
            attribute(&start, "href").and_then(|href| Ok((href, attribute(&start, "encoding")?)));
        match attributes {
            Err(reason) => break reason,
            Ok((Some(href), _)) => {
                break format!(
                    "its rows are not in it, but at {:?}, which is not fetched: have them written inline, as TABLEDATA or BINARY2",
                    cut(&href)
                );
            }
            Ok((None, Some(encoding))) if encoding != "base64" => {
                break format!(
                    "its STREAM has the encoding {:?}, where it may be base64: have it written as BINARY2 or TABLEDATA",
                    cut(&encoding)
                );
            }
            Ok((None, _)) => return Ok(()),
        }
    };
    Err(xml.failed(reason))
}

/// Reads the end of the STREAM.
fn end(xml: &mut Xml) -> Result<(), TableError> {
    loop {
        let found = match xml.next()? {
            Node::End(_) => return Ok(()),
            Node::Text(text) if text.trim().is_empty() => continue,
            Node::Text(text) => format!("{:?}", cut(text)),
            Node::Start(start) => format!("<{}>", tag(&start)),
            Node::Eof => "its end".to_owned(),
        };
        return Err(xml.failed(format!("{found} stands in its STREAM, where only base64 may")));
    }
}
