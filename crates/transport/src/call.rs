//! One request, as data.

use std::fmt;

use ::http::{HeaderName, Method};
use bytes::Bytes;
use secrecy::SecretString;
use serde::Serialize;
use url::Url;
use url::form_urlencoded::Serializer;

/// A request to be sent by [`Http::send`](crate::Http::send).
///
/// ```
/// use wrenchtime_transport::Call;
///
/// let call = Call::post_json("query/WorkOrder", &serde_json::json!({ "Count": 500 }))
///     .safe()
///     .operation("query WorkOrder");
/// assert_eq!(format!("{call:?}"), "Call(query WorkOrder)");
/// ```
#[derive(Clone)]
#[must_use = "a call does nothing until it is sent"]
pub struct Call {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(HeaderName, SecretString)>,
    pub(crate) body: Body,
    pub(crate) safe: bool,
    operation: Option<String>,
}

/// Where a call goes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// Segments appended to the base address, unescaped, without a query. `.` and `..` are left out.
    Path(String),
    /// A whole address. Where it is of another origin than the base address, credentials and the profile's headers
    /// are not sent.
    Absolute(Url),
}

#[derive(Clone)]
pub(crate) enum Body {
    Empty,
    Bytes {
        content_type: &'static str,
        bytes: Bytes,
    },
    /// The value could not be written as JSON. Told when the call is sent.
    Broken,
}

impl Call {
    /// Makes a call with a method of choice and no body.
    pub fn new(method: Method, target: impl Into<Target>) -> Self {
        let safe = method.is_safe();
        Self {
            method,
            target: target.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Empty,
            safe,
            operation: None,
        }
    }

    /// Asks for something.
    pub fn get(target: impl Into<Target>) -> Self {
        Self::new(Method::GET, target)
    }

    /// Removes something.
    pub fn delete(target: impl Into<Target>) -> Self {
        Self::new(Method::DELETE, target)
    }

    /// Posts a value as JSON.
    pub fn post_json<T: Serialize + ?Sized>(target: impl Into<Target>, value: &T) -> Self {
        Self::new(Method::POST, target).json(value)
    }

    /// Posts fields as a form.
    pub fn post_form<K: AsRef<str>, V: AsRef<str>>(
        target: impl Into<Target>,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut call = Self::new(Method::POST, target);
        call.body = Body::Bytes {
            content_type: "application/x-www-form-urlencoded",
            bytes: form.into(),
        };
        call
    }

    /// Sets the body: a value as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        self.body = match serde_json::to_vec(value) {
            Ok(bytes) => Body::Bytes {
                content_type: "application/json",
                bytes: bytes.into(),
            },
            Err(_) => Body::Broken,
        };
        self
    }

    /// Sends the call to a whole address instead.
    pub fn absolute(mut self, url: Url) -> Self {
        self.target = Target::Absolute(url);
        self
    }

    /// Adds a pair to the query.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "numbers and borrowed texts are passed as they are"
    )]
    pub fn query(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.query.push((name.into(), value.to_string()));
        self
    }

    /// Adds a header. Its value is treated as a secret.
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, SecretString::from(value.into())));
        self
    }

    /// Marks a call as changing nothing, or the same however often it is sent: it may be retried. `GET` and `HEAD`
    /// are marked from the start.
    pub fn safe(mut self) -> Self {
        self.safe = true;
        self
    }

    /// Names what is done, for errors and logs: `query WorkOrder`. No secret. The default is method and path.
    pub fn operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    pub(crate) fn name(&self) -> String {
        self.operation
            .clone()
            .unwrap_or_else(|| format!("{} {}", self.method, self.target.path()))
    }
}

impl Target {
    /// Returns the path without anything that could be a query.
    fn path(&self) -> &str {
        match self {
            Self::Path(path) => path.split(['?', '#']).next().unwrap_or_default(),
            Self::Absolute(url) => url.path(),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({})", self.name())
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self {
            Self::Path(_) => None,
            Self::Absolute(url) => url.host_str(),
        };
        write!(f, "Target({}{})", host.unwrap_or_default(), self.path())
    }
}

impl From<&str> for Target {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<String> for Target {
    fn from(path: String) -> Self {
        Self::Path(path)
    }
}

impl From<&String> for Target {
    fn from(path: &String) -> Self {
        Self::Path(path.clone())
    }
}

impl From<Url> for Target {
    fn from(url: Url) -> Self {
        Self::Absolute(url)
    }
}

impl From<&Url> for Target {
    fn from(url: &Url) -> Self {
        Self::Absolute(url.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_is_safe_unless_said_otherwise() {
        assert!(Call::get("x").safe);
        assert!(Call::new(Method::HEAD, "x").safe);
        assert!(!Call::post_json("x", &1).safe);
        assert!(!Call::delete("x").safe);
        assert!(Call::post_json("x", &1).safe().safe);
    }

    #[test]
    fn a_call_names_itself_without_query_and_body() {
        let url: Url = "https://cmms.example.com/token?key=canary".parse().unwrap();
        let calls = [
            Call::get("assets?token=canary"),
            Call::get("assets").query("token", "canary"),
            Call::post_form(url, [("secret", "canary")]),
            Call::post_json("assets", "canary").header(HeaderName::from_static("x-key"), "canary"),
        ];
        for call in calls {
            let shown = format!("{call:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }
}
