//! What is left of a program.

use serde_json::Value;

/// What a program that ended left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; nothing when a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Returns standard output of a program that ended well.
    #[track_caller]
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(
            self.code,
            Some(0),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self.stdout
    }

    /// Returns the JSON documents on standard output of a program that ended well.
    #[track_caller]
    pub(crate) fn json(self) -> Vec<Value> {
        let text = self.succeeded();
        serde_json::Deserializer::from_str(&text)
            .into_iter()
            .map(|value| value.unwrap_or_else(|error| panic!("{error}: {text}")))
            .collect()
    }

    /// Fails unless the program ended with 1 and one clear sentence that has these words.
    #[track_caller]
    pub(crate) fn refused(&self, words: &[&str]) {
        let said = format!("stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(1), "{said}");
        let sentence = self
            .stderr
            .lines()
            .find_map(|line| line.strip_prefix("wrenchtime: "))
            .unwrap_or_else(|| panic!("no sentence says why\n{said}"));
        let told = self.stderr.split_at(self.stderr.find(sentence).unwrap()).1;
        for word in words {
            assert!(told.contains(word), "{word:?} is not said\n{said}");
        }
        assert!(!self.stderr.contains("panicked"), "{said}");
    }
}
