//! HTTP as users have it: the servers and clients of this crate against each
//! other and against raw bytes, on one P and on two.

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/child.rs"]
mod child;
#[path = "dropin/clients.rs"]
mod clients;
#[path = "support/dir.rs"]
mod dir;
#[path = "support/no_tasks.rs"]
mod no_tasks;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "dropin/peers.rs"]
mod peers;
#[path = "dropin/routers.rs"]
mod routers;
#[path = "dropin/serve.rs"]
mod serve;
#[path = "dropin/streams.rs"]
mod streams;
#[path = "dropin/tls.rs"]
mod tls;
#[path = "dropin/websockets.rs"]
mod websockets;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use futures::channel::oneshot;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::hyper::{Executor, Io, Listener, MakeService, Serve, Served, Timer};
use gmp::net::{TcpListener, TcpStream};
use gmp::task::JoinHandle;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, Response, StatusCode};

use dir::Dir;

/// Runs `test` on one P and on two, and then finds no task left.
fn on_each(test: impl AsyncFn()) {
    no_tasks::on_each([1, 2], test);
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// A server in a task of its own.
struct Server {
    addr: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<Served>>,
}

impl Server {
    async fn stop(self) -> Served {
        self.stop.send(()).expect("the server waits for its signal");
        self.task.await.unwrap().unwrap()
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Starts the server that `set_up` makes of a listener.
async fn start<L, M, By, B>(set_up: impl FnOnce(TcpListener) -> Serve<L, M, By>) -> Server
where
    L: Listener,
    M: MakeService<L, By> + Send + 'static,
    M::Service: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    <M::Service as Service<Request<Incoming>>>::Future: Send + 'static,
    <M::Service as Service<Request<Incoming>>>::Error: Into<BoxError>,
    By: 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (listener, addr) = bind().await;
    let (stop, stopped) = signal();
    let task = gmp::spawn(set_up(listener).with_graceful_shutdown(stopped).report());
    Server { addr, stop, task }
}

/// The other end of a [`Server`]'s `stop`.
fn signal() -> (oneshot::Sender<()>, impl Future<Output = ()> + Send) {
    let (stop, stopped) = oneshot::channel();
    (stop, async move {
        let _ = stopped.await;
    })
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let response = Response::builder().header("path", path);
    Ok(response.body(Full::new(body)).expect("a valid header"))
}

fn request(path: &str, body: &Bytes) -> Request<Full<Bytes>> {
    let request = Request::post(path).header("host", "gmp.test");
    request.body(Full::new(body.clone())).unwrap()
}

async fn body_of(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn bodies() -> [Bytes; 3] {
    [0, 100, 1 << 20].map(|len| Bytes::from(vec![b'x'; len]))
}

/// A client's connection: what sends requests, and the task under it.
type Client = (
    http1::SendRequest<Full<Bytes>>,
    JoinHandle<Result<(), hyper::Error>>,
);

async fn client(addr: SocketAddr) -> Client {
    let stream = TcpStream::connect(addr).await.unwrap();
    let (sender, connection) = http1::handshake(stream).await.unwrap();
    (sender, gmp::spawn(connection.with_upgrades()))
}

/// As [`client`], of HTTP/2 with prior knowledge.
async fn client_of_http2(
    addr: SocketAddr,
) -> (
    http2::SendRequest<Full<Bytes>>,
    JoinHandle<Result<(), hyper::Error>>,
) {
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut http = http2::Builder::new(Executor);
    let (sender, connection) = http.timer(Timer).handshake(stream).await.unwrap();
    (sender, gmp::spawn(connection))
}

async fn get_ok(sender: &mut http1::SendRequest<Full<Bytes>>, path: &str) {
    sender.ready().await.unwrap();
    let response = sender
        .send_request(request(path, &Bytes::new()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    body_of(response).await;
}

/// Sends `bytes` and returns all that comes back until the server has had
/// enough; a reset after the answer is fine.
async fn raw(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    // The server may have had enough before the last byte.
    let _ = stream.write_all(bytes).await;
    let (mut answer, mut buf) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buf).await {
        answer.extend_from_slice(&buf[..n]);
    }
    String::from_utf8(answer).unwrap()
}

/// Gives back what comes over the connection that `request` takes over.
fn give_back<B: Send + 'static>(request: Request<B>) {
    gmp::spawn(async move {
        let raw = Io::new(hyper::upgrade::on(request).await.unwrap());
        let (read, mut write) = raw.split();
        futures::io::copy(read, &mut write).await.unwrap();
        write.close().await.unwrap();
    });
}

/// Asks for such a connection.
async fn take_over(sender: &mut http1::SendRequest<Full<Bytes>>) -> Io<hyper::upgrade::Upgraded> {
    let mut asks = request("/", &Bytes::new());
    asks.headers_mut()
        .insert("connection", "upgrade".parse().unwrap());
    asks.headers_mut()
        .insert("upgrade", "echo".parse().unwrap());
    let response = sender.send_request(asks).await.unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    Io::new(hyper::upgrade::on(response).await.unwrap())
}

type Never = Result<Response<Full<Bytes>>, Infallible>;
