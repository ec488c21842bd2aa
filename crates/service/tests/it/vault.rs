//! The master key and what is sealed under it.

use std::sync::Arc;

use wrenchtime_memory::MemorySource;
use wrenchtime_service::{Error, MasterKey, Schedule, VaultError};

use crate::fixture::{Fixture, clock};

#[tokio::test]
async fn another_master_key_opens_nothing_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let clock = Arc::new(clock());
    let source = MemorySource::new();
    let key = MasterKey::generate();
    let open = async |key: &MasterKey| {
        Fixture::open(directory.path(), Arc::clone(&clock) as _, &source, key).await
    };
    let fixture = open(&key).await.unwrap();
    let id = fixture.connect(Schedule::OnDemand, false).await;
    fixture.close().await;

    let error = open(&MasterKey::generate()).await.err().unwrap();
    assert!(
        matches!(error, Error::Vault(VaultError::WrongKey)),
        "{error}"
    );
    assert!(error.to_string().contains("give the right one"), "{error}");

    let fixture = open(&key).await.unwrap();
    assert_eq!(fixture.service.connection(id).await.unwrap().id, id);
    fixture.close().await;
}

#[tokio::test]
async fn no_secret_stands_in_the_files() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(clock())).await;
    fixture.source.set_secret("hunter2-hunter2-hunter2");
    let settings = wrenchtime_connector::Settings::new([
        ("name", "Plant"),
        ("secret", "hunter2-hunter2-hunter2"),
    ]);
    let request = wrenchtime_service::Connect::new(
        wrenchtime_connector::SystemName::from_static("memory"),
        settings,
    );
    let actor = wrenchtime_service::Actor::CommandLine;
    let connected = fixture.service.connect(request, &actor).await.unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&connected.token).to_owned();
    fixture.close().await;
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += usize::from(!bytes.is_empty());
        for secret in ["hunter2-hunter2", token.as_str()] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
    assert!(files > 0);
}
