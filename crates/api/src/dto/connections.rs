//! Connections.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wrenchtime_model::{ConnectionId, Resource, Timestamp};
use wrenchtime_service::storage::StoredConnection;
use wrenchtime_service::{State, Status};

use super::RunBody;

/// A connection to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewConnection")]
pub(crate) struct NewConnectionBody {
    /// The system's name, as `GET /v1/systems` lists it.
    pub(crate) system: String,
    /// What people call the connection, 1 to 200 characters; the account's own name when absent.
    pub(crate) name: Option<String>,
    /// Values of the fields that the system asks for. Kept sealed and never shown again.
    #[serde(default)]
    pub(crate) settings: BTreeMap<String, String>,
    /// How often it is synced: 60 to 86400 seconds, or 0 for on demand only. 15 minutes when absent.
    pub(crate) schedule_seconds: Option<u64>,
    /// How far back its records go, by when the source says that they last changed: `all`, a date (00:00 UTC), an RFC 3339
    /// instant, or a number of days such as `90d`, counted once from now. All when absent. Records whose changes the
    /// source does not date are always there, and so is what changed later, however old it is.
    pub(crate) records_since: Option<String>,
    /// Whether the first sync begins at once.
    #[serde(default = "yes")]
    pub(crate) start_sync: bool,
}

fn yes() -> bool {
    true
}

/// One customer's connected account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Connection")]
pub(crate) struct ConnectionBody {
    /// Its id.
    id: ConnectionId,
    /// The system's name.
    system: String,
    /// What people call it.
    name: String,
    /// Where it stands.
    state: State,
    /// Since when, by Wrenchtime's clock.
    state_since: Timestamp,
    /// Why, in words for people.
    reason: Option<String>,
    /// Whose account it is.
    account: AccountBody,
    /// Since when it has its settings, by Wrenchtime's clock. A run that ended later was made with them.
    authorized_at: Timestamp,
    /// How often it is synced; null for on demand only.
    schedule_seconds: Option<u64>,
    /// How often resources are synced that have a schedule of their own, in seconds by their names; 0 for on demand
    /// only.
    resource_schedule_seconds: BTreeMap<Resource, u64>,
    /// From when on its records go, by the source's clock; null for all.
    records_since: Option<Timestamp>,
    /// When it was made, by Wrenchtime's clock.
    created_at: Timestamp,
}

/// Whose account a connection opens, as the source told.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Account")]
struct AccountBody {
    /// Tells accounts of one system apart.
    identity: String,
    /// What people call it.
    display_name: String,
    /// The source's version, where it tells one.
    server_version: Option<String>,
}

impl From<StoredConnection> for ConnectionBody {
    fn from(connection: StoredConnection) -> Self {
        Self {
            id: connection.id,
            system: connection.system.to_string(),
            name: connection.name,
            state: connection.state,
            state_since: connection.state_since.into(),
            reason: connection.reason,
            account: AccountBody {
                identity: connection.account.identity,
                display_name: connection.account.display_name,
                server_version: connection.account.server_version,
            },
            authorized_at: connection.authorized_at.into(),
            schedule_seconds: connection.schedule.map(|every| every.as_secs()),
            resource_schedule_seconds: connection
                .resource_schedules
                .into_iter()
                .map(|(resource, every)| (resource, every.map_or(0, |every| every.as_secs())))
                .collect(),
            records_since: connection.records_since.map(Timestamp::from),
            created_at: connection.created_at,
        }
    }
}

/// A connection that was just made, with its token.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CreatedConnection")]
pub(crate) struct CreatedConnectionBody {
    #[serde(flatten)]
    pub(crate) connection: ConnectionBody,
    /// The connection's token (`wtc_...`). Shown this once.
    pub(crate) token: String,
}

/// Where a connection stands, and what it does.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ConnectionStatus")]
pub(crate) struct StatusBody {
    /// The connection.
    connection_id: ConnectionId,
    /// Where it stands.
    state: State,
    /// Since when, by Wrenchtime's clock.
    state_since: Timestamp,
    /// Why, in words for people.
    reason: Option<String>,
    /// The run under way.
    syncing: Option<RunBody>,
    /// The run before, or the last one.
    last_run: Option<RunBody>,
    /// A run is wanted and has not begun: it waits for its turn, for another to end, or for the end of a pause.
    queued: bool,
    /// When the last run ended that was complete or partial, by Wrenchtime's clock.
    last_success_at: Option<Timestamp>,
    /// When the next run begins by itself, by Wrenchtime's clock.
    next_sync_at: Option<Timestamp>,
    /// Since when the served data is not renewed, where the source cannot be read.
    stale_since: Option<Timestamp>,
}

impl From<Status> for StatusBody {
    fn from(status: Status) -> Self {
        let stamp = |at: Option<DateTime<Utc>>| at.map(Timestamp::from);
        Self {
            connection_id: status.connection.id,
            state: status.connection.state,
            state_since: status.connection.state_since.into(),
            stale_since: stamp(status.stale_since()),
            reason: status.connection.reason,
            queued: status.queued,
            syncing: status.syncing.map(RunBody::from),
            last_run: status.last_run.map(RunBody::from),
            last_success_at: stamp(status.last_success_at),
            next_sync_at: stamp(status.next_sync_at),
        }
    }
}

/// What to change of a connection, at least one of these. What is left out stays.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ConnectionChange")]
pub(crate) struct ConnectionChangeBody {
    /// Values of all the fields that the system asks for: of those before nothing is kept. An optional field that is set
    /// now must be there, empty to do without it. They must open the account that the connection reads. Kept sealed and
    /// never shown again.
    pub(crate) settings: Option<BTreeMap<String, String>>,
    /// How often it is synced: 60 to 86400 seconds, or 0 for on demand only.
    pub(crate) schedule_seconds: Option<u64>,
    /// How often single resources are synced, by their names: 60 to 86400 seconds, 0 for on demand only, or null for as
    /// often as the connection. Resources that are left out keep what they have. Of several resources that are read
    /// from one table of the source the most frequent one counts.
    pub(crate) resource_schedule_seconds: Option<BTreeMap<Resource, Option<u64>>>,
    /// How far back its records go, as when it is made: further than before, for what is stored stays. The next sync
    /// begins at once and reads everything. Not together with other members.
    pub(crate) records_since: Option<String>,
}
