//! The database does not answer for a while, is gone for a while, and comes back, while the service works.
//!
//! `E2E_OUTAGE_SECONDS` (8) says for how long it does not answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wrenchtime_cluster::Cluster;
use wrenchtime_sandbox::corrigo::CorrigoSandbox;

use crate::failpoints::{Told, all_told};
use crate::killing::assert_same;
use crate::support::{
    Api, Connection, Database, Home, Recorder, Server, TENANT_RESOURCES, corrigo, corrigo_settings,
    count, pause, until_within,
};

/// How long the service has for an answer at most, and a little for the machine.
const ANSWER: Duration = Duration::from_secs(65);
/// How long it may take until the service says that it is not ready.
const READINESS: Duration = Duration::from_secs(7);
/// For how long nobody but we listens where the server was.
const AWAY: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_and_then_is_gone_for_a_while_is_waited_for() {
    let seconds = u64::try_from(count("E2E_OUTAGE_SECONDS", 8)).unwrap();
    let mut cluster = Cluster::start().unwrap();
    let home = Home::on(Database::on(cluster.url()).await);
    let recorder = Recorder::start().await;
    let mut scene = Scene::begin(&home, &recorder).await;
    let truth = home.twin().await;
    let server = scene.load(&home).await;
    let watch = Watch::begin(&server, &scene.connections[0].0);

    // It hangs.
    cluster.pause().unwrap();
    let begun = Instant::now();
    pause(Duration::from_secs(1)).await;
    let used = server.processor_seconds();
    pause(Duration::from_secs(seconds)).await;
    let used = server.processor_seconds() - used;
    let allowed = 0.3 + 0.05 * begun.elapsed().as_secs_f64();
    assert!(
        used < allowed,
        "it spins: {used} s of a processor, {allowed} are plenty"
    );
    watch.was_unready("while the database hangs").await;

    // It is killed. Who asks for it meanwhile is counted, and hung up on.
    cluster.kill().unwrap();
    let calls = watch.calls();
    let listener = TcpListener::bind(("127.0.0.1", cluster.port()))
        .await
        .unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = tokio::spawn(hang_up(listener, Arc::clone(&asked)));
    let used = server.processor_seconds();
    pause(AWAY).await;
    let used = server.processor_seconds() - used;
    counting.abort();
    drop(counting.await);
    let (asked, calls) = (asked.load(Ordering::Relaxed), watch.calls() - calls);
    // A call of ours asks once or twice; the service by itself now and then.
    assert!(
        asked <= 2 * calls + 30,
        "{asked} times in {AWAY:?}, for {calls} calls"
    );
    assert!(
        used < 0.5 + 0.01 * asked as f64,
        "it spins: {used} s of a processor in {AWAY:?}"
    );
    watch.was_unready("while the database is gone").await;

    // It is there again, and nobody touches the service.
    cluster.restart().unwrap();
    watch.is_ready_again().await;
    watch.end().await;
    scene.settle(&server).await;
    scene.check(&server, &truth, &recorder).await;
    server.terminate(30).await.succeeded();
}

/// Sources, and connections to them.
struct Scene {
    connections: Vec<(Connection, CorrigoSandbox)>,
}

impl Scene {
    async fn begin(home: &Home, recorder: &Recorder) -> Self {
        let server = home.serve().await;
        let endpoint = json!({ "url": recorder.url(), "include_initial": true });
        let made = server.api.post("/v1/webhook-endpoints", &endpoint).await;
        recorder.trust(made["secret"].as_str().unwrap());
        let mut connections = Vec::new();
        for (seed, orders) in [(61, 150), (62, 600), (63, 600)] {
            let tenant = corrigo(seed, orders).await;
            let settings = corrigo_settings(&tenant);
            let connection = server.api.connect("corrigo", &settings, false).await;
            connections.push((connection, tenant));
        }
        server.terminate(30).await.succeeded();
        Self { connections }
    }

    /// Has one connection synced already and changed since, and syncs of all under way.
    async fn load(&mut self, home: &Home) -> Server {
        let server = home.serve().await;
        let (small, tenant) = &self.connections[0];
        server.api.start_sync(&small.id, "full").await;
        let run = server.api.finished_run(&small.id, None).await;
        assert_eq!(run["outcome"], "complete", "{run:#}");
        assert!(tenant.edit(|tenant| tenant.mutate(1)).count() > 0);
        for (connection, tenant) in &self.connections {
            tenant.reset_requests();
            server.api.start_sync(&connection.id, "full").await;
        }
        until_within(60, "every sync asks its source", async || {
            let mut all = self.connections.iter();
            all.all(|(_, tenant)| tenant.data_request_count() >= 4)
                .then_some(())
        })
        .await;
        server
    }

    /// Waits until all that was under way is done, whatever failed meanwhile.
    async fn settle(&self, server: &Server) {
        for (connection, _) in &self.connections {
            until_within(
                300,
                "a sync that the outage stopped completes",
                async || {
                    let status = format!("/v1/connections/{}/status", connection.id);
                    let is_at_rest = server.api.get(&status).await["syncing"].is_null();
                    let run = server.api.newest_run(&connection.id).await?;
                    (is_at_rest && run["outcome"] == "complete").then_some(())
                },
            )
            .await;
        }
    }

    /// Compares with a service that never saw an outage.
    async fn check(&self, server: &Server, truth: &Home, recorder: &Recorder) {
        let all = self.connections.iter().map(|(connection, _)| connection);
        all_told(&server.api, recorder, all).await;
        let messages = recorder.messages();
        let mut told = Told::of(
            messages
                .values()
                .map(|body| serde_json::from_slice(body).unwrap()),
        );
        let unbroken = truth.serve().await;
        for (connection, _) in &self.connections {
            unbroken.api.start_sync(&connection.id, "full").await;
        }
        for (connection, _) in &self.connections {
            let run = unbroken.api.finished_run(&connection.id, None).await;
            assert_eq!(run["outcome"], "complete", "{run:#}");
            let key = connection.own.key();
            let own = server.api.with_key(key);
            let mut found = own.records(&TENANT_RESOURCES).await;
            // What was removed between its two syncs is nothing that the other one ever saw.
            found.retain(|_, record| record["deleted"] == false);
            let mut wanted = unbroken.api.with_key(key).records(&TENANT_RESOURCES).await;
            wanted.retain(|_, record| record["deleted"] == false);
            assert_same(&found, &wanted);
            told.check(&connection.id, &own.feed().await);
        }
        assert_eq!(recorder.refused(), 0);
        unbroken.terminate(30).await.succeeded();
    }
}

/// Callers that go on all the time, and what they were told.
struct Watch {
    api: Api,
    stop: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<()>>,
}

impl Watch {
    fn begin(server: &Server, connection: &Connection) -> Self {
        let mut watch = Self {
            api: server.api.clone(),
            stop: Arc::default(),
            calls: Arc::default(),
            callers: Vec::new(),
        };
        let own = server.api.with_key(connection.own.key());
        for path in ["/v1/work-orders?limit=50", "/v1/changes?limit=50"] {
            watch.call(own.clone(), path);
        }
        let path = "/v1/webhook-deliveries?limit=50";
        watch.call(server.api.clone(), path);
        watch
    }

    fn call(&mut self, api: Api, path: &'static str) {
        let (stop, calls) = (Arc::clone(&self.stop), Arc::clone(&self.calls));
        self.callers.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                calls.fetch_add(1, Ordering::Relaxed);
                let begun = Instant::now();
                let (status, value) = api.call(Method::GET, path, None).await;
                let took = begun.elapsed();
                assert!(took < ANSWER, "{path}: {status} after {took:?}");
                let is_told = status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE;
                assert!(is_told, "{path}: {status} {value}");
                pause(Duration::from_millis(100)).await;
            }
        }));
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    async fn readiness(&self) -> StatusCode {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let begun = Instant::now();
        let (status, _) = self.api.call(Method::GET, "/readyz", None).await;
        let took = begun.elapsed();
        assert!(took < READINESS, "/readyz: {status} after {took:?}");
        status
    }

    async fn was_unready(&self, when: &str) {
        let (status, _) = self.api.call(Method::GET, "/healthz", None).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(
            self.readiness().await,
            StatusCode::SERVICE_UNAVAILABLE,
            "{when}"
        );
    }

    async fn is_ready_again(&self) {
        until_within(30, "the service is ready again", async || {
            (self.readiness().await == StatusCode::OK).then_some(())
        })
        .await;
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}

/// Accepts and says nothing.
async fn hang_up(listener: TcpListener, asked: Arc<AtomicUsize>) {
    loop {
        drop(listener.accept().await.unwrap());
        asked.fetch_add(1, Ordering::Relaxed);
    }
}
