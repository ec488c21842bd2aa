//! `demo --once --json`: the main job in one command.

use std::fs;

use serde_json::{Map, Value};

use crate::support::{Api, Home, until};

const COUNTS: [&str; 8] = [
    "changed",
    "created",
    "deleted",
    "fetched",
    "quarantined",
    "requests",
    "seconds",
    "unchanged",
];

#[tokio::test]
async fn the_demonstration_prints_one_document_and_leaves_nothing() {
    let home = Home::new();
    let ended = home
        .run(["demo", "--once", "--json", "--work-orders", "300"])
        .await;
    let documents = ended.json();
    let [document] = documents.as_slice() else {
        panic!("{} documents", documents.len());
    };
    assert_eq!(members(document), ["connections", "webhooks"]);

    let connections = document["connections"].as_array().unwrap();
    let systems: Vec<_> = connections.iter().map(|one| &one["system"]).collect();
    assert_eq!(systems, ["corrigo", "express-maintenance"]);
    for connection in connections {
        assert_eq!(members(connection), ["first", "second", "system"]);
        check_runs(&connection["first"], &connection["second"]);
    }

    let webhooks = &document["webhooks"];
    assert_eq!(members(webhooks), ["delivered", "verified"]);
    assert_eq!(webhooks["delivered"], webhooks["verified"]);
    assert!(webhooks["delivered"].as_u64().unwrap() > 0, "{webhooks}");

    check_nothing_left(&home);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_demonstration_offers_to_paste_works_until_it_is_stopped() {
    let home = Home::new();
    let demo = home.wrenchtime(["demo", "--work-orders", "60"]).start();
    let said = until("the story is told", async || {
        Some(demo.stdout()).filter(|said| said.contains("Ctrl-C ends it"))
    })
    .await;
    assert!(said.contains("verified  sync.completed"), "{said}");
    let mut asked = 0;
    for line in said.lines().filter(|line| line.contains("Bearer ")) {
        let mut words = line.split('\'');
        let key = words.nth(1).unwrap().rsplit(' ').next().unwrap();
        let url = words.nth(1).unwrap();
        let (host, path) = url.split_at(url.find("/v1/").unwrap());
        let page = Api::new(host, key).get(path).await;
        let rows = page["data"].as_array().unwrap();
        assert!(!rows.is_empty(), "{line}");
        assert!(
            !path.contains("modified_after") || rows.len() < 60,
            "{line}"
        );
        asked += 1;
    }
    assert_eq!(asked, 5, "{said}");
    demo.terminate(20).await.succeeded();
    check_nothing_left(&home);
}

#[tokio::test]
async fn a_demonstration_that_is_stopped_early_leaves_nothing() {
    let home = Home::new();
    let demo = home.wrenchtime(["demo", "--work-orders", "3000"]).start();
    until("the first sync runs", async || {
        demo.stdout()
            .contains("connected River Plant")
            .then_some(())
    })
    .await;
    let ended = demo.terminate(20).await;
    ended.refused(&["stopped before its end"]);
    check_nothing_left(&home);
}

#[track_caller]
fn check_nothing_left(home: &Home) {
    let left: Vec<_> = fs::read_dir(home.temporary()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!home.data().exists());
}

#[track_caller]
fn check_runs(first: &Value, second: &Value) {
    for counts in resources(first).values().chain(resources(second).values()) {
        assert_eq!(members(counts), COUNTS);
        assert_eq!(counts["quarantined"], 0, "{counts}");
    }
    assert!(total(first, "created") > 100, "{first:#}");
    assert_eq!(total(first, "changed"), 0, "{first:#}");
    let moved = total(second, "created") + total(second, "changed") + total(second, "deleted");
    assert!(moved > 0, "{second:#}");
    assert!(moved * 4 < total(first, "created"), "{second:#}");
    assert!(total(second, "unchanged") > moved, "{second:#}");
}

fn resources(run: &Value) -> &Map<String, Value> {
    run.as_object().unwrap()
}

fn total(run: &Value, count: &str) -> u64 {
    resources(run)
        .values()
        .map(|counts| counts[count].as_u64().unwrap())
        .sum()
}

fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}
