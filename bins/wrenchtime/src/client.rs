//! The service's API, as commands use it.

use anyhow::{Context, Result, bail};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// A client of one service.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: SecretString,
}

impl Client {
    /// Makes a client of the service at this URL.
    pub(crate) fn new(url: String, key: SecretString) -> Result<Self> {
        // The address comes from the data directory's own file, not from outside: no egress policy applies.
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .context("make an HTTP client")?;
        Ok(Self { http, url, key })
    }

    /// Tells whether a service answers there.
    pub(crate) async fn is_alive(&self) -> bool {
        let reply = self.http.get(format!("{}/healthz", self.url)).send().await;
        reply.is_ok_and(|reply| reply.status().is_success())
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(self.key.expose_secret());
        if let Some(body) = body {
            request = request.json(body);
        }
        let reply = request
            .send()
            .await
            .with_context(|| format!("the service at {} does not answer", self.url))?;
        let status = reply.status();
        let text = reply
            .text()
            .await
            .context("the service's reply broke off")?;
        let value: Value = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).context("the service's reply is no JSON")?
        };
        if !status.is_success() {
            bail!("{}", explain(&value));
        }
        Ok(value)
    }
}

/// Puts a problem into one sentence, with what is wrong with single fields.
fn explain(problem: &Value) -> String {
    let text = |name: &str| problem[name].as_str().map(str::to_owned);
    let mut sentence = text("detail")
        .or_else(|| text("title"))
        .unwrap_or_else(|| "the service refused without saying why".to_owned());
    for error in problem["errors"].as_array().into_iter().flatten() {
        let (field, message) = (error["field"].as_str(), error["message"].as_str());
        if let (Some(field), Some(message)) = (field, message) {
            sentence.push_str(&format!("\n  {field}: {message}"));
        }
    }
    sentence
}
