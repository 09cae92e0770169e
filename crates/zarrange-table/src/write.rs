//! Tables to be written: columns of equal length, as they come.
//!
//! Nothing is held: what was given is written when the call returns. Missing numbers are empty fields in CSV, and null in JSON.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use crate::batch::Cells;
use crate::table::Field;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 1 << 16;

/// Characters of a number up to which it is written without an exponent.
const PLAIN_CHARS: usize = 17;

/// Whole numbers below it have no more digits than those that read back the same: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

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
    /// Fields between commas, under a line of names.
    Csv,
    /// One array of an object for each row.
    Json,
    /// An object for each row, in a line of its own.
    JsonLines,
}

/// A name that is none of an output format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no format in which tables are written: these are csv, json and jsonl")]
pub struct UnknownOutputFormat(pub String);

/// A table to be written, some rows after the others.
///
/// ```
/// use zarrange_table::{Cells, Field, OutputFormat, TableWriter};
///
/// let fields = ["object", "flux"].map(|name| Field { name: name.to_owned(), unit: None });
/// let mut table = TableWriter::new(Vec::new(), OutputFormat::Csv, &fields)?;
/// table.write(&[Cells::Integer(vec![Some(7), Some(8)]), Cells::Float(vec![1.5, f64::NAN])])?;
/// assert_eq!(table.finish()?, b"object,flux\n7,1.5\n8,\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "without finish() a table may lack its end"]
pub struct TableWriter<W: Write> {
    writer: W,
    format: OutputFormat,
    /// What stands before each element: in JSON, its name.
    before: Vec<String>,
    rows: u64,
    buffer: Vec<u8>,
}

impl<W: Write> TableWriter<W> {
    /// Begins a table with these columns. Units are not written.
    ///
    /// # Errors
    /// If `writer` fails, or two columns have one name in JSON, where an object has a name once.
    pub fn new(writer: W, format: OutputFormat, fields: &[Field]) -> io::Result<Self> {
        match format {
            OutputFormat::Csv => {}
            OutputFormat::Json | OutputFormat::JsonLines => named_once(fields)?,
        }
        let (mut before, mut buffer) = (Vec::with_capacity(fields.len()), Vec::new());
        for (k, field) in fields.iter().enumerate() {
            let separator = if k == 0 { "" } else { "," };
            match format {
                OutputFormat::Csv => {
                    buffer.extend_from_slice(separator.as_bytes());
                    csv_text(&field.name, &mut buffer);
                    before.push(separator.to_owned());
                }
                OutputFormat::Json | OutputFormat::JsonLines => {
                    before.push(format!("{separator}{}:", serde_json::to_string(&field.name)?));
                }
            }
        }
        let mut table = Self { writer, format, before, rows: 0, buffer };
        match format {
            OutputFormat::Csv => table.end_csv_row(0),
            OutputFormat::Json => table.buffer.push(b'['),
            OutputFormat::JsonLines => {}
        }
        table.flush()?;
        Ok(table)
    }

    /// Writes rows, of which these are the columns.
    ///
    /// # Errors
    /// If the writer fails.
    ///
    /// # Panics
    /// If there are not as many columns as fields, or they are not of equal length.
    pub fn write(&mut self, columns: &[Cells]) -> io::Result<()> {
        assert_eq!(columns.len(), self.before.len(), "columns, and fields");
        let rows = columns.first().map_or(0, Cells::len);
        assert!(columns.iter().all(|cells| cells.len() == rows), "columns are of equal length");
        for row in 0..rows {
            match self.format {
                OutputFormat::Csv => self.csv_row(columns, row),
                OutputFormat::Json | OutputFormat::JsonLines => self.json_row(columns, row)?,
            }
            self.rows += 1;
            if self.buffer.len() >= WRITE_BYTES {
                self.flush()?;
            }
        }
        self.flush()
    }

    /// Ends the table, and gives the writer back.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<W> {
        match self.format {
            OutputFormat::Json if self.rows == 0 => self.buffer.extend_from_slice(b"]\n"),
            OutputFormat::Json => self.buffer.extend_from_slice(b"\n]\n"),
            OutputFormat::Csv | OutputFormat::JsonLines => {}
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

    fn json_row(&mut self, columns: &[Cells], row: usize) -> io::Result<()> {
        match self.format {
            OutputFormat::Json if self.rows > 0 => self.buffer.extend_from_slice(b",\n"),
            OutputFormat::Json => self.buffer.push(b'\n'),
            OutputFormat::Csv | OutputFormat::JsonLines => {}
        }
        self.buffer.push(b'{');
        for (cells, before) in columns.iter().zip(&self.before) {
            self.buffer.extend_from_slice(before.as_bytes());
            match cells {
                Cells::Text(texts) => serde_json::to_writer(&mut self.buffer, texts.get(row))?,
                Cells::Float(values) => json_float(values[row], &mut self.buffer),
                Cells::Single(values) => json_float(shortest(values[row]), &mut self.buffer),
                Cells::Integer(values) => json_maybe(values[row], &mut self.buffer),
                Cells::Bool(values) => json_maybe(values[row], &mut self.buffer),
            }
        }
        self.buffer.push(b'}');
        if self.format == OutputFormat::JsonLines {
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

/// Fails if two fields have one name.
fn named_once(fields: &[Field]) -> io::Result<()> {
    let mut names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "two columns are called {:?}, and an object of JSON has a name once: leave one out",
                pair[0]
            ),
        )),
        None => Ok(()),
    }
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

impl OutputFormat {
    /// All of them.
    const ALL: [Self; 3] = [Self::Csv, Self::Json, Self::JsonLines];
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Batch, Texts};
    use crate::table::Table;
    use crate::testing::{file, read};

    fn texts(all: &[&str]) -> Cells {
        let mut texts = Texts::default();
        for text in all {
            texts.push(text);
        }
        Cells::Text(texts)
    }

    fn fields(names: &[&str]) -> Vec<Field> {
        names.iter().map(|name| Field { name: (*name).to_owned(), unit: Some("Jy".to_owned()) }).collect()
    }

    /// What is written of these columns in so many calls.
    fn written(format: OutputFormat, names: &[&str], columns: &[Cells], times: usize) -> String {
        let mut table = TableWriter::new(Vec::new(), format, &fields(names)).unwrap();
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
        check(OutputFormat::Csv, 0, header);
        check(OutputFormat::Csv, 2, &[header, csv, csv].concat());
        let rows = [
            r#"{"t":"a,b","x,y":0.1,"\"n\"":-9223372036854775808,"b":true}"#,
            r#"{"t":"say \"x\"","x,y":null,"\"n\"":null,"b":null}"#,
            r#"{"t":"two\nlines","x,y":"-Infinity","\"n\"":9223372036854775807,"b":false}"#,
        ];
        check(OutputFormat::JsonLines, 0, "");
        check(
            OutputFormat::JsonLines,
            2,
            &format!("{0}\n{1}\n{2}\n{0}\n{1}\n{2}\n", rows[0], rows[1], rows[2]),
        );
        check(OutputFormat::Json, 0, "[]\n");
        check(OutputFormat::Json, 1, &format!("[\n{}\n]\n", rows.join(",\n")));
        check(OutputFormat::Json, 2, &format!("[\n{}\n]\n", [rows, rows].concat().join(",\n")));
    }

    #[test]
    fn text_reads_back() {
        // Our reader drops blanks around fields.
        let values =
            ["", "a", "1e5", "x,y", "\"", "\"q\",", "l\nm\r\nn", "t\tu", "#", "#c", "\u{feff}", "µ", "a b"];
        let json: Vec<String> = ["\0", "\u{1f}", "\\", "/", " b ", "\u{2028}"].map(str::to_owned).to_vec();
        let check = |names: &[&str], columns: &[&[&str]]| {
            let cells: Vec<Cells> = columns.iter().map(|column| texts(column)).collect();
            let found = read(written(OutputFormat::Csv, names, &cells, 1).as_bytes()).unwrap();
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
            let lines = written(OutputFormat::JsonLines, &[name], &[texts(&all)], 1);
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
            let csv = written(OutputFormat::Csv, &["a"], &[Cells::Single(vec![value])], 1);
            assert_eq!(csv, format!("a\n{expected}\n"));
            assert_eq!(expected.parse::<f32>().unwrap_or(f32::NAN).to_bits(), value.to_bits());
        };
        check(20.3678, "20.3678");
        check(0.1, "0.1");
        check(16_777_216.0, "16777216");
        check(f32::MAX, "3.4028235e38");
        check(f32::from_bits(1), "1e-45");
        check(-f32::INFINITY, "-inf");
        let nothing = written(OutputFormat::JsonLines, &["a"], &[Cells::Single(vec![f32::NAN])], 1);
        assert_eq!(nothing, "{\"a\":null}\n");
    }

    #[test]
    fn numbers_read_back_and_are_short() {
        let check = |value: f64, expected: &str| {
            let column = [Cells::Float(vec![value])];
            let csv = written(OutputFormat::Csv, &["a"], &column, 1);
            assert_eq!(csv, format!("a\n{expected}\n"));
            let (_dir, path) = file(csv.as_bytes());
            let (mut table, mut batch) = (Table::open(&path).unwrap(), Batch::default());
            assert!(table.read(&[0], &mut batch).unwrap());
            assert_eq!(batch.cells(0).number(0).unwrap().to_bits(), value.to_bits());
            let json = written(OutputFormat::Json, &["a"], &column, 1);
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
    fn names_are_known() {
        for format in OutputFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let error = "xlsx".parse::<OutputFormat>().unwrap_err().to_string();
        assert_eq!(error, "\"xlsx\" is no format in which tables are written: these are csv, json and jsonl");
        let twice = fields(&["b", "a", "b"]);
        for format in [OutputFormat::Json, OutputFormat::JsonLines] {
            let error = TableWriter::new(Vec::new(), format, &twice).err().unwrap().to_string();
            assert!(error.contains("two columns are called \"b\""), "{error}");
        }
        assert!(TableWriter::new(Vec::new(), OutputFormat::Csv, &twice).is_ok());
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
        let mut table = TableWriter::new(taker, OutputFormat::Csv, &fields(&["a"])).unwrap();
        for times in 1..3 {
            table.write(&column).unwrap();
            assert_eq!(table.writer.taken, 2 + times * 500_000);
            assert!(table.buffer.capacity() < 4 * WRITE_BYTES);
        }
        assert_eq!(table.write(&column).unwrap_err().to_string(), "it is full");
    }
}
