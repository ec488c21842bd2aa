//! Writes JSON as the model's own types write it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use wrenchtime_connector::Value;

/// Appends a JSON string.
pub(crate) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    if text
        .bytes()
        .any(|byte| byte < b' ' || byte == b'"' || byte == b'\\')
    {
        text.chars().for_each(|char| push_char(out, char));
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn push_char(out: &mut String, char: char) {
    match char {
        '"' => out.push_str("\\\""),
        '\\' => out.push_str("\\\\"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\u{8}' => out.push_str("\\b"),
        '\u{c}' => out.push_str("\\f"),
        control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
        other => out.push(other),
    }
}

/// Appends a value as JSON: members sorted by name, numbers in the source's digits, except that a number too large
/// for a double becomes text, since readers refuse it. False when a part of it was not read.
pub(crate) fn push_value(out: &mut String, value: &Value<'_>) -> bool {
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) if is_finite(number) => out.push_str(number),
        Value::Number(text) | Value::Text(text) => push_text(out, text),
        Value::List(items) => return push_list(out, items),
        Value::Object(members) => return push_object(out, members),
        Value::Opaque => return false,
    }
    true
}

/// A double is only asked whether it could hold the number; its digits are never used.
fn is_finite(number: &str) -> bool {
    number.parse::<f64>().is_ok_and(f64::is_finite)
}

fn push_list(out: &mut String, items: &[Value<'_>]) -> bool {
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        if !push_value(out, item) {
            return false;
        }
    }
    out.push(']');
    true
}

fn push_object(out: &mut String, members: &[(Cow<'_, str>, Value<'_>)]) -> bool {
    let sorted: BTreeMap<&str, &Value<'_>> = members
        .iter()
        .map(|(name, value)| (&**name, value))
        .collect();
    out.push('{');
    for (place, (name, value)) in sorted.into_iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push_text(out, name);
        out.push(':');
        if !push_value(out, value) {
            return false;
        }
    }
    out.push('}');
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_is_written_as_serde_json_writes_it(text in any::<String>()) {
            let mut out = String::new();
            push_text(&mut out, &text);
            prop_assert_eq!(out, serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn controls_are_escaped() {
        let text: String = (0_u8..=0x7f).map(char::from).collect();
        let mut out = String::new();
        push_text(&mut out, &text);
        assert_eq!(out, serde_json::to_string(&text).unwrap());
    }

    #[track_caller]
    fn check(json: &str, expected: &str) {
        let mut out = String::new();
        assert!(push_value(&mut out, &Value::parse(json).unwrap()));
        assert_eq!(out, expected);
    }

    #[test]
    fn json_is_written_canonically() {
        check(
            r#" { "b" : 12.10 , "a" : [ true , null ] } "#,
            r#"{"a":[true,null],"b":12.10}"#,
        );
        check(r#"{"a": 1, "a": 2}"#, r#"{"a":2}"#);
        check("1e999", r#""1e999""#);
        check(r#""\u00e9\n\ud83d\ude00""#, "\"é\\n😀\"");
    }

    #[test]
    fn what_was_not_read_is_not_written() {
        let deep = format!("[1,{}{}]", "[".repeat(1000), "]".repeat(1000));
        assert!(!push_value(
            &mut String::new(),
            &Value::parse(&deep).unwrap()
        ));
    }
}
