//! The promises of `wrenchtime_webhooks::{EventSource, DeliveryStore}`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use wrenchtime_model::{Asset, ConnectionId, EndpointId, EventType, Record, Resource};
use wrenchtime_webhooks::{
    Attempt, AttemptOutcome, Backlog, Delivery, DeliveryFilter, DeliveryId, DeliveryState,
    DeliveryStore, DueDelivery, Endpoint, EndpointScope, EventSource, FanOut, Message, NewEndpoint,
    PendingLog,
};

use crate::fixture::{DocumentWriteExt, Fixture, Lane, Parts, second};

pub(crate) fn endpoint(number: u64) -> Endpoint {
    let new = NewEndpoint {
        url: format!("https://receiver.example/{number}")
            .parse()
            .unwrap(),
        description: Some("a receiver".to_owned()),
        scope: EndpointScope::All,
        events: [EventType::SyncCompleted, EventType::RecordDeleted].into(),
        include_initial: true,
    };
    Endpoint::new(EndpointId::new(), new, vec![1, 2, 3], second(number))
}

pub(crate) fn message(endpoint: &Endpoint, connection: ConnectionId, sequence: u64) -> Message {
    let event = EventType::RecordCreated;
    Message {
        id: DeliveryId::derive(endpoint.id, connection, event, sequence),
        endpoint: endpoint.id,
        event,
        sequence,
        body: format!("{{\"sequence\":{sequence}}}").into_bytes(),
        created_at: second(sequence),
    }
}

/// A connection with some events, and endpoints that came before them.
struct Log<'f, F: Fixture> {
    lane: Lane<'f, F>,
    endpoints: Vec<Endpoint>,
}

impl<'f, F: Fixture> Log<'f, F> {
    async fn new(fixture: &'f F, endpoints: u64, events: u64) -> Self {
        let lane = Lane::begin(fixture).await;
        let endpoints: Vec<_> = (0..endpoints).map(endpoint).collect();
        for endpoint in &endpoints {
            lane.store.add_endpoint(endpoint).await.unwrap();
        }
        let documents = (0..events).map(|number| lane.document(&number.to_string(), "x"));
        lane.commit(documents.collect()).await;
        Self { lane, endpoints }
    }

    fn store(&self) -> &'f F::Store {
        self.lane.store
    }

    /// Makes a message for each event and endpoint.
    async fn fan_out(&self, from: u64, to: u64) -> bool {
        let messages = (from + 1..=to)
            .flat_map(|sequence| {
                let connection = self.lane.id;
                let to_one = move |to: &Endpoint| message(to, connection, sequence);
                self.endpoints.iter().map(to_one)
            })
            .collect();
        let fan_out = FanOut {
            connection: self.lane.id,
            from,
            to,
            messages,
        };
        self.store().fan_out(fan_out).await.unwrap()
    }

    async fn take(&self, now: u64, limit: u32, per_endpoint: u32) -> Vec<DueDelivery> {
        let until = second(now + 30);
        let taken = self
            .store()
            .take_due(second(now), until, limit, per_endpoint)
            .await;
        taken.unwrap()
    }

    async fn attempt(&self, delivery: DeliveryId, outcome: AttemptOutcome) {
        let attempt = Attempt {
            delivery,
            at: second(100),
            duration: Duration::from_millis(7),
            status: Some(503),
            error: Some("no answer".to_owned()),
            outcome,
        };
        self.store().record_attempt(attempt).await.unwrap();
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let filter = DeliveryFilter {
            limit: 100,
            ..DeliveryFilter::default()
        };
        self.store().deliveries(&filter).await.unwrap()
    }

    async fn next_due(&self) -> Option<DateTime<Utc>> {
        self.store().next_due().await.unwrap()
    }
}

fn sequences(taken: &[DueDelivery]) -> Vec<String> {
    let body = |due: &DueDelivery| String::from_utf8(due.body.clone()).unwrap();
    let digits = |text: String| text.chars().filter(char::is_ascii_digit).collect();
    taken.iter().map(body).map(digits).collect()
}

pub(crate) async fn the_log_is_read_with_records_as_they_are_now<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 0, 2).await;
    let lane = &log.lane;
    let pending = lane.store.pending(10).await.unwrap();
    let all = |from, to| PendingLog {
        connection: lane.id,
        from,
        to,
    };
    assert_eq!(pending, [all(0, 2)]);
    let documents = vec![
        lane.document("0", "changed").seen_at(2),
        lane.document("1", "x").deleted().seen_at(2),
    ];
    lane.commit(documents).await;

    let events = lane.store.events_after(lane.id, 1, 2).await.unwrap();
    let told: Vec<_> = events.iter().map(|told| told.event.sequence).collect();
    assert_eq!(told, [2, 3]);
    let read = |at: usize| -> Record<Asset> {
        let json = events[at].record.as_ref().unwrap();
        serde_json::from_str(json.get()).unwrap()
    };
    assert_eq!(read(0).envelope, lane.record("1").await.envelope());
    assert!(read(0).envelope.deleted);
    assert_eq!(read(1).content.name.as_deref(), Some("changed"));
    let none = lane
        .store
        .events_after(ConnectionId::new(), 0, 9)
        .await
        .unwrap();
    assert!(none.is_empty());
}

pub(crate) async fn a_stretch_is_fanned_out_once<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 2, 3).await;
    assert!(!log.fan_out(1, 3).await, "the position is another");
    assert!(log.deliveries().await.is_empty());
    assert!(log.fan_out(0, 2).await);
    assert!(!log.fan_out(0, 2).await);
    assert_eq!(log.deliveries().await.len(), 4);
    let rest = PendingLog {
        connection: log.lane.id,
        from: 2,
        to: 3,
    };
    assert_eq!(log.store().pending(9).await.unwrap(), [rest]);
    assert!(log.fan_out(2, 3).await);
    assert!(log.store().pending(9).await.unwrap().is_empty());
    let delivery = &log.deliveries().await[0];
    assert_eq!(delivery.connection_id, log.lane.id);
    assert_eq!(
        (delivery.event, delivery.state),
        (EventType::RecordCreated, DeliveryState::Pending)
    );
    assert_eq!(
        (delivery.attempts, delivery.next_attempt_at),
        (0, Some(second(3)))
    );
}

pub(crate) async fn an_endpoint_gets_nothing_logged_before_it<F: Fixture>() {
    let fixture = F::new().await;
    let mut log = Log::new(&fixture, 1, 2).await;
    let late = endpoint(7);
    log.store().add_endpoint(&late).await.unwrap();
    log.endpoints.push(late.clone());
    let documents = vec![log.lane.document("later", "x")];
    log.lane.commit(documents).await;
    assert!(
        !log.fan_out(0, 3).await,
        "a message would tell of both sides"
    );
    assert!(log.fan_out(0, 2).await && log.fan_out(2, 3).await);
    let of = |id| {
        let filter = DeliveryFilter {
            endpoint: Some(id),
            limit: 9,
            ..DeliveryFilter::default()
        };
        let store = log.store();
        async move { store.deliveries(&filter).await.unwrap() }
    };
    assert_eq!(of(log.endpoints[0].id).await.len(), 3);
    let got = of(late.id).await;
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].created_at, second(3));
}

pub(crate) async fn no_stretch_holds_events_from_both_sides_of_an_endpoints_beginning<
    F: Fixture,
>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 1, 3).await;
    let (lane, late) = (&log.lane, endpoint(7));
    lane.store.add_endpoint(&late).await.unwrap();
    lane.commit(vec![
        lane.document("later", "x"),
        lane.document("last", "x"),
    ])
    .await;
    let stretch = async |after| {
        let events = lane.store.events_after(lane.id, after, 500).await.unwrap();
        let told = events.iter().map(|told| told.event.sequence);
        told.collect::<Vec<_>>()
    };
    assert_eq!(stretch(0).await, [1, 2, 3]);
    assert_eq!(stretch(1).await, [2, 3]);
    assert_eq!(stretch(3).await, [4, 5]);
    assert!(log.fan_out(0, 3).await);
    lane.store.remove_endpoint(late.id).await.unwrap();
    assert_eq!(stretch(0).await, [1, 2, 3, 4, 5]);
}

pub(crate) async fn endpoints_read_back_as_they_were_added<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 2, 0).await;
    let mut scoped = endpoint(0);
    scoped.scope = EndpointScope::Connection(log.lane.id);
    scoped.created_at = second(50);
    scoped.description = None;
    log.store().add_endpoint(&scoped).await.unwrap();
    let stored = log.store().endpoint(scoped.id).await.unwrap().unwrap();
    assert_eq!(format!("{stored:?}"), format!("{scoped:?}"));
    let all = log.store().endpoints().await.unwrap();
    let ids: Vec<_> = all.iter().map(|endpoint| endpoint.id).collect();
    assert_eq!(ids, [log.endpoints[0].id, log.endpoints[1].id, scoped.id]);

    log.store()
        .disable_endpoint(scoped.id, second(60), "tests")
        .await
        .unwrap();
    log.store()
        .disable_endpoint(scoped.id, second(70), "again")
        .await
        .unwrap();
    let stored = log.store().endpoint(scoped.id).await.unwrap().unwrap();
    assert_eq!(stored.disabled, Some((second(60), "tests".to_owned())));
    assert!(log.store().remove_endpoint(scoped.id).await.unwrap());
    assert!(!log.store().remove_endpoint(scoped.id).await.unwrap());
    assert!(log.store().endpoint(scoped.id).await.unwrap().is_none());
}

pub(crate) async fn a_removed_endpoint_takes_its_deliveries_along<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 2, 1).await;
    log.fan_out(0, 1).await;
    let taken = log.take(10, 9, 9).await;
    let gone = taken[0].endpoint.id;
    log.store().remove_endpoint(gone).await.unwrap();
    log.attempt(taken[0].id, AttemptOutcome::Delivered).await;
    let left = log.deliveries().await;
    assert_eq!(left.len(), 1);
    assert_ne!(left[0].endpoint_id, gone);
    // A dispatcher that still had the endpoint in hand makes no delivery for it.
    let documents = vec![log.lane.document("later", "x")];
    log.lane.commit(documents).await;
    assert!(log.fan_out(1, 2).await);
    assert_eq!(log.deliveries().await.len(), 2);
}

pub(crate) async fn a_taken_delivery_is_nobody_elses_until_its_lease_ends<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 1, 3).await;
    log.fan_out(0, 3).await;
    assert_eq!(log.next_due().await, Some(second(1)));
    assert!(log.take(0, 9, 9).await.is_empty(), "none is due yet");
    assert_eq!(sequences(&log.take(2, 9, 9).await), ["1", "2"]);
    assert_eq!(log.next_due().await, Some(second(3)));
    assert_eq!(sequences(&log.take(10, 9, 9).await), ["3"]);
    assert!(log.take(31, 9, 9).await.is_empty());
    assert_eq!(log.next_due().await, Some(second(32)));
    let again = log.take(32, 9, 9).await;
    assert_eq!(sequences(&again), ["1", "2"]);
    assert_eq!(
        (again[0].attempts, again[0].plan_started_at),
        (0, second(1))
    );
    assert_eq!(again[0].endpoint.id, log.endpoints[0].id);
}

pub(crate) async fn one_endpoint_does_not_take_all_places<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 2, 5).await;
    log.fan_out(0, 5).await;
    assert_eq!(sequences(&log.take(10, 3, 2).await), ["1", "1", "2"]);
    assert_eq!(sequences(&log.take(10, 9, 2).await), ["2"]);
    assert!(log.take(10, 9, 2).await.is_empty());
    let more = log.take(10, 9, 3).await;
    assert_eq!(sequences(&more), ["3", "3"]);
    log.attempt(more[0].id, AttemptOutcome::Delivered).await;
    assert_eq!(sequences(&log.take(10, 9, 3).await), ["4"]);
}

pub(crate) async fn what_waits_for_an_enabled_endpoint_is_counted<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 2, 3).await;
    let backlog = async || log.store().backlog().await.unwrap();
    assert_eq!(backlog().await, Backlog::default());
    log.fan_out(0, 3).await;
    let all = Backlog {
        pending: 6,
        oldest: Some(second(1)),
    };
    assert_eq!(backlog().await, all);
    let taken = log.take(10, 9, 9).await;
    assert_eq!(backlog().await, all, "one under way has not arrived");
    for delivery in &taken {
        let outcome = match (
            delivery.endpoint.id == log.endpoints[0].id,
            delivery.created_at,
        ) {
            (true, at) if at == second(1) => AttemptOutcome::Delivered,
            (true, at) if at == second(2) => AttemptOutcome::Failed,
            (true, _) => AttemptOutcome::RetryAt(second(200)),
            (false, _) => AttemptOutcome::Gone,
        };
        log.attempt(delivery.id, outcome).await;
    }
    let last = Backlog {
        pending: 1,
        oldest: Some(second(3)),
    };
    assert_eq!(backlog().await, last);
}

pub(crate) async fn an_attempt_decides_what_follows<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 1, 4).await;
    log.fan_out(0, 4).await;
    let taken = log.take(10, 9, 9).await;
    log.attempt(taken[0].id, AttemptOutcome::Delivered).await;
    log.attempt(taken[1].id, AttemptOutcome::RetryAt(second(200)))
        .await;
    log.attempt(taken[2].id, AttemptOutcome::Failed).await;
    let listed = log.deliveries().await;
    let states: Vec<_> = listed.iter().rev().map(|delivery| delivery.state).collect();
    use DeliveryState::{Delivered, Failed, Pending};
    assert_eq!(states, [Delivered, Pending, Failed, Pending]);
    let retried = &listed[2];
    assert_eq!(
        (retried.attempts, retried.next_attempt_at),
        (1, Some(second(200)))
    );
    assert_eq!(retried.last_status, Some(503));
    assert_eq!(retried.last_error.as_deref(), Some("no answer"));
    assert_eq!(listed[3].next_attempt_at, None);
    let second_try = log.take(200, 1, 9).await;
    // The fourth was never answered, so its lease has ended.
    assert_eq!(sequences(&second_try), ["4"]);
    let second_try = log.take(200, 1, 9).await;
    assert_eq!(
        (sequences(&second_try)[0].as_str(), second_try[0].attempts),
        ("2", 1)
    );

    log.attempt(taken[3].id, AttemptOutcome::Gone).await;
    let stopped = log
        .store()
        .endpoint(log.endpoints[0].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stopped.disabled.map(|(at, _)| at), Some(second(100)));
    assert_eq!(log.deliveries().await[0].state, DeliveryState::Pending);
    assert_eq!(log.next_due().await, None);
    assert!(
        log.take(999, 9, 9).await.is_empty(),
        "pending deliveries wait"
    );
}

pub(crate) async fn what_arrived_stays_so_whatever_an_overtaken_attempt_says<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 1, 1).await;
    log.fan_out(0, 1).await;
    let taken = log.take(10, 9, 9).await;
    // Its lease ended, another dispatcher took it, and both say what came of it.
    let again = log.take(50, 9, 9).await;
    assert_eq!((taken.len(), again.len()), (1, 1));
    let id = taken[0].id;
    log.attempt(id, AttemptOutcome::Delivered).await;
    log.attempt(id, AttemptOutcome::RetryAt(second(200))).await;
    let told = log.deliveries().await;
    assert_eq!(told[0].state, DeliveryState::Delivered);
    assert_eq!((told[0].attempts, told[0].next_attempt_at), (2, None));
    assert_eq!(log.next_due().await, None);
    assert!(log.take(300, 9, 9).await.is_empty());
    // By hand it is sent once more all the same.
    assert!(log.store().retry(id, second(300)).await.unwrap());
    assert_eq!(log.take(300, 9, 9).await.len(), 1);
}

pub(crate) async fn a_retry_by_hand_begins_a_new_plan<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 1, 1).await;
    log.fan_out(0, 1).await;
    let id = log.take(10, 9, 9).await[0].id;
    log.attempt(id, AttemptOutcome::Failed).await;
    assert_eq!(log.next_due().await, None);
    assert!(log.store().retry(id, second(500)).await.unwrap());
    let again = log.take(500, 9, 9).await;
    assert_eq!(
        (again[0].id, again[0].attempts, again[0].plan_started_at),
        (id, 0, second(500))
    );
    assert_eq!(log.deliveries().await[0].attempts, 1);
    let nobody = DeliveryId::from_uuid(*log.lane.id.as_uuid());
    assert!(!log.store().retry(nobody, second(500)).await.unwrap());
}

pub(crate) async fn deliveries_are_listed_newest_first_in_pages<F: Fixture>() {
    let fixture = F::new().await;
    let log = Log::new(&fixture, 2, 3).await;
    log.fan_out(0, 3).await;
    let all = log.deliveries().await;
    let key = |delivery: &Delivery| (delivery.created_at, delivery.id);
    assert!(all.is_sorted_by(|a, b| key(a) > key(b)));
    let mut filter = DeliveryFilter {
        limit: 4,
        ..DeliveryFilter::default()
    };
    let first = log.store().deliveries(&filter).await.unwrap();
    filter.before = Some(key(&first[3]));
    let rest = log.store().deliveries(&filter).await.unwrap();
    let ids = |list: &[Delivery]| list.iter().map(key).collect::<Vec<_>>();
    assert_eq!([ids(&first), ids(&rest)].concat(), ids(&all));
    log.attempt(all[0].id, AttemptOutcome::Failed).await;
    let failed = DeliveryFilter {
        state: Some(DeliveryState::Failed),
        endpoint: Some(all[0].endpoint_id),
        limit: 9,
        before: None,
    };
    assert_eq!(
        ids(&log.store().deliveries(&failed).await.unwrap()),
        [key(&all[0])]
    );
    assert_eq!(log.lane.records(Resource::Asset).await.len(), 3);
}
