//! Rows that could not be read or mapped.

use http::{Method, StatusCode};
use wrenchtime_service::storage::QuarantineId;

use super::{connection_id, cursor, limit};
use crate::cursor::{self as cursors, QuarantineCursor};
use crate::dto::{PageBody, QuarantineRetryBody, QuarantinedRowBody};
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::route::{Access, Call, Content, Route};

const QUARANTINE: &str = "/v1/connections/{connection_id}/quarantine";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(QUARANTINE, "list_connection_quarantine").with_path(connection_id()),
        route("/v1/quarantine", "list_quarantine").for_access(Access::Connection),
        retry_route(format!("{QUARANTINE}/retry"), retry_all).named(
            "syncs",
            "retry_quarantine",
            "Try all rows in quarantine again",
        ),
        retry_route(format!("{QUARANTINE}/{{row_id}}/retry"), retry_one)
            .named(
                "syncs",
                "retry_quarantined_row",
                "Try a row in quarantine again",
            )
            .with_path(Parameter::new(
                "row_id",
                Kind::Text,
                "The row's `id` in the list.",
            )),
    ]
}

fn retry_route<F, R>(path: String, handler: F) -> Route
where
    F: Fn(Call) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reply, Problem>> + Send + 'static,
{
    Route::new(Method::POST, path, handler)
        .described(
            "Rows of which no record could be made are mapped again from what is stored, without asking the source. Rows that \
             could not be read are asked for again by key where the system can be asked so; the others are left to \
             the next run that reads them anyway. The reply tells how many are tried in which way. A run that does it begins at once.",
        )
        .with_path(connection_id())
        .may_fail([Code::ConnectionState])
        .answers(
            StatusCode::ACCEPTED,
            "It was taken on.",
            Content::Json("QuarantineRetry".to_owned()),
        )
}

fn route(path: &str, id: &str) -> Route {
    Route::new(Method::GET, path, list)
        .named("syncs", id, "List rows that cannot be read or mapped")
        .described(
            "What stands in quarantine now: rows that could not be read (of a run the first 1,000, of a connection the \
             latest 20,000), then those of which no record can be made. One that could not be read stays listed until \
             its kind is listed whole again, or it was asked for again. One of which no record can be made is tried \
             again by the next run once the mapping is another. Answers in every state.",
        )
        .with_query([limit(), cursor()])
        .answers_json("A page of rows.", "QuarantineList")
}

async fn list(call: Call) -> Result<Reply, Problem> {
    let connection = call.connection().await?;
    let limit = call.query.limit()?;
    let after = call
        .query
        .text("cursor")
        .map(cursors::read::<QuarantineCursor>)
        .transpose()?;
    if after
        .as_ref()
        .is_some_and(|cursor| cursor.connection != connection.id)
    {
        return Err(Problem::parameter(
            "cursor",
            "must be the `next` of an earlier page of this list",
        ));
    }
    let after = after.map(|cursor| cursor.after);
    let page = call.service.quarantine(&connection, after, limit).await?;
    let next = page.next.map(|after| {
        cursors::write(&QuarantineCursor {
            connection: connection.id,
            after,
        })
    });
    let data: Vec<QuarantinedRowBody> = page.rows.into_iter().map(Into::into).collect();
    let next = next.transpose()?;
    Reply::json(StatusCode::OK, &PageBody { data, next })
}

async fn retry_all(call: Call) -> Result<Reply, Problem> {
    retry(&call, None).await
}

async fn retry_one(call: Call) -> Result<Reply, Problem> {
    let row = call
        .segment("row_id")
        .parse()
        .map_err(|_| Problem::parameter("row_id", "must be the `id` of a row in quarantine"))?;
    retry(&call, Some(row)).await
}

async fn retry(call: &Call, row: Option<QuarantineId>) -> Result<Reply, Problem> {
    let connection = call.id("connection_id")?;
    let retried = call
        .service
        .retry_quarantine(connection, row, &call.actor())
        .await?
        .ok_or_else(|| Problem::no("row in quarantine"))?;
    let body = QuarantineRetryBody::new(connection, retried);
    Reply::json(StatusCode::ACCEPTED, &body)
}
