//! Rows that could not be read or mapped.

use http::{Method, StatusCode};

use super::{connection_id, cursor, limit};
use crate::cursor::{self as cursors, QuarantineCursor};
use crate::dto::{PageBody, QuarantinedRowBody};
use crate::problem::Problem;
use crate::reply::Reply;
use crate::route::{Access, Call, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route(
            "/v1/connections/{connection_id}/quarantine",
            "list_connection_quarantine",
        )
        .with_path(connection_id()),
        route("/v1/quarantine", "list_quarantine").for_access(Access::Connection),
    ]
}

fn route(path: &str, id: &str) -> Route {
    Route::new(Method::GET, path, list)
        .named("syncs", id, "List rows that cannot be read or mapped")
        .described(
            "What stands in quarantine now: rows that could not be read, the first 1,000 of a run, then those of which no record can be made. One \
             that could not be read stays listed until its kind is listed whole again. Answers in every state.",
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
