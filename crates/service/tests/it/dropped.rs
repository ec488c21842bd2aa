//! A caller that goes away in the middle: what was begun is done whole.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use wrenchtime_connector::{Settings, SystemName};
use wrenchtime_service::storage::ConnectionFilter;
use wrenchtime_service::webhooks::{EndpointScope, NewEndpoint};
use wrenchtime_service::{Actor, Connect, Schedule, State};

use crate::fixture::{Fixture, until};
use crate::stepped::Stepped;

/// Lets a call come to the first point where it waits, and drops it there.
async fn begin<T>(call: impl Future<Output = T>) {
    let mut call = pin!(call);
    let waits = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "the call was over before it could be dropped");
}

async fn fixture(directory: &tempfile::TempDir) -> Fixture {
    let fixture = Fixture::new(directory.path(), Arc::new(Stepped::new())).await;
    fixture.service.start(None).await.unwrap();
    fixture
}

#[tokio::test]
async fn a_connection_that_is_written_is_synced() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = fixture(&directory).await;
    let settings = Settings::new([("name", "Plant"), ("secret", "secret")]);
    let request =
        Connect::new(SystemName::from_static("memory"), settings).with_schedule(Schedule::OnDemand);
    begin(fixture.service.connect(request, &Actor::CommandLine)).await;
    let filter = ConnectionFilter {
        limit: 10,
        ..ConnectionFilter::default()
    };
    until("its first run is made", async || {
        let found = fixture.service.connections(&filter).await.unwrap();
        match found.first() {
            Some(connection) => !fixture.runs(connection.id).await.is_empty(),
            None => false,
        }
    })
    .await;
    fixture.close().await;
}

#[tokio::test]
async fn an_ended_connection_is_ended_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = fixture(&directory).await;
    let id = fixture.connect(Schedule::Default, false).await;
    let planned = async || {
        let status = fixture.service.status(id).await.unwrap();
        status.next_sync_at.is_some()
    };
    until("a run is planned", planned).await;
    begin(fixture.service.disconnect(id, &Actor::CommandLine)).await;
    until("it is disconnected", async || {
        fixture.state(id).await == State::Disconnected
    })
    .await;
    until("no run is planned", async || !planned().await).await;
    fixture.close().await;
}

#[tokio::test]
async fn keys_and_endpoints_are_written_whole() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = fixture(&directory).await;
    begin(fixture.service.create_key("ours", &Actor::CommandLine)).await;
    let new = NewEndpoint {
        url: "https://hooks.example.com/".parse().unwrap(),
        description: None,
        scope: EndpointScope::All,
        events: BTreeSet::new(),
        include_initial: false,
    };
    begin(fixture.service.create_endpoint(new, &Actor::CommandLine)).await;
    until("both are there", async || {
        let keys = fixture.service.keys().await.unwrap();
        let endpoints = fixture.service.endpoints().await.unwrap();
        keys.len() == 1 && endpoints.len() == 1
    })
    .await;
    fixture.close().await;
}
