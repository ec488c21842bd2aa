//! A scripted host that plays token endpoint, locator and API, and what tests have in common.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers};
use wrenchtime_connector::{
    Clock, Connector, Context, Factory, ManualClock, PageRequest, Settings, StreamName,
};
use wrenchtime_corrigo::CorrigoFactory;
use wrenchtime_egress::Policy;
use wrenchtime_mapping::{Functions, Mapping};
use wrenchtime_transport::{Runtime, RuntimeOptions};

pub(crate) fn clock() -> ManualClock {
    let start: DateTime<Utc> = "2031-05-01T12:00:00Z".parse().unwrap();
    ManualClock::new(start)
}

pub(crate) fn runtime(clock: Arc<dyn Clock>) -> Runtime {
    let mut options = RuntimeOptions::new(clock);
    options.egress = Policy::allowing(["127.0.0.0/8".parse().unwrap()]);
    Runtime::new(options).unwrap()
}

pub(crate) fn factory() -> CorrigoFactory {
    CorrigoFactory::new(runtime(Arc::new(clock())))
}

/// Compiles the default mapping with the connector's own functions.
pub(crate) fn mapping() -> Mapping {
    let factory = factory();
    let functions = Functions::builtin().with_named(factory.functions());
    Mapping::compile(factory.default_mapping(), factory.info(), &functions)
        .unwrap_or_else(|error| panic!("the default mapping does not compile: {error}"))
}

/// What a request was about, as far as tests look at it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) company: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) body: String,
}

impl Seen {
    /// The query language's part of the body.
    pub(crate) fn expression(&self) -> Json {
        serde_json::from_str::<Json>(&self.body).unwrap()["QueryExpression"].clone()
    }
}

type Answer = Box<dyn Fn(&Seen, usize) -> Option<ResponseTemplate> + Send + Sync>;

/// A host that answers as told, and with a token, itself as host, or no rows where nothing was told.
pub(crate) struct Host {
    pub(crate) server: MockServer,
    pub(crate) clock: ManualClock,
    seen: Arc<Mutex<Vec<Seen>>>,
}

struct Script {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    answer: Answer,
}

impl Respond for Script {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let header = |name: &str| Some(request.headers.get(name)?.to_str().unwrap().to_owned());
        let seen = Seen {
            path: request.url.path().to_owned(),
            company: header("CompanyName"),
            token: header("Authorization"),
            body: String::from_utf8(request.body.clone()).unwrap(),
        };
        let nth = {
            let mut all = self.seen.lock().unwrap();
            all.push(seen.clone());
            all.iter().filter(|other| other.path == seen.path).count()
        };
        (self.answer)(&seen, nth).unwrap_or_else(|| usual(&seen.path, nth, &self.url))
    }
}

/// Answers the `nth` request for a path, counted from 1.
fn usual(path: &str, nth: usize, url: &str) -> ResponseTemplate {
    let body = match path {
        "/OAuth/token" => {
            json!({"access_token": format!("token-{nth}"), "token_type": "bearer", "expires_in": 1199})
        }
        "/api/v1/cmd/GetCompanyWsdkUrlCommand" => located(url),
        _ => json!({"Entities": []}),
    };
    ResponseTemplate::new(200).set_body_json(body)
}

pub(crate) fn located(url: &str) -> Json {
    json!({"CommandResult": {
        "Url": url, "CompanyName": "Northwind Facilities", "Protocol": "HTTPS",
        "CompanyVersion": "9.8.0.0", "CompanyId": 1001,
    }})
}

pub(crate) fn refused(status: u16, code: &str) -> ResponseTemplate {
    let body = json!({"ErrorMessage": "no", "ErrorCode": code, "TimeStamp": "2031-05-01T09:30:00.1234567Z"});
    ResponseTemplate::new(status).set_body_json(body)
}

pub(crate) fn rows(rows: &[Json]) -> ResponseTemplate {
    let entities: Vec<Json> = rows.iter().map(|row| json!({"Data": row})).collect();
    ResponseTemplate::new(200).set_body_json(json!({"Entities": entities}))
}

impl Host {
    pub(crate) async fn start(
        answer: impl Fn(&Seen, usize) -> Option<ResponseTemplate> + Send + Sync + 'static,
    ) -> Self {
        let server = MockServer::start().await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Script {
            url: server.uri(),
            seen: Arc::clone(&seen),
            answer: Box::new(answer),
        };
        Mock::given(matchers::any())
            .respond_with(script)
            .mount(&server)
            .await;
        Self {
            server,
            clock: clock(),
            seen,
        }
    }

    pub(crate) fn connector(&self) -> Arc<dyn Connector> {
        let factory = CorrigoFactory::new(runtime(Arc::new(self.clock.clone())));
        factory.connect(&self.settings()).unwrap()
    }

    pub(crate) fn settings(&self) -> Settings {
        let settings = Settings::new([
            ("company", "Northwind Facilities".to_owned()),
            ("client_id", "client-1".to_owned()),
            ("client_secret", "s3cr3t canary".to_owned()),
            ("token_url", format!("{}/OAuth/token", self.server.uri())),
            ("locator_url", self.server.uri()),
        ]);
        settings.validated(&factory().info().settings).unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.path).collect()
    }
}

pub(crate) fn context() -> Context {
    Context::new("test")
}

pub(crate) fn page(stream: &'static str) -> PageRequest {
    PageRequest::new(StreamName::from_static(stream))
}
