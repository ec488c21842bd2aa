//! What goes wrong: one clear sentence, an exit code that is not 0, and nothing half-written.

use std::fs;
use std::net::TcpListener;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use wrenchtime_sandbox::corrigo::CorrigoSandbox;

use crate::support::{Ended, Home, Invocation, corrigo, corrigo_settings, exports};

/// A secret that must show up nowhere.
const CANARY: &str = "canary-9f2c-do-not-show";
const SECRET: &str = "WRENCHTIME_SETTING_CLIENT_SECRET";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_refused() {
    let tenant = corrigo(61, 10).await;
    let home = Home::new();
    let ended = connect(&home, &tenant, &[])
        .env(SECRET, CANARY)
        .env("WRENCHTIME_LOG", "trace")
        .run()
        .await;
    ended.refused(&["client id and secret are not accepted", "check both"]);
    check_no_connection(&home).await;
    home.assert_nowhere(CANARY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_a_problem_of_the_api() {
    let tenant = corrigo(61, 10).await;
    let home = Home::new();
    let server = home.serve().await;
    let mut settings = corrigo_settings(&tenant);
    settings["client_secret"] = Value::from(CANARY);
    let body = json!({ "system": "corrigo", "settings": settings });
    let (status, problem) = server
        .api
        .call(Method::POST, "/v1/connections", Some(&body))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert_eq!(problem["code"], "credentials_refused");
    assert_eq!(problem["type"], "/problems/credentials_refused");
    assert!(!problem.to_string().contains(CANARY));
    let connections = server.api.get("/v1/connections").await;
    assert_eq!(connections["data"], json!([]));
    server.terminate(20).await.succeeded();
    home.assert_nowhere(CANARY);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_company_is_refused() {
    let tenant = corrigo(61, 10).await;
    let home = Home::new();
    let ended = connect(&home, &tenant, &[("company", "Nobody Inc.")])
        .env(SECRET, tenant.client_secret())
        .run()
        .await;
    ended.refused(&["company", "exactly", "region"]);
    check_no_connection(&home).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreachable_host_is_told_with_its_address() {
    let tenant = corrigo(61, 10).await;
    let home = Home::new();
    let address = {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().to_string()
    };
    let url = format!("http://{address}/");
    let ended = connect(&home, &tenant, &[("locator_url", &url)])
        .env(SECRET, tenant.client_secret())
        .run()
        .await;
    ended.refused(&["cannot connect to", &address, "check the address"]);
    check_no_connection(&home).await;
}

#[tokio::test]
async fn a_missing_folder_is_refused() {
    let home = Home::new();
    let absent = home.path("absent");
    let folder = format!("folder={}", absent.display());
    let ended = home
        .run(["connect", "express-maintenance", "--set", &folder])
        .await;
    ended.refused(&[absent.to_str().unwrap(), "does not exist", "create it"]);
    let ended = home
        .run(["connect", "express-maintenance", "--set", "folder=/"])
        .await;
    ended.refused(&["outside the folders", "allowed folders"]);
    check_no_connection(&home).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused() {
    let home = Home::new();
    exports(&home.path("exports"), 62, 20);
    let file = home.path("exports").join("parts.csv");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let ended = connect_exports(&home).await;
    ended.refused(&["parts.csv", "is a folder", "regular file"]);
    check_no_connection(&home).await;
}

#[tokio::test]
async fn an_unknown_column_is_refused() {
    let home = Home::new();
    exports(&home.path("exports"), 62, 20);
    let file = home.path("exports").join("vendors.csv");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("Phone", "Telephone", 1)).unwrap();
    let ended = connect_exports(&home).await;
    ended.refused(&["vendors.csv", "Phone", "correct the profile or the export"]);
    check_no_connection(&home).await;
}

#[tokio::test]
async fn a_port_in_use_leaves_no_trace() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = home.run(["serve", "--listen", &address]).await;
    ended.refused(&["cannot listen on", &address, "--listen"]);
    assert!(!home.data().exists());
}

#[tokio::test]
async fn a_data_directory_that_is_none_is_refused() {
    let home = Home::new();
    // Modes would not stop a test that runs as root.
    fs::write(home.data(), "not a directory").unwrap();
    let ended = home.run(["serve", "--listen", "127.0.0.1:0"]).await;
    ended.refused(&["the data directory", "cannot be used", "name another"]);
    assert_eq!(fs::read(home.data()).unwrap(), b"not a directory");
}

#[tokio::test]
async fn bad_configuration_is_named() {
    let home = Home::new();
    let file = home.path("wrenchtime.toml");
    let path = file.to_str().unwrap();
    fs::write(&file, "colour = \"red\"\n").unwrap();
    let serve = ["--config", path, "serve", "--listen", "127.0.0.1:0"];
    let ended = home.run(serve).await;
    ended.refused(&[path, "unknown field `colour`", "data_dir"]);

    fs::write(&file, "sync_interval_seconds = 5\n").unwrap();
    let ended = home.run(serve).await;
    ended.refused(&[path, "`sync_interval_seconds` is 5", "60 to 86400"]);

    fs::remove_file(&file).unwrap();
    let ended = home.run(serve).await;
    ended.refused(&["cannot read the configuration", path]);

    for (name, value, word) in [
        ("WRENCHTIME_COLOUR", "red", "is not known"),
        ("WRENCHTIME_LISTEN", "here", "127.0.0.1:8321"),
        ("WRENCHTIME_LOG", "=", "`log`"),
    ] {
        let serve = home.wrenchtime(["serve"]).env(name, value);
        serve.run().await.refused(&[word]);
    }
    assert!(!home.data().exists());
}

#[tokio::test]
async fn a_wrong_master_key_is_refused() {
    let home = started_once().await;
    let before = home.snapshot();
    let serve = || home.wrenchtime(["serve", "--listen", "127.0.0.1:0"]);
    let wrong = "0123456789abcdef".repeat(4);
    let ended = serve().env("WRENCHTIME_MASTER_KEY", &wrong).run().await;
    ended.refused(&["master key is not the one", "give the right one"]);
    let ended = serve().env("WRENCHTIME_MASTER_KEY", CANARY).run().await;
    ended.refused(&["64 hexadecimal digits", "WRENCHTIME_MASTER_KEY"]);
    assert_eq!(home.snapshot(), before);
    home.assert_nowhere(&wrong);
    home.assert_nowhere(CANARY);
    check_still_works(&home).await;
}

#[tokio::test]
async fn a_missing_master_key_is_not_made_anew() {
    let home = started_once().await;
    let key = home.data().join("master.key");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let before = files_but_the_database(&home);
    let serve = || home.wrenchtime(["serve", "--listen", "127.0.0.1:0"]);
    let ended = serve().run().await;
    ended.refused(&["master.key is missing", "put the file back"]);
    let ended = serve()
        .env("WRENCHTIME_MASTER_KEY_FILE", home.path("elsewhere"))
        .run()
        .await;
    ended.refused(&["cannot read the master key", "elsewhere"]);
    assert_eq!(files_but_the_database(&home), before);
    fs::write(&key, kept).unwrap();
    check_still_works(&home).await;
}

#[tokio::test]
async fn a_data_directory_serves_one_process() {
    let home = Home::new();
    let server = home.serve().await;
    let before = files_but_the_database(&home);
    let ended = home.run(["serve", "--listen", "127.0.0.1:0"]).await;
    ended.refused(&["in use by another process", "name another directory"]);
    assert_eq!(files_but_the_database(&home), before);
    assert_eq!(server.api.get("/v1/connections").await["data"], json!([]));
    server.terminate(20).await.succeeded();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_not_taken_as_an_argument() {
    let tenant = corrigo(61, 10).await;
    let home = Home::new();
    let ended = connect(&home, &tenant, &[("client_secret", CANARY)])
        .run()
        .await;
    ended.refused(&["client_secret is a secret", SECRET]);
    let ended = home.run(["connect", "corrigo", "--set", CANARY]).await;
    ended.refused(&["NAME=VALUE"]);
    let ended = connect(&home, &tenant, &[]).run().await;
    ended.refused(&["client_secret", SECRET]);
    check_no_connection(&home).await;
    home.assert_nowhere(CANARY);
}

#[tokio::test]
async fn an_unknown_system_is_refused() {
    let home = Home::new();
    let ended = home.run(["connect", "abacus"]).await;
    ended.refused(&["abacus", "wrenchtime systems"]);
    check_no_connection(&home).await;
}

/// Prepares `connect corrigo` with the tenant's settings, the secret left out and these ones laid over.
fn connect(home: &Home, tenant: &CorrigoSandbox, over: &[(&str, &str)]) -> Invocation {
    let mut settings = corrigo_settings(tenant);
    settings.as_object_mut().unwrap().remove("client_secret");
    for (name, value) in over {
        settings[*name] = Value::from(*value);
    }
    let mut arguments = vec!["connect".to_owned(), "corrigo".to_owned()];
    for (name, value) in settings.as_object().unwrap() {
        arguments.push("--set".to_owned());
        arguments.push(format!("{name}={}", value.as_str().unwrap()));
    }
    home.wrenchtime(arguments.iter().map(String::as_str))
}

async fn connect_exports(home: &Home) -> Ended {
    let folder = format!("folder={}", home.path("exports").display());
    home.run(["connect", "express-maintenance", "--set", &folder])
        .await
}

async fn check_no_connection(home: &Home) {
    let listed = home.run(["connections", "list", "--json"]).await.json();
    assert_eq!(listed, [json!([])]);
}

/// Returns a home whose service ran and ended.
async fn started_once() -> Home {
    let home = Home::new();
    let server = home.serve().await;
    server.terminate(20).await.succeeded();
    home
}

/// Returns every file of the data directory but those that a database touches when it is opened.
fn files_but_the_database(home: &Home) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = home.snapshot();
    files.retain(|(path, _)| !path.to_string_lossy().contains("wrenchtime.db"));
    assert!(!files.is_empty());
    files
}

/// Fails unless the service starts with what is there, and takes the key that it gave out before.
async fn check_still_works(home: &Home) {
    let server = home.serve().await;
    assert_eq!(server.api.get("/v1/connections").await["data"], json!([]));
    let ended = server.terminate(20).await;
    assert!(
        !ended.stdout.contains("shown this once"),
        "{}",
        ended.stdout
    );
    ended.succeeded();
}
