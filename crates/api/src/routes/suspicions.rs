//! Listings that lack too many rows, and what an operator says of them.

use http::{Method, StatusCode};
use wrenchtime_service::sync::Decision;

use super::connection_id;
use crate::dto::{PageBody, SuspicionBody};
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Call, Content, Route};

const SUSPICIONS: &str = "/v1/connections/{connection_id}/suspicions";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, SUSPICIONS, list)
            .named("syncs", "list_suspicions", "List suspect listings")
            .described(
                "Listings of the source that lack more than 10 % and more than 10 of the stored rows, or all of them. \
                 None of these rows is removed until somebody confirms that they are gone. All of them, by stream. \
                 Answers in every state.",
            )
            .with_path(connection_id())
            .answers_json("What stands.", "SuspicionList"),
        decision("confirm", confirm)
            .named("syncs", "confirm_suspicion", "Confirm that rows are gone")
            .described(
                "The rows that were missing may be missing: a run that reads the listing begins at once, and removes \
                 those that it misses again. When it misses others beyond the usual measure, it removes nothing, and \
                 another suspicion stands.",
            )
            .answers(
                StatusCode::ACCEPTED,
                "It was taken on.",
                Content::Nothing,
            ),
        decision("reject", reject)
            .named("syncs", "reject_suspicion", "Reject a suspect listing")
            .described(
                "The source was wrong: the rows stay, and the suspicion is over, confirmed or not. The next run that \
                 reads the listing judges it anew. What other resources take from this one waits until then.",
            )
            .answers(
                StatusCode::NO_CONTENT,
                "It is over.",
                Content::Nothing,
            ),
    ]
}

fn decision<F, R>(name: &str, handler: F) -> Route
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    let path = format!("{SUSPICIONS}/{{suspicion_id}}/{name}");
    let id = Parameter::new("suspicion_id", Kind::Uuid, "The suspicion.");
    Route::new(Method::POST, path, handler)
        .with_path(connection_id())
        .with_path(id)
        .may_fail([Code::ConnectionState])
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let connection = call.connection().await?;
    let all = call.service.suspicions(connection.id).await?;
    let data: Vec<SuspicionBody> = all
        .into_iter()
        .map(|shown| {
            let entity = &shown.suspicion.entity;
            let resources = call.service.resources_of(&connection.system, entity);
            SuspicionBody::new(shown, resources)
        })
        .collect();
    Reply::json(StatusCode::OK, &PageBody { data, next: None })
}

async fn confirm(call: Call) -> Result<Reply, Problem> {
    decide(&call, Decision::Confirm).await?;
    Ok(Reply::text(StatusCode::ACCEPTED, "", bytes::Bytes::new()))
}

async fn reject(call: Call) -> Result<Reply, Problem> {
    decide(&call, Decision::Reject).await?;
    Ok(Reply::done())
}

async fn decide(call: &Call, decision: Decision) -> Result<(), Problem> {
    let connection = call.id("connection_id")?;
    let suspicion = call.id("suspicion_id")?;
    let decided = call
        .service
        .decide(connection, (suspicion, decision), &call.actor())
        .await?;
    match decided {
        Some(_) => Ok(()),
        None => Err(Problem::new(Code::NotFound).with_detail(
            "there is no such suspicion: it was decided, or a later run misses other rows or none",
        )),
    }
}
