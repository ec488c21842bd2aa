//! Refusals and their codes.

use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use serde_json::{Map, Value as Json, json};

/// A refusal in the vendor's envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) message: String,
}

pub(super) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(super) fn missing_header() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "MISSING_AUTHORIZATION_HEADER",
            "Authorization header is missing.",
        )
    }

    pub(super) fn forbidden(code: &'static str, message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    pub(super) fn expired() -> Self {
        Self::forbidden("EXPIRED_TOKEN", "The access token has expired.")
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "METHOD_NOT_ALLOWED",
            "The requested resource does not support this HTTP method.",
        )
    }

    pub(super) fn not_found_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NOT_FOUND",
            "No HTTP resource was found.",
        )
    }

    pub(super) fn unknown_entity(name: &str) -> Self {
        Self::bad(
            "ENTITY_NOT_FOUND",
            format!("Entity '{name}' was not found."),
        )
    }

    pub(super) fn no_operation(entity: &str, operation: &str) -> Self {
        Self::bad(
            "ERROR_CODE_1000",
            format!("Operation '{operation}' is not supported for entity '{entity}'."),
        )
    }

    pub(super) fn no_property(entity: &str, name: &str) -> Self {
        Self::bad(
            "ERROR_CODE_1002",
            format!("Property '{name}' does not exist in {{!{{{entity}}}!}}."),
        )
    }

    pub(super) fn bare_reference(path: &str) -> Self {
        Self::bad(
            "ERROR_CODE_1003",
            format!("Property '{path}' is a reference and cannot be used as a value."),
        )
    }

    pub(super) fn no_record(entity: &str, id: &str) -> Self {
        Self::bad(
            "ERROR_CODE_1019",
            format!("{{!{{{entity}}}!}} with id {id} does not exist."),
        )
    }

    pub(super) fn parsing(message: impl Into<String>) -> Self {
        Self::bad("DATA_PARSING_ERROR", message)
    }

    pub(super) fn empty_input(what: &str) -> Self {
        Self::bad(
            "EMPTY_INPUT_PARAMETER",
            format!("Input parameter '{what}' is empty."),
        )
    }

    /// Returns the body, with the caller's request id when there was one.
    pub(super) fn body(&self, now: DateTime<Utc>, request_id: Option<&Json>) -> Json {
        let stamp = now.to_rfc3339_opts(SecondsFormat::Nanos, true);
        // The vendor shows seven decimals, not nine.
        let seven = stamp
            .strip_suffix("00Z")
            .map_or_else(|| stamp.clone(), |head| format!("{head}Z"));
        let mut body = Map::new();
        body.insert("ErrorMessage".to_owned(), json!(self.message));
        body.insert("ErrorCode".to_owned(), json!(self.code));
        body.insert("TimeStamp".to_owned(), json!(seven));
        if let Some(id) = request_id {
            body.insert("RequestId".to_owned(), id.clone());
        }
        Json::Object(body)
    }
}
