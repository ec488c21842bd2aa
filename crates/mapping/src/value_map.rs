//! What the values of a source are called in the model.

use std::collections::HashMap;

/// A value map: source text to unified name.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ValueMap {
    name: String,
    entries: HashMap<String, String>,
    default: Option<String>,
}

impl ValueMap {
    /// Makes a map; `*` stands for every other source text.
    pub(crate) fn new<'e>(name: &str, pairs: impl IntoIterator<Item = (&'e str, &'e str)>) -> Self {
        let mut entries: HashMap<String, String> = pairs
            .into_iter()
            .map(|(source, target)| (source.trim().to_owned(), target.to_owned()))
            .collect();
        let default = entries.remove("*");
        Self {
            name: name.to_owned(),
            entries,
            default,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the unified name of a trimmed source text, letters compared exactly, or the default.
    pub(crate) fn get(&self, source: &str) -> Option<&str> {
        self.exact(source).or_else(|| self.default())
    }

    pub(crate) fn exact(&self, source: &str) -> Option<&str> {
        self.entries.get(source).map(String::as_str)
    }

    pub(crate) fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// Returns every source text with its unified name, sorted.
    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        let named = self
            .entries
            .iter()
            .map(|(source, target)| (source.as_str(), target.as_str()));
        let mut pairs: Vec<_> = named
            .chain(self.default().map(|target| ("*", target)))
            .collect();
        pairs.sort_unstable();
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_exactly_and_the_default_takes_the_rest() {
        let map = ValueMap::new("status", [(" New ", "open"), ("2", "closed")]);
        assert_eq!(map.get("New"), Some("open"));
        assert_eq!(map.get("new"), None);
        let map = ValueMap::new("status", [("New", "open"), ("*", "on_hold")]);
        assert_eq!(map.get("new"), Some("on_hold"));
        assert_eq!(map.exact("*"), None);
        assert_eq!(map.pairs(), [("*", "on_hold"), ("New", "open")]);
    }
}
