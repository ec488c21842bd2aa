//! A service with its API, a source in memory, and a way to write records directly.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use wrenchtime_api::{Limits, router};
use wrenchtime_connector::{
    Clock, Document, EntityName, KeyOrder, ManualClock, Mapped, RemoteKey, StreamName, Systems,
    content_hash,
};
use wrenchtime_memory::{MemoryFactory, MemorySource};
use wrenchtime_model::{ConnectionId, Facets, IdentityClass, RecordId, Resource, RunId};
use wrenchtime_service::{Actor, MasterKey, Options, Parts, Service};
use wrenchtime_store::{SqliteOptions, SqliteStore};
use wrenchtime_sync::{
    DocumentWrite, Judgement, Marks, Mode, NewRun, Outcome, PageCommit, RecordWrite, RunFinish,
    RunProgress, Storage, StreamState, Written,
};

pub(crate) struct Harness {
    pub(crate) app: Router,
    pub(crate) service: Service,
    pub(crate) store: SqliteStore,
    pub(crate) clock: ManualClock,
    pub(crate) source: MemorySource,
    pub(crate) key: String,
    _directory: TempDir,
}

/// A reply, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The values of a member of each row, as texts.
    pub(crate) fn column(&self, name: &str) -> Vec<String> {
        let body = self.json();
        let rows = body["data"].as_array().cloned().unwrap_or_default();
        rows.iter()
            .map(|row| row[name].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

impl Harness {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(at("2031-05-01T08:00:00Z"));
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let options = SqliteOptions::new(directory.path(), Arc::clone(&shared));
        let store = SqliteStore::open(options).await.unwrap();
        let source = MemorySource::new();
        let parts = Parts {
            systems: Systems::new([Arc::new(MemoryFactory::new(source.clone()))
                as Arc<dyn wrenchtime_connector::Factory>]),
            connections: Arc::new(store.clone()),
            records: Arc::new(store.clone()),
            deliveries: Arc::new(store.clone()),
            sync: Arc::new(store.clone()),
            clock: shared,
            master_key: MasterKey::generate(),
            options: Options::default(),
        };
        let service = Service::open(parts).await.unwrap();
        let issued = service
            .create_key("test", &Actor::CommandLine)
            .await
            .unwrap();
        let mut limits = Limits::default();
        limits.body_bytes = 2000;
        limits.body_timeout = Duration::from_millis(200);
        Self {
            app: router(service.clone(), limits, None),
            service,
            store,
            clock,
            source,
            key: issued.secret.expose_secret().to_owned(),
            _directory: directory,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let reply = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = reply.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        secret: &str,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !secret.is_empty() {
            request = request.header("authorization", format!("Bearer {secret}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// Asks with the management key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &self.key, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &self.key, Some(body)).await
    }

    /// Connects the source, on demand only; returns the connection and its token.
    pub(crate) async fn connect(&self) -> (ConnectionId, String) {
        let body = json!({
            "system": "memory",
            "settings": { "name": "Plant", "secret": "secret" },
            "schedule_seconds": 0,
            "start_sync": false,
        });
        let answer = self.post("/v1/connections", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let body = answer.json();
        (
            body["id"].as_str().unwrap().parse().unwrap(),
            body["token"].as_str().unwrap().to_owned(),
        )
    }

    /// Writes records as the engine does, in one commit.
    pub(crate) async fn write(&self, connection: ConnectionId, rows: Vec<Row>) {
        let store: &dyn Storage = &self.store;
        let fence = store.acquire(connection).await.unwrap();
        let new = NewRun {
            id: RunId::new(),
            mode: Mode::Full,
            started_at: self.clock.now(),
        };
        let run = store.begin_run(&fence, new).await.unwrap().run.id;
        let entity = EntityName::from_static("rows");
        let documents = rows
            .into_iter()
            .enumerate()
            .map(|(at, row)| {
                let number = i64::try_from(at).unwrap() + 1;
                row.document(connection, &entity, fence.observation_base() + number)
            })
            .collect();
        let commit = PageCommit {
            run,
            stream: StreamName::from_static("rows"),
            entity,
            state: StreamState::default(),
            documents,
            issues: Vec::new(),
            reread: Vec::new(),
            marks: Marks::None,
            judgement: Judgement::Keep,
            events: Vec::new(),
            initial: false,
            progress: RunProgress::default(),
        };
        store.commit(&fence, commit).await.unwrap();
    }

    /// Ends the connection's run as complete, with the streams that make these resources complete.
    pub(crate) async fn complete(&self, connection: ConnectionId, streams: &[&'static str]) {
        let store: &dyn Storage = &self.store;
        let fence = store.acquire(connection).await.unwrap();
        let new = NewRun {
            id: RunId::new(),
            mode: Mode::Full,
            started_at: self.clock.now(),
        };
        let run = store.begin_run(&fence, new).await.unwrap().run.id;
        for stream in streams {
            let commit = PageCommit {
                run,
                stream: StreamName::from_static(stream),
                entity: EntityName::from_static("rows"),
                state: StreamState {
                    completed_at: Some(self.clock.now()),
                    ..StreamState::default()
                },
                documents: Vec::new(),
                issues: Vec::new(),
                reread: Vec::new(),
                marks: Marks::None,
                judgement: Judgement::Keep,
                events: Vec::new(),
                initial: false,
                progress: RunProgress::default(),
            };
            store.commit(&fence, commit).await.unwrap();
        }
        let finish = RunFinish {
            run,
            outcome: Outcome::Complete,
            finished_at: self.clock.now(),
            progress: RunProgress::default(),
        };
        store.finish_run(&fence, finish).await.unwrap();
    }
}

/// A record to write, or to mark as gone.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) resource: Resource,
    pub(crate) key: String,
    pub(crate) content: Value,
    pub(crate) facets: Facets,
    pub(crate) remote: Option<DateTime<Utc>>,
    pub(crate) deleted: bool,
}

impl Row {
    pub(crate) fn new(resource: Resource, key: &str, content: Value) -> Self {
        Self {
            resource,
            key: key.to_owned(),
            content,
            facets: Facets::default(),
            remote: None,
            deleted: false,
        }
    }

    pub(crate) fn gone(resource: Resource, key: &str) -> Self {
        Self {
            deleted: true,
            ..Self::new(resource, key, Value::Null)
        }
    }

    pub(crate) fn id(&self, connection: ConnectionId) -> RecordId {
        let class = IdentityClass::new(self.resource.name());
        RecordId::derive(connection, &class, &self.key)
    }

    fn document(
        self,
        connection: ConnectionId,
        entity: &EntityName,
        observation: i64,
    ) -> DocumentWrite {
        let key = RemoteKey::new(format!("{}-{}", self.resource, self.key));
        let body = serde_json::value::to_raw_value(&json!({ "source": self.content })).unwrap();
        let document = Document::new(entity.clone(), key.clone(), body).with_deleted(self.deleted);
        let records = if self.deleted {
            Vec::new()
        } else {
            let content = serde_json::value::to_raw_value(&self.content).unwrap();
            let mut record = Mapped::new(
                self.id(connection),
                self.resource,
                RemoteKey::new(self.key.clone()),
                content,
            );
            record.facets = self.facets;
            record.remote_created_at = self.remote.map(Into::into);
            record.remote_modified_at = self.remote.map(Into::into);
            let content_hash = content_hash(&[record.content.get()]);
            vec![RecordWrite {
                record,
                content_hash,
            }]
        };
        DocumentWrite {
            sort_key: KeyOrder::Text.sort_key(&key),
            hash: document.hash(),
            document,
            observation,
            written: Written::Mapped {
                by: "test".to_owned(),
                records,
            },
        }
    }
}
