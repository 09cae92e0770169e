//! Files made by the crate's own writer, and damaged.

use std::sync::Arc;

use parquet::basic::{Compression, Encoding};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, FixedLenByteArray};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::batch::{ROWS_MAX, TEXT_BYTES};
use crate::testing::{Read, file, read};
use crate::{Batch, Table, TableError};

/// A column of a group: its values without nulls, and its levels.
struct Part {
    values: Values,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

enum Values {
    Bool(Vec<bool>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<&'static [u8]>),
    Fixed(Vec<&'static [u8]>),
}

fn part(values: Values, definition: &[i16], repetition: &[i16]) -> Part {
    Part { values, definition: definition.to_vec(), repetition: repetition.to_vec() }
}

/// A required column.
fn full(values: Values) -> Part {
    part(values, &[], &[])
}

/// A file of this schema, with these groups of rows.
fn parquet(schema: &str, properties: WriterPropertiesBuilder, groups: &[Vec<Part>]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message schema {{ {schema} }}")).unwrap());
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build())).unwrap();
    for columns in groups {
        let mut group = writer.next_row_group().unwrap();
        for column in columns {
            let mut to = group.next_column().unwrap().unwrap();
            let definition = (!column.definition.is_empty()).then_some(&column.definition[..]);
            let repetition = (!column.repetition.is_empty()).then_some(&column.repetition[..]);
            match (to.untyped(), &column.values) {
                (ColumnWriter::BoolColumnWriter(to), Values::Bool(values)) => {
                    to.write_batch(values, definition, repetition)
                }
                (ColumnWriter::Int32ColumnWriter(to), Values::Int32(values)) => {
                    to.write_batch(values, definition, repetition)
                }
                (ColumnWriter::Int64ColumnWriter(to), Values::Int64(values)) => {
                    to.write_batch(values, definition, repetition)
                }
                (ColumnWriter::FloatColumnWriter(to), Values::Float(values)) => {
                    to.write_batch(values, definition, repetition)
                }
                (ColumnWriter::DoubleColumnWriter(to), Values::Double(values)) => {
                    to.write_batch(values, definition, repetition)
                }
                (ColumnWriter::ByteArrayColumnWriter(to), Values::Bytes(values)) => {
                    let values: Vec<ByteArray> = values.iter().map(|bytes| ByteArray::from(*bytes)).collect();
                    to.write_batch(&values, definition, repetition)
                }
                (ColumnWriter::FixedLenByteArrayColumnWriter(to), Values::Fixed(values)) => {
                    let values: Vec<FixedLenByteArray> =
                        values.iter().map(|bytes| ByteArray::from(*bytes).into()).collect();
                    to.write_batch(&values, definition, repetition)
                }
                (_, _) => panic!("a column is written as what it is not"),
            }
            .unwrap();
            to.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

fn plain() -> WriterPropertiesBuilder {
    WriterProperties::builder()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Reads some columns of the table of these bytes, `None` being all.
fn read_some(bytes: &[u8], wanted: Option<&[&str]>) -> Result<Read, TableError> {
    let Some(wanted) = wanted else { return read(bytes) };
    let (_dir, path) = file(bytes);
    let mut table = Table::open(&path)?;
    let columns: Vec<usize> = wanted.iter().map(|name| table.position(name).unwrap()).collect();
    let (mut batch, mut found) = (Batch::default(), Read { names: owned(wanted), rows: vec![], bad: vec![] });
    while table.read(&columns, &mut batch)? {
        assert!(batch.rows() + batch.bad().len() <= ROWS_MAX);
        for row in 0..batch.rows() {
            let fields: Vec<_> = (0..columns.len()).map(|k| batch.cells(k).text(row).into_owned()).collect();
            found.rows.push(format!("{}: {}", batch.place(row), fields.join("|")));
        }
        found.bad.extend(batch.bad().iter().map(|bad| format!("{}: {}", bad.place, bad.reason)));
    }
    Ok(found)
}

#[test]
fn values_are_what_their_types_say() {
    let check = |schema: &str, values: Values, expected: &[&str]| {
        let found = read(&parquet(schema, plain(), &[vec![full(values)]])).unwrap();
        let rows = expected.iter().enumerate().map(|(k, text)| format!("{}: {text}", k + 1));
        assert_eq!(found, Read { names: owned(&["x"]), rows: rows.collect(), bad: vec![] });
    };
    check("required boolean x;", Values::Bool(vec![true, false]), &["true", "false"]);
    check("required int32 x;", Values::Int32(vec![-5, 7]), &["-5", "7"]);
    check("required int32 x (INT_8);", Values::Int32(vec![-5, 7]), &["-5", "7"]);
    check("required int32 x (UINT_8);", Values::Int32(vec![200]), &["200"]);
    check("required int32 x (UINT_32);", Values::Int32(vec![-1, 3]), &["4294967295", "3"]);
    check("required int64 x;", Values::Int64(vec![i64::MIN, 9]), &["-9223372036854775808", "9"]);
    check("required int64 x (UINT_64);", Values::Int64(vec![8, i64::MAX]), &["8", "9223372036854775807"]);
    check("required int64 x (UINT_64);", Values::Int64(vec![8, -1, 9]), &["8", "18446744073709551615", "9"]);
    check(
        "required float x;",
        Values::Float(vec![1.5, f32::NAN, -0.1]),
        &["1.5", "", "-0.10000000149011612"],
    );
    check("required double x;", Values::Double(vec![0.1, f64::NAN, 1e300]), &["0.1", "", &1e300.to_string()]);
    check("required binary x (UTF8);", Values::Bytes(vec![b"a,b", "\u{e9}".as_bytes()]), &["a,b", "\u{e9}"]);
    check("required binary x (ENUM);", Values::Bytes(vec![b"g"]), &["g"]);
    check("required binary x;", Values::Bytes(vec![b"", b"c"]), &["", "c"]);
    check("required fixed_len_byte_array(2) x (FLOAT16);", Values::Fixed(vec![&[0, 0xc0]]), &["-2"]);
}

#[test]
fn nulls_are_missing() {
    let schema = "optional boolean b; optional int32 i; optional double d; optional binary t (UTF8);";
    let levels = &[0, 1, 0];
    let columns = vec![
        part(Values::Bool(vec![true]), levels, &[]),
        part(Values::Int32(vec![7]), levels, &[]),
        part(Values::Double(vec![0.5]), levels, &[]),
        part(Values::Bytes(vec![b"x"]), levels, &[]),
    ];
    let found = read(&parquet(schema, plain(), &[columns])).unwrap();
    assert_eq!(found.rows, ["1: |||", "2: true|7|0.5|x", "3: |||"]);
    // All of a page.
    for encoding in [Encoding::PLAIN, Encoding::DELTA_BINARY_PACKED, Encoding::RLE_DICTIONARY] {
        let properties = plain().set_dictionary_enabled(encoding == Encoding::RLE_DICTIONARY);
        let properties =
            if encoding == Encoding::RLE_DICTIONARY { properties } else { properties.set_encoding(encoding) };
        let columns = vec![part(Values::Int64(vec![]), levels, &[]), full(Values::Int32(vec![1, 2, 3]))];
        let columns = columns.into_iter().map(|mut part| {
            part.definition.iter_mut().for_each(|level| *level = 0);
            part
        });
        let bytes = parquet("optional int64 n; required int32 i;", properties, &[columns.collect()]);
        assert_eq!(read(&bytes).unwrap().rows, ["1: |1", "2: |2", "3: |3"]);
    }
}

#[test]
fn odd_columns_fail_where_they_are_wanted() {
    let schema = "required int32 x; required int32 day (DATE); required int64 at (TIMESTAMP(MICROS,true)); \
        required int32 money (DECIMAL(9,2)); required fixed_len_byte_array(3) raw; required int64 old (TIMESTAMP_MILLIS);";
    let columns = vec![
        full(Values::Int32(vec![5])),
        full(Values::Int32(vec![5])),
        full(Values::Int64(vec![5])),
        full(Values::Int32(vec![5])),
        full(Values::Fixed(vec![b"abc"])),
        full(Values::Int64(vec![5])),
    ];
    let bytes = parquet(schema, plain(), &[columns]);
    assert_eq!(read_some(&bytes, Some(&["x"])).unwrap().rows, ["1: 5"]);
    let check = |column: &str, what: &str| {
        let error = read_some(&bytes, Some(&["x", column])).unwrap_err();
        assert!(matches!(error, TableError::Column { .. }), "{error}");
        assert!(error.to_string().contains(&format!("column {column:?} holds {what}")), "{error}");
    };
    check("day", "dates");
    check("at", "timestamps");
    check("money", "decimals");
    check("raw", "FIXED_LEN_BYTE_ARRAY");
    check("old", "timestamps");
}

/// `lc` of `time` and `mag`: a list of two, an empty one, a null one, one of one that differs if `broken`, and one of one.
fn curves(schema: &str, levels: [i16; 3], broken: bool) -> Vec<u8> {
    let [null, empty, value] = levels;
    let definition = [value, value, empty, null, value, value];
    let repetition = [0, 1, 0, 0, 0, 0];
    let ids = vec![b"a".as_slice(), b"b", b"c", b"d", b"e"];
    let mut magnitudes = part(Values::Float(vec![15.5, 15.25, 16.0, 17.5]), &definition, &repetition);
    if broken {
        magnitudes.definition[4] = empty;
        magnitudes.values = Values::Float(vec![15.5, 15.25, 17.5]);
    }
    let columns = vec![
        full(Values::Bytes(ids)),
        part(Values::Double(vec![1.0, 2.0, 3.0, 4.0]), &definition, &repetition),
        magnitudes,
    ];
    parquet(&format!("required binary id (UTF8); {schema}"), plain(), &[columns])
}

const LIST_OF_STRUCTS: &str = "optional group lc (LIST) { repeated group list { required group element { \
    required double time; required float mag; } } }";
const STRUCT_OF_LISTS: &str = "required group lc { \
    optional group time (LIST) { repeated group list { required double element; } } \
    optional group mag (LIST) { repeated group array { required float item; } } }";

#[test]
fn lists_are_exploded_in_either_layout() {
    let check_levels = |schema: &str, levels, wanted: Option<&[&str]>, rows: &[&str]| {
        let found = read_some(&curves(schema, levels, false), wanted).unwrap();
        assert_eq!((found.rows, found.bad), (owned(rows), vec![]), "{schema}");
    };
    let check =
        |schema: &str, wanted: &[&str], rows: &[&str]| check_levels(schema, [0, 1, 2], Some(wanted), rows);
    let all = ["1: a|1|15.5", "1: a|2|15.25", "4: d|3|16", "5: e|4|17.5"];
    check(LIST_OF_STRUCTS, &["id", "time", "mag"], &all);
    check(LIST_OF_STRUCTS, &["id"], &["1: a", "2: b", "3: c", "4: d", "5: e"]);
    check(LIST_OF_STRUCTS, &["mag"], &["1: 15.5", "1: 15.25", "4: 16", "5: 17.5"]);
    check(LIST_OF_STRUCTS, &[], &["1: ", "2: ", "3: ", "4: ", "5: "]);
    check(STRUCT_OF_LISTS, &["id", "time", "item"], &all);
    // What is repeated need not be called a list.
    check_levels("repeated group lc { required double time; required float mag; }", [0, 0, 1], None, &all);
}

#[test]
fn lists_of_a_record_are_as_long() {
    let found = read(&curves(LIST_OF_STRUCTS, [0, 1, 2], true)).unwrap();
    assert_eq!(found.rows, ["1: a|1|15.5", "1: a|2|15.25", "5: e|4|17.5"]);
    assert_eq!(found.bad, [r#"4: its lists differ: there are 1 of "time", and 0 of "mag""#]);
}

#[test]
fn names_tell_columns_apart() {
    let check = |schema: &str, expected: &[&str]| {
        let (_dir, path) = file(&parquet(schema, plain(), &[]));
        let table = Table::open(&path).unwrap();
        let names: Vec<&str> = table.fields().iter().map(|field| &field.name[..]).collect();
        assert_eq!(names, expected);
    };
    check(LIST_OF_STRUCTS, &["time", "mag"]);
    check(STRUCT_OF_LISTS, &["time", "item"]);
    let other = "required double time; optional group b { required double time; required double e; }";
    check(&format!("{other} {LIST_OF_STRUCTS}"), &["time", "b.time", "e", "lc.time", "mag"]);
    check(
        "optional group flux (LIST) { repeated double item; } \
         optional group old (LIST) { repeated group old_tuple { required double time; } } \
         optional group pairs (MAP) { repeated group key_value { required binary key (UTF8); optional double value; } } \
         optional group deep (LIST) { repeated group list { required group element (LIST) { repeated group list { \
            required double element; } } } }",
        &["flux", "time", "key", "value", "deep"],
    );
}

#[test]
fn lists_of_lists_are_not_understood() {
    let deep = "optional group deep (LIST) { repeated group list { required group element (LIST) { \
        repeated group list { required double element; } } } }";
    let column = part(Values::Double(vec![1.0]), &[3], &[0]);
    let bytes =
        parquet(&format!("required int32 x; {deep}"), plain(), &[vec![full(Values::Int32(vec![4])), column]]);
    assert_eq!(read_some(&bytes, Some(&["x"])).unwrap().rows, ["1: 4"]);
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.contains("column \"deep\" holds lists of lists"), "{error}");
}

#[test]
fn text_that_is_none_is_a_bad_row() {
    let bytes = parquet(
        "required binary t; required int32 i;",
        plain(),
        &[vec![full(Values::Bytes(vec![b"a", b"\xff", b"c"])), full(Values::Int32(vec![1, 2, 3]))]],
    );
    let found = read(&bytes).unwrap();
    assert_eq!((found.rows, found.bad), (owned(&["1: a|1", "3: c|3"]), owned(&["2: \"t\" is not UTF-8"])));
    let long: &'static [u8] = vec![b'x'; 2 << 20].leak();
    let bytes = parquet("required binary t (UTF8);", plain(), &[vec![full(Values::Bytes(vec![long, b"c"]))]]);
    let found = read(&bytes).unwrap();
    assert_eq!(found.rows, ["2: c"]);
    assert_eq!(found.bad, ["1: \"t\" has 2097152 bytes of text, more than 1048576"]);
}

/// Many rows in some groups, with light curves: what is read of them.
fn many(properties: WriterPropertiesBuilder) -> (Vec<u8>, Vec<String>) {
    const NAMES: [&[u8]; 3] = [b"first", b"first star", b"second"];
    let schema =
        format!("required binary id (UTF8); optional int32 n; required int64 big; {LIST_OF_STRUCTS}");
    let (mut groups, mut expected) = (Vec::new(), Vec::new());
    let mut at = 0_i32;
    for group in 0..3 {
        let mut rows: Vec<Part> = vec![
            full(Values::Bytes(vec![])),
            part(Values::Int32(vec![]), &[], &[]),
            full(Values::Int64(vec![])),
            part(Values::Double(vec![]), &[], &[]),
            part(Values::Float(vec![]), &[], &[]),
        ];
        for row in 0..400 {
            let (name, number, big) = (NAMES[row % 3], i32::try_from(row).unwrap(), i64::from(at) << 33);
            let has = row % 5 != 0;
            rows[1].definition.push(i16::from(has));
            let elements = row % 7;
            let times: Vec<f64> =
                (0..elements).map(|k| f64::from(at) + f64::from(u8::try_from(k).unwrap())).collect();
            at += 7;
            for column in &mut rows[3..] {
                column.repetition.push(0);
                column.repetition.extend((1..elements).map(|_| 1));
                column.definition.extend(if elements == 0 { vec![1] } else { vec![2; elements] });
            }
            for column in &mut rows {
                match &mut column.values {
                    Values::Bytes(values) => values.push(name),
                    Values::Int32(values) => values.extend(has.then_some(number)),
                    Values::Int64(values) => values.push(big),
                    Values::Double(values) => values.extend(&times),
                    #[expect(clippy::cast_possible_truncation, reason = "these are small")]
                    Values::Float(values) => values.extend(times.iter().map(|time| *time as f32 / 2.0)),
                    Values::Bool(_) | Values::Fixed(_) => {}
                }
            }
            let (place, name) = (group * 400 + row + 1, String::from_utf8_lossy(name));
            let number = if has { number.to_string() } else { String::new() };
            expected.extend(
                times.iter().map(|time| format!("{place}: {name}|{number}|{big}|{time}|{}", time / 2.0)),
            );
        }
        groups.push(rows);
    }
    (parquet(&schema, properties, &groups), expected)
}

#[test]
fn encodings_and_pages_do_not_matter() {
    let path = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>().into();
    let check = |properties: WriterPropertiesBuilder| {
        let (bytes, expected) = many(properties);
        let found = read(&bytes).unwrap();
        assert_eq!(found.rows, expected);
        assert_eq!(found.bad, owned(&[]));
    };
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let small =
            || plain().set_writer_version(version).set_data_page_size_limit(200).set_write_batch_size(10);
        check(plain().set_writer_version(version));
        check(small());
        check(small().set_compression(Compression::ZSTD(parquet::basic::ZstdLevel::default())));
        check(small().set_dictionary_enabled(false));
        for (text, numbers, floats) in [
            (Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT),
            (Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::BYTE_STREAM_SPLIT, Encoding::PLAIN),
        ] {
            check(
                small()
                    .set_dictionary_enabled(false)
                    .set_column_encoding(path("id"), text)
                    .set_column_encoding(path("n"), numbers)
                    .set_column_encoding(path("big"), numbers)
                    .set_column_encoding(path("lc.list.element.time"), floats),
            );
        }
    }
}

#[test]
fn batches_are_of_bounded_size() {
    // A record of more elements than a batch has rows, and of more text than it may have.
    let elements = 20_000;
    let text: &'static [u8] = vec![b'x'; 1000].leak();
    let times = (0..elements).map(f64::from).collect();
    let repetition: Vec<i16> = (0..elements).map(|k| i16::from(k > 0)).collect();
    let columns = vec![
        full(Values::Bytes(vec![text])),
        part(Values::Double(times), &vec![1; repetition.len()], &repetition),
    ];
    let bytes = parquet("required binary id (UTF8); repeated double time;", plain(), &[columns]);
    let (_dir, path) = file(&bytes);
    let mut table = Table::open(&path).unwrap();
    let (mut batch, mut rows) = (Batch::default(), 0);
    while table.read(&[0, 1], &mut batch).unwrap() {
        assert!(batch.rows() <= ROWS_MAX && batch.data_bytes() <= TEXT_BYTES + 2000 + 8 * ROWS_MAX);
        for row in 0..batch.rows() {
            assert_eq!(batch.cells(1).number(row), Ok(f64::from(rows)));
            rows += 1;
        }
    }
    assert_eq!(rows, elements);
}

#[test]
fn what_is_no_parquet_is_told_apart() {
    let bytes = parquet("required int32 x;", plain(), &[vec![full(Values::Int32(vec![4, 5]))]]);
    let check = |bytes: &[u8], expected: &str| {
        let error = read(bytes).unwrap_err();
        assert!(matches!(error, TableError::Format { format: "Parquet", .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let cut = |length: usize| &bytes[..length];
    check(cut(4), "truncated");
    check(cut(11), "truncated");
    check(cut(bytes.len() - 1), "truncated");
    check(&[&bytes[..bytes.len() - 4], b"PARE"].concat(), "encrypted");
    check(&[&bytes[..bytes.len() - 8], &[0xff, 0xff, 0xff, 0x7f], b"PAR1"].concat(), "is it truncated?");
    // Without its pages.
    let properties = plain().set_dictionary_enabled(false);
    let long = parquet("required int32 x;", properties, &[vec![full(Values::Int32((0..1000).collect()))]]);
    check(&[&long[..8], &long[4000..]].concat(), "beyond the end");
    let gzipped = {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    };
    check(&gzipped, "unpack it first");
    // A table of lines whose first column is called so.
    assert_eq!(read(b"PAR1,PAR2\n3,4\n").unwrap().rows, ["2: 3|4"]);
    assert_eq!(read(b"PAR1\n3\n").unwrap().rows, ["2: 3"]);
}

/// A file with this footer and nothing else.
fn with_footer(footer: &[u8]) -> Vec<u8> {
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [b"PAR1", footer, &length, b"PAR1"].concat()
}

#[test]
fn footers_are_not_trusted() {
    let check = |footer: &[u8], expected: &str| {
        let error = read(&with_footer(footer)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    // Version 1, and a list of so many groups, each named "a" with one child.
    let nested = |groups: u8| {
        let group = [0x48, 1, b'a', 0x15, 2, 0];
        [&[0x15, 2, 0x19, 0xfc, groups][..], &group.repeat(usize::from(groups)), &[0x16, 0, 0x19, 0x0c, 0]]
            .concat()
    };
    check(&nested(120), "more than 64 deep");
    // One group that would have 2^28 children.
    check(
        &[0x15, 2, 0x19, 0x1c, 0x48, 1, b'a', 0x15, 0x80, 0x80, 0x80, 0x80, 2, 0, 0],
        "a group of 268435456 columns",
    );
    check(&[0x15, 2, 0x19, 0xfc], "its footer is broken");
    // Lists in lists in lists.
    check(&[[0x15, 2, 0x29].as_slice(), &[0x19; 1000]].concat(), "its footer is broken");
    check(&[], "its footer is broken");
}

#[test]
fn pages_are_not_trusted() {
    let values: Vec<i32> = (0..100).collect();
    let properties = plain().set_dictionary_enabled(false);
    let bytes = parquet("required int32 x;", properties, &[vec![full(Values::Int32(values))]]);
    // The head of the page: its kind, then 400 bytes as it is and stored, and its 100 values; numbers are doubled.
    let head = [0x15, 0, 0x15, 0xa0, 0x06, 0x15, 0xa0, 0x06, 0x2c, 0x15, 0xc8, 0x01];
    assert_eq!(bytes[4..16], head);
    // As many bytes less after them as there are more.
    let check = |with: &[u8], expected: &str| {
        let bytes = [&bytes[..4], with, &bytes[16 + with.len() - head.len()..]].concat();
        let error = read(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains("column \"x\", page at byte 4"), "{error}");
    };
    let with = |at: usize, with: &[u8]| [&head[..at], with, &head[at + with.len()..]].concat();
    check(&with(1, &[0x0c]), "unknown kind Some(6)");
    check(&with(3, &[0x9f]), "below nothing");
    check(&with(6, &[0xa0, 0x7f]), "more than the column has");
    check(&with(3, &[0xb0]), "it has 400 bytes where it says 408");
    check(&with(1, &[0xff; 11]), "broken head");
    check(&with(10, &[0x90, 0x03]), "it has 200 values, of 100 that are left");
    check(
        &[0x15, 0, 0x15, 0x98, 0x06, 0x15, 0x98, 0x06, 0x2c, 0x15, 0xc8, 0x01],
        "it has 99 of its 100 values",
    );
    // Half a gigabyte, of which 397 bytes are stored.
    let large = [0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x04, 0x15, 0x9a, 0x06, 0x2c, 0x15, 0xc8, 0x01];
    check(&large, "the largest that is read is of 268435456");
    // A checksum of 394 bytes.
    let sum = [
        0x15, 0, 0x15, 0x94, 0x06, 0x15, 0x94, 0x06, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x1c, 0x15, 0xc8,
        0x01,
    ];
    check(&sum, "checksum");
}

#[test]
fn columns_have_a_value_for_each_row() {
    let mut bytes = parquet("required int32 x;", plain(), &[vec![full(Values::Int32((0..100).collect()))]]);
    // The last of what says 100 is of the group; numbers are doubled.
    let at = bytes.windows(3).rposition(|bytes| bytes == [0x16, 0xc8, 0x01]).unwrap();
    bytes[at + 1] = 0xca;
    let error = read(&bytes).unwrap_err().to_string();
    assert!(error.contains("column \"x\" has 100 values for 101 rows"), "{error}");
}

#[test]
fn nothing_is_decoded_of_pages_without_values() {
    let properties = plain().set_dictionary_enabled(false);
    let mut bytes =
        parquet("optional int32 x;", properties, &[vec![part(Values::Int32(vec![]), &[0; 100], &[])]]);
    assert_eq!(read(&bytes).unwrap().rows.len(), 100);
    // Its 100 values are said to be of a dictionary, which there is not.
    let at = bytes.windows(5).position(|bytes| bytes == [0x15, 0xc8, 0x01, 0x15, 0]).unwrap();
    bytes[at + 4] = 0x10;
    assert_eq!(read(&bytes).unwrap().rows.len(), 100);
}

#[test]
fn damage_is_an_error_and_no_panic() {
    let mut seed = 7_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let small = || plain().set_data_page_size_limit(500).set_write_batch_size(50);
    let files = [
        many(small()).0,
        many(plain().set_writer_version(WriterVersion::PARQUET_2_0).set_dictionary_enabled(false)).0,
    ];
    let (mut read_anyway, mut failed) = (0, 0);
    for round in 0..300 {
        let mut bytes = files[round % 2].clone();
        let footer = bytes.len() - 1000;
        for _ in 0..=random(2) {
            // Most of what matters is at the begin and the end.
            let at = [random(300), footer + random(1000), random(bytes.len())][random(3)];
            bytes[at] = [u8::try_from(random(256)).unwrap(), bytes[at] ^ 1 << random(8), 0xff][random(3)];
        }
        if round % 10 == 0 {
            bytes.truncate(random(bytes.len()));
        }
        match read(&bytes) {
            Ok(_) => read_anyway += 1,
            Err(_) => failed += 1,
        }
    }
    assert!(read_anyway > 20 && failed > 100, "{read_anyway} {failed}");
}
