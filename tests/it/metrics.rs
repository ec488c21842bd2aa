//! What an operator's monitoring reads.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::StatusCode;

use crate::support::{Home, corrigo, corrigo_settings};

const PAGE: &str = include_str!("../../docs/metrics.md");

/// Series by their text, and the names that are declared.
fn read(text: &str) -> (BTreeMap<&str, f64>, BTreeSet<&str>) {
    let mut series = BTreeMap::new();
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            names.insert(declared.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').unwrap();
            series.insert(name, value.parse().unwrap());
        }
    }
    (series, names)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_measured_is_explained_and_right() {
    let home = Home::new();
    let server = home.serve().await;
    let tenant = corrigo(7, 60).await;
    let connection = server
        .api
        .connect("corrigo", &corrigo_settings(&tenant), true)
        .await;
    let run = server.api.finished_run(&connection.id, None).await;

    let (status, _) = server.api.with_key("").text("/metrics").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, _) = connection.own.text("/metrics").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, text) = server.api.text("/metrics").await;
    assert_eq!(status, StatusCode::OK, "{text}");

    let (series, names) = read(&text);
    for name in &names {
        assert!(
            PAGE.contains(&format!("\n| `{name}` |")),
            "{name} is not explained"
        );
    }
    let runs = "wrenchtime_sync_runs_total{system=\"corrigo\",mode=\"full\",outcome=\"complete\"}";
    assert_eq!(series.get(runs), Some(&1.0), "{text}");
    let connections = |state: &str| {
        let name = format!("wrenchtime_connections{{system=\"corrigo\",state=\"{state}\"}}");
        series[name.as_str()]
    };
    assert_eq!((connections("active"), connections("paused")), (1.0, 0.0));
    let created = "wrenchtime_sync_records_total{system=\"corrigo\",resource=\"work_order\",change=\"created\"}";
    assert_eq!(
        series[created],
        run["resources"]["work_order"]["created"].as_f64().unwrap()
    );
    let asked: f64 = series
        .iter()
        .filter(|(name, _)| name.starts_with("wrenchtime_source_requests_total{"))
        .map(|(_, value)| value)
        .sum();
    let counted: f64 = run["resources"]
        .as_object()
        .unwrap()
        .values()
        .map(|counts| counts["requests"].as_f64().unwrap())
        .sum();
    // Signing in and checking the account are requests, too, and no run's.
    assert!(asked > counted && counted > 0.0, "{asked} {counted}");
    assert!(series["wrenchtime_sync_lag_seconds{system=\"corrigo\"}"] < 60.0);
    assert!(
        !series
            .keys()
            .any(|name| name.starts_with("wrenchtime_sync_drift_rows_total"))
    );
    assert!(!text.contains(&connection.id) && !text.contains(server.api.key()));
}
