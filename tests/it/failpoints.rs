//! `serve` dies at named points of its work, again and again: in first and later syncs, and while messages go out.
//!
//! `E2E_POINT_KILLS` (20) says how often, `E2E_SEED` (1) where. What fails prints the seed of its story, how far it was, and
//! at which point.

mod told;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tokio::task::LocalSet;
use wrenchtime_failpoint::Point;
use wrenchtime_sandbox::corrigo::{CorrigoOptions, CorrigoSandbox};

pub(crate) use told::Told;

use crate::killing::assert_same;
use crate::support::{
    Api, Connection, Draw, Exports, Home, Invocation, Recorder, Records, Server, TENANT_RESOURCES,
    corrigo_settings, count, exports, until_within,
};

/// What the exports' connector reads.
const EXPORT_RESOURCES: [&str; 5] = [
    "work-orders",
    "assets",
    "parts",
    "purchase-orders",
    "vendors",
];
/// What is asked is far more than what the rate of a real tenant allows, and waiting for that proves nothing.
const REQUESTS_PER_SECOND: &str = "1000";
/// In so many rounds of changes every point is passed often enough to die there.
const ROUNDS: usize = 60;
/// So many deaths make a story of their own. Stories go on side by side: most of the time of each is spent waiting until what
/// a dead process held is free again.
const DEATHS_OF_A_STORY: usize = 50;
/// How often the sources change in a round.
const CHANGES: u64 = 3;
/// So many deaths fall into the transactions of the first sync, where all that is written is new.
const IN_THE_FIRST_SYNC: usize = 4;
/// Where a message is under way.
const DELIVERIES: [Point; 3] = [
    Point::DeliveryWritten,
    Point::DeliveryBefore,
    Point::DeliveryAnswered,
];
/// As a process ends that aborts.
const ABORTED: i32 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_point_it_dies_at_nothing_is_lost_and_nothing_doubled() {
    die_at_points(async || Home::new()).await;
}

/// Tells as many stories as there are deaths to die, each from a seed and a home of its own.
#[expect(
    clippy::future_not_send,
    reason = "a story stays on the thread that began it"
)]
pub(crate) async fn die_at_points(home: impl AsyncFn() -> Home) {
    let deaths = count("E2E_POINT_KILLS", 20);
    let stories = deaths.div_ceil(DEATHS_OF_A_STORY);
    let first = u64::try_from(count("E2E_SEED", 1)).unwrap();
    let thread = LocalSet::new();
    let mut told = Vec::new();
    for (story, seed) in (0..stories).zip(first..) {
        let deaths = deaths * (story + 1) / stories - deaths * story / stories;
        told.push(thread.spawn_local(tell_story(home().await, seed, deaths)));
    }
    let all = async {
        for story in told {
            story.await.unwrap();
        }
    };
    thread.run_until(all).await;
}

async fn tell_story(unbroken: Home, seed: u64, deaths: usize) {
    let mut story = Story::begin(unbroken, seed).await;
    for number in 1..=deaths {
        story.die(number).await;
    }
    if deaths >= IN_THE_FIRST_SYNC + Point::ALL.len() {
        let died_at: BTreeSet<&Point> = story.deaths.keys().collect();
        assert_eq!(died_at, Point::ALL.iter().collect());
    }
    story.end().await;
}

/// Two services with the same connections: one lives, the other dies. After each round of changes both are as the sources.
struct Story {
    tenant: CorrigoSandbox,
    exports: Exports,
    folder: Home,
    _unbroken: Home,
    living: Server,
    broken: Home,
    connections: Vec<(Connection, &'static [&'static str])>,
    recorder: Recorder,
    seed: u64,
    draw: Draw,
    /// Points to die at next.
    deck: Vec<Point>,
    deaths: BTreeMap<Point, usize>,
    rounds: u64,
}

impl Story {
    async fn begin(unbroken: Home, seed: u64) -> Self {
        // Small pages, so that many of the first sync's transactions write something.
        let mut options = CorrigoOptions::new(seed, 200);
        options.ceiling = 50;
        let tenant = CorrigoSandbox::start(options).await.unwrap();
        let folder = Home::new();
        let exports = exports(&folder.path("exports"), seed, 120);
        let server = unbroken.serve_as(serve(&unbroken, &folder)).await;
        let mut settings = corrigo_settings(&tenant);
        settings["requests_per_second"] = REQUESTS_PER_SECOND.into();
        let to_tenant = server.api.connect("corrigo", &settings, false).await;
        let to_exports = server
            .api
            .connect("express-maintenance", &exports.settings(), false)
            .await;
        server.terminate(30).await.succeeded();
        let broken = unbroken.twin().await;

        // The endpoint is told of everything that happens from here on, the first syncs too.
        let recorder = Recorder::start().await;
        let server = broken.serve_as(serve(&broken, &folder)).await;
        let endpoint = json!({ "url": recorder.url(), "include_initial": true });
        let made = server.api.post("/v1/webhook-endpoints", &endpoint).await;
        recorder.trust(made["secret"].as_str().unwrap());
        server.terminate(30).await.succeeded();

        let living = unbroken.serve_as(serve(&unbroken, &folder)).await;
        let story = Self {
            tenant,
            exports,
            living,
            folder,
            _unbroken: unbroken,
            broken,
            connections: vec![
                (to_tenant, &TENANT_RESOURCES),
                (to_exports, &EXPORT_RESOURCES),
            ],
            recorder,
            seed,
            draw: Draw::new(seed),
            deck: Vec::new(),
            deaths: BTreeMap::new(),
            rounds: 0,
        };
        assert!(
            story.sync(&story.living.api).await,
            "the unbroken one lives"
        );
        story
    }

    /// Has the broken service live until it dies at a point that the seed chooses.
    async fn die(&mut self, number: usize) {
        let point = self.next_point(number);
        // Early ones more often: a run begins with what is new, and ends with listings in which little is.
        let (one, other) = (
            self.draw.below(passings(point)),
            self.draw.below(passings(point)),
        );
        let nth = 1 + one.min(other);
        tell(&format!(
            "seed {}, death {number} in round {}: {point}:{nth}",
            self.seed, self.rounds
        ));
        let armed =
            serve(&self.broken, &self.folder).env("WRENCHTIME_FAILPOINT", format!("{point}:{nth}"));
        let ended = match self.broken.try_serve_as(armed).await {
            Err(ended) => ended,
            Ok(server) => {
                let mut is_alive = self.live(&server.api, point).await;
                for _ in 0..ROUNDS {
                    if !is_alive {
                        break;
                    }
                    self.compare(&server.api).await;
                    self.change().await;
                    is_alive = self.live(&server.api, point).await;
                }
                assert!(!is_alive, "{point} was not passed {nth} times");
                server.ended(30).await
            }
        };
        assert_eq!(ended.signal, Some(ABORTED), "{}", ended.stderr);
        *self.deaths.entry(point).or_default() += 1;
    }

    /// Has a service do all that is to do before it may die at a point. Tells whether it lived through it.
    async fn live(&self, api: &Api, point: Point) -> bool {
        self.sync(api).await && (!DELIVERIES.contains(&point) || delivered(api).await.is_some())
    }

    /// Deals what the first sync dies at, and then the whole deck before any point comes again.
    fn next_point(&mut self, number: usize) -> Point {
        if number <= IN_THE_FIRST_SYNC {
            // Later pages that were lost in part are read again within a source's lag, and hide it.
            return Point::CommitInside;
        }
        if self.deck.is_empty() {
            self.deck = self.shuffled();
        }
        self.deck.pop().unwrap()
    }

    /// Returns every point, those of deliveries far from each other: what one of them leaves has to be waited for.
    fn shuffled(&mut self) -> Vec<Point> {
        let all = Point::ALL.iter().copied();
        let mut others: Vec<Point> = all.filter(|point| !DELIVERIES.contains(point)).collect();
        let gap = others.len() / DELIVERIES.len();
        let mut deck = Vec::new();
        for delivery in DELIVERIES {
            deck.push(delivery);
            for _ in 0..gap {
                deck.push(others.swap_remove(self.draw.below(others.len())));
            }
        }
        deck.append(&mut others);
        deck
    }

    /// Changes the sources, and has the unbroken service see it.
    async fn change(&mut self) {
        self.rounds += 1;
        for part in 0..CHANGES {
            let seed = self.seed * 100_000 + self.rounds * CHANGES + part;
            assert!(self.tenant.edit(|tenant| tenant.mutate(seed)).count() > 0);
            let now = self.exports.plant.now;
            assert!(self.exports.plant.mutate(seed, now).count() > 0);
        }
        self.exports.write();
        assert!(self.sync(&self.living.api).await, "the unbroken one lives");
    }

    /// Syncs every connection: first what an earlier process left, then a run of its own that sees all there is. Tells
    /// whether the service lived through it.
    async fn sync(&self, api: &Api) -> bool {
        self.try_sync(api).await.is_some()
    }

    async fn try_sync(&self, api: &Api) -> Option<()> {
        let mut before = Vec::new();
        for (connection, resources) in &self.connections {
            let last = rest(api, connection, None).await?;
            if self.rounds == 0 && !last.is_null() {
                // It ended the first sync, and nothing has been read again.
                assert_eq!(last["outcome"], "complete", "{last:#}");
                self.compare_one(api, connection, resources).await?;
            }
            let mode = if last.is_null() {
                "full"
            } else {
                "incremental"
            };
            let path = format!("/v1/connections/{}/syncs", connection.id);
            api.try_post(&path, &json!({ "mode": mode })).await?;
            before.push(last["id"].as_str().unwrap_or_default().to_owned());
        }
        for ((connection, _), before) in self.connections.iter().zip(&before) {
            let run = rest(api, connection, Some(before)).await?;
            assert_eq!(run["outcome"], "complete", "{run:#}");
        }
        Some(())
    }

    /// Compares both copies, which have seen the same. The service may die meanwhile.
    async fn compare(&self, api: &Api) {
        for (connection, resources) in &self.connections {
            self.compare_one(api, connection, resources).await;
        }
    }

    async fn compare_one(
        &self,
        api: &Api,
        connection: &Connection,
        resources: &[&str],
    ) -> Option<()> {
        let own = api.with_key(connection.own.key());
        let found = own.try_records(resources).await?;
        assert_same(&found, &self.wanted(connection, resources).await);
        Some(())
    }

    async fn wanted(&self, connection: &Connection, resources: &[&str]) -> Records {
        let own = self.living.api.with_key(connection.own.key());
        own.records(resources).await
    }

    /// Has it live, and looks at all that it kept and told.
    async fn end(mut self) {
        tell(&format!(
            "seed {}, deaths: {:?}, rounds: {}",
            self.seed, self.deaths, self.rounds
        ));
        let server = self
            .broken
            .serve_as(serve(&self.broken, &self.folder))
            .await;
        assert!(self.sync(&server.api).await, "nothing is armed");
        self.compare(&server.api).await;
        self.change().await;
        assert!(self.sync(&server.api).await, "nothing is armed");
        self.compare(&server.api).await;
        let all = self.connections.iter().map(|(connection, _)| connection);
        all_told(&server.api, &self.recorder, all).await;
        let failed = server.api.get("/v1/webhook-deliveries?state=failed").await;
        assert_eq!(failed["data"], json!([]));
        assert_eq!(self.recorder.refused(), 0);

        let messages = self.recorder.messages();
        let mut told = Told::of(
            messages
                .values()
                .map(|body| serde_json::from_slice(body).unwrap()),
        );
        for (connection, resources) in &self.connections {
            let key = connection.own.key();
            let feed = server.api.with_key(key).feed().await;
            let wanted = self.living.api.with_key(key).feed().await;
            let records = server.api.with_key(key).records(resources).await;
            told::check_feed(&feed, &wanted, &records);
            told.check(&connection.id, &feed);
        }
        assert!(told.by_connection.is_empty(), "of nobody: {told:?}");
        let repeated = self.recorder.count() - messages.len();
        let answered = self.deaths.get(&Point::DeliveryAnswered);
        let answered = answered.copied().unwrap_or_default();
        assert!(
            repeated >= answered,
            "{repeated} messages came again, {answered} were answered and not written"
        );
        server.terminate(30).await.succeeded();
        self.living.terminate(30).await.succeeded();
    }
}

/// Says where a test is, for those who see it fail.
#[expect(clippy::print_stderr, reason = "shown when the test fails")]
fn tell(line: &str) {
    eprintln!("{line}");
}

/// Prepares `serve`, which may read the exports.
fn serve(home: &Home, folder: &Home) -> Invocation {
    home.wrenchtime(["serve", "--listen", "127.0.0.1:0"])
        .env("WRENCHTIME_FOLDERS", folder.path("exports"))
}

/// Returns how often a point is passed in a few rounds of changes, at least.
fn passings(point: Point) -> usize {
    match point {
        Point::RemoveInside => 1,
        Point::FinishInside => 2,
        Point::CommitInside => 12,
        Point::FanOutBefore | Point::FanOutInside | Point::FanOutAfter => 4,
        Point::DeliveryBefore | Point::DeliveryAnswered | Point::DeliveryWritten => 6,
        _ => 16,
    }
}

/// Waits until the newest run, another than `before`, has ended; where none is wanted, also while there is none. Nothing
/// when the service died.
async fn rest(api: &Api, connection: &Connection, before: Option<&str>) -> Option<Value> {
    let path = format!("/v1/connections/{}/syncs?limit=1", connection.id);
    until_within(120, "a run comes to its end", async || {
        let Some(runs) = api.try_get(&path).await else {
            return Some(None);
        };
        let run = &runs["data"][0];
        let is_wanted =
            before.is_none_or(|before| run["id"].as_str().is_some_and(|id| id != before));
        let is_over = run.is_null() || !run["finished_at"].is_null();
        (is_wanted && is_over).then(|| Some(run.clone()))
    })
    .await
}

/// Waits until a receiver was told all that these connections' feeds tell by now.
pub(crate) async fn all_told(
    api: &Api,
    recorder: &Recorder,
    connections: impl Iterator<Item = &Connection>,
) {
    for connection in connections {
        let feed = api.with_key(connection.own.key()).feed().await;
        let last = &feed.last().unwrap()["sequence"];
        until_within(120, "a feed's last entry is told", async || {
            let is_last = |body: &Value| {
                body["connection_id"] == connection.id.as_str() && body["sequence"] == *last
            };
            let messages = recorder.messages();
            let mut bodies = messages
                .values()
                .map(|body| serde_json::from_slice(body).unwrap());
            bodies.any(|body| is_last(&body)).then_some(())
        })
        .await;
    }
    // Messages are made in the order of the feeds: by now all are made, and wait at most.
    delivered(api).await.unwrap();
}

/// Waits until no message is left to deliver; of events there may be more that no message was made of yet. What a process held when it died is free again after a while. Nothing when the
/// service died.
async fn delivered(api: &Api) -> Option<()> {
    until_within(120, "everything is delivered", async || {
        let path = "/v1/webhook-deliveries?state=pending";
        match api.try_get(path).await {
            None => Some(None),
            Some(left) if left["data"].as_array().unwrap().is_empty() => Some(Some(())),
            Some(_) => None,
        }
    })
    .await
}
