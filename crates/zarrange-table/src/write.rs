//! Tables to be written: columns of equal length, as they come, and lists in them.

mod arrow;
mod columns;
mod flatbuffer;
mod parquet;
mod text;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use self::arrow::ArrowWriter;
pub use self::columns::{Column, Shape};
use self::parquet::ParquetWriter;
use self::text::{TextFormat, TextWriter};

use crate::batch::Cells;

/// Formats in which tables are written.
///
/// ```
/// use zarrange_table::{OutputFormat, UnknownOutputFormat};
///
/// assert_eq!("jsonl".parse(), Ok(OutputFormat::JsonLines));
/// assert_eq!("xml".parse::<OutputFormat>(), Err(UnknownOutputFormat("xml".to_owned())));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// Fields between commas, under a line of names; without lists.
    Csv,
    /// One array of an object for each row.
    Json,
    /// An object for each row, in a line of its own.
    JsonLines,
    /// Parquet, compressed by zstd.
    Parquet,
    /// An Arrow IPC file.
    Arrow,
}

/// A name that is none of an output format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format in which tables are written: these are csv, json, jsonl, parquet and arrow")]
pub struct UnknownOutputFormat(pub String);

/// A table to be written, some rows after the others. Formats of text are written as rows come, the others group by group.
///
/// ```
/// use zarrange_table::{Cells, Column, Kind, OutputFormat, Shape, TableWriter};
///
/// let column = |name: &str, kind| Column { name: name.to_owned(), kind };
/// let shape = Shape { flat: vec![column("object", Kind::Integer), column("flux", Kind::Float)], lists: None };
/// let mut table = TableWriter::create(Vec::new(), OutputFormat::Csv, shape)?;
/// table.write(&[Cells::Integer(vec![Some(7), Some(8)]), Cells::Float(vec![1.5, f64::NAN])])?;
/// assert_eq!(table.finish()?, b"object,flux\n7,1.5\n8,\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "without finish() a table may lack its end"]
pub struct TableWriter<W: Write + Send>(Writer<W>);

enum Writer<W: Write + Send> {
    Text(Box<TextWriter<W>>),
    Parquet(Box<ParquetWriter<W>>),
    Arrow(Box<ArrowWriter<W>>),
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a table of this shape.
    ///
    /// # Errors
    /// If `writer` fails, or the format cannot have such a table: CSV has no lists, an object of JSON has a name once.
    pub fn create(writer: W, format: OutputFormat, shape: Shape) -> io::Result<Self> {
        let text = |writer, format, shape| {
            Ok::<_, io::Error>(Writer::Text(Box::new(TextWriter::create(writer, format, shape)?)))
        };
        Ok(Self(match format {
            OutputFormat::Csv => text(writer, TextFormat::Csv, shape)?,
            OutputFormat::Json => text(writer, TextFormat::Json, shape)?,
            OutputFormat::JsonLines => text(writer, TextFormat::JsonLines, shape)?,
            OutputFormat::Parquet => Writer::Parquet(Box::new(ParquetWriter::create(writer, shape)?)),
            OutputFormat::Arrow => Writer::Arrow(Box::new(ArrowWriter::create(writer, shape)?)),
        }))
    }

    /// With groups of rows that end at `group_bytes_max`, where they would be larger; while one is written, it is in memory up to three
    /// times.
    pub fn within(mut self, group_bytes_max: usize) -> Self {
        match &mut self.0 {
            Writer::Text(_) => {}
            Writer::Parquet(writer) => writer.within(group_bytes_max),
            Writer::Arrow(writer) => writer.within(group_bytes_max),
        }
        self
    }

    /// Writes rows of a table without lists: its columns.
    ///
    /// # Errors
    /// If the writer fails, or these are not the columns of the table.
    pub fn write(&mut self, flat: &[Cells]) -> io::Result<()> {
        match &mut self.0 {
            Writer::Text(writer) => writer.write(flat),
            Writer::Parquet(writer) => writer.write(flat),
            Writer::Arrow(writer) => writer.write(flat),
        }
    }

    /// Writes rows, each of which has so many of the `items` in its list.
    ///
    /// # Errors
    /// If the writer fails, or these are not the columns of the table.
    pub fn write_nested(&mut self, flat: &[Cells], items: &[Cells], lengths: &[usize]) -> io::Result<()> {
        match &mut self.0 {
            Writer::Text(writer) => writer.write_nested(flat, items, lengths),
            Writer::Parquet(writer) => writer.write_nested(flat, items, lengths),
            Writer::Arrow(writer) => writer.write_nested(flat, items, lengths),
        }
    }

    /// Ends the table, and gives the writer back.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Writer::Text(writer) => writer.finish(),
            Writer::Parquet(writer) => writer.finish(),
            Writer::Arrow(writer) => writer.finish(),
        }
    }
}

impl OutputFormat {
    /// All of them.
    const ALL: [Self; 5] = [Self::Csv, Self::Json, Self::JsonLines, Self::Parquet, Self::Arrow];

    /// Whether it is text, which may go to a terminal.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Json | Self::JsonLines)
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        })
    }
}

impl FromStr for OutputFormat {
    type Err = UnknownOutputFormat;

    fn from_str(name: &str) -> Result<Self, UnknownOutputFormat> {
        let known = Self::ALL.into_iter().find(|format| format.to_string() == name);
        known.ok_or_else(|| UnknownOutputFormat(name.to_owned()))
    }
}
