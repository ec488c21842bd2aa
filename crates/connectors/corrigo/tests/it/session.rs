use std::sync::Arc;
use std::time::Duration;

use wiremock::ResponseTemplate;
use wrenchtime_connector::{ErrorKind, Factory};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_transport::{Runtime, RuntimeOptions};

use crate::support::{Host, context, located, page, refused, rows};

const TOKEN: &str = "/OAuth/token";
const LOCATOR: &str = "/api/v1/cmd/GetCompanyWsdkUrlCommand";
const ZONES: &str = "/api/v1/query/WorkZone";

#[tokio::test]
async fn a_check_asks_for_token_locator_and_one_row() {
    let host = Host::start(|_, _| None).await;
    let account = host.connector().check(&context()).await.unwrap();
    assert_eq!(
        (account.identity.as_str(), account.display_name.as_str()),
        ("1001", "Northwind Facilities")
    );
    assert_eq!(account.server_version.as_deref(), Some("9.8.0.0"));
    assert_eq!(host.paths(), [TOKEN, LOCATOR, ZONES]);
    let seen = host.seen();
    assert_eq!(seen[2].expression()["Count"], 1);
    assert!(seen[0].body.contains("grant_type=client_credentials") && seen[0].token.is_none());
}

#[tokio::test]
async fn gotcha_19_every_call_names_the_company_and_carries_the_token() {
    let host = Host::start(|_, _| None).await;
    host.connector().check(&context()).await.unwrap();
    for seen in &host.seen()[1..] {
        assert_eq!(
            seen.company.as_deref(),
            Some("Northwind Facilities"),
            "{}",
            seen.path
        );
        assert_eq!(
            seen.token.as_deref(),
            Some("Bearer token-1"),
            "{}",
            seen.path
        );
    }
}

#[tokio::test]
async fn gotcha_1_an_expired_token_is_renewed_once_and_the_query_sent_again() {
    let host = Host::start(|seen, nth| {
        (seen.path == ZONES && nth == 1).then(|| refused(403, "EXPIRED_TOKEN"))
    })
    .await;
    host.connector().check(&context()).await.unwrap();
    assert_eq!(host.paths(), [TOKEN, LOCATOR, ZONES, TOKEN, ZONES]);
    assert_eq!(host.seen()[4].token.as_deref(), Some("Bearer token-2"));
}

#[tokio::test]
async fn another_refusal_with_403_is_final() {
    let host = Host::start(|seen, _| {
        (seen.path == ZONES).then(|| refused(403, "MISSING_AUTHORIZATION_SCHEME"))
    })
    .await;
    let error = host.connector().check(&context()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(host.paths(), [TOKEN, LOCATOR, ZONES]);
}

#[tokio::test]
async fn the_host_is_looked_up_again_with_each_new_token() {
    let host = Host::start(|_, _| None).await;
    let connector = host.connector();
    connector.check(&context()).await.unwrap();
    connector.check(&context()).await.unwrap();
    assert_eq!(host.paths(), [TOKEN, LOCATOR, ZONES, ZONES]);
    host.clock.advance(Duration::from_secs(1200));
    connector.check(&context()).await.unwrap();
    connector.check(&context()).await.unwrap();
    // The old host is asked with the new token once, which is what shows that the token is new.
    let after: Vec<String> = host.paths().split_off(4);
    assert_eq!(after.iter().filter(|path| *path == TOKEN).count(), 1);
    assert_eq!(after.iter().filter(|path| *path == LOCATOR).count(), 1);
}

#[tokio::test]
async fn gotcha_2_a_company_that_moved_is_looked_up_once_and_the_query_sent_again() {
    let host = Host::start(|seen, nth| {
        (seen.path == ZONES && nth == 1).then(|| refused(400, "DATABASE_VERSION_MISMATCH"))
    })
    .await;
    host.connector().check(&context()).await.unwrap();
    assert_eq!(host.paths(), [TOKEN, LOCATOR, ZONES, LOCATOR, ZONES]);

    let host = Host::start(|seen, _| {
        (seen.path == ZONES).then(|| refused(400, "DATABASE_VERSION_MISMATCH"))
    })
    .await;
    let error = host.connector().check(&context()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        host.paths(),
        [TOKEN, LOCATOR, ZONES, LOCATOR, ZONES],
        "once, and no more"
    );
}

#[tokio::test]
async fn a_wrong_secret_needs_new_credentials() {
    for status in [400, 401, 403] {
        let host = Host::start(move |seen, _| {
            let body = serde_json::json!({"error": "invalid_client"});
            (seen.path == TOKEN).then(|| ResponseTemplate::new(status).set_body_json(body))
        })
        .await;
        let error = host.connector().check(&context()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReauthorizationRequired, "{status}");
        assert!(!format!("{error:?} {error}").contains("canary"));
        assert!(host.paths().iter().all(|path| path == TOKEN));
    }
}

#[tokio::test]
async fn an_unknown_company_is_named_with_what_to_do() {
    let host =
        Host::start(|seen, _| (seen.path == LOCATOR).then(|| refused(400, "CUSTOM_COMMAND_ERROR")))
            .await;
    let error = host.connector().check(&context()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.fields()[0].field, "company");
    assert!(
        error.to_string().contains("exactly, capitals included"),
        "{error}"
    );
}

#[tokio::test]
async fn an_address_that_may_not_be_reached_is_not_blamed_on_the_company() {
    let host = Host::start(|_, _| None).await;
    let runtime = Runtime::new(RuntimeOptions::new(Arc::new(host.clock.clone()))).unwrap();
    let connector = CorrigoFactory::new(runtime)
        .connect(&host.settings())
        .unwrap();
    let error = connector.check(&context()).await.unwrap_err();
    assert!(!error.to_string().contains("capitals"), "{error}");
    assert!(error.to_string().contains("allow"), "{error}");
    assert!(host.paths().is_empty());
}

#[tokio::test]
async fn a_fault_inside_a_success_is_a_fault() {
    let host = Host::start(|seen, _| {
        let body =
            serde_json::json!({"CommandResult": {"ErrorInfo": {"Number": 1, "Description": "no"}}});
        (seen.path == LOCATOR).then(|| ResponseTemplate::new(200).set_body_json(body))
    })
    .await;
    assert_eq!(
        host.connector().check(&context()).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_named() {
    let host = Host::start(|seen, _| {
        // Nothing listens on the port of the discard service.
        let reply = ResponseTemplate::new(200).set_body_json(located("http://127.0.0.1:9/"));
        (seen.path == LOCATOR).then_some(reply)
    })
    .await;
    let error = host.connector().check(&context()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_locator_of_the_older_face_is_understood() {
    let host = Host::start(|_, _| None).await;
    let url = format!("{}/wsdk/CorrigoService.asmx", host.server.uri());
    let old = Host::start(move |seen, _| {
        (seen.path == LOCATOR).then(|| ResponseTemplate::new(200).set_body_json(located(&url)))
    })
    .await;
    old.connector().check(&context()).await.unwrap();
    assert_eq!(host.paths(), [ZONES]);
}

#[tokio::test]
async fn requests_of_a_page_are_counted() {
    let host = Host::start(|seen, _| {
        seen.path
            .ends_with("/Employee")
            .then(|| rows(&[serde_json::json!({"Id": 1, "ConcurrencyId": 1})]))
    })
    .await;
    let connector = host.connector();
    let first = connector
        .read_page(&context(), page("employee-sweep"))
        .await
        .unwrap();
    let second = connector
        .read_page(&context(), page("employee-sweep"))
        .await
        .unwrap();
    assert_eq!(
        (first.requests, second.requests),
        (2, 1),
        "locator and query, then query alone"
    );
}
