//! The document and the router are one list.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;

use crate::harness::Harness;

#[test]
fn the_document_keeps_its_shape() {
    insta::assert_json_snapshot!("openapi", wrenchtime_api::openapi_document());
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_used() {
    let document = wrenchtime_api::openapi_document();
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        let reference = format!("#/components/schemas/{name}");
        assert!(references.contains(&reference), "{name} is not used");
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => {
                        references.insert(text.clone());
                    }
                    other => collect(other, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

#[test]
fn operations_have_names_of_their_own_and_parameters_that_their_path_has() {
    let document = wrenchtime_api::openapi_document();
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(
                !name.is_empty() && names.insert(name.to_owned()),
                "{path} {name}"
            );
            let in_path: BTreeSet<String> = operation["parameters"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
                .collect();
            let expected: BTreeSet<String> = path
                .split('/')
                .filter(|part| part.starts_with('{'))
                .map(str::to_owned)
                .collect();
            assert_eq!(in_path, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn every_route_of_the_document_is_served_and_no_other_method() {
    let harness = Harness::new().await;
    let document = wrenchtime_api::openapi_document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let mut filled = String::new();
        for part in path.split('/').skip(1) {
            let part = if part.starts_with('{') { "x" } else { part };
            filled.push('/');
            filled.push_str(part);
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let answer = harness.call(method, &filled, "", None).await;
            let documented = methods.get(method.to_lowercase()).is_some();
            let served = answer.status != StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(served, documented, "{method} {path}");
            // An unknown address would be a 404 before anybody is asked who they are.
            let public = methods["get"]["security"]
                .as_array()
                .is_some_and(Vec::is_empty);
            if documented && !public {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_served_document_is_the_committed_one() {
    let harness = Harness::new().await;
    let answer = harness.call("GET", "/openapi.json", "", None).await;
    assert_eq!(answer.json(), wrenchtime_api::openapi_document());
}

#[tokio::test]
async fn systems_and_schemas_are_served() {
    let harness = Harness::new().await;
    let (_, token) = harness.connect().await;
    let systems = harness.get("/v1/systems").await.json();
    assert_eq!(systems["data"][0]["system"], "memory");
    let system = harness.get("/v1/systems/memory").await.json();
    assert_eq!(system["settings"][1]["name"], "secret");
    let schema = harness
        .call("GET", "/v1/schemas/work_order", &token, None)
        .await
        .json();
    assert!(schema["properties"]["due_at"].is_object());
}
