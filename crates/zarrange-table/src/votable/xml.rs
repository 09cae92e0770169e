//! XML, piece by piece, with a limit on each.

use std::borrow::Cow;
use std::io::{self, BufRead};

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;

use crate::error::TableError;
use crate::input::{Input, Limited};

const FORMAT: &str = "VOTable";

/// Bytes of a message that are shown.
const MESSAGE_BYTES_MAX: usize = 1000;

/// The longest text, tag or comment.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;

/// How deep elements may be nested.
const DEPTH_MAX: usize = 64;

pub(super) type Start<'a> = BytesStart<'a>;

/// A piece of a document. What it says of elements are their names without prefix.
pub(super) enum Node<'a> {
    Start(Start<'a>),
    End(&'a str),
    Text(&'a str),
    /// The document is complete.
    Eof,
}

/// A document.
pub(super) struct Xml {
    path: String,
    reader: quick_xml::Reader<Limited<Box<dyn BufRead>>>,
    buffer: Vec<u8>,
    /// A name or text that outlives its event.
    name: String,
    /// A character that is written as a reference.
    letter: [u8; 4],
    /// Elements that are open.
    depth: usize,
    /// The row that is read, from 1; 0 for none.
    pub(super) row: u64,
}

impl Xml {
    pub(super) fn new(input: Input) -> Self {
        let path = input.label();
        let mut reader = quick_xml::Reader::from_reader(Limited::new(input.bytes, TEXT_BYTES_MAX));
        reader.config_mut().expand_empty_elements = true;
        Self { path, reader, buffer: Vec::new(), name: String::new(), letter: [0; 4], depth: 0, row: 0 }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) const fn depth(&self) -> usize {
        self.depth
    }

    /// The next piece; a comment or the like is text without anything in it.
    pub(super) fn next(&mut self) -> Result<Node<'_>, TableError> {
        self.buffer.clear();
        self.reader.get_mut().allow(TEXT_BYTES_MAX);
        let failed = |reason: &str| format_error(&self.path, self.row, reason);
        let event = self.reader.read_event_into(&mut self.buffer);
        Ok(match event.map_err(|error| xml_error(&self.path, self.row, error))? {
            Event::Start(_) if self.depth == DEPTH_MAX => {
                return Err(failed(&format!("its elements are nested more than {DEPTH_MAX} deep")));
            }
            Event::Start(start) => {
                self.depth += 1;
                Node::Start(start)
            }
            // The reader makes a start and an end of it.
            Event::Empty(_) => return Err(failed("it has an element that does not end")),
            Event::End(end) => {
                self.depth -= 1;
                let QName(name) = end.name();
                // The event is gone when its name is read.
                self.name.clear();
                self.name.push_str(name.rsplit(':').next().unwrap_or(name));
                Node::End(&self.name)
            }
            Event::Text(text) => Node::Text(lent(text.into_inner(), &mut self.name)),
            Event::CData(text) => Node::Text(lent(text.into_inner(), &mut self.name)),
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let text = match (name, reference.resolve_char_ref()) {
                    ("amp", _) => '&',
                    ("lt", _) => '<',
                    ("gt", _) => '>',
                    ("quot", _) => '"',
                    ("apos", _) => '\'',
                    (_, Ok(Some(text))) => text,
                    _ => return Err(failed(&format!("&{}; stands for nothing that is known", cut(name)))),
                };
                Node::Text(text.encode_utf8(&mut self.letter))
            }
            Event::DocType(text) if text.contains('[') => {
                return Err(failed(
                    "it declares entities or elements of its own, which are not read: leave its DOCTYPE out",
                ));
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::DocType(_) => Node::Text(""),
            Event::Eof if self.depth > 0 => {
                let open = self.depth;
                return Err(failed(&format!("it is not complete: it ends where {open} elements are open")));
            }
            Event::Eof => Node::Eof,
        })
    }

    /// Reads the text of an element, up to its end.
    pub(super) fn text(&mut self, into: &mut String) -> Result<(), TableError> {
        loop {
            match self.next()? {
                Node::Text(text) if into.len() + text.len() > TEXT_BYTES_MAX => {
                    return Err(
                        self.failed(format!("an element has more than {TEXT_BYTES_MAX} bytes of text"))
                    );
                }
                Node::Text(text) => into.push_str(text),
                Node::End(_) => return Ok(()),
                Node::Start(start) => {
                    let name = cut(start.local_name().as_ref()).to_owned();
                    return Err(self.failed(format!("<{name}> stands where only text may")));
                }
                Node::Eof => return Err(self.failed("it ends within a text")),
            }
        }
    }

    /// Bytes of text up to the next tag, some at a time; none at the tag.
    pub(super) fn text_bytes(&mut self, take: impl FnOnce(&[u8])) -> Result<bool, TableError> {
        self.reader.get_mut().allow(TEXT_BYTES_MAX);
        let mut stream = self.reader.stream();
        let bytes = match stream.fill_buf() {
            Ok(bytes) => bytes,
            Err(source) => return Err(TableError::Read { path: self.path.clone(), source }),
        };
        if bytes.is_empty() {
            return Err(self.failed("it is not complete: it ends within a STREAM"));
        }
        let end = bytes.iter().position(|byte| *byte == b'<').unwrap_or(bytes.len());
        take(&bytes[..end]);
        stream.consume(end);
        Ok(end > 0)
    }

    pub(super) fn failed(&self, reason: impl AsRef<str>) -> TableError {
        format_error(&self.path, self.row, reason.as_ref())
    }
}

/// The value of an attribute.
pub(super) fn attribute(start: &Start, name: &str) -> Result<Option<String>, String> {
    // Whoever looks for repeated ones compares each with all.
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| format!("<{}> cannot be read: {error}", tag(start)))?;
        if attribute.key.as_ref() == name {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0);
            let value =
                value.map_err(|error| format!("{name} of <{}> cannot be read: {error}", tag(start)))?;
            return Ok(Some(value.trim().to_owned()));
        }
    }
    Ok(None)
}

/// The name of an element, for messages.
pub(super) fn tag<'a>(start: &'a Start) -> &'a str {
    cut(start.local_name().into_inner())
}

/// Text that outlives the event it comes from.
fn lent<'a>(text: Cow<'a, str>, kept: &'a mut String) -> &'a str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => {
            *kept = text;
            kept
        }
    }
}

fn format_error(path: &str, row: u64, reason: &str) -> TableError {
    let reason = if row == 0 { reason.to_owned() } else { format!("in row {row}, {reason}") };
    TableError::Format { path: path.to_owned(), format: FORMAT, reason }
}

fn xml_error(path: &str, row: u64, error: quick_xml::Error) -> TableError {
    let reason = match error {
        quick_xml::Error::Io(source) if source.kind() == io::ErrorKind::Other => {
            format!("a text or tag is longer than {TEXT_BYTES_MAX} bytes")
        }
        quick_xml::Error::Io(source) => {
            let source = io::Error::new(source.kind(), source.to_string());
            return TableError::Read { path: path.to_owned(), source };
        }
        quick_xml::Error::Encoding(_) => {
            "it is not UTF-8: convert it, and leave its encoding=... out".to_owned()
        }
        other => format!("it is no XML: {other}"),
    };
    format_error(path, row, &reason)
}

/// The beginning of a text, for messages.
pub(super) fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MESSAGE_BYTES_MAX)]
}
