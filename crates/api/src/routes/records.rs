//! Records and the change feed, by connection token and by management key.

mod filter;

use http::Method;
use wrenchtime_model::{Resource, Timestamp};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    ChangesQuery, GetQuery, ListOrder, ListQuery, RecordFilter, StoredConnection,
};

use self::filter::{fields, include, list_parameters, record_filter, shown};
use super::{connection_id, limit};
use crate::cursor::{self as cursors, FeedCursor, ListCursor};
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::reply::{ObjectText, Reply, Shown, record_text, record_texts};
use crate::route::{Access, Call, Route, schema_name};

pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for resource in Resource::ALL {
        let plural = resource.path().replace('-', "_");
        let name = resource.name();
        let own = format!("/v1/{}", resource.path());
        let managed = format!("/v1/connections/{{connection_id}}/{}", resource.path());
        routes.extend([
            list_route(resource, &own, format!("list_{plural}")).for_access(Access::Connection),
            get_route(resource, &own, format!("get_{name}")).for_access(Access::Connection),
            list_route(resource, &managed, format!("list_connection_{plural}"))
                .with_path(connection_id()),
            get_route(resource, &managed, format!("get_connection_{name}"))
                .with_path(connection_id()),
        ]);
    }
    routes.push(changes_route("/v1/changes", "list_changes").for_access(Access::Connection));
    routes.push(
        changes_route(
            "/v1/connections/{connection_id}/changes",
            "list_connection_changes",
        )
        .with_path(connection_id()),
    );
    routes
}

fn list_route(resource: Resource, path: &str, id: String) -> Route {
    Route::new(Method::GET, path, move |call| list(call, resource))
        .named("records", id, format!("List {}", spoken(resource, true)))
        .described(
            "With `modified_after` in order of change, gone records included; otherwise in the order in which \
             they were first stored. A client that \
             passes `next_modified_after` of the first page as `modified_after` next time misses nothing, whatever \
             happens in between; a record on the border is listed twice. With `modified_before` it is no later than that. Filters look at the record as it is now. \
             `complete` is false until the source was read completely once; `stale_since` is there while it cannot be \
             read.",
        )
        .with_query(list_parameters(resource))
        .answers_json("A page of records.", format!("{}List", schema_name(resource)))
        .may_fail([Code::ReauthorizationRequired])
}

fn get_route(resource: Resource, path: &str, id: String) -> Route {
    let path = format!("{path}/{{record_id}}");
    Route::new(Method::GET, path, move |call| get(call, resource))
        .named(
            "records",
            id,
            format!("Get one of the {}", spoken(resource, true)),
        )
        .described("A record that is gone is shown with `deleted: true`.")
        .with_path(Parameter::new("record_id", Kind::Uuid, "The record."))
        .with_query([include(&["raw"]), fields(resource)])
        .answers_json("The record.", schema_name(resource))
        .may_fail([Code::ReauthorizationRequired])
}

fn changes_route(path: &str, id: &str) -> Route {
    Route::new(Method::GET, path, changes)
        .named("records", id, "Follow the change feed")
        .described(
            "Everything that happened to the connection and its records, in order of sequence. Store `next` and pass it \
             as `after`. A position of another store, or from after a backup that was restored, is answered with 410: \
             list everything again, then begin anew.",
        )
        .with_query([
            Parameter::new(
                "after",
                Kind::Text,
                "The `next` of the last reply; from the beginning without it. Opaque.",
            ),
            limit(),
            include(&["record"]),
        ])
        .answers_json("A stretch of the feed.", "ChangeList")
        .may_fail([Code::ReauthorizationRequired, Code::CursorExpired])
}

fn spoken(resource: Resource, plural: bool) -> String {
    if plural {
        resource.path().replace('-', " ")
    } else {
        resource.name().replace('_', " ")
    }
}

/// Returns the connection whose data is asked for, if it may be served.
async fn readable(call: &Call) -> Result<StoredConnection, Problem> {
    let connection = call.connection().await?;
    if connection.state == State::ReauthorizationRequired {
        return Err(Problem::new(Code::ReauthorizationRequired)
            .with_detail("the source refuses the connection's credentials"));
    }
    Ok(connection)
}

async fn list(call: Call, resource: Resource) -> Result<Reply, Problem> {
    let connection = readable(&call).await?;
    let shown = shown(&call.query, resource)?;
    let (query, first_head) = list_query(&call, &connection, resource, &shown)?;
    let page = call.service.list(&query).await?;
    // What changes behind the list's own end is not on it, however early it came to pass.
    let head = first_head.unwrap_or_else(|| match query.filter.modified.before {
        Some(before) => page.head.min(before),
        None => page.head,
    });

    let next = page.next.map(|order| {
        cursors::write(&ListCursor {
            connection: connection.id,
            resource,
            filter: query.filter,
            include_deleted: query.include_deleted,
            order,
            next_modified_after: head,
        })
    });
    let mut data = record_texts(page.records, page.raw.as_ref(), &shown)?;
    let mut text = ObjectText::with_capacity(600);
    text.value("next", &next.transpose()?)?;
    text.value("next_modified_after", &head)?;
    let is_known = call
        .service
        .complete_when(&connection.system, resource)
        .is_some();
    text.value("complete", &(page.complete && is_known))?;
    if let Some(since) = call.service.stale_since(&connection).await? {
        text.value("stale_since", &Timestamp::from(since))?;
    }
    let rest = text.finish();
    // Behind the records and not a piece of its own, which would be sent by itself and wake the client once more.
    data.push_str("],");
    data.push_str(rest.strip_prefix('{').unwrap_or(&rest));
    Ok(Reply::json_pieces(["{\"data\":[".to_owned(), data]))
}

/// Puts the query together; with it, on later pages, the instant of the first page's snapshot.
fn list_query(
    call: &Call,
    connection: &StoredConnection,
    resource: Resource,
    shown: &Shown,
) -> Result<(ListQuery, Option<Timestamp>), Problem> {
    let filter = record_filter(&call.query, resource)?;
    let mut query = ListQuery {
        connection: connection.id,
        resource,
        include_deleted: filter.modified.from.is_some() || call.query.flag("include_deleted")?,
        include_raw: shown.raw,
        order: if filter.modified.from.is_some() {
            ListOrder::Sequence(None)
        } else {
            ListOrder::Creation(None)
        },
        filter,
        limit: call.query.limit()?,
        complete_when: call
            .service
            .complete_when(&connection.system, resource)
            .unwrap_or_default(),
    };
    let Some(text) = call.query.text("cursor") else {
        return Ok((query, None));
    };
    let cursor: ListCursor = cursors::read(text)?;
    let same_filter = query.filter == RecordFilter::default() || query.filter == cursor.filter;
    let same_deleted = !call.query.has_any(&["include_deleted"])
        || query.include_deleted == cursor.include_deleted;
    if cursor.connection != connection.id
        || cursor.resource != resource
        || !same_filter
        || !same_deleted
    {
        return Err(Problem::parameter(
            "cursor",
            "must go with the parameters of the list that it came from, or without any filter",
        ));
    }
    query.filter = cursor.filter;
    query.include_deleted = cursor.include_deleted;
    query.order = cursor.order;
    Ok((query, Some(cursor.next_modified_after)))
}

async fn get(call: Call, resource: Resource) -> Result<Reply, Problem> {
    let shown = shown(&call.query, resource)?;
    let id = call.id("record_id")?;
    let connection = readable(&call).await?;
    let query = GetQuery {
        connection: connection.id,
        resource,
        id,
        include_raw: shown.raw,
    };
    let record = call
        .service
        .record(&query)
        .await?
        .ok_or_else(|| Problem::no(&spoken(resource, false)))?;
    Ok(Reply::json_text(
        record_text(&record.text, record.raw.as_deref(), &shown)?.into_owned(),
    ))
}

async fn changes(call: Call) -> Result<Reply, Problem> {
    let connection = readable(&call).await?;
    let after = call
        .query
        .text("after")
        .map(FeedCursor::parse)
        .transpose()?;
    let include = call.query.list("include", &["record".to_owned()])?;
    let query = ChangesQuery {
        connection: connection.id,
        after: after.map_or(0, |cursor| cursor.sequence),
        limit: call.query.limit()?,
        include_records: !include.is_empty(),
    };
    let page = call.service.changes(&query).await?;
    // A position behind the end was given out by a log that had more: a backup was restored without telling.
    if after.is_some_and(|cursor| cursor.epoch != page.epoch || cursor.sequence > page.head) {
        return Err(Problem::new(Code::CursorExpired).with_detail(
            "the position is of another store, or from before a backup was restored",
        ));
    }
    let sequence = page
        .entries
        .last()
        .map_or(query.after, |(event, _)| event.sequence);
    let next = FeedCursor {
        epoch: page.epoch,
        sequence,
    };
    let mut data = String::from("[");
    for (at, (event, record)) in page.entries.iter().enumerate() {
        if at > 0 {
            data.push(',');
        }
        let event = serde_json::to_string(event).map_err(|error| Problem::internal(&error))?;
        match record {
            Some(record) => {
                // The event is an object with members: the record becomes one more, before its end.
                data.push_str(event.strip_suffix('}').unwrap_or(&event));
                data.push_str(",\"record\":");
                data.push_str(&record_text(&record.text, None, &Shown::default())?);
                data.push('}');
            }
            None => data.push_str(&event),
        }
    }
    data.push(']');
    let mut text = ObjectText::with_capacity(data.len() + 100);
    text.raw("data", &data);
    text.value("next", &next.text())?;
    text.value("more", &page.more)?;
    Ok(Reply::json_text(text.finish()))
}
