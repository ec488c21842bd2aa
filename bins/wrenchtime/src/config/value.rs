//! Single values, each refused with its key, what it is and what it may be.

use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use wrenchtime_egress::AllowRule;
use wrenchtime_service::{LONGEST_SCHEDULE, SHORTEST_SCHEDULE};

use super::LogFormat;

/// More than any file that a person writes here.
const LONGEST: u64 = 1 << 20;

/// How a text is read, or why it cannot be.
pub(super) type ReadFn<T> = fn(&str) -> Result<T, String>;

/// Reads where the API listens.
pub(crate) fn listen(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "`listen` is {text:?}, but must be an IP address with its port, such as 127.0.0.1:8321"
        )
    })
}

/// Reads how log lines are written.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    LogFormat::from_str(text, false)
        .map_err(|_| format!("`log_format` is {text:?}, but must be text or json"))
}

/// Reads a path that must be one.
pub(super) fn path(key: &str, text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() {
        return Err(format!("`{key}` is empty; write a path, or leave it out"));
    }
    if text.contains('\0') {
        return Err(format!(
            "`{key}` is {text:?}, but no path can hold a NUL character"
        ));
    }
    Ok(PathBuf::from(text))
}

/// Reads a host or network that may be reached.
pub(super) fn allow(text: &str) -> Result<AllowRule, String> {
    text.parse()
        .map_err(|error| format!("`allow` has a mistake: {error}"))
}

/// Reads the seconds between two syncs.
pub(super) fn interval(text: &str) -> Result<u64, String> {
    let seconds = text.trim().parse::<i128>();
    seconds
        .map_err(|_| no_interval(&format!("{text:?}")))
        .and_then(checked_interval)
}

/// Checks the seconds between two syncs.
pub(super) fn checked_interval(seconds: i128) -> Result<u64, String> {
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| (shortest()..=longest()).contains(seconds))
        .ok_or_else(|| no_interval(&seconds.to_string()))
}

fn no_interval(given: &str) -> String {
    format!(
        "`sync_interval_seconds` is {given}, but must be a whole number from {} to {}",
        shortest(),
        longest()
    )
}

fn shortest() -> u64 {
    SHORTEST_SCHEDULE.as_secs()
}

fn longest() -> u64 {
    LONGEST_SCHEDULE.as_secs()
}

/// Reads a list as one text with commas. An empty text is an empty list.
pub(super) fn list<T>(key: &str, text: &str, read: ReadFn<T>) -> Result<Vec<T>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(',')
        .map(|item| match item.trim() {
            "" => Err(format!(
                "`{key}` is {text:?}, with nothing at one side of a comma; take that comma out"
            )),
            item => read(item),
        })
        .collect()
}

/// Reads a short file of text. What stands in it is in no error: it may be a key.
pub(super) fn read_text(path: &Path, what: &str, advice: &str) -> Result<String> {
    let shown = path.display();
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read {what} {shown}; {advice}"))?;
    if bytes.len() as u64 > LONGEST {
        bail!("{what} {shown} is longer than 1 MiB and cannot be meant; {advice}");
    }
    String::from_utf8(bytes).map_err(|_| anyhow!("{what} {shown} is not UTF-8 text; {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_text_with_commas() {
        let read = |text: &str| list("allow", text, |item| Ok(item.to_owned()));
        assert_eq!(read(" a ,b"), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(read(" "), Ok(Vec::new()));
        for text in [",", "a,", "a,,b"] {
            assert!(read(text).unwrap_err().contains("`allow`"), "{text}");
        }
    }

    #[test]
    fn seconds_are_whole_and_in_bounds() {
        assert_eq!(interval(" 60 "), Ok(60));
        assert_eq!(interval("86400"), Ok(86_400));
        for text in [
            "59",
            "86401",
            "0",
            "-900",
            "",
            "9e2",
            "99999999999999999999",
        ] {
            assert!(
                interval(text).unwrap_err().contains("60 to 86400"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_file_that_is_too_long_or_no_text_is_refused_without_what_it_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let told = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            let error = read_text(file.path(), "the key", "name another").unwrap_err();
            format!("{error:#} {error:?}")
        };
        let long = told(&b"canary ".repeat(200_000));
        assert!(long.contains("longer than 1 MiB"), "{long}");
        let bytes = told(b"canary\xff");
        assert!(bytes.contains("not UTF-8 text; name another"), "{bytes}");
        assert!(!format!("{long}{bytes}").contains("canary"));
        let folder = std::env::temp_dir();
        let error = read_text(&folder, "the key", "name another").unwrap_err();
        assert!(error.to_string().contains("cannot read the key"), "{error}");
    }
}
