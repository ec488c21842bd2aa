//! A client that polls with the returned value misses nothing, whatever happens in between.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};
use wrenchtime_connector::Clock;
use wrenchtime_model::{ConnectionId, Resource};

use crate::harness::{Harness, Row};

/// Something that happens while a client polls.
#[derive(Clone, Debug)]
enum Step {
    /// Records change in one commit; without a number they are gone.
    Commit(Vec<(u8, Option<u8>)>),
    /// The clock moves, perhaps backwards.
    Clock(i64),
    /// The client asks for its next page.
    Page,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (0..6_u8, prop::option::weighted(0.8, 0..4_u8));
    let step = prop_oneof![
        4 => prop::collection::vec(change, 1..4).prop_map(Step::Commit),
        1 => (-3_000_000_i64..3_000_000).prop_map(Step::Clock),
        6 => Just(Step::Page),
    ];
    prop::collection::vec(step, 5..40)
}

/// A client that keeps a copy: lists, page by page, then stores the value of the first page.
struct Client {
    token: String,
    copy: BTreeMap<String, String>,
    stored: Option<String>,
    /// The list under way: its next cursor, and the value to store at its end.
    list: Option<(String, String)>,
}

impl Client {
    async fn page(&mut self, harness: &Harness) {
        let path = match (&self.list, &self.stored) {
            (Some((cursor, _)), _) => format!("/v1/parts?limit=2&cursor={cursor}"),
            (None, Some(stored)) => format!("/v1/parts?limit=2&modified_after={stored}"),
            (None, None) => "/v1/parts?limit=2".to_owned(),
        };
        let answer = harness.call("GET", &path, &self.token, None).await;
        let body = answer.json();
        for row in body["data"].as_array().unwrap() {
            let key = row["remote_id"].as_str().unwrap().to_owned();
            if row["deleted"] == true {
                self.copy.remove(&key);
            } else {
                self.copy.insert(key, row["number"].to_string());
            }
        }
        let value = match self.list.take() {
            Some((_, value)) => value,
            None => body["next_modified_after"].as_str().unwrap().to_owned(),
        };
        match body["next"].as_str() {
            Some(cursor) => self.list = Some((cursor.to_owned(), value)),
            None => self.stored = Some(value),
        }
    }

    /// Polls to the end of the list under way, and once more.
    async fn settle(&mut self, harness: &Harness) {
        while self.list.is_some() {
            self.page(harness).await;
        }
        self.page(harness).await;
        while self.list.is_some() {
            self.page(harness).await;
        }
    }
}

async fn apply(
    harness: &Harness,
    connection: ConnectionId,
    truth: &mut BTreeMap<String, String>,
    changes: &[(u8, Option<u8>)],
) {
    let latest: BTreeMap<u8, Option<u8>> = changes.iter().copied().collect();
    let rows = latest
        .into_iter()
        .map(|(key, number)| {
            let key = format!("part-{key}");
            match number {
                Some(number) => {
                    let number = Value::from(number.to_string());
                    truth.insert(key.clone(), number.to_string());
                    Row::new(Resource::Part, &key, json!({ "number": number }))
                }
                None => {
                    truth.remove(&key);
                    Row::gone(Resource::Part, &key)
                }
            }
        })
        .collect();
    harness.write(connection, rows).await;
}

async fn check(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let mut truth = BTreeMap::new();
    let mut client = Client {
        token,
        copy: BTreeMap::new(),
        stored: None,
        list: None,
    };
    for step in steps {
        match step {
            Step::Commit(changes) => apply(&harness, connection, &mut truth, &changes).await,
            Step::Clock(micros) => harness
                .clock
                .set(harness.clock.now() + TimeDelta::microseconds(micros)),
            Step::Page => client.page(&harness).await,
        }
    }
    client.settle(&harness).await;
    prop_assert_eq!(client.copy, truth);
    Ok(())
}

proptest! {
    // A tenth of the usual number: each case is a service of its own.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 10))]

    #[test]
    fn a_polling_client_misses_nothing(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(check(steps))?;
    }
}

#[tokio::test]
async fn what_changes_between_two_pages_comes_with_the_next_poll() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let mut truth = BTreeMap::new();
    let all: Vec<(u8, Option<u8>)> = (0..5).map(|key| (key, Some(0))).collect();
    apply(&harness, connection, &mut truth, &all).await;
    let mut client = Client {
        token,
        copy: BTreeMap::new(),
        stored: None,
        list: None,
    };
    client.page(&harness).await;
    // Everything changes in the same microsecond in which the first page was read.
    apply(
        &harness,
        connection,
        &mut truth,
        &[(0, None), (1, Some(1)), (4, Some(2)), (5, Some(3))],
    )
    .await;
    harness.clock.advance(Duration::from_secs(1));
    client.settle(&harness).await;
    assert_eq!(client.copy, truth);
}
