//! JSON on many lines, but not where it is deep: indenting what lies a hundred deep would make a hundred times as much of it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

/// What people look at is no deeper: inner codecs of a shard of an array are 11.
const DEPTH_MAX: usize = 12;

/// Writes `value` on many lines, without one at the end.
pub(super) fn write(value: &impl Serialize, out: &mut dyn Write) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Shallow::default()))
}

/// Writes what is not deep on lines of its own.
#[derive(Debug, Default)]
struct Shallow {
    lines: PrettyFormatter<'static>,
    dense: CompactFormatter,
    depth: usize,
}

/// `self.lines` or `self.dense`, whichever writes what is as deep as this.
macro_rules! by_depth {
    ($self:ident, $($call:tt)*) => {
        if $self.depth <= DEPTH_MAX { $self.lines.$($call)* } else { $self.dense.$($call)* }
    };
}

impl Formatter for Shallow {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        by_depth!(self, begin_array(out))
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let ended = by_depth!(self, end_array(out));
        self.depth -= 1;
        ended
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        by_depth!(self, begin_array_value(out, first))
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        by_depth!(self, end_array_value(out))
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.depth += 1;
        by_depth!(self, begin_object(out))
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        let ended = by_depth!(self, end_object(out));
        self.depth -= 1;
        ended
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        by_depth!(self, begin_object_key(out, first))
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        by_depth!(self, begin_object_value(out))
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        by_depth!(self, end_object_value(out))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    fn written(value: &Value) -> String {
        let mut out = Vec::new();
        super::write(value, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_deep_is_on_lines_of_its_own() {
        let value = json!({"a": [1, {"b": [], "c": {}}, [[2, 3], "x"]], "d": {"e": {"f": [null]}}, "g": []});
        assert_eq!(written(&value), serde_json::to_string_pretty(&value).unwrap());
    }

    #[test]
    fn what_is_deep_takes_as_much_as_it_is() {
        let nested = |depth: usize| {
            let inner = json!([{"k": [1, 2, {}], "l": []}, []]);
            (0..depth).fold(
                inner,
                |inner, at| if at % 2 == 0 { json!([inner, 1]) } else { json!({"m": inner, "n": 2}) },
            )
        };
        for depth in [0, 7, 8, 9, 10, 11, 12, 13, 60] {
            let (value, text) = (nested(depth), written(&nested(depth)));
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value, "{depth}: {text}");
            assert!(text.lines().all(|line| !line.starts_with(&" ".repeat(25))), "{depth}: {text}");
            assert!(text.len() < value.to_string().len() + 700, "{depth}: {text}");
            assert!(text.lines().count() > 2 * depth.min(11), "{depth}: {text}");
        }
    }
}
