//! Tables written as text: nothing is held, what was given is written when the call returns. Missing numbers are empty fields in CSV, and
//! null in JSON.

use std::fmt;
use std::io::{self, Write};
use std::ops::Range;

use crate::batch::Cells;
use crate::write::columns::{Column, Shape, check, wrong};

/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 16;

/// Characters of a number up to which it is written without an exponent.
const PLAIN_CHARS: usize = 17;

/// Whole numbers below it have no more digits than those that read back the same: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Formats of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextFormat {
    /// Fields between commas, under a line of names.
    Csv,
    /// One array of an object for each row.
    Json,
    /// An object for each row, in a line of its own.
    JsonLines,
}

/// A table that is being written.
pub(super) struct TextWriter<W: Write> {
    writer: W,
    format: TextFormat,
    shape: Shape,
    /// What stands before each element: in JSON, its name.
    before: Vec<String>,
    /// The same in lists.
    items_before: Vec<String>,
    rows: u64,
    buffer: Vec<u8>,
}

impl<W: Write> TextWriter<W> {
    /// Begins a table.
    ///
    /// # Errors
    /// If `writer` fails, if CSV should have lists, or if two columns have one name in JSON, where an object has a name once.
    pub(super) fn create(writer: W, format: TextFormat, shape: Shape) -> io::Result<Self> {
        let items = shape.lists.as_ref().map_or(&[][..], |(_, columns)| columns);
        match format {
            TextFormat::Csv if shape.lists.is_some() => {
                return Err(wrong("CSV has no lists: write rows that are not nested".to_owned()));
            }
            TextFormat::Csv => {}
            TextFormat::Json | TextFormat::JsonLines => {
                let list = shape.lists.as_ref().map(|(name, _)| name.as_str());
                named_once(shape.flat.iter().map(|column| column.name.as_str()).chain(list))?;
                named_once(items.iter().map(|column| column.name.as_str()))?;
            }
        }
        let before = |columns: &[Column]| -> io::Result<Vec<String>> {
            let mut before = Vec::with_capacity(columns.len());
            for (k, column) in columns.iter().enumerate() {
                let separator = if k == 0 { "" } else { "," };
                before.push(match format {
                    TextFormat::Csv => separator.to_owned(),
                    TextFormat::Json | TextFormat::JsonLines => {
                        format!("{separator}{}:", serde_json::to_string(&column.name)?)
                    }
                });
            }
            Ok(before)
        };
        let (before, items_before) = (before(&shape.flat)?, before(items)?);
        let mut table = Self { writer, format, shape, before, items_before, rows: 0, buffer: Vec::new() };
        match format {
            TextFormat::Csv => table.csv_header(),
            TextFormat::Json => table.buffer.push(b'['),
            TextFormat::JsonLines => {}
        }
        table.flush()?;
        Ok(table)
    }

    /// Writes rows of a table without lists, column by column.
    pub(super) fn write(&mut self, flat: &[Cells]) -> io::Result<()> {
        let rows = flat.first().map_or(0, Cells::len);
        check(&self.shape.flat, flat, rows)?;
        if self.shape.lists.is_some() {
            return Err(wrong("its lists are missing".to_owned()));
        }
        for row in 0..rows {
            match self.format {
                TextFormat::Csv => self.csv_row(flat, row),
                TextFormat::Json | TextFormat::JsonLines => self.json_row(flat, row, None)?,
            }
            self.end_row()?;
        }
        self.flush()
    }

    /// Writes rows, each of which has so many of the `items`.
    pub(super) fn write_nested(
        &mut self,
        flat: &[Cells],
        items: &[Cells],
        lengths: &[usize],
    ) -> io::Result<()> {
        check(&self.shape.flat, flat, lengths.len())?;
        let Some((_, columns)) = &self.shape.lists else { return Err(wrong("it has no lists".to_owned())) };
        let sum = lengths.iter().try_fold(0, |sum: usize, length| sum.checked_add(*length));
        check(columns, items, sum.ok_or_else(|| wrong("its lists are too long".to_owned()))?)?;
        let mut begin = 0;
        for (row, length) in lengths.iter().enumerate() {
            self.json_row(flat, row, Some((items, begin..begin + length)))?;
            begin += length;
            self.end_row()?;
        }
        self.flush()
    }

    fn end_row(&mut self) -> io::Result<()> {
        self.rows += 1;
        if self.buffer.len() >= WRITE_BYTES { self.flush() } else { Ok(()) }
    }

    fn csv_header(&mut self) {
        for (column, before) in self.shape.flat.iter().zip(&self.before) {
            self.buffer.extend_from_slice(before.as_bytes());
            csv_text(&column.name, &mut self.buffer);
        }
        self.end_csv_row(0);
    }

    /// Ends the table, and gives the writer back.
    ///
    /// # Errors
    /// If the writer fails.
    pub(super) fn finish(mut self) -> io::Result<W> {
        match self.format {
            TextFormat::Json if self.rows == 0 => self.buffer.extend_from_slice(b"]\n"),
            TextFormat::Json => self.buffer.extend_from_slice(b"\n]\n"),
            TextFormat::Csv | TextFormat::JsonLines => {}
        }
        self.flush()?;
        self.writer.flush()?;
        Ok(self.writer)
    }

    fn csv_row(&mut self, columns: &[Cells], row: usize) {
        let begin = self.buffer.len();
        for (cells, before) in columns.iter().zip(&self.before) {
            self.buffer.extend_from_slice(before.as_bytes());
            match cells {
                Cells::Text(texts) => csv_text(texts.get(row), &mut self.buffer),
                Cells::Float(values) if values[row].is_nan() => {}
                Cells::Float(values) => push_float(&mut self.buffer, values[row]),
                Cells::Single(values) if values[row].is_nan() => {}
                Cells::Single(values) => push_float(&mut self.buffer, shortest(values[row])),
                Cells::Integer(values) => values[row].iter().for_each(|value| push(&mut self.buffer, value)),
                Cells::Bool(values) => values[row].iter().for_each(|value| push(&mut self.buffer, value)),
            }
        }
        self.end_csv_row(begin);
    }

    /// Ends the row that begins there. One that is empty would be taken for none.
    fn end_csv_row(&mut self, begin: usize) {
        if self.buffer.len() == begin && !self.before.is_empty() {
            self.buffer.extend_from_slice(b"\"\"");
        }
        self.buffer.push(b'\n');
    }

    fn json_row(
        &mut self,
        columns: &[Cells],
        row: usize,
        list: Option<(&[Cells], Range<usize>)>,
    ) -> io::Result<()> {
        match self.format {
            TextFormat::Json if self.rows > 0 => self.buffer.extend_from_slice(b",\n"),
            TextFormat::Json => self.buffer.push(b'\n'),
            TextFormat::Csv | TextFormat::JsonLines => {}
        }
        self.buffer.push(b'{');
        json_fields((&self.before, columns), row, &mut self.buffer)?;
        if let (Some((items, range)), Some((name, _))) = (list, &self.shape.lists) {
            self.buffer.extend_from_slice(if columns.is_empty() { b"" } else { b"," });
            serde_json::to_writer(&mut self.buffer, name)?;
            self.buffer.extend_from_slice(b":[");
            for item in range.clone() {
                self.buffer.extend_from_slice(if item == range.start { b"{" } else { b",{" });
                json_fields((&self.items_before, items), item, &mut self.buffer)?;
                self.buffer.push(b'}');
            }
            self.buffer.push(b']');
        }
        self.buffer.push(b'}');
        if self.format == TextFormat::JsonLines {
            self.buffer.push(b'\n');
        }
        Ok(())
    }

    /// Writes what is in the buffer.
    fn flush(&mut self) -> io::Result<()> {
        let written = self.writer.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

/// The fields of an object.
fn json_fields((before, columns): (&[String], &[Cells]), row: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    for (cells, before) in columns.iter().zip(before) {
        buffer.extend_from_slice(before.as_bytes());
        match cells {
            Cells::Text(texts) => serde_json::to_writer(&mut *buffer, texts.get(row))?,
            Cells::Float(values) => json_float(values[row], buffer),
            Cells::Single(values) => json_float(shortest(values[row]), buffer),
            Cells::Integer(values) => json_maybe(values[row], buffer),
            Cells::Bool(values) => json_maybe(values[row], buffer),
        }
    }
    Ok(())
}

/// Fails if two columns have one name.
fn named_once<'n>(names: impl Iterator<Item = &'n str>) -> io::Result<()> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.windows(2).find(|pair| pair[0] == pair[1]).map_or(Ok(()), |pair| {
        let name = pair[0];
        Err(wrong(format!(
            "two columns are called {name:?}, and an object of JSON has a name once: leave one out"
        )))
    })
}

/// Text between commas, in quotes where it would be read as something else.
fn csv_text(text: &str, buffer: &mut Vec<u8>) {
    let special = |byte: u8| matches!(byte, b',' | b'"' | b'\r' | b'\n' | b'\t');
    // A mark of comments or of the encoding stands at the begin.
    let quoted = text.bytes().any(special) || text.trim() != text || text.starts_with(['#', '\u{feff}']);
    if quoted {
        buffer.push(b'"');
        for (k, part) in text.split('"').enumerate() {
            buffer.extend_from_slice(if k == 0 { b"" } else { b"\"\"" });
            buffer.extend_from_slice(part.as_bytes());
        }
        buffer.push(b'"');
    } else {
        buffer.extend_from_slice(text.as_bytes());
    }
}

fn json_float(value: f64, buffer: &mut Vec<u8>) {
    if value.is_nan() {
        buffer.extend_from_slice(b"null");
    } else if value.is_infinite() {
        buffer.extend_from_slice(if value > 0.0 { b"\"Infinity\"" } else { b"\"-Infinity\"" });
    } else {
        push_float(buffer, value);
    }
}

fn json_maybe(value: Option<impl fmt::Display>, buffer: &mut Vec<u8>) {
    match value {
        Some(value) => push(buffer, &value),
        None => buffer.extend_from_slice(b"null"),
    }
}

/// Adds what is displayed.
fn push(buffer: &mut Vec<u8>, value: &impl fmt::Display) {
    // Writing to a vector cannot fail.
    let _ = write!(buffer, "{value}");
}

/// The number of 64 bits that has the same digits, as few as tell one of 32 bits from the others.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Adds a number with as few digits as read back the same, and an exponent where it is long and that is shorter.
fn push_float(buffer: &mut Vec<u8>, value: f64) {
    let begin = buffer.len();
    push(buffer, &value);
    let plain = buffer.len();
    // Readers take it for a whole number, which has more digits than the number had.
    let whole = value.abs() >= WHOLE_MAX && value.is_finite();
    if plain - begin > PLAIN_CHARS || whole {
        push(buffer, &format_args!("{value:e}"));
        if whole || buffer.len() - plain < plain - begin {
            buffer.drain(begin..plain);
        } else {
            buffer.truncate(plain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, Kind, Texts};
    use crate::table::Table;
    use crate::testing::{file, read};

    fn texts(all: &[&str]) -> Cells {
        let mut texts = Texts::default();
        for text in all {
            texts.push(text);
        }
        Cells::Text(texts)
    }

    fn shape(names: &[&str], columns: &[Cells]) -> Shape {
        let column = |(name, cells): (&&str, &Cells)| Column { name: (*name).to_owned(), kind: cells.kind() };
        Shape { flat: names.iter().zip(columns).map(column).collect(), lists: None }
    }

    /// What is written of these columns in so many calls.
    fn written(format: TextFormat, names: &[&str], columns: &[Cells], times: usize) -> String {
        let mut table = TextWriter::create(Vec::new(), format, shape(names, columns)).unwrap();
        (0..times).for_each(|_| table.write(columns).unwrap());
        String::from_utf8(table.finish().unwrap()).unwrap()
    }

    /// One column of each type, with what needs care.
    fn columns() -> [Cells; 4] {
        [
            texts(&["a,b", "say \"x\"", "two\nlines"]),
            Cells::Float(vec![0.1, f64::NAN, f64::NEG_INFINITY]),
            Cells::Integer(vec![Some(i64::MIN), None, Some(i64::MAX)]),
            Cells::Bool(vec![Some(true), None, Some(false)]),
        ]
    }

    #[test]
    fn rows_are_written_in_each_format() {
        let check = |format, times, expected: &str| {
            assert_eq!(written(format, &["t", "x,y", "\"n\"", "b"], &columns(), times), expected);
        };
        let csv = "\"a,b\",0.1,-9223372036854775808,true\n\"say \"\"x\"\"\",,,\n\"two\nlines\",-inf,9223372036854775807,false\n";
        let header = "t,\"x,y\",\"\"\"n\"\"\",b\n";
        check(TextFormat::Csv, 0, header);
        check(TextFormat::Csv, 2, &[header, csv, csv].concat());
        let rows = [
            r#"{"t":"a,b","x,y":0.1,"\"n\"":-9223372036854775808,"b":true}"#,
            r#"{"t":"say \"x\"","x,y":null,"\"n\"":null,"b":null}"#,
            r#"{"t":"two\nlines","x,y":"-Infinity","\"n\"":9223372036854775807,"b":false}"#,
        ];
        check(TextFormat::JsonLines, 0, "");
        check(
            TextFormat::JsonLines,
            2,
            &format!("{0}\n{1}\n{2}\n{0}\n{1}\n{2}\n", rows[0], rows[1], rows[2]),
        );
        check(TextFormat::Json, 0, "[]\n");
        check(TextFormat::Json, 1, &format!("[\n{}\n]\n", rows.join(",\n")));
        check(TextFormat::Json, 2, &format!("[\n{}\n]\n", [rows, rows].concat().join(",\n")));
    }

    #[test]
    fn text_reads_back() {
        // Our reader drops blanks around fields.
        let values =
            ["", "a", "1e5", "x,y", "\"", "\"q\",", "l\nm\r\nn", "t\tu", "#", "#c", "\u{feff}", "µ", "a b"];
        let json: Vec<String> = ["\0", "\u{1f}", "\\", "/", " b ", "\u{2028}"].map(str::to_owned).to_vec();
        let check = |names: &[&str], columns: &[&[&str]]| {
            let cells: Vec<Cells> = columns.iter().map(|column| texts(column)).collect();
            let found = read(written(TextFormat::Csv, names, &cells, 1).as_bytes()).unwrap();
            assert!(found.names == names && found.bad.is_empty(), "{found:?}");
            for (row, read) in found.rows.iter().enumerate() {
                let expected: Vec<&str> = columns.iter().map(|column| column[row]).collect();
                assert_eq!(read.split_once(": ").unwrap().1, expected.join("|"));
            }
            assert_eq!(found.rows.len(), columns[0].len());
        };
        // A row of one empty field is no empty line.
        check(&["a"], &[&values]);
        check(&["b", "a\tb"], &[&values, &values]);
        let names: Vec<&str> = values.iter().copied().filter(|name| !name.is_empty()).collect();
        for name in &names {
            check(&[name], &[&["x", "y"]]);
        }
        let all: Vec<&str> = values.iter().copied().chain(json.iter().map(String::as_str)).collect();
        for name in &all {
            let lines = written(TextFormat::JsonLines, &[name], &[texts(&all)], 1);
            for (line, text) in lines.lines().zip(&all) {
                let row: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(row[*name], *text);
            }
            assert_eq!(lines.lines().count(), all.len());
        }
    }

    #[test]
    fn numbers_of_32_bits_have_their_own_digits() {
        let check = |value: f32, expected: &str| {
            let csv = written(TextFormat::Csv, &["a"], &[Cells::Single(vec![value])], 1);
            assert_eq!(csv, format!("a\n{expected}\n"));
            assert_eq!(expected.parse::<f32>().unwrap_or(f32::NAN).to_bits(), value.to_bits());
        };
        check(20.3678, "20.3678");
        check(0.1, "0.1");
        check(16_777_216.0, "16777216");
        check(f32::MAX, "3.4028235e38");
        check(f32::from_bits(1), "1e-45");
        check(-f32::INFINITY, "-inf");
        let nothing = written(TextFormat::JsonLines, &["a"], &[Cells::Single(vec![f32::NAN])], 1);
        assert_eq!(nothing, "{\"a\":null}\n");
    }

    #[test]
    fn numbers_read_back_and_are_short() {
        let check = |value: f64, expected: &str| {
            let column = [Cells::Float(vec![value])];
            let csv = written(TextFormat::Csv, &["a"], &column, 1);
            assert_eq!(csv, format!("a\n{expected}\n"));
            let (_dir, path) = file(csv.as_bytes());
            let (mut table, mut batch) = (Table::open(&path).unwrap(), Batch::default());
            assert!(table.read(&[0], &mut batch).unwrap());
            assert_eq!(batch.cells(0).number(0).unwrap().to_bits(), value.to_bits());
            let json = written(TextFormat::Json, &["a"], &column, 1);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let read = json[0]["a"].as_f64();
            assert!(read.map_or(value.is_infinite(), |read| read.to_bits() == value.to_bits()), "{json}");
        };
        check(1.0, "1");
        check(-1234.5, "-1234.5");
        check(2_460_000.123_456_789, "2460000.123456789");
        check(0.1 + 0.2, "0.30000000000000004");
        check(9_007_199_254_740_991.0, "9007199254740991");
        check(1e16, "1e16");
        check(1e17, "1e17");
        check(-1.5e-17, "-1.5e-17");
        check(0.000_012_345_678_901_234_5, "1.23456789012345e-5");
        check(-12_345_678_901_234_567_000.0, "-1.2345678901234567e19");
        check(f64::MAX, "1.7976931348623157e308");
        check(f64::MIN_POSITIVE, "2.2250738585072014e-308");
        check(5e-324, "5e-324");
        check(f64::INFINITY, "inf");
        check(f64::from(0.1_f32), "0.10000000149011612");
    }

    #[test]
    fn lists_are_arrays_of_objects() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let lists = ("lc".to_owned(), vec![column("t", Kind::Float), column("b", Kind::Text)]);
        let shape = Shape { flat: vec![column("id", Kind::Integer)], lists: Some(lists) };
        let mut table = TextWriter::create(Vec::new(), TextFormat::JsonLines, shape.clone()).unwrap();
        let items = [Cells::Float(vec![1.0, 2.5, f64::NAN]), texts(&["g", "r", ""])];
        table.write_nested(&[Cells::Integer(vec![Some(7), Some(8), None])], &items, &[2, 0, 1]).unwrap();
        let expected = r#"{"id":7,"lc":[{"t":1,"b":"g"},{"t":2.5,"b":"r"}]}
{"id":8,"lc":[]}
{"id":null,"lc":[{"t":null,"b":""}]}
"#;
        assert_eq!(String::from_utf8(table.finish().unwrap()).unwrap(), expected);
        let error = TextWriter::create(Vec::new(), TextFormat::Csv, shape).err().unwrap().to_string();
        assert!(error.contains("no lists"), "{error}");
    }

    #[test]
    fn an_object_has_a_name_once() {
        let twice = shape(&["b", "a", "b"], &columns()[..3]);
        for format in [TextFormat::Json, TextFormat::JsonLines] {
            let error = TextWriter::create(Vec::new(), format, twice.clone()).err().unwrap().to_string();
            assert!(error.contains("two columns are called \"b\""), "{error}");
        }
        assert!(TextWriter::create(Vec::new(), TextFormat::Csv, twice).is_ok());
    }

    /// A writer that knows how much it took, and takes so much at most.
    struct Taker {
        taken: usize,
        room: usize,
    }

    impl Write for Taker {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.taken + bytes.len() > self.room {
                return Err(io::Error::other("it is full"));
            }
            self.taken += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_is_held() {
        let column = [texts(&vec!["x".repeat(99).as_str(); 5000])];
        let taker = Taker { taken: 0, room: 1_000_002 };
        let mut table = TextWriter::create(taker, TextFormat::Csv, shape(&["a"], &column)).unwrap();
        for times in 1..3 {
            table.write(&column).unwrap();
            assert_eq!(table.writer.taken, 2 + times * 500_000);
            assert!(table.buffer.capacity() < 4 * WRITE_BYTES);
        }
        assert_eq!(table.write(&column).unwrap_err().to_string(), "it is full");
    }
}
