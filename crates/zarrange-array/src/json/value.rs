//! JSON as a tree.

use indexmap::IndexMap;
use serde_json::Value;

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

/// A number as it is written.
#[derive(Clone, Debug)]
pub struct Number(Box<str>);

impl Number {
    /// With a text of which the reader has seen that it is a number.
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

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
    pub(crate) fn as_integer<T: std::str::FromStr>(&self) -> Option<T> {
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
    pub(crate) const fn as_number(&self) -> Option<&Number> {
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

/// As [`Json::to_value`].
pub(super) fn number_value(number: &Number) -> Value {
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

/// As [`Json::to_value`].
impl serde::Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}
