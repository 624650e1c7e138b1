//! `gmp::hyper::serve`.

mod drain;
mod faults;
mod frames;
mod rules;
mod stop;

pub(crate) use faults::{EMFILE, failing};

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};

use gmp::hyper::{IncomingStream, serve};
use gmp::net::{UnixListener, UnixStream};
use hyper::body::Body;
use hyper::service::service_fn;

use super::*;

#[test]
fn a_connection_is_kept_for_many_requests_with_bodies_both_ways() {
    on_each(async || {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let server = start(|listener| {
            serve(listener, move |stream: IncomingStream<TcpListener>| {
                assert!(stream.remote_addr().ip().is_loopback());
                count.fetch_add(1, SeqCst);
                service_fn(echo)
            })
        })
        .await;
        let (mut sender, connection) = client(server.addr).await;
        for round in 0..10 {
            for body in bodies() {
                let path = format!("/{round}");
                sender.ready().await.unwrap();
                let response = sender.send_request(request(&path, &body)).await.unwrap();
                assert_eq!(response.headers()["path"], path);
                assert!(body_of(response).await == body, "the body differs");
            }
        }
        assert_eq!(made.load(SeqCst), 1);
        drop(sender);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(echo))).await;
        let mut requests = String::new();
        for n in 0..20 {
            requests += &format!("GET /{n} HTTP/1.1\r\nhost: gmp.test\r\n");
            requests += if n == 19 {
                "connection: close\r\n\r\n"
            } else {
                "\r\n"
            };
        }
        let answers = raw(server.addr, requests.as_bytes()).await;
        let paths: Vec<_> = answers
            .lines()
            .filter_map(|line| line.strip_prefix("path: /"))
            .collect();
        let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(paths, expected);
        server.stop().await;
    });
}

#[test]
fn http2_with_prior_knowledge_shares_the_port() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(echo))).await;
        let (sender, connection) = client_of_http2(server.addr).await;
        let requests: Vec<_> = (0..30)
            .map(|round| {
                let mut sender = sender.clone();
                gmp::spawn(async move {
                    let body = &bodies()[round % 3];
                    let uri = format!("http://gmp.test/{round}");
                    let response = sender.send_request(request(&uri, body)).await.unwrap();
                    assert!(body_of(response).await == *body, "the body differs");
                })
            })
            .collect();
        for request in requests {
            request.await.unwrap();
        }
        let (mut other, plain) = client(server.addr).await;
        get_ok(&mut other, "/plain").await;
        drop((sender, other));
        connection.await.unwrap().unwrap();
        plain.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_server_may_speak_one_protocol_alone() {
    on_each(async || {
        for patience in [Duration::from_secs(30), Duration::MAX] {
            let server = start(|listener| {
                serve(listener, |_| service_fn(upgrade))
                    .header_read_timeout(patience)
                    .http1_only()
            });
            let server = server.await;
            assert_eq!(
                raw(server.addr, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await,
                ""
            );
            let (mut sender, connection) = client(server.addr).await;
            drop(take_over(&mut sender).await);
            connection.await.unwrap().unwrap();
            assert_eq!(server.stop().await.left, 0);

            let server = start(|listener| {
                serve(listener, service_fn(echo))
                    .header_read_timeout(patience)
                    .http2_only()
            });
            let server = server.await;
            assert_eq!(
                raw(server.addr, b"GET / HTTP/1.1\r\nhost: gmp.test\r\n\r\n").await,
                ""
            );
            let (mut sender, connection) = client_of_http2(server.addr).await;
            let body = Bytes::from_static(b"body");
            let response = sender
                .send_request(request("http://gmp.test/", &body))
                .await;
            assert_eq!(body_of(response.unwrap()).await, body);
            drop(sender);
            connection.await.unwrap().unwrap();
            assert_eq!(server.stop().await.left, 0);
        }
    });
}

async fn upgrade(request: Request<Incoming>) -> Never {
    give_back(request);
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response
        .header("connection", "upgrade")
        .header("upgrade", "echo");
    Ok(response.body(Full::default()).unwrap())
}

#[test]
fn an_upgraded_connection_outlives_the_server() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(upgrade))).await;
        let (mut sender, connection) = client(server.addr).await;
        let mut raw = take_over(&mut sender).await;
        assert_eq!(server.stop().await.left, 0);
        raw.write_all(b"raw bytes").await.unwrap();
        raw.close().await.unwrap();
        let mut echoed = String::new();
        raw.read_to_string(&mut echoed).await.unwrap();
        assert_eq!(echoed, "raw bytes");
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn a_unix_listener_is_served() {
    on_each(async || {
        let dir = Dir::new();
        let path = dir.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let (stop, stopped) = signal();
        let serving = gmp::spawn(
            serve(listener, service_fn(echo))
                .with_graceful_shutdown(stopped)
                .report(),
        );
        let stream = UnixStream::connect(&path).await.unwrap();
        let (mut sender, connection) = http1::handshake(stream).await.unwrap();
        let connection = gmp::spawn(connection);
        get_ok(&mut sender, "/").await;
        drop(sender);
        connection.await.unwrap().unwrap();
        stop.send(()).unwrap();
        assert_eq!(serving.await.unwrap().unwrap().left, 0);
    });
}

#[test]
fn a_connections_task_is_named_after_its_peer() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(echo))).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        let name = format!("http {}", stream.local_addr().unwrap());
        // A task on its way to its first park is not listed yet.
        while !gmp::profiler::snapshot()
            .iter()
            .any(|task| task.name.as_ref() == Some(&name))
        {
            gmp::task::yield_now().await;
        }
        drop(stream);
        server.stop().await;
    });
}

/// Counts how many are alive, and the most that ever were.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Alive(Arc<Gauge>);

impl Alive {
    fn new(gauge: &Arc<Gauge>) -> Alive {
        let now = gauge.now.fetch_add(1, SeqCst) + 1;
        gauge.most.fetch_max(now, SeqCst);
        Alive(gauge.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[test]
fn no_more_connections_than_allowed_are_served_at_once() {
    on_each(async || {
        let gauge = Arc::new(Gauge::default());
        let watched = gauge.clone();
        let server = start(|listener| {
            let server = serve(listener, move |_| {
                let alive = Alive::new(&watched);
                service_fn(move |request| {
                    let _held = &alive;
                    echo(request)
                })
            });
            server.max_connections(2)
        })
        .await;
        let (mut one, one_task) = client(server.addr).await;
        let (mut two, two_task) = client(server.addr).await;
        get_ok(&mut one, "/").await;
        get_ok(&mut two, "/").await;
        let (mut three, three_task) = client(server.addr).await;
        {
            let mut waits = pin!(get_ok(&mut three, "/"));
            for _ in 0..100 {
                assert!(futures::poll!(waits.as_mut()).is_pending());
                get_ok(&mut one, "/").await;
            }
            drop(two);
            two_task.await.unwrap().unwrap();
            waits.await;
        }
        drop((one, three));
        one_task.await.unwrap().unwrap();
        three_task.await.unwrap().unwrap();
        let clients: Vec<_> = (0..16)
            .map(|_| {
                gmp::spawn(async move {
                    let (mut sender, connection) = client(server.addr).await;
                    get_ok(&mut sender, "/").await;
                    drop(sender);
                    connection.await.unwrap().unwrap();
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(gauge.most.load(SeqCst), 2);
        server.stop().await;
        assert_eq!(gauge.now.load(SeqCst), 0);
    });
}
