//! `VOTable` of the IVOA (1.0 to 1.5): the first TABLE that has DATA, as TABLEDATA, BINARY or BINARY2.
//!
//! What the document refers to elsewhere is not fetched, and it declares no entities: nothing in it can make it longer than it is.

mod base64;
mod binary;
mod field;
mod tabledata;
#[cfg(test)]
mod tests;
mod wanted;
mod xml;

use crate::batch::Batch;
use crate::error::TableError;
use crate::input::Input;
use crate::table::{Places, Rows, Table};
use binary::Stream;
use field::VoField;
use wanted::{Row, Wanted};
use xml::{Node, Xml, attribute, cut};

/// Columns at most.
const COLUMNS_MAX: usize = 1 << 16;

/// Bytes of all names, units and values for nothing at most.
const FIELD_BYTES_MAX: usize = 16 << 20;

/// Whether a file that begins so is XML or HTML; what is no `VOTable` of that is named when it is read.
pub(crate) fn begins(begin: &[u8]) -> bool {
    let begin = begin.trim_ascii_start();
    let Some(rest) = begin.strip_prefix(b"<") else { return false };
    let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'>');
    let name = rest[..end.unwrap_or(rest.len())].to_ascii_lowercase();
    let local = name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
    [b"?xml", b"!--".as_slice(), b"!doctype"].iter().any(|known| name.starts_with(known))
        || matches!(local, b"votable" | b"html")
}

/// Opens the first table with data of a document.
pub(crate) fn open(input: Input) -> Result<Table, TableError> {
    let mut xml = Xml::new(input);
    let mut status = Status::default();
    let (fields, serialisation) = header(&mut xml, &mut status)?;
    let body = match serialisation {
        Serialisation::Nothing => Body::Nothing,
        Serialisation::Tabledata => Body::Tabledata,
        Serialisation::Binary { null_flags } => Body::Binary(Stream::open(&mut xml, &fields, null_flags)?),
    };
    xml.row = 1;
    let columns = fields.iter().flat_map(VoField::columns).collect();
    Ok(Table::new(columns, Places::Rows, Box::new(Document { xml, fields, body, status })))
}

/// How rows are written.
enum Serialisation {
    /// There are none: the document has ended.
    Nothing,
    Tabledata,
    /// BINARY, or BINARY2 with flags for what is missing.
    Binary {
        null_flags: bool,
    },
}

/// The FIELDs of a TABLE.
#[derive(Default)]
struct Fields {
    list: Vec<VoField>,
    /// Columns that they make.
    columns: usize,
    /// Bytes of what is kept of them.
    bytes: usize,
}

/// Reads up to the first row: the FIELDs of the first TABLE with DATA.
fn header(xml: &mut Xml, status: &mut Status) -> Result<(Vec<VoField>, Serialisation), TableError> {
    let (mut table, mut without_data) = (Fields::default(), Vec::new());
    // VALUES may belong to a PARAM.
    let (mut in_table, mut in_field) = (false, false);
    loop {
        let depth = xml.depth();
        let start = match xml.next()? {
            Node::Start(start) => start,
            Node::End(name) => {
                in_field &= name != "FIELD";
                if name == "TABLE" {
                    in_table = false;
                    let fields = std::mem::take(&mut table).list;
                    without_data = if without_data.is_empty() { fields } else { without_data };
                }
                continue;
            }
            Node::Text(_) => continue,
            Node::Eof => {
                status.check(xml)?;
                // What has no rows may be written without DATA.
                if without_data.is_empty() {
                    return Err(xml.failed("it has no TABLE with a FIELD"));
                }
                return Ok((without_data, Serialisation::Nothing));
            }
        };
        let read = match start.local_name().as_ref() {
            root if depth == 0 && root != "VOTABLE" => {
                Err(format!("it is a document of <{}>, not of <VOTABLE>", cut(root)))
            }
            "TABLE" => {
                in_table = true;
                Ok(None)
            }
            "FIELD" if in_table => {
                in_field = true;
                table.push(&start).map(|()| None)
            }
            "VALUES" if in_field => table.set_null(&start).map(|()| None),
            "INFO" => {
                let info = Info::of(&start).map_err(|reason| xml.failed(reason))?;
                status.note(xml, info)?;
                Ok(None)
            }
            name => Serialisation::of(name),
        };
        if let Some(serialisation) = read.map_err(|reason| xml.failed(reason))? {
            status.check(xml)?;
            if table.list.is_empty() {
                return Err(xml.failed("its TABLE with DATA has no FIELD"));
            }
            return Ok((table.list, serialisation));
        }
    }
}

impl Serialisation {
    /// That which an element of this name begins, if it does.
    fn of(name: &str) -> Result<Option<Self>, String> {
        Ok(match name {
            "TABLEDATA" => Some(Self::Tabledata),
            "BINARY" => Some(Self::Binary { null_flags: false }),
            "BINARY2" => Some(Self::Binary { null_flags: true }),
            "FITS" => {
                return Err("its rows are a FITS file inside it: have them written as BINARY2 or TABLEDATA, or take the FITS file itself".to_owned());
            }
            _ => None,
        })
    }
}

impl Fields {
    /// Adds a FIELD.
    fn push(&mut self, start: &xml::Start) -> Result<(), String> {
        let field = VoField::of(start)?;
        self.columns += field.width();
        self.bytes += field.bytes();
        self.list.push(field);
        self.check()
    }

    /// Takes VALUES of the last FIELD in.
    fn set_null(&mut self, start: &xml::Start) -> Result<(), String> {
        let null = attribute(start, "null")?.filter(|null| !null.is_empty());
        if let (Some(null), Some(field)) = (null, self.list.last_mut()) {
            self.bytes += null.len();
            field.null = Some(null);
        }
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let Self { columns, bytes, .. } = self;
        if *columns > COLUMNS_MAX {
            return Err(format!("its FIELDs make {columns} columns, where there may be {COLUMNS_MAX}"));
        }
        if *bytes > FIELD_BYTES_MAX {
            return Err(format!(
                "names, units and the like of its FIELDs make {bytes} bytes, where there may be {FIELD_BYTES_MAX}"
            ));
        }
        Ok(())
    }
}

/// Where the rows come from.
enum Body {
    Nothing,
    Tabledata,
    Binary(Stream),
    /// There are no more, or an error ended them.
    Done,
}

struct Document {
    xml: Xml,
    fields: Vec<VoField>,
    body: Body,
    status: Status,
}

impl Rows for Document {
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        let wanted = Wanted::new(&self.fields, wanted, |column, what| TableError::Column {
            path: self.xml.path().to_owned(),
            column,
            what,
        })?;
        batch.begin(&wanted.kinds(matches!(self.body, Body::Binary(_))));
        while batch.has_room() {
            // Whatever fails leaves nothing to go on with.
            let mut body = std::mem::replace(&mut self.body, Body::Done);
            let row = match &mut body {
                Body::Nothing => Row::End,
                Body::Tabledata => tabledata::row(&mut self.xml, &self.fields, &wanted, batch)?,
                Body::Binary(stream) => stream.row(&mut self.xml, &self.fields, &wanted, batch)?,
                Body::Done => break,
            };
            match row {
                Row::Read(reason) => {
                    batch.end_row(self.xml.row, reason);
                    self.xml.row += 1;
                    self.body = body;
                }
                Row::End => {
                    let rows = self.xml.row - 1;
                    self.xml.row = 0;
                    rest(&mut self.xml, &mut self.status)?;
                    if self.status.overflow {
                        let reason = format!(
                            "the service has cut the table after {rows} rows (QUERY_STATUS is OVERFLOW): ask it for more, or for less at a time"
                        );
                        batch.end_row(rows + 1, Some(reason));
                    }
                    break;
                }
            }
        }
        Ok(batch.rows() + batch.bad.len() > 0)
    }
}

/// Reads what comes after the rows.
fn rest(xml: &mut Xml, status: &mut Status) -> Result<(), TableError> {
    loop {
        match xml.next()? {
            Node::Start(start) => match start.local_name().as_ref() {
                // Of other tables: it may be of any length.
                "STREAM" => while xml.text_bytes(|_| ())? {},
                "INFO" => {
                    let info = Info::of(&start).map_err(|reason| xml.failed(reason))?;
                    status.note(xml, info)?;
                }
                _ => {}
            },
            Node::End(_) | Node::Text(_) => {}
            Node::Eof => return status.check(xml),
        }
    }
}

/// What the service says of its answer.
#[derive(Debug, Default)]
struct Status {
    /// There was more than it wrote.
    overflow: bool,
    error: Option<String>,
}

/// An INFO: `None` if it is not about the state of a query.
struct Info(Option<String>);

impl Info {
    fn of(start: &xml::Start) -> Result<Self, String> {
        let is_status =
            attribute(start, "name")?.is_some_and(|name| name.eq_ignore_ascii_case("QUERY_STATUS"));
        Ok(Self(if is_status { attribute(start, "value")? } else { None }))
    }
}

impl Status {
    /// Takes an INFO in, up to its end.
    fn note(&mut self, xml: &mut Xml, Info(value): Info) -> Result<(), TableError> {
        let Some(value) = value else { return Ok(()) };
        let mut text = String::new();
        xml.text(&mut text)?;
        match &value.trim().to_ascii_uppercase()[..] {
            "ERROR" => self.error = Some(text.trim().to_owned()),
            "OVERFLOW" => self.overflow = true,
            _ => {}
        }
        Ok(())
    }

    fn check(&self, xml: &Xml) -> Result<(), TableError> {
        match &self.error {
            None => Ok(()),
            Some(text) if text.is_empty() => {
                Err(xml.failed("the service says that its query failed, and not why"))
            }
            Some(text) => Err(xml.failed(format!("the service says that its query failed: {}", cut(text)))),
        }
    }
}
