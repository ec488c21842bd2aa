//! The server's limits, over real sockets.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wrenchtime_api::{Limits, serve};

struct Running {
    address: std::net::SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

async fn run(app: Router, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(listener, app, limits, shutdown.clone()));
    Running {
        address,
        shutdown,
        task,
    }
}

fn short() -> Limits {
    let mut limits = Limits::default();
    limits.header_timeout = Duration::from_millis(200);
    limits
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

/// Sends something, then reads until the server closes.
async fn talk(address: std::net::SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    // A reset counts as closed.
    let _closed = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn slow_and_silent_clients_are_cut_off() {
    let server = run(hello(), short()).await;
    for (text, answered) in [
        ("", false),
        ("G", false),
        ("GET / HTTP/1.1\r\nhost: x\r\nx-half:", false),
        // The request is answered; then the idle connection is closed.
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
    ] {
        let begun = Instant::now();
        let reply = tokio::time::timeout(Duration::from_secs(10), talk(server.address, text))
            .await
            .unwrap();
        assert_eq!(reply.contains("200 OK"), answered, "{text:?}: {reply}");
        assert!(begun.elapsed() >= Duration::from_millis(150), "{text:?}");
    }
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn endless_headers_are_refused() {
    let server = run(hello(), short()).await;
    let text = format!(
        "GET / HTTP/1.1\r\nhost: x\r\nx-long: {}",
        "x".repeat(100_000)
    );
    let reply = talk(server.address, &text).await;
    assert!(!reply.contains("200 OK"), "{reply}");
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn clients_beyond_the_limit_wait_for_room() {
    let mut limits = short();
    limits.connections = 2;
    let server = run(hello(), limits).await;
    let _silent = [
        TcpStream::connect(server.address).await.unwrap(),
        TcpStream::connect(server.address).await.unwrap(),
    ];
    let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let reply = talk(server.address, request).await;
    assert!(reply.contains("hello"), "{reply}");
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn clients_that_do_not_read_are_cut_off() {
    // Far more than the sockets between the two hold: one long answer, and many in a row.
    for (length, requests) in [(64 * 1024 * 1024, 1), (256 * 1024, 300)] {
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/long", get(move || async move { "x".repeat(length) }));
        let mut limits = Limits::default();
        limits.connections = 1;
        limits.write_timeout = Duration::from_millis(300);
        let server = run(app, limits).await;
        let mut deaf = TcpStream::connect(server.address).await.unwrap();
        let text = "GET /long HTTP/1.1\r\nhost: x\r\n\r\n".repeat(requests);
        deaf.write_all(text.as_bytes()).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let reply = tokio::time::timeout(Duration::from_secs(8), talk(server.address, request))
            .await
            .expect("the only place is free again before any other limit takes effect");
        assert!(reply.contains("hello"), "{reply}");
        let mut got = Vec::new();
        // A reset counts as closed.
        let _closed = deaf.read_to_end(&mut got).await;
        assert!(got.len() < length * requests);
        server.shutdown.cancel();
        server.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_takes_no_others() {
    let (begun, mut has_begun) = mpsc::channel(1);
    let finish = CancellationToken::new();
    let wait = finish.clone();
    let app = Router::new().route(
        "/",
        get(move || {
            let (begun, wait) = (begun.clone(), wait.clone());
            async move {
                begun.send(()).await.ok();
                wait.cancelled().await;
                "done"
            }
        }),
    );
    let server = run(app, Limits::default()).await;
    let address = server.address;
    let request =
        tokio::spawn(async move { talk(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await });
    has_begun.recv().await.unwrap();
    server.shutdown.cancel();
    // The listener goes before the requests under way do.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.task.is_finished());
    finish.cancel();
    assert!(request.await.unwrap().contains("done"));
    server.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_ever() {
    let (begun, mut has_begun) = mpsc::channel(1);
    let app = Router::new().route(
        "/",
        get(move || {
            let begun = begun.clone();
            async move {
                begun.send(()).await.ok();
                std::future::pending::<&str>().await
            }
        }),
    );
    let mut limits = Limits::default();
    limits.grace = Duration::from_millis(100);
    let server = run(app, limits).await;
    let address = server.address;
    let request =
        tokio::spawn(async move { talk(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await });
    has_begun.recv().await.unwrap();
    server.shutdown.cancel();
    server.task.await.unwrap().unwrap();
    request.abort();
}
