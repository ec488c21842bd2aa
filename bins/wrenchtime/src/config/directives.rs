//! What is logged: levels, for all targets or for one.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};

/// What a mistake is told with.
const HOW: &str = "levels are off, error, warn, info, debug and trace; what one target logs is written \
                   target=level, as in info,hyper=warn";

/// What is logged, read from `level` or `target=level`, with commas between them.
///
/// Read here and not by [`Targets`] itself, which takes a word that is no level for a target: a level that is misspelt
/// would log nothing at all, without a word.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Directives(Targets);

impl Directives {
    /// Logs everything down to a level.
    pub(crate) fn down_to(level: LevelFilter) -> Self {
        Self(Targets::new().with_default(level))
    }

    /// Returns the filter that they make.
    pub(crate) fn into_filter(self) -> Targets {
        self.0
    }
}

impl FromStr for Directives {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut targets = Targets::new();
        for directive in text.split(',') {
            let (target, level) = match directive.split_once('=') {
                Some((target, level)) => (Some(target.trim()), level.trim()),
                None => (None, directive.trim()),
            };
            let told = |mistake: String| format!("`log` is {text:?}, but {mistake}; {HOW}");
            let level = parse_level(level).map_err(told)?;
            targets = match target {
                Some("") => return Err(told("no target stands before an equals sign".to_owned())),
                Some(target) => targets.with_target(target, level),
                None => targets.with_default(level),
            };
        }
        Ok(Self(targets))
    }
}

fn parse_level(word: &str) -> Result<LevelFilter, String> {
    if word.is_empty() {
        return Err("a level is missing".to_owned());
    }
    word.parse().map_err(|_| format!("{word:?} is no level"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = text.parse::<Directives>();
        assert_eq!(read, Ok(Directives(expected.parse().unwrap())), "{text}");
    }

    #[track_caller]
    fn check_fails(text: &str, mistake: &str) {
        let error = text.parse::<Directives>().unwrap_err();
        for words in ["`log`", mistake, "target=level"] {
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn levels_and_targets_with_levels_are_directives() {
        check("info", "info");
        check("WARN", "warn");
        check("off", "off");
        check("3", "info");
        check(
            " info , hyper = warn,wrenchtime_sync::engine=trace",
            "info,hyper=warn,wrenchtime_sync::engine=trace",
        );
        check("some_crate::nobody=debug", "some_crate::nobody=debug");
    }

    #[test]
    fn a_word_that_is_no_level_is_no_target() {
        check_fails("loud", "\"loud\" is no level");
        check_fails("info,hyper", "\"hyper\" is no level");
        check_fails("hyper=loud", "\"loud\" is no level");
        check_fails("6", "\"6\" is no level");
        check_fails("a=b=info", "\"b=info\" is no level");
    }

    #[test]
    fn what_is_missing_is_told() {
        check_fails("", "a level is missing");
        check_fails("info,,hyper=warn", "a level is missing");
        check_fails("hyper=", "a level is missing");
        check_fails("=info", "no target stands before");
    }
}
