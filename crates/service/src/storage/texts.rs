//! Many JSON texts in one.

use std::fmt;

/// JSON texts with commas between them: what stands between the brackets of a list, and each text by itself.
///
/// A database joins the rows of a page, and a reply takes them over, without anybody copying or reading each.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct JsonTexts {
    joined: String,
    /// Where each text ends in it.
    ends: Vec<usize>,
}

impl JsonTexts {
    /// Takes texts that are joined already, and how many bytes each has. Nothing if these do not belong together.
    pub fn from_joined(joined: String, lengths: impl IntoIterator<Item = usize>) -> Option<Self> {
        let mut ends: Vec<usize> = Vec::new();
        for length in lengths {
            let begin = match ends.last() {
                Some(end) => end.checked_add(1)?,
                None => 0,
            };
            ends.push(begin.checked_add(length)?);
        }
        let are_between = ends.split_last().is_none_or(|(_, ends)| {
            let bytes = joined.as_bytes();
            ends.iter().all(|end| bytes.get(*end) == Some(&b','))
        });
        let is_whole = ends.last().copied().unwrap_or(0) == joined.len();
        (are_between && is_whole).then_some(Self { joined, ends })
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
            if !all.is_empty() {
                all.joined.push(',');
            }
            all.joined.push_str(text);
            all.ends.push(all.joined.len());
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
        let texts = JsonTexts::from_joined(r#"{"a":","},1,"ö""#.to_owned(), [9, 1, 4]).unwrap();
        let each: Vec<&str> = texts.iter().collect();
        assert_eq!(each, [r#"{"a":","}"#, "1", "\"ö\""]);
        assert_eq!(texts, each.iter().copied().collect());
        assert_eq!((texts.get(3), texts.len()), (None, 3));
        assert_eq!(texts.into_joined(), r#"{"a":","},1,"ö""#);
        let none = JsonTexts::from_joined(String::new(), []).unwrap();
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

    #[track_caller]
    fn refused(joined: &str, lengths: &[usize]) {
        let texts = JsonTexts::from_joined(joined.to_owned(), lengths.iter().copied());
        assert_eq!(texts, None, "{joined:?}, {lengths:?}");
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        refused("1,22", &[1, 1]);
        refused("1,22", &[2, 1]);
        refused("1,22", &[1, 2, 0]);
        refused("1,22", &[]);
        refused("", &[1]);
        refused("1", &[usize::MAX, 1]);
    }
}
