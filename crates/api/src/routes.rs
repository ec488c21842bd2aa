//! Every route, by what it is about.

mod connections;
mod quarantine;
mod records;
mod service;
mod syncs;
mod systems;
mod webhooks;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::parameter::{Kind, Parameter};
use crate::problem::{Code, Problem};
use crate::route::Route;

/// Returns the whole table.
pub(crate) fn all() -> Vec<Route> {
    let mut routes = service::routes();
    routes.extend(systems::routes());
    routes.extend(connections::routes());
    routes.extend(syncs::routes());
    routes.extend(quarantine::routes());
    routes.extend(records::routes());
    routes.extend(webhooks::routes());
    routes
}

/// Reads a JSON body; an empty one counts as an empty object.
fn parse_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    // A list would be taken member by member, in the order of our own declaration.
    if text.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Code::InvalidBody).with_detail("the body is no JSON object"));
    }
    serde_json::from_slice(text).map_err(|error| {
        // The message names what is wrong and where; values of settings could only stand in it as the wrong type.
        let shown = match error.classify() {
            serde_json::error::Category::Data => without_values(&error.to_string()),
            _ => "the body is no JSON object".to_owned(),
        };
        Problem::new(Code::InvalidBody).with_detail(shown)
    })
}

/// Cuts values out of a message of the parser: what a client put into a wrong place may be a secret. Names of members
/// stay.
fn without_values(message: &str) -> String {
    let shows_value = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .any(|beginning| message.starts_with(beginning));
    match message.split_once(", expected") {
        Some((found, expected)) if shows_value => {
            let kind = found.split(['`', '"']).next().unwrap_or_default();
            format!("{}, expected{expected}", kind.trim_end())
        }
        _ => message.to_owned(),
    }
}

fn connection_id() -> Parameter {
    Parameter::new("connection_id", Kind::Uuid, "The connection.")
}

fn limit() -> Parameter {
    Parameter::new("limit", Kind::Limit, "How many rows the page has at most.")
}

fn cursor() -> Parameter {
    Parameter::new(
        "cursor",
        Kind::Text,
        "The `next` of the page before. Opaque; goes on in the list that it came from.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_body_is_repeated() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            #[expect(dead_code, reason = "only its reading matters")]
            count: u32,
        }
        for (body, shown) in [
            (
                r#"{"count":"hunter2"}"#,
                "invalid type: string, expected u32",
            ),
            (
                r#"{"count":-77112}"#,
                "invalid value: integer, expected u32",
            ),
            (
                r#"{"cuont":"hunter2"}"#,
                "unknown field `cuont`, expected `count`",
            ),
        ] {
            let body = Bytes::from_static(body.as_bytes());
            let detail = parse_body::<Wanted>(&body).unwrap_err().detail.unwrap();
            assert!(detail.starts_with(shown), "{detail}");
            assert!(
                !detail.contains("hunter2") && !detail.contains("77112"),
                "{detail}"
            );
        }
        for body in ["[hunter2", "[7]", " null", "{hunter2"] {
            let problem = parse_body::<Wanted>(&Bytes::from_static(body.as_bytes())).unwrap_err();
            assert_eq!(
                problem.detail.unwrap(),
                "the body is no JSON object",
                "{body}"
            );
        }
    }
}
