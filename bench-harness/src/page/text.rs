//! Numbers and names as text, for people and for HTML.

/// A name as text of HTML, SVG or an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // No characters of XML, but for ends of lines.
            c if c.is_control() && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A value as JSON that may stand in a script element: nothing in it ends the element or begins a comment.
pub(crate) fn json(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A name within a cell of a Markdown table.
pub(crate) fn markdown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '<' | '>' | '&' | '*' | '_' | '`' | '[' | ']' | '~' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Three digits, with k, M, G, T for thousands.
pub(crate) fn figure(value: f64) -> String {
    let (scaled, unit) = thousands(value, &["", "k", "M", "G", "T"]);
    format!("{}{unit}", digits(scaled))
}

/// Bytes with their unit.
pub(crate) fn bytes(value: u64) -> String {
    let (scaled, unit) = thousands(float(value), &["B", "kB", "MB", "GB", "TB", "PB"]);
    format!("{} {unit}", digits(scaled))
}

/// A time in microseconds with its unit.
pub(crate) fn microseconds(value: f64) -> String {
    let (scaled, unit) = thousands(value, &["µs", "ms", "s"]);
    format!("{} {unit}", digits(scaled))
}

/// Lengths of a chunk or a shard.
pub(crate) fn shape(lengths: &[u64]) -> String {
    lengths.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ")
}

/// A count as a number to draw.
#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(crate) const fn float(value: u64) -> f64 {
    value as f64
}

fn thousands<'u>(mut value: f64, units: &[&'u str]) -> (f64, &'u str) {
    let mut unit = 0;
    // What rounds to a thousand is one of the next unit.
    while value.abs() >= 999.5 && unit + 1 < units.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    (value, units[unit])
}

fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_text() {
        let hostile = "<script>alert(1)</script>&\"'\n\u{1}";
        assert_eq!(escape(hostile), "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;\n\u{fffd}");
        let text = json(&serde_json::json!([hostile, "<!--"]));
        assert!(!text.contains(['<', '>', '&']), "{text}");
        let back: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(back, [hostile, "<!--"]);
        assert_eq!(markdown("a|b\n<i>_"), "a\\|b \\<i\\>\\_");
    }

    #[test]
    fn numbers_have_three_digits() {
        let check = |found: String, expected: &str| assert_eq!(found, expected);
        check(figure(0.4025), "0.4");
        check(figure(16.0), "16");
        check(figure(999.6), "1k");
        check(figure(10_000.0), "10k");
        check(figure(1_254_000.0), "1.25M");
        check(bytes(717), "717 B");
        check(bytes(16_105_264), "16.1 MB");
        check(microseconds(110.335), "110 µs");
        check(microseconds(58_261.5), "58.3 ms");
        check(microseconds(12_000_000.0), "12 s");
    }
}
