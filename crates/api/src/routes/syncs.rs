//! Runs, and how fresh a copy is.

use http::{Method, StatusCode};
use wrenchtime_model::RunId;
use wrenchtime_service::{SyncRequest, SyncRequested};

use super::{connection_id, cursor, limit, parse_body};
use crate::cursor::{self as cursors, IdCursor};
use crate::dto::{
    AcceptedSyncBody, NewSyncBody, PageBody, RunBody, SyncRequestState, SyncStatusBody,
};
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Access, Call, Content, Route};

const SYNCS: &str = "/v1/connections/{connection_id}/syncs";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::POST, SYNCS, start)
            .named("syncs", "start_sync", "Sync now")
            .described(
                "Begins a run, or joins the one under way if that does all that is asked for. The status and the list \
                 of runs show it once it began.",
            )
            .with_path(connection_id())
            .with_body("NewSync", false)
            .may_fail([Code::ConnectionState])
            .answers(
                StatusCode::ACCEPTED,
                "It was taken on.",
                Content::Json("AcceptedSync".to_owned()),
            ),
        Route::new(Method::GET, SYNCS, list)
            .named("syncs", "list_syncs", "List a connection's runs")
            .described("Newest first, the one under way with its progress.")
            .with_path(connection_id())
            .with_query([limit(), cursor()])
            .answers_json("A page of runs.", "SyncRunList"),
        Route::new(Method::DELETE, SYNCS, cancel)
            .named("syncs", "cancel_sync", "End the run under way")
            .described("It ends after the page that it is at. The next run goes on from there.")
            .with_path(connection_id())
            .answers(
                StatusCode::NO_CONTENT,
                "It ends, or there was none.",
                Content::Nothing,
            ),
        Route::new(Method::GET, format!("{SYNCS}/{{run_id}}"), get)
            .named("syncs", "get_sync", "Get a run")
            .with_path(connection_id())
            .with_path(Parameter::new("run_id", Kind::Uuid, "The run."))
            .answers_json("The run.", "SyncRun"),
        sync_status_route(
            "/v1/connections/{connection_id}/sync-status",
            "get_connection_sync_status",
        )
        .with_path(connection_id()),
        sync_status_route("/v1/sync-status", "get_sync_status").for_access(Access::Connection),
    ]
}

fn sync_status_route(path: &str, id: &str) -> Route {
    Route::new(Method::GET, path, sync_status)
        .named("syncs", id, "Get how fresh each resource is")
        .described(
            "A client that reads `last_synced_at` or `next_modified_after`, then lists, then stores the value and \
             passes it as `modified_after` next time, misses nothing.",
        )
        .answers_json("How fresh each resource is.", "SyncStatus")
}

async fn start(call: Call) -> Result<Reply, Problem> {
    let body: NewSyncBody = parse_body(&call.body)?;
    let connection = call.connection().await?;
    let request = SyncRequest {
        mode: body.mode.into(),
    };
    let requested = call.service.start_sync(connection.id, request).await?;
    let reply = AcceptedSyncBody {
        connection_id: connection.id,
        request: match requested {
            SyncRequested::Joined => SyncRequestState::Joined,
            _ => SyncRequestState::Queued,
        },
    };
    let reply = Reply::json(StatusCode::ACCEPTED, &reply)?;
    Ok(reply.at(format!("/v1/connections/{}/status", connection.id)))
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let id = call.id("connection_id")?;
    let limit = call.query.limit()?;
    let before = call
        .query
        .text("cursor")
        .map(cursors::read::<IdCursor<RunId>>)
        .transpose()?
        .map(|cursor| cursor.after);
    let mut runs = call.service.runs(id, before, limit + 1).await?;
    let more = runs.len() > limit as usize;
    runs.truncate(limit as usize);
    let next = match runs.last() {
        Some(last) if more => Some(cursors::write(&IdCursor { after: last.id })?),
        _ => None,
    };
    let data: Vec<RunBody> = runs.into_iter().map(RunBody::from).collect();
    Reply::json(StatusCode::OK, &PageBody { data, next })
}

async fn cancel(call: Call) -> Result<Reply, Problem> {
    call.service.cancel_sync(call.id("connection_id")?).await?;
    Ok(Reply::done())
}

async fn get(call: Call) -> Result<Reply, Problem> {
    let connection = call.id("connection_id")?;
    let run = call
        .service
        .run(connection, call.id("run_id")?)
        .await?
        .ok_or_else(|| Problem::no("run"))?;
    Reply::json(StatusCode::OK, &RunBody::from(run))
}

async fn sync_status(call: Call) -> Result<Reply, Problem> {
    let id = call.connection().await?.id;
    let status = call.service.sync_status(id).await?;
    Reply::json(StatusCode::OK, &SyncStatusBody::new(id, status))
}
