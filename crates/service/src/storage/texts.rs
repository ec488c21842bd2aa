//! Many JSON texts in one.

use std::fmt;

/// JSON texts with commas between them: what stands between the brackets of a list, and each text by itself.
///
/// A store puts the rows of a page behind each other as it reads them, and a reply takes them over, without anybody
/// copying or reading each again.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct JsonTexts {
    joined: String,
    /// Where each text ends in it.
    ends: Vec<usize>,
}

impl JsonTexts {
    /// Makes room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            joined: String::with_capacity(bytes),
            ends: Vec::new(),
        }
    }

    /// Adds a text, which may come in parts.
    pub fn push(&mut self, parts: &[&str]) {
        if !self.is_empty() {
            self.joined.push(',');
        }
        for part in parts {
            self.joined.push_str(part);
        }
        self.ends.push(self.joined.len());
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns one of them.
    pub fn get(&self, number: usize) -> Option<&str> {
        let begin = match number.checked_sub(1) {
            Some(before) => self.ends.get(before)? + 1,
            None => 0,
        };
        self.joined.get(begin..*self.ends.get(number)?)
    }

    /// Returns one behind the other.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|number| self.get(number))
    }

    /// Keeps so many from the first on.
    pub fn truncate(&mut self, number: usize) {
        self.ends.truncate(number);
        self.joined.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Returns all of them with commas between.
    pub fn into_joined(self) -> String {
        self.joined
    }
}

impl<'t> FromIterator<&'t str> for JsonTexts {
    fn from_iter<I: IntoIterator<Item = &'t str>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            all.push(&[text]);
        }
        all
    }
}

impl fmt::Debug for JsonTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_in_what_is_joined() {
        let mut texts = JsonTexts::with_capacity(4);
        for parts in [[r#"{"a""#, r#":","}"#], ["1", ""], ["", "\"ö\""]] {
            texts.push(&parts);
        }
        let each: Vec<&str> = texts.iter().collect();
        assert_eq!(each, [r#"{"a":","}"#, "1", "\"ö\""]);
        assert_eq!(texts, each.iter().copied().collect());
        assert_eq!((texts.get(3), texts.len()), (None, 3));
        assert_eq!(texts.into_joined(), r#"{"a":","},1,"ö""#);
        let none = JsonTexts::default();
        assert!(none.is_empty() && none.iter().next().is_none());
    }

    #[test]
    fn the_last_ones_are_left_out() {
        let mut texts: JsonTexts = ["1", "22", "333"].into_iter().collect();
        texts.truncate(5);
        assert_eq!(texts.len(), 3);
        texts.truncate(2);
        assert_eq!(texts.iter().collect::<Vec<_>>(), ["1", "22"]);
        assert_eq!(texts.clone().into_joined(), "1,22");
        texts.truncate(0);
        assert_eq!(texts, JsonTexts::default());
    }
}
