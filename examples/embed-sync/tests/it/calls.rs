//! Two stores, one answer: to any sequence of calls, sensible or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use serde_json::value::to_raw_value;
use wrenchtime_connector::{
    Bound, Clock, Document, EntityName, KeyOrder, ManualClock, Mapped, RemoteKey, RowIssue,
    SortKey, StreamName, content_hash,
};
use wrenchtime_model::{
    ConnectionId, EventType, IdentityClass, RecordId, Resource, RunId, SuspicionId,
};
use wrenchtime_sync::{
    Absence, Decision, DocumentWrite, Fence, Judgement, LifecycleEvent, Marks, MemoryStorage, Mode,
    NewRun, Outcome, PageCommit, RecordWrite, Removal, RunFinish, RunProgress, Storage,
    StorageError, StoredRange, StreamState, Suspicion, UnmappedQuery, Written,
};

use crate::world::{Dice, all_records, open};

const ENTITIES: [EntityName; 2] = [
    EntityName::from_static("Pump"),
    EntityName::from_static("Belt"),
];

const STREAM: StreamName = StreamName::from_static("everything");

struct Pair {
    stores: [Arc<dyn Storage>; 2],
    clock: Arc<ManualClock>,
    fence: Fence,
    run: RunId,
    /// The run before it, of whose marks nothing may be left.
    ended: RunId,
    suspicion: SuspicionId,
    dice: Dice,
}

fn key(number: usize) -> (RemoteKey, SortKey) {
    let key = RemoteKey::new(number.to_string());
    let sorted = KeyOrder::Numeric.sort_key(&key);
    (key, sorted)
}

/// Returns the documents that version 1 has not tried, as texts.
async fn unmapped(store: &dyn Storage, connection: ConnectionId) -> Vec<String> {
    let query = UnmappedQuery {
        entities: ENTITIES.to_vec(),
        not_by: "1".to_owned(),
        limit: 100,
    };
    let found = store.unmapped(connection, query).await.unwrap();
    found
        .iter()
        .map(|document| format!("{document:?}"))
        .collect()
}

impl Pair {
    fn entity(&mut self) -> EntityName {
        ENTITIES[self.dice.below(2)].clone()
    }

    fn keys(&mut self) -> Vec<SortKey> {
        (0..self.dice.below(5))
            .map(|_| key(self.dice.below(12)).1)
            .collect()
    }

    fn observation(&mut self) -> i64 {
        i64::try_from(self.dice.below(30)).unwrap()
    }

    /// A record that other rows may make as well, sometimes of another resource.
    fn record(&mut self) -> RecordWrite {
        let number = self.dice.below(8).to_string();
        let class = IdentityClass::new("thing");
        let id = RecordId::derive(self.fence.connection, &class, &number);
        let resource = [Resource::Asset, Resource::Asset, Resource::Location][self.dice.below(3)];
        let content = to_raw_value(&json!({"name": self.dice.below(3).to_string()})).unwrap();
        let content_hash = content_hash(&[content.get()]);
        let mut record = Mapped::new(id, resource, RemoteKey::new(number), content);
        if self.dice.below(2) == 0 {
            record.remote_modified_at = Some(self.clock.now().into());
        }
        RecordWrite {
            record,
            content_hash,
        }
    }

    fn document(&mut self, entity: &EntityName) -> DocumentWrite {
        let (remote, sort_key) = key(self.dice.below(12));
        let body = to_raw_value(&json!({"v": self.dice.below(9)})).unwrap();
        let is_deleted = self.dice.below(6) == 0;
        let document = Document::new(entity.clone(), remote, body).with_deleted(is_deleted);
        let written = if self.dice.below(6) == 0 {
            let reason = "it has no name".to_owned();
            Written::Quarantined {
                by: self.dice.below(3).to_string(),
                reason,
            }
        } else {
            let count = if is_deleted { 0 } else { self.dice.below(3) };
            let records = (0..count).map(|_| self.record());
            // A row makes a record once.
            let records: BTreeMap<_, _> = records.map(|write| (write.record.id, write)).collect();
            Written::Mapped {
                by: "1".to_owned(),
                records: records.into_values().collect(),
            }
        };
        DocumentWrite {
            hash: document.hash(),
            document,
            sort_key,
            observation: self.observation(),
            written,
        }
    }

    fn page(&mut self) -> PageCommit {
        let entity = self.entity();
        let documents = (0..self.dice.below(4))
            .map(|_| self.document(&entity))
            .collect();
        let marks = match self.dice.below(3) {
            0 => Marks::None,
            1 => Marks::Absent(self.keys()),
            _ => Marks::Seen(self.keys()),
        };
        let state = StreamState {
            bound: Some(Bound::at(self.clock.now())),
            ..StreamState::default()
        };
        PageCommit {
            run: self.run,
            stream: STREAM,
            entity,
            state,
            documents,
            reread: Vec::new(),
            issues: vec![RowIssue::new(None, "line 7", "it is cut off")],
            marks,
            judgement: self.judgement(),
            events: vec![LifecycleEvent {
                event: EventType::SystemError,
                data: json!({"code": "suspect_run"}),
            }],
            initial: self.dice.below(2) == 0,
            progress: RunProgress::default(),
        }
    }

    fn judgement(&mut self) -> Judgement {
        let now = self.clock.now();
        match self.dice.below(4) {
            0 => Judgement::Lift,
            1 => {
                let id = [self.suspicion, SuspicionId::new()][self.dice.below(2)];
                self.suspicion = id;
                let suspicion = Suspicion {
                    id,
                    stream: STREAM,
                    entity: self.entity(),
                    run: self.run,
                    since: now,
                    found_at: now,
                    missing: 12,
                    stored: 30,
                    confirmed_at: None,
                };
                let missing = (self.dice.below(3) > 0).then(|| self.absence());
                Judgement::Raise { suspicion, missing }
            }
            _ => Judgement::Keep,
        }
    }

    fn absence(&mut self) -> Absence {
        Absence {
            run: [self.run, self.run, self.ended][self.dice.below(3)],
            entity: self.entity(),
            by_seen: self.dice.below(2) == 0,
            observation: self.observation(),
        }
    }

    async fn begin(&mut self, mode: Mode) {
        let new = NewRun {
            id: RunId::new(),
            mode,
            started_at: self.clock.now(),
        };
        let [a, b] = &self.stores;
        let begun = a.begin_run(&self.fence, new.clone()).await.unwrap();
        assert_eq!(begun, b.begin_run(&self.fence, new).await.unwrap());
        if begun.run.id != self.run {
            self.ended = std::mem::replace(&mut self.run, begun.run.id);
        }
    }

    async fn finish(&mut self) {
        let outcome = [
            Outcome::Complete,
            Outcome::Partial,
            Outcome::Failed,
            Outcome::Cancelled,
        ];
        let finish = RunFinish {
            run: self.run,
            outcome: outcome[self.dice.below(4)],
            finished_at: self.clock.now(),
            progress: RunProgress::default(),
        };
        let [a, b] = &self.stores;
        let report = a.finish_run(&self.fence, finish.clone()).await.unwrap();
        assert_eq!(report, b.finish_run(&self.fence, finish).await.unwrap());
        self.begin(Mode::Incremental).await;
    }

    async fn write(&mut self) {
        self.clock.advance(Duration::from_millis(3));
        match self.dice.below(8) {
            0 => {
                let removal = Removal {
                    run: self.run,
                    entity: self.entity(),
                    keys: self.keys(),
                    observation: self.observation(),
                    initial: false,
                };
                let [a, b] = &self.stores;
                let outcome = a.remove(&self.fence, removal.clone()).await.unwrap();
                assert_eq!(outcome, b.remove(&self.fence, removal).await.unwrap());
            }
            1 => self.finish().await,
            2 => self.begin(Mode::Full).await,
            _ => {
                let page = self.page();
                let [a, b] = &self.stores;
                let outcome = a.commit(&self.fence, page.clone()).await.unwrap();
                assert_eq!(outcome, b.commit(&self.fence, page).await.unwrap());
            }
        }
    }

    async fn compare(&mut self) {
        let connection = self.fence.connection;
        let (absence, keys) = (self.absence(), self.keys());
        let range = StoredRange {
            entity: self.entity(),
            after: keys.first().cloned(),
            up_to: keys.get(1).cloned(),
            limit: u32::try_from(self.dice.below(6)).unwrap(),
        };
        let mut answers = Vec::new();
        for store in &self.stores {
            let after = keys.get(2);
            answers.push((
                store.stream_states(connection).await.unwrap(),
                store.known(connection, &range.entity, &keys).await.unwrap(),
                store.known_range(connection, range.clone()).await.unwrap(),
                store.count_missing(connection, &absence).await.unwrap(),
                unmapped(store.as_ref(), connection).await,
                store.unread(connection).await.unwrap(),
                store.suspicions(connection).await.unwrap(),
                store
                    .count_suspect(connection, &absence, self.suspicion)
                    .await
                    .unwrap(),
                store
                    .missing(connection, &absence, after, range.limit)
                    .await
                    .unwrap(),
            ));
        }
        assert_eq!(answers[0], answers[1]);
    }
}

#[tokio::test]
async fn any_calls_are_answered_as_by_the_store_in_memory() {
    for seed in 0..30 {
        let folder = tempfile::TempDir::new().unwrap();
        let journal = folder.path().join("journal.jsonl");
        let clock = Arc::new(ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap()));
        let memory = Arc::new(MemoryStorage::new(Arc::<ManualClock>::clone(&clock)));
        let connection = ConnectionId::new();
        let mut pair = Pair {
            stores: [
                Arc::<MemoryStorage>::clone(&memory),
                Arc::new(open(&journal, &clock)),
            ],
            fence: memory.acquire(connection).await.unwrap(),
            run: RunId::new(),
            ended: RunId::new(),
            suspicion: SuspicionId::new(),
            clock,
            dice: Dice(seed),
        };
        let fence = pair.stores[1].acquire(connection).await.unwrap();
        assert_eq!(fence, pair.fence);
        pair.begin(Mode::Incremental).await;
        for step in 0..40 {
            pair.write().await;
            if step % 10 == 9 {
                // The old one must let go of the file first.
                pair.stores[1] = Arc::<MemoryStorage>::clone(&memory);
                pair.stores[1] = Arc::new(open(&journal, &pair.clock));
            }
            pair.compare().await;
        }
        pair.stores[1] = Arc::<MemoryStorage>::clone(&memory);
        let storage = open(&journal, &pair.clock);
        let [kept, expected] = all_records(&storage, &memory, connection).await;
        assert!(!kept.is_empty());
        assert_eq!(kept, expected, "seed {seed}");
        let events = storage.events(connection).await.unwrap();
        assert_eq!(events, memory.events(connection), "seed {seed}");
        assert_eq!(storage.issues(connection).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn who_was_taken_over_can_write_nothing() {
    let folder = tempfile::TempDir::new().unwrap();
    let journal = folder.path().join("journal.jsonl");
    let clock = Arc::new(ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap()));
    let storage = open(&journal, &clock);
    let fence = storage.acquire(ConnectionId::new()).await.unwrap();
    let mut pair = Pair {
        stores: [Arc::new(storage.clone()), Arc::new(storage.clone())],
        clock,
        fence,
        run: RunId::new(),
        ended: RunId::new(),
        suspicion: SuspicionId::new(),
        dice: Dice(1),
    };
    pair.begin(Mode::Full).await;
    let newer = storage.acquire(fence.connection).await.unwrap();
    assert!(newer.observation_base() > fence.observation_base());
    let before = std::fs::read(&journal).unwrap();

    let new = NewRun {
        id: RunId::new(),
        mode: Mode::Full,
        started_at: pair.clock.now(),
    };
    let removal = Removal {
        run: pair.run,
        entity: pair.entity(),
        keys: pair.keys(),
        observation: 1,
        initial: false,
    };
    let finish = RunFinish {
        run: pair.run,
        outcome: Outcome::Complete,
        finished_at: pair.clock.now(),
        progress: RunProgress::default(),
    };
    let refusals = [
        storage.begin_run(&fence, new).await.err(),
        storage.commit(&fence, pair.page()).await.err(),
        storage.remove(&fence, removal).await.err(),
        storage.finish_run(&fence, finish.clone()).await.err(),
    ];
    for refusal in refusals {
        assert!(matches!(refusal, Some(StorageError::Fenced(of)) if of == fence.connection));
    }
    assert_eq!(std::fs::read(&journal).unwrap(), before);
    storage.finish_run(&newer, finish).await.unwrap();
}

#[tokio::test]
async fn what_was_decided_is_there_after_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let journal = folder.path().join("journal.jsonl");
    let clock = Arc::new(ManualClock::new("2031-05-01T12:00:00Z".parse().unwrap()));
    let storage = open(&journal, &clock);
    let fence = storage.acquire(ConnectionId::new()).await.unwrap();
    let mut pair = Pair {
        stores: [Arc::new(storage.clone()), Arc::new(storage.clone())],
        clock: Arc::clone(&clock),
        fence,
        run: RunId::new(),
        ended: RunId::new(),
        suspicion: SuspicionId::new(),
        dice: Dice(1),
    };
    pair.begin(Mode::Full).await;
    let stands = loop {
        let page = pair.page();
        storage.commit(&fence, page).await.unwrap();
        if let Some(stands) = storage.suspicions(fence.connection).await.unwrap().pop() {
            break stands;
        }
    };
    let decide = |storage: embed_sync::FileStorage, decision| async move {
        storage
            .decide(fence.connection, stands.id, decision)
            .await
            .unwrap()
    };
    let confirmed = decide(storage.clone(), Decision::Confirm).await.unwrap();
    assert_eq!(confirmed.confirmed_at, Some(clock.now()));
    drop((storage, pair));
    let storage = open(&journal, &clock);
    let stored = storage.suspicions(fence.connection).await.unwrap();
    assert_eq!(stored, [confirmed]);
    assert!(decide(storage.clone(), Decision::Reject).await.is_some());
    assert!(decide(storage.clone(), Decision::Confirm).await.is_none());
    assert_eq!(storage.suspicions(fence.connection).await.unwrap(), []);
}
