//! A run that finds nothing new.

use std::collections::BTreeMap;

use crate::support::{Home, TENANT_RESOURCES, corrigo, corrigo_settings, exports};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_asks_a_tenant_only_what_its_cursors_need_and_writes_nothing() {
    const ORDERS: usize = 1_000;
    let tenant = corrigo(31, ORDERS).await;
    let home = Home::new();
    let server = home.serve().await;
    let connection = server
        .api
        .connect("corrigo", &corrigo_settings(&tenant), true)
        .await;
    server.api.finished_run(&connection.id, None).await;
    let records = connection.own.records(&TENANT_RESOURCES).await;
    let (_, position) = connection.own.feed_after(None).await;

    tenant.reset_requests();
    let run = server.api.sync(&connection.id).await;
    assert_eq!(connection.own.records(&TENANT_RESOURCES).await, records);
    check_only_completion(&connection.own.feed_after(Some(&position)).await.0);
    for (resource, counts) in run["resources"].as_object().unwrap() {
        for count in ["created", "changed", "deleted", "quarantined"] {
            assert_eq!(counts[count], 0, "{resource}: {counts}");
        }
    }

    // Two change streams of work orders: a page each. Listings: 500 documents or 4,000 versions a page. All with the page
    // that says that this was all. Nothing row by row.
    let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
    for request in tenant.requests() {
        assert_eq!(request.status, 200, "{request:?}");
        *asked
            .entry(request.entity.unwrap_or("token or host"))
            .or_default() += 1;
    }
    let allowed = BTreeMap::from([
        // Where assets stand is asked for each page of work orders, in three questions: as of this run.
        ("AssetTree", 2 + 2 * ORDERS / 500),
        ("Employee", 2),
        ("Location", 3 + ORDERS / 500),
        ("Model", 1),
        ("WoActionLog", 2),
        ("WorkOrder", 2 + ORDERS / 500 + 1),
        ("WorkZone", 2),
        ("token or host", 2),
    ]);
    for (entity, times) in &asked {
        let most = allowed.get(entity).copied().unwrap_or(0);
        assert!(
            *times <= most,
            "{entity}: {times} of {:#?}",
            tenant.requests()
        );
    }
    server.terminate(20).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_over_the_same_exports_writes_nothing() {
    const RESOURCES: [&str; 5] = [
        "work-orders",
        "assets",
        "parts",
        "vendors",
        "purchase-orders",
    ];
    let home = Home::new();
    let exports = exports(&home.path("exports"), 32, 400);
    let server = home.serve().await;
    let connection = server
        .api
        .connect("express-maintenance", &exports.settings(), true)
        .await;
    server.api.finished_run(&connection.id, None).await;
    let records = connection.own.records(&RESOURCES).await;
    assert!(records.len() > 400);
    let (_, position) = connection.own.feed_after(None).await;

    // Once as they are, once written anew with the same content.
    server.api.sync(&connection.id).await;
    exports.write();
    server.api.sync(&connection.id).await;
    assert_eq!(connection.own.records(&RESOURCES).await, records);
    let (entries, _) = connection.own.feed_after(Some(&position)).await;
    assert_eq!(entries.len(), 2, "{entries:#?}");
    check_only_completion(&entries[..1]);
    check_only_completion(&entries[1..]);
    server.terminate(20).await.succeeded();
}

#[track_caller]
fn check_only_completion(entries: &[serde_json::Value]) {
    let [entry] = entries else {
        panic!("{} entries: {entries:#?}", entries.len());
    };
    assert_eq!(entry["type"], "sync.completed", "{entry:#}");
}
