//! What the service measures, and how it is written down for Prometheus.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use wrenchtime_api::Exposition;
use wrenchtime_connector::Clock;

/// What is measured is gathered at least this often, so that it takes no more room where nobody reads it.
const UPKEEP: Duration = Duration::from_secs(30);

/// Upper ends of the buckets of durations, in seconds: from an answer of the API to the first sync of a large plant.
const BUCKETS: &[f64] = &[
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0,
];

const COUNTERS: &[(&str, &str)] = &[
    (
        "wrenchtime_http_requests_total",
        "Requests that the API answered.",
    ),
    (
        "wrenchtime_source_bytes_total",
        "Bytes of sources' replies, unpacked.",
    ),
    (
        "wrenchtime_source_requests_total",
        "Requests to sources over HTTP, by status; none where no reply came.",
    ),
    (
        "wrenchtime_source_retries_total",
        "Requests to sources that were sent again, by what went wrong.",
    ),
    (
        "wrenchtime_sync_drift_rows_total",
        "Rows that a listing showed to be otherwise than the copy had them, although a stream of changes should have \
         told. Should be 0.",
    ),
    (
        "wrenchtime_sync_records_total",
        "Records created, changed and deleted.",
    ),
    (
        "wrenchtime_sync_rows_total",
        "Rows read, found as stored, and put into quarantine.",
    ),
    ("wrenchtime_sync_runs_total", "Runs, by how they ended."),
    (
        "wrenchtime_webhook_attempts_total",
        "Attempts to deliver a webhook, by what follows.",
    ),
];

const GAUGES: &[(&str, &str)] = &[
    (
        "wrenchtime_connections",
        "Connections, by system and state.",
    ),
    (
        "wrenchtime_quarantined_rows",
        "Stored rows that cannot be mapped now.",
    ),
    (
        "wrenchtime_sync_lag_seconds",
        "How long ago the last complete or partial run ended, of the connection that waits longest.",
    ),
    (
        "wrenchtime_webhook_backlog",
        "Deliveries that wait for an attempt.",
    ),
    (
        "wrenchtime_webhook_backlog_age_seconds",
        "Age of the oldest message that waits.",
    ),
];

const HISTOGRAMS: &[(&str, &str)] = &[
    (
        "wrenchtime_http_request_seconds",
        "How long the API took to answer.",
    ),
    (
        "wrenchtime_source_budget_wait_seconds",
        "How long requests to sources waited for the account's rate budget, where they did.",
    ),
    ("wrenchtime_sync_run_seconds", "How long runs took."),
    (
        "wrenchtime_webhook_attempt_seconds",
        "How long attempts to deliver a webhook took.",
    ),
];

/// Returns what writes down the measurements of this process; nothing where somebody else collects them.
pub(crate) fn exposition() -> Option<Exposition> {
    let handle = recorder()?.clone();
    Some(Arc::new(move || handle.render()))
}

/// Gathers what was measured now and then, until it is told to stop.
pub(crate) async fn keep_up(clock: Arc<dyn Clock>, stop: CancellationToken) {
    let Some(handle) = recorder() else { return };
    while stop
        .run_until_cancelled(clock.sleep(UPKEEP))
        .await
        .is_some()
    {
        handle.run_upkeep();
    }
}

/// A process has one recorder, however many services run in it.
fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
        .expect("there are buckets");
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        warn!("another recorder collects this process's metrics: there is nothing under /metrics");
        return None;
    }
    for (name, help) in COUNTERS {
        describe_counter!(*name, *help);
    }
    for (name, help) in GAUGES {
        describe_gauge!(*name, *help);
    }
    for (name, help) in HISTOGRAMS {
        describe_histogram!(*name, *help);
    }
    Some(handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_explains_all_that_is_measured_and_nothing_else() {
        let page = include_str!("../../../docs/metrics.md");
        let explained: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `wrenchtime_"))
            .filter_map(|line| line.split('`').next())
            .collect();
        let mut measured: Vec<&str> = [COUNTERS, GAUGES, HISTOGRAMS]
            .into_iter()
            .flatten()
            .filter_map(|(name, _)| name.strip_prefix("wrenchtime_"))
            .collect();
        measured.sort_unstable();
        let mut sorted = explained.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, measured);
    }
}
