//! Tables written, and read back: Parquet by our reader, Arrow by what is told of it in its specification.

use std::io;

use super::arrow::ArrowWriter;
use super::columns::{Column, ColumnsWriter, Group, Groups, Shape};
use super::parquet::ParquetWriter;
use crate::batch::{Cells, Kind, Texts};
use crate::testing::read;

fn column(name: &str, kind: Kind) -> Column {
    Column { name: name.to_owned(), kind }
}

fn texts(all: &[&str]) -> Cells {
    let mut texts = Texts::default();
    for text in all {
        texts.push(text);
    }
    Cells::Text(texts)
}

/// Columns of all types, and lists of some.
fn shape(nested: bool) -> Shape {
    let flat = vec![
        column("id", Kind::Text),
        column("ra", Kind::Float),
        column("mag", Kind::Single),
        column("n", Kind::Integer),
        column("ok", Kind::Bool),
    ];
    let lists = (
        "lc".to_owned(),
        vec![column("time", Kind::Float), column("band", Kind::Text), column("q", Kind::Integer)],
    );
    Shape { flat, lists: nested.then_some(lists) }
}

/// Three rows of the flat columns.
fn flat() -> Vec<Cells> {
    vec![
        texts(&["a", "", "c\u{e9}"]),
        Cells::Float(vec![0.1, f64::NAN, -2.0]),
        Cells::Single(vec![0.1, f32::NAN, 1.5]),
        Cells::Integer(vec![Some(i64::MAX), None, Some(-3)]),
        Cells::Bool(vec![None, Some(true), Some(false)]),
    ]
}

/// Lists of two elements, of none, and of one.
fn items() -> (Vec<Cells>, [usize; 3]) {
    let items = vec![
        Cells::Float(vec![1.0, 2.0, f64::NAN]),
        texts(&["g", "", "r"]),
        Cells::Integer(vec![None, Some(5), Some(6)]),
    ];
    (items, [2, 0, 1])
}

const FLAT_ROWS: [&str; 3] =
    ["a|0.1|0.10000000149011612|9223372036854775807|", "||||true", "c\u{e9}|-2|1.5|-3|false"];

#[test]
fn parquet_is_read_back() {
    let check = |bytes: Vec<u8>, expected: &[String]| {
        let found = read(&bytes).unwrap();
        assert_eq!((&found.rows[..], found.bad.len()), (expected, 0));
    };
    let mut writer = ParquetWriter::create(Vec::new(), shape(false)).unwrap();
    writer.write(&flat()).unwrap();
    writer.write(&flat()).unwrap();
    let rows = (0..6).map(|k| format!("{}: {}", k + 1, FLAT_ROWS[k % 3])).collect::<Vec<_>>();
    check(writer.finish().unwrap(), &rows);

    let mut writer = ParquetWriter::create(Vec::new(), shape(true)).unwrap();
    let (items, lengths) = items();
    writer.write_nested(&flat(), &items, &lengths).unwrap();
    let [first, _, last] = FLAT_ROWS;
    let rows = [format!("1: {first}|1|g|"), format!("1: {first}|2||5"), format!("3: {last}||r|6")];
    check(writer.finish().unwrap(), &rows);

    check(ParquetWriter::create(Vec::new(), shape(true)).unwrap().finish().unwrap(), &[]);
}

/// A table or vector of a flatbuffer.
#[derive(Clone, Copy)]
struct At<'a>(&'a [u8], usize);

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().unwrap()
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(number(bytes, at)) as usize
}

fn long(bytes: &[u8], at: usize) -> usize {
    usize::try_from(i64::from_le_bytes(number(bytes, at))).unwrap()
}

impl<'a> At<'a> {
    fn root(bytes: &'a [u8]) -> Self {
        Self(bytes, word(bytes, 0))
    }

    /// Where a field is, if it is there.
    fn field(self, slot: usize) -> Option<usize> {
        let Self(bytes, at) = self;
        let lengths = at - word(bytes, at);
        assert_eq!((at % 4, lengths % 2), (0, 0));
        let size = usize::from(u16::from_le_bytes(number(bytes, lengths)));
        let entry = 4 + 2 * slot;
        let offset =
            if entry < size { usize::from(u16::from_le_bytes(number(bytes, lengths + entry))) } else { 0 };
        (offset > 0).then_some(at + offset)
    }

    fn byte(self, slot: usize) -> u8 {
        self.field(slot).map_or(0, |at| self.0[at])
    }

    fn long(self, slot: usize) -> usize {
        let at = self.field(slot).unwrap();
        assert_eq!(at % 8, 0);
        long(self.0, at)
    }

    fn refers(self, slot: usize) -> Self {
        let at = self.field(slot).unwrap();
        Self(self.0, at + word(self.0, at))
    }

    fn text(self, slot: usize) -> &'a str {
        let Self(bytes, at) = self.refers(slot);
        let length = word(bytes, at);
        assert_eq!(bytes[at + 4 + length], 0);
        std::str::from_utf8(&bytes[at + 4..at + 4 + length]).unwrap()
    }

    fn tables(self, slot: usize) -> Vec<Self> {
        let Self(bytes, at) = self.refers(slot);
        let element = |k| at + 4 + 4 * k;
        (0..word(bytes, at)).map(|k| Self(bytes, element(k) + word(bytes, element(k)))).collect()
    }

    /// Structs of so many eight-byte numbers.
    fn structs(self, slot: usize, size: usize) -> Vec<Vec<usize>> {
        let Self(bytes, at) = self.refers(slot);
        assert_eq!((at + 4) % 8, 0);
        let number = |k| long(bytes, at + 4 + 8 * k);
        (0..word(bytes, at)).map(|k| (size * k..size * (k + 1)).map(number).collect()).collect()
    }
}

/// The fields of a schema: names with kinds, children in brackets.
fn fields(tables: &[At<'_>]) -> String {
    let field = |field: &At<'_>| {
        assert_eq!(field.byte(1), 1, "it may be null");
        let of = field.refers(3);
        let what = match field.byte(2) {
            2 => format!("int {} {}", word(of.0, of.field(0).unwrap()), of.byte(1)),
            3 => format!("float {}", of.byte(0)),
            5 => "text".to_owned(),
            6 => "bool".to_owned(),
            12 => "list".to_owned(),
            13 => "struct".to_owned(),
            other => format!("{other}"),
        };
        let children = fields(&field.tables(5));
        format!(
            "{}: {what}{}",
            field.text(0),
            if children.is_empty() { children } else { format!("[{children}]") }
        )
    };
    tables.iter().map(field).collect::<Vec<_>>().join(", ")
}

/// Rows, nodes and buffers of a group.
type Records = (usize, Vec<Vec<usize>>, Vec<Vec<u8>>);

/// What a file says: its schema, and its groups.
fn arrow(bytes: &[u8]) -> (String, Vec<Records>) {
    let (begin, end) = (&bytes[..8], &bytes[bytes.len() - 6..]);
    assert_eq!((begin, end), (&b"ARROW1\0\0"[..], &b"ARROW1"[..]));
    let size = word(bytes, bytes.len() - 10);
    let footer = At::root(&bytes[bytes.len() - 10 - size..bytes.len() - 10]);
    let schema = fields(&footer.refers(1).tables(1));
    // The first message has the schema as well.
    let first = At::root(&bytes[16..16 + word(bytes, 12)]);
    assert_eq!((first.byte(0), first.byte(1), fields(&first.refers(2).tables(1))), (4, 1, schema.clone()));
    assert!(footer.structs(2, 3).is_empty());
    let group = |block: &Vec<usize>| {
        let [at, head, body] = block[..] else { panic!("a block has three numbers") };
        assert_eq!((&bytes[at..at + 4], word(bytes, at + 4)), (&[0xff; 4][..], head - 8));
        let message = At::root(&bytes[at + 8..at + head]);
        assert_eq!((message.byte(1), message.long(3)), (3, body));
        let records = message.refers(2);
        let body = &bytes[at + head..at + head + body];
        let buffer = |buffer: &Vec<usize>| {
            assert_eq!(((at + head + buffer[0]) % 64, buffer.len()), (0, 2));
            body[buffer[0]..buffer[0] + buffer[1]].to_vec()
        };
        let buffers = records.structs(2, 2).iter().map(buffer).collect();
        (records.long(0), records.structs(1, 2), buffers)
    };
    (schema, footer.structs(3, 3).iter().map(group).collect())
}

fn bytes_of<const N: usize, T>(values: &[T], bytes: impl Fn(&T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(bytes).collect()
}

#[test]
fn arrow_is_as_specified() {
    const FLAT: &str = "id: text, ra: float 2, mag: float 1, n: int 64 1, ok: bool";
    let doubles = |values: &[f64]| bytes_of(values, |value| value.to_le_bytes());
    let longs = |values: &[i64]| bytes_of(values, |value| value.to_le_bytes());
    let ends = |values: &[i32]| bytes_of(values, |value| value.to_le_bytes());
    let none = Vec::new;
    let flat_nodes = vec![vec![3, 0], vec![3, 0], vec![3, 0], vec![3, 1], vec![3, 1]];
    let flat_buffers = vec![
        none(),
        ends(&[0, 1, 1, 4]),
        "ac\u{e9}".as_bytes().to_vec(),
        none(),
        doubles(&[0.1, f64::NAN, -2.0]),
        none(),
        bytes_of(&[0.1_f32, f32::NAN, 1.5], |value| value.to_le_bytes()),
        vec![0b101],
        longs(&[i64::MAX, 0, -3]),
        vec![0b110],
        vec![0b010],
    ];

    let mut writer = ArrowWriter::create(Vec::new(), shape(false)).unwrap();
    writer.write(&flat()).unwrap();
    let (schema, groups) = arrow(&writer.finish().unwrap());
    assert_eq!((&schema[..], groups), (FLAT, vec![(3, flat_nodes.clone(), flat_buffers.clone())]));

    let mut writer = ArrowWriter::create(Vec::new(), shape(true)).unwrap();
    let (items, lengths) = items();
    writer.write_nested(&flat(), &items, &lengths).unwrap();
    let (schema, groups) = arrow(&writer.finish().unwrap());
    assert_eq!(schema, format!("{FLAT}, lc: list[element: struct[time: float 2, band: text, q: int 64 1]]"));
    let nodes = [flat_nodes, vec![vec![3, 0], vec![3, 0], vec![3, 0], vec![3, 0], vec![3, 1]]].concat();
    let lists = vec![
        none(),
        ends(&[0, 2, 2, 3]),
        none(),
        none(),
        doubles(&[1.0, 2.0, f64::NAN]),
        none(),
        ends(&[0, 1, 1, 2]),
        b"gr".to_vec(),
        vec![0b110],
        longs(&[0, 5, 6]),
    ];
    assert_eq!(groups, [(3, nodes, [flat_buffers, lists].concat())]);

    let (schema, groups) = arrow(&ArrowWriter::create(Vec::new(), shape(false)).unwrap().finish().unwrap());
    assert_eq!((&schema[..], groups.len()), (FLAT, 0));
}

#[test]
fn arrow_has_a_group_for_so_many_rows() {
    let shape = Shape { flat: vec![column("n", Kind::Integer)], lists: None };
    let mut writer = ArrowWriter::create(Vec::new(), shape).unwrap();
    writer.write(&[Cells::Integer((0..150_000).map(Some).collect())]).unwrap();
    let (_, groups) = arrow(&writer.finish().unwrap());
    let rows: Vec<usize> = groups.iter().map(|(rows, _, _)| *rows).collect();
    assert_eq!(rows, [65_536, 65_536, 18_928]);
    assert_eq!(groups[2].2[1][..8], 131_072_i64.to_le_bytes());
}

/// Notes of each group the first of its numbers, its rows, and its items, which are counted through.
struct Noted(Vec<(Option<i64>, usize, usize)>);

impl Groups for Noted {
    type Writer = Vec<(Option<i64>, usize, usize)>;
    const ROWS_MAX: usize = 2500;
    const BYTES_MAX: usize = 100_000;

    fn write(&mut self, _shape: &Shape, group: &Group) -> io::Result<()> {
        let Cells::Integer(numbers) = &group.flat[0] else { panic!("there are numbers") };
        assert_eq!((numbers.len(), group.lengths.iter().sum::<usize>()), (group.rows, group.items[0].len()));
        let before = self.0.iter().map(|(_, _, items)| items).sum::<usize>();
        assert!((0..group.items[0].len()).all(|k| group.items[0].number(k) == Ok(float(before + k))));
        self.0.push((numbers[0], group.rows, group.items[0].len()));
        Ok(())
    }

    fn finish(self, _shape: &Shape) -> io::Result<Self::Writer> {
        Ok(self.0)
    }
}

fn float(k: usize) -> f64 {
    f64::from(u32::try_from(k).unwrap())
}

#[test]
fn groups_end_when_they_are_large() {
    let shape = Shape {
        flat: vec![column("n", Kind::Integer)],
        lists: Some(("l".to_owned(), vec![column("x", Kind::Float)])),
    };
    let check = |elements: usize, calls: &[usize], expected: &[(i64, usize, usize)]| {
        let mut writer = ColumnsWriter::new(shape.clone(), Noted(Vec::new()));
        let mut at = 0;
        for rows in calls {
            let numbers = (at..at + rows).map(|k| i64::try_from(k).ok()).collect();
            let items = [Cells::Float((at * elements..(at + rows) * elements).map(float).collect())];
            writer.write_nested(&[Cells::Integer(numbers)], &items, &vec![elements; *rows]).unwrap();
            at += rows;
        }
        let expected: Vec<_> =
            expected.iter().map(|(first, rows, items)| (Some(*first), *rows, *items)).collect();
        assert_eq!(writer.finish().unwrap(), expected);
    };
    check(0, &[2000, 1000, 0, 2100], &[(0, 2500, 0), (2500, 2500, 0), (5000, 100, 0)]);
    // So many that 2^16 of them fit.
    check(
        100,
        &[1500, 100],
        &[(0, 655, 65_500), (655, 655, 65_500), (1310, 190, 19_000), (1500, 100, 10_000)],
    );
    check(70_000, &[2], &[(0, 1, 70_000), (1, 1, 70_000)]);
    check(1, &[], &[]);
}

#[test]
fn what_does_not_fit_the_table_is_refused() {
    let check = |nested: bool, flat: &[Cells], lists: Option<(&[Cells], &[usize])>, expected: &str| {
        let mut writer = ArrowWriter::create(Vec::new(), shape(nested)).unwrap();
        let error = match lists {
            None => writer.write(flat),
            Some((items, lengths)) => writer.write_nested(flat, items, lengths),
        }
        .unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains(expected), "{error}");
    };
    let (columns, lengths) = items();
    let mut wrong = flat();
    check(false, &wrong[..4], None, "it has 5 columns, and 4 were given");
    check(true, &wrong, None, "its lists are missing");
    check(false, &wrong, Some((&columns, &lengths)), "it has no lists");
    check(true, &wrong, Some((&columns, &[2, 0, 2])), "column \"time\" has 3 values for 4 rows");
    check(true, &wrong, Some((&columns, &[usize::MAX, 1, 3])), "too long");
    wrong[1] = Cells::Float(vec![1.0]);
    check(false, &wrong, None, "column \"ra\" has 1 values for 3 rows");
    wrong[1] = Cells::Integer(vec![None; 3]);
    check(false, &wrong, None, "column \"ra\" is of Float, and Integer was given");
}
