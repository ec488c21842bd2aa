use serde_json::{Value, json};
use wiremock::ResponseTemplate;
use wrenchtime_connector::{
    Bound, Context, Document, EntityName, ErrorKind, Items, Next, Page, RemoteKey, Stub,
};

use crate::support::{Host, Seen, context, page, rows};

fn order(id: i64, at: &str) -> Value {
    json!({"Number": format!("HQ{id}"), "StatusId": "Open", "LastActionDateUtc": at, "ConcurrencyId": 1, "Id": id})
}

fn documents(page: Page) -> Vec<Document> {
    match page.items {
        Items::Documents(documents) => documents,
        Items::Stubs(stubs) => panic!("stubs instead of documents: {stubs:?}"),
    }
}

fn stubs(page: Page) -> Vec<Stub> {
    match page.items {
        Items::Stubs(stubs) => stubs,
        Items::Documents(documents) => panic!("documents instead of stubs: {documents:?}"),
    }
}

fn on(seen: &Seen, entity: &str) -> bool {
    seen.path == format!("/api/v1/query/{entity}")
}

/// Answers queries for an entity with the pages given, then with empty ones.
fn pages(
    entity: &'static str,
    pages: Vec<Vec<Value>>,
) -> impl Fn(&Seen, usize) -> Option<ResponseTemplate> {
    move |seen, nth| on(seen, entity).then(|| rows(pages.get(nth - 1).map_or(&[], Vec::as_slice)))
}

#[tokio::test]
async fn a_bound_goes_out_verbatim_and_pages_by_time_and_id() {
    let first = vec![
        order(4, "2031-05-01T09:30:00.12"),
        order(2, "2031-05-01T09:30:00.5"),
    ];
    let host = Host::start(pages(
        "WorkOrder",
        vec![first, vec![order(3, "2031-05-01T09:30:00.5")]],
    ))
    .await;
    let connector = host.connector();
    let request = page("work-order-last-action")
        .with_limit(Some(2))
        .with_from(Some(Bound::Time {
            at: "2031-05-01T09:30:00.12Z".parse().unwrap(),
            text: Some("2031-05-01T09:30:00.12".to_owned()),
        }));
    let one = connector
        .read_page(&context(), request.clone())
        .await
        .unwrap();
    let Next::Page(cursor) = one.next.clone() else {
        panic!("a full page is not the last: {one:?}")
    };
    let two = connector
        .read_page(&context(), request.clone().with_cursor(Some(cursor)))
        .await
        .unwrap();
    let Next::Page(cursor) = two.next.clone() else {
        panic!("a short page proves nothing: a tie may go on behind it")
    };
    let three = connector
        .read_page(&context(), request.with_cursor(Some(cursor)))
        .await
        .unwrap();
    assert_eq!(
        (three.items.len(), three.next),
        (0, Next::End { token: None })
    );
    assert_eq!(
        documents(two)[0].changed_at.as_ref().unwrap().text,
        "2031-05-01T09:30:00.5"
    );

    let asked: Vec<Value> = host
        .seen()
        .iter()
        .filter(|seen| on(seen, "WorkOrder"))
        .map(|seen| seen.expression()["Criteria"].clone())
        .collect();
    insta::assert_json_snapshot!(asked);
}

#[tokio::test]
async fn a_bound_without_text_is_cut_to_milliseconds_and_has_no_z() {
    let host = Host::start(|_, _| None).await;
    let bound = Bound::at("2031-05-01T09:30:00.1239Z".parse().unwrap());
    let request = page("work-order-action-log").with_from(Some(bound));
    host.connector()
        .read_page(&context(), request)
        .await
        .unwrap();
    let asked = host.seen().pop().unwrap().expression();
    assert_eq!(
        asked["Criteria"]["Conditions"][0]["Values"],
        json!(["2031-05-01T09:30:00.123"])
    );
    assert_eq!(asked["Count"], 4000);
}

#[tokio::test]
async fn an_action_log_names_each_work_order_of_a_page_once_at_its_last_action() {
    let action = |order: i64, at: &str| json!({"WorkOrderId": order, "SystemDateUtc": at, "Id": 1});
    let log = vec![
        action(5, "2031-05-01T09:00:00"),
        action(6, "2031-05-01T09:01:00"),
        action(5, "2031-05-01T09:02:00"),
    ];
    let host = Host::start(pages("WoActionLog", vec![log])).await;
    let read = host
        .connector()
        .read_page(&context(), page("work-order-action-log"))
        .await
        .unwrap();
    let stubs = stubs(read);
    let shown: Vec<_> = stubs
        .iter()
        .map(|stub| {
            (
                stub.key.as_str(),
                stub.changed_at.as_ref().unwrap().text.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [("6", "2031-05-01T09:01:00"), ("5", "2031-05-01T09:02:00")]
    );
}

#[tokio::test]
async fn rows_without_an_id_are_told_apart_by_their_place() {
    let nameless = json!({"ConcurrencyId": 1, "IsRemoved": false});
    let shapeless = json!({"ConcurrencyId": {}, "IsRemoved": false});
    let row = json!({"Id": 4, "ConcurrencyId": 1, "IsRemoved": false});
    let first = vec![nameless.clone(), row, nameless, shapeless];
    let host = Host::start(pages("Employee", vec![first])).await;
    let connector = host.connector();
    let page = connector
        .read_page(&context(), page("employee-sweep"))
        .await
        .unwrap();
    assert_eq!(page.items.len(), 1);
    let told: Vec<_> = page
        .issues
        .iter()
        .map(|issue| (issue.key.clone(), issue.place.as_str()))
        .collect();
    assert_eq!(
        told,
        [1, 3, 4]
            .map(|row| format!("Employee, row {row} of the page that begins with Id 4"))
            .each_ref()
            .map(|place| (None, place.as_str()))
    );
}

#[tokio::test]
async fn only_an_empty_page_ends_a_listing() {
    let row = |id: i64| json!({"Id": id, "ConcurrencyId": 1, "IsRemoved": false});
    let host = Host::start(pages("Employee", vec![vec![row(1), row(2)]])).await;
    let connector = host.connector();
    let first = connector
        .read_page(&context(), page("employee-sweep"))
        .await
        .unwrap();
    let Next::Page(cursor) = first.next.clone() else {
        panic!("a short page proves nothing: the source may cut pages at will");
    };
    let last = connector
        .read_page(&context(), page("employee-sweep").with_cursor(Some(cursor)))
        .await
        .unwrap();
    assert_eq!(
        (last.items.len(), last.next),
        (0, Next::End { token: None })
    );
    let asked = host.seen().pop().unwrap().expression();
    assert_eq!(
        asked["Criteria"]["Conditions"][0],
        json!({"PropertyName": "Id", "Operator": "GreaterThan", "Values": [2]})
    );
}

#[tokio::test]
async fn gotcha_7_removed_rows_are_marked_in_sweeps_and_when_fetched() {
    let row = json!({"DisplayAs": "Ann Doe (deleted)", "ActorTypeId": "Employee", "Id": 7, "ConcurrencyId": 3, "IsRemoved": true});
    let host = Host::start(pages("Employee", vec![vec![row.clone()], vec![row]])).await;
    let connector = host.connector();
    let swept = connector
        .read_page(&context(), page("employee-sweep"))
        .await
        .unwrap();
    let fetched = connector
        .fetch(
            &context(),
            &EntityName::from_static("Employee"),
            &[RemoteKey::new("7")],
        )
        .await
        .unwrap();
    let swept = stubs(swept);
    assert!(swept[0].deleted && fetched[0].deleted);
    assert_eq!(swept[0].version, fetched[0].version);
}

#[tokio::test]
async fn a_sweep_sees_changes_of_contact_addresses() {
    let row = |contact: i64| {
        json!({"Id": 7, "ConcurrencyId": 3, "IsRemoved": false,
            "ContactAddresses": [{"ConcurrencyId": contact, "Id": 81}]})
    };
    let host = Host::start(pages(
        "Employee",
        vec![vec![row(1)], vec![row(1)], vec![row(2)]],
    ))
    .await;
    let connector = host.connector();
    let mut versions = Vec::new();
    for _ in 0..3 {
        let read = connector
            .read_page(&context(), page("employee-sweep"))
            .await
            .unwrap();
        versions.push(stubs(read)[0].version.clone());
    }
    assert_eq!(versions[0], versions[1]);
    assert_ne!(versions[1], versions[2]);
}

#[tokio::test]
async fn gotcha_8_parents_come_from_the_tree() {
    let place = |id: i64, kind: &str| json!({"Name": "x", "TypeId": kind, "ParentId": 0, "RootId": 0, "Id": id});
    let branch = |child: i64, parent: i64, distance: i64| json!({"ParentId": parent, "ChildId": child, "Distance": distance, "Id": parent});
    let host = Host::start(move |seen, nth| match seen.path.rsplit('/').next()? {
        "Location" if nth == 1 => Some(rows(&[
            place(1, "Building"),
            place(2, "RoomArea"),
            place(3, "Equipment"),
        ])),
        "Location" => Some(rows(&[place(1, "Building"), place(2, "RoomArea")])),
        "AssetTree" => Some(rows(&[branch(2, 1, 1), branch(3, 1, 2), branch(3, 2, 1)])),
        _ => None,
    })
    .await;
    let read = host
        .connector()
        .read_page(&context(), page("location-all"))
        .await
        .unwrap();
    let joined: Vec<Value> = documents(read)
        .iter()
        .map(|document| {
            serde_json::from_str::<Value>(document.body.get()).unwrap()["Joined"].clone()
        })
        .collect();
    let node = |id: i64, kind: &str| json!({"Id": id, "TypeId": kind});
    assert_eq!(
        joined,
        [
            Value::Null,
            json!({"Parent": node(1, "Building"), "Place": node(1, "Building")}),
            json!({"Parent": node(2, "RoomArea"), "Place": node(2, "RoomArea")}),
        ]
    );
}

#[tokio::test]
async fn a_row_keeps_its_own_text_beside_what_is_joined() {
    let text = r#"{"Entities":[{"Data":{"Id":42,"MainAsset":{"Id":3},"VendorNte":{"CurrencyTypeId":"USD","Value":1234567890123456789.10},"Novel":1.0}}]}"#;
    let host = Host::start(move |seen, _| match seen.path.rsplit('/').next()? {
        "WorkOrder" => Some(ResponseTemplate::new(200).set_body_raw(text, "application/json")),
        "Location" => Some(rows(&[json!({"TypeId": "RoomArea", "Id": 3})])),
        _ => None,
    })
    .await;
    let read = host
        .connector()
        .read_page(&context(), page("work-order-all"))
        .await
        .unwrap();
    let body = documents(read)[0].body.get().to_owned();
    assert!(
        body.contains(r#""Value":1234567890123456789.10},"Novel":1.0"#),
        "{body}"
    );
    assert!(
        body.ends_with(r#""Joined":{"Place":{"Id":3,"TypeId":"RoomArea"}}}"#),
        "{body}"
    );
}

#[tokio::test]
async fn places_of_assets_are_not_asked_for_again_on_the_next_page_but_in_the_next_run() {
    let with_asset = |id: i64| json!({"Id": id, "MainAsset": {"Id": 3}, "LastActionDateUtc": "2031-05-01T09:30:00"});
    let host = Host::start(pages(
        "WorkOrder",
        (1..=3).map(|id| vec![with_asset(id)]).collect(),
    ))
    .await;
    let connector = host.connector();
    // An asset that was moved or removed between two runs must not stand where it stood.
    for (run, asked) in [("first", 1), ("first", 1), ("second", 2)] {
        connector
            .read_page(&Context::new(run), page("work-order-all"))
            .await
            .unwrap();
        let paths = host.paths();
        let trees = paths.iter().filter(|path| path.ends_with("/AssetTree"));
        assert_eq!(trees.count(), asked, "{run}");
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_told_and_the_others_arrive() {
    let rows = vec![
        order(1, "2031-05-01T09:30:00"),
        json!({"Id": 2, "MainAsset": "nowhere"}),
        json!({"Number": "no id"}),
    ];
    let host = Host::start(pages("WorkOrder", vec![rows])).await;
    let read = host
        .connector()
        .read_page(&context(), page("work-order-all"))
        .await
        .unwrap();
    let told: Vec<_> = read.issues.iter().map(|issue| issue.key.clone()).collect();
    assert_eq!(told, [Some(RemoteKey::new("2")), None]);
    assert!(matches!(read.next, Next::Page(_)));
    assert_eq!(documents(read).len(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_keep_a_stream_of_changes_from_its_end() {
    let at = "2031-05-01T09:30:00.5";
    let bad = json!({"Id": 2, "LastActionDateUtc": at, "MainAsset": "nowhere"});
    let host = Host::start(pages(
        "WorkOrder",
        vec![vec![order(1, "2031-05-01T09:30:00"), bad]],
    ))
    .await;
    let connector = host.connector();
    let first = connector
        .read_page(&context(), page("work-order-last-action"))
        .await
        .unwrap();
    assert_eq!((first.items.len(), first.issues.len()), (1, 1));
    let Next::Page(cursor) = first.next else {
        panic!("only an empty page is the end");
    };
    let request = page("work-order-last-action").with_cursor(Some(cursor));
    let last = connector.read_page(&context(), request).await.unwrap();
    assert_eq!(last.next, Next::End { token: None });
    let asked = host.seen().pop().unwrap().expression()["Criteria"]["Filters"][0].clone();
    assert_eq!(asked["Conditions"][0]["Values"], json!([at]));
    assert_eq!(
        asked["Filters"][0]["Conditions"][1]["Values"],
        json!([2]),
        "behind the row that cannot be read, which would come again and again otherwise"
    );
}

#[tokio::test]
async fn a_source_that_sends_the_same_page_again_is_not_followed_for_ever() {
    let same = || vec![order(1, "2031-05-01T09:30:00")];
    let host = Host::start(pages("WorkOrder", vec![same(), same()])).await;
    let connector = host.connector();
    let request = page("work-order-last-action");
    let first = connector
        .read_page(&context(), request.clone())
        .await
        .unwrap();
    let Next::Page(cursor) = first.next else {
        panic!("only an empty page is the end");
    };
    let error = connector
        .read_page(&context(), request.with_cursor(Some(cursor)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_reply_without_rows_is_no_empty_page() {
    let host = Host::start(|seen, _| {
        on(seen, "WorkOrder").then(|| ResponseTemplate::new(200).set_body_json(json!({"Rows": []})))
    })
    .await;
    let error = host
        .connector()
        .read_page(&context(), page("work-order-all"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn keys_that_are_no_ids_are_gone_without_a_request() {
    let host = Host::start(|_, _| None).await;
    let keys = [RemoteKey::new("forty-two"), RemoteKey::new("99999999999")];
    let found = host
        .connector()
        .fetch(&context(), &EntityName::from_static("WorkOrder"), &keys)
        .await
        .unwrap();
    assert!(found.is_empty() && host.paths().is_empty());
}

#[tokio::test]
async fn a_cursor_of_another_system_is_refused() {
    let host = Host::start(|_, _| None).await;
    let request =
        page("work-order-all").with_cursor(wrenchtime_connector::Cursor::from_text("page=2"));
    let error = host
        .connector()
        .read_page(&context(), request)
        .await
        .unwrap_err();
    assert_eq!((error.kind(), host.paths().len()), (ErrorKind::Invalid, 0));
}
