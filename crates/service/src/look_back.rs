//! How far back a connection's records go.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, SubsecRound, TimeDelta, Utc};
use serde_json::json;
use wrenchtime_connector::ConnectorInfo;
use wrenchtime_model::{ConnectionId, Timestamp};

use crate::runner::SyncOrder;
use crate::service::Core;
use crate::storage::{Extension, StoredConnection};
use crate::{Actor, Error, Result, Service};

/// The name of the setting, where something is wrong with it.
const FIELD: &str = "records_since";
/// The longest look-back that is told in days, about a hundred years.
const LONGEST: u32 = 36_500;

/// How far back a connection's records go.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum RecordsSince {
    /// To the first.
    #[default]
    All,
    /// To those that changed at this instant or later.
    At(DateTime<Utc>),
    /// To those that changed so many days ago, counted once, from when it is set.
    Days(u32),
}

impl FromStr for RecordsSince {
    type Err = Error;

    /// Reads `all`, a date (00:00 UTC), an RFC 3339 instant, or a number of days such as `90d`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text == "all" {
            return Ok(Self::All);
        }
        if let Some(days) = text.strip_suffix('d') {
            let days = days.parse().ok().filter(|days| *days <= LONGEST);
            return days.map(Self::Days).ok_or_else(|| fault(MEANING));
        }
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
        let date = date.filter(|_| text.len() == 10);
        let at_midnight = date.map(|date| date.and_time(NaiveTime::MIN).and_utc());
        let instant = || Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc());
        let at = at_midnight.or_else(instant).ok_or_else(|| fault(MEANING))?;
        Ok(Self::At(at))
    }
}

const MEANING: &str = "must be all, a date (2031-05-01, meaning 00:00 UTC), an RFC 3339 instant \
                       (2031-05-01T09:30:00Z) or a number of days up to 36500 (90d)";

fn fault(message: &str) -> Error {
    Error::Invalid {
        field: FIELD,
        message: message.to_owned(),
    }
}

impl Core {
    /// Returns the instant that is meant, which stays the same from then on.
    ///
    /// A system that shows of none of its tables when rows changed cannot leave out old ones.
    pub(crate) fn records_since(
        &self,
        wanted: RecordsSince,
        info: &ConnectorInfo,
    ) -> Result<Option<DateTime<Utc>>> {
        let now = self.clock.now();
        let since = match wanted {
            RecordsSince::All => return Ok(None),
            RecordsSince::At(at) => Some(at),
            RecordsSince::Days(days) => now.checked_sub_signed(TimeDelta::days(days.into())),
        };
        let since = since.ok_or_else(|| fault(MEANING))?.trunc_subsecs(6);
        if since > now {
            return Err(fault("lies in the future"));
        }
        let mut listings = info.entities.iter().filter_map(|entity| entity.listing());
        if !listings.any(|listing| listing.dated) {
            return Err(fault(
                "cannot be set: this system does not show when its records changed",
            ));
        }
        Ok(Some(since))
    }
}

impl Service {
    /// Lets a connection's records go further back than before. Its next run begins at once and reads everything; what is
    /// stored stays. Does nothing where they go back so far already to the instant.
    ///
    /// # Errors
    /// [`Error::NoConnection`]; [`Error::State`] when it is disconnected; [`Error::Invalid`] when they would go back less
    /// far, for what is stored stays; or when the store fails.
    pub async fn look_back_further(
        &self,
        id: ConnectionId,
        wanted: RecordsSince,
        actor: &Actor,
    ) -> Result<StoredConnection> {
        let core = &self.core;
        let connection = core.connection(id).await?;
        connection.refuse_disconnected("reading older records")?;
        let info = core.factory(&connection.system)?.info();
        let since = core.records_since(wanted, info)?;
        if connection.records_since == since {
            return Ok(connection);
        }
        let detail = json!({
            "from": connection.records_since.map(Timestamp::from),
            "to": since.map(Timestamp::from),
        });
        let extension = Extension {
            id,
            since,
            audit: core.audit(actor, "connection.extended", Some(id), detail),
        };
        let service = self.clone();
        self.runner
            .finish(async move { service.write_extension(extension).await })
            .await
    }

    async fn write_extension(&self, extension: Extension) -> Result<StoredConnection> {
        let id = extension.id;
        if let Some(connection) = self.core.connections.extend(extension).await? {
            self.runner.attach(id, Some(SyncOrder::decided()));
            return Ok(connection);
        }
        let connection = self.core.connection(id).await?;
        connection.refuse_disconnected("reading older records")?;
        Err(fault(
            "is later than what is set: what is stored stays, so records can only go back further",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<RecordsSince>) {
        assert_eq!(text.parse().ok(), expected, "{text}");
    }

    #[test]
    fn it_is_all_a_date_an_instant_or_days() {
        let at = |text: &str| Some(RecordsSince::At(text.parse().unwrap()));
        check("all", Some(RecordsSince::All));
        check("2031-05-01", at("2031-05-01T00:00:00Z"));
        check("2031-05-01T09:30:00+02:00", at("2031-05-01T07:30:00Z"));
        check("90d", Some(RecordsSince::Days(90)));
        check("0d", Some(RecordsSince::Days(0)));
        for wrong in [
            "",
            "d",
            "-1d",
            "1.5d",
            "36501d",
            "90",
            "ever",
            "31-05-01",
            "2031-13-01",
            "2031-5-1",
            "2031-05-01T09:30:00",
        ] {
            check(wrong, None);
        }
    }
}
