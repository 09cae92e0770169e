//! TABLEDATA: a TR for each row, and a TD for each cell.

use super::field::{Datatype, VoField, integer};
use super::wanted::{Row, Wanted, WantedColumn};
use super::xml::{Node, Start, Xml, attribute, cut, tag};
use crate::batch::Batch;
use crate::error::TableError;

/// Bytes of text in a row at most.
const ROW_BYTES_MAX: usize = 16 << 20;

/// Reads the next row into `batch`.
pub(super) fn row(
    xml: &mut Xml,
    fields: &[VoField],
    wanted: &Wanted,
    batch: &mut Batch,
) -> Result<Row, TableError> {
    match start(xml, "TR", "TABLEDATA")? {
        Some(_) => {}
        None => return Ok(Row::End),
    }
    let (mut cells, mut bytes, mut reason, mut text) = (0, 0, None, String::new());
    while let Some(encoded) = start(xml, "TD", "TR")? {
        text.clear();
        xml.text(&mut text)?;
        let field = fields.get(cells);
        cells += 1;
        let columns = field.map_or(&[][..], |_| wanted.of(cells - 1));
        if let (Some(field), None, false) = (field, &reason, columns.is_empty()) {
            bytes += text.len();
            reason = if bytes > ROW_BYTES_MAX {
                Some(format!("it has more than {ROW_BYTES_MAX} bytes of text"))
            } else if encoded {
                Some(format!("its {} is encoded, and not written out", field.name))
            } else {
                cell(field, text.trim(), columns, batch).err()
            };
        }
    }
    if cells != fields.len() {
        reason = Some(format!("{cells} cells, where there are {} columns", fields.len()));
    }
    Ok(Row::Read(reason))
}

/// Reads up to the start of a `name`, which says whether it is encoded; `None` if its `parent` ends instead.
fn start(xml: &mut Xml, name: &str, parent: &str) -> Result<Option<bool>, TableError> {
    loop {
        let found = match xml.next()? {
            Node::Start(start) if start.local_name().as_ref() == name => {
                let encoded = is_encoded(&start);
                return encoded.map(Some).map_err(|reason| xml.failed(reason));
            }
            Node::Start(start) => format!("<{}>", tag(&start)),
            Node::Text(text) if text.trim().is_empty() => continue,
            Node::Text(text) => format!("{:?}", cut(text)),
            Node::End(_) => return Ok(None),
            Node::Eof => "its end".to_owned(),
        };
        return Err(xml.failed(format!("{found} stands in {parent}, where only {name} may")));
    }
}

fn is_encoded(start: &Start) -> Result<bool, String> {
    // Hardly any cell has attributes.
    Ok(start.name().as_ref().len() < start.len() && attribute(start, "encoding")?.is_some())
}

/// Adds what a cell holds to the columns that are made of its field.
fn cell(field: &VoField, text: &str, columns: &[WantedColumn], batch: &mut Batch) -> Result<(), String> {
    let elements = field.width();
    if elements == 1 {
        let text = if is_null(field, text) { "" } else { text };
        return columns.iter().try_for_each(|column| element(field, text, column.k, batch));
    }
    let mut parts = text.split_ascii_whitespace();
    let (mut at, mut count) = (columns.iter().peekable(), 0);
    if text.is_empty() {
        return columns.iter().try_for_each(|column| element(field, "", column.k, batch));
    }
    for part in &mut parts {
        let part = if is_null(field, part) { "" } else { part };
        while let Some(column) = at.next_if(|column| column.element == count) {
            element(field, part, column.k, batch)?;
        }
        count += 1;
    }
    if count == elements {
        Ok(())
    } else {
        Err(format!("its {} has {count} elements, where there are {elements}", field.name))
    }
}

/// Adds an element: numbers as they are written, as decimals.
fn element(field: &VoField, text: &str, k: usize, batch: &mut Batch) -> Result<(), String> {
    match field.datatype {
        Ok(Datatype::Boolean | Datatype::Bit) => {
            let value = match &text.to_ascii_lowercase()[..] {
                "t" | "true" | "1" => Some(true),
                "f" | "false" | "0" => Some(false),
                "" | "?" => None,
                _ => return Err(format!("its {} is {:?}, neither true nor false", field.name, cut(text))),
            };
            batch.push_bool(k, value);
        }
        Ok(Datatype::UnsignedByte | Datatype::Short | Datatype::Int | Datatype::Long) => {
            match integer(text) {
                Some(value) if text.contains(['x', 'X']) => batch.push_text(k, &value.to_string()),
                Some(_) | None => batch.push_text(k, text),
            }
        }
        _ => batch.push_text(k, text),
    }
    Ok(())
}

/// Whether a cell holds what its field has for nothing.
fn is_null(field: &VoField, text: &str) -> bool {
    let Some(null) = &field.null else { return false };
    // A number may be written in several ways.
    let same = match field.datatype {
        Ok(Datatype::UnsignedByte | Datatype::Short | Datatype::Int | Datatype::Long) => {
            integer(text).is_some_and(|value| integer(null) == Some(value))
        }
        Ok(Datatype::Float | Datatype::Double) => {
            text.parse::<f64>().is_ok_and(|value| null.parse() == Ok(value))
        }
        Ok(_) | Err(_) => false,
    };
    same || text == null
}
