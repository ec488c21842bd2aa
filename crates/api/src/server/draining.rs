//! A connection whose client has to take what is written.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Fails writes that make no progress for so long. Without it a client that reads nothing keeps its connection, for the
/// other limits concern what it sends.
pub(super) struct Draining<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be taken.
    deadline: Option<Pin<Box<dyn Sleep>>>,
}

impl<S> Draining<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            deadline: None,
        }
    }

    /// Passes on what came of an attempt to write, or that the time for it is over.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.deadline = None;
            return attempt;
        }
        let patience = self.patience;
        let deadline = self
            .deadline
            .get_or_insert_with(|| TokioTimer::new().sleep(patience));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the client does not read what it asked for",
        )))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Draining<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Draining<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(cx, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watched(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_flush(cx);
        self.watched(cx, attempt)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watched(cx, attempt)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    /// Writes far more than fits, to a client that takes a part of it each so often.
    async fn write(patience: Duration, pause: Option<Duration>) -> io::Result<()> {
        let (client, server) = duplex(64);
        let (mut reader, _writer) = tokio::io::split(client);
        let mut server = Draining::new(server, patience);
        let reading = async {
            let Some(pause) = pause else {
                return std::future::pending().await;
            };
            let mut part = [0; 64];
            loop {
                reader.read_exact(&mut part).await.unwrap();
                TokioTimer::new().sleep(pause).await;
            }
        };
        tokio::select! {
            written = server.write_all(&[0; 64 * 10]) => written,
            () = reading => unreachable!("reads until the writing ends"),
        }
    }

    #[tokio::test]
    async fn slow_is_not_deaf() {
        let patience = Duration::from_millis(400);
        // Longer than that altogether, but each time some of it is taken.
        let pause = Some(Duration::from_millis(80));
        write(patience, pause).await.unwrap();
        let error = write(patience, None).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
