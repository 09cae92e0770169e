//! JSON as Python reads and writes it, without loss: metadata of other writers passes through here.
//!
//! Strict JSON has no NaN and no infinities, and readers of it turn numbers into 64 bits. Python's has the tokens `NaN`, `Infinity`
//! and `-Infinity`, integers of any size, a byte order mark, and keys that stand twice (the last one counts); all of that is in real
//! stores. Numbers are kept as they are written here, so what is copied comes out as it went in.
//!
//! Rejected: `serde_json` with `arbitrary_precision`, which knows none of the tokens and changes how every type of `zarrs` is read.

mod fields;
mod grammar;
mod read;
mod text;
mod value;
mod walk;
mod write;

pub use fields::{Fields, Member};
pub(crate) use fields::{Keep, read_fields, read_text, tree, write_consolidated, write_fields};
pub use read::{JsonError, read};
pub use text::Text;
pub(crate) use text::shown;
pub use value::{Json, Members, Number};

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn parse(text: &str) -> Result<Json, JsonError> {
        read(text.as_bytes())
    }

    #[test]
    fn what_python_writes_comes_out_as_it_went_in() {
        for text in [
            "null",
            "[NaN,Infinity,-Infinity,1e+20,1E5,-0.0,0.1,5e-324,1.7976931348623157e+308]",
            "[1180591620717411303424,-36893488147419103232,18446744073709551615,-0,0]",
            r#"{"a":{"b":[[],{}]},"ö":"α\u0001\"\\","z":true}"#,
            r#"["\ud800","x\udc00y"]"#,
        ] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
        let check = |text: &str, expected: &str| assert_eq!(parse(text).unwrap().to_string(), expected);
        check("\u{feff} {\"a\" : 1 ,\n\"b\":2, \"a\":3}\r\n\t", r#"{"a":3,"b":2}"#);
        check(r#""\u00f6\ud83d\ude00\/\b\f\n\r\t""#, "\"ö😀/\\b\\f\\n\\r\\t\"");
    }

    #[test]
    fn numbers_are_equal_where_python_cannot_tell_them_apart() {
        let check = |a: &str, b: &str, same: bool| {
            assert_eq!(parse(a).unwrap() == parse(b).unwrap(), same, "{a} and {b}");
        };
        check("1", "1.0", false);
        check("1.0", "1e0", true);
        check("-0", "0", true);
        check("-0.0", "0.0", false);
        check("NaN", "NaN", true);
        check("1180591620717411303424", "1180591620717411303425", false);
        check("9007199254740993", "9007199254740992", false);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#, true);
    }

    #[test]
    fn what_is_wrong_is_said_in_words_of_json() {
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).unwrap_err().to_string(), expected, "{text}");
        };
        check("", "line 1, column 1: the document ends where a value is expected");
        check("{\"a\" 1}", "line 1, column 6: found \"1\" where : is expected after key \"a\"");
        check("{\n \"a\": nil}", "line 2, column 7: found \"nil\" where a value is expected");
        check("[1 2]", "line 1, column 4: found \"2\" where , or ] is expected");
        check("[1,]", "line 1, column 4: found \"]\" where a value is expected");
        check("{\"a\":1,}", "line 1, column 8: found \"}\" where a key in quotes is expected");
        check("[01]", "line 1, column 2: \"01\" is not a number of JSON");
        check("[1.]", "line 1, column 2: \"1.\" is not a number of JSON");
        check("\"a\nb\"", "line 1, column 3: a control character stands in a string: write \\u000a");
        check("\"\\x\"", "line 1, column 3: \\x is no escape of JSON");
        check("\"abc", "line 1, column 5: the document ends within a string");
        check("1 2", "line 1, column 3: found \"2\" after the end of the value");
        check(&"[".repeat(65), "line 1, column 65: nested deeper than 64 levels");
        let wrong = read(&b"\"\xff\""[..]).unwrap_err().to_string();
        assert_eq!(wrong, "line 1, column 4: a string is not UTF-8");
    }

    #[test]
    fn members_that_are_passed_over_may_be_of_any_size() {
        let large = format!("{{\"x\": {{\"a\": [{}0]}}, \"y\": 1}}", "\"}\\\"\", ".repeat(4 << 20));
        let keep = |x| move |name: &str| if name == "x" { x } else { Keep::Tree };
        let read = |text: &str, x| read_fields(text.as_bytes(), keep(x)).map(Option::unwrap);
        let fields = read(&large, Keep::Presence).unwrap();
        assert_eq!(fields["x"], Member::Tree(Json::Bool(true)));
        assert_eq!(fields["y"], Member::Tree(Json::integer(1)));
        for kept in [Keep::Text, Keep::Tree] {
            let wrong = read(&large[..20 << 20], kept).unwrap_err().to_string();
            let tree = "members that describe the array take more than 16777216 bytes of memory: attributes may be larger";
            let text = "more than 16777216 bytes of metadata";
            assert_eq!(wrong, if kept == Keep::Text { text } else { tree });
        }
        assert_eq!(read("{\"x\": null}", Keep::Presence).unwrap()["x"], Member::Tree(Json::Null));
    }

    /// What is passed on as text is what a tree of it would be: written, compared, and for libraries.
    #[test]
    fn text_is_as_its_tree() {
        let texts = [
            "null",
            " [ 1 , NaN,\t-Infinity, 1E5, -0, -0.0, 0.1, 18446744073709551616, [ ], { } ] ",
            r#"{"a":{"b":[[],{}]},"ö":"α\u0001\"\\","z":true}"#,
            r#"["\ud800","x\udc00y","\u00e9\ud83d\ude00\n\t\"\\\/\b\f\u0000\u001f\u0022\u005c","\ud800\u00e9"]"#,
            r#"{"k":1,"a":{"c":2,"\u0063":[3]},"k":NaN,"":0,"k":{"x":"last"}}"#,
            r#"{"b":[1,{"x":1.0}],"a":2}"#,
            r#"{"a":2,"b":[1,{"x":1e0}]}"#,
            r#"{"a":2,"b":[1,{"x":1e0,"y":0}]}"#,
            r#"{"a":2}"#,
            r#"{"a":2,"c":null}"#,
            r#"{"c":2,"a":null}"#,
        ];
        let both = |text: &str| (parse(text).unwrap(), read_text(text.as_bytes()).unwrap());
        for one in texts {
            let (tree, text) = both(one);
            assert_eq!(text.as_str(), tree.to_string());
            assert_eq!(text.is_strict(), tree.is_strict(), "{one}");
            assert_eq!(serde_json::to_string(&text).unwrap(), serde_json::to_string(&tree).unwrap());
            let mut pretty = String::new();
            fields::write_text(&text, 0, &mut pretty).unwrap();
            let mut expected = String::new();
            write::write(&tree, Some(0), &mut expected).unwrap();
            assert_eq!(pretty, expected);
            for other in texts {
                let (other_tree, other_text) = both(other);
                assert_eq!(text == other_text, tree == other_tree, "{one} and {other}");
                let (Json::Object(a), Json::Object(b)) = (&tree, &other_tree) else { continue };
                let differs = |name: &&String| a.get(*name) != b.get(*name);
                let found = text.first_difference(&other_text);
                assert_eq!(found.map(|(name, ..)| name).as_ref(), a.keys().chain(b.keys()).find(differs));
            }
        }
    }

    #[test]
    fn keys_that_stand_twice_among_many() {
        let keys = (0..200_000).map(|k| format!("\"{}\":{k}", k % 70_000));
        let text = read_text(format!("{{{}}}", keys.collect::<Vec<_>>().join(",")).as_bytes()).unwrap();
        let last = |k: u32| (0..3).rev().map(|n| n * 70_000 + k).find(|k| *k < 200_000).unwrap();
        let expected: Vec<String> = (0..70_000).map(|k| format!("\"{k}\":{}", last(k))).collect();
        assert_eq!(text.as_str(), format!("{{{}}}", expected.join(",")));
    }

    #[test]
    fn members_of_text_are_taken_out_and_put_in() {
        let check = |text: &str, remove: &str, set: (&str, Json), expected: &str| {
            let mut text = read_text(text.as_bytes()).unwrap();
            text.remove(remove);
            text.set(set.0, &set.1);
            assert_eq!(text.as_str(), expected);
        };
        check("{}", "a", ("b", Json::Null), r#"{"b":null}"#);
        check(r#"{"a":1}"#, "a", ("b", Json::Null), r#"{"b":null}"#);
        check(r#"{"a":[1],"b":{"a":2},"c":3}"#, "a", ("b", Json::integer(7)), r#"{"b":7,"c":3}"#);
        check(r#"{"a":1,"b":2,"é":3}"#, "é", ("a", "\"".into()), r#"{"a":"\"","b":2}"#);
        check(r#"{"a":1,"b":2,"c":3}"#, "b", ("d", Json::integer(4)), r#"{"a":1,"c":3,"d":4}"#);
    }

    /// What would become large is not indented: it must not become too large to be read.
    #[test]
    fn large_text_is_not_indented() {
        let large = format!("[{}0]", "0,".repeat(500_000));
        let mut written = String::new();
        fields::write_text(&read_text(large.as_bytes()).unwrap(), 1, &mut written).unwrap();
        assert_eq!(written, large);
    }

    #[test]
    fn values_for_libraries() {
        let check = |text: &str, expected: Value| assert_eq!(parse(text).unwrap().to_value(), expected);
        check("[1, -1, 18446744073709551615]", serde_json::json!([1, -1, u64::MAX]));
        check("[NaN, 1.5]", serde_json::json!(["NaN", 1.5]));
        check("36893488147419103232", serde_json::json!(36_893_488_147_419_103_232.0));
    }
}
