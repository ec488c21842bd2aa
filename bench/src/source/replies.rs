//! Replies by what was asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request as it came, and how it was answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Path, with a slash at its beginning.
    pub(crate) path: String,
    /// The body, as text.
    pub(crate) body: String,
    /// Bytes of the reply.
    pub(crate) bytes: usize,
    /// The reply was in memory before the request came.
    pub(crate) rendered: bool,
}

/// A reply that can be given again.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// All replies so far, and what was asked.
#[derive(Default, Debug)]
pub(super) struct Replies {
    kept: Mutex<HashMap<String, Arc<Kept>>>,
    asked: Mutex<Vec<Asked>>,
}

impl Replies {
    /// Returns the reply to a request that was answered before.
    pub(super) fn find(&self, key: &str) -> Option<Arc<Kept>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).cloned()
    }

    /// Keeps a reply if it is a success.
    pub(super) fn keep(&self, key: String, reply: Kept) -> Arc<Kept> {
        let reply = Arc::new(reply);
        if reply.status.is_success() {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(key, Arc::clone(&reply));
        }
        reply
    }

    /// Notes a request.
    pub(super) fn note(&self, asked: Asked) {
        let mut list = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(asked);
    }

    /// Returns what was noted, and forgets it.
    pub(super) fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns what tells requests apart that are answered differently. The same run at another time asks from another
/// instant on; the source's data does not change, so that these have the same answer.
pub(super) fn key(method: &str, path: &str, body: &[u8]) -> String {
    let body = match serde_json::from_slice::<Value>(body) {
        Ok(mut json) => {
            forget_times(&mut json);
            json.to_string()
        }
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    format!("{method} {path} {body}")
}

fn forget_times(json: &mut Value) {
    match json {
        Value::Object(object) => {
            object.remove("RequestId");
            if object.get("Operator").and_then(Value::as_str) == Some("GreaterOrEqual") {
                object.remove("Values");
            }
            object.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_run_makes_no_other_request() {
        let at = |from: &str, id: &str, behind: u8| {
            let body = format!(
                r#"{{"Criteria":{{"Conditions":[{{"Operator":"GreaterOrEqual","Values":["{from}"]}},
                {{"Operator":"GreaterThan","Values":[{behind}]}}]}},"RequestId":"{id}"}}"#
            );
            key("POST", "/q", body.as_bytes())
        };
        assert_eq!(at("2031-05-01", "a", 7), at("2031-05-02", "b", 7));
        assert_ne!(at("2031-05-01", "a", 7), at("2031-05-01", "a", 8));
    }

    #[test]
    fn what_is_no_json_is_taken_as_it_is() {
        assert_ne!(key("POST", "/t", b"a=1"), key("POST", "/t", b"a=2"));
    }
}
