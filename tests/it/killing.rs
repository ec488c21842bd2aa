//! `serve` is killed as a power cut would, at any moment of a first sync.

use std::collections::BTreeSet;

use serde_json::Value;
use wrenchtime_sandbox::corrigo::CorrigoSandbox;

use crate::support::{
    Api, Draw, Home, Records, TENANT_RESOURCES, corrigo, corrigo_settings, count, until_within,
};

/// Pages of one stream that may be asked for again after a kill.
const IN_FLIGHT: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_sync_that_is_killed_again_and_again_ends_as_an_unbroken_one() {
    kill_a_first_sync(Home::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_syncs_that_are_killed_lose_nothing() {
    kill_later_syncs(Home::new()).await;
}

pub(crate) async fn kill_a_first_sync(unbroken: Home) {
    let orders = count("E2E_WORK_ORDERS", 10_000);
    let kills = count("E2E_KILLS", 5);
    let tenant = corrigo(11, orders).await;

    // One connection in two data directories, so that ids are the same in both.
    let server = unbroken.serve().await;
    let connection = server
        .api
        .connect("corrigo", &corrigo_settings(&tenant), false)
        .await;
    server.terminate(30).await.succeeded();
    let broken = unbroken.twin().await;

    let server = unbroken.serve().await;
    server.api.start_sync(&connection.id, "full").await;
    let run = server.api.finished_run(&connection.id, None).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    let wanted = server
        .api
        .with_key(connection.own.key())
        .records(&TENANT_RESOURCES)
        .await;
    server.terminate(30).await.succeeded();
    let requests = usize::try_from(tenant.data_request_count()).unwrap();
    let pages = work_order_pages(&tenant);

    tenant.reset_requests();
    let mut server = broken.serve().await;
    server.api.start_sync(&connection.id, "full").await;
    let mut draw = Draw::new(u64::try_from(kills).unwrap());
    for kill in 1..=kills {
        let leg = (requests / (kills + 1)).max(1);
        let target = tenant.data_request_count() + 1 + u64::try_from(draw.below(leg)).unwrap();
        let what = format!("the run goes on to request {target} before kill {kill}");
        until_within(120, &what, async || {
            (tenant.data_request_count() >= target).then_some(())
        })
        .await;
        server.kill();
        server = broken.serve().await;
        let run = server.api.newest_run(&connection.id).await;
        let is_over = run.is_some_and(|run| !run["finished_at"].is_null());
        assert!(!is_over, "kill {kill} came too late to break anything");
    }
    server.api.finished_run(&connection.id, None).await;
    let runs = server
        .api
        .all(&format!("/v1/connections/{}/syncs", connection.id))
        .await;
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0]["outcome"], "complete", "{runs:#?}");

    let own = server.api.with_key(connection.own.key());
    assert_same(&own.records(&TENANT_RESOURCES).await, &wanted);
    check_feed(&own, &wanted).await;
    let read = work_order_pages(&tenant);
    assert!(
        read <= pages + kills * IN_FLIGHT,
        "{read} pages were read, {pages} without a kill"
    );
    server.terminate(30).await.succeeded();
}

pub(crate) async fn kill_later_syncs(home: Home) {
    let tenant = corrigo(12, 300).await;
    let mut server = home.serve().await;
    let connection = server
        .api
        .connect("corrigo", &corrigo_settings(&tenant), true)
        .await;
    server.api.finished_run(&connection.id, None).await;
    let mut draw = Draw::new(12);
    for round in 1..=count("E2E_KILLS", 5) {
        let seed = u64::try_from(round).unwrap();
        assert!(tenant.edit(|tenant| tenant.mutate(seed)).count() > 0);
        tenant.reset_requests();
        server.api.start_sync(&connection.id, "incremental").await;
        let target = u64::try_from(draw.below(12)).unwrap();
        // A run that a start went on with may end before it has asked so often.
        let status = format!("/v1/connections/{}/status", connection.id);
        until_within(60, "the run goes on or ends", async || {
            let far = tenant.data_request_count() >= target;
            let ended = server.api.get(&status).await["syncing"].is_null();
            (far || ended).then_some(())
        })
        .await;
        server.kill();
        server = home.serve().await;
    }
    server.api.sync(&connection.id).await;

    // Everything is compared with the source: there is nothing to add to what those runs left.
    let own = server.api.with_key(connection.own.key());
    let records = own.records(&TENANT_RESOURCES).await;
    let newest = server.api.newest_run(&connection.id).await.unwrap();
    server.api.start_sync(&connection.id, "full").await;
    let run = server
        .api
        .finished_run(&connection.id, newest["id"].as_str())
        .await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    assert_eq!(own.records(&TENANT_RESOURCES).await, records, "{run:#}");
    check_order_of_changes(&own, &records).await;
    server.terminate(30).await.succeeded();
}

/// Replays the feed: each record is made once, and what it ends with is what the list shows.
async fn check_order_of_changes(own: &Api, records: &Records) {
    let mut last = 0;
    let mut live = BTreeSet::new();
    let entries = own.feed().await;
    for entry in &entries {
        let sequence = entry["sequence"].as_u64().unwrap();
        assert!(sequence > last, "{entry} behind {last}");
        last = sequence;
        let Some(id) = entry["record_id"].as_str() else {
            continue;
        };
        let key = (entry["resource"].as_str().unwrap(), id);
        let fits = match entry["type"].as_str().unwrap() {
            "record.created" => live.insert(key),
            "record.deleted" => live.remove(&key),
            _ => live.contains(&key),
        };
        assert!(fits, "out of order: {entry}");
    }
    let listed = records.values().filter(|record| record["deleted"] == false);
    assert_eq!(live.len(), listed.count());
}

fn work_order_pages(tenant: &CorrigoSandbox) -> usize {
    let requests = tenant.requests();
    requests
        .iter()
        .filter(|request| request.entity == Some("WorkOrder"))
        .count()
}

#[track_caller]
pub(crate) fn assert_same(found: &Records, wanted: &Records) {
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        wanted.keys().collect::<Vec<_>>()
    );
    for (key, record) in wanted {
        assert_eq!(content(&found[key]), content(record), "{key:?}");
    }
}

/// Leaves out what tells of our own clock and order.
fn content(record: &Value) -> Value {
    let mut record = record.clone();
    for name in ["created_at", "modified_at", "sequence"] {
        assert!(record.as_object_mut().unwrap().remove(name).is_some());
    }
    record
}

async fn check_feed(own: &Api, records: &Records) {
    let mut last = 0;
    let mut created = BTreeSet::new();
    let mut completed = 0;
    for entry in own.feed().await {
        let sequence = entry["sequence"].as_u64().unwrap();
        assert!(sequence > last, "{entry} behind {last}");
        last = sequence;
        match entry["type"].as_str().unwrap() {
            "record.created" => {
                assert_eq!(entry["initial"], true, "{entry}");
                let id = entry["record_id"].as_str().unwrap().to_owned();
                let resource = entry["resource"].as_str().unwrap().to_owned();
                assert!(created.insert((resource, id)), "twice: {entry}");
            }
            "sync.completed" => completed += 1,
            _ => panic!("nothing else happened: {entry}"),
        }
    }
    let live = records.values().filter(|record| record["deleted"] == false);
    assert_eq!(created.len(), live.count());
    assert_eq!(completed, 1);
}
