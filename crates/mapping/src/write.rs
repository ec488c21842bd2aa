//! Writes JSON as the model's own types write it.

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
}
