//! Pages: rows, cells, joins, cursors and tokens.

use std::fs;

use proptest::prelude::*;
use serde_json::json;
use wrenchtime_connector::{
    Connector, Context, ErrorKind, Next, Page, PageRequest, RemoteKey, Retry, StreamName,
};

use crate::folder::{
    Exports, FILES, From, VENDORS, all, bodies, cursor, documents, issues, keys, page, token,
};

const STREAM: &str = "vendors-snapshot";

#[tokio::test]
async fn cells_are_trimmed_and_blank_ones_left_out() {
    let exports = Exports::vendors("Id,Name,City\r\n  7 ,  Belts & Bearings   ,\r\n8,   ,x\r\n");
    let page = all(&*exports.of_vendors(), STREAM).await;
    assert_eq!(
        bodies(&page),
        [
            json!({"Id": "7", "Name": "Belts & Bearings"}),
            json!({"Id": "8"})
        ]
    );
    assert_eq!(keys(&page), ["7", "8"]);
    assert_eq!(page.total, Some(2));
}

#[tokio::test]
async fn notes_keep_their_line_ends() {
    let exports =
        Exports::vendors("Id,Name\r\n7,\"first\r\nsecond, \"\"third\"\"\r\n\"\r\n8,b\r\n");
    let page = all(&*exports.of_vendors(), STREAM).await;
    assert_eq!(bodies(&page)[0]["Name"], "first\r\nsecond, \"third\"");
    assert_eq!(keys(&page), ["7", "8"]);
}

#[tokio::test]
async fn the_mark_of_utf_8_is_no_part_of_the_first_header() {
    let exports = Exports::vendors("\u{FEFF}Id,Name\r\n7,Müller\r\n");
    let page = all(&*exports.of_vendors(), STREAM).await;
    assert_eq!(bodies(&page), [json!({"Id": "7", "Name": "Müller"})]);
}

#[tokio::test]
async fn bad_rows_are_told_with_their_place_and_the_others_arrive() {
    let mut text = b"Id,City,Name\r\n1,a,\"b\r\nc\"\r\n2,x\r\n,x,y\r\n".to_vec();
    text.extend_from_slice(
        b"3,x,caf\xE9\r\n4,x,y,z\r\n1,x,again\r\n5,x,\"A\" frame\r\n6,\xE9,fine\r\n",
    );
    let exports = Exports::vendors(text);
    let page = all(&*exports.of_vendors(), STREAM).await;
    assert_eq!(keys(&page), ["1", "6"]);
    assert_eq!(
        issues(&page),
        [
            (
                "vendors.csv, line 4, column 3 (Name)",
                "the row has 2 cells, the header has 3"
            ),
            ("vendors.csv, line 5, column 1 (Id)", "the key is blank"),
            (
                "vendors.csv, line 6, column 3 (Name)",
                "the cell is not UTF-8"
            ),
            (
                "vendors.csv, line 7, column 4",
                "the row has 4 cells, the header has 3"
            ),
            (
                "vendors.csv, line 8, column 1 (Id)",
                "the row on line 2 has the same key"
            ),
            (
                "vendors.csv, line 9, column 3 (Name)",
                "there is text between a closing quote and the next delimiter"
            ),
        ]
    );
    let known: Vec<Option<&str>> = page
        .issues
        .iter()
        .map(|issue| issue.key.as_ref().map(|key| key.as_str()))
        .collect();
    assert_eq!(
        known,
        [Some("2"), None, Some("3"), Some("4"), Some("1"), Some("5")]
    );
}

#[tokio::test]
async fn a_displaced_key_is_nobodys() {
    // The delimiter in the name was not quoted: what stands in the place of the key is not the key.
    let exports = Exports::vendors("Name,Id\nBelts, Inc.,7\n\"A\" frame,8\nBolts,9\n");
    let page = all(&*exports.of_vendors(), STREAM).await;
    assert_eq!(keys(&page), ["9"]);
    assert!(
        page.issues.iter().all(|issue| issue.key.is_none()),
        "{:?}",
        page.issues
    );
}

#[tokio::test]
async fn a_broken_row_takes_no_key_from_a_whole_one() {
    let exports =
        Exports::vendors("Id,City,Name\n5,cut\n5,x,whole\n6,x,first\n6,cut\n7,x,y,z\n7,x,whole\n");
    let page = all(&*exports.of_vendors(), STREAM).await;
    assert_eq!(keys(&page), ["5", "6", "7"]);
    let places: Vec<&str> = issues(&page).iter().map(|(place, _)| *place).collect();
    assert_eq!(
        places,
        [
            "vendors.csv, line 2, column 3 (Name)",
            "vendors.csv, line 5, column 3 (Name)",
            "vendors.csv, line 6, column 4"
        ]
    );
}

#[tokio::test]
async fn duplicates_are_found_across_pages() {
    let exports = Exports::vendors("Id,Name\n1,a\n2,b\n1,c\n");
    let limit = Some(2);
    let connector = exports.of_vendors();
    let first = page(
        &*connector,
        STREAM,
        From {
            limit,
            ..From::default()
        },
    )
    .await
    .unwrap();
    let cursor = Some(cursor(&first));
    // Another process goes on.
    let rest = page(
        &*exports.of_vendors(),
        STREAM,
        From {
            limit,
            cursor,
            token: None,
        },
    )
    .await
    .unwrap();
    assert!(keys(&rest).is_empty());
    assert_eq!(rest.issues[0].reason, "the row on line 2 has the same key");
}

#[tokio::test]
async fn other_files_are_joined() {
    let exports = Exports::headers();
    exports.append("units.csv", "31,CNC-01,,,,,,,,,,,,\n32,CNC-01 Spindle,,cnc-01,,,,,,,,,,\n33,TWIN,,,,,,,,,,,,\n34,Twin,,,,,,,,,,,,\n");
    exports.append("work_orders.csv", &order("1", "Cnc-01", "", "", ""));
    exports.append("work_orders.csv", &order("2", "TWIN", "", "", ""));
    exports.append("vendors.csv", "9,Acme Supply,,,,,\n");
    exports.append(
        "parts.csv",
        "5,B-1   ,Belt,,,ACME SUPPLY ,9,,,,ea,1,,,,,Y,,,,\n",
    );
    exports.append(
        "purchase_orders.csv",
        "PO-1,05/01/2031,,Acme Supply,,,Open\nPO-2,,,,,,\n",
    );
    exports.append(
        "purchase_order_lines.csv",
        "PO-1,1,5,B-1,Belt,10,2.50,0\nPO-9,1,5,B-1,Belt,1,2.50,0\nPO-1,2,,,Freight,1,12.00,0\n",
    );
    let connector = exports.chicago();
    let units = bodies(&all(&*connector, "units-snapshot").await);
    assert_eq!(units[1]["ParentKey"], "31");
    let orders = bodies(&all(&*connector, "work-orders-snapshot").await);
    assert_eq!(orders[0]["UnitKey"], "31");
    assert_eq!(orders[1].get("UnitKey"), None, "two units have the name");
    let parts = bodies(&all(&*connector, "parts-snapshot").await);
    assert_eq!(parts[0]["VendorKey"], "9");
    assert_eq!(parts[0]["Taxable"], true);
    let purchases = bodies(&all(&*connector, "purchase-orders-snapshot").await);
    assert_eq!(purchases[0]["DateOrdered"], "2031-05-01");
    assert_eq!(
        purchases[0]["Lines"],
        json!([
            {"Description": "Belt", "Line": "1", "PartNumber": "B-1", "PartRecordNumber": "5",
             "Porder": "PO-1", "Quantity": "10", "Received": "0", "UnitPrice": "2.50"},
            {"Description": "Freight", "Line": "2", "Porder": "PO-1", "Quantity": "1",
             "Received": "0", "UnitPrice": "12.00"},
        ])
    );
    assert_eq!(purchases[1].get("Lines"), None);
}

#[tokio::test]
async fn a_row_is_found_by_what_is_certain_of_it() {
    let exports = Exports::headers();
    let mut units = FILES[0].1.as_bytes().to_vec();
    // A cell that matters to nobody; no key, twice; two of one name and a third without a key; a name that moved.
    units.extend_from_slice(b"31,PUMP,caf\xE9,,,,,,,,,,,\n");
    units.extend_from_slice(b",FAN,,,,,,,,,,,,\n,FAN,,,,,,,,,,,,\n");
    units.extend_from_slice(b"32,TWIN,,,,,,,,,,,,\n33,TWIN,,,,,,,,,,,,\n,TWIN,,,,,,,,,,,,\n");
    exports.write("units.csv", &units);
    for (key, unit) in [
        ("1", "pump"),
        ("2", "Fan"),
        ("3", "twin"),
        ("4", "Gone"),
        ("5", ""),
    ] {
        exports.append("work_orders.csv", &order(key, unit, "", "", ""));
    }
    let stream = "work-orders-snapshot";
    let page = all(&*exports.chicago(), stream).await;
    assert_eq!(keys(&page), ["1", "3", "4", "5"]);
    assert_eq!(bodies(&page)[0]["UnitKey"], "31");
    assert!(
        bodies(&page)[1..]
            .iter()
            .all(|body| body.get("UnitKey").is_none())
    );
    assert_eq!(
        issues(&page),
        [(
            "work_orders.csv, line 3, column 3 (Unit)",
            "the row that it names stands on line 3 of units.csv, where the key cannot be read: mend that line first"
        )]
    );
    assert_eq!(page.issues[0].key, Some(RemoteKey::new("2")));

    units.extend_from_slice(b"35,\xE9,,,,,,,,,,,,\n36,x,y\n");
    exports.write("units.csv", &units);
    let page = all(&*exports.chicago(), stream).await;
    assert_eq!(keys(&page), ["1", "3", "5"]);
    assert_eq!(
        issues(&page)[1].1,
        "the row that it names may be line 8 of units.csv or one of 1 more that cannot be read: mend them first"
    );
}

fn order(key: &str, unit: &str, class: &str, started: &str, completed: &str) -> String {
    format!("{key},{key},{unit},,,,,{started},{completed},,,,{class},,,,,,,,,,\n")
}

#[tokio::test]
async fn dates_decide_what_classes_do_not() {
    let exports = Exports::headers();
    let (then, later) = ("05/01/2031 08:00", "05/01/2031 09:00");
    for row in [
        order("1", "", "", "", ""),
        order("2", "", "Anything", then, ""),
        order("3", "", "", then, later),
        order("4", "", " on hold ", then, ""),
        order("5", "", "CANCELLED", "", ""),
    ] {
        exports.append("work_orders.csv", &row);
    }
    let orders = bodies(&all(&*exports.chicago(), "work-orders-snapshot").await);
    let codes: Vec<&str> = orders
        .iter()
        .map(|order| order["StatusCode"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["open", "in_progress", "completed", "on_hold", "cancelled"]
    );
    assert_eq!(orders[2]["CompletedDate"], "2031-05-01T09:00:00-05:00");
    assert_eq!(orders[0].get("PriorityCode"), None);
}

#[tokio::test]
async fn lines_that_cannot_be_read_are_told_once() {
    let exports = Exports::headers();
    exports.append(
        "purchase_orders.csv",
        "PO-1,,,,,,\nPO-2,,,,,,\nPO-3,,,,,,\n",
    );
    exports.append("purchase_order_lines.csv", "PO-1,1,5\n,1,5,,,,,\n");
    let (connector, stream) = (exports.chicago(), "purchase-orders-snapshot");
    let from = From {
        limit: Some(2),
        ..From::default()
    };
    let first = page(&*connector, stream, from).await.unwrap();
    assert_eq!(
        issues(&first),
        [
            (
                "purchase_order_lines.csv, line 2, column 4 (PartNumber)",
                "the row has 3 cells, the header has 8"
            ),
            (
                "purchase_order_lines.csv, line 3, column 1 (Porder)",
                "the key is blank"
            ),
        ]
    );
    let from = From {
        cursor: Some(cursor(&first)),
        ..From::default()
    };
    let second = page(&*connector, stream, from).await.unwrap();
    assert!(second.issues.is_empty());
}

#[tokio::test]
async fn a_pass_over_what_is_known_reads_nothing() {
    let exports = Exports::vendors("Id,Name\n1,a\n");
    let first = all(&*exports.of_vendors(), STREAM).await;
    let token = Some(token(&first));
    // The same content, exported again.
    exports.write("vendors.csv", "Id,Name\n1,a\n");
    let again = From {
        token: token.clone(),
        ..From::default()
    };
    let same = page(&*exports.of_vendors(), STREAM, again).await.unwrap();
    assert_eq!(same.next, Next::Unchanged);
    assert!(same.items.is_empty());

    exports.append("vendors.csv", "2,b\n");
    let again = From {
        token: token.clone(),
        ..From::default()
    };
    let other = page(&*exports.of_vendors(), STREAM, again).await.unwrap();
    assert_eq!(keys(&other), ["1", "2"]);
}

#[tokio::test]
async fn a_change_of_a_joined_file_or_of_the_zone_is_a_change() {
    let exports = Exports::headers();
    exports.append("work_orders.csv", &order("1", "CNC-01", "", "", ""));
    let stream = "work-orders-snapshot";
    let before = token(&all(&*exports.chicago(), stream).await);
    let elsewhere = exports.connect(&[("time_zone", "Europe/Berlin")]).unwrap();
    assert_ne!(token(&all(&*elsewhere, stream).await), before);
    exports.append("units.csv", "31,CNC-01,,,,,,,,,,,,\n");
    let from = From {
        token: Some(before),
        ..From::default()
    };
    let after = page(&*exports.chicago(), stream, from).await.unwrap();
    assert_eq!(bodies(&after)[0]["UnitKey"], "31");
}

fn many(count: usize) -> String {
    let rows: String = (1..=count).map(|id| format!("{id},name {id}\n")).collect();
    format!("Id,Name\n{rows}")
}

#[tokio::test]
async fn a_page_has_a_thousand_rows_at_most() {
    let exports = Exports::vendors(many(1001));
    let connector = exports.of_vendors();
    let from = From {
        limit: Some(5000),
        ..From::default()
    };
    let first = page(&*connector, STREAM, from).await.unwrap();
    assert_eq!(documents(&first).len(), 1000);
    let from = From {
        cursor: Some(cursor(&first)),
        ..From::default()
    };
    let second = page(&*connector, STREAM, from).await.unwrap();
    assert_eq!(keys(&second), ["1001"]);
    assert!(matches!(second.next, Next::End { .. }));
}

#[tokio::test]
async fn a_page_of_long_rows_is_shorter() {
    let long = "x".repeat(3 << 20);
    let rows: String = (1..=4).map(|id| format!("{id},{long}\n")).collect();
    let exports = Exports::vendors(format!("Id,Name\n{rows}"));
    let first = page(&*exports.of_vendors(), STREAM, From::default())
        .await
        .unwrap();
    assert_eq!(keys(&first), ["1", "2", "3"]);
    assert!(matches!(first.next, Next::Page(_)));
}

#[tokio::test]
async fn a_file_that_is_replaced_is_read_to_its_end_as_it_was() {
    let exports = Exports::vendors(many(6));
    let connector = exports.of_vendors();
    let from = From {
        limit: Some(3),
        ..From::default()
    };
    let first = page(&*connector, STREAM, from).await.unwrap();
    exports.write("vendors.csv", many(2));
    let from = From {
        cursor: Some(cursor(&first)),
        ..From::default()
    };
    let rest = page(&*connector, STREAM, from).await.unwrap();
    assert_eq!(keys(&rest), ["4", "5", "6"]);
    let from = From {
        token: Some(token(&rest)),
        ..From::default()
    };
    let next_pass = page(&*connector, STREAM, from).await.unwrap();
    assert_eq!(keys(&next_pass), ["1", "2"]);
}

#[tokio::test]
async fn a_file_that_is_replaced_across_a_restart_fails_the_pass() {
    let exports = Exports::vendors(many(6));
    let from = From {
        limit: Some(3),
        ..From::default()
    };
    let first = page(&*exports.of_vendors(), STREAM, from).await.unwrap();
    exports.write("vendors.csv", many(7));
    check_changed(&exports, &*exports.of_vendors(), &first).await;
}

#[tokio::test]
async fn a_file_that_is_written_into_fails_the_pass() {
    let exports = Exports::vendors(many(6));
    let connector = exports.of_vendors();
    let from = From {
        limit: Some(3),
        ..From::default()
    };
    let first = page(&*connector, STREAM, from).await.unwrap();
    // The same length: only the content tells.
    fs::write(
        exports.path().join("vendors.csv"),
        many(6).replace("name 2", "mane 2"),
    )
    .unwrap();
    check_changed(&exports, &*connector, &first).await;
}

async fn check_changed(exports: &Exports, connector: &dyn Connector, first: &Page) {
    let from = From {
        cursor: Some(cursor(first)),
        ..From::default()
    };
    let error = page(connector, STREAM, from).await.unwrap_err();
    assert!(
        error
            .message()
            .contains("changed while they were being read"),
        "{error}"
    );
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Conflict, Retry::Never)
    );
    let anew = page(&*exports.of_vendors(), STREAM, From::default())
        .await
        .unwrap();
    assert!(!anew.items.is_empty());
}

#[tokio::test]
async fn a_file_that_is_cut_off_is_refused_before_its_first_row() {
    for cut in ["Id,Name\n1,a\n2,\"b\nc", "Id,Name\n1,a\n2", "Id,\"Na"] {
        let exports = Exports::vendors(cut);
        let error = page(&*exports.of_vendors(), STREAM, From::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol, "{cut:?}");
        assert!(
            error.message().contains("ends in the middle of the row"),
            "{error}"
        );
        assert_eq!(error.retry(), Retry::After(None));
    }
    let exports = Exports::vendors("Id,Name\n1,a\n2,b");
    assert_eq!(keys(&all(&*exports.of_vendors(), STREAM).await), ["1", "2"]);
}

#[tokio::test]
async fn a_cancelled_call_reads_nothing() {
    let exports = Exports::vendors(many(3));
    let cx = Context::new("test");
    cx.cancel.cancel();
    let stream = StreamName::from_static(STREAM);
    let request = PageRequest::new(stream);
    let error = exports
        .of_vendors()
        .read_page(&cx, request)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_key_of_several_fields_is_unmistakable() {
    let profile = VENDORS.replace("[\"Id\"]", "[\"Id\", \"Name\"]");
    let exports = Exports::vendors("Id,Name\na|b,c\na,b|c\na\\,b\n");
    let connector = exports.connect(&[("profile", &profile)]).unwrap();
    assert_eq!(
        keys(&all(&*connector, STREAM).await),
        ["a\\|b|c", "a|b\\|c", "a\\\\|b"]
    );
}

proptest! {
    // A fifth of the usual number: each case writes files.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))]

    #[test]
    fn whatever_a_writer_wrote_comes_back(
        names in prop::collection::vec("[a-zäß ,;\"'\r\n\t\u{3000}]{0,12}", 1..30),
        limit in 1_u32..8,
        crlf in any::<bool>(),
    ) {
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().terminator(end).from_writer(Vec::new());
        writer.write_record(["Id", "Name"]).unwrap();
        for (id, name) in names.iter().enumerate() {
            writer.write_record([&id.to_string(), name]).unwrap();
        }
        let exports = Exports::vendors(writer.into_inner().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let mut found = Vec::new();
            let mut cursor = None;
            loop {
                // Every page in another process.
                let from = From { cursor, limit: Some(limit), token: None };
                let page = page(&*exports.of_vendors(), STREAM, from).await.unwrap();
                assert!(page.issues.is_empty());
                found.extend(bodies(&page));
                match page.next {
                    Next::Page(next) => cursor = Some(next),
                    Next::End { .. } | Next::Unchanged => return found,
                }
            }
        });
        let expected: Vec<_> = names.iter().enumerate().map(|(id, name)| match name.trim() {
            "" => json!({"Id": id.to_string()}),
            name => json!({"Id": id.to_string(), "Name": name}),
        }).collect();
        prop_assert_eq!(found, expected);
    }
}
