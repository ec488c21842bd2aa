//! The values as the file has them: of the right type, and read as everywhere else.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, SeqAccess, Visitor};
use wrenchtime_egress::AllowRule;

use super::value::{self, ReadFn};
use super::{Directives, LogFormat};

pub(super) fn data_dir<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    one(from, "`data_dir` to be a path", |text| {
        value::path("data_dir", text)
    })
}

pub(super) fn database<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<SecretString>, D::Error> {
    one(
        from,
        "`database` to be an address, such as \"postgres://user@host/database\"",
        |text| Ok(text.into()),
    )
}

pub(super) fn listen<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    one(
        from,
        "`listen` to be an address with its port, such as \"127.0.0.1:8321\"",
        value::listen,
    )
}

pub(super) fn log<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Directives>, D::Error> {
    one(
        from,
        "`log` to be a level such as \"info\", or \"target=level,...\"",
        str::parse,
    )
}

pub(super) fn log_format<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<LogFormat>, D::Error> {
    one(
        from,
        "`log_format` to be \"text\" or \"json\"",
        value::log_format,
    )
}

pub(super) fn master_key_file<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<PathBuf>, D::Error> {
    one(from, "`master_key_file` to be a path", |text| {
        value::path("master_key_file", text)
    })
}

pub(super) fn allow<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<AllowRule>>, D::Error> {
    let what = "`allow` to be a list of hosts and networks, such as [\"10.2.0.0/16\"]";
    many(from, what, value::allow)
}

pub(super) fn folders<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Vec<PathBuf>>, D::Error> {
    let what = "`folders` to be a list of paths, such as [\"/srv/exports\"]";
    many(from, what, |text| Ok(text.into()))
}

pub(super) fn sync_interval_seconds<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<u64>, D::Error> {
    from.deserialize_i64(Interval).map(Some)
}

fn one<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &'static str,
    read: ReadFn<T>,
) -> Result<Option<T>, D::Error> {
    from.deserialize_str(Text { what, read }).map(Some)
}

fn many<'de, D: Deserializer<'de>, T>(
    from: D,
    what: &'static str,
    read: ReadFn<T>,
) -> Result<Option<Vec<T>>, D::Error> {
    from.deserialize_seq(List { what, read }).map(Some)
}

/// A value that stands in the file as text.
struct Text<T> {
    what: &'static str,
    read: ReadFn<T>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

impl<'de, T> DeserializeSeed<'de> for Text<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        from.deserialize_str(self)
    }
}

/// A list of them.
struct List<T> {
    what: &'static str,
    read: ReadFn<T>,
}

impl<'de, T> Visitor<'de> for List<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let Self { what, read } = self;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Text { what, read })? {
            list.push(item);
        }
        Ok(list)
    }
}

/// A number of seconds.
struct Interval;

impl Visitor<'_> for Interval {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`sync_interval_seconds` to be a whole number from 60 to 86400")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<u64, E> {
        value::checked_interval(seconds.into()).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<u64, E> {
        value::checked_interval(seconds.into()).map_err(E::custom)
    }

    fn visit_i128<E: Error>(self, seconds: i128) -> Result<u64, E> {
        value::checked_interval(seconds).map_err(E::custom)
    }
}
