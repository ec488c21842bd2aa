//! What a reply looks like without what it says.

/// How much of a reply is looked at, in bytes.
const READ: usize = 4096;

/// How much is shown, in bytes.
const SHOWN: usize = 300;

/// Returns the shape of a reply: keys and types where it looks like JSON, whole or not; never a value.
///
/// Works on text instead of parsed JSON, for the replies that need showing are those that do not parse.
pub(crate) fn shape(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..READ).unwrap_or(body));
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.chars().next() {
        None => "nothing".to_owned(),
        Some('{' | '[') => Sketch::new(text).draw(),
        Some('<') => "markup".to_owned(),
        Some(_) => "text".to_owned(),
    }
}

struct Sketch<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    open: Vec<char>,
    last: char,
    out: String,
}

impl<'a> Sketch<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.chars().peekable(),
            open: Vec::new(),
            last: ' ',
            out: String::new(),
        }
    }

    fn draw(mut self) -> String {
        while let Some(next) = self.rest.next() {
            if self.out.len() > SHOWN {
                self.out.push('…');
                break;
            }
            match next {
                '{' | '[' => {
                    self.open.push(next);
                    self.put(next);
                }
                '}' | ']' => {
                    self.open.pop();
                    self.put(next);
                }
                ',' | ':' => self.put(next),
                '"' => self.quoted(),
                space if space.is_whitespace() => {}
                first => self.bare(first),
            }
        }
        self.out
    }

    fn put(&mut self, mark: char) {
        self.out.push(mark);
        self.last = mark;
    }

    fn word(&mut self, word: &str) {
        self.out.push_str(word);
        self.last = 'w';
    }

    /// A quoted text is a key only where a key must stand and a colon follows.
    fn quoted(&mut self) {
        let may_be_key = self.open.last() == Some(&'{') && matches!(self.last, '{' | ',');
        let mut text = String::new();
        let mut closed = false;
        while let Some(next) = self.rest.next() {
            match next {
                '"' => {
                    closed = true;
                    break;
                }
                '\\' => {
                    self.rest.next();
                    text.push('\\');
                }
                other => text.push(other),
            }
        }
        while self.rest.next_if(|next| next.is_whitespace()).is_some() {}
        let is_key = closed && may_be_key && self.rest.peek() == Some(&':');
        if is_key && is_name(&text) {
            self.word(&text);
        } else if is_key {
            self.word("?");
        } else if closed {
            self.word("text");
        } else {
            self.word("text…");
        }
    }

    fn bare(&mut self, first: char) {
        let mut word = String::from(first);
        while let Some(next) = self
            .rest
            .next_if(|next| !next.is_whitespace() && !r#"{}[],:""#.contains(*next))
        {
            word.push(next);
        }
        let name = match word.as_str() {
            "true" | "false" => "boolean",
            "null" => "null",
            _ if first == '-' || first.is_ascii_digit() => "number",
            _ => "?",
        };
        self.word(name);
    }
}

/// A key that could be somebody's data, such as an address used as a key, is not shown.
fn is_name(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_$.-".contains(&byte);
    key.len() <= 40 && key.bytes().any(|byte| byte.is_ascii_alphabetic()) && key.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(shape(body.as_bytes()), expected, "{body}");
    }

    #[test]
    fn keys_and_types_are_shown() {
        check(
            r#"{"Id": 7, "Name": "Pump", "Live": true, "Next": null}"#,
            "{Id:number,Name:text,Live:boolean,Next:null}",
        );
        check(r#"[{"a": [1, -2.5e3]}, "b"]"#, "[{a:[number,number]},text]");
        check("", "nothing");
        check("  \n", "nothing");
        check("<html><body>secret", "markup");
        check("secret", "text");
        check("\u{feff}{}", "{}");
    }

    #[test]
    fn broken_replies_are_shown_as_far_as_they_go() {
        check(
            r#"{"Data":[{"Id":1,"Name":"Pu"#,
            "{Data:[{Id:number,Name:text…",
        );
        check(r#"{"Data":[{"Id":1,"Na"#, "{Data:[{Id:number,text…");
        check(r#"{"a": secret, 'b': 1}"#, "{a:?,?:number}");
        check(r#"{"a":"secret":"secret","b":1}"#, "{a:text:text,b:number}");
        check(r#"{"a\"secret":"\"secret\""}"#, "{?:text}");
    }

    #[test]
    fn keys_that_could_be_data_are_not_shown() {
        check(
            r#"{"jane@example.com": 1, "4111 1111": 2, "12345": 3}"#,
            "{?:number,?:number,?:number}",
        );
        let long = "x".repeat(41);
        check(&format!(r#"{{"{long}": 1}}"#), "{?:number}");
    }

    #[test]
    fn much_is_cut() {
        let shown = shape(format!("[{}1]", "1,".repeat(100_000)).as_bytes());
        assert!(shown.len() < SHOWN + 20 && shown.ends_with('…'), "{shown}");
    }

    proptest! {
        #[test]
        fn no_value_of_valid_json_is_shown(value in "[g-z]{8,20}", cut in 0usize..200) {
            let body = serde_json::json!({ "a": [{ "b": value, "c": [value, { "d": value }] }], "e": value });
            let text = body.to_string();
            let cut = cut.min(text.len());
            prop_assert!(!shape(&text.as_bytes()[..cut]).contains(&value));
        }
    }
}
