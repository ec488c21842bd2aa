//! A row that cannot be read reaches whoever can mend it.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::support::{Home, exports};

/// Rows that are cut short, counted from the header on line 1.
const SHORT: [usize; 2] = [3, 8];
const NOTED: &str = "rows could not be read or mapped";

/// Cuts rows of a file after their first cell, and has it written a while ago.
fn cut(file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    for line in SHORT {
        lines[line - 1] = lines[line - 1].split(',').next().unwrap();
    }
    fs::write(file, lines.join("\r\n")).unwrap();
    let file = File::options().write(true).open(file).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - Duration::from_secs(60))
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_row_is_told_by_file_and_line_until_it_is_mended() {
    let home = Home::new();
    let plant = exports(&home.path("exports"), 63, 20);
    cut(&home.path("exports").join("parts.csv"));
    let folder = format!("folder={}", home.path("exports").display());
    let connected = home
        .run([
            "connect",
            "express-maintenance",
            "--json",
            "--set",
            &folder,
            "--set",
            "time_zone=America/Chicago",
        ])
        .await
        .json();
    let id = connected[0]["id"].as_str().unwrap();
    let token = connected[0]["token"].as_str().unwrap();

    let synced = home.run(["sync", id]).await;
    let noted = synced.stderr.matches(NOTED).count();
    assert_eq!(noted, 1, "{}", synced.stderr);
    assert!(synced.stderr.contains("told above"), "{}", synced.stderr);
    let said = synced.succeeded();
    for line in SHORT {
        let place = format!("\nparts.csv, line {line}, column ");
        assert_eq!(said.matches(&place).count(), 1, "{said}");
    }
    let listed = home.run(["quarantine", id]).await.succeeded();
    assert!(
        said.ends_with(&listed) && listed.lines().count() == 2,
        "{listed}"
    );
    let rows = home.run(["quarantine", id, "--json"]).await.json();
    assert_eq!(rows[0].as_array().unwrap().len(), 2);

    let server = home.serve().await;
    let shown = server.api.with_key(token).all("/v1/quarantine").await;
    assert_eq!(serde_json::Value::from(shown), rows[0]);
    let (first, reason) = (&rows[0][0]["place"], &rows[0][0]["reason"]);
    assert!(
        first.as_str().unwrap().starts_with("parts.csv, line 3,"),
        "{first}"
    );
    assert!(reason.as_str().unwrap().contains("cells"), "{reason}");

    plant.write();
    let run = server.api.sync(id).await;
    assert_eq!(run["outcome"], "complete", "{run:#}");
    assert!(!server.stderr().contains(NOTED));
    let mended = home.run(["quarantine", id]).await.succeeded();
    assert_eq!(mended, "");
    server.terminate(20).await.succeeded();
}
