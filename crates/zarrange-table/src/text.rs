//! Tables of lines: fields between commas or tabs, under a line of names.

use std::io::{self, BufRead};

use crate::batch::{BadRow, Batch, ROWS_MAX, TEXT_BYTES};
use crate::error::TableError;
use crate::input::{Input, Limited};
use crate::table::{Field, Places, Rows, Table};

/// The longest record.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// How fields are parted, and what is known of them.
pub(crate) struct Dialect {
    pub(crate) format: &'static str,
    pub(crate) delimiter: u8,
    /// Lines before those that are left.
    pub(crate) lines: u64,
    /// Names with their units.
    pub(crate) units: Vec<(String, String)>,
}

/// Opens a table without anything before its line of names, which tells how fields are parted.
pub(crate) fn open(mut input: Input) -> Result<Table, TableError> {
    let path = input.label();
    let begin = input.bytes.fill_buf().map_err(|source| TableError::Read { path, source })?;
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if line.contains(&b'\t') && !line.contains(&b',') { b'\t' } else { b',' };
    // Of two bytes that end a line, the second counts with the next record.
    let lines = u64::from(line.ends_with(b"\r"));
    let mark = if begin.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    input.bytes.consume(mark);
    with(input, &Dialect { format: "CSV", delimiter, lines, units: Vec::new() })
}

/// Opens a table whose next line is that of names.
pub(crate) fn with(input: Input, dialect: &Dialect) -> Result<Table, TableError> {
    let path = input.label();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(dialect.delimiter)
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(Limited::new(input.bytes, RECORD_BYTES_MAX));
    let failed = |source| failed(&path, dialect.format, source);
    let header = reader.headers().map_err(failed)?;
    if header.is_empty() {
        return Err(TableError::Format { path, format: dialect.format, reason: "it is empty".to_owned() });
    }
    let unit =
        |name: &str| dialect.units.iter().find(|(known, _)| known == name).map(|(_, unit)| unit.clone());
    let fields = header.iter().map(|name| Field { name: name.to_owned(), unit: unit(name) }).collect();
    let records = Records {
        path,
        format: dialect.format,
        before: dialect.lines,
        reader,
        record: csv::StringRecord::new(),
    };
    Ok(Table::new(fields, Places::Lines, Box::new(records)))
}

struct Records {
    path: String,
    format: &'static str,
    /// Lines before what the reader has.
    before: u64,
    reader: csv::Reader<Limited<Box<dyn BufRead>>>,
    record: csv::StringRecord,
}

impl Rows for Records {
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        batch.begin_texts(wanted.len());
        while batch.rows() + batch.bad.len() < ROWS_MAX && batch.data_bytes() < TEXT_BYTES {
            self.reader.get_mut().allow(RECORD_BYTES_MAX);
            let columns = self.reader.headers().map_or(0, csv::StringRecord::len);
            let place = self.before + self.reader.position().line();
            match self.reader.read_record(&mut self.record) {
                Ok(false) => return Ok(batch.rows() + batch.bad.len() > 0),
                Ok(true) if self.record.len() == columns => {
                    wanted.iter().enumerate().for_each(|(k, at)| batch.push_text(k, &self.record[*at]));
                    batch.places.push(place);
                }
                Ok(true) => {
                    let reason = format!("{} fields, where there are {columns} columns", self.record.len());
                    batch.bad.push(BadRow { place, reason });
                }
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    batch.bad.push(BadRow { place, reason: "it is not UTF-8".to_owned() });
                }
                Err(error) => return Err(failed(&self.path, self.format, error)),
            }
        }
        Ok(true)
    }
}

/// What a reader of records could not do.
fn failed(path: &str, format: &'static str, error: csv::Error) -> TableError {
    let line = error.position().map_or(String::new(), |position| format!(" in line {}", position.line()));
    let path = path.to_owned();
    match error.into_kind() {
        csv::ErrorKind::Io(source) if source.kind() == io::ErrorKind::Other => {
            let reason =
                format!("a record{line} is longer than {RECORD_BYTES_MAX} bytes: is a quote left open?");
            TableError::Format { path, format, reason }
        }
        csv::ErrorKind::Io(source) => TableError::Read { path, source },
        other => TableError::Format { path, format, reason: format!("{other:?}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Read, file, read};

    #[test]
    fn fields_are_as_they_are_written() {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let check = |text: &str, names: &[&str], expected: &[&str]| {
            let expected = Read { names: owned(names), rows: owned(expected), bad: Vec::new() };
            assert_eq!(read(text.as_bytes()).unwrap(), expected);
        };
        // Empty lines before a record count as its own.
        check("a,b\n 1 , x y\n\n\"2,\n3\",\n5,6\n", &["a", "b"], &["2: 1|x y", "3: 2,\n3|", "6: 5|6"]);
        check("a\tb c\n1\tx,y\n", &["a", "b c"], &["2: 1|x,y"]);
        check("\u{feff}a\r\n7.50\r\n", &["a"], &["2: 7.50"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let found = read(b"a,b\n1,2,3\n4\n5,\xff\n6,7\n").unwrap();
        assert_eq!(found.rows, ["5: 6|7"]);
        let fields = |n: u64| format!("{n} fields, where there are 2 columns");
        assert_eq!(
            found.bad,
            [format!("2: {}", fields(3)), format!("3: {}", fields(1)), "4: it is not UTF-8".to_owned()]
        );
        let check = |text: &[u8], expected: &str| {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("some.table"), "{error}");
        };
        check(b"", "it is empty");
        check(&[b"a,b\n\"".as_slice(), &vec![b'x'; 3 << 20]].concat(), "is a quote left open?");
        check(&[b"a".as_slice(), &vec![b'x'; 3 << 20]].concat(), "longer than 1048576 bytes");
    }

    #[test]
    fn batches_are_of_bounded_size() {
        let line = format!("{}\n", "x".repeat(1000));
        let (_dir, path) = file(format!("a\n{}", line.repeat(20_000)).as_bytes());
        let mut table = Table::open(&path).unwrap();
        let (mut batch, mut rows) = (Batch::default(), 0);
        while table.read(&[0], &mut batch).unwrap() {
            assert!(batch.rows() <= ROWS_MAX && batch.data_bytes() <= TEXT_BYTES + 1000);
            rows += batch.rows();
        }
        assert_eq!(rows, 20_000);
    }
}
