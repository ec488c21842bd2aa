//! Lists and single records over what real connectors read.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Api, Connection, Home, Server, corrigo, corrigo_settings, exports};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_keep_what_they_say() {
    let tenant = corrigo(81, 150).await;
    let home = Home::new();
    let exports = exports(&home.path("exports"), 82, 150);
    let server = home.serve().await;
    let settings = corrigo_settings(&tenant);
    let at_tenant = connected(&server, "corrigo", &settings).await;
    let in_exports = connected(&server, "express-maintenance", &exports.settings()).await;

    for own in [&at_tenant.own, &in_exports.own] {
        let all = own.all("/v1/work-orders").await;
        let some_status = all[0]["status"].as_str().unwrap();
        check(
            own,
            "work-orders",
            &format!("status={some_status}"),
            |row| row["status"] == some_status,
        )
        .await;
        check(
            own,
            "work-orders",
            &format!("status={some_status},cancelled"),
            |row| row["status"] == some_status || row["status"] == "cancelled",
        )
        .await;
        let mut assets = all.iter().filter_map(|row| row["asset"]["id"].as_str());
        let asset = assets.next_back().unwrap();
        check(own, "work-orders", &format!("asset_id={asset}"), |row| {
            row["asset"]["id"] == asset
        })
        .await;
        let key = all[1]["remote_id"].as_str().unwrap();
        check(own, "work-orders", &format!("remote_id={key}"), |row| {
            row["remote_id"] == key
        })
        .await;
    }

    let own = &in_exports.own;
    let orders = own.all("/v1/purchase-orders").await;
    let mut days: Vec<&str> = orders
        .iter()
        .filter_map(|row| row["order_date"].as_str())
        .collect();
    days.sort_unstable();
    let (early, late) = (days[days.len() / 3], days[days.len() * 2 / 3]);
    let query = format!("order_date_after={early}&order_date_before={late}");
    check(own, "purchase-orders", &query, |row| {
        row["order_date"]
            .as_str()
            .is_some_and(|day| (early..late).contains(&day))
    })
    .await;
    let query = format!("delivery_date_after={late}");
    check(own, "purchase-orders", &query, |row| {
        row["delivery_date"].as_str().is_some_and(|day| day >= late)
    })
    .await;
    check_pages_and_shapes(own).await;
    check_mistakes(own).await;
    server.terminate(20).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_stays_as_a_tombstone() {
    let home = Home::new();
    let mut exports = exports(&home.path("exports"), 83, 100);
    let server = home.serve().await;
    let connection = connected(&server, "express-maintenance", &exports.settings()).await;
    let own = &connection.own;
    let before = own.get("/v1/work-orders?limit=1").await;
    let gone = exports.plant.work_orders[7].id;
    assert!(exports.plant.remove_work_order(gone));
    exports.write();
    let run = server.api.sync(&connection.id).await;
    assert_eq!(run["resources"]["work_order"]["deleted"], 1, "{run:#}");

    let listed = own.all("/v1/work-orders").await;
    assert_eq!(listed.len(), 99);
    assert!(listed.iter().all(|row| row["deleted"] == false));
    let with_gone = own.all("/v1/work-orders?include_deleted=true").await;
    let tombstones: Vec<&Value> = with_gone
        .iter()
        .filter(|row| row["deleted"] == true)
        .collect();
    assert_eq!((with_gone.len(), tombstones.len()), (100, 1));
    let id = tombstones[0]["id"].as_str().unwrap();
    let record = own.get(&format!("/v1/work-orders/{id}")).await;
    assert_eq!(record["deleted"], true);

    // A client that follows learns of it, and of nothing else.
    let since = before["next_modified_after"].as_str().unwrap();
    let since = own
        .all(&format!("/v1/work-orders?modified_after={since}"))
        .await;
    let gone: Vec<&Value> = since.iter().filter(|row| row["deleted"] == true).collect();
    assert_eq!(gone.len(), 1, "{since:#?}");
    assert_eq!(gone[0]["id"], id);
    let (feed, _) = own.feed_after(None).await;
    let deletions = feed
        .iter()
        .filter(|entry| entry["type"] == "record.deleted");
    assert_eq!(deletions.count(), 1);

    let unknown = "00000000-0000-5000-8000-000000000000";
    let (status, problem) = own
        .call(Method::GET, &format!("/v1/work-orders/{unknown}"), None)
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{problem}");
    server.terminate(20).await.succeeded();
}

async fn connected(server: &Server, system: &str, settings: &Value) -> Connection {
    let connection = server.api.connect(system, settings, true).await;
    let run = server.api.finished_run(&connection.id, None).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    connection
}

/// Compares a filtered list with what the whole list holds; the filter must take some and leave some.
async fn check(own: &Api, resource: &str, query: &str, keeps: impl Fn(&Value) -> bool) {
    let all = own.all(&format!("/v1/{resource}")).await;
    let wanted: BTreeSet<&str> = all.iter().filter(|row| keeps(row)).map(id).collect();
    assert!(
        !wanted.is_empty() && wanted.len() < all.len(),
        "{query} would show {} of {}",
        wanted.len(),
        all.len()
    );
    let found = own.all(&format!("/v1/{resource}?{query}")).await;
    assert_eq!(
        found.iter().map(id).collect::<BTreeSet<_>>(),
        wanted,
        "{query}"
    );
}

fn id(row: &Value) -> &str {
    row["id"].as_str().unwrap()
}

async fn check_pages_and_shapes(own: &Api) {
    let all = own.all("/v1/work-orders").await;
    let mut paged = Vec::new();
    let mut query = "?limit=7".to_owned();
    loop {
        let mut page = own.get(&format!("/v1/work-orders{query}")).await;
        assert_eq!(page["complete"], true);
        paged.append(page["data"].as_array_mut().unwrap());
        let Some(cursor) = page["next"].as_str() else {
            break;
        };
        query = format!("?limit=7&cursor={cursor}");
    }
    assert_eq!(paged, all);

    let page = own
        .get("/v1/work-orders?limit=1&fields=number,status")
        .await;
    let names: BTreeSet<&str> = page["data"][0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, BTreeSet::from(["id", "number", "status"]));
    let page = own.get("/v1/work-orders?limit=1&include=raw").await;
    let record = &page["data"][0];
    assert_eq!(
        record["raw"]["RecordNumber"], record["remote_id"],
        "{record:#}"
    );
    assert!(all[0]["raw"].is_null());
}

async fn check_mistakes(own: &Api) {
    for (query, named) in [
        ("status=finished", "completed"),
        ("modified_after=yesterday", "RFC 3339"),
        ("colour=red", "modified_after"),
        ("limit=501", "500"),
    ] {
        let path = format!("/v1/work-orders?{query}");
        let (status, problem) = own.call(Method::GET, &path, None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{problem}");
        assert_eq!(problem["code"], "invalid_parameter", "{problem}");
        assert!(problem.to_string().contains(named), "{problem}");
    }
    let (status, problem) = own.call(Method::GET, "/v1/connections", None).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
}
