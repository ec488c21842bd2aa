//! What is told about a folder that does not fit, and who it is when it does.

use std::fs;

use wrenchtime_connector::{Context, ErrorKind, Factory, Settings};

use crate::folder::{Exports, From, VENDORS, page};

#[track_caller]
fn told(error: &wrenchtime_connector::Error, kind: ErrorKind, words: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(
            error.to_string().contains(word),
            "`{word}` is not in: {error}"
        );
    }
}

async fn check_error(exports: &Exports, settings: &[(&str, &str)]) -> wrenchtime_connector::Error {
    exports
        .connect(settings)
        .unwrap()
        .check(&Context::new("test"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_folder_that_fits_has_an_identity() {
    let exports = Exports::headers();
    let cx = Context::new("test");
    let account = exports.chicago().check(&cx).await.unwrap();
    assert!(account.identity.starts_with("folder-"), "{account:?}");
    let path = format!("{}/", exports.path().display());
    let same = exports
        .connect(&[("folder", &path)])
        .unwrap()
        .check(&cx)
        .await
        .unwrap();
    assert_eq!(same.identity, account.identity);
    let other = Exports::headers().chicago().check(&cx).await.unwrap();
    assert_ne!(other.identity, account.identity);
}

#[tokio::test]
async fn a_profile_may_name_the_identity() {
    let exports = Exports::vendors("Id,Name\n");
    let profile = format!("identity = \"plant-7\"\n{VENDORS}");
    let connector = exports.connect(&[("profile", &profile)]).unwrap();
    assert_eq!(
        connector
            .check(&Context::new("test"))
            .await
            .unwrap()
            .identity,
        "plant-7"
    );
    assert_eq!(connector.info().entities.len(), 1);
}

#[tokio::test]
async fn a_missing_folder_says_what_to_do() {
    let exports = Exports::empty();
    let missing = exports.path().join("nowhere");
    let error = check_error(&exports, &[("folder", missing.to_str().unwrap())]).await;
    told(
        &error,
        ErrorKind::Unavailable,
        &["nowhere", "does not exist", "correct the path"],
    );
    let outside = check_error(&exports, &[("folder", "/")]).await;
    told(&outside, ErrorKind::Invalid, &["allowed folders"]);
}

#[tokio::test]
async fn every_missing_file_and_column_is_told_at_once() {
    let exports = Exports::headers();
    fs::remove_file(exports.path().join("vendors.csv")).unwrap();
    fs::remove_file(exports.path().join("purchase_order_lines.csv")).unwrap();
    let header = fs::read_to_string(exports.path().join("parts.csv")).unwrap();
    exports.write(
        "parts.csv",
        header
            .replace("Numbered,", "Numberd,")
            .replace("Shelf", "Bin"),
    );
    exports.write("units.csv", "");
    let error = check_error(&exports, &[]).await;
    told(
        &error,
        ErrorKind::Invalid,
        &[
            "vendors.csv is not in the folder: export it there",
            "purchase_order_lines.csv is not in the folder",
            "no column `Numbered` in parts.csv; did you mean `Numberd`?",
            "no column `Shelf` in parts.csv",
            "units.csv is empty",
        ],
    );
}

#[tokio::test]
async fn a_header_with_a_column_twice_is_refused() {
    let exports = Exports::vendors("Id,Name,Name\n");
    let error = check_error(&exports, &[("profile", VENDORS)]).await;
    told(
        &error,
        ErrorKind::Invalid,
        &["vendors.csv has the column `Name` twice"],
    );
}

#[tokio::test]
async fn other_encodings_are_refused_by_name() {
    let exports = Exports::vendors(b"\xFF\xFEI\0d\0");
    let error = check_error(&exports, &[("profile", VENDORS)]).await;
    told(
        &error,
        ErrorKind::Invalid,
        &["vendors.csv is written in UTF-16", "export it as UTF-8"],
    );
}

#[tokio::test]
async fn what_is_no_file_is_refused() {
    let exports = Exports::empty();
    fs::create_dir(exports.path().join("vendors.csv")).unwrap();
    let error = check_error(&exports, &[("profile", VENDORS)]).await;
    told(&error, ErrorKind::Invalid, &["vendors.csv", "not a file"]);
}

#[tokio::test]
async fn a_file_that_is_missing_later_is_waited_for() {
    let exports = Exports::empty();
    let error = page(&*exports.of_vendors(), "vendors-snapshot", From::default())
        .await
        .unwrap_err();
    told(
        &error,
        ErrorKind::Unavailable,
        &["vendors.csv is not in the folder"],
    );
}

#[tokio::test]
async fn an_entity_that_the_profile_lacks_is_not_read() {
    let exports = Exports::vendors("Id,Name\n");
    let error = page(&*exports.of_vendors(), "units-snapshot", From::default())
        .await
        .unwrap_err();
    told(
        &error,
        ErrorKind::Unsupported,
        &["the profile has no such entity"],
    );
}

#[test]
fn settings_that_do_not_fit_are_told_by_name() {
    let exports = Exports::empty();
    let error = exports
        .connect(&[("time_zone", "America/Chicgo")])
        .unwrap_err();
    told(
        &error,
        ErrorKind::Invalid,
        &["time_zone", "did you mean `America/Chicago`?"],
    );
    let error = exports
        .connect(&[("profile", "format = 1\ncolour = 2\n")])
        .unwrap_err();
    told(
        &error,
        ErrorKind::Invalid,
        &["profile", "line 2, column 1", "colour"],
    );
    let error = exports.factory().connect(&Settings::default()).unwrap_err();
    told(&error, ErrorKind::Invalid, &["folder"]);
}
