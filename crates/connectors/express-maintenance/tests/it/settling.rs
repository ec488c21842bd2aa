//! A file that may still be written is left alone.

use std::time::Duration;

use wrenchtime_connector::{Connector, Context, Error, ErrorKind, Next, Retry};

use crate::folder::{Exports, From, VENDORS, all, keys, page, token};

const STREAM: &str = "vendors-snapshot";

#[track_caller]
fn check_refused(error: &Error, seconds: u64, sentence: &str) {
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let left = Duration::from_secs(seconds);
    assert_eq!(error.retry(), Retry::After(Some(left)));
    assert_eq!(error.message(), format!("read the exports: {sentence}"));
}

async fn refused(connector: &dyn Connector, stream: &str) -> Error {
    page(connector, stream, From::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_file_that_was_just_written_is_read_when_it_was_left_alone() {
    let exports = Exports::vendors("Id,Name\n7,Belts\n");
    let connector = exports.of_vendors();
    exports.written("vendors.csv", 3);
    let error = refused(&*connector, STREAM).await;
    let sentence =
        "vendors.csv was written 3 s ago; it is read once it has been left alone for 10 s";
    check_refused(&error, 7, sentence);
    // The folder is in order all the same.
    connector.check(&Context::new("test")).await.unwrap();
    exports.written("vendors.csv", 10);
    assert_eq!(keys(&all(&*connector, STREAM).await), ["7"]);
}

#[tokio::test]
async fn a_file_from_the_future_is_not_read_before_its_time() {
    let exports = Exports::vendors("Id,Name\n7,Belts\n");
    exports.written("vendors.csv", -5);
    let error = refused(&*exports.of_vendors(), STREAM).await;
    let sentence = "vendors.csv was written 5 s in the future; it is read once it has been left alone for 10 s: \
                    set the clock of the machine that writes it";
    check_refused(&error, 15, sentence);
}

#[tokio::test]
async fn the_profile_says_how_long_a_file_is_left_alone() {
    let exports = Exports::vendors("Id,Name\n7,Belts\n");
    exports.written("vendors.csv", 30);
    for (settle, is_read) in [(0, true), (30, true), (31, false), (300, false)] {
        let profile = format!("settle_seconds = {settle}\n{VENDORS}");
        let connector = exports.connect(&[("profile", &profile)]).unwrap();
        let read = page(&*connector, STREAM, From::default()).await;
        assert_eq!(read.is_ok(), is_read, "{settle} s");
    }
    exports.written("vendors.csv", -30);
    let profile = format!("settle_seconds = 0\n{VENDORS}");
    let connector = exports.connect(&[("profile", &profile)]).unwrap();
    assert_eq!(keys(&all(&*connector, STREAM).await), ["7"]);
}

#[tokio::test]
async fn the_file_that_was_written_last_decides() {
    let exports = Exports::headers();
    let connector = exports.chicago();
    let stream = "purchase-orders-snapshot";
    exports.written("purchase_orders.csv", 8);
    exports.written("purchase_order_lines.csv", 2);
    let error = refused(&*connector, stream).await;
    let sentence = "purchase_order_lines.csv was written 2 s ago; it is read once it has been left alone for 10 s";
    check_refused(&error, 8, sentence);
    // Files that others need hold up those alone.
    all(&*connector, "units-snapshot").await;
    exports.written("purchase_orders.csv", 20);
    exports.written("purchase_order_lines.csv", 20);
    all(&*connector, stream).await;
}

#[tokio::test]
async fn the_same_content_written_again_needs_no_rest() {
    let exports = Exports::vendors("Id,Name\n7,Belts\n");
    let connector = exports.of_vendors();
    let from = From {
        token: Some(token(&all(&*connector, STREAM).await)),
        ..From::default()
    };
    exports.written("vendors.csv", 1);
    let again = page(&*connector, STREAM, from).await.unwrap();
    assert_eq!(again.next, Next::Unchanged);
}

#[tokio::test]
async fn half_an_export_deletes_nothing() {
    let exports = Exports::vendors("Id,Name\n7,Belts\n8,Bearings\n");
    let connector = exports.of_vendors();
    assert_eq!(keys(&all(&*connector, STREAM).await), ["7", "8"]);
    // Cut at the end of a row, nothing in it shows that more is to come.
    exports.write("vendors.csv", "Id,Name\n7,Belts\n");
    exports.written("vendors.csv", 0);
    refused(&*connector, STREAM).await;
    exports.append("vendors.csv", "8,Bearings\n");
    exports.written("vendors.csv", 11);
    assert_eq!(keys(&all(&*connector, STREAM).await), ["7", "8"]);
}
