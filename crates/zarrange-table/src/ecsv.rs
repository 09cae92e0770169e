//! Enhanced CSV 1.0 (APE 6 of astropy): a table of lines under a header of YAML, which names its columns and their units.

use std::io::{self, BufRead, BufReader, Read};

use yaml_rust2::parser::{Event, Parser};

use crate::error::TableError;
use crate::input::{Input, MARK};
use crate::table::Table;
use crate::text::{self, Dialect};

const FORMAT: &str = "ECSV";

/// What the file begins with.
const BEGIN: &[u8] = b"# %ECSV";

/// The longest header.
const HEADER_BYTES_MAX: usize = 1 << 20;

/// How deep what the header holds may be nested.
const DEPTH_MAX: usize = 64;

/// Whether a file that begins so is one.
pub(crate) fn begins(begin: &[u8]) -> bool {
    begin.starts_with(BEGIN)
}

/// Opens a table with a header of YAML.
pub(crate) fn open(mut input: Input) -> Result<Table, TableError> {
    let path = input.label();
    let failed = |reason: String| TableError::Format { path: path.clone(), format: FORMAT, reason };
    let (header, lines) = header(&mut input)?;
    let header = Node::of(&header).map_err(failed)?;
    let delimiter = match header.get("delimiter").and_then(Node::text) {
        None | Some(" ") => b' ',
        Some(",") => b',',
        Some(other) => {
            return Err(failed(format!("its delimiter is {other:?}, where a blank or a comma may be")));
        }
    };
    let columns = columns(&header).map_err(failed)?;
    if delimiter == b' ' {
        input.bytes = Box::new(BufReader::new(Blanks::new(input.bytes)));
    }
    let units = columns.iter().filter_map(|(name, unit)| Some((name.clone(), unit.clone()?))).collect();
    let table = text::with(input, &Dialect { format: FORMAT, delimiter, lines, units })?;
    for k in 0..columns.len().max(table.fields().len()) {
        let in_header = columns.get(k).map(|(name, _)| &name[..]);
        let in_line = table.fields().get(k).map(|field| &field.name[..]);
        if in_header != in_line {
            let name = |name: Option<&str>| name.map_or("missing".to_owned(), |name| format!("{name:?}"));
            return Err(failed(format!(
                "column {} is {} in its header and {} in its line of names: both must name the same columns",
                k + 1,
                name(in_header),
                name(in_line)
            )));
        }
    }
    Ok(table)
}

/// The header without what marks its lines, and how many there are.
fn header(input: &mut Input) -> Result<(String, u64), TableError> {
    let read = |source| TableError::Read { path: input.path.display().to_string(), source };
    let failed = |reason: &str| TableError::Format {
        path: input.path.display().to_string(),
        format: FORMAT,
        reason: reason.to_owned(),
    };
    let bytes = &mut input.bytes;
    if bytes.fill_buf().map_err(read)?.starts_with(MARK) {
        bytes.consume(MARK.len());
    }
    let (mut header, mut line, mut left) = (String::new(), Vec::new(), HEADER_BYTES_MAX);
    let (mut lines, mut two_ends) = (0, false);
    while bytes.fill_buf().map_err(read)?.starts_with(b"#") {
        line.clear();
        let mut limited = bytes.take(u64::try_from(left).unwrap_or(u64::MAX));
        left -= limited.read_until(b'\n', &mut line).map_err(read)?;
        if left == 0 {
            return Err(failed("its header is longer than 1 MiB"));
        }
        lines += 1;
        two_ends = line.ends_with(b"\r\n");
        let text = std::str::from_utf8(&line[1..]).map_err(|_| failed("its header is not UTF-8"))?;
        // The first line says which version this is.
        if lines > 1 {
            header.push_str(text.strip_prefix(' ').unwrap_or(text));
        }
    }
    // Of two bytes that end a line, the second counts with the next record.
    Ok((header, lines + u64::from(two_ends)))
}

/// Names of the columns, with their units.
fn columns(header: &Node) -> Result<Vec<(String, Option<String>)>, String> {
    let Some(Node::List(columns)) = header.get("datatype") else {
        return Err("its header has no list called datatype, which names its columns".to_owned());
    };
    let column = |(k, column): (usize, &Node)| {
        let name = column.get("name").and_then(Node::text);
        let name = name.ok_or_else(|| format!("column {} has no name in its header", k + 1))?;
        // Old files have a unit as a mapping of its own.
        let unit = column.get("unit").map(|unit| unit.get("unit").unwrap_or(unit));
        let unit = unit.and_then(Node::text).filter(|unit| !matches!(*unit, "" | "null" | "~"));
        Ok((name.trim().to_owned(), unit.map(str::to_owned)))
    };
    columns.iter().enumerate().map(column).collect()
}

/// YAML without tags, and with nothing where an alias stands: one that is repeated takes no memory.
#[derive(Debug, PartialEq, Eq)]
enum Node {
    Nothing,
    Scalar(String),
    List(Vec<Node>),
    /// In the order of the file; keys that are no scalars are left out.
    Map(Vec<(String, Node)>),
}

/// A list or map that has begun.
enum Open {
    List(Vec<Node>),
    /// What is in it, and the key whose value is next.
    Map(Vec<(String, Node)>, Option<Node>),
}

impl Node {
    /// The first document of `yaml`.
    fn of(yaml: &str) -> Result<Self, String> {
        let mut parser = Parser::new_from_str(yaml);
        let mut stack: Vec<Open> = Vec::new();
        loop {
            let (event, _) =
                parser.next_token().map_err(|error| format!("its header is no YAML: {error}"))?;
            let node = match event {
                Event::Nothing | Event::StreamStart | Event::DocumentStart => continue,
                Event::StreamEnd | Event::DocumentEnd => return Ok(Self::Nothing),
                Event::SequenceStart(..) | Event::MappingStart(..) if stack.len() == DEPTH_MAX => {
                    return Err(format!("its header is nested more than {DEPTH_MAX} deep"));
                }
                Event::SequenceStart(..) => {
                    stack.push(Open::List(Vec::new()));
                    continue;
                }
                Event::MappingStart(..) => {
                    stack.push(Open::Map(Vec::new(), None));
                    continue;
                }
                Event::Alias(_) => Self::Nothing,
                Event::Scalar(text, ..) => Self::Scalar(text),
                Event::SequenceEnd | Event::MappingEnd => match stack.pop() {
                    Some(Open::List(nodes)) => Self::List(nodes),
                    Some(Open::Map(nodes, _)) => Self::Map(nodes),
                    None => Self::Nothing,
                },
            };
            match stack.last_mut() {
                None => return Ok(node),
                Some(Open::List(nodes)) => nodes.push(node),
                Some(Open::Map(nodes, key)) => match key.take() {
                    None => *key = Some(node),
                    Some(Self::Scalar(key)) => nodes.push((key, node)),
                    Some(Self::Nothing | Self::List(_) | Self::Map(_)) => {}
                },
            }
        }
    }

    /// What stands under `key`.
    fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(nodes) => nodes.iter().find(|(known, _)| known == key).map(|(_, node)| node),
            Self::Nothing | Self::Scalar(_) | Self::List(_) => None,
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(text) => Some(text),
            Self::Nothing | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Lines with one blank between fields, and none around them: astropy reads several as one, the reader of records does not.
struct Blanks<R> {
    input: R,
    within: Within,
    /// Blanks were left out, and none was written for them yet.
    blank: bool,
}

/// Where in a line a byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Before a field.
    Start,
    Field,
    Quotes,
    /// After a quote that ends them, or is the first of two.
    Quote,
}

impl<R> Blanks<R> {
    const fn new(input: R) -> Self {
        Self { input, within: Within::Start, blank: false }
    }
}

impl Within {
    /// What comes after `byte`.
    const fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quotes, b'"') => Self::Quote,
            (Self::Quotes, _) | (Self::Start | Self::Quote, b'"') => Self::Quotes,
            (Self::Start | Self::Field | Self::Quote, b'\n' | b'\r') => Self::Start,
            (Self::Start | Self::Field | Self::Quote, _) => Self::Field,
        }
    }
}

impl<R: BufRead> Read for Blanks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self { input, within, blank } = self;
        let mut written = 0;
        while written == 0 && !buffer.is_empty() {
            let bytes = input.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let mut read = 0;
            while read < bytes.len() && written < buffer.len() {
                let byte = bytes[read];
                if byte == b' ' && *within != Within::Quotes {
                    *blank |= *within != Within::Start;
                    read += 1;
                    continue;
                }
                let wanted = std::mem::take(blank) && !matches!(byte, b'\n' | b'\r');
                // The byte after a blank is for the next turn.
                (buffer[written], *within) =
                    if wanted { (b' ', Within::Start) } else { (byte, within.after(byte)) };
                read += usize::from(!wanted);
                written += 1;
            }
            input.consume(read);
        }
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_fails, survive};

    const HEADER: &str = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, unit: mag, datatype: float64}\n# - {name: b c, datatype: string}\n# schema: astropy-2.0\n";

    /// The header of columns `a` and `b c` with one more line.
    fn header(more: &str) -> String {
        HEADER.replace("# schema", &format!("# {more}\n# schema"))
    }

    #[test]
    fn columns_have_the_units_of_the_header() {
        let names = ["a [mag]", "b c"];
        let check = |text: String, rows: &[&str]| check(text.as_bytes(), &names, rows, &[]);
        check(
            format!("{HEADER}a \"b c\"\n1.5 \"x y\"\n\"\" \"\"\nnan \"\"\"q\"\"\"\n"),
            &["8: 1.5|x y", "9: |", "10: nan|\"q\""],
        );
        check(format!("{}a,b c\n1.5,x y\n,\n", header("delimiter: ','")), &["9: 1.5|x y", "10: |"]);
        // As aligned by hand, with text of several lines.
        check(
            format!("{HEADER}a   \"b c\"  \n  1.5   \"x  y\n z\"\n2   3\n"),
            &["8: 1.5|x  y\n z", "10: 2|3"],
        );
        check(format!("\u{feff}{}a \"b c\"\r\n1 2\r\n", HEADER.replace('\n', "\r\n")), &["8: 1|2"]);
        check(format!("{HEADER}a \"b c\"\n"), &[]);
        // An alias stands for nothing, a tag for no type.
        let meta = "meta: !!omap\n# - x: &x [1, 2]\n# - y: [*x, *x]\n# - [a, b]: !t {}";
        check(format!("{}a \"b c\"\n1 2\n", header(meta)), &["12: 1|2"]);
    }

    #[test]
    fn odd_rows_are_named() {
        let text = format!("{HEADER}a \"b c\"\n1\n2 3\n1 2 3\n");
        let fields = |n: u8| format!("{n} fields, where there are 2 columns");
        let bad = [format!("8: {}", fields(1)), format!("10: {}", fields(3))];
        check(text.as_bytes(), &["a [mag]", "b c"], &["9: 2|3"], &[&bad[0], &bad[1]]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let check = |text: String, reason: &str| check_fails(text.as_bytes(), reason);
        check(
            format!("{HEADER}a c\n1 2\n"),
            "column 2 is \"b c\" in its header and \"c\" in its line of names",
        );
        check(format!("{HEADER}a \"b c\" d\n"), "column 3 is missing in its header and \"d\" in its line");
        check(format!("{HEADER}a\n"), "column 2 is \"b c\" in its header and missing in its line");
        check(HEADER.to_owned(), "it is empty");
        check(header("delimiter: ;"), "its delimiter is \";\", where a blank or a comma may be");
        check(HEADER.replace("name: a, ", ""), "column 1 has no name in its header");
        check(HEADER.replace("datatype:", "types:"), "no list called datatype");
        check(HEADER.replace('}', ""), "its header is no YAML");
        check(header(&format!("meta: {}", "[".repeat(65) + &"]".repeat(65))), "nested more than 64 deep");
        check(header(&"x".repeat(1 << 20)), "its header is longer than 1 MiB");
        check("# %ECSV 1.0\n".repeat(1 << 17), "its header is longer than 1 MiB");
    }

    #[test]
    fn repeated_aliases_take_no_memory() {
        let level = |bomb, k| format!("{bomb}\n# a{}: &a{} [{}]", k + 1, k + 1, format!("*a{k}, ").repeat(9));
        let bomb = (0..39).fold(String::new(), level);
        let text = format!("{}a \"b c\"\n1 2\n", header(&format!("a0: &a0 [x]{bomb}")));
        check(text.as_bytes(), &["a [mag]", "b c"], &["48: 1|2"], &[]);
    }

    #[test]
    fn broken_files_do_not_panic() {
        survive(
            format!("{}a \"b c\"\n1.5 \"x y\"\n2 \"\"\n", header("meta: !!omap\n# - k: {x: [1, 2]}"))
                .as_bytes(),
        );
    }
}
