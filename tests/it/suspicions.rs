//! A file that lost rows reaches whoever can say whether they are gone.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::support::{Home, exports};

/// Splits a file into its header and rows. A quoted cell may hold line ends.
fn records(text: &str) -> Vec<String> {
    let mut records = vec![String::new()];
    for line in text.split_inclusive("\r\n") {
        let last = records.last_mut().unwrap();
        last.push_str(line);
        if last.matches('"').count().is_multiple_of(2) {
            records.push(String::new());
        }
    }
    records.pop();
    records
}

/// Leaves the header and a third of the rows, and has the file written a while ago. Returns how many there were and are.
fn shorten(file: &Path) -> (u64, u64) {
    let text = fs::read_to_string(file).unwrap();
    let lines = records(&text);
    let rows = lines.len() - 1;
    fs::write(file, lines[..=rows / 3].concat()).unwrap();
    let file = File::options().write(true).open(file).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - Duration::from_secs(60))
        .unwrap();
    let number = |rows: usize| u64::try_from(rows).unwrap();
    (number(rows), number(rows / 3))
}

/// Connects the folder of exports, and returns the connection.
async fn connect(home: &Home) -> String {
    let folder = format!("folder={}", home.path("exports").display());
    let arguments = ["connect", "express-maintenance", "--json", "--set", &folder];
    let zone = ["--set", "time_zone=America/Chicago"];
    let connected = home.run(arguments.into_iter().chain(zone)).await.json();
    connected[0]["id"].as_str().unwrap().to_owned()
}

/// Returns the id of the one suspicion that stands.
async fn standing(home: &Home, connection: &str) -> String {
    let listed = home.run(["suspicions", connection, "--json"]).await.json();
    let all = listed[0].as_array().unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    all[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shrunken_file_removes_nothing_until_it_is_confirmed() {
    let home = Home::new();
    let plant = exports(&home.path("exports"), 63, 60);
    let id = connect(&home).await;
    let id = id.as_str();
    let (all, left) = shorten(&home.path("exports").join("parts.csv"));

    let said = home.run(["sync", id]).await.succeeded();
    let lacks = format!(": {} of {all} rows are missing since ", all - left);
    assert!(said.contains(&lacks), "{lacks} is not in {said}");
    let first = standing(&home, id).await;
    let hint = format!("wrenchtime suspicions confirm {id} {first}");
    assert_eq!(said.matches(&hint).count(), 1, "{said}");
    let listed = home.run(["suspicions", id]).await.succeeded();
    assert!(
        listed.starts_with(&first) && listed.lines().count() == 1,
        "{listed}"
    );
    let more = format!(" and {} more", all - left - 20);
    assert!(listed.contains(&more), "{listed}");

    home.run(["suspicions", "reject", id, &first])
        .await
        .succeeded();
    assert_eq!(home.run(["suspicions", id]).await.succeeded(), "");
    home.run(["sync", id]).await.succeeded();
    let second = standing(&home, id).await;
    assert_ne!(second, first);
    let stale = home.run(["suspicions", "confirm", id, &first]).await;
    assert!(
        stale.stderr.contains("no such suspicion"),
        "{}",
        stale.stderr
    );

    let server = home.serve().await;
    let records = format!("/v1/connections/{id}/sync-status");
    let count = async || {
        let status = server.api.get(&records).await;
        let resources = status["resources"].as_array().unwrap().iter();
        let mut parts = resources.filter(|one| one["resource"] == "part");
        parts.next().unwrap()["records"].as_u64().unwrap()
    };
    assert_eq!(count().await, all);
    let confirmed = home.run(["suspicions", "confirm", id, &second]).await;
    assert!(
        !confirmed.stderr.contains("partial"),
        "{}",
        confirmed.stderr
    );
    confirmed.succeeded();
    assert_eq!(count().await, left);
    assert_eq!(home.run(["suspicions", id]).await.succeeded(), "");

    // What comes back is there again.
    plant.write();
    let run = server.api.sync(id).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    assert_eq!(count().await, all);
    server.terminate(20).await.succeeded();
}
