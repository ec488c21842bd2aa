//! What is logged: levels, for all targets or for one.

use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The levels, from nothing to everything.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// What a mistake is told with.
const HOW: &str = "levels are off, error, warn, info, debug and trace; what one target logs is written \
                   target=level, as in info,hyper=warn";
/// Every crate that this program can be made of.
const LOCK: &str = include_str!("../../../../Cargo.lock");

/// Directives for the log, known to be readable: `level` or `target=level`, with commas between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Directives(String);

impl Directives {
    /// Returns the filter that they make.
    pub(crate) fn filter(&self) -> Result<EnvFilter, String> {
        EnvFilter::try_new(&self.0).map_err(|error| format!("cannot be read: {error}; {HOW}"))
    }
}

impl FromStr for Directives {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let told = |mistake: String| format!("`log` is {text:?}, but {mistake}");
        let directives: Vec<String> = text
            .split(',')
            .map(directive)
            .collect::<Result<_, _>>()
            .map_err(told)?;
        let directives = Self(directives.join(","));
        directives.filter().map_err(told)?;
        Ok(directives)
    }
}

/// Checks one directive and returns it without blanks. A target without a level is accepted by the filter as "everything
/// from there", which makes a target of every level that is misspelt.
fn directive(text: &str) -> Result<String, String> {
    let text = text.trim();
    // Spans stand in brackets after the target, and may hold equals signs of their own.
    let (what, level) = match text.rsplit_once(']') {
        Some((_, "")) => (text, None),
        Some((what, rest)) => match rest.trim_start().strip_prefix('=') {
            Some(level) => (text.get(..=what.len()).unwrap_or(text), Some(level.trim())),
            None => return Err(format!("{rest:?} follows a span; {HOW}")),
        },
        None => match text.split_once('=') {
            Some((what, level)) => (what.trim(), Some(level.trim())),
            None if is_level(text) => return Ok(text.to_owned()),
            None => return Err(no_level(text)),
        },
    };
    let target = what.split('[').next().unwrap_or(what).trim();
    if target.is_empty() && !what.contains('[') {
        return Err(format!("an equals sign has no target before it; {HOW}"));
    }
    known_target(target)?;
    match level {
        Some(level) if is_level(level) => Ok(format!("{what}={level}")),
        Some(level) => Err(no_level(level)),
        None => Ok(what.to_owned()),
    }
}

fn is_level(text: &str) -> bool {
    !text.is_empty() && text.parse::<LevelFilter>().is_ok()
}

fn no_level(word: &str) -> String {
    if word.is_empty() {
        return format!("a level is missing; {HOW}");
    }
    let meant = closest(word, LEVELS.iter().copied()).map_or_else(
        || {
            crates()
                .contains(&part(word))
                .then(|| format!("{word}=debug"))
        },
        |level| Some(level.to_owned()),
    );
    let question = meant.map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"));
    format!("{word:?} is no level{question}; {HOW}")
}

/// Refuses targets that look like a part of this program and are none. Others cannot be known.
fn known_target(target: &str) -> Result<(), String> {
    let (asked, known) = (part(target), crates());
    if !asked.to_lowercase().starts_with("wrenchtime") || known.contains(&asked) {
        return Ok(());
    }
    // The program's own name begins all others, and is not what a longer one was meant to be.
    let own = |name: &str| name == "wrenchtime" && asked.contains(['_', '-']);
    let meant = known.iter().map(String::as_str).filter(|name| !own(name));
    let question = closest(&asked, meant)
        .map_or_else(String::new, |meant| format!(" (did you mean {meant}?)"));
    Err(format!(
        "{asked:?} is no part of this program{question}; its parts are {}",
        known.join(", ")
    ))
}

/// Returns the crate that a target lies in.
fn part(target: &str) -> String {
    target.split("::").next().unwrap_or(target).to_owned()
}

/// Returns the project's own crates, by the names that begin their targets.
fn crates() -> Vec<String> {
    LOCK.lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| name.starts_with("wrenchtime"))
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// Returns the word that somebody may have meant: one that begins alike, or differs in a letter or two.
fn closest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let asked = asked.to_lowercase();
    let near = |word: &str| {
        let distance = distance(&asked, word);
        let shorter = asked.len().min(word.len());
        let begins_alike = shorter > 2 && (asked.starts_with(word) || word.starts_with(&asked));
        (begins_alike || distance <= usize::from(shorter > 3) + 1).then_some(distance)
    };
    known
        .filter_map(|word| Some((near(word)?, word)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Counts the letters to put in, take out or exchange to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut next = vec![line + 1];
        for ((pair, last), wanted) in row.windows(2).zip(0..).zip(other.chars()) {
            let [diagonal, above] = pair else { continue };
            let left = next.get(last).copied().unwrap_or(line);
            let exchanged = diagonal + usize::from(letter != wanted);
            next.push(exchanged.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let read = text.parse::<Directives>();
        assert_eq!(read, Ok(Directives(expected.to_owned())), "{text}");
    }

    #[track_caller]
    fn check_fails(text: &str, words: &[&str]) {
        let error = text.parse::<Directives>().unwrap_err();
        for word in ["`log`"].iter().chain(words) {
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn levels_and_targets_with_levels_are_directives() {
        check("info", "info");
        check("WARN", "WARN");
        check("off", "off");
        check("3", "3");
        check(
            " info , hyper = warn,wrenchtime_sync::engine=trace",
            "info,hyper=warn,wrenchtime_sync::engine=trace",
        );
        check("wrenchtime=debug", "wrenchtime=debug");
        check("some_crate::nobody=debug", "some_crate::nobody=debug");
        check("[run]=debug", "[run]=debug");
        check(
            "wrenchtime_sync[run{id=7}] = debug",
            "wrenchtime_sync[run{id=7}]=debug",
        );
        check("hyper[request]", "hyper[request]");
    }

    #[test]
    fn a_word_that_is_no_level_is_told_with_what_was_meant() {
        check_fails("loud", &["\"loud\" is no level;", "target=level"]);
        check_fails("warning", &["did you mean warn?"]);
        check_fails("INFOS", &["did you mean info?"]);
        check_fails("err", &["did you mean error?"]);
        check_fails("dbug", &["did you mean debug?"]);
        check_fails("info,hyper", &["\"hyper\" is no level;"]);
        check_fails("wrenchtime_sync", &["did you mean wrenchtime_sync=debug?"]);
        check_fails("hyper=loud", &["\"loud\" is no level"]);
        check_fails("hyper=tarce", &["did you mean trace?"]);
        check_fails("[run]=loud", &["\"loud\" is no level"]);
        check_fails("6", &["\"6\" is no level"]);
    }

    #[test]
    fn what_is_missing_is_told() {
        check_fails("", &["a level is missing"]);
        check_fails("info,,hyper=warn", &["a level is missing"]);
        check_fails("hyper=", &["a level is missing"]);
        check_fails("=info", &["no target before it"]);
        check_fails("[run]debug", &["follows a span"]);
        check_fails("hy per=info[", &["`log`"]);
        check_fails("?=info", &["cannot be read"]);
    }

    #[test]
    fn parts_of_this_program_are_known() {
        check_fails(
            "wrenchtime_synk=debug",
            &["did you mean wrenchtime_sync?", "wrenchtime_store"],
        );
        check_fails(
            "wrenchtime-store::sqlite=debug",
            &["did you mean wrenchtime_store?"],
        );
        check_fails(
            "wrenchtime_teapot=info",
            &["is no part of this program;", "wrenchtime_api"],
        );
        check_fails("wrenchtimes=info", &["did you mean wrenchtime?"]);
        check_fails("Wrenchtime_api=info", &["did you mean wrenchtime_api?"]);
    }
}
