//! Configuration that cannot be meant: refused in a sentence before anything is made, or warned of where it may turn out
//! well.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ended, Home, exports};

/// A secret that must show up nowhere.
const CANARY: &str = "canary-77c1-do-not-show";

#[tokio::test]
async fn mistakes_in_the_file_are_refused_with_their_line() {
    for (text, words) in [
        ("[serve]\nport = 1\n", ["line 1", "unknown field `serve`"]),
        ("\ncolour = \"red\"\n", ["line 2", "unknown field `colour`"]),
        ("listen = \"127.0.0.1\"\n", ["`listen`", "127.0.0.1:8321"]),
        ("log = \"loud\"\n", ["`log`", "target=level"]),
        ("log = \"hyper=loud\"\n", ["\"loud\"", "levels are off"]),
        ("log_format = \"xml\"\n", ["`log_format`", "text or json"]),
        ("data_dir = \"\"\n", ["`data_dir` is empty", "write a path"]),
        ("master_key_file = \"\"\n", ["`master_key_file`", "empty"]),
        ("sync_interval_seconds = 0\n", ["is 0", "60 to 86400"]),
        ("sync_interval_seconds = -5\n", ["is -5", "60 to 86400"]),
        ("sync_interval_seconds = \"x\"\n", ["line 1", "60 to 86400"]),
        ("allow = \"10.0.0.0/8\"\n", ["`allow`", "[\"10.2.0.0/16\"]"]),
        ("allow = [\"10.0.0.0/64\"]\n", ["10.0.0.0/64", "network"]),
        (
            "allow = [\"10.0.0.0/8\", \"169.254.169.254\"]\n",
            [
                "`169.254.169.254` is a cloud metadata service",
                "take it out",
            ],
        ),
        (
            "folders = [\"\"]\n",
            ["`folders` has an empty entry", "take"],
        ),
        ("folders = \"/srv\"\n", ["`folders`", "[\"/srv/exports\"]"]),
    ] {
        refused_by_file(text.as_bytes(), &words).await;
    }
    refused_by_file(b"log = \"\xff\"\n", &["wrenchtime.toml", "UTF-8"]).await;
}

#[tokio::test]
async fn mistakes_in_the_environment_are_refused_with_their_variable() {
    for (name, value, word) in [
        ("WRENCHTIME_DATA_DIR", "", "`data_dir` is empty"),
        ("WRENCHTIME_CONFIG", "", "name a file, or unset it"),
        ("WRENCHTIME_LISTEN", "8321", "127.0.0.1:8321"),
        ("WRENCHTIME_LOG", "warning", "\"warning\" is no level"),
        ("WRENCHTIME_LOG", "", "a level is missing"),
        ("WRENCHTIME_FAILPOINT", "commit-insight:1", "commit-inside"),
        ("WRENCHTIME_FAILPOINT", "commit-inside", "name:N"),
        ("WRENCHTIME_LOG_FORMAT", "JSON", "text or json"),
        ("WRENCHTIME_MASTER_KEY", "", "64 hexadecimal digits"),
        ("WRENCHTIME_ALLOW", "fd00:ec2::254", "metadata service"),
        ("WRENCHTIME_ALLOW", "10.0.0.0/8,", "comma"),
        ("WRENCHTIME_SYNC_INTERVAL_SECONDS", "1e3", "60 to 86400"),
    ] {
        let home = Home::new();
        let ended = home.wrenchtime(["serve"]).env(name, value).run().await;
        ended.refused(&[name, word]);
        check_nothing_made(&home);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn variables_that_are_no_text_are_refused_when_they_are_ours() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let bytes = OsStr::from_bytes(b"canary-77c1-do-not-show\xff");
    let home = Home::new();
    for name in ["WRENCHTIME_LOG", "WRENCHTIME_SETTING_CLIENT_SECRET"] {
        let ended = home.wrenchtime(["serve"]).env(name, bytes).run().await;
        ended.refused(&[name, "not UTF-8", "set it anew"]);
    }
    check_nothing_made(&home);
    home.assert_nowhere(CANARY);
    let openapi = home.wrenchtime(["openapi"]).env("LESSOPEN", bytes);
    openapi.run().await.succeeded();
}

#[tokio::test]
async fn mistakes_in_flags_are_refused() {
    let many = u64::MAX.to_string();
    for (arguments, word) in [
        (vec!["serve", "--listen", "127.0.0.1"], "127.0.0.1:8321"),
        (vec!["serve", "--listen", "127.0.0.1:65536"], "IP address"),
        (vec!["serve", "--log", "loud"], "levels are off"),
        (vec!["serve", "--log-format", "xml"], "text, json"),
        (vec!["serve", "--data-dir", ""], "--data-dir"),
        (vec!["serve", "--config", ""], "--config"),
        (vec!["demo", "--work-orders", "0"], "1..=1000000"),
        (
            vec!["sandbox", "corrigo", "--work-orders", &many],
            "1..=1000000",
        ),
        (vec!["sandbox", "corrigo", "--port", "65536"], "65535"),
    ] {
        let home = Home::new();
        let ended = home.run(arguments).await;
        // 2 is how a command line says that it was not understood.
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        let told = ended.stderr;
        assert!(told.starts_with("error: ") && told.contains(word), "{told}");
        check_nothing_made(&home);
    }
}

#[tokio::test]
async fn a_folder_in_the_place_of_a_file_is_refused() {
    let home = Home::new();
    let folder = home.temporary();
    let path = folder.to_str().unwrap();
    let ended = home.run(["--config", path, "serve"]).await;
    ended.refused(&["cannot read the configuration", path, "name a TOML file"]);
    let ended = home
        .wrenchtime(["serve"])
        .env("WRENCHTIME_MASTER_KEY_FILE", path)
        .run()
        .await;
    ended.refused(&["cannot read the master key", path, "must name a file"]);
    check_nothing_made(&home);
}

#[tokio::test]
async fn what_may_be_a_key_is_not_shown() {
    let text = format!("master_key = \"{CANARY}\"\n");
    refused_by_file(text.as_bytes(), &["WRENCHTIME_MASTER_KEY"]).await;
    // A key file where the configuration should be.
    refused_by_file(CANARY.as_bytes(), &["line 1"]).await;
    let home = Home::new();
    let key = home.path("key");
    fs::write(&key, CANARY).unwrap();
    let ended = home
        .wrenchtime(["serve"])
        .env("WRENCHTIME_MASTER_KEY_FILE", &key)
        .run()
        .await;
    ended.refused(&["64 hexadecimal digits", key.to_str().unwrap()]);
    assert!(!ended.stderr.contains(CANARY), "{}", ended.stderr);
    check_nothing_made(&home);
}

#[tokio::test]
async fn a_file_among_the_folders_is_refused() {
    let home = Home::new();
    let file = home.path("units.csv");
    fs::write(&file, "No\n").unwrap();
    let below = file.join("below");
    for (path, word) in [
        (&file, "name the folder that holds the files"),
        (&below, "correct the path"),
    ] {
        for arguments in [vec!["serve", "--listen", "127.0.0.1:0"], vec!["systems"]] {
            let prepared = home.wrenchtime(arguments).env("WRENCHTIME_FOLDERS", path);
            let ended = prepared.run().await;
            ended.refused(&["`folders` lists", path.to_str().unwrap(), word]);
        }
    }
    check_nothing_made(&home);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_share_that_comes_back_is_read_without_a_restart() {
    let home = Home::new();
    let share = home.path("share");
    let outside = home.path("outside");
    fs::create_dir(&outside).unwrap();
    exports(&outside, 81, 20);
    let listed = format!("{0},{0}", share.display());
    let server = home
        .serve_as(
            home.wrenchtime(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
                .env("WRENCHTIME_FOLDERS", &listed),
        )
        .await;
    let warned = warnings(&server.stderr());
    let [warning] = warned.as_slice() else {
        panic!("{warned:#?}");
    };
    assert_eq!(warning["fields"]["folder"], share.to_str().unwrap());
    let message = warning["fields"]["message"].as_str().unwrap();
    assert!(message.contains("correct `folders`"), "{message}");

    let ended = connect(&home, &share.join("exports")).await;
    ended.refused(&["the allowed folder", share.to_str().unwrap(), "bring back"]);
    fs::create_dir(&share).unwrap();
    exports(&share.join("exports"), 82, 20);
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, share.join("leak")).unwrap();
    #[cfg(unix)]
    connect(&home, &share.join("leak"))
        .await
        .refused(&["outside the folders"]);
    let documents = connect(&home, &share.join("exports")).await.json();
    assert_eq!(documents[1]["outcome"], "complete", "{documents:#?}");
    assert_eq!(warnings(&server.stderr()).len(), 1);
    server.terminate(20).await.succeeded();
}

async fn connect(home: &Home, folder: &Path) -> Ended {
    let folder = format!("folder={}", folder.display());
    let settings = ["--set", &folder, "--set", "time_zone=America/Chicago"];
    let arguments = ["connect", "express-maintenance", "--json"];
    home.run(arguments.into_iter().chain(settings)).await
}

/// Returns the log lines that warn of a folder.
fn warnings(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    lines
        .filter(|line| line["level"] == json!("WARN") && !line["fields"]["folder"].is_null())
        .collect()
}

/// Fails unless `serve` refuses a configuration of these bytes with these words, shows no secret and makes nothing.
async fn refused_by_file(text: &[u8], words: &[&str]) {
    let home = Home::new();
    let file = home.path("wrenchtime.toml");
    fs::write(&file, text).unwrap();
    let path = file.to_str().unwrap();
    // What the home says in the environment would lie over the file.
    let ended = home
        .wrenchtime(["--config", path, "serve", "--listen", "127.0.0.1:0"])
        .env_remove("WRENCHTIME_FOLDERS")
        .run()
        .await;
    ended.refused(words);
    assert!(!ended.stderr.contains(CANARY), "{}", ended.stderr);
    check_nothing_made(&home);
}

#[track_caller]
fn check_nothing_made(home: &Home) {
    assert!(!home.data().exists());
    // The working directory: an empty path leads there.
    for name in ["wrenchtime.db", "master.key", "wrenchtime-data"] {
        assert!(!home.path(name).exists(), "{name} was made");
    }
}
