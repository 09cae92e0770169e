//! Parquet, compressed by zstd. Everything may be null in its schema, as in what pyarrow writes, so that both can be read as one data set.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type as Node, TypePtr};

use super::columns::{Column, ColumnsWriter, Group, Groups, Shape};
use crate::batch::{Cells, Kind};

/// How hard zstd tries.
const ZSTD_LEVEL: i32 = 3;

/// The definition levels of an empty list, and of an element that is null and one that is not: the list, what is repeated and the struct
/// are each a level.
const EMPTY: i16 = 1;
const NULL_ELEMENT: i16 = 3;

/// Writes Parquet.
pub(crate) type ParquetWriter<W> = ColumnsWriter<Parquet<W>>;

/// A file of Parquet that is being written.
pub(crate) struct Parquet<W: Write + Send>(SerializedFileWriter<W>);

/// What a column is in a file: its values without nulls, and the levels that tell where these are.
struct Levels {
    definition: Vec<i16>,
    repetition: Option<Vec<i16>>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Begins a file.
    pub(crate) fn create(writer: W, shape: Shape) -> io::Result<Self> {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_created_by(concat!("zarrange version ", env!("CARGO_PKG_VERSION")).to_owned());
        let schema = schema(&shape).map_err(failed)?;
        let writer =
            SerializedFileWriter::new(writer, schema, Arc::new(properties.build())).map_err(failed)?;
        Ok(Self::new(shape, Parquet(writer)))
    }
}

impl<W: Write + Send> Groups for Parquet<W> {
    type Writer = W;
    const ROWS_MAX: usize = 1 << 20;
    const BYTES_MAX: usize = 64 << 20;

    fn write(&mut self, shape: &Shape, group: &Group) -> io::Result<()> {
        let mut rows = self.0.next_row_group().map_err(failed)?;
        let mut write = |column: &Column, cells: &Cells, lengths: Option<&[usize]>| {
            let mut writer = rows.next_column()?.ok_or_else(unexpected)?;
            write(writer.untyped(), column.kind, cells, lengths)?;
            writer.close()
        };
        for (column, cells) in shape.flat.iter().zip(&group.flat) {
            write(column, cells, None).map_err(failed)?;
        }
        for (column, cells) in shape.lists.iter().flat_map(|(_, columns)| columns).zip(&group.items) {
            write(column, cells, Some(&group.lengths)).map_err(failed)?;
        }
        rows.close().map_err(failed)?;
        Ok(())
    }

    fn finish(self, _shape: &Shape) -> io::Result<W> {
        let mut writer = self.0.into_inner().map_err(failed)?;
        writer.flush()?;
        Ok(writer)
    }
}

/// The schema of a table. Lists have the names of the format, see
/// <https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists>.
fn schema(shape: &Shape) -> Result<TypePtr, ParquetError> {
    let columns = |columns: &[Column]| columns.iter().map(node).collect::<Result<Vec<TypePtr>, _>>();
    let mut fields = columns(&shape.flat)?;
    if let Some((name, items)) = &shape.lists {
        let group = |name, repetition, fields| {
            Node::group_type_builder(name).with_repetition(repetition).with_fields(fields)
        };
        let element = group("element", Repetition::OPTIONAL, columns(items)?).build()?;
        let list = group("list", Repetition::REPEATED, vec![Arc::new(element)]).build()?;
        let list = group(name, Repetition::OPTIONAL, vec![Arc::new(list)]);
        fields.push(Arc::new(list.with_logical_type(Some(LogicalType::List)).build()?));
    }
    Ok(Arc::new(Node::group_type_builder("schema").with_fields(fields).build()?))
}

/// A column in the schema.
fn node(column: &Column) -> Result<TypePtr, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Float => (Physical::DOUBLE, None),
        Kind::Single => (Physical::FLOAT, None),
        Kind::Integer => (Physical::INT64, None),
        Kind::Bool => (Physical::BOOLEAN, None),
    };
    let node = Node::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()?;
    Ok(Arc::new(node))
}

/// Writes a column of a group.
fn write(
    writer: &mut ColumnWriter<'_>,
    of: Kind,
    cells: &Cells,
    lengths: Option<&[usize]>,
) -> Result<(), ParquetError> {
    match (writer, cells) {
        (ColumnWriter::ByteArrayColumnWriter(writer), Cells::Text(texts)) => {
            let (bytes, ends) = texts.parts();
            let bytes = ByteArray::from(bytes.as_bytes());
            let begins = std::iter::once(&0).chain(ends);
            let values: Vec<_> =
                begins.zip(ends).map(|(begin, end)| bytes.slice(*begin, end - begin)).collect();
            let levels = Levels::of(cells.len(), |_| true, lengths);
            writer.write_batch(&values, Some(&levels.definition), levels.repetition.as_deref())?;
        }
        (ColumnWriter::DoubleColumnWriter(writer), Cells::Float(values)) => {
            let levels = Levels::of(cells.len(), |_| true, lengths);
            writer.write_batch(values, Some(&levels.definition), levels.repetition.as_deref())?;
        }
        (ColumnWriter::FloatColumnWriter(writer), Cells::Single(values)) => {
            let levels = Levels::of(cells.len(), |_| true, lengths);
            writer.write_batch(values, Some(&levels.definition), levels.repetition.as_deref())?;
        }
        (ColumnWriter::Int64ColumnWriter(writer), Cells::Integer(values)) => {
            let present: Vec<i64> = values.iter().flatten().copied().collect();
            let levels = Levels::of(cells.len(), |at| values[at].is_some(), lengths);
            writer.write_batch(&present, Some(&levels.definition), levels.repetition.as_deref())?;
        }
        (ColumnWriter::BoolColumnWriter(writer), Cells::Bool(values)) => {
            let present: Vec<bool> = values.iter().flatten().copied().collect();
            let levels = Levels::of(cells.len(), |at| values[at].is_some(), lengths);
            writer.write_batch(&present, Some(&levels.definition), levels.repetition.as_deref())?;
        }
        (_, _) => return Err(ParquetError::General(format!("a column of {of:?} got others"))),
    }
    Ok(())
}

impl Levels {
    /// Those of so many values, or of the elements of lists that are so long.
    fn of(values: usize, is_present: impl Fn(usize) -> bool, lengths: Option<&[usize]>) -> Self {
        let Some(lengths) = lengths else {
            let definition = (0..values).map(|at| i16::from(is_present(at))).collect();
            return Self { definition, repetition: None };
        };
        let levels = values + lengths.iter().filter(|length| **length == 0).count();
        let (mut definition, mut repetition) = (Vec::with_capacity(levels), Vec::with_capacity(levels));
        let mut at = 0;
        for length in lengths {
            repetition.push(0);
            repetition.resize(repetition.len() + length.saturating_sub(1), 1);
            if *length == 0 {
                definition.push(EMPTY);
            }
            definition.extend((at..at + length).map(|at| NULL_ELEMENT + i16::from(is_present(at))));
            at += length;
        }
        Self { definition, repetition: Some(repetition) }
    }
}

fn unexpected() -> ParquetError {
    ParquetError::General("there are more columns than the schema has".to_owned())
}

/// What the crate could not do; what the file could not is told as such.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => *source,
            Err(source) => io::Error::other(source),
        },
        other => io::Error::other(other),
    }
}
