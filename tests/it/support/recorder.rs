//! A receiver that keeps every attempt, repeated ones too.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use webhook_receiver::{Headers, Verifier};

/// Accepts all that is signed as it should be, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Recorder {
    url: String,
    kept: Arc<Kept>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    verifier: Mutex<Option<Verifier>>,
    attempts: Mutex<Vec<(String, Bytes)>>,
    refused: Mutex<usize>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/webhooks", listener.local_addr().unwrap());
        let kept = Arc::new(Kept::default());
        let task = tokio::spawn(accept(listener, Arc::clone(&kept)));
        Self { url, kept, task }
    }

    /// Says by which secret messages are signed.
    pub(crate) fn trust(&self, secret: &str) {
        let verifier = Verifier::from_secret(secret).unwrap();
        *self.kept.verifier.lock().unwrap() = Some(verifier);
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns how many attempts were not signed as they should be.
    pub(crate) fn refused(&self) -> usize {
        *self.kept.refused.lock().unwrap()
    }

    /// Returns how many attempts arrived.
    pub(crate) fn count(&self) -> usize {
        self.kept.attempts.lock().unwrap().len()
    }

    /// Returns the body of each message by its id. Fails if one came again with another body.
    #[track_caller]
    pub(crate) fn messages(&self) -> BTreeMap<String, Bytes> {
        let mut messages: BTreeMap<String, Bytes> = BTreeMap::new();
        for (id, body) in self.kept.attempts.lock().unwrap().iter() {
            let first = messages.entry(id.clone()).or_insert_with(|| body.clone());
            assert_eq!(first, body, "{id} came again and tells something else");
        }
        messages
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, kept: Arc<Kept>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let kept = Arc::clone(&kept);
        let service = service_fn(move |request| keep(Arc::clone(&kept), request));
        tokio::spawn(async move {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // A sender that died is what the tests are about.
            drop(connection.await);
        });
    }
}

async fn keep(
    kept: Arc<Kept>,
    request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let status = match body.collect().await {
        Ok(body) => kept.keep(&parts.headers, body.to_bytes()),
        Err(_) => StatusCode::BAD_REQUEST,
    };
    let mut reply = Response::new(Empty::new());
    *reply.status_mut() = status;
    Ok(reply)
}

impl Kept {
    fn keep(&self, headers: &hyper::HeaderMap, body: Bytes) -> StatusCode {
        let header = |name| headers.get(name).unwrap().to_str().unwrap();
        let signed = Headers {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the sender signs by the machine's clock"
        )]
        let now = chrono::Utc::now();
        let verifier = self.verifier.lock().unwrap();
        if verifier
            .as_ref()
            .unwrap()
            .verify(signed, &body, now)
            .is_err()
        {
            *self.refused.lock().unwrap() += 1;
            return StatusCode::UNAUTHORIZED;
        }
        let attempt = (signed.id.to_owned(), body);
        self.attempts.lock().unwrap().push(attempt);
        StatusCode::NO_CONTENT
    }
}
