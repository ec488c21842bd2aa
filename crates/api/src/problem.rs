//! What is answered when a request cannot be: RFC 9457 problems from one closed list.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use tracing::error;
use wrenchtime_connector::ErrorKind;
use wrenchtime_service::Error;
use wrenchtime_service::storage::StorageError;

macro_rules! codes {
    ($($(#[$doc:meta])* $member:ident = $code:literal, $status:ident, $title:literal;)*) => {
        /// Every kind of problem that a request can end in.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])* $member,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$member,)*];

            /// Returns the code as replies carry it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$member => $code,)* }
            }

            /// Returns the HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$member => StatusCode::$status,)* }
            }

            /// Returns the sentence that is the same for all problems of this kind.
            pub fn title(self) -> &'static str {
                match self { $(Self::$member => $title,)* }
            }

            /// Returns the page that explains it, in Markdown.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$member => include_str!(concat!("../../../docs/problems/", $code, ".md")),)*
                }
            }
        }
    };
}

codes! {
    /// A parameter of the path or query is unknown or cannot be read.
    InvalidParameter = "invalid_parameter", BAD_REQUEST, "A parameter is not as it must be";
    /// The body is no JSON, or not what the request takes.
    InvalidBody = "invalid_body", BAD_REQUEST, "The body is not as it must be";
    /// Settings of a connection do not fit what the system asks for.
    InvalidSettings = "invalid_settings", BAD_REQUEST, "Settings do not fit the system";
    /// No key or token, or one that is void.
    Unauthorized = "unauthorized", UNAUTHORIZED, "A valid key or token is needed";
    /// A key or token of the wrong kind.
    Forbidden = "forbidden", FORBIDDEN, "This key or token is not for this request";
    /// The source refuses the connection's credentials.
    ReauthorizationRequired = "reauthorization_required", FORBIDDEN, "The connection must be reauthorized";
    /// There is nothing at this address.
    NotFound = "not_found", NOT_FOUND, "There is nothing here";
    /// The address takes other methods.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "This method is not for this address";
    /// The body took too long to arrive.
    RequestTimeout = "request_timeout", REQUEST_TIMEOUT, "The request took too long to arrive";
    /// The connection stands in a state in which this cannot be done.
    ConnectionState = "connection_state", CONFLICT, "The connection's state does not allow this";
    /// The position in the feed is of another store, or from before a backup was restored.
    CursorExpired = "cursor_expired", GONE, "The cursor can no longer be continued";
    /// The body is larger than allowed.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is not marked as JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    /// The source does not accept the credentials that were given.
    CredentialsRefused = "credentials_refused", UNPROCESSABLE_ENTITY, "The source refuses these credentials";
    /// The account that the credentials open may not do what is needed.
    SourcePermissionDenied = "source_permission_denied", UNPROCESSABLE_ENTITY, "The account lacks a permission at the source";
    /// The settings open another account than the one that the connection reads.
    AccountMismatch = "account_mismatch", UNPROCESSABLE_ENTITY, "The settings open another account";
    /// Something went wrong here. The request id finds it in the log.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side";
    /// The source's answer was not understood.
    SourceError = "source_error", BAD_GATEWAY, "The source answered with something unexpected";
    /// The source does not answer, or asks to wait.
    SourceUnavailable = "source_unavailable", BAD_GATEWAY, "The source does not answer";
    /// The service is ending, its store does not answer, or it was too slow.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "The service cannot answer now";
}

/// One problem, before it becomes a reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: Option<String>,
    pub(crate) errors: Vec<FieldProblem>,
}

/// What is wrong with one parameter, body field or setting.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub(crate) struct FieldProblem {
    /// Its name.
    pub(crate) field: String,
    /// What is wrong with it, and what is allowed.
    pub(crate) message: String,
}

/// A problem as it stands in a reply (RFC 9457).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct ProblemBody {
    /// Path of the page that explains it: `/problems/<code>`.
    #[serde(rename = "type")]
    kind: String,
    /// One of the listed codes.
    code: String,
    /// The same for all problems of this code.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong with single parameters, body fields or settings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldProblem>,
    /// The same as in the header `x-request-id`.
    request_id: String,
}

impl Problem {
    pub(crate) fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
        }
    }

    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub(crate) fn with_error(
        mut self,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldProblem {
            field: field.into(),
            message: message.into(),
        });
        self
    }

    /// A parameter that is not as it must be.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(Code::InvalidParameter)
            .with_detail(format!("{name} {message}"))
            .with_error(name, message)
    }

    /// Something that is not there.
    pub(crate) fn no(what: &str) -> Self {
        Self::new(Code::NotFound).with_detail(format!("there is no such {what}"))
    }

    /// Something of which nothing is told: logged here, once.
    pub(crate) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        error!(error = %chain(cause), "a request failed");
        Self::new(Code::Internal)
    }

    pub(crate) fn into_reply(self, request_id: &str) -> Response {
        let status = self.code.status();
        let body = ProblemBody {
            kind: format!("/problems/{}", self.code.name()),
            code: self.code.name().to_owned(),
            title: self.code.title().to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            errors: self.errors,
            request_id: request_id.to_owned(),
        };
        let mut reply = (status, axum::Json(body)).into_response();
        let headers = reply.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.code == Code::Unavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        reply
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match &error {
            Error::UnknownSystem { .. } => {
                Self::new(Code::InvalidBody).with_error("system", error.to_string())
            }
            Error::Settings(settings) => settings.faults.iter().fold(
                Self::new(Code::InvalidSettings).with_detail(error.to_string()),
                |problem, (field, message)| problem.with_error(field, message),
            ),
            Error::Source(source) => of_source(source),
            Error::NoConnection(_) => Self::no("connection"),
            Error::State { .. } => Self::new(Code::ConnectionState).with_detail(error.to_string()),
            Error::AccountMismatch { .. } => {
                Self::new(Code::AccountMismatch).with_detail(error.to_string())
            }
            Error::Schedule { .. } => Self::new(Code::InvalidBody)
                .with_detail(error.to_string())
                .with_error("schedule_seconds", error.to_string()),
            Error::Invalid { field, message } => Self::new(Code::InvalidBody)
                .with_detail(error.to_string())
                .with_error(*field, message),
            Error::NotRunning => Self::new(Code::Unavailable).with_detail(error.to_string()),
            Error::Storage(StorageError::Unavailable(_)) => Self {
                code: Code::Unavailable,
                ..Self::internal(&error)
            },
            _ => Self::internal(&error),
        }
    }
}

fn of_source(source: &wrenchtime_connector::Error) -> Problem {
    let code = match source.kind() {
        ErrorKind::ReauthorizationRequired => Code::CredentialsRefused,
        ErrorKind::PermissionDenied => Code::SourcePermissionDenied,
        ErrorKind::Invalid => Code::InvalidSettings,
        ErrorKind::Unavailable | ErrorKind::RateLimited => Code::SourceUnavailable,
        _ => Code::SourceError,
    };
    source.fields().iter().fold(
        Problem::new(code).with_detail(source.to_string()),
        |problem, field| problem.with_error(&field.field, &field.message),
    )
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
