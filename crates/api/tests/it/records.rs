//! Lists and single records: filters, pages, members.

use http::StatusCode;
use serde_json::{Value, json};
use wrenchtime_model::{ConnectionId, Resource};
use wrenchtime_service::State;
use wrenchtime_service::storage::{AuditEntry, ConnectionStore, Transition};

use crate::harness::{Harness, Row, at};

async fn seeded() -> (Harness, ConnectionId, String) {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let asset = Row::new(Resource::Asset, "pump", json!({ "name": "Pump" }));
    let asset_id = asset.id(connection);
    harness.write(connection, vec![asset]).await;
    for (key, status, day) in [("a", "open", 1), ("b", "completed", 2), ("c", "open", 3)] {
        let mut row = Row::new(
            Resource::WorkOrder,
            key,
            json!({ "title": key, "status": status }),
        );
        row.facets.status = Some(status.to_owned());
        row.facets.due_at = Some(at(&format!("2031-06-0{day}T12:00:00Z")).into());
        row.facets.completed_at = Some(at(&format!("2031-07-0{day}T12:00:00Z")).into());
        row.remote = Some(at(&format!("2030-01-0{day}T12:00:00Z")));
        if key == "a" {
            row.facets.asset_id = Some(asset_id);
        }
        harness.clock.set(at(&format!("2031-05-0{day}T10:00:00Z")));
        harness.write(connection, vec![row]).await;
        let mut order = Row::new(Resource::PurchaseOrder, key, json!({ "number": key }));
        order.facets.order_date = Some(format!("2031-02-0{day}").parse().unwrap());
        order.facets.delivery_date = Some(format!("2031-03-0{day}").parse().unwrap());
        harness.write(connection, vec![order]).await;
    }
    (harness, connection, token)
}

#[tokio::test]
async fn each_filter_lets_through_what_it_says() {
    let (harness, connection, token) = seeded().await;
    let asset = Row::new(Resource::Asset, "pump", Value::Null).id(connection);
    let by_asset = format!("asset_id={asset}");
    for (path, query, expected) in [
        ("work-orders", "", "abc"),
        ("work-orders", "modified_after=2031-05-02", "bc"),
        ("work-orders", "modified_after=2031-05-02T10:00:00Z", "bc"),
        ("work-orders", "modified_before=2031-05-02T10:00:00Z", "a"),
        (
            "work-orders",
            "modified_after=2031-05-02&modified_before=2031-05-03",
            "b",
        ),
        ("work-orders", "created_after=2031-05-03", "c"),
        ("work-orders", "created_before=2031-05-03", "ab"),
        (
            "work-orders",
            "remote_modified_after=2030-01-02T12:00:00Z",
            "bc",
        ),
        (
            "work-orders",
            "remote_modified_before=2030-01-02T12:00:00Z",
            "a",
        ),
        ("work-orders", "remote_created_after=2030-01-03", "c"),
        ("work-orders", "remote_created_before=2030-01-02", "a"),
        ("work-orders", "due_after=2031-06-02T12:00:00Z", "bc"),
        ("work-orders", "due_before=2031-06-02T12:00:00Z", "a"),
        (
            "work-orders",
            "completed_after=2031-07-02&completed_before=2031-07-03",
            "b",
        ),
        ("work-orders", "status=open", "ac"),
        ("work-orders", "status=open,completed", "abc"),
        ("work-orders", "status=cancelled", ""),
        ("work-orders", "remote_id=b", "b"),
        ("work-orders", by_asset.as_str(), "a"),
        ("purchase-orders", "order_date_after=2031-02-02", "bc"),
        ("purchase-orders", "order_date_before=2031-02-02", "a"),
        (
            "purchase-orders",
            "delivery_date_after=2031-03-02&delivery_date_before=2031-03-03",
            "b",
        ),
    ] {
        let path = format!("/v1/{path}?{query}");
        let answer = harness.call("GET", &path, &token, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {}", answer.text);
        let mut keys = answer.column("remote_id");
        keys.sort();
        assert_eq!(keys.concat(), expected, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_named_with_what_is_allowed() {
    let (harness, _, token) = seeded().await;
    for (query, parameter, hint) in [
        ("work-orders?colour=red", "colour", "modified_after"),
        (
            "assets?due_after=2031-01-01",
            "due_after",
            "include_deleted",
        ),
        (
            "work-orders?order_date_after=2031-01-01",
            "order_date_after",
            "due_after",
        ),
        (
            "purchase-orders?order_date_after=2031-01-01T00:00:00Z",
            "order_date_after",
            "date",
        ),
        (
            "work-orders?modified_after=yesterday",
            "modified_after",
            "RFC 3339",
        ),
        ("work-orders?status=broken", "status", "in_progress"),
        ("work-orders?limit=501", "limit", "500"),
        ("work-orders?asset_id=7", "asset_id", "UUID"),
        ("work-orders?include=all", "include", "raw"),
        ("work-orders?fields=colour", "fields", "title"),
        (
            "work-orders?include_deleted=1",
            "include_deleted",
            "true or false",
        ),
        ("work-orders?cursor=abc", "cursor", "next"),
        ("work-orders/abc", "record_id", "UUID"),
        ("changes?after=7", "after", "next"),
    ] {
        let answer = harness
            .call("GET", &format!("/v1/{query}"), &token, None)
            .await;
        assert_eq!(
            answer.code(),
            "invalid_parameter",
            "{query} {}",
            answer.text
        );
        let body = answer.json();
        assert_eq!(body["errors"][0]["field"], parameter, "{query}");
        let message = body["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(hint), "{query}: {message}");
    }
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_double() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let rows = (0..25)
        .map(|number| {
            Row::new(
                Resource::Part,
                &format!("{number:02}"),
                json!({ "number": number.to_string() }),
            )
        })
        .collect();
    harness.write(connection, rows).await;
    for (filter, by_sequence) in [("", false), ("modified_after=2031-01-01&", true)] {
        for limit in [1, 5, 7, 24, 25, 26] {
            let mut keys = Vec::new();
            let mut bounds = Vec::new();
            let mut path = format!("/v1/parts?{filter}limit={limit}");
            loop {
                let answer = harness.call("GET", &path, &token, None).await;
                assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
                keys.extend(answer.column("remote_id"));
                let body = answer.json();
                bounds.push(body["next_modified_after"].clone());
                let Some(next) = body["next"].as_str() else {
                    break;
                };
                // With the filters or without them.
                let again = if bounds.len() % 2 == 0 { filter } else { "" };
                path = format!("/v1/parts?{again}limit={limit}&cursor={next}");
            }
            if by_sequence {
                assert!(keys.is_sorted());
            }
            keys.sort();
            let expected: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
            assert_eq!(keys, expected, "{path}");
            bounds.dedup();
            assert_eq!(bounds.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_list_with_an_end_goes_on_where_it_ended() {
    let (harness, _, token) = seeded().await;
    let get = async |query: &str| {
        let path = format!("/v1/work-orders?{query}");
        let answer = harness.call("GET", &path, &token, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} {}", answer.text);
        (answer.column("remote_id"), answer.json())
    };
    let first = "modified_after=2031-05-01&modified_before=2031-05-03&limit=1";
    let (mut keys, body) = get(first).await;
    let bound = body["next_modified_after"].as_str().unwrap().to_owned();
    assert_eq!(bound, "2031-05-03T00:00:00.000000Z");
    let cursor = body["next"].as_str().unwrap();
    let (more, body) = get(&format!("limit=1&cursor={cursor}")).await;
    assert_eq!(body["next_modified_after"], bound.as_str());
    keys.extend(more);
    assert_eq!(keys, ["a", "b"]);
    assert_eq!(get(&format!("modified_after={bound}")).await.0, ["c"]);

    // An end that is still to come says nothing of what will happen before it.
    let whole = get("").await.1["next_modified_after"].clone();
    let later = get("modified_before=2099-01-01").await.1;
    assert_eq!(later["next_modified_after"], whole);
}

#[tokio::test]
async fn a_cursor_goes_on_only_in_its_own_list() {
    let (harness, connection, token) = seeded().await;
    let answer = harness
        .call("GET", "/v1/work-orders?limit=1&status=open", &token, None)
        .await;
    let next = answer.json()["next"].as_str().unwrap().to_owned();
    for (path, fits) in [
        (format!("/v1/work-orders?cursor={next}"), true),
        (format!("/v1/work-orders?cursor={next}&status=open"), true),
        (
            format!("/v1/work-orders?cursor={next}&status=completed"),
            false,
        ),
        (
            format!("/v1/work-orders?cursor={next}&include_deleted=true"),
            false,
        ),
        (format!("/v1/assets?cursor={next}"), false),
    ] {
        let answer = harness.call("GET", &path, &token, None).await;
        assert_eq!(
            answer.status == StatusCode::OK,
            fits,
            "{path} {}",
            answer.text
        );
    }
    let (_, other) = harness.connect().await;
    let path = format!("/v1/work-orders?cursor={next}");
    assert_eq!(
        harness.call("GET", &path, &other, None).await.code(),
        "invalid_parameter"
    );
    let managed = format!("/v1/connections/{connection}/work-orders?cursor={next}");
    let answer = harness.get(&managed).await;
    assert_eq!(answer.column("remote_id").len(), 1, "{}", answer.text);
}

#[tokio::test]
async fn records_that_are_gone_show_where_they_should() {
    let (harness, connection, token) = seeded().await;
    harness.clock.set(at("2031-05-09T10:00:00Z"));
    harness
        .write(connection, vec![Row::gone(Resource::WorkOrder, "b")])
        .await;
    let get = async |path: &str| harness.call("GET", path, &token, None).await;
    assert_eq!(get("/v1/work-orders").await.column("remote_id").len(), 2);
    let all = get("/v1/work-orders?include_deleted=true").await;
    assert_eq!(all.column("remote_id").len(), 3);
    let since = get("/v1/work-orders?modified_after=2031-05-09")
        .await
        .json();
    assert_eq!(since["data"][0]["remote_id"], "b");
    assert_eq!(since["data"][0]["deleted"], true);
    assert_eq!(since["data"][0]["title"], "b");
    let id = Row::new(Resource::WorkOrder, "b", Value::Null).id(connection);
    let one = get(&format!("/v1/work-orders/{id}")).await;
    assert_eq!(one.status, StatusCode::OK);
    assert_eq!(one.json()["deleted"], true);
    assert_eq!(get(&format!("/v1/assets/{id}")).await.code(), "not_found");
}

#[tokio::test]
async fn raw_and_fields_choose_what_is_shown() {
    let (harness, connection, token) = seeded().await;
    let id = Row::new(Resource::WorkOrder, "a", Value::Null).id(connection);
    let get = async |path: String| harness.call("GET", &path, &token, None).await.json();
    let raw = get(format!("/v1/work-orders/{id}?include=raw")).await;
    assert_eq!(raw["raw"]["source"]["title"], "a");
    let some = get(format!("/v1/work-orders/{id}?fields=title,deleted")).await;
    assert_eq!(some, json!({ "id": id, "deleted": false, "title": "a" }));
    let list = get("/v1/work-orders?remote_id=a&fields=status&include=raw".to_owned()).await;
    assert_eq!(list["data"][0]["status"], "open");
    assert_eq!(list["data"][0]["title"], Value::Null);
    assert_eq!(list["data"][0]["raw"]["source"]["status"], "open");
}

#[tokio::test]
async fn a_list_is_complete_once_its_listings_were_read() {
    let (harness, connection, token) = seeded().await;
    let complete =
        async |path: &str| harness.call("GET", path, &token, None).await.json()["complete"].clone();
    assert_eq!(complete("/v1/assets").await, false);
    harness.complete(connection, &["assets-sweep"]).await;
    assert_eq!(complete("/v1/assets").await, true);
    assert_eq!(complete("/v1/work-orders").await, false);
}

#[tokio::test]
async fn a_source_that_is_silent_leaves_its_data_readable_and_marked() {
    let (harness, connection, token) = seeded().await;
    let list = async || harness.call("GET", "/v1/work-orders", &token, None).await;
    assert_eq!(list().await.json()["stale_since"], Value::Null);
    let since = at("2031-05-04T10:00:00Z");
    let transition = Transition {
        id: connection,
        expected: vec![State::Active],
        sealed: None,
        to: State::Offline,
        reason: None,
        event: None,
        at: since,
        audit: AuditEntry {
            at: since,
            actor: "system".to_owned(),
            action: "connection.offline".to_owned(),
            connection: Some(connection),
            detail: json!({}),
        },
    };
    let store: &dyn ConnectionStore = &harness.store;
    store.transition(transition).await.unwrap().unwrap();
    let body = list().await.json();
    assert_eq!(body["stale_since"], "2031-05-04T10:00:00.000000Z");
    assert_eq!(body["data"].as_array().unwrap().len(), 3);
}
