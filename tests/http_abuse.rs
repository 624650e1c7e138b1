//! A server among peers that mean it no good, or are just very many: it answers the
//! others meanwhile, and nothing of them stays.
//!
//! Each test has a process of its own, for it counts its sockets.

#[path = "support/child.rs"]
mod child;
#[path = "http_abuse/crowd.rs"]
mod crowd;
#[path = "support/limited.rs"]
mod limited;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "http_abuse/peers.rs"]
mod peers;

use std::net::SocketAddr;
use std::time::Duration;

use futures::channel::oneshot;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::hyper::{Served, serve};
use gmp::net::{TcpListener, TcpStream};
use gmp::runtime::Handle;
use gmp::task::JoinHandle;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};

use limited::limited;
use own_process::passed_alone;

/// What `/large` answers: more than any socket takes at once.
const LARGE: usize = 8 << 20;

const HELLO: &[u8] = b"GET / HTTP/1.1\r\nhost: gmp.test\r\n\r\n";

/// Runs the test `name` alone in a process, on one P and on two.
fn alone(name: &str, test: impl AsyncFn()) {
    if passed_alone(name) {
        return;
    }
    for procs in [1, 2] {
        limited(procs, 120, test());
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = match request.uri().path() {
        "/large" => Bytes::from(vec![b'x'; LARGE]),
        "/echo" => request.into_body().collect().await?.to_bytes(),
        _ => Bytes::from("Hello"),
    };
    Ok(Response::new(Full::new(body)))
}

/// A server, and what this process had before its first connection.
struct Server {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<Served>>,
    sockets: usize,
    tasks: usize,
}

impl Server {
    async fn start(patience: Duration) -> Server {
        let tasks = Handle::current().num_tasks() + 1;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, service_fn(answer))
            .header_read_timeout(patience)
            .configure(|http| {
                http.http1().max_buf_size(64 * 1024);
            })
            .with_graceful_shutdown(async move {
                let _ = stopped.await;
            });
        let task = gmp::spawn(serving.report());
        // What comes with the first use and stays is there now.
        hello(addr).await;
        eventually("the server is alone", || {
            Handle::current().num_tasks() <= tasks
        })
        .await;
        Server {
            addr,
            stop,
            task,
            sockets: sockets(),
            tasks,
        }
    }

    /// Waits until nothing is left of any connection, then stops the server.
    async fn nothing_stays(self) {
        eventually("the connections' tasks end", || {
            Handle::current().num_tasks() <= self.tasks
        })
        .await;
        eventually("the sockets are closed", || sockets() <= self.sockets).await;
        hello(self.addr).await;
        self.stop.send(()).expect("the server waits for its signal");
        assert_eq!(self.task.await.unwrap().unwrap().left, 0);
    }
}

/// One request on a connection of its own, by a peer that behaves.
async fn hello(addr: SocketAddr) {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    greet(&mut stream).await;
}

/// One request on a connection that stays.
async fn greet(stream: &mut TcpStream) {
    stream.write_all(HELLO).await.unwrap();
    let (mut got, mut buf) = (Vec::new(), [0; 1024]);
    while !got.ends_with(b"\r\n\r\nHello") {
        let n = stream.read(&mut buf).await.unwrap();
        let so_far = String::from_utf8_lossy(&got);
        assert!(n > 0, "the answer ends too early: {so_far}");
        got.extend_from_slice(&buf[..n]);
    }
    assert!(got.starts_with(b"HTTP/1.1 200 "));
}

/// Looks now and then; `alone` has the limit.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = gmp::time::Instant::now();
    while !holds() {
        gmp::time::sleep(Duration::from_millis(2)).await;
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "never came true: {what}; {} tasks, {} sockets",
            Handle::current().num_tasks(),
            sockets()
        );
    }
}

/// How many sockets this process has. Other descriptors come with threads.
fn sockets() -> usize {
    let fds = std::fs::read_dir("/proc/self/fd").unwrap();
    fds.filter(|fd| {
        // The directory's own is gone when it is looked at.
        let path = fd.as_ref().unwrap().path();
        std::fs::read_link(path).is_ok_and(|to| to.to_string_lossy().starts_with("socket:"))
    })
    .count()
}
