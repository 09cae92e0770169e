//! Files are made here, card by card.

use std::io::Write as _;

use super::header::BLOCK_BYTES;
use crate::batch::{Batch, Cells, ROWS_MAX, TEXT_BYTES};
use crate::testing::{Read, file, read};
use crate::{Table, TableError};

/// The header of these cards, and the data.
fn hdu(cards: &[String], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for card in cards.iter().map(String::as_str).chain(["END"]) {
        bytes.extend(card.bytes());
        bytes.resize(bytes.len().next_multiple_of(80), b' ');
    }
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), b' ');
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(BLOCK_BYTES), 0);
    bytes
}

/// A card with a value, or as it is if it has no `=` there.
fn cards(lines: &[&str]) -> Vec<String> {
    let card = |line: &str| match line.split_once('=') {
        Some((key, value)) if key.len() <= 9 && !key.contains('\'') => {
            format!("{:8}= {}", key.trim(), value.trim())
        }
        _ => line.to_owned(),
    };
    lines.iter().map(|line| card(line)).collect()
}

/// The HDU before the others, with an image of so many bytes.
fn primary(bytes: usize) -> Vec<u8> {
    let axes = ["SIMPLE=T", "BITPIX=8", "NAXIS=1", &format!("NAXIS1={bytes}")];
    hdu(&cards(&axes), &vec![b'x'; bytes])
}

/// A table with these columns, TFORM and cards of each, and the bytes of its rows.
fn table(columns: &[&str], more: &[&str], rows: &[&[u8]]) -> Vec<u8> {
    let width = rows.first().map_or(0, |row| row.len());
    let mut lines = cards(&["XTENSION='BINTABLE'", "BITPIX=8", "NAXIS=2"]);
    lines.extend(cards(&[&format!("NAXIS1={width}"), &format!("NAXIS2={}", rows.len())]));
    lines.extend(cards(&["PCOUNT=0", "GCOUNT=1", &format!("TFIELDS={}", columns.len())]));
    lines.extend(columns.iter().enumerate().map(|(k, form)| format!("TFORM{:<3}= '{form}'", k + 1)));
    lines.extend(cards(more));
    hdu(&lines, &rows.concat())
}

/// The file of a table.
fn with(columns: &[&str], more: &[&str], rows: &[&[u8]]) -> Vec<u8> {
    [primary(0), table(columns, more, rows)].concat()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn elements_are_what_tform_says() {
    let check = |column: &str, more: &[&str], rows: &[&[u8]], expected: &[&str]| {
        let found = read(&with(&[column], more, rows)).unwrap();
        let rows: Vec<_> = found.rows.iter().map(|row| row.split_once(": ").unwrap().1).collect();
        assert_eq!((rows, found.bad), (expected.to_vec(), Vec::new()), "{column} {more:?}");
    };
    check("L", &[], &[b"T", b"F", b"\0"], &["true", "false", ""]);
    check("1B", &[], &[&[0], &[200]], &["0", "200"]);
    check("I", &[], &[&[0x80, 0], &[0, 7]], &["-32768", "7"]);
    check("J", &["TNULL1=-2"], &[&[0xff, 0xff, 0xff, 0xfe], &[0, 0, 1, 2]], &["", "258"]);
    check("K", &[], &[&[0x7f, 255, 255, 255, 255, 255, 255, 255]], &["9223372036854775807"]);
    let single = |value: f32| value.to_be_bytes();
    check("E", &[], &[&single(0.1), &single(f32::NAN), &single(-0.0)], &["0.10000000149011612", "", "-0"]);
    check("D", &[], &[&0.1_f64.to_be_bytes(), &f64::NEG_INFINITY.to_be_bytes()], &["0.1", "-inf"]);
    check("5A", &[], &[b" ab  ", b"a\0\xff\xff\xff", b"\0    "], &[" ab", "a", ""]);
    // Several elements are fields each; one without any is missing.
    check("3I", &[], &[&[0, 1, 0, 2, 0, 3]], &["1|2|3"]);
    check("6A", &["TDIM1='(2,3)'"], &[b"a bc\0d"], &["a|bc|"]);
    check("7A3", &[], &[b"abcdefg"], &["abc|def"]);
    check("4A", &["TDIM1='(9,9)'"], &[b"abcd"], &["abcd"]);
    let both = |form| read(&with(&["B", form], &[], &[&[7]])).unwrap().rows;
    for form in ["0J", "0E", "0A", "0L"] {
        assert_eq!(both(form), ["1: 7|"], "{form}");
    }
}

#[test]
fn numbers_are_scaled_as_said() {
    let check = |form: &str, scaling: &[&str], stored: &[u8], expected: Cells| {
        let (_dir, path) = file(&with(&[form], scaling, &[stored]));
        let (mut table, mut batch) = (Table::open(&path).unwrap(), Batch::default());
        assert!(table.read(&[0], &mut batch).unwrap());
        assert_eq!(batch.cells(0), &expected, "{form} {scaling:?}");
        assert!(!table.read(&[0], &mut batch).unwrap() && batch.rows() == 0);
    };
    let whole = |value: i64| Cells::Integer(vec![Some(value)]);
    check("B", &["TZERO1=-128"], &[0], whole(-128));
    check("I", &["TZERO1=32768", "TSCAL1=1"], &[0x7f, 0xff], whole(65535));
    check("I", &["TZERO1=32768.0", "TNULL1=-1"], &[0xff, 0xff], Cells::Integer(vec![None]));
    check("J", &["TZERO1=2147483648"], &[0x7f, 0xff, 0xff, 0xff], whole(4_294_967_295));
    check("J", &["TSCAL1=1.D0", "TZERO1=0"], &[0, 0, 0, 9], whole(9));
    check("J", &["TSCAL1=1", "TZERO1=32768"], &[0, 0, 0, 1], Cells::Float(vec![32769.0]));
    check("I", &["TSCAL1=2.5D-1", "TZERO1=+1.E1"], &[0, 2], Cells::Float(vec![10.5]));
    check("E", &["TSCAL1=2"], &1.5_f32.to_be_bytes(), Cells::Float(vec![3.0]));
    check("D", &["TZERO1=.5"], &1.5_f64.to_be_bytes(), Cells::Float(vec![2.0]));
    let long = ["TZERO1=9223372036854775808"];
    let text = |stored: &[u8], more: &str| read(&with(&["K"], &[long[0], more], &[stored])).unwrap().rows;
    assert_eq!(text(&[0x7f, 255, 255, 255, 255, 255, 255, 255], ""), ["1: 18446744073709551615"]);
    assert_eq!(text(&[0x80, 0, 0, 0, 0, 0, 0, 0], ""), ["1: 0"]);
    assert_eq!(text(&[0, 0, 0, 0, 0, 0, 0, 5], "TNULL1=5"), ["1: "]);
    // NaN is not what it equals: it is looked at apart.
    let nan = with(&["I"], &["TSCAL1=2", "TNULL1=7"], &[&[0, 7], &[0, 8]]);
    assert_eq!(read(&nan).unwrap().rows, ["1: ", "2: 16"]);
}

#[test]
fn cards_are_read_as_they_are_written() {
    let check = |more: &[&str], expected: &str| {
        assert_eq!(read(&with(&["B"], more, &[&[1]])).unwrap().names, [expected], "{more:?}");
    };
    check(&[], "col1");
    check(&["TTYPE1='  '"], "col1");
    check(&["TTYPE1='FLUX    '           / what it is", "TUNIT1='Jy/beam'"], "FLUX [Jy/beam]");
    check(&["TTYPE1=      'it''s' / it's"], "it's");
    check(&["TTYPE1='a'", "TTYPE1='b'", "TTYPES1='c'"], "a");
    check(&["TTYPE1='open"], "open");
    check(&["TTYPE1='long&'", "CONTINUE  'er &' / of", "CONTINUE  'all'"], "longer all");
    check(&["TTYPE1='not&'", "COMMENT", "CONTINUE  'so'"], "not&");
    check(&["TTYPE1='a&'", "CONTINUE  so", "CONTINUE  'b'"], "a&");
    check(&["TTYPE1='a'", "TTYPE1='b&'", "CONTINUE  'c'", "TUNIT1=   / none"], "a");
    check(&["HIERARCH ESO TTYPE1 = 'x'", "COMMENT = 'x'", "TTYPE1='µ'"], "µ");
    let latin = with(&["B"], &["TTYPE1='%'"], &[&[1]]);
    let latin: Vec<u8> = latin.iter().map(|byte| if *byte == b'%' { 0xb5 } else { *byte }).collect();
    assert_eq!(read(&latin).unwrap().names, ["µ"]);
    // Elements do not take the name of another column; what occurs twice stays.
    let names = |more: &[&str]| read(&with(&["2B", "B", "B"], more, &[&[1, 2, 3, 4]])).unwrap().names;
    assert_eq!(names(&["TTYPE1='M'", "TTYPE2='M_1'", "TTYPE3='m'"]), ["M", "M[1]", "M_1", "m"]);
    assert_eq!(names(&["TTYPE1='M'", "TTYPE2='N'", "TTYPE3='N'"]), ["M", "M_1", "N", "N"]);
}

#[test]
fn the_first_table_of_objects_is_taken() {
    let objects = table(&["I"], &["EXTNAME='LDAC_OBJECTS'", "TTYPE1='X'"], &[&[0, 5]]);
    let image = hdu(
        &cards(&[
            "XTENSION='IMAGE'",
            "BITPIX=-32",
            "NAXIS=2",
            "NAXIS1=30",
            "NAXIS2=31",
            "PCOUNT=0",
            "GCOUNT=1",
        ]),
        &[1; 30 * 31 * 4],
    );
    let groups = hdu(
        &cards(&[
            "SIMPLE=T",
            "BITPIX=16",
            "NAXIS=2",
            "NAXIS1=0",
            "NAXIS2=700",
            "GROUPS=T",
            "PCOUNT=5",
            "GCOUNT=3",
        ]),
        &[1; 705 * 3 * 2],
    );
    let empty = table(&[], &[], &[]);
    let imhead = table(&["9A"], &["EXTNAME='LDAC_IMHEAD'"], &[b"SIMPLE  ="]);
    let packed = table(&["1PB(9)"], &["ZIMAGE=T"], &[&[0; 8]]);
    let text = hdu(&cards(&["XTENSION='TABLE'", "BITPIX=8", "NAXIS=2", "NAXIS1=5", "NAXIS2=1"]), b"12345");
    let expected = Read { names: owned(&["X"]), rows: owned(&["1: 5"]), bad: Vec::new() };
    let check = |before: &[&[u8]], after: &[u8]| {
        let bytes = [&before.concat(), &objects[..], after].concat();
        assert_eq!(read(&bytes).unwrap(), expected);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&bytes).unwrap();
        assert_eq!(read(&gzip.finish().unwrap()).unwrap(), expected);
    };
    check(&[&primary(0)], b"");
    check(&[&primary(5000), &image, &empty, &imhead, &packed, &text], b"");
    check(&[&groups, &imhead], &image);
    // The last block may lack its padding.
    let whole = [&primary(0)[..], &objects].concat();
    assert_eq!(read(&whole[..whole.len() - BLOCK_BYTES + 2]).unwrap(), expected);
}

#[test]
fn what_cannot_be_read_is_named() {
    let check = |bytes: &[u8], expected: &str| {
        let error = read(bytes).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("some.table"), "{error}");
    };
    let one = |column: &str, more: &[&str]| with(&[column], more, &[&[1, 2, 3, 4]]);
    check(&one("J", &["ZTABLE=T"]), "uncompress it first, for instance with `funpack`");
    check(&one("I", &[]), "HDU 2: NAXIS1 = 4, and its columns have 2 bytes");
    check(&one("K", &[]), "NAXIS1 = 4, and its columns have more bytes, from TFORM1 on");
    check(&one("18446744073709551615M", &[]), "have more bytes");
    check(&one("99999999999999999999J", &[]), "TFORM1 = '99999999999999999999J', where");
    check(&one("4Z", &[]), "TFORM1 = '4Z', where a count and one of L, X, B");
    check(&one("7", &[]), "TFORM1 = '7'");
    // Of two cards the first counts.
    let lines = |lines: &[&str]| [primary(0), hdu(&cards(lines), &[])].concat();
    let said = |more: &[&str]| {
        lines(
            &[&["XTENSION='BINTABLE'"], more, &["BITPIX=8", "NAXIS=2", "NAXIS1=0", "NAXIS2=0", "TFIELDS=1"]]
                .concat(),
        )
    };
    check(&said(&[]), "TFORM1 is missing");
    check(&said(&["TFIELDS=-1"]), "TFIELDS = -1, where a count belongs");
    check(&said(&["TFIELDS=1000"]), "TFIELDS = 1000, which is more than 999");
    check(&said(&["TFIELDS='1'"]), "TFIELDS = '1', where a whole number belongs");
    check(&said(&["NAXIS=3"]), "NAXIS is 3, where a table has 2");
    check(&said(&["NAXIS1=67108865"]), "rows are understood up to 67108864 bytes");
    check(&said(&["NAXIS2=9223372036854775807"]), "have no bytes");
    check(&lines(&["XTENSION='BINTABLE'"]), "TFIELDS is missing");
    check(&lines(&["XTENSION='IMAGE'"]), "BITPIX is missing");
    check(&lines(&["XTENSION='IMAGE'", "BITPIX=7", "NAXIS=0"]), "BITPIX = 7, where 8, 16");
    check(&lines(&["XTENSION='IMAGE'", "BITPIX=8", "NAXIS=1000"]), "NAXIS = 1000");
    let (one, two) = (format!("NAXIS1={}", i64::MAX), format!("NAXIS2={}", i64::MAX));
    check(&lines(&["XTENSION='X'", "BITPIX=8", "NAXIS=2", &one, &two]), "more than 2^64 bytes");
    let big = lines(&["XTENSION='X'", "BITPIX=8", "NAXIS=1", &one]);
    check(&big, "ends within its 9223372036854775807 bytes of data");
    let times = lines(&["XTENSION='X'", "BITPIX=8", "NAXIS=1", &one, "GCOUNT=2"]);
    check(&times, "more than 2^64 bytes");
    let text = hdu(&cards(&["XTENSION='TABLE'", "BITPIX=8", "NAXIS=0"]), &[]);
    check(&[primary(0), text].concat(), "write it as that, or as CSV; it has 2 HDUs");
    check(&[primary(0), table(&[], &[], &[])].concat(), "has no columns");
    check(&primary(9), "none of its 1 HDUs is a binary table");
    check(&[primary(9), primary(9)].concat(), "what comes after them is no HDU");
    check(&hdu(&cards(&["SIMPLE=F"]), &[]), "SIMPLE is not T");
    check(&primary(0)[..BLOCK_BYTES - 1], "it ends within the header of HDU 1, before END");
    check(&b"SIMPLE  =".repeat(80 * (1 << 16) / 9 + BLOCK_BYTES), "no END within 65536 cards");
    check(&primary(9)[..BLOCK_BYTES + 5], "HDU 1: the file ends within its 9 bytes of data");
    let rows = with(&["J"], &[], &[&[1; 4], &[2; 4], &[3; 4]]);
    check(&rows[..rows.len() - BLOCK_BYTES + 11], "it ends after row 2 of 3");
}

#[test]
fn odd_rows_and_columns_leave_the_others() {
    let rows: [&[u8]; 4] = [b"T\x01ab", b"X\x02cd", b"F\x03\xe9 ", b"\0\x04e\0"];
    let found = read(&with(&["L", "B", "2A"], &["TTYPE3='NAME'"], &rows)).unwrap();
    assert_eq!(found.rows, ["1: true|1|ab", "4: |4|e"]);
    let bad = [
        "2: column \"col1\" has byte 88, where T, F or 0 belongs",
        "3: column \"NAME\" has bytes that are not ASCII",
    ];
    assert_eq!(found.bad, bad);
    let check = |form: &str, width: usize, more: &[&str], expected: &str| {
        let row = [vec![0; width], vec![7]].concat();
        let (_dir, path) = file(&with(&[form, "B"], more, &[&row]));
        let (mut table, mut batch) = (Table::open(&path).unwrap(), Batch::default());
        assert_eq!(table.fields().len(), 2, "{form}");
        let error = table.read(&[1, 0], &mut batch).unwrap_err();
        assert!(
            matches!(error, TableError::Column { .. }) && error.to_string().contains(expected),
            "{error}"
        );
        assert!(table.read(&[1], &mut batch).unwrap());
        assert_eq!(batch.cells(0), &Cells::Integer(vec![Some(7)]));
    };
    check("9X", 2, &[], "column \"col1\" holds bits");
    check("2C", 16, &[], "complex numbers");
    check("M", 16, &[], "complex numbers");
    check("1PE(20)", 8, &[], "arrays of differing lengths");
    check("QJ", 16, &[], "arrays of differing lengths");
    check("65I", 130, &[], "arrays of 65 elements, more than 64");
    check("130A", 130, &["TDIM1='(2,65)'"], "arrays of 65 elements");
    check("I", 2, &["TSCAL1='x'"], "numbers with TSCAL1 = 'x', where a number belongs");
    check("E", 4, &["TSCAL1=0"], "TSCAL1 = 0");
    check("E", 4, &["TZERO1=inf"], "TZERO1 = inf");
    check("I", 2, &["TNULL1=1.5"], "TNULL1 = 1.5, where a whole number belongs");
}

#[test]
fn batches_are_of_bounded_size() {
    let letter = |row: usize| b"abcdefghijklmnopqrstuvwxyz"[row % 26];
    let check = |form: &str, width: usize, rows: usize| {
        let data: Vec<Vec<u8>> = (0..rows).map(|row| vec![letter(row); width]).collect();
        let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
        let (_dir, path) = file(&with(&[form], &[], &data));
        let (mut table, mut batch, mut seen) = (Table::open(&path).unwrap(), Batch::default(), 0);
        let wanted: Vec<usize> = (0..table.fields().len()).collect();
        while table.read(&wanted, &mut batch).unwrap() {
            let size = batch.rows() * width.max(wanted.len() * 16);
            assert!(batch.rows() <= ROWS_MAX && (size <= TEXT_BYTES || batch.rows() == 1), "{size}");
            for row in 0..batch.rows() {
                let byte = letter(seen + row);
                let text = batch.cells(0).text(row);
                let right = if form == "64B" { text == byte.to_string() } else { text.as_bytes()[0] == byte };
                assert!(right && batch.place(row) == (seen + row + 1) as u64);
            }
            seen += batch.rows();
        }
        assert_eq!(seen, rows);
    };
    check("A", 1, 20_000);
    check("64B", 64, 9_000);
    check("1000A", 1000, 9_000);
    check("5000000A", 5_000_000, 3);
}

#[test]
fn damage_is_no_panic() {
    let forms = ["L", "2B", "I", "J", "K", "E", "2D", "5A", "6A", "3X", "C", "1PJ(4)", "0E"];
    let more = [
        "TTYPE2='NA''ME'",
        "TUNIT3='s'",
        "TSCAL4=2.5",
        "TZERO5=9223372036854775808",
        "TDIM9='(2,3)'",
        "TNULL3=7",
        "TTYPE6='long&'",
        "CONTINUE  'er'",
    ];
    let row: Vec<u8> = b"T".iter().copied().chain(1..17).chain([b'x'; 48]).collect();
    let good = [primary(30), table(&forms, &more, &[row.as_slice(); 7])].concat();
    let end = good.len() - BLOCK_BYTES + 7 * row.len();
    let mut state = 11_u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("damaged");
    std::fs::write(&path, &good).unwrap();
    assert_eq!(read_all(&path).unwrap(), 7);
    for round in 0..3000 {
        let mut bytes = good.clone();
        for _ in 0..=draw(4) {
            // Digits, letters and what is elsewhere do more than any byte.
            let with =
                [b"0123456789"[draw(10)], b"LXBIJKAEDCMPQ'&= "[draw(17)], good[draw(end)], 0xff][draw(4)];
            bytes[draw(end)] = with;
        }
        let cut = draw(end);
        if round % 3 == 0 {
            bytes = good[..cut].to_vec();
        }
        std::fs::write(&path, &bytes).unwrap();
        let outcome = read_all(&path);
        // Nine bytes are needed to know what it is.
        assert!(round % 3 != 0 || outcome.is_err() || cut < 9, "{cut} of {end}");
    }
}

/// Reads the columns of the table there that are understood, and counts its rows.
fn read_all(path: &std::path::Path) -> Result<usize, TableError> {
    let (mut table, mut batch, mut rows) = (Table::open(path)?, Batch::default(), 0);
    let mut wanted: Vec<usize> = (0..table.fields().len().min(40)).collect();
    loop {
        match table.read(&wanted, &mut batch) {
            Ok(true) => {
                assert!((0..wanted.len()).all(|k| batch.cells(k).len() == batch.rows()));
                rows += batch.rows();
            }
            Ok(false) => return Ok(rows),
            Err(TableError::Column { column, .. }) => {
                wanted.retain(|k| table.fields()[*k].name != column);
            }
            Err(error) => return Err(error),
        }
    }
}
