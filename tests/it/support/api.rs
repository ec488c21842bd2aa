//! The API, as an application calls it.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::until_within;

/// How long one run may take, on a busy machine and unoptimised.
const RUN_SECONDS: u64 = 300;

/// A caller with a key or token.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// Records by resource and id.
pub(crate) type Records = BTreeMap<(String, String), Value>;

/// A connection that was made.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) id: String,
    /// The API by the connection's own token.
    pub(crate) own: Api,
}

impl Api {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        // Fails only when a provider is installed already, which does as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .no_proxy()
            // Longer than the service takes for an answer, whatever happens to it.
            .timeout(Duration::from_secs(90))
            .build()
            .unwrap();
        Self {
            http,
            url: url.to_owned(),
            key: key.to_owned(),
        }
    }

    /// Returns the same service by another key or token.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: key.to_owned(),
            ..self.clone()
        }
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Calls, and returns whatever is answered.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> (StatusCode, Value) {
        let answered = self.try_call(method, path, body).await;
        answered.unwrap_or_else(|error| panic!("{}{path}: {error}", self.url))
    }

    /// Calls a service that may be dead, or die.
    pub(crate) async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.url);
        let mut request = self.http.request(method, &url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request.send().await?;
        let status = reply.status();
        let text = reply.text().await?;
        let value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
        };
        Ok((status, value))
    }

    /// Returns an answer that is no JSON.
    pub(crate) async fn text(&self, path: &str) -> (StatusCode, String) {
        let url = format!("{}{path}", self.url);
        let reply = self
            .http
            .get(&url)
            .bearer_auth(&self.key)
            .send()
            .await
            .unwrap();
        (reply.status(), reply.text().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, value) = self.call(Method::GET, path, None).await;
        assert!(status.is_success(), "GET {path}: {status} {value}");
        value
    }

    /// Gets from a service that may die; nothing when it has.
    pub(crate) async fn try_get(&self, path: &str) -> Option<Value> {
        let (status, value) = self.try_call(Method::GET, path, None).await.ok()?;
        assert!(status.is_success(), "GET {path}: {status} {value}");
        Some(value)
    }

    /// Posts to a service that may die; nothing when it has.
    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> Option<Value> {
        let called = self.try_call(Method::POST, path, Some(body)).await;
        let (status, value) = called.ok()?;
        assert!(status.is_success(), "POST {path}: {status} {value}");
        Some(value)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, value) = self.call(Method::POST, path, Some(body)).await;
        assert!(status.is_success(), "POST {path}: {status} {value}");
        value
    }

    /// Returns all rows of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        self.try_all(path).await.unwrap()
    }

    /// Returns all rows of a list of a service that may die; nothing when it has.
    async fn try_all(&self, path: &str) -> Option<Vec<Value>> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut next = Some(format!("{path}{sign}limit=500"));
        let mut rows = Vec::new();
        while let Some(path) = next {
            let mut page = self.try_get(&path).await?;
            rows.append(page["data"].as_array_mut().unwrap());
            let plain = path.split('?').next().unwrap();
            next = page["next"]
                .as_str()
                .map(|cursor| format!("{plain}?limit=500&cursor={cursor}"));
        }
        Some(rows)
    }

    /// Returns the connection's whole feed.
    pub(crate) async fn feed(&self) -> Vec<Value> {
        self.feed_after(None).await.0
    }

    /// Returns the feed behind a position, and where it ends.
    pub(crate) async fn feed_after(&self, position: Option<&str>) -> (Vec<Value>, String) {
        let mut entries = Vec::new();
        let mut position = position.map(str::to_owned);
        loop {
            let after = position.map_or_else(String::new, |position| format!("&after={position}"));
            let mut page = self.get(&format!("/v1/changes?limit=500{after}")).await;
            entries.append(page["data"].as_array_mut().unwrap());
            let next = page["next"].as_str().unwrap().to_owned();
            if page["more"] == false {
                return (entries, next);
            }
            position = Some(next);
        }
    }

    /// Connects, to be synced on demand only.
    pub(crate) async fn connect(&self, system: &str, settings: &Value, start: bool) -> Connection {
        let body = json!({
            "system": system,
            "settings": settings,
            "schedule_seconds": 0,
            "start_sync": start,
        });
        let made = self.post("/v1/connections", &body).await;
        Connection {
            id: made["id"].as_str().unwrap().to_owned(),
            own: self.with_key(made["token"].as_str().unwrap()),
        }
    }

    /// Returns the newest run, ended or not.
    pub(crate) async fn newest_run(&self, connection: &str) -> Option<Value> {
        let runs = self
            .get(&format!("/v1/connections/{connection}/syncs?limit=1"))
            .await;
        runs["data"].get(0).cloned()
    }

    /// Waits until the newest run, which must be another than `before`, has ended.
    pub(crate) async fn finished_run(&self, connection: &str, before: Option<&str>) -> Value {
        until_within(RUN_SECONDS, "a run comes to its end", async || {
            let run = self.newest_run(connection).await?;
            (run["id"].as_str() != before && !run["finished_at"].is_null()).then_some(run)
        })
        .await
    }

    /// Syncs to the end, which must be complete.
    pub(crate) async fn sync(&self, connection: &str) -> Value {
        let before = self.newest_run(connection).await;
        let before = before.as_ref().and_then(|run| run["id"].as_str());
        self.start_sync(connection, "incremental").await;
        let run = self.finished_run(connection, before).await;
        assert_eq!(run["outcome"], "complete", "{run:#}");
        run
    }

    /// Asks for a run and does not wait for it.
    pub(crate) async fn start_sync(&self, connection: &str, mode: &str) {
        let path = format!("/v1/connections/{connection}/syncs");
        self.post(&path, &json!({ "mode": mode })).await;
    }

    /// Returns every record of these resources, gone ones included.
    pub(crate) async fn records(&self, resources: &[&str]) -> Records {
        self.try_records(resources).await.unwrap()
    }

    /// Returns the same of a service that may die; nothing when it has.
    pub(crate) async fn try_records(&self, resources: &[&str]) -> Option<Records> {
        let mut records = Records::new();
        for resource in resources {
            let path = format!("/v1/{resource}?include_deleted=true");
            for record in self.try_all(&path).await? {
                let id = record["id"].as_str().unwrap().to_owned();
                let twice = records.insert(((*resource).to_owned(), id), record);
                assert!(twice.is_none(), "listed twice: {twice:?}");
            }
        }
        Some(records)
    }
}
