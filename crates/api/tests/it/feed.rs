//! The change feed.

use http::StatusCode;
use serde_json::json;
use wrenchtime_model::Resource;

use crate::harness::{Harness, Row};

#[tokio::test]
async fn the_feed_is_followed_from_where_it_was_left() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    let part = |key: &str, number: u32| {
        Row::new(Resource::Part, key, json!({ "number": number.to_string() }))
    };
    harness
        .write(connection, vec![part("a", 1), part("b", 1), part("c", 1)])
        .await;
    let mut types = Vec::new();
    let mut path = "/v1/changes?limit=2&include=record".to_owned();
    for turn in 0..4 {
        let answer = harness.call("GET", &path, &token, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        types.extend(answer.column("type"));
        let body = answer.json();
        if turn == 0 {
            assert_eq!(body["more"], true);
            assert_eq!(body["data"][0]["record"]["number"], "1");
            assert_eq!(body["data"][0]["resource"], "part");
        }
        if turn == 1 {
            harness.write(connection, vec![part("a", 2)]).await;
            harness
                .write(connection, vec![Row::gone(Resource::Part, "b")])
                .await;
        }
        path = format!(
            "/v1/changes?limit=2&after={}",
            body["next"].as_str().unwrap()
        );
    }
    let created = ["record.created"; 3];
    assert_eq!(
        types,
        [&created[..], &["record.updated", "record.deleted"]].concat()
    );
}

#[tokio::test]
async fn a_position_of_another_store_is_gone() {
    let harness = Harness::new().await;
    let (connection, token) = harness.connect().await;
    harness
        .write(connection, vec![Row::new(Resource::Part, "a", json!({}))])
        .await;
    let body = harness
        .call("GET", "/v1/changes", &token, None)
        .await
        .json();
    let next = body["next"].as_str().unwrap();
    let (epoch, sequence) = next.split_once('-').unwrap();
    let behind_the_end = format!("{epoch}-{}", sequence.parse::<u64>().unwrap() + 1);
    let other_store = format!("00000000000000000000000000000007-{sequence}");
    for (after, gone) in [(next, false), (&behind_the_end, true), (&other_store, true)] {
        let path = format!("/v1/changes?after={after}");
        let answer = harness.call("GET", &path, &token, None).await;
        assert_eq!(
            answer.status == StatusCode::GONE,
            gone,
            "{after} {}",
            answer.text
        );
    }
}
