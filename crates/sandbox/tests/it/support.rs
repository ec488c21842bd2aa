//! A client that knows nothing but HTTP.

use chrono::{DateTime, Utc};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use wrenchtime_sandbox::{
    SimClock,
    corrigo::{CorrigoOptions, CorrigoSandbox, Switches},
};

/// A simulator and a client with a token.
pub(crate) struct Desk {
    pub(crate) sandbox: CorrigoSandbox,
    pub(crate) http: Client,
    pub(crate) token: String,
}

/// The instant at which the clock of every test stands.
pub(crate) fn noon() -> DateTime<Utc> {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn client() -> Client {
    // Another test may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().no_proxy().build().unwrap()
}

/// Options with a clock that stands still.
pub(crate) fn options(work_orders: usize) -> CorrigoOptions {
    let mut options = CorrigoOptions::new(1, work_orders);
    options.clock = SimClock::fixed(noon());
    options
}

impl Desk {
    pub(crate) async fn open(work_orders: usize) -> Self {
        Self::with(options(work_orders)).await
    }

    pub(crate) async fn switched(work_orders: usize, change: impl FnOnce(&mut Switches)) -> Self {
        let mut options = options(work_orders);
        change(&mut options.switches);
        Self::with(options).await
    }

    pub(crate) async fn with(options: CorrigoOptions) -> Self {
        let sandbox = CorrigoSandbox::start(options).await.unwrap();
        let mut desk = Self {
            sandbox,
            http: client(),
            token: String::new(),
        };
        desk.sign_in().await;
        desk
    }

    /// Gets a new token.
    pub(crate) async fn sign_in(&mut self) {
        let (id, secret) = (self.sandbox.client_id(), self.sandbox.client_secret());
        let reply = self.ask_token(id, secret).await;
        let reply: Value = reply.json().await.unwrap();
        self.token = reply["access_token"].as_str().unwrap().to_owned();
    }

    pub(crate) async fn ask_token(&self, id: &str, secret: &str) -> Response {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        self.http
            .post(self.sandbox.token_url())
            .form(&form)
            .send()
            .await
            .unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}api/v1/{path}", self.sandbox.host_url())
    }

    pub(crate) async fn try_post(&self, path: &str, body: &Value) -> reqwest::Result<Response> {
        let request = self.http.post(self.url(path)).bearer_auth(&self.token);
        request
            .header("CompanyName", self.sandbox.company())
            .json(body)
            .send()
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let reply = self.try_post(path, body).await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(self.url(path)).bearer_auth(&self.token);
        let reply = request
            .header("CompanyName", self.sandbox.company())
            .send()
            .await
            .unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    /// Runs a query and returns the data of its rows.
    pub(crate) async fn query(&self, entity: &str, expression: Value) -> Vec<Value> {
        let (status, body) = self
            .post(
                &format!("query/{entity}"),
                &json!({"QueryExpression": expression}),
            )
            .await;
        assert_eq!(status, 200, "{body}");
        let rows = body["Entities"].as_array().unwrap();
        rows.iter().map(|row| row["Data"].clone()).collect()
    }

    /// Runs a query that is refused and returns the code.
    pub(crate) async fn refusal(&self, entity: &str, expression: Value) -> String {
        let (status, body) = self
            .post(
                &format!("query/{entity}"),
                &json!({"QueryExpression": expression}),
            )
            .await;
        assert_eq!(status, 400, "{body}");
        body["ErrorCode"].as_str().unwrap().to_owned()
    }

    /// Reads the `Id`s that one condition finds.
    pub(crate) async fn ids(
        &self,
        entity: &str,
        path: &str,
        operator: &str,
        values: Value,
    ) -> Vec<i64> {
        let rows = self
            .query(entity, json!({"PropertySet": {"Properties": ["Id"]}, "Distinct": true,
                "Criteria": {"Conditions": [{"PropertyName": path, "Operator": operator, "Values": values}]}}))
            .await;
        ids(&rows)
    }
}

pub(crate) fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["Id"].as_i64().unwrap()).collect()
}
