//! Catalogues of `SExtractor` (`ASCII_HEAD`): numbers between blanks, under a line `#   1 NUMBER   Running object number   [unit]` for each
//! column. A column that holds a vector has one line, and the next line counts on.

use std::io::{BufRead, Read};
use std::ops::Range;

use crate::batch::Batch;
use crate::error::TableError;
use crate::input::{Input, MARK};
use crate::table::{Field, Places, Rows, Table};

const FORMAT: &str = "SExtractor";

/// The longest line.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// The longest name, with its unit.
const NAME_BYTES_MAX: usize = 256;

/// Columns at most: images of 256 by 256 pixels are.
const COLUMNS_MAX: usize = 1 << 16;

/// Whether a file that begins so is one.
pub(crate) fn begins(begin: &[u8]) -> bool {
    let begin = begin.trim_ascii_start();
    let line = begin.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Named::of(&String::from_utf8_lossy(line)).is_some()
}

/// Opens a catalogue.
pub(crate) fn open(mut input: Input) -> Result<Table, TableError> {
    let path = input.label();
    let read = |source| TableError::Read { path: path.clone(), source };
    if input.bytes.fill_buf().map_err(read)?.starts_with(MARK) {
        input.bytes.consume(MARK.len());
    }
    let mut lines = Lines { path, bytes: input.bytes, line: Vec::new(), number: 0, fields: Vec::new() };
    let mut named = Vec::new();
    let first = loop {
        if !lines.next()? {
            break None;
        }
        let line = lines.line.trim_ascii();
        if line.starts_with(b"#") {
            named.extend(Named::of(&String::from_utf8_lossy(line)));
            if named.len() > COLUMNS_MAX {
                return Err(lines.failed(format!("it has more than {COLUMNS_MAX} columns")));
            }
            if named.last().is_some_and(|named| named.bytes() > NAME_BYTES_MAX) {
                let number = lines.number;
                return Err(
                    lines.failed(format!("line {number} has a name longer than {NAME_BYTES_MAX} bytes"))
                );
            }
        } else if !line.is_empty() {
            break Some(lines.split());
        }
    };
    let fields = fields(named, first.as_ref().and_then(|fields| fields.as_ref().ok().copied()))
        .map_err(|reason| lines.failed(reason))?;
    let rows = Catalogue { lines, columns: fields.len(), pending: first.is_some() };
    Ok(Table::new(fields, Places::Lines, Box::new(rows)))
}

/// A line that names a column.
struct Named {
    /// From 1.
    number: u64,
    name: String,
    unit: Option<String>,
}

impl Named {
    /// `None` for any other line.
    fn of(line: &str) -> Option<Self> {
        let line = line.trim().strip_prefix('#')?.trim_start();
        let (number, line) = line.split_once(char::is_whitespace)?;
        let line = line.trim_start();
        let (name, comment) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let may_hold = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(may_hold);
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_name && is_number).then(|| Self {
            // Too great a number is refused with those that are too great for a table.
            number: number.parse().unwrap_or(u64::MAX),
            name: name.to_owned(),
            unit: unit(comment).filter(|unit| !unit.is_empty()).map(str::to_owned),
        })
    }

    /// Bytes of its name and unit.
    fn bytes(&self) -> usize {
        self.name.len() + self.unit.as_ref().map_or(0, String::len)
    }
}

/// What stands in brackets at the end of a comment.
fn unit(comment: &str) -> Option<&str> {
    let inner = comment.trim_end().strip_suffix(']')?;
    let mut open = 1;
    for (at, byte) in inner.bytes().enumerate().rev() {
        match byte {
            b']' => open += 1,
            b'[' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(inner[at + 1..].trim());
        }
    }
    None
}

/// The columns, where the first row has so many fields.
fn fields(mut named: Vec<Named>, in_row: Option<usize>) -> Result<Vec<Field>, String> {
    named.sort_by_key(|named| named.number);
    let last = named.last().map_or(0, |named| named.number);
    let columns = usize::try_from(last).unwrap_or(usize::MAX).max(in_row.unwrap_or(0));
    if columns > COLUMNS_MAX {
        return Err(format!("it has {columns} columns, where there may be {COLUMNS_MAX}"));
    }
    let mut fields: Vec<Field> = Vec::new();
    for (k, Named { number, name, unit }) in named.iter().enumerate() {
        if *number != fields.len() as u64 + 1 {
            return Err(format!("column {number} comes where column {} should", fields.len() + 1));
        }
        // The last one reaches as far as the rows do.
        let end = named.get(k + 1).map_or(columns as u64, |next| next.number - 1);
        fields.push(Field { name: name.clone(), unit: unit.clone() });
        let more = 1..=end.saturating_sub(*number);
        fields.extend(more.map(|n| Field { name: format!("{name}_{n}"), unit: unit.clone() }));
    }
    Ok(fields)
}

/// Lines, one by one.
struct Lines {
    path: String,
    bytes: Box<dyn BufRead>,
    /// The last one that was read.
    line: Vec<u8>,
    /// Its number, from 1.
    number: u64,
    /// Where its fields are.
    fields: Vec<Range<usize>>,
}

impl Lines {
    /// Reads the next line; `false` if there is none.
    fn next(&mut self) -> Result<bool, TableError> {
        self.line.clear();
        let mut limited = (&mut self.bytes).take(LINE_BYTES_MAX + 1);
        let read = limited.read_until(b'\n', &mut self.line);
        let read = read.map_err(|source| TableError::Read { path: self.path.clone(), source })?;
        self.number += 1;
        if read as u64 > LINE_BYTES_MAX {
            return Err(self.failed(format!("line {} is longer than {LINE_BYTES_MAX} bytes", self.number)));
        }
        Ok(read > 0)
    }

    /// How many fields are in the line, which are between blanks.
    fn split(&mut self) -> Result<usize, String> {
        self.fields.clear();
        if std::str::from_utf8(&self.line).is_err() {
            return Err("it is not UTF-8".to_owned());
        }
        let mut start = None;
        for (at, byte) in self.line.iter().enumerate() {
            match (byte.is_ascii_whitespace(), start) {
                (true, Some(from)) => {
                    self.fields.push(from..at);
                    start = None;
                }
                (false, None) => start = Some(at),
                (true, None) | (false, Some(_)) => {}
            }
        }
        self.fields.extend(start.map(|from| from..self.line.len()));
        Ok(self.fields.len())
    }

    fn failed(&self, reason: String) -> TableError {
        TableError::Format { path: self.path.clone(), format: FORMAT, reason }
    }
}

struct Catalogue {
    lines: Lines,
    columns: usize,
    /// The line that was read is the next row.
    pending: bool,
}

impl Rows for Catalogue {
    fn read(&mut self, wanted: &[usize], batch: &mut Batch) -> Result<bool, TableError> {
        batch.begin_texts(wanted.len());
        while batch.has_room() {
            if !std::mem::take(&mut self.pending) && !self.lines.next()? {
                return Ok(batch.rows() + batch.bad.len() > 0);
            }
            let line = self.lines.line.trim_ascii_start();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let columns = self.columns;
            let reason = match self.lines.split() {
                Ok(fields) if fields == columns => None,
                Ok(fields) => Some(format!("{fields} fields, where there are {columns} columns")),
                Err(reason) => Some(reason),
            };
            if reason.is_none() {
                let Lines { line, fields, .. } = &self.lines;
                let field = |at: usize| std::str::from_utf8(&line[fields[at].clone()]).unwrap_or_default();
                wanted.iter().enumerate().for_each(|(k, at)| batch.push_text(k, field(*at)));
            }
            batch.end_row(self.lines.number, reason);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, check_fails, survive};

    const HEADER: &str = "\
#   1 NUMBER                 Running object number
#   2 X_IMAGE                Object position along x (of [all])                         [pixel]
#   3 FLUX_APER              Flux vector within fixed circular aperture(s)              [count]
#   6 MU_MAX                 Peak surface brightness                      [mag * arcsec**(-[2])]
";

    #[test]
    fn columns_are_numbered() {
        let names =
            ["NUMBER", "X_IMAGE [pixel]", "FLUX_APER [count]", "FLUX_APER_1 [count]", "FLUX_APER_2 [count]"];
        let last = "MU_MAX [mag * arcsec**(-[2])]";
        let rows = "  1  1.5 10 20 30 -1.0\n# in between\n\n 2 2.5 11 21 31 1e+30";
        let text = format!("\n{HEADER}# no column\n{rows}\n");
        let expected = ["7: 1|1.5|10|20|30|-1.0", "10: 2|2.5|11|21|31|1e+30"];
        check(text.as_bytes(), &[&names[..], &[last]].concat(), &expected, &[]);
        check(text.replace('\n', "\r\n").as_bytes(), &[&names[..], &[last]].concat(), &expected, &[]);
        // The first row says how long a vector at the end is.
        let more = "MU_MAX_1 [mag * arcsec**(-[2])]";
        let text = format!("{HEADER}1 2 3 4 5 6 7\n1 2 3 4 5 6\n");
        let bad = "6: 6 fields, where there are 7 columns";
        check(text.as_bytes(), &[&names[..], &[last, more]].concat(), &["5: 1|2|3|4|5|6|7"], &[bad]);
        // Without rows there is none.
        check(HEADER.as_bytes(), &[&names[..], &[last]].concat(), &[], &[]);
        check(b"# 2 B\n# 1 A []\n1 2\n", &["A", "B"], &["3: 1|2"], &[]);
    }

    #[test]
    fn odd_rows_are_named() {
        let text = [b"# 1 A\n# 2 B\n1\n1 2\n1 2 3\n1 \xff\n3 4".as_slice()].concat();
        let fields = |n: u8| format!("{n} fields, where there are 2 columns");
        let bad = [format!("3: {}", fields(1)), format!("5: {}", fields(3)), "6: it is not UTF-8".to_owned()];
        check(&text, &["A", "B"], &["4: 1|2", "7: 3|4"], &[&bad[0], &bad[1], &bad[2]]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: &str, reason: &str| check_fails(text.as_bytes(), reason);
        check("# 1 A\n# 1 B\n1 2\n", "column 1 comes where column 2 should");
        check("# 2 A\n1 2\n", "column 2 comes where column 1 should");
        check("# 1 A\n# 99999999999999999999 B\n1 2\n", "columns, where there may be 65536");
        check(&format!("# 1 A\n{}\n", "1 ".repeat(70_000)), "it has 70000 columns, where there may be 65536");
        check(&format!("# 1 A\n# 2 {}\n", "B".repeat(300)), "line 2 has a name longer than 256 bytes");
        check(&format!("# 1 A\n1\n{}", "1".repeat(2 << 20)), "line 3 is longer than 1048576 bytes");
    }

    #[test]
    fn other_tables_are_not_taken_for_one() {
        let check = |text: &str, expected: bool| assert_eq!(begins(text.as_bytes()), expected, "{text}");
        check("#   1 NUMBER   Running object number\n", true);
        check(" \n# 1 NUMBER", true);
        check("#id,flux\n1,2\n", false);
        check("# 1 a,b\n", false);
        check("# 1\n2 B\n", false);
        check("# 1.5 NUMBER\n", false);
        check("# 1 2\n", false);
        check("1 NUMBER\n", false);
        check("", false);
    }

    #[test]
    fn broken_files_do_not_panic() {
        survive(format!("{HEADER}1 2 3 4 5 6\n# x\n2 3 4 5 6 7\n").as_bytes());
    }
}
