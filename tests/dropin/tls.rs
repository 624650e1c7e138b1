//! `gmp::hyper::tls`: listener and connector against each other and against peers
//! that speak something else.

use std::cell::Cell;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures_rustls::rustls::{self, ClientConfig, ServerConfig};
use gmp::hyper::tls::{Handshakes, HttpsConnector, TlsListener};
use gmp::hyper::{Connector, Executor, HttpInfo, Listener, Timer, serve};
use hyper::Version;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use tower_service::Service;

use super::serve::{EMFILE, failing};
use super::*;
use crate::certificate::configs_for;

type Pool = Client<HttpsConnector, Full<Bytes>>;

/// A server's configuration, and that of clients which trust it.
pub(crate) fn configs() -> (ServerConfig, ClientConfig) {
    configs_for(&["localhost", "127.0.0.1"])
}

fn pool(config: ClientConfig) -> Pool {
    Client::builder(Executor)
        .timer(Timer)
        .pool_timer(Timer)
        .build(HttpsConnector::new(config))
}

/// What was told of handshakes that failed.
type Errors = Arc<Mutex<Vec<io::Error>>>;

struct Tls {
    server: Server,
    handshakes: Handshakes,
    errors: Errors,
    /// How many of them a test has seen.
    taken: Cell<u64>,
}

/// An echo server whose listener `set_up` changes.
async fn start(
    config: ServerConfig,
    set_up: impl FnOnce(TlsListener<TcpListener>) -> TlsListener<TcpListener>,
) -> Tls {
    let (listener, addr) = bind().await;
    let errors = Errors::default();
    let told = errors.clone();
    let listener = set_up(TlsListener::new(listener, config)).on_error(move |peer, error| {
        assert!(peer.ip().is_loopback());
        // What is inside does not copy itself; the kind and the text do.
        let error = io::Error::new(error.kind(), error.to_string());
        told.lock().unwrap().push(error);
    });
    let handshakes = listener.handshakes();
    let (stop, stopped) = signal();
    let serving = serve(listener, service_fn(echo)).with_graceful_shutdown(stopped);
    let task = gmp::spawn(serving.report());
    Tls {
        server: Server { addr, stop, task },
        handshakes,
        errors,
        taken: Cell::new(0),
    }
}

impl Tls {
    fn uri(&self, path: &str) -> String {
        format!("https://{}{path}", self.server.addr)
    }

    /// Waits for so many failures and returns the errors that were told since the last call:
    /// one is counted first and told then.
    async fn failures(&self, n: u64) -> Vec<io::Error> {
        let all_told = || self.taken.get() + self.errors.lock().unwrap().len() as u64 >= n;
        while self.handshakes.failed() < n || !all_told() {
            gmp::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(self.handshakes.failed(), n);
        self.taken.set(n);
        std::mem::take(&mut *self.errors.lock().unwrap())
    }

    /// A new client is served.
    async fn lives(&self, client: &ClientConfig) {
        let pool = pool(client.clone());
        let request = request(&self.uri("/lives"), &Bytes::new());
        let response = pool.request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        body_of(response).await;
    }
}

#[test]
fn either_http_over_tls_as_both_sides_agree() {
    on_each(async || {
        let http1 = vec![b"http/1.1".to_vec()];
        for (protocols, version) in [(vec![], Version::HTTP_2), (http1, Version::HTTP_11)] {
            let (mut config, client) = configs();
            config.alpn_protocols = protocols;
            let tls = start(config, |listener| listener).await;
            let pool = pool(client);
            for round in 0..3 {
                for body in bodies() {
                    let path = format!("/{round}");
                    let request = request(&tls.uri(&path), &body);
                    let response = pool.request(request).await.unwrap();
                    assert_eq!(response.version(), version);
                    assert_eq!(response.headers()["path"], path);
                    let info: &HttpInfo = response.extensions().get().unwrap();
                    assert_eq!(info.remote_addr(), tls.server.addr);
                    assert!(body_of(response).await == body, "the body differs");
                }
            }
            let at_once: Vec<_> = (0..20)
                .map(|round| {
                    let (pool, uri) = (pool.clone(), tls.uri("/"));
                    gmp::spawn(async move {
                        let body = &bodies()[round % 3];
                        let response = pool.request(request(&uri, body)).await.unwrap();
                        assert!(body_of(response).await == *body, "the body differs");
                    })
                })
                .collect();
            for request in at_once {
                request.await.unwrap();
            }
            assert_eq!(tls.handshakes.failed(), 0);
            assert!(tls.handshakes.done() >= 1);
            drop(pool);
            assert_eq!(tls.server.stop().await.left, 0);
        }
    });
}

#[test]
fn a_router_is_served_over_tls() {
    on_each(async || {
        let (config, client) = configs();
        let (listener, addr) = bind().await;
        let whoami = async |gmp::axum::ConnectInfo(addr): gmp::axum::ConnectInfo<SocketAddr>| {
            addr.to_string()
        };
        let router = axum::Router::new().route("/", axum::routing::get(whoami));
        let (stop, stopped) = signal();
        let serving = gmp::axum::serve(TlsListener::new(listener, config), router);
        let task = gmp::spawn(serving.with_graceful_shutdown(stopped).report());
        let pool = pool(client);
        let uri = format!("https://localhost:{}/", addr.port());
        let response = pool.get(uri.parse().unwrap()).await.unwrap();
        let info: &HttpInfo = response.extensions().get().unwrap();
        let local = info.local_addr().to_string();
        assert_eq!(body_of(response).await, local);
        drop(pool);
        let server = Server { addr, stop, task };
        assert_eq!(server.stop().await.left, 0);
    });
}

/// The error that the connector gave to the client, and rustls's inside.
fn cause(error: &hyper_util::client::legacy::Error) -> (ErrorKind, Option<&rustls::Error>) {
    assert!(error.is_connect(), "{error:?}");
    let io = error.source().and_then(|source| source.downcast_ref());
    let io: &io::Error = io.expect("an I/O error");
    let inner = io.get_ref().and_then(|inner| inner.downcast_ref());
    (io.kind(), inner)
}

#[test]
fn a_certificate_that_is_not_trusted_is_a_clear_error_on_both_sides() {
    on_each(async || {
        let (config, client) = configs();
        let (_, stranger) = configs();
        let tls = start(config, |listener| listener).await;
        let request = request(&tls.uri("/"), &Bytes::new());
        let error = pool(stranger).request(request).await.unwrap_err();
        let (kind, rustls) = cause(&error);
        assert_eq!(kind, ErrorKind::InvalidData);
        assert!(
            matches!(rustls, Some(rustls::Error::InvalidCertificate(_))),
            "{error:?}"
        );
        let told = tls.failures(1).await;
        // A client whose task has to give way just then is gone before its alert is.
        if told[0].kind() != ErrorKind::UnexpectedEof {
            assert_eq!(told[0].kind(), ErrorKind::InvalidData);
            assert!(told[0].to_string().contains("alert"), "{told:?}");
        }
        tls.lives(&client).await;
        assert_eq!(tls.server.stop().await.left, 0);
    });
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    on_each(async || {
        let (config, client) = configs_for(&["localhost", "gmp.test"]);
        let tls = start(config, |listener| listener).await;
        let mut connector = HttpsConnector::new(client);
        let uri = tls.uri("/").parse().unwrap();
        let error = connector.call(uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("name"), "{error}");
        tls.failures(1).await;
        assert_eq!(tls.server.stop().await.left, 0);
    });
}

#[test]
fn who_does_not_speak_tls_is_told_so_and_ends_alone() {
    on_each(async || {
        let (config, client) = configs();
        let tls = start(config, |listener| listener).await;
        for bytes in [
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".as_slice(),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            &[0x16; 100],
        ] {
            let mut stream = TcpStream::connect(tls.server.addr).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            let mut answer = Vec::new();
            // A reset may come before the alert.
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.len() <= 7, "no more than an alert: {answer:?}");
        }
        for error in tls.failures(3).await {
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
        }
        let gone = TcpStream::connect(tls.server.addr).await.unwrap();
        drop(gone);
        let told = tls.failures(4).await;
        assert_eq!(told[0].kind(), ErrorKind::UnexpectedEof);
        tls.lives(&client).await;
        assert_eq!(tls.server.stop().await.left, 0);
    });
}

#[test]
fn slow_handshakes_are_timed_out_and_hold_nobody_up() {
    on_each(async || {
        const SLOW: u64 = 20;
        let patience = Duration::from_millis(100);
        let (config, client) = configs();
        let tls = start(config, |listener| listener.handshake_timeout(patience)).await;
        let begun = gmp::time::Instant::now();
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            let mut stream = TcpStream::connect(tls.server.addr).await.unwrap();
            // The head of a record that never comes.
            stream.write_all(&[0x16, 3, 1, 2, 0]).await.unwrap();
            slow.push(stream);
        }
        // All of them were accepted before this one.
        tls.lives(&client).await;
        for mut stream in slow {
            let end = stream.read(&mut [0; 16]).await;
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        }
        assert!(begun.elapsed() >= patience);
        for error in tls.failures(SLOW).await {
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        }
        assert_eq!(tls.server.stop().await.left, 0);
    });
}

#[test]
fn a_client_gives_up_a_server_that_does_not_shake_hands() {
    on_each(async || {
        let (_, client) = configs();
        let (listener, addr) = bind().await;
        let mut connector = HttpsConnector::new(client)
            .connector(Connector::new().nodelay(false))
            .handshake_timeout(Duration::from_millis(20));
        let uri = format!("https://{addr}/").parse().unwrap();
        let error = connector.call(uri).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(listener);
    });
}

#[test]
fn a_connector_speaks_both_schemes_unless_told_otherwise() {
    on_each(async || {
        let (config, client) = configs();
        let mut connector = HttpsConnector::new(client);
        let (listener, addr) = bind().await;
        let uri: hyper::Uri = format!("http://{addr}/").parse().unwrap();
        let plain = connector.call(uri.clone()).await.unwrap();
        assert!(plain.session().is_none());
        drop((plain, listener));

        let tls = start(config, |listener| listener).await;
        let secret = connector.call(tls.uri("/").parse().unwrap()).await.unwrap();
        assert_eq!(secret.tcp().peer_addr().unwrap(), tls.server.addr);
        let session = secret.session().expect("TLS");
        assert_eq!(session.alpn_protocol(), Some(b"h2".as_slice()));
        drop(secret);

        let mut only = connector.clone().https_only(true);
        for wrong in [uri, "https:///".parse().unwrap_or_default()] {
            let error = only.call(wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
        }
        let error = connector.call("ftp://a.test/".parse().unwrap()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(tls.server.stop().await.left, 0);
    });
}

#[test]
fn a_graceful_stop_answers_what_has_begun_over_tls() {
    on_each(async || {
        let (config, client) = configs();
        let (listener, addr) = bind().await;
        let listener = TlsListener::new(listener, config);
        let handshakes = listener.handshakes();
        let (arrives, arrived) = oneshot::channel();
        let (answer, answers) = oneshot::channel();
        let ends = Arc::new(Mutex::new(Some((arrives, answers))));
        let (stop, stopped) = signal();
        let service = service_fn(move |request: Request<Incoming>| {
            let ends = match request.uri().path() {
                "/late" => ends.lock().unwrap().take(),
                _ => None,
            };
            async move {
                // With its body, behind which hyper's client takes no end of the connection for
                // one of the request.
                let answer = echo(request).await;
                if let Some((arrives, answers)) = ends {
                    arrives.send(()).unwrap();
                    answers.await.unwrap();
                }
                answer
            }
        });
        let serving = serve(listener, service);
        let task = gmp::spawn(serving.with_graceful_shutdown(stopped).report());
        let server = Server { addr, stop, task };

        let idle = pool(client.clone());
        let uri = format!("https://{addr}/");
        let response = idle.request(request(&uri, &Bytes::new())).await.unwrap();
        body_of(response).await;
        let late = gmp::spawn(async move {
            let request = request(&format!("https://{addr}/late"), &Bytes::from("late"));
            let response = pool(client).request(request).await.unwrap();
            body_of(response).await
        });
        arrived.await.unwrap();
        let mut shaking = TcpStream::connect(addr).await.unwrap();
        shaking.write_all(&[0x16, 3, 1]).await.unwrap();

        let mut stopping = pin!(server.stop());
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        // Cut off, accepted or not.
        let end = shaking.read(&mut [0; 16]).await;
        assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        answer.send(()).unwrap();
        assert_eq!(late.await.unwrap(), "late");
        assert_eq!(stopping.await.left, 0);
        assert_eq!(handshakes.done(), 2);
        assert!(handshakes.failed() <= 1);
    });
}

#[test]
fn a_shortage_of_descriptors_is_the_listeners_below() {
    on_each(async || {
        let (config, client) = configs();
        let (listener, addr) = failing(EMFILE, 3).await;
        let mut listener = TlsListener::new(listener, config);
        let error = listener.accept().await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EMFILE));
        let (stop, stopped) = signal();
        let serving = serve(listener, service_fn(echo));
        let task = gmp::spawn(serving.with_graceful_shutdown(stopped).report());
        for _ in 0..3 {
            let pool = pool(client.clone());
            let request = request(&format!("https://{addr}/"), &Bytes::new());
            let response = pool.request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            body_of(response).await;
        }
        let server = Server { addr, stop, task };
        assert_eq!(server.stop().await.left, 0);
    });
}
