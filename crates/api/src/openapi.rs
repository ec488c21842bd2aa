//! The OpenAPI 3.1 document, made from the route table.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};
use wrenchtime_model::{Event, Resource, record_schema};

use crate::dto;
use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, ProblemBody};
use crate::route::{Access, Content, Route, schema_name};
use crate::routes;

static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());

/// Returns the document as text.
pub(crate) fn text() -> &'static str {
    &TEXT
}

/// Returns the OpenAPI 3.1 document of the API.
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in routes::all() {
        let item = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        item[route.method.as_str().to_ascii_lowercase()] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wrenchtime",
            "version": "v1",
            "summary": "One API for every CMMS.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "responses": problem_responses(),
            "securitySchemes": {
                "management_key": {
                    "type": "http", "scheme": "bearer",
                    "description": "The application's operator: `wtm_...`.",
                },
                "connection_token": {
                    "type": "http", "scheme": "bearer",
                    "description": "One connection's records: `wtc_...`.",
                },
            },
        },
    })
}

fn tags() -> Value {
    json!([
        { "name": "service", "description": "The service itself." },
        { "name": "systems", "description": "Systems that can be connected." },
        { "name": "connections", "description": "Customers' connected accounts." },
        { "name": "syncs", "description": "Runs, and how fresh a copy is." },
        { "name": "records", "description": "Unified records and the change feed." },
        { "name": "webhooks", "description": "Endpoints that events are sent to, and what became of it." },
    ])
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.id,
        "tags": [route.tag],
        "summary": route.summary,
        "security": security(route.access),
        "responses": responses(route),
    });
    if !route.description.is_empty() {
        operation["description"] = json!(route.description);
    }
    let parameters: Vec<Value> = route
        .path_parameters
        .iter()
        .map(|one| parameter(one, "path"))
        .chain(
            route
                .query_parameters
                .iter()
                .map(|one| parameter(one, "query")),
        )
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = &route.body {
        operation["requestBody"] = json!({
            "required": body.required,
            "content": { "application/json": { "schema": reference(body.schema) } },
        });
    }
    operation
}

fn security(access: Access) -> Value {
    match access {
        Access::Public => json!([]),
        Access::Any => json!([{ "management_key": [] }, { "connection_token": [] }]),
        Access::Management => json!([{ "management_key": [] }]),
        Access::Connection => json!([{ "connection_token": [] }]),
    }
}

fn parameter(parameter: &Parameter, place: &str) -> Value {
    let mut value = json!({
        "name": parameter.name,
        "in": place,
        "required": place == "path",
        "description": parameter.description,
        "schema": parameter.schema(),
    });
    if matches!(parameter.kind, Kind::List(_)) {
        value["style"] = json!("form");
        value["explode"] = json!(false);
    }
    value
}

fn responses(route: &Route) -> Value {
    let mut success = json!({
        "description": route.success.description,
        "headers": { "x-request-id": request_id_header() },
    });
    match &route.success.content {
        Content::Nothing => {}
        Content::Json(schema) => {
            success["content"] = json!({ "application/json": { "schema": reference(schema) } });
        }
        Content::Text(kind) => {
            success["content"] = json!({ (*kind): { "schema": { "type": "string" } } });
        }
    }
    let mut responses = Map::new();
    responses.insert(route.success.status.as_str().to_owned(), success);
    // Several problems share a status: the document lists them under it.
    for code in route.all_problems() {
        let entry = responses
            .entry(code.status().as_str().to_owned())
            .or_insert_with(|| problem_response(&[]));
        let known = entry["description"].as_str().unwrap_or_default().to_owned();
        let line = format!("`{}`: {}.", code.name(), code.title());
        let line = if known.is_empty() {
            line
        } else {
            format!("{known} {line}")
        };
        entry["description"] = json!(line);
    }
    Value::Object(responses)
}

fn problem_response(codes: &[Code]) -> Value {
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}.", code.name(), code.title()))
        .collect();
    json!({
        "description": lines.join(" "),
        "headers": { "x-request-id": request_id_header() },
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    })
}

/// One reply for each code, so that the closed list stands in the document whole.
fn problem_responses() -> Value {
    Code::ALL
        .iter()
        .map(|code| (code.name().to_owned(), problem_response(&[*code])))
        .collect::<Map<_, _>>()
        .into()
}

fn request_id_header() -> Value {
    json!({
        "description": "The request's id, also in the log.",
        "schema": { "type": "string" },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Value {
    let mut schemas = Map::new();
    for resource in Resource::ALL {
        add_record_schema(&mut schemas, resource);
    }
    let mut reading = generator(false);
    declare::<dto::NewConnectionBody>(&mut reading);
    declare::<dto::ConnectionChangeBody>(&mut reading);
    declare::<dto::NewSyncBody>(&mut reading);
    declare::<dto::NewEndpointBody>(&mut reading);
    schemas.append(&mut reading.take_definitions(true));
    let mut writing = generator(true);
    declare::<dto::ConnectionBody>(&mut writing);
    declare::<dto::CreatedConnectionBody>(&mut writing);
    declare::<dto::StatusBody>(&mut writing);
    declare::<dto::RunBody>(&mut writing);
    declare::<dto::AcceptedSyncBody>(&mut writing);
    declare::<dto::SyncStatusBody>(&mut writing);
    declare::<dto::QuarantinedRowBody>(&mut writing);
    declare::<dto::EndpointBody>(&mut writing);
    declare::<dto::CreatedEndpointBody>(&mut writing);
    declare::<dto::DeliveryBody>(&mut writing);
    declare::<ProblemBody>(&mut writing);
    declare::<Event>(&mut writing);
    schemas.append(&mut writing.take_definitions(true));
    add_written_schemas(&mut schemas);
    if let Some(code) = schemas
        .get_mut("Problem")
        .and_then(|problem| problem.pointer_mut("/properties/code"))
    {
        let names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
        code["enum"] = json!(names);
    }
    Value::Object(schemas)
}

fn generator(for_replies: bool) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let settings = if for_replies {
        settings.for_serialize()
    } else {
        settings.for_deserialize()
    };
    SchemaGenerator::new(settings)
}

/// Adds a type to the definitions; the reference that comes back is not needed, for routes refer by name.
fn declare<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}

/// Adds the schema of a resource's record, its parts as schemas of their own, and that of a list of it.
fn add_record_schema(schemas: &mut Map<String, Value>, resource: Resource) {
    let name = schema_name(resource);
    let mut schema = record_schema(resource);
    relocate(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("$schema");
        if let Some(Value::Object(mut parts)) = object.remove("$defs") {
            schemas.append(&mut parts);
        }
        object.insert("title".to_owned(), json!(name));
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            properties.insert(
                "raw".to_owned(),
                json!({ "description": "The source's own document, with `include=raw`; null where none is kept." }),
            );
        }
        // With `fields` only the id and what was asked for is there.
        object.insert("required".to_owned(), json!(["id"]));
    }
    schemas.insert(
        format!("{name}List"),
        json!({
            "type": "object",
            "properties": {
                "data": { "type": "array", "items": reference(&name) },
                "next": { "type": ["string", "null"], "description": "Pass it as `cursor`; null on the last page." },
                "next_modified_after": {
                    "type": "string", "format": "date-time",
                    "description": "Safe to pass as `modified_after` next time. The same on all pages of a list.",
                },
                "complete": {
                    "type": "boolean",
                    "description": "The source was read completely at least once.",
                },
                "stale_since": {
                    "type": "string", "format": "date-time",
                    "description": "Since when the data is not renewed. Only there while the source cannot be read.",
                },
            },
            "required": ["data", "next", "next_modified_after", "complete"],
        }),
    );
    schemas.insert(name, schema);
}

/// Lets references into a schema's own definitions point into the document's.
fn relocate(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "$ref" => {
                        *text = text.replace("#/$defs/", "#/components/schemas/");
                    }
                    other => relocate(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(relocate),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Schemas of replies that no single type makes.
fn add_written_schemas(schemas: &mut Map<String, Value>) {
    for (list, item) in [
        ("ConnectionList", "Connection"),
        ("SyncRunList", "SyncRun"),
        ("QuarantineList", "QuarantinedRow"),
        ("SystemList", "System"),
        ("WebhookEndpointList", "WebhookEndpoint"),
        ("WebhookDeliveryList", "WebhookDelivery"),
    ] {
        schemas.insert(
            list.to_owned(),
            json!({
                "type": "object",
                "properties": {
                    "data": { "type": "array", "items": reference(item) },
                    "next": { "type": ["string", "null"], "description": "Pass it as `cursor`; null on the last page." },
                },
                "required": ["data", "next"],
            }),
        );
    }
    schemas.insert(
        "ChangeList".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "data": {
                    "type": "array",
                    "items": {
                        "allOf": [reference("Event")],
                        "properties": { "record": {
                            "type": "object",
                            "description": "The record as it is now, with `include=record`.",
                        } },
                    },
                },
                "next": { "type": "string", "description": "Store it, and pass it as `after`." },
                "more": { "type": "boolean", "description": "There are more right now." },
            },
            "required": ["data", "next", "more"],
        }),
    );
    add_described_schemas(schemas);
}

/// Schemas of what is only described, not promised member by member.
fn add_described_schemas(schemas: &mut Map<String, Value>) {
    schemas.insert(
        "System".to_owned(),
        json!({
            "type": "object",
            "description": "What a system is and offers, as its connector declares it.",
            "properties": {
                "system": { "type": "string", "description": "Its formal name." },
                "display_name": { "type": "string", "description": "The vendor's own name of it." },
                "hosting": { "type": "string", "enum": ["cloud", "on_premises"] },
                "settings": { "type": "array", "items": { "type": "object" }, "description": "What must be known to connect." },
                "entities": { "type": "array", "items": { "type": "object" }, "description": "What is read, and how changes are noticed." },
                "resources": { "type": "array", "items": { "type": "object" }, "description": "What can be done with each resource." },
            },
            "required": ["system", "display_name", "hosting", "settings", "entities", "resources"],
        }),
    );
    schemas.insert(
        "Health".to_owned(),
        json!({
            "type": "object",
            "properties": { "status": { "const": "ok" } },
            "required": ["status"],
        }),
    );
    schemas.insert("Anything".to_owned(), json!({ "type": "object" }));
}
