//! Many requests on one connection.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use futures::future::join_all;
use gmp::hyper::Executor;
use gmp::net::UnixStream;
use gmp::runtime::Builder;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server;
use hyper::service::service_fn;

use super::*;

/// Counts the writes of a connection.
struct Counting {
    stream: UnixStream,
    writes: Arc<AtomicUsize>,
}

impl Read for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, SeqCst);
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Write::poll_flush(Pin::new(&mut self.stream), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Write::poll_shutdown(Pin::new(&mut self.stream), cx)
    }
}

/// What the tasks of a connection's requests have to say leaves in few writes, and
/// not in one for each.
#[test]
fn answers_that_are_ready_together_leave_together() {
    const REQUESTS: usize = 32;
    let runtime = Builder::new().procs(1).build().unwrap();
    let test = runtime.spawn(async {
        let (near, far) = UnixStream::pair().unwrap();
        let writes = Arc::new(AtomicUsize::new(0));
        let io = Counting {
            stream: far,
            writes: writes.clone(),
        };
        let serving = gmp::spawn(
            server::conn::http2::Builder::new(Executor).serve_connection(io, service_fn(echo)),
        );
        let (sender, connection) = http2::handshake(Executor, near).await.unwrap();
        let connection = gmp::spawn(connection);
        let ask = async |path: String| {
            let request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
            let response = sender.clone().send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        };
        // The settings are exchanged.
        ask("http://gmp.test/".to_owned()).await;
        let before = writes.load(SeqCst);
        join_all((0..REQUESTS).map(|n| ask(format!("http://gmp.test/{n}")))).await;
        let written = writes.load(SeqCst) - before;
        assert!(written <= REQUESTS / 4, "{written} writes");
        drop(sender);
        connection.await.unwrap().unwrap();
        serving.await.unwrap().unwrap();
    });
    runtime
        .block_on(gmp::time::timeout(Duration::from_secs(60), test))
        .expect("the test hangs")
        .unwrap();
}
