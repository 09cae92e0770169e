//! JSON as Python reads and writes it, without loss: metadata of other writers passes through here.
//!
//! Strict JSON has no NaN and no infinities, and readers of it turn numbers into 64 bits. Python's has the tokens `NaN`, `Infinity`
//! and `-Infinity`, integers of any size, a byte order mark, and keys that stand twice (the last one counts); all of that is in real
//! stores. Numbers are kept as they are written here, so what is copied comes out as it went in.
//!
//! Rejected: `serde_json` with `arbitrary_precision`, which knows none of the tokens and changes how every type of `zarrs` is read.

mod grammar;
mod read;
mod text;
mod write;

use indexmap::IndexMap;
use serde_json::Value;

pub use read::{JsonError, read};
pub(crate) use read::{read_fields, read_text};
pub use text::Text;
pub(crate) use text::shown;
pub(crate) use write::{write_consolidated, write_fields};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, or one of Python's tokens for what is none.
    Number(Number),
    /// A string.
    String(String),
    /// A string with half of a surrogate pair, which no other encoding of text has: as it is written, quotes included.
    Surrogates(Box<str>),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Members),
}

/// The members of an object, in the order in which they are written; comparing two of them does not depend on it.
pub type Members = IndexMap<String, Json>;

/// What becomes of a member of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It is looked into.
    Tree,
    /// It is passed on.
    Text,
    /// Whether it is there is all that matters: it may be of any size.
    Presence,
}

/// A member of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// One that is looked into; of one of which only the presence matters `true`, or `null` if it is that.
    Tree(Json),
    /// One that is passed on.
    Text(Text),
}

/// The members of a document, in the order in which they are written.
pub type Fields = IndexMap<String, Member>;

/// A number as it is written.
#[derive(Clone, Debug)]
pub struct Number(Box<str>);

impl Number {
    /// The text of it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether it is written as an integer: Python then reads an `int`, of any size.
    pub fn is_integer(&self) -> bool {
        self.0.strip_prefix('-').unwrap_or(&self.0).bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether strict JSON has it.
    pub fn is_strict(&self) -> bool {
        self.0.ends_with(|c: char| c.is_ascii_digit())
    }

    /// The integer that it is, where it is written as one.
    pub fn as_integer<T: std::str::FromStr>(&self) -> Option<T> {
        if self.is_integer() { self.0.parse().ok() } else { None }
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        match &*self.0 {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            // The grammar of JSON is a part of Rust's.
            text => text.parse().unwrap_or(f64::NAN),
        }
    }
}

/// Numbers are equal that Python cannot tell apart: integers by value, floats by value, NaN and NaN; never an integer and a float.
impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self, other);
        match (a.is_integer(), b.is_integer()) {
            (true, true) => a.0 == b.0 || (is_zero(&a.0) && is_zero(&b.0)),
            (false, false) => {
                let (a, b) = (a.as_f64(), b.as_f64());
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            _ => false,
        }
    }
}

fn is_zero(integer: &str) -> bool {
    matches!(integer, "0" | "-0")
}

impl Json {
    /// A member of an object; `None` for anything else.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members of an object.
    pub const fn as_object(&self) -> Option<&Members> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// The elements of an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(elements) = self { Some(elements) } else { None }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A number.
    pub const fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    /// An integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_integer()
    }

    /// Whether it is `null`.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether strict JSON has everything in it.
    pub fn is_strict(&self) -> bool {
        match self {
            Self::Number(number) => number.is_strict(),
            Self::Array(elements) => elements.iter().all(Self::is_strict),
            Self::Object(members) => members.values().all(Self::is_strict),
            Self::Null | Self::Bool(_) | Self::String(_) | Self::Surrogates(_) => true,
        }
    }

    /// A double, in the shortest text that reads as the same one.
    pub fn float(number: f64) -> Self {
        let text = match number {
            _ if number.is_nan() => "NaN".to_owned(),
            f64::INFINITY => "Infinity".to_owned(),
            f64::NEG_INFINITY => "-Infinity".to_owned(),
            finite => format!("{finite:?}"),
        };
        Self::Number(Number(text.into()))
    }

    /// An integer.
    pub fn integer(number: impl Into<i128>) -> Self {
        Self::Number(Number(number.into().to_string().into()))
    }

    /// What libraries take: integers of more than 64 bits become doubles, and what strict JSON does not have becomes text.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(number) => number_value(number),
            Self::String(text) => Value::String(text.clone()),
            Self::Surrogates(text) => Value::String(text.clone().into()),
            Self::Array(elements) => elements.iter().map(Self::to_value).collect(),
            Self::Object(members) => members.iter().map(|(k, v)| (k.clone(), v.to_value())).collect(),
        }
    }
}

fn number_value(number: &Number) -> Value {
    let float = || {
        let float = serde_json::Number::from_f64(number.as_f64());
        float.map_or_else(|| Value::String(number.text().to_owned()), Value::Number)
    };
    let unsigned = || number.as_integer::<u64>().map(Value::from);
    unsigned().or_else(|| number.as_integer::<i64>().map(Value::from)).unwrap_or_else(float)
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(value),
            Value::Number(number) => Self::Number(Number(number.to_string().into())),
            Value::String(text) => Self::String(text),
            Value::Array(elements) => Self::Array(elements.into_iter().map(Self::from).collect()),
            Value::Object(members) => members.into(),
        }
    }
}

impl From<serde_json::Map<String, Value>> for Json {
    fn from(members: serde_json::Map<String, Value>) -> Self {
        Self::Object(members.into_iter().map(|(k, v)| (k, Self::from(v))).collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

/// As [`Json::to_value`] of what it is.
impl serde::Serialize for Member {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Tree(json) => json.serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
        }
    }
}

/// As [`Json::to_value`].
impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
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
            write::write_text(&text, 0, &mut pretty).unwrap();
            assert_eq!(pretty, tree.to_pretty());
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
        write::write_text(&read_text(large.as_bytes()).unwrap(), 1, &mut written).unwrap();
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
