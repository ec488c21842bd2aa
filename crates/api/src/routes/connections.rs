//! Connections: made, listed, changed, ended.

use std::time::Duration;

use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use wrenchtime_connector::{Settings, SystemName};
use wrenchtime_model::ConnectionId;
use wrenchtime_service::storage::ConnectionFilter;
use wrenchtime_service::{Connect, ConnectionChange, RecordsSince, Schedule, State};

use super::{connection_id, cursor, limit, parse_body};
use crate::cursor::{self as cursors, IdCursor};
use crate::dto::{
    ConnectionBody, ConnectionChangeBody, CreatedConnectionBody, NewConnectionBody, PageBody,
    StatusBody,
};
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Access, Call, Content, Route};

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![create_route(), list_route()];
    routes.extend(one_routes());
    routes
}

fn create_route() -> Route {
    Route::new(Method::POST, "/v1/connections", create)
        .named("connections", "create_connection", "Connect an account")
        .described(
            "Checks the settings with the source before anything is stored. The reply holds the connection's token; \
             it is shown this once.",
        )
        .with_body("NewConnection", true)
        .answers(
            StatusCode::CREATED,
            "The connection with its token.",
            Content::Json("CreatedConnection".to_owned()),
        )
        .may_fail([
            Code::InvalidSettings,
            Code::CredentialsRefused,
            Code::SourcePermissionDenied,
            Code::SourceUnavailable,
            Code::SourceError,
        ])
}

fn list_route() -> Route {
    Route::new(Method::GET, "/v1/connections", list)
        .named("connections", "list_connections", "List connections")
        .described("In the order of their making, disconnected ones included.")
        .with_query([
            Parameter::new("system", Kind::Text, "Only those to this system."),
            Parameter::new(
                "state",
                Kind::List(states()),
                "Only those in one of these states.",
            ),
            limit(),
            cursor(),
        ])
        .answers_json("A page of connections.", "ConnectionList")
}

fn one_routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/v1/connections/{connection_id}", get)
            .named("connections", "get_connection", "Get a connection")
            .with_path(connection_id())
            .answers_json("The connection.", "Connection"),
        Route::new(Method::PATCH, "/v1/connections/{connection_id}", change)
            .named(
                "connections",
                "update_connection",
                "Reauthorize a connection, change its schedules, or let its records go further back",
            )
            .described(
                "Other settings are checked with the source before anything is stored. They must open the account that \
                 the connection reads; then reading goes on where it stopped. An optional one that is set must be \
                 given again, or given empty to do without it. All that was asked for is changed, or nothing.",
            )
            .with_path(connection_id())
            .with_body("ConnectionChange", true)
            .may_fail([
                Code::InvalidSettings,
                Code::CredentialsRefused,
                Code::SourcePermissionDenied,
                Code::AccountMismatch,
                Code::ConnectionState,
                Code::ConnectionChanged,
                Code::SourceUnavailable,
                Code::SourceError,
            ])
            .answers_json("The connection.", "Connection"),
        Route::new(Method::DELETE, "/v1/connections/{connection_id}", disconnect)
            .named("connections", "disconnect", "End a connection for good")
            .described(
                "Its token is void at once and nothing is read from the source any more. What was read stays readable \
                 with the management key. Connecting the same account later makes another connection.",
            )
            .with_path(connection_id())
            .may_fail([Code::ConnectionState])
            .answers_json("The connection as it is then.", "Connection"),
        Route::new(Method::POST, "/v1/connections/{connection_id}/pause", pause)
            .named("connections", "pause_connection", "Stop reading a connection for now")
            .described(
                "No run begins until it is resumed, neither by schedule nor on demand. A run under way is left after the \
                 last page that it wrote. What was read is served. Does nothing to a paused connection.",
            )
            .with_path(connection_id())
            .may_fail([Code::ConnectionState])
            .answers_json("The connection as it is then.", "Connection"),
        Route::new(Method::POST, "/v1/connections/{connection_id}/resume", resume)
            .named("connections", "resume_connection", "Read a paused connection again")
            .described(
                "A run that was left goes on at once where it stopped, and the schedule counts again. Does nothing to an \
                 active connection.",
            )
            .with_path(connection_id())
            .may_fail([Code::ConnectionState])
            .answers_json("The connection as it is then.", "Connection"),
        status_route("/v1/connections/{connection_id}/status", "get_connection_status")
            .with_path(connection_id()),
        status_route("/v1/status", "get_status").for_access(Access::Connection),
    ]
}

fn status_route(path: &str, id: &str) -> Route {
    Route::new(Method::GET, path, status)
        .named("connections", id, "Get where a connection stands")
        .described("Answers in every state.")
        .answers_json(
            "Where it stands, and the run under way.",
            "ConnectionStatus",
        )
}

async fn create(call: Call) -> Result<Reply, Problem> {
    let body: NewConnectionBody = parse_body(&call.body)?;
    let mut request = Connect::new(SystemName::new(body.system), Settings::new(body.settings));
    if let Some(name) = body.name {
        request = request.with_name(name);
    }
    if let Some(seconds) = body.schedule_seconds {
        request = request.with_schedule(schedule(seconds));
    }
    if let Some(since) = body.records_since {
        request = request.with_records_since(since.parse()?);
    }
    if !body.start_sync {
        request = request.without_first_sync();
    }
    let connected = call.service.connect(request, &call.actor()).await?;
    let id = connected.connection.id;
    let body = CreatedConnectionBody {
        connection: connected.connection.into(),
        token: connected.token.expose_secret().to_owned(),
    };
    Ok(Reply::json(StatusCode::CREATED, &body)?.at(format!("/v1/connections/{id}")))
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let limit = call.query.limit()?;
    let states = call.query.list("state", &states())?;
    let after = call
        .query
        .text("cursor")
        .map(cursors::read::<IdCursor<ConnectionId>>)
        .transpose()?;
    let filter = ConnectionFilter {
        system: call.query.text("system").map(SystemName::new),
        states: State::ALL
            .into_iter()
            .filter(|state| states.iter().any(|name| name == state.name()))
            .collect(),
        after: after.map(|cursor| cursor.after),
        limit: limit + 1,
    };
    let mut connections = call.service.connections(&filter).await?;
    let more = connections.len() > limit as usize;
    connections.truncate(limit as usize);
    let next = match connections.last() {
        Some(last) if more => Some(cursors::write(&IdCursor { after: last.id })?),
        _ => None,
    };
    let data: Vec<ConnectionBody> = connections.into_iter().map(ConnectionBody::from).collect();
    Reply::json(StatusCode::OK, &PageBody { data, next })
}

async fn get(call: Call) -> Result<Reply, Problem> {
    let connection = call.connection().await?;
    Reply::json(StatusCode::OK, &ConnectionBody::from(connection))
}

async fn change(call: Call) -> Result<Reply, Problem> {
    let body: ConnectionChangeBody = parse_body(&call.body)?;
    let id = call.connection().await?.id;
    let resources = body.resource_schedule_seconds.unwrap_or_default();
    let has_others =
        body.settings.is_some() || body.schedule_seconds.is_some() || !resources.is_empty();
    if let Some(since) = body.records_since.as_deref().filter(|_| !has_others) {
        let since = since.parse::<RecordsSince>()?;
        let actor = call.actor();
        let changed = call.service.look_back_further(id, since, &actor).await?;
        return Reply::json(StatusCode::OK, &ConnectionBody::from(changed));
    }
    if body.records_since.is_some() || !has_others {
        let problem = Problem::new(Code::InvalidBody);
        let detail =
            "give settings, schedule_seconds or resource_schedule_seconds, or records_since alone";
        return Err(problem.with_detail(detail));
    }
    let mut change = ConnectionChange::default();
    if let Some(settings) = body.settings {
        change = change.with_settings(Settings::new(settings));
    }
    if let Some(seconds) = body.schedule_seconds {
        change = change.with_schedule(schedule(seconds));
    }
    for (resource, seconds) in resources {
        let schedule = seconds.map_or(Schedule::Default, schedule);
        change = change.with_resource_schedule(resource, schedule);
    }
    let connection = call.service.change(id, change, &call.actor()).await?;
    Reply::json(StatusCode::OK, &ConnectionBody::from(connection))
}

async fn disconnect(call: Call) -> Result<Reply, Problem> {
    let id = call.id("connection_id")?;
    let connection = call.service.disconnect(id, &call.actor()).await?;
    Reply::json(StatusCode::OK, &ConnectionBody::from(connection))
}

async fn pause(call: Call) -> Result<Reply, Problem> {
    let id = call.id("connection_id")?;
    let connection = call.service.pause(id, &call.actor()).await?;
    Reply::json(StatusCode::OK, &ConnectionBody::from(connection))
}

async fn resume(call: Call) -> Result<Reply, Problem> {
    let id = call.id("connection_id")?;
    let connection = call.service.resume(id, &call.actor()).await?;
    Reply::json(StatusCode::OK, &ConnectionBody::from(connection))
}

async fn status(call: Call) -> Result<Reply, Problem> {
    let id = call.connection().await?.id;
    let status = call.service.status(id).await?;
    Reply::json(StatusCode::OK, &StatusBody::from(status))
}

fn schedule(seconds: u64) -> Schedule {
    match seconds {
        0 => Schedule::OnDemand,
        seconds => Schedule::Every(Duration::from_secs(seconds)),
    }
}

fn states() -> Vec<String> {
    State::ALL
        .iter()
        .map(|state| state.name().to_owned())
        .collect()
}
