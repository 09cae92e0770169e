//! Arrow IPC files, also known as Feather, without compression. See <https://arrow.apache.org/docs/format/Columnar.html>.
//!
//! The crate of Arrow takes longer to build than that of Parquet, some 40 s of a CPU; of what it does, five types, lists and structs are needed.

use std::io::{self, Write};

use super::columns::{Column, ColumnsWriter, Group, Groups, Shape, wrong};
use super::flatbuffer::{Value, write as flatbuffer};
use crate::batch::{Cells, Kind};

const MAGIC: &[u8; 6] = b"ARROW1";

/// What comes before each message, and, without one, after the last.
const CONTINUES: [u8; 4] = [0xff; 4];

/// Alignment of what is in a file, so that it can be mapped.
const ALIGNMENT: usize = 64;

/// Numbers of the format: version V5, and types of headers and columns.
const VERSION: i16 = 4;
const SCHEMA: u8 = 1;
const RECORDS: u8 = 3;
const INT: u8 = 2;
const FLOATING_POINT: u8 = 3;
const UTF8: u8 = 5;
const BOOL: u8 = 6;
const LIST: u8 = 12;
const STRUCT: u8 = 13;
const PRECISION_SINGLE: i16 = 1;
const PRECISION_DOUBLE: i16 = 2;

/// Writes Arrow IPC files.
pub(crate) type ArrowWriter<W> = ColumnsWriter<Arrow<W>>;

/// A file that is being written.
pub(crate) struct Arrow<W> {
    writer: W,
    /// Bytes written.
    at: u64,
    /// Where each group is, as the footer has it, and how many there are.
    blocks: Vec<u8>,
    groups: usize,
}

/// The buffers of a group, and what is told of them.
#[derive(Default)]
struct Body {
    bytes: Vec<u8>,
    /// Length and nulls of each column.
    nodes: Vec<u8>,
    columns: usize,
    /// Begin and length of each buffer.
    buffers: Vec<u8>,
    count: usize,
}

impl<W: Write> ArrowWriter<W> {
    /// Begins a file.
    pub(crate) fn create(writer: W, shape: Shape) -> io::Result<Self> {
        let mut file = Arrow { writer, at: 0, blocks: Vec::new(), groups: 0 };
        file.put(MAGIC)?;
        file.put(&[0; 2])?;
        file.message(SCHEMA, schema(&shape), &[])?;
        Ok(Self::new(shape, file))
    }
}

impl<W: Write> Groups for Arrow<W> {
    type Writer = W;
    const ROWS_MAX: usize = 1 << 16;
    const BYTES_MAX: usize = 16 << 20;

    fn write(&mut self, shape: &Shape, group: &Group) -> io::Result<()> {
        let mut body = Body::default();
        for (column, cells) in shape.flat.iter().zip(&group.flat) {
            body.column(column, cells)?;
        }
        if let Some((name, columns)) = &shape.lists {
            body.node(group.rows, 0);
            body.buffer(std::iter::empty());
            body.offsets(name, group.lengths.iter().copied())?;
            body.node(group.items.first().map_or(0, Cells::len), 0);
            body.buffer(std::iter::empty());
            for (column, cells) in columns.iter().zip(&group.items) {
                body.column(column, cells)?;
            }
        }
        let records = Value::Table(vec![
            Some(Value::Long(long(group.rows))),
            Some(Value::Structs(body.columns, body.nodes)),
            Some(Value::Structs(body.count, body.buffers)),
        ]);
        let at = self.at;
        let head = self.message(RECORDS, records, &body.bytes)?;
        // An offset, the length of the head with padding after it, and that of the body.
        self.blocks.extend(at.to_le_bytes());
        self.blocks.extend((head as u64).to_le_bytes());
        self.blocks.extend(long(body.bytes.len()).to_le_bytes());
        self.groups += 1;
        Ok(())
    }

    fn finish(mut self, shape: &Shape) -> io::Result<W> {
        self.put(&CONTINUES)?;
        self.put(&[0; 4])?;
        let footer = flatbuffer(&[
            Some(Value::Short(VERSION)),
            Some(schema(shape)),
            Some(Value::Structs(0, Vec::new())),
            Some(Value::Structs(self.groups, std::mem::take(&mut self.blocks))),
        ]);
        self.put(&footer)?;
        let length = i32::try_from(footer.len()).map_err(|_| wrong("it has too many columns".to_owned()))?;
        self.put(&length.to_le_bytes())?;
        self.put(MAGIC)?;
        self.writer.flush()?;
        Ok(self.writer)
    }
}

impl<W: Write> Arrow<W> {
    /// Writes a message with its body: the bytes before the body.
    fn message(&mut self, of: u8, header: Value, body: &[u8]) -> io::Result<usize> {
        let mut head = flatbuffer(&[
            Some(Value::Short(VERSION)),
            Some(Value::Byte(of)),
            Some(header),
            Some(Value::Long(long(body.len()))),
        ]);
        // The body is aligned in the file.
        let before =
            usize::try_from(self.at % ALIGNMENT as u64).unwrap_or(0) + CONTINUES.len() + size_of::<i32>();
        head.resize((before + head.len()).next_multiple_of(ALIGNMENT) - before, 0);
        let length = i32::try_from(head.len()).map_err(|_| wrong("it has too many columns".to_owned()))?;
        self.put(&CONTINUES)?;
        self.put(&length.to_le_bytes())?;
        self.put(&head)?;
        self.put(body)?;
        Ok(CONTINUES.len() + size_of::<i32>() + head.len())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl Body {
    fn column(&mut self, column: &Column, cells: &Cells) -> io::Result<()> {
        match cells {
            Cells::Text(texts) => {
                let (bytes, ends) = texts.parts();
                self.node(cells.len(), 0);
                self.buffer(std::iter::empty());
                let begins = std::iter::once(&0).chain(ends);
                self.offsets(&column.name, begins.zip(ends).map(|(begin, end)| end - begin))?;
                self.buffer(bytes.bytes());
            }
            Cells::Float(values) => {
                self.node(cells.len(), 0);
                self.buffer(std::iter::empty());
                self.buffer(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Cells::Single(values) => {
                self.node(cells.len(), 0);
                self.buffer(std::iter::empty());
                self.buffer(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Cells::Integer(values) => {
                self.nulls(values);
                self.buffer(values.iter().flat_map(|value| value.unwrap_or(0).to_le_bytes()));
            }
            Cells::Bool(values) => {
                self.nulls(values);
                self.buffer(bits(values.iter().map(|value| value.unwrap_or(false))));
            }
        }
        Ok(())
    }

    /// Tells of a column, and which of its values there are, if any is null.
    fn nulls<T>(&mut self, values: &[Option<T>]) {
        let nulls = values.iter().filter(|value| value.is_none()).count();
        self.node(values.len(), nulls);
        if nulls == 0 {
            self.buffer(std::iter::empty());
        } else {
            self.buffer(bits(values.iter().map(Option::is_some)));
        }
    }

    fn node(&mut self, length: usize, nulls: usize) {
        self.nodes.extend(long(length).to_le_bytes());
        self.nodes.extend(long(nulls).to_le_bytes());
        self.columns += 1;
    }

    fn buffer(&mut self, bytes: impl Iterator<Item = u8>) {
        let begin = self.bytes.len();
        self.bytes.extend(bytes);
        self.buffers.extend(long(begin).to_le_bytes());
        self.buffers.extend(long(self.bytes.len() - begin).to_le_bytes());
        self.count += 1;
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }

    /// Where each of what is so long ends, after that the first begins at 0.
    fn offsets(&mut self, name: &str, lengths: impl Iterator<Item = usize>) -> io::Result<()> {
        let mut ends = vec![0];
        let mut end = 0_i32;
        for length in lengths {
            let next = i32::try_from(length).ok().and_then(|length| end.checked_add(length));
            end = next.ok_or_else(|| wrong(format!("a row has too much for Arrow in column {name:?}")))?;
            ends.push(end);
        }
        self.buffer(ends.iter().flat_map(|end| end.to_le_bytes()));
        Ok(())
    }
}

/// The schema of a table.
fn schema(shape: &Shape) -> Value {
    let mut fields: Vec<Value> = shape.flat.iter().map(field).collect();
    if let Some((name, columns)) = &shape.lists {
        let element = of("element", STRUCT, vec![], columns.iter().map(field).collect());
        fields.push(of(name, LIST, vec![], vec![element]));
    }
    // Little-endian.
    Value::Table(vec![Some(Value::Short(0)), Some(Value::Tables(fields))])
}

fn field(column: &Column) -> Value {
    let (kind, what) = match column.kind {
        Kind::Text => (UTF8, vec![]),
        Kind::Float => (FLOATING_POINT, vec![Some(Value::Short(PRECISION_DOUBLE))]),
        Kind::Single => (FLOATING_POINT, vec![Some(Value::Short(PRECISION_SINGLE))]),
        Kind::Integer => (INT, vec![Some(Value::Int(64)), Some(Value::Byte(1))]),
        Kind::Bool => (BOOL, vec![]),
    };
    of(&column.name, kind, what, vec![])
}

/// A field of a schema that may be null: its type is a kind with what is told of it.
fn of(name: &str, kind: u8, what: Vec<Option<Value>>, children: Vec<Value>) -> Value {
    Value::Table(vec![
        Some(Value::Text(name.to_owned())),
        Some(Value::Byte(1)),
        Some(Value::Byte(kind)),
        Some(Value::Table(what)),
        None,
        Some(Value::Tables(children)),
    ])
}

/// Truths, the first in the lowest bit.
fn bits(truths: impl Iterator<Item = bool>) -> impl Iterator<Item = u8> {
    let mut bytes = Vec::new();
    for (k, truth) in truths.enumerate() {
        if k % 8 == 0 {
            bytes.push(0);
        }
        if let Some(byte) = bytes.last_mut() {
            *byte |= u8::from(truth) << (k % 8);
        }
    }
    bytes.into_iter()
}

/// A length as the format has it. There are no more bytes than a memory can have.
fn long(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
