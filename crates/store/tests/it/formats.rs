//! Databases of every format that there was open for ever, with all that is in them. `tests/formats/README.md` says how to
//! add one.

use std::path::{Path, PathBuf};
use std::process::Command;

use uuid::Uuid;
use wrenchtime_connector::{RemoteKey, RowIssue};
use wrenchtime_model::{ConnectionId, Resource, SuspicionId};
use wrenchtime_service::storage::{
    ConnectionFilter, ConnectionStore, ManagementKey, QuarantineQuery, RecordReader, SecretHash,
};
use wrenchtime_sync::{Judgement, Mode, Outcome, Storage, StreamState};
use wrenchtime_webhooks::{DeliveryFilter, DeliveryStore, EventSource, FanOut};

use crate::fixture::{
    DocumentWriteExt, ENTITY, Fixture, Lane, Parts, STREAM, Store, audit, document, finish,
    new_connection, new_run, page, second,
};
use crate::suspicions::suspicion;
use crate::webhooks::{endpoint, message};

/// Set to anything, the fixture of the newest format is written anew.
const WRITE: &str = "WRENCHTIME_WRITE_FORMATS";

/// A format's number and the statements that make a database of it.
pub(crate) type Format = (u32, String);

fn folder(database: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/formats")
        .join(database)
}

/// Returns what is kept of a database's formats, oldest first.
pub(crate) fn kept(database: &str) -> Vec<Format> {
    let mut formats = Vec::new();
    for entry in std::fs::read_dir(folder(database)).unwrap() {
        let path = entry.unwrap().path();
        let number = path.file_stem().unwrap().to_str().unwrap();
        let statements = std::fs::read_to_string(&path).unwrap();
        formats.push((number.parse().unwrap(), statements));
    }
    formats.sort();
    assert!(!formats.is_empty(), "no format is kept of {database}");
    formats
}

/// Tells whether the newest format is to be written anew.
pub(crate) fn is_to_be_written() -> bool {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever makes a release asks for it"
    )]
    let write = std::env::var(WRITE);
    write.is_ok()
}

/// Writes what a program dumps of a database as the fixture of its format.
pub(crate) fn write(database: &str, format: u32, head: &str, dump: &mut Command) {
    let output = dump.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Lines of a backslash are for the program that reads them usually.
    let lines = text.lines().filter(|line| !line.starts_with('\\'));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    let path = folder(database).join(format!("{format:04}.sql"));
    std::fs::write(path, format!("{head}{text}")).unwrap();
}

/// Asserts that what grew into the present format is what is made in it.
#[track_caller]
pub(crate) fn assert_same_schema(from: u32, grown: &[String], made: &[String]) {
    assert_eq!(
        grown, made,
        "format {from} comes to differ from a new database; tests/formats/README.md says what to do"
    );
}

fn connection() -> ConnectionId {
    ConnectionId::from_uuid(Uuid::from_u128(7))
}

fn key() -> SecretHash {
    SecretHash([7; 32])
}

/// Puts something of every kind into an empty store.
pub(crate) async fn fill<S: Store>(store: &S) {
    let id = connection();
    store.create_connection(new_connection(id)).await.unwrap();
    let key = ManagementKey {
        id: Uuid::from_u128(8),
        name: "first".to_owned(),
        hash: key(),
        created_at: second(1),
        revoked_at: None,
    };
    store.add_key(key, audit("key.created")).await.unwrap();
    let endpoint = endpoint(3);
    store.add_endpoint(&endpoint).await.unwrap();
    let fence = store.acquire(id).await.unwrap();
    let run = store.begin_run(&fence, new_run(Mode::Full)).await.unwrap();
    let run = run.run.id;
    let documents = vec![
        document(id, "1", "pump"),
        document(id, "2", "fan \u{0}'\\ ü"),
        document(id, "3", "?").quarantined("no name"),
    ];
    let mut first = page(run, documents);
    first.issues = vec![RowIssue::new(Some(RemoteKey::new("9")), "line 9", "short")];
    first.state = StreamState {
        completed_at: Some(second(2)),
        ..StreamState::default()
    };
    store.commit(&fence, first).await.unwrap();
    let mut next = page(run, vec![document(id, "2", "").deleted().seen_at(2)]);
    next.judgement = Judgement::Raise {
        suspicion: suspicion(SuspicionId::from_uuid(Uuid::from_u128(9)), run, 3),
        missing: None,
    };
    store.commit(&fence, next).await.unwrap();
    let fan_out = FanOut {
        connection: id,
        from: 0,
        to: 2,
        messages: vec![message(&endpoint, id, 2)],
    };
    assert!(store.fan_out(fan_out).await.unwrap());
    let end = finish(run, Outcome::Partial);
    store.finish_run(&fence, end).await.unwrap();
}

/// Looks at all of it, and writes on.
pub(crate) async fn check<F: Fixture>(store: &F::Store) {
    let id = connection();
    let all = ConnectionFilter {
        limit: 9,
        ..ConnectionFilter::default()
    };
    let found = store.connections(&all).await.unwrap();
    assert_eq!((found.len(), found[0].id), (1, id));
    assert_eq!(found[0].sealed, new_connection(id).sealed);
    assert!(store.key_by_hash(&key()).await.unwrap().is_some());
    let token = new_connection(id).token.hash;
    assert!(store.token_by_hash(&token).await.unwrap().is_some());
    let deliveries = DeliveryFilter {
        limit: 9,
        ..DeliveryFilter::default()
    };
    assert_eq!(store.deliveries(&deliveries).await.unwrap().len(), 1);
    assert_eq!(store.endpoints().await.unwrap().len(), 1);
    let pending = store.pending(9).await.unwrap();
    assert_eq!((pending.len(), pending[0].from), (1, 2));
    let suspicions = RecordReader::suspicions(store, id, 9).await.unwrap();
    assert_eq!((suspicions.len(), suspicions[0].suspicion.missing), (1, 3));
    let quarantine = QuarantineQuery {
        connection: id,
        listings: [(ENTITY, STREAM)].into(),
        after: None,
        limit: 9,
    };
    let quarantined = store.quarantine(&quarantine).await.unwrap().rows;
    assert_eq!(quarantined.len(), 2);
    assert_eq!(store.runs(id, None, 9).await.unwrap().len(), 1);

    let fence = store.acquire(id).await.unwrap();
    assert_eq!(fence.epoch, 2);
    let begun = store.begin_run(&fence, new_run(Mode::Full)).await.unwrap();
    assert!(!begun.initial);
    let run = begun.run.id;
    let lane = Lane::<F> {
        store,
        id,
        fence,
        run,
    };
    assert_eq!(lane.events().await.len(), 4);
    let pump = lane.record("1").await;
    assert_eq!(pump.content(), r#"{"name":"pump"}"#);
    assert!(lane.record("2").await.envelope().deleted);
    assert!(lane.known("3").await.unwrap().mapped_by.is_empty());
    let page = vec![
        lane.document("1", "other").seen_at(9),
        lane.document("4", "belt"),
    ];
    let outcome = lane.commit(page).await;
    assert_eq!((outcome.changed.len(), outcome.created.len()), (1, 1));
    assert_eq!(lane.records(Resource::Asset).await.len(), 3);
    let end = finish(run, Outcome::Complete);
    store.finish_run(&fence, end).await.unwrap();
    let events = lane.events().await;
    assert_eq!(events.last().unwrap().sequence, 7);
    assert!(events.is_sorted_by(|a, b| a.sequence < b.sequence && a.time < b.time));
}
