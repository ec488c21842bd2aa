//! Keys, tokens, and what is written when.

use std::sync::Arc;

use secrecy::ExposeSecret;
use wrenchtime_connector::{Settings, SystemName};
use wrenchtime_model::EventBody;
use wrenchtime_service::{Actor, Connect, Error, Principal, Schedule, State};

use crate::fixture::{Fixture, clock};

#[tokio::test]
async fn a_first_key_is_made_once() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(clock())).await;
    let service = &fixture.service;
    // Who has it was shown it, and one that could not be shown is not kept.
    let unseen = service.draw_first_key().await.unwrap().unwrap();
    let principal = service.authenticate(unseen.secret.expose_secret()).await;
    assert_eq!(
        principal.unwrap(),
        Some(Principal::Management(unseen.key.clone()))
    );
    assert_eq!(service.keys().await.unwrap(), []);
    let actor = Actor::CommandLine;
    assert!(service.revoke_key(unseen.key.id, &actor).await.unwrap());
    let principal = service.authenticate(unseen.secret.expose_secret()).await;
    assert_eq!(principal.unwrap(), None);
    let unseen = service.draw_first_key().await.unwrap().unwrap();
    let first = service.draw_first_key().await.unwrap().unwrap();
    let principal = service.authenticate(unseen.secret.expose_secret()).await;
    assert_eq!(principal.unwrap(), None);
    service.keep_first_key(&first.key).await.unwrap();
    assert!(service.draw_first_key().await.unwrap().is_none());
    let secret = first.secret.expose_secret().to_owned();
    let principal = fixture.service.authenticate(&secret).await.unwrap();
    assert_eq!(principal, Some(Principal::Management(first.key.clone())));
    assert!(
        fixture
            .service
            .revoke_key(first.key.id, &actor)
            .await
            .unwrap()
    );
    assert!(
        !fixture
            .service
            .revoke_key(first.key.id, &actor)
            .await
            .unwrap()
    );
    assert_eq!(fixture.service.authenticate(&secret).await.unwrap(), None);
    // A revoked key is a key: no other first one is made.
    assert!(fixture.service.draw_first_key().await.unwrap().is_none());
    fixture.close().await;
}

#[tokio::test]
async fn a_token_is_void_with_its_connection() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(clock())).await;
    let settings = Settings::new([("name", "Plant"), ("secret", "secret")]);
    let request = Connect::new(SystemName::from_static("memory"), settings)
        .with_name("Plant 7")
        .with_schedule(Schedule::OnDemand);
    let actor = Actor::CommandLine;
    let connected = fixture.service.connect(request, &actor).await.unwrap();
    let (id, token) = (connected.connection.id, connected.token.expose_secret());
    assert_eq!(connected.connection.name, "Plant 7");
    assert_eq!(connected.connection.account.identity, "memory-account");
    let principal = fixture.service.authenticate(token).await.unwrap();
    assert!(matches!(principal, Some(Principal::Connection(one)) if one.id == id));
    fixture.service.disconnect(id, &actor).await.unwrap();
    assert_eq!(fixture.service.authenticate(token).await.unwrap(), None);
    let error = fixture.service.disconnect(id, &actor).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::State {
                state: State::Disconnected,
                ..
            }
        ),
        "{error}"
    );
    let events = fixture.events(id).await;
    assert_eq!(events.len(), 1);
    assert!(
        matches!(&events[0].body, EventBody::Lifecycle { data, .. } if data["name"] == "Plant 7")
    );
    fixture.close().await;
}

#[tokio::test]
async fn nothing_is_stored_of_what_was_refused() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::new(directory.path(), Arc::new(clock())).await;
    let system = |name| SystemName::from_static(name);
    let good = [("name", "Plant"), ("secret", "secret")];
    let wrong = [("name", "Plant"), ("secret", "wrong")];
    for request in [
        Connect::new(system("nothing"), Settings::new(good)),
        Connect::new(system("memory"), Settings::new(wrong)),
        Connect::new(system("memory"), Settings::new([("name", "Plant")])),
        Connect::new(system("memory"), Settings::new(good)).with_name("\u{7}"),
    ] {
        let refused = fixture.service.connect(request, &Actor::CommandLine).await;
        assert!(!refused.unwrap_err().to_string().contains("wrong"));
    }
    let filter = wrenchtime_service::storage::ConnectionFilter {
        limit: 10,
        ..Default::default()
    };
    assert!(
        fixture
            .service
            .connections(&filter)
            .await
            .unwrap()
            .is_empty()
    );
    fixture.close().await;
}
