//! Nothing that is anybody's secret or data leaves through errors, `Debug` or logs.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use wrenchtime_connector::{Context, Error, ErrorKind, Result};
use wrenchtime_transport::{Auth, Call, Token, TokenCache, TokenSource};

use crate::support::{Answer, Server, World, ok, profile, reply};

const CANARY: &str = "c4n4ry";

#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Keeps everything that anybody logs on this thread, spans too.
pub(crate) fn listen() -> (Log, tracing::subscriber::DefaultGuard) {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    (log, tracing::subscriber::set_default(subscriber))
}

fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(text, " {cause} {cause:?}").unwrap();
        source = cause.source();
    }
    text
}

#[track_caller]
fn expect_clean(case: &str, text: &str) {
    if let Some(at) = text.find(CANARY) {
        let from = at.saturating_sub(300);
        let near: String = text.chars().skip(from).take(400).collect();
        panic!("{case}: {near}");
    }
}

#[derive(Debug)]
struct OneToken;

#[async_trait]
impl TokenSource for OneToken {
    async fn token(&self, _: &Context) -> Result<Token> {
        Ok(Token {
            secret: format!("token-{CANARY}").into(),
            expires_in: Duration::from_secs(1000),
        })
    }
}

fn schemes(world: &World) -> Vec<Auth> {
    let tokens = TokenCache::new(Arc::clone(world.runtime.clock()), Arc::new(OneToken));
    vec![
        Auth::Basic {
            user: "app".to_owned(),
            password: CANARY.into(),
        },
        Auth::Header {
            name: "x-key".parse().unwrap(),
            value: CANARY.into(),
        },
        Auth::Bearer(Arc::new(tokens)),
    ]
}

fn call() -> Call {
    Call::post_json("things", &serde_json::json!({ "secret": CANARY }))
        .query("key", CANARY)
        .header("x-extra".parse().unwrap(), CANARY)
        .safe()
}

/// Replies that carry somebody's data in every place that a reply has.
fn answers() -> Vec<(&'static str, Answer)> {
    let json = format!(r#"{{"name":"{CANARY}","id":["{CANARY}"]}}"#);
    let headers = format!(
        "x-data: {CANARY}\r\nset-cookie: a={CANARY}\r\ncontent-type: {CANARY}; b={CANARY}\r\n"
    );
    let location = format!("location: https://{CANARY}.example/{CANARY}?{CANARY}\r\n");
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{json}");
    let mut answers = vec![
        ("other shape", reply(200, &headers, &json)),
        ("cut json", ok(&format!(r#"{{"id": 1, "name":"{CANARY}"#))),
        ("bare words", ok(&format!(r#"{{"id": {CANARY}"#))),
        ("wrong type", ok(&format!(r#""{CANARY}""#))),
        ("markup", ok(&format!("<p>{CANARY}"))),
        ("redirect", reply(302, &location, CANARY)),
        ("truncated", Answer::Bytes(cut.into_bytes())),
        (
            "not http",
            Answer::Bytes(format!("{CANARY}\r\n\r\n").into_bytes()),
        ),
        (
            "bad header",
            Answer::Bytes(format!("HTTP/1.1 200 OK\r\n{CANARY} {CANARY}\r\n\r\n").into_bytes()),
        ),
        ("dropped", Answer::Drop),
    ];
    for (name, status) in [
        ("400", 400),
        ("401", 401),
        ("403", 403),
        ("404", 404),
        ("429", 429),
        ("500", 500),
    ] {
        answers.push((name, reply(status, &headers, &json)));
    }
    answers
}

#[tokio::test]
async fn no_canary_gets_out() {
    let (log, _guard) = listen();
    for (case, answer) in answers() {
        let server = Server::answering(move |request| {
            assert!(
                request.contains(CANARY),
                "the canaries must be on their way for this to mean anything"
            );
            answer.clone()
        })
        .await;
        let world = World::new();
        for auth in schemes(&world) {
            let mut profile = profile(&server.url());
            profile.headers = vec![("company".parse().unwrap(), CANARY.into())];
            profile.account = Some(CANARY.to_owned());
            profile.auth = auth;
            let shown = format!("{profile:?} {:?}", call());
            expect_clean(case, &shown);
            let http = world.runtime.http(profile);
            expect_clean(case, &format!("{http:?} {:?}", world.runtime));
            let error = http
                .send_json::<Vec<u32>>(&Context::new("t"), call())
                .await
                .unwrap_err();
            expect_clean(case, &everything(&error));
        }
        assert!(server.requests().len() >= 3, "{case}");
    }
    let log = log.text();
    expect_clean("log", &log);
    // The subscriber did listen, and others than us were heard.
    assert!(
        log.contains("the call failed") && log.contains("will ask again"),
        "{log}"
    );
    assert!(log.contains("hyper_util"), "{log}");
}

#[tokio::test]
async fn a_success_shows_nothing_either() {
    let (log, _guard) = listen();
    let server = Server::scripted([reply(200, &format!("x-data: {CANARY}\r\n"), CANARY)]).await;
    let world = World::new();
    let http = world.runtime.http(profile(&server.url()));
    let reply = http.send(&Context::new("t"), call()).await.unwrap();
    assert_eq!(reply.body, CANARY);
    expect_clean("reply", &format!("{reply:?} {reply:#?}"));
    expect_clean("log", &log.text());
    assert!(log.text().contains("called the source"), "{}", log.text());
}

#[tokio::test]
async fn addresses_in_errors_have_no_query() {
    let world = World::new();
    let bases = [
        // Nobody listens.
        "http://127.0.0.1:1/",
        // Not allowed.
        "http://10.0.0.1/",
    ];
    for base in bases {
        let http = world.runtime.http(profile(&base.parse().unwrap()));
        for target in [
            call(),
            call().absolute(format!("{base}x?key={CANARY}").parse().unwrap()),
        ] {
            let error = http.send(&Context::new("t"), target).await.unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Invalid),
                "{error}"
            );
            expect_clean(base, &everything(&error));
        }
    }
    let with_password = format!("http://user:{CANARY}@127.0.0.1:1/");
    let http = world.runtime.http(profile(&with_password.parse().unwrap()));
    expect_clean("user info", &format!("{http:?}"));
    let error = http
        .send(&Context::new("t"), Call::get("x"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    expect_clean("user info", &everything(&error));
}
