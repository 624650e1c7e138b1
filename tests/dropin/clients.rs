//! `gmp::hyper::Connector` under hyper-util's pooling client, against
//! `gmp::hyper::serve`.

mod reuse;

use std::error::Error;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use gmp::hyper::{Connector, Executor, HttpInfo, Timer, UnixConnector, serve};
use gmp::net::{TcpSocket, UnixListener};
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::Connect;
use hyper_util::client::legacy::{self, Client};
use tower_service::Service;

use super::*;

fn build<C: Connect + Clone>(connector: C) -> Client<C, Full<Bytes>> {
    Client::builder(Executor)
        .timer(Timer)
        .pool_timer(Timer)
        .build(connector)
}

/// A server that counts its connections.
async fn counted() -> (Server, Arc<AtomicUsize>) {
    let made = Arc::new(AtomicUsize::new(0));
    let count = made.clone();
    let counting = move |_| {
        count.fetch_add(1, SeqCst);
        service_fn(echo)
    };
    let server = start(|listener| serve(listener, counting)).await;
    (server, made)
}

/// The error that the connector gave to the client.
fn cause(error: &legacy::Error) -> ErrorKind {
    assert!(error.is_connect(), "{error:?}");
    let io = error.source().and_then(|source| source.downcast_ref());
    let io: &std::io::Error = io.expect("an I/O error");
    io.kind()
}

#[test]
fn a_client_keeps_its_connection_for_the_next_request() {
    on_each(async || {
        let (server, made) = counted().await;
        let client = build(Connector::new());
        for round in 0..10 {
            for body in bodies() {
                let uri = format!("http://{}/{round}", server.addr);
                let response = client.request(request(&uri, &body)).await.unwrap();
                assert_eq!(response.headers()["path"], format!("/{round}"));
                let info: &HttpInfo = response.extensions().get().unwrap();
                assert_eq!(info.remote_addr(), server.addr);
                assert!(info.local_addr().ip().is_loopback());
                assert!(body_of(response).await == body, "the body differs");
            }
        }
        // Mostly one. A request that comes before its connection is back in the
        // pool races it with a new one.
        let made = made.load(SeqCst);
        assert!(made < 10, "{made} connections for 30 requests");
        drop(client);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn many_requests_at_once_over_either_protocol() {
    on_each(async || {
        for http2 in [false, true] {
            let (server, made) = counted().await;
            let client = Client::builder(Executor)
                .timer(Timer)
                .pool_timer(Timer)
                .http2_only(http2)
                .build(Connector::new().keepalive(Some(Duration::from_secs(60))));
            let requests: Vec<_> = (0..40)
                .map(|round| {
                    let client = client.clone();
                    let uri = format!("http://{}/{round}", server.addr);
                    gmp::spawn(async move {
                        let body = &bodies()[round % 3];
                        let response = client.request(request(&uri, body)).await.unwrap();
                        assert!(body_of(response).await == *body, "the body differs");
                    })
                })
                .collect();
            for request in requests {
                request.await.unwrap();
            }
            // Of HTTP/2, a late starter may have missed the first connection.
            let made = made.load(SeqCst);
            assert!(!http2 || made < 20, "{made} connections of HTTP/2");
            drop(client);
            assert_eq!(server.stop().await.left, 0);
        }
    });
}

#[test]
fn names_are_looked_up() {
    on_each(async || {
        let (server, _) = counted().await;
        let client = build(Connector::new());
        // This name may have an address of IPv6 too, where nobody listens.
        let uri = format!("http://localhost:{}/", server.addr.port());
        let response = client.request(request(&uri, &Bytes::new())).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        body_of(response).await;
        drop(client);
        server.stop().await;
    });
}

#[test]
fn a_connection_has_the_options_that_were_asked_for() {
    on_each(async || {
        let (listener, addr) = bind().await;
        for on in [true, false] {
            let mut connector = Connector::new().nodelay(on);
            if on {
                connector = connector.keepalive(Some(Duration::from_secs(77)));
            }
            let stream = connector.call(format!("http://{addr}").parse().unwrap());
            let stream = stream.await.unwrap();
            assert_eq!(stream.nodelay().unwrap(), on);
            let options = socket2::SockRef::from(&stream);
            assert_eq!(options.keepalive().unwrap(), on);
            if on {
                assert_eq!(options.tcp_keepalive_time().unwrap().as_secs(), 77);
            }
        }
        drop(listener);
    });
}

/// On Linux every address of 127.0.0.0/8 is this machine's.
#[test]
fn a_connection_comes_from_the_address_that_was_asked_for() {
    on_each(async || {
        let (listener, addr) = bind().await;
        let uri: hyper::Uri = format!("http://localhost:{}/", addr.port())
            .parse()
            .unwrap();
        for last in [1, 2, 77] {
            let local = IpAddr::from([127, 0, 0, last]);
            let mut connector = Connector::new().local_address(Some(local));
            // The name has an address of IPv6 as well, which is passed over.
            let stream = connector.call(uri.clone()).await.unwrap();
            assert_eq!(stream.local_addr().unwrap().ip(), local);
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(peer, stream.local_addr().unwrap());
        }
        // No address of the family, and one that is not of this machine.
        for (host, local, kind) in [
            ("127.0.0.1", "::1", ErrorKind::InvalidInput),
            ("127.0.0.1", "192.0.2.1", ErrorKind::AddrNotAvailable),
        ] {
            let mut connector = Connector::new().local_address(Some(local.parse().unwrap()));
            let uri = format!("http://{host}:{}/", addr.port()).parse().unwrap();
            assert_eq!(
                connector.call(uri).await.unwrap_err().kind(),
                kind,
                "{local}"
            );
        }
    });
}

#[test]
fn a_refused_port_is_an_error() {
    on_each(async || {
        let (listener, addr) = bind().await;
        drop(listener);
        let client = build(Connector::new());
        let request = request(&format!("http://{addr}/"), &Bytes::new());
        let error = client.request(request).await.unwrap_err();
        assert_eq!(cause(&error), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn another_scheme_is_an_error_unless_it_is_allowed() {
    on_each(async || {
        let (listener, addr) = bind().await;
        let uri = format!("https://{addr}/");
        let client = build(Connector::new());
        let asked = request(&uri, &Bytes::new());
        let error = client.request(asked).await.unwrap_err();
        assert_eq!(cause(&error), ErrorKind::InvalidInput);
        let mut connector = Connector::new().enforce_http(false);
        connector.call(uri.parse().unwrap()).await.unwrap();
        drop(listener);
    });
}

#[test]
fn a_host_that_does_not_answer_meets_the_connect_timeout() {
    on_each(async || {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let addr = listener.local_addr().unwrap();
        // Nobody accepts: when the backlog is full, a knock has no answer.
        let mut waiting = Vec::new();
        let quick = Duration::from_millis(100);
        while let Ok(stream) = gmp::time::timeout(quick, TcpStream::connect(addr)).await {
            waiting.push(stream.unwrap());
        }
        let client = build(Connector::new().connect_timeout(quick));
        let request = request(&format!("http://{addr}/"), &Bytes::new());
        let error = client.request(request).await.unwrap_err();
        assert_eq!(cause(&error), ErrorKind::TimedOut);
    });
}

#[test]
fn a_unix_socket_can_be_asked() {
    on_each(async || {
        let dir = Dir::new();
        let path = dir.at("socket");
        let client = build(UnixConnector::new(&path));
        let ask = || client.request(request("http://daemon/path", &Bytes::from_static(b"body")));
        let error = ask().await.unwrap_err();
        assert_eq!(cause(&error), ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        let serving = gmp::spawn(serve(listener, |_| service_fn(echo)));
        let response = ask().await.unwrap();
        assert_eq!(response.headers()["path"], "/path");
        assert_eq!(body_of(response).await, "body");
        serving.abort();
        drop(client);
    });
}

/// What a client that gives up leaves behind: nothing, also in the server.
#[test]
fn a_cancelled_request_leaves_nothing_behind() {
    on_each(async || {
        let never = |_: Request<Incoming>| std::future::pending::<Never>();
        let server = start(|listener| serve(listener, move |_| service_fn(never))).await;
        let client = build(Connector::new());
        let request = request(&format!("http://{}/", server.addr), &Bytes::new());
        let patience = Duration::from_millis(30);
        let cancelled = gmp::time::timeout(patience, client.request(request)).await;
        assert!(cancelled.is_err());
        drop(client);
        // The server notices that its peer has gone and drops the handler.
        assert_eq!(server.stop().await.left, 0);
    });
}
