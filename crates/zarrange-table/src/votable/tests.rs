//! Documents as services and astropy write them.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::STANDARD;

use crate::testing::{check, check_fails, file, read, survive};
use crate::{Batch, Table, TableError};

/// A document of one table.
fn document(fields: &str, data: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- <TABLE> -->\n<VOTABLE version=\"1.4\" xmlns=\"http://www.ivoa.net/xml/VOTable/v1.3\">\n<RESOURCE type=\"results\"><INFO name=\"QUERY_STATUS\" value=\"OK\"/><TABLE/><TABLE name=\"t\"><DESCRIPTION>a &lt; b</DESCRIPTION>\n<PARAM name=\"p\" datatype=\"int\" value=\"1\"><VALUES null=\"7\"/></PARAM>{fields}<PARAM name=\"q\" datatype=\"double\" value=\"1\"><VALUES null=\"2.50\"/></PARAM><DATA>{data}</DATA></TABLE></RESOURCE></VOTABLE>\n"
    )
}

/// A document of rows of text.
fn tabledata(fields: &str, rows: &str) -> String {
    document(fields, &format!("<TABLEDATA>\n{rows}</TABLEDATA>"))
}

/// A document of rows of bytes, with a line after each few letters.
fn binary(kind: &str, fields: &str, rows: &[u8]) -> String {
    let base64 = STANDARD.encode(rows);
    let lines: Vec<_> = base64.as_bytes().chunks(10).map(|line| String::from_utf8_lossy(line)).collect();
    document(
        fields,
        &format!("<{kind}><STREAM encoding=\"base64\">\n{}\n</STREAM></{kind}>", lines.join("\n")),
    )
}

const NUMBERS: &str = "<FIELD name=\"i\" datatype=\"int\" unit=\"d\"><VALUES null=\"-1\"><OPTION value=\"x\"/></VALUES></FIELD><FIELD ID=\"x\" datatype=\"double\"/>";

/// One field of a type.
fn field(datatype: &str, arraysize: &str) -> String {
    format!("<FIELD name=\"a\" datatype=\"{datatype}\" arraysize=\"{arraysize}\" unit=\"m\"/>")
}

#[test]
fn text_is_as_it_is_written() {
    let check = |fields: &str, names: &[&str], rows: &str, expected: &[&str]| {
        check(tabledata(fields, rows).as_bytes(), names, expected, &[]);
    };
    let rows = "<TR><TD>1</TD><TD> 2.50 </TD></TR><!-- x --><TR>\n<TD>-1</TD>\n<TD/></TR><TR><TD>0x1F</TD><TD>nothing</TD></TR>";
    check(NUMBERS, &["i [d]", "x"], rows, &["1: 1|2.50", "2: |", "3: 31|nothing"]);
    let rows = "<TR><TD>a&amp;b &#65;&lt;<![CDATA[<c>&amp;]]></TD></TR><TR><TD/></TR>";
    check(&field("char", "*"), &["a [m]"], rows, &["1: a&b A<<c>&amp;", "2: "]);
    let rows = "<TR><TD>T</TD></TR><TR><TD>false</TD></TR><TR><TD>?</TD></TR><TR><TD>1</TD></TR>";
    check(
        "<FIELD name=\"b\" datatype=\"boolean\"/>",
        &["b"],
        rows,
        &["1: true", "2: false", "3: ", "4: true"],
    );
    let names = ["a [m]", "a_1 [m]", "a_2 [m]", "a_3 [m]"];
    check(
        &field("float", "2x2"),
        &names,
        "<TR><TD>1 2\n3 4</TD></TR><TR><TD/></TR>",
        &["1: 1|2|3|4", "2: |||"],
    );
    // 2^63 - 1 is not 2^63, though the nearest floats are the same.
    let long = "<FIELD name=\"n\" datatype=\"long\"><VALUES null=\"9223372036854775807\"/></FIELD>";
    let rows = "<TR><TD>9223372036854775806</TD></TR><TR><TD>9223372036854775807</TD></TR>";
    check(long, &["n"], rows, &["1: 9223372036854775806", "2: "]);
    let float = "<FIELD name=\"f\" datatype=\"float\"><VALUES null=\"-99.0\"/></FIELD>";
    check(float, &["f"], "<TR><TD>-99</TD></TR><TR><TD>NaN</TD></TR>", &["1: ", "2: NaN"]);
}

#[test]
fn prefixes_and_old_doctypes_are_passed_over() {
    let text = "<!DOCTYPE VOTABLE SYSTEM \"http://us-vo.org/xml/VOTable.dtd\">\n<v:VOTABLE><v:RESOURCE><v:TABLE><v:FIELD name=\"a\" datatype=\"int\"></v:FIELD><v:DATA><v:TABLEDATA><v:TR><v:TD>1</v:TD></v:TR></v:TABLEDATA></v:DATA></v:TABLE></v:RESOURCE></v:VOTABLE>";
    check(text.as_bytes(), &["a"], &["1: 1"], &[]);
    check(format!("\u{feff}\n{text}").as_bytes(), &["a"], &["1: 1"], &[]);
}

/// All types of a row, and the row.
fn all_types() -> (String, Vec<u8>) {
    let types = [
        ("boolean", ""),
        ("unsignedByte", ""),
        ("short", ""),
        ("int", ""),
        ("long", ""),
        ("float", ""),
        ("double", ""),
        ("char", ""),
        ("char", "4"),
        ("char", "4*"),
        ("unicodeChar", "3"),
        ("unicodeChar", "*"),
        ("short", "2"),
    ];
    let fields = types.iter().enumerate().map(|(k, (datatype, size))| {
        let size = if size.is_empty() { String::new() } else { format!(" arraysize=\"{size}\"") };
        format!("<FIELD name=\"c{k}\" datatype=\"{datatype}\"{size}/>")
    });
    let row: [&[u8]; 15] = [
        b"T",
        &[200],
        &(-2_i16).to_be_bytes(),
        &(-3_i32).to_be_bytes(),
        &(1_i64 << 60).to_be_bytes(),
        &0.1_f32.to_be_bytes(),
        &0.1_f64.to_be_bytes(),
        b"x",
        b"ab\0z",
        b"\0\0\0\x03cd ",
        b"\x03\xb1\0b\0\0",
        b"\0\0\0\x02\xd8\x3d\xde\x00",
        &1_i16.to_be_bytes(),
        &2_i16.to_be_bytes(),
        b"",
    ];
    (fields.collect(), row.concat())
}

#[test]
fn numbers_are_as_they_are_stored() {
    let (fields, row) = all_types();
    let names: Vec<String> = (0..13).map(|k| format!("c{k}")).chain(["c12_1".to_owned()]).collect();
    let names: Vec<&str> = names.iter().map(|name| &name[..]).collect();
    let expected = "true|200|-2|-3|1152921504606846976|0.10000000149011612|0.1|x|ab|cd|αb|😀|1|2";
    let rows = [format!("1: {expected}"), format!("2: {expected}")];
    let rows = [&rows[0][..], &rows[1]];
    check(binary("BINARY", &fields, &row.repeat(2)).as_bytes(), &names, &rows, &[]);
    let flagged = |flags: [u8; 2]| [&flags[..], &row].concat();
    let rows = [
        rows[0],
        "2: |||||||||||||",
        "3: true||-2|-3|1152921504606846976|0.10000000149011612|0.1|x||cd|αb|😀||",
    ];
    let bytes = [flagged([0, 0]), flagged([0xff, 0xf8]), flagged([0x40, 0x88])].concat();
    check(binary("BINARY2", &fields, &bytes).as_bytes(), &names, &rows, &[]);
    check(binary("BINARY", &fields, &[]).as_bytes(), &names, &[], &[]);
}

#[test]
fn what_stands_for_nothing_in_bytes_is_missing() {
    let check = |datatype: &str, null: &str, row: &[u8], expected: &[&str]| {
        let field = format!("<FIELD name=\"a\" datatype=\"{datatype}\"><VALUES null=\"{null}\"/></FIELD>");
        check(binary("BINARY", &field, row).as_bytes(), &["a"], expected, &[]);
    };
    check("int", "-1", b"\xff\xff\xff\xff\0\0\0\x01", &["1: ", "2: 1"]);
    check("unsignedByte", "0xFF", b"\xff\x01", &["1: ", "2: 1"]);
    check("short", "none", b"\xff\xff", &["1: -1"]);
    check(
        "float",
        "-99.9",
        &[(-99.9_f32).to_be_bytes(), f32::NAN.to_be_bytes(), 1_f32.to_be_bytes()].concat(),
        &["1: ", "2: ", "3: 1"],
    );
    check("char", "-", b"-x", &["1: ", "2: x"]);
    check("boolean", "T", b"?\0 F", &["1: ", "2: ", "3: ", "4: false"]);
}

#[test]
fn a_bit_is_true_or_false() {
    let bit = field("bit", "1");
    // The standard has the first bit of the byte, astropy the fifth.
    check(
        binary("BINARY", &bit, b"\x80\0\x08").as_bytes(),
        &["a [m]"],
        &["1: true", "2: false", "3: true"],
        &[],
    );
    let rows = "<TR><TD>1</TD></TR><TR><TD>0</TD></TR><TR><TD/></TR>";
    check(tabledata(&bit, rows).as_bytes(), &["a [m]"], &["1: true", "2: false", "3: "], &[]);
}

#[test]
fn a_table_may_have_no_rows() {
    let names = ["i [d]", "x"];
    check(tabledata(NUMBERS, "").as_bytes(), &names, &[], &[]);
    // As astropy writes it.
    let without = document(NUMBERS, "").replace("<DATA></DATA>", "");
    check(without.as_bytes(), &names, &[], &[]);
    let two =
        without.replace("</TABLE></RES", "</TABLE><TABLE><FIELD name=\"z\" datatype=\"int\"/></TABLE></RES");
    check(two.as_bytes(), &names, &[], &[]);
    let overflow = without.replace("\"OK\"", "\"OVERFLOW\"");
    let bad = "1: the service has cut the table after 0 rows (QUERY_STATUS is OVERFLOW): ask it for more, or for less at a time";
    check(overflow.as_bytes(), &names, &[], &[bad]);
}

#[test]
fn odd_rows_are_named() {
    let names = ["i [d]", "x"];
    let rows = "<TR><TD>1</TD></TR><TR><TD>1</TD><TD>2</TD></TR><TR/><TR><TD>1</TD><TD>2</TD><TD>3</TD></TR><TR><TD encoding=\"base64\">AAA=</TD><TD>2</TD></TR>";
    check(
        tabledata(NUMBERS, rows).as_bytes(),
        &names,
        &["2: 1|2"],
        &[
            "1: 1 cells, where there are 2 columns",
            "3: 0 cells, where there are 2 columns",
            "4: 3 cells, where there are 2 columns",
            "5: its i is encoded, and not written out",
        ],
    );
    let rows = "<TR><TD>1 2 3</TD></TR><TR><TD>1 2</TD></TR>";
    let bad = "1: its a has 3 elements, where there are 2";
    check(tabledata(&field("int", "2"), rows).as_bytes(), &["a [m]", "a_1 [m]"], &["2: 1|2"], &[bad]);
    let bad = "1: its a is \"maybe\", neither true nor false";
    let rows = "<TR><TD>maybe</TD></TR><TR><TD>F</TD></TR>";
    check(tabledata(&field("boolean", "1"), rows).as_bytes(), &["a [m]"], &["2: false"], &[bad]);
    // What was read of a bad row is no part of the next.
    let mixed = ["int", "char", "double", "boolean", "boolean"]
        .iter()
        .zip(0..)
        .fold(String::new(), |fields, (datatype, k)| {
            format!("{fields}<FIELD name=\"c{k}\" datatype=\"{datatype}\"/>")
        });
    let row = |int: u8, truth: u8| {
        [&[0, 0, 0, int, b'a' + int][..], &f64::from(int).to_be_bytes(), &[b'0' + int % 2, truth]].concat()
    };
    let rows = [row(1, b'F'), row(2, b'x'), row(3, b'T')].concat();
    let bad = "2: its c4 is a byte of 120, neither true nor false";
    let names = ["c0", "c1", "c2", "c3", "c4"];
    check(
        binary("BINARY", &mixed, &rows).as_bytes(),
        &names,
        &["1: 1|b|1|true|false", "3: 3|d|3|true|true"],
        &[bad],
    );
    let check = |datatype: &str, size: &str, row: &[u8], rows: &[&str], bad: &[&str]| {
        check(binary("BINARY", &field(datatype, size), row).as_bytes(), &["a [m]"], rows, bad);
    };
    check("char", "2", b"a\xffbc", &["2: bc"], &["1: its a is not UTF-8"]);
    check("unicodeChar", "1", b"\xd8\x00\0b", &["2: b"], &["1: its a is not UTF-16"]);
    check("boolean", "1", b"xT", &["2: true"], &["1: its a is a byte of 120, neither true nor false"]);
    let long = [&(2_u32 << 20).to_be_bytes()[..], &vec![b'x'; 2 << 20], &[0, 0, 0, 1, b'y']].concat();
    check("char", "*", &long, &["2: y"], &["1: its a has 2097152 bytes, where there may be 1048576"]);
}

#[test]
fn what_a_service_says_of_its_answer_is_told() {
    let rows = "<TR><TD>1</TD><TD>2</TD></TR>";
    let cut = tabledata(NUMBERS, rows)
        .replace("</TABLE></RES", "</TABLE><INFO name=\"QUERY_STATUS\" value=\"OVERFLOW\">cut</INFO></RES");
    let bad = "2: the service has cut the table after 1 rows (QUERY_STATUS is OVERFLOW): ask it for more, or for less at a time";
    check(cut.as_bytes(), &["i [d]", "x"], &["1: 1|2"], &[bad]);
    check_fails(cut.replace("OVERFLOW", "ERROR").as_bytes(), "the service says that its query failed: cut");
    let early = "<VOTABLE><RESOURCE><INFO name=\"QUERY_STATUS\" value=\"ERROR\">no table <![CDATA[<x>]]></INFO></RESOURCE></VOTABLE>";
    check_fails(early.as_bytes(), "the service says that its query failed: no table <x>");
    check_fails(early.replace("no table <![CDATA[<x>]]>", "").as_bytes(), "its query failed, and not why");
}

#[test]
fn columns_that_are_not_understood_leave_the_others() {
    let check = |datatype: &str, size: &str, bytes: &[u8], what: &str| {
        let odd = format!("<FIELD name=\"odd\" datatype=\"{datatype}\" arraysize=\"{size}\"/>");
        let fields = format!("{odd}<FIELD name=\"b\" datatype=\"unsignedByte\"/>");
        let text = tabledata(&fields, "<TR><TD>what ever</TD><TD>5</TD></TR>");
        let bytes = binary("BINARY", &fields, &[bytes, &[5]].concat());
        for document in [&text, &bytes] {
            let (_dir, path) = file(document.as_bytes());
            let mut table = Table::open(&path).unwrap();
            let mut batch = Batch::default();
            let error = table.read(&[1, 0], &mut batch).unwrap_err();
            assert!(
                matches!(&error, TableError::Column { column, what: it, .. } if column == "odd" && it == what),
                "{error}"
            );
            assert!(table.read(&[1], &mut batch).unwrap());
            assert_eq!((batch.rows(), batch.cells(0).number(0)), (1, Ok(5.0)));
            assert!(!table.read(&[1], &mut batch).unwrap());
        }
    };
    check("bit", "9", &[1, 2], "several bits");
    check("floatComplex", "1", &[0; 8], "complex numbers");
    check("doubleComplex", "*", &[&[0, 0, 0, 2][..], &[0; 32]].concat(), "complex numbers");
    check("int", "*", &[&[0, 0, 0, 2][..], &[0; 8]].concat(), "arrays of any length");
    check("int", "5x13", &[0; 65 * 4], "arrays of 65 elements");
    check("int", "0", &[], "arrays of 0 elements");
    check("char", "2x3", &[b'x'; 6], "arrays of text");
    // Rows of text can be told apart even where their types are unknown.
    let fields = "<FIELD name=\"odd\" datatype=\"quaternion\"/><FIELD name=\"b\" datatype=\"int\"/>";
    let (_dir, path) = file(tabledata(fields, "<TR><TD>1</TD><TD>5</TD></TR>").as_bytes());
    let mut batch = Batch::default();
    assert!(Table::open(&path).unwrap().read(&[1], &mut batch).unwrap());
    assert_eq!(batch.cells(0).text(0), "5");
    check_fails(
        &binary("BINARY", fields, &[0]).into_bytes(),
        "\"odd\" is of the unknown type \"quaternion\"",
    );
    check_fails(
        &binary("BINARY", &field("int", "3x*"), &[0]).into_bytes(),
        "have the table written as TABLEDATA",
    );
}

#[test]
fn columns_may_be_asked_for_in_any_order() {
    let (fields, row) = all_types();
    let (_dir, path) = file(binary("BINARY", &fields, &row).as_bytes());
    let (mut table, mut batch) = (Table::open(&path).unwrap(), Batch::default());
    assert!(table.read(&[13, 9, 13, 0], &mut batch).unwrap());
    let found: Vec<_> = (0..4).map(|k| batch.cells(k).text(0).into_owned()).collect();
    assert_eq!(found, ["2", "cd", "2", "true"]);
}

#[test]
fn what_is_wrong_is_named() {
    let check = |text: &str, reason: &str| check_fails(text.as_bytes(), reason);
    let good = tabledata(NUMBERS, "<TR><TD>1</TD><TD>2</TD></TR>");
    check("<html><body>504</body></html>", "it is a document of <html>, not of <VOTABLE>");
    check("<VOTABLE><RESOURCE/></VOTABLE>", "it has no TABLE with a FIELD");
    check(&tabledata("", ""), "its TABLE with DATA has no FIELD");
    check(&tabledata("<FIELD datatype=\"int\"/>", ""), "a FIELD has neither name nor ID");
    check(&tabledata(&field("int", "3y"), ""), "FIELD \"a\" has an arraysize of \"3y\"");
    check(&tabledata(&field("int", "*x3"), ""), "FIELD \"a\" has an arraysize of \"*x3\"");
    check(&tabledata(&field("int", "64").repeat(1025), ""), "make 65600 columns");
    let odd =
        format!("<FIELD name=\"a\" datatype=\"int\"><VALUES null=\"{}\"/></FIELD>", "x".repeat(1 << 19));
    check(&tabledata(&odd.repeat(40), ""), "of its FIELDs make");
    check(
        &tabledata(&field("int", "64").replace("\"a\"", &format!("\"{}\"", "x".repeat(1 << 19))), ""),
        "FIELDs make",
    );
    check(&good.replace("</TABLEDATA>", "<TR><TD>1</TD><TD>2</FD>"), "in row 2, it is no XML");
    check(&good.replace("<TR>", "<TR>x"), "in row 1, \"x\" stands in TR, where only TD may");
    check(&good.replace("<TR>", "<X/><TR>"), "in row 1, <X> stands in TABLEDATA, where only TR may");
    check(&good.replace(">2<", "><b/><"), "in row 1, <b> stands where only text may");
    check(&good.replace(">2<", ">&lol;<"), "in row 1, &lol; stands for nothing that is known");
    check(&good.replace("<VOT", "<!DOCTYPE x [<!ENTITY lol \"lol\">]><VOT"), "it declares entities");
    check(&good.replace(">2<", &format!(">{}<", "x".repeat(2 << 20))), "longer than 1048576 bytes");
    check(&good.replace(">2<", &format!(">{}<", "&lt;x".repeat(1 << 20))), "more than 1048576 bytes of text");
    check(&good.replace("<DATA>", &"<x>".repeat(100)), "nested more than 64 deep");
    check(&document(NUMBERS, "<FITS><STREAM/></FITS>"), "have them written as BINARY2 or TABLEDATA");
    let at = good.find(">2<").unwrap() + 1;
    let bytes = [&good.as_bytes()[..at], b"\xff", &good.as_bytes()[at..]].concat();
    check_fails(&bytes, "in row 1, it is not UTF-8");
}

#[test]
fn streams_that_cannot_be_read_are_named() {
    let check = |text: &str, reason: &str| check_fails(text.as_bytes(), reason);
    let row = [&[0; 8][..], &[1; 4]].concat().repeat(3);
    let good = binary("BINARY", NUMBERS, &row);
    assert_eq!(read(good.as_bytes()).unwrap().rows.len(), 3);
    let stream = "STREAM encoding=\"base64\"";
    check(
        &good.replace(stream, "STREAM href=\"file:x\""),
        "at \"file:x\", which is not fetched: have them written inline",
    );
    check(
        &good.replace(stream, "STREAM encoding=\"gzip\""),
        "has the encoding \"gzip\", where it may be base64",
    );
    check(&good.replace("STREAM", "STEAM"), "<STEAM> stands where STREAM should");
    check(&good.replace("\n</STREAM>", "A===</STREAM>"), "in row 4, what should be base64 is none");
    check(&good.replace("\n</STREAM>", "A</STREAM>"), "in row 4, what should be base64 is none");
    check(&good.replace("\n</STREAM>", "<b/></STREAM>"), "in row 4, <b> stands in its STREAM");
    check(&good.replace("\n</STREAM>", "<!-- x -->AAAA</STREAM>"), "in row 4, \"AAAA\" stands in its STREAM");
    let broken = good.replacen("AAAA", "AA-A", 1);
    assert_ne!(broken, good);
    check(&broken, "in row 1, what should be base64 is none, in i");
    let padded = binary("BINARY", &field("unsignedByte", "1"), &[1]);
    let later = format!("{}AAAA\n</STREAM>", "\n".repeat(1 << 20));
    check(&padded.replace("\n</STREAM>", &later), "in row 2, what should be base64 is none");
    check(&binary("BINARY", NUMBERS, &row[..30]), "in row 3, its STREAM ends within x");
    check(&binary("BINARY2", NUMBERS, &row[..14]), "in row 2, its STREAM ends within i");
    check(&binary("BINARY", &field("char", "*"), &[0xff; 8]), "in row 1, its STREAM ends within a");
    check(&binary("BINARY", &field("char", "0"), &[1]), "its rows have no bytes");
    check(
        &binary("BINARY", &field("unicodeChar", "9223372036854775808"), &[1]),
        "a has 9223372036854775808 elements",
    );
    // Nothing that says how much there is may be believed.
    check(&binary("BINARY", &field("char", "4294967296"), &[1]), "ends within a");
}

#[test]
fn batches_are_of_bounded_size() {
    let fields = field("float", "1").repeat(1000);
    let (_dir, path) = file(binary("BINARY", &fields, &[0; 4000].repeat(3000)).as_bytes());
    let mut table = Table::open(&path).unwrap();
    let (mut batch, wanted, mut rows) = (Batch::default(), (0..1000).collect::<Vec<_>>(), 0);
    while table.read(&wanted, &mut batch).unwrap() {
        assert!(batch.rows() * 8000 <= (4 << 20) + 8000);
        assert_eq!(batch.place(0), rows + 1);
        rows += batch.rows() as u64;
    }
    assert_eq!(rows, 3000);
}

#[test]
fn a_part_of_a_document_is_no_table() {
    let (fields, row) = all_types();
    let text = tabledata(NUMBERS, "<TR><TD>1</TD><TD>&#65;</TD></TR>");
    for document in [text, binary("BINARY", &fields, &row), binary("BINARY2", NUMBERS, &[0; 13])] {
        let end = document.trim_end().len();
        for bytes in "<?xml".len()..end {
            assert!(read(&document.as_bytes()[..bytes]).is_err(), "{}", &document[..bytes]);
        }
        assert!(read(document.as_bytes()).is_ok());
    }
}

#[test]
fn broken_files_do_not_panic() {
    let (fields, row) = all_types();
    survive(tabledata(NUMBERS, "<TR><TD>1</TD><TD>&#65;<![CDATA[]]></TD></TR>").as_bytes());
    survive(binary("BINARY", &fields, &row.repeat(3)).as_bytes());
    survive(binary("BINARY2", NUMBERS, &[0; 26]).as_bytes());
}
