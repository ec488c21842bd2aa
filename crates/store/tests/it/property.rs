//! Promises that hold whatever happens, in whatever order.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use wrenchtime_model::{ConnectionId, EventBody, RecordId, Resource, Timestamp};
use wrenchtime_service::storage::{GetQuery, ListOrder, RecordReader};
use wrenchtime_sync::{
    DocumentWrite, MemoryStorage, Mode, Outcome, Removal, RunFinish, RunProgress, Storage,
};

use crate::fixture::{
    DocumentWriteExt, ENTITY, Fixture, Lane, Parts, Rows, document_of, mapped, new_run, noon, page,
    second, sort_key,
};

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// What a source says of a row.
#[derive(Clone, Debug)]
enum Row {
    Live {
        content: u8,
        is_place: bool,
        has_part: bool,
    },
    Deleted,
    Unreadable,
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<(usize, i64, Row)>),
    Remove(Vec<usize>, i64),
    TakeOver,
    Finish(Outcome),
    Clock(u64),
}

fn row() -> impl Strategy<Value = Row> {
    prop_oneof![
        6 => (0..3_u8, any::<bool>(), any::<bool>())
            .prop_map(|(content, is_place, has_part)| Row::Live { content, is_place, has_part }),
        2 => Just(Row::Deleted),
        1 => Just(Row::Unreadable),
    ]
}

fn rows() -> impl Strategy<Value = Vec<(usize, i64, Row)>> {
    vec((0..KEYS.len(), 0..6_i64, row()), 0..6)
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        Just(Outcome::Complete),
        Just(Outcome::Partial),
        Just(Outcome::Failed),
        Just(Outcome::Cancelled)
    ];
    prop_oneof![
        8 => rows().prop_map(Step::Commit),
        2 => (vec(0..KEYS.len(), 0..4), 0..6_i64).prop_map(|(keys, at)| Step::Remove(keys, at)),
        1 => Just(Step::TakeOver),
        1 => outcome.prop_map(Step::Finish),
        1 => (1..9_u64).prop_map(Step::Clock),
    ]
}

fn write(connection: ConnectionId, key: &str, observation: i64, row: &Row) -> DocumentWrite {
    let document = match row {
        Row::Live {
            content,
            is_place,
            has_part,
        } => {
            let resource = if *is_place {
                Resource::Location
            } else {
                Resource::Asset
            };
            let name = format!("content {content}");
            let mut records = vec![mapped(connection, resource, key, &name)];
            if *has_part {
                records.push(mapped(
                    connection,
                    Resource::Part,
                    &format!("{key}-part"),
                    &name,
                ));
            }
            document_of(key, &name, records)
        }
        Row::Deleted => document_of(key, "gone", Vec::new()).deleted(),
        Row::Unreadable => document_of(key, "?", Vec::new()).quarantined("unreadable"),
    };
    document.seen_at(observation)
}

/// Runs cases one after the other on one store: each has a connection of its own.
fn run_cases<F: Fixture, S: Strategy<Value: Clone>>(
    strategy: &S,
    cases: u32,
    test: &impl AsyncFn(&F, S::Value),
) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fixture = runtime.block_on(F::new());
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let tested = TestRunner::new(config).run(strategy, |value| {
        fixture.clock().set(noon());
        let outcome = std::panic::AssertUnwindSafe(|| runtime.block_on(test(&fixture, value)));
        std::panic::catch_unwind(outcome)
            .map_err(|_| TestCaseError::fail("the assertion stands above"))
    });
    if let Err(error) = tested {
        panic!("{error}");
    }
}

/// Whatever is committed: outcomes, event log, rows and records are those of the store in memory.
pub(crate) fn commits_do_what_the_store_in_memory_does<F: Fixture>() {
    run_cases(&vec(step(), 1..12), 48, &async |fixture: &F, steps| {
        fixture.clock().set(second(1));
        let mut lane = Lane::begin(fixture).await;
        let memory = MemoryStorage::new(Arc::new(fixture.clock().clone()));
        let mut fence = memory.acquire(lane.id).await.unwrap();
        let mut new = new_run(Mode::Full);
        new.id = lane.run;
        memory.begin_run(&fence, new).await.unwrap();
        for step in steps {
            match step {
                Step::Commit(rows) => {
                    let documents = rows
                        .iter()
                        .map(|(key, at, row)| write(lane.id, KEYS[*key], *at, row))
                        .collect();
                    let page = page(lane.run, documents);
                    let expected = memory.commit(&fence, page.clone()).await.unwrap();
                    let outcome = lane.store.commit(&lane.fence, page).await.unwrap();
                    assert_eq!(outcome, expected);
                }
                Step::Remove(keys, observation) => {
                    let removal = Removal {
                        run: lane.run,
                        entity: ENTITY,
                        keys: keys.into_iter().map(|key| sort_key(KEYS[key])).collect(),
                        observation,
                        initial: false,
                    };
                    let expected = memory.remove(&fence, removal.clone()).await.unwrap();
                    let outcome = lane.store.remove(&lane.fence, removal).await.unwrap();
                    assert_eq!(outcome, expected);
                }
                Step::TakeOver => {
                    fence = memory.acquire(lane.id).await.unwrap();
                    lane.fence = lane.store.acquire(lane.id).await.unwrap();
                    assert_eq!(lane.fence, fence);
                }
                Step::Finish(outcome) => {
                    let finish = RunFinish {
                        run: lane.run,
                        outcome,
                        finished_at: second(9),
                        progress: RunProgress::default(),
                    };
                    let expected = memory.finish_run(&fence, finish.clone()).await.unwrap();
                    let report = lane.store.finish_run(&lane.fence, finish).await.unwrap();
                    assert_eq!(report, expected);
                    let new = new_run(Mode::Full);
                    let expected = memory.begin_run(&fence, new.clone()).await.unwrap();
                    let start = lane.store.begin_run(&lane.fence, new).await.unwrap();
                    assert_eq!(start, expected);
                    lane.run = start.run.id;
                }
                Step::Clock(at) => fixture.clock().set(second(at)),
            }
        }
        compare(&lane, &memory).await;
    });
}

async fn compare<F: Fixture>(lane: &Lane<'_, F>, memory: &MemoryStorage) {
    assert_eq!(lane.events().await, memory.events(lane.id));
    let keys = KEYS.map(sort_key);
    let mut known = lane.store.known(lane.id, &ENTITY, &keys).await.unwrap();
    known.sort_by(|a, b| a.sort_key.cmp(&b.sort_key));
    assert_eq!(known, memory.known(lane.id, &ENTITY, &keys).await.unwrap());
    let mut live = BTreeMap::<Resource, u64>::new();
    for expected in memory.records(lane.id) {
        let mut envelope = expected.envelope;
        if !envelope.deleted {
            *live.entry(expected.resource).or_default() += 1;
        }
        let get = GetQuery {
            connection: lane.id,
            resource: expected.resource,
            id: envelope.id,
            include_raw: false,
        };
        let found = lane.store.get(&get).await.unwrap().unwrap();
        // A record that becomes another resource is a new one here, with a time of its own.
        envelope.created_at = found.envelope().created_at;
        assert_eq!(found.envelope(), envelope);
        assert_eq!(found.content(), expected.content.get());
    }
    let counts = lane.store.sync_snapshot(lane.id).await.unwrap().records;
    for (resource, counts) in counts {
        let expected = live.remove(&resource).unwrap_or(0);
        assert_eq!(counts.live, expected, "{resource}");
        let mut query = lane.query(resource);
        let all = lane.store.list(&query).await.unwrap().rows().len() as u64;
        assert_eq!(all, counts.live + counts.deleted);
        query.include_deleted = false;
        assert_eq!(
            lane.store.list(&query).await.unwrap().rows().len() as u64,
            counts.live
        );
    }
    assert!(live.is_empty());
}

/// A client that follows `modified_after`: it lists from its value, page by page, then keeps the first page's head.
#[derive(Debug)]
pub(crate) struct Client {
    from: Timestamp,
    /// The head of the list under way, and where its next page begins.
    under_way: Option<(Timestamp, Option<u64>)>,
    copy: BTreeMap<RecordId, (u64, bool)>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            from: Timestamp::from(noon()),
            under_way: None,
            copy: BTreeMap::new(),
        }
    }

    /// Reads one page. Returns whether the list came to its end.
    pub(crate) async fn turn<F: Fixture>(&mut self, lane: &Lane<'_, F>) -> bool {
        let (next, after) = self
            .under_way
            .map_or((None, None), |(next, after)| (Some(next), after));
        let mut query = lane.query(Resource::Asset);
        query.filter.modified.from = Some(self.from);
        query.order = ListOrder::Sequence(after);
        query.limit = 2;
        let page = lane.store.list(&query).await.unwrap();
        let next = next.unwrap_or(page.head);
        let after = page.rows().last().map(|row| row.envelope().sequence);
        for row in page.rows() {
            let envelope = row.envelope();
            let seen = (envelope.sequence, envelope.deleted);
            let before = self.copy.insert(envelope.id, seen);
            assert!(before.is_none_or(|before| before.0 <= envelope.sequence));
        }
        if page.next.is_some() {
            self.under_way = Some((next, after));
        } else {
            self.from = next;
            self.under_way = None;
        }
        page.next.is_none()
    }

    pub(crate) async fn catch_up<F: Fixture>(&mut self, lane: &Lane<'_, F>) {
        // What is under way may have begun before the last change.
        while !self.turn(lane).await {}
        while !self.turn(lane).await {}
        let records = lane.records(Resource::Asset).await.into_iter();
        let truth: BTreeMap<_, _> = records
            .map(|row| {
                (
                    row.envelope().id,
                    (row.envelope().sequence, row.envelope().deleted),
                )
            })
            .collect();
        assert_eq!(self.copy, truth);
    }
}

/// Whatever is committed between two pages: the client's copy comes to equal the store's.
pub(crate) fn a_polling_client_misses_nothing<F: Fixture>() {
    let turns = vec(
        (vec((0..9_usize, 0..3_u8, any::<bool>()), 0..5), 0..3_usize),
        1..12,
    );
    run_cases(&turns, 40, &async |fixture: &F, turns: Vec<_>| {
        let lane = Lane::begin(fixture).await;
        let mut client = Client::new();
        for (number, (rows, pages)) in turns.into_iter().enumerate() {
            let documents = rows.into_iter().map(|(key, content, is_gone)| {
                let document = lane.document(&format!("key {key}"), &content.to_string());
                let document = if is_gone {
                    document.deleted()
                } else {
                    document
                };
                document.seen_at(i64::try_from(number).unwrap())
            });
            lane.commit(documents.collect()).await;
            // Some commits share an instant, and now and then the clock goes back.
            fixture.clock().set(second([0, 0, 5, 2][number % 4]));
            for _ in 0..pages {
                client.turn(&lane).await;
            }
        }
        client.catch_up(&lane).await;
    });
}

/// The same with reads and commits really at once.
pub(crate) async fn a_client_that_polls_during_commits_misses_nothing<F: Fixture>() {
    let fixture = F::new().await;
    let lane = Lane::begin(&fixture).await;
    let mut client = Client::new();
    let writing = async {
        for number in 0..40_i64 {
            let keys = [number % 7, number % 5, number % 11];
            let documents = keys.map(|key| {
                let document = lane.document(&key.to_string(), &number.to_string());
                document.seen_at(number)
            });
            lane.commit(documents.into()).await;
        }
    };
    let mut writing = std::pin::pin!(writing);
    let mut is_writing = true;
    while is_writing {
        tokio::select! {
            biased;
            _ = client.turn(&lane) => {}
            () = &mut writing => is_writing = false,
        }
    }
    client.under_way = None;
    client.catch_up(&lane).await;
    let last = lane.events().await.pop().unwrap();
    assert!(matches!(last.body, EventBody::Record { .. }));
}
