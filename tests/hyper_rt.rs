//! hyper on gmp: a server and a client of each protocol in one process.

#[path = "support/limited.rs"]
mod limited;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::hyper::{Executor, Io, Timer};
use gmp::net::{TcpListener, TcpStream, UnixStream};
use gmp::runtime::Builder;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::rt::Timer as _;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, client, server};
use hyper_util::server::conn::auto;

use limited::limited;

/// Runs `test` on one P and on two; servers may be left to end with their runtime.
fn on_each(test: impl AsyncFn()) {
    for procs in [1, 2] {
        limited(procs, 60, test());
    }
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let response = Response::builder().header("path", path);
    Ok(response.body(Full::new(body)).expect("a valid header"))
}

/// Serves both protocols until its runtime ends.
async fn serve() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    gmp::spawn(async move {
        let mut http = auto::Builder::new(Executor);
        http.http1().timer(Timer);
        http.http2()
            .timer(Timer)
            .keep_alive_interval(Duration::from_secs(5));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let connection = http.serve_connection(stream, service_fn(echo)).into_owned();
            gmp::spawn(async move {
                let _ = connection.await;
            });
        }
    });
    addr
}

fn request(round: usize, body: &Bytes) -> Request<Full<Bytes>> {
    let request = Request::post(format!("http://gmp.test/{round}")).header("host", "gmp.test");
    request.body(Full::new(body.clone())).unwrap()
}

async fn check(round: usize, body: &Bytes, response: Response<Incoming>) {
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["path"], format!("/{round}"));
    let got = response.into_body().collect().await.unwrap().to_bytes();
    assert!(got == *body, "the body differs");
}

fn bodies() -> [Bytes; 3] {
    [0, 100, 1 << 20].map(|len| Bytes::from(vec![b'x'; len]))
}

#[test]
fn http1_goes_round() {
    on_each(async || {
        let stream = TcpStream::connect(serve().await).await.unwrap();
        let (mut sender, connection) = client::conn::http1::handshake(stream).await.unwrap();
        let connection = gmp::spawn(connection);
        for round in 0..30 {
            for body in bodies() {
                sender.ready().await.unwrap();
                let response = sender.send_request(request(round, &body)).await.unwrap();
                check(round, &body, response).await;
            }
        }
        drop(sender);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn http2_goes_round_with_many_streams_at_once() {
    on_each(async || {
        let stream = TcpStream::connect(serve().await).await.unwrap();
        let (sender, connection) = client::conn::http2::Builder::new(Executor)
            .timer(Timer)
            .handshake(stream)
            .await
            .unwrap();
        let connection = gmp::spawn(connection);
        let requests: Vec<_> = (0..60)
            .map(|round| {
                let mut sender = sender.clone();
                gmp::spawn(async move {
                    let body = &bodies()[round % 3];
                    let response = sender.send_request(request(round, body)).await.unwrap();
                    check(round, body, response).await;
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
        drop(sender);
        connection.await.unwrap().unwrap();
    });
}

/// The adaptor both ways: hyper over a futures stream, and an upgraded
/// connection as a futures stream.
#[test]
fn an_upgraded_connection_becomes_a_futures_stream() {
    on_each(async || {
        let (near, far) = UnixStream::pair().unwrap();
        let upgrade = service_fn(async |request: Request<Incoming>| {
            gmp::spawn(async move {
                let raw = Io::new(hyper::upgrade::on(request).await.unwrap());
                let (read, mut write) = raw.split();
                futures::io::copy(read, &mut write).await.unwrap();
                write.close().await.unwrap();
            });
            let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            let response = response
                .header("connection", "upgrade")
                .header("upgrade", "echo");
            Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
        });
        let serving = gmp::spawn(
            server::conn::http1::Builder::new()
                .timer(Timer)
                .serve_connection(Io::new(far), upgrade)
                .with_upgrades(),
        );
        let (mut sender, connection) = client::conn::http1::handshake(Io::new(near)).await.unwrap();
        let connection = gmp::spawn(connection.with_upgrades());
        let mut asks = request(0, &Bytes::new());
        asks.headers_mut()
            .insert("connection", "upgrade".parse().unwrap());
        asks.headers_mut()
            .insert("upgrade", "echo".parse().unwrap());
        let response = sender.send_request(asks).await.unwrap();
        let mut raw = Io::new(hyper::upgrade::on(response).await.unwrap());
        raw.write_all(b"raw bytes").await.unwrap();
        raw.close().await.unwrap();
        let mut echoed = String::new();
        raw.read_to_string(&mut echoed).await.unwrap();
        assert_eq!(echoed, "raw bytes");
        drop(raw);
        serving.await.unwrap().unwrap();
        connection.await.unwrap().unwrap();
    });
}

/// hyper's clock is gmp's: the time-out for a request's head comes in virtual
/// time, after each request anew.
#[test]
fn a_slow_request_meets_hypers_timeout_in_virtual_time() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let test = runtime.spawn(async {
        gmp::time::pause();
        let (mut near, far) = UnixStream::pair().unwrap();
        let minute = Duration::from_secs(60);
        let mut http = server::conn::http1::Builder::new();
        http.timer(Timer).header_read_timeout(minute);
        let serving = gmp::spawn(http.serve_connection(far, service_fn(echo)));
        let start = gmp::time::Instant::now();
        for _ in 0..2 {
            gmp::time::sleep(minute / 2).await;
            near.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                .await
                .unwrap();
            let mut buf = [0; 4096];
            assert!(near.read(&mut buf).await.unwrap() > 0);
        }
        near.write_all(b"GET / HTT").await.unwrap();
        let error = serving.await.unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        let took = start.elapsed();
        assert!(took >= 2 * minute && took < 3 * minute, "{took:?}");
    });
    runtime.block_on(test).unwrap();
}

#[test]
fn a_timer_is_reset_in_place() {
    let runtime = Builder::new().procs(1).build().unwrap();
    runtime.block_on(async {
        gmp::time::pause();
        let hour = Duration::from_secs(3600);
        let mut sleep = Timer.sleep(hour);
        assert!(futures::poll!(sleep.as_mut()).is_pending());
        let place = &raw const *sleep;
        let start = Timer.now();
        Timer.reset(&mut sleep, start + 2 * hour);
        assert!(std::ptr::addr_eq(place, &raw const *sleep));
        sleep.await;
        assert_eq!(Timer.now() - start, 2 * hour);
        pin!(Timer.sleep_until(start)).await;
    });
}

/// What hyper asks of its runtime at compile time.
const _: fn() = || {
    fn shared<T: Send + Sync + Clone + Copy + Default>() {}
    fn stream<S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static>() {}
    shared::<Timer>();
    shared::<Executor>();
    stream::<TcpStream>();
    stream::<UnixStream>();
    stream::<Io<futures::io::Cursor<Vec<u8>>>>();
};
