//! What tests are made of: a store on a clock that stands still, and a connection to fill.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;
use wrenchtime_connector::{
    Document, EntityName, KeyOrder, ManualClock, Mapped, RemoteKey, SortKey, StreamName,
    SystemName, content_hash,
};
use wrenchtime_model::{
    ConnectionId, Envelope, Event, EventBody, IdentityClass, RecordChange, RecordId, Resource,
    RunId, Timestamp,
};
use wrenchtime_service::State;
use wrenchtime_service::storage::{
    AuditEntry, ChangesQuery, ConnectionStore, ConnectionToken, ListOrder, ListPage, ListQuery,
    NewConnection, RecordFilter, RecordReader, SealedSettings, SecretHash, StoredAccount,
    StoredRecord,
};
use wrenchtime_sync::{
    Absence, DocumentWrite, Fence, Judgement, KnownRow, Marks, Mode, NewRun, Outcome, PageCommit,
    PageOutcome, RecordWrite, Removal, RunFinish, RunProgress, Storage, StorageError, StreamState,
    Written,
};
use wrenchtime_webhooks::{DeliveryStore, EventSource};

/// Everything that a store implements.
pub(crate) trait Store:
    Storage + ConnectionStore + RecordReader + EventSource + DeliveryStore
{
}

impl<T: Storage + ConnectionStore + RecordReader + EventSource + DeliveryStore> Store for T {}

/// A store of one database, empty at first.
#[async_trait]
pub(crate) trait Fixture: Debug + Send + Sync + Sized + 'static {
    type Store: Store;

    async fn new() -> Self;
    fn store(&self) -> &Self::Store;
    fn clock(&self) -> &ManualClock;
    /// Closes the store and opens it again, as after a restart.
    async fn reopen(self) -> Self;
    async fn close(&self);
    /// From now on, no event can be written.
    async fn trap(&self);
    /// Takes the trap away.
    async fn clear(&self);
}

pub(crate) const ENTITY: EntityName = EntityName::from_static("Thing");
pub(crate) const STREAM: StreamName = StreamName::from_static("thing-all");

pub(crate) fn noon() -> DateTime<Utc> {
    "2031-05-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn second(number: u64) -> DateTime<Utc> {
    noon() + Duration::from_secs(number)
}

pub(crate) fn stamp(number: u64) -> Timestamp {
    Timestamp::from(second(number))
}

/// The event clock began at the connection's making, so a clock that stands still adds microseconds.
pub(crate) fn plus_micros(instant: Timestamp, micros: i64) -> Timestamp {
    Timestamp::from_micros(instant.as_micros() + micros).unwrap()
}

pub(crate) fn sort_key(key: &str) -> SortKey {
    KeyOrder::Text.sort_key(&RemoteKey::new(key))
}

pub(crate) fn raw(text: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(text.into()).unwrap()
}

pub(crate) fn audit(action: &str) -> AuditEntry {
    AuditEntry {
        at: noon(),
        actor: "system".to_owned(),
        action: action.to_owned(),
        connection: None,
        detail: serde_json::json!({}),
    }
}

pub(crate) fn new_connection(id: ConnectionId) -> NewConnection {
    let secret = content_hash(&[&id.to_string()]);
    NewConnection {
        id,
        system: SystemName::from_static("memory"),
        name: "Plant 7".to_owned(),
        state: State::Active,
        account: StoredAccount {
            identity: "acme".to_owned(),
            display_name: "Acme".to_owned(),
            server_version: None,
        },
        sealed: SealedSettings {
            data_key: vec![1, 2],
            settings: vec![3, 4, 5],
        },
        token: ConnectionToken {
            id: Uuid::now_v7(),
            connection: id,
            hash: SecretHash(secret),
            created_at: noon(),
            void_from: None,
        },
        schedule: Some(Duration::from_secs(300)),
        records_since: Some(noon() - TimeDelta::days(1)),
        created_at: Timestamp::from(noon()),
        audit: audit("connection.created"),
    }
}

/// A connection with a run under way.
#[derive(Debug)]
pub(crate) struct Lane<'f, F: Fixture> {
    pub(crate) store: &'f F::Store,
    pub(crate) id: ConnectionId,
    pub(crate) fence: Fence,
    pub(crate) run: RunId,
}

impl<'f, F: Fixture> Lane<'f, F> {
    /// Adds a connection and begins a full run.
    pub(crate) async fn begin(fixture: &'f F) -> Self {
        let id = ConnectionId::new();
        let store = fixture.store();
        store.create_connection(new_connection(id)).await.unwrap();
        Self::go_on(fixture, id).await
    }

    /// Takes a connection over and begins a full run, or goes on with the one left.
    pub(crate) async fn go_on(fixture: &'f F, id: ConnectionId) -> Self {
        let store = fixture.store();
        let fence = store.acquire(id).await.unwrap();
        let new = new_run(Mode::Full);
        let run = store.begin_run(&fence, new).await.unwrap().run.id;
        Self {
            store,
            id,
            fence,
            run,
        }
    }

    pub(crate) fn page(&self, documents: Vec<DocumentWrite>) -> PageCommit {
        page(self.run, documents)
    }

    pub(crate) fn asset(&self, key: &str) -> RecordId {
        record_id(self.id, key)
    }

    /// Returns a document that makes one asset of this content.
    pub(crate) fn document(&self, key: &str, content: &str) -> DocumentWrite {
        document(self.id, key, content)
    }

    pub(crate) async fn commit(&self, documents: Vec<DocumentWrite>) -> PageOutcome {
        let page = self.page(documents);
        self.store.commit(&self.fence, page).await.unwrap()
    }

    pub(crate) async fn events(&self) -> Vec<Event> {
        let query = ChangesQuery {
            connection: self.id,
            after: 0,
            limit: 10_000,
            include_records: false,
        };
        let page = self.store.changes(&query).await.unwrap();
        page.entries.into_iter().map(|(event, _)| event).collect()
    }

    /// Returns type and remote key's record of each event.
    pub(crate) async fn changes(&self) -> Vec<(RecordChange, Resource, RecordId)> {
        let told = self.events().await.into_iter();
        told.filter_map(|event| match event.body {
            EventBody::Record {
                change,
                resource,
                record_id,
                ..
            } => Some((change, resource, record_id)),
            EventBody::Lifecycle { .. } => None,
        })
        .collect()
    }

    pub(crate) fn query(&self, resource: Resource) -> ListQuery {
        ListQuery {
            connection: self.id,
            resource,
            filter: RecordFilter::default(),
            include_deleted: true,
            include_raw: false,
            order: ListOrder::Creation(None),
            limit: 500,
            complete_when: Vec::new(),
        }
    }

    pub(crate) async fn records(&self, resource: Resource) -> Vec<StoredRecord> {
        let query = self.query(resource);
        self.store.list(&query).await.unwrap().rows()
    }

    pub(crate) async fn record(&self, key: &str) -> StoredRecord {
        let id = self.asset(key);
        let records = self.records(Resource::Asset).await;
        let found = records
            .into_iter()
            .find(|record| record.envelope().id == id);
        found.unwrap_or_else(|| panic!("no record of {key:?}"))
    }

    pub(crate) async fn known(&self, key: &str) -> Option<KnownRow> {
        let keys = [sort_key(key)];
        let found = self.store.known(self.id, &ENTITY, &keys).await.unwrap();
        found.into_iter().next()
    }

    /// Asserts that nothing can be written under a fence that was raised.
    #[track_caller]
    pub(crate) fn assert_fenced<T: Debug>(&self, result: &Result<T, StorageError>) {
        assert!(
            matches!(result, Err(StorageError::Fenced(id)) if *id == self.id),
            "{result:?}"
        );
    }
}

/// The records of a page one by one.
pub(crate) trait Rows {
    fn rows(&self) -> Vec<StoredRecord>;
}

impl Rows for ListPage {
    fn rows(&self) -> Vec<StoredRecord> {
        let raw = |number| self.raw.as_ref().map(|raw| raw.get(number).unwrap());
        if let Some(raw) = &self.raw {
            assert_eq!(raw.len(), self.records.len());
        }
        let records = self.records.iter().enumerate();
        records
            .map(|(number, text)| StoredRecord {
                text: text.to_owned(),
                raw: raw(number).map(str::to_owned),
            })
            .collect()
    }
}

/// A record's text, taken apart.
pub(crate) trait Parts {
    fn envelope(&self) -> Envelope;

    /// Returns what stands behind the envelope, as an object of its own.
    fn content(&self) -> String;
}

impl Parts for StoredRecord {
    fn envelope(&self) -> Envelope {
        self.read::<Value>().unwrap().envelope
    }

    fn content(&self) -> String {
        let envelope = serde_json::to_string(&self.envelope()).unwrap();
        let rest = self.text.strip_prefix(envelope.strip_suffix('}').unwrap());
        let members = rest.unwrap_or_else(|| panic!("{} begins otherwise", self.text));
        format!("{{{}", members.trim_start_matches(','))
    }
}

pub(crate) fn new_run(mode: Mode) -> NewRun {
    NewRun {
        id: RunId::new(),
        mode,
        started_at: noon(),
    }
}

pub(crate) fn page(run: RunId, documents: Vec<DocumentWrite>) -> PageCommit {
    PageCommit {
        run,
        stream: STREAM,
        entity: ENTITY,
        state: StreamState::default(),
        documents,
        issues: Vec::new(),
        reread: Vec::new(),
        marks: Marks::None,
        judgement: Judgement::Keep,
        events: Vec::new(),
        initial: false,
        progress: RunProgress::default(),
    }
}

pub(crate) fn record_id(connection: ConnectionId, key: &str) -> RecordId {
    RecordId::derive(connection, &IdentityClass::new("thing"), key)
}

pub(crate) fn mapped(
    connection: ConnectionId,
    resource: Resource,
    key: &str,
    content: &str,
) -> RecordWrite {
    let content = raw(serde_json::json!({ "name": content }).to_string());
    let content_hash = content_hash(&[content.get()]);
    let key = RemoteKey::new(key);
    let id = record_id(connection, key.as_str());
    RecordWrite {
        record: Mapped::new(id, resource, key, content),
        content_hash,
    }
}

pub(crate) fn document(connection: ConnectionId, key: &str, content: &str) -> DocumentWrite {
    let records = vec![mapped(connection, Resource::Asset, key, content)];
    document_of(key, content, records)
}

pub(crate) fn document_of(key: &str, content: &str, records: Vec<RecordWrite>) -> DocumentWrite {
    let body = raw(serde_json::json!({ "Key": key, "Name": content }).to_string());
    let document = Document::new(ENTITY, RemoteKey::new(key), body);
    DocumentWrite {
        hash: document.hash(),
        document,
        sort_key: sort_key(key),
        observation: 1,
        written: Written::Mapped {
            by: "v1".to_owned(),
            records,
        },
    }
}

/// What tests say of a document beside its content.
pub(crate) trait DocumentWriteExt {
    fn seen_at(self, observation: i64) -> Self;
    fn quarantined(self, reason: &str) -> Self;
    fn deleted(self) -> Self;
}

impl DocumentWriteExt for DocumentWrite {
    fn seen_at(mut self, observation: i64) -> Self {
        self.observation = observation;
        self
    }

    fn quarantined(mut self, reason: &str) -> Self {
        self.written = Written::Quarantined {
            by: "v1".to_owned(),
            reason: reason.to_owned(),
        };
        self
    }

    fn deleted(mut self) -> Self {
        self.document = self.document.with_deleted(true);
        self.hash = self.document.hash();
        self.written = Written::Mapped {
            by: "v1".to_owned(),
            records: Vec::new(),
        };
        self
    }
}

pub(crate) fn finish(run: RunId, outcome: Outcome) -> RunFinish {
    RunFinish {
        run,
        outcome,
        finished_at: second(60),
        progress: RunProgress::default(),
    }
}

pub(crate) fn removal(lane: &Lane<'_, impl Fixture>, keys: &[&str], observation: i64) -> Removal {
    Removal {
        run: lane.run,
        entity: ENTITY,
        keys: keys.iter().map(|key| sort_key(key)).collect(),
        observation,
        initial: false,
    }
}

pub(crate) fn one(resource: Resource) -> BTreeMap<Resource, u64> {
    BTreeMap::from([(resource, 1)])
}

pub(crate) async fn missing_keys<F: Fixture>(lane: &Lane<'_, F>, absence: &Absence) -> Vec<String> {
    let rows = lane
        .store
        .missing(lane.id, absence, None, 100)
        .await
        .unwrap();
    let (missing, _) = lane.store.count_missing(lane.id, absence).await.unwrap();
    assert_eq!(missing, rows.len() as u64);
    rows.into_iter()
        .map(|row| row.key.as_str().to_owned())
        .collect()
}
