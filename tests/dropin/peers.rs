//! Clients that show a certificate: what a service learns of them.

use std::sync::{Arc, Mutex};

use axum::routing::get;
use futures_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::server::WebPkiClientVerifier;
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use gmp::hyper::tls::{HttpsConnector, Peer, TlsListener};
use gmp::hyper::{Executor, IncomingStream, Listener, Timer, serve};
use hyper::http::Extensions;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;

use super::*;

struct Configs {
    /// Wants a certificate, and takes no for an answer.
    server: ServerConfig,
    /// Insists on one.
    strict: ServerConfig,
    nobody: ClientConfig,
    member: ClientConfig,
    certificate: CertificateDer<'static>,
}

fn configs() -> Configs {
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key: PrivateKeyDer<'static> = made.signing_key.serialize_der().try_into().unwrap();
        (made.cert.der().clone(), key)
    };
    let roots = |cert: &CertificateDer<'static>| {
        let mut roots = RootCertStore::empty();
        roots.add(cert.clone()).unwrap();
        Arc::new(roots)
    };
    let (server_cert, server_key) = made("localhost");
    let (certificate, key) = made("member.test");
    let asks = WebPkiClientVerifier::builder(roots(&certificate));
    let server = |verifier| {
        ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![server_cert.clone()], server_key.clone_key())
            .unwrap()
    };
    let client = || ClientConfig::builder().with_root_certificates(roots(&server_cert));
    Configs {
        server: server(asks.clone().allow_unauthenticated().build().unwrap()),
        strict: server(asks.build().unwrap()),
        nobody: client().with_no_client_auth(),
        member: client()
            .with_client_auth_cert(vec![certificate.clone()], key)
            .unwrap(),
        certificate,
    }
}

async fn ask(
    config: &ClientConfig,
    port: u16,
) -> Result<String, hyper_util::client::legacy::Error> {
    let pool: Client<_, Full<Bytes>> = Client::builder(Executor)
        .timer(Timer)
        .pool_timer(Timer)
        .build(HttpsConnector::new(config.clone()));
    let uri = format!("https://localhost:{port}/").parse().unwrap();
    let body = body_of(pool.get(uri).await?).await;
    Ok(String::from_utf8(body.to_vec()).unwrap())
}

fn told(peer: &Peer, certificate: &CertificateDer<'static>) -> String {
    let who = match peer.certificates() {
        [] => "nobody",
        [shown] if shown == certificate => "the member",
        _ => "somebody else",
    };
    let protocol = peer.alpn_protocol().map(String::from_utf8_lossy);
    let (name, version) = (peer.server_name().unwrap(), peer.version().unwrap());
    format!("{who} wants {name} by {} in {version:?}", protocol.unwrap())
}

fn answers() -> [String; 2] {
    ["nobody", "the member"].map(|who| format!("{who} wants localhost by h2 in TLSv1_3"))
}

#[test]
fn a_service_learns_who_its_client_is() {
    on_each(async || {
        let Configs {
            server,
            nobody,
            member,
            certificate,
            ..
        } = configs();
        let service = service_fn(move |request: Request<Incoming>| {
            let peer = request.extensions().get().expect("over TLS");
            let answer = told(peer, &certificate);
            async { Never::Ok(Response::new(Full::from(answer))) }
        });
        let server = start(|listener| serve(TlsListener::new(listener, server), service)).await;
        let port = server.addr.port();
        let [to_nobody, to_member] = answers();
        assert_eq!(ask(&nobody, port).await.unwrap(), to_nobody);
        assert_eq!(ask(&member, port).await.unwrap(), to_member);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_handler_of_a_router_learns_who_its_client_is() {
    on_each(async || {
        let Configs {
            server,
            nobody,
            member,
            certificate,
            ..
        } = configs();
        let handler = move |peer: Peer| async move { told(&peer, &certificate) };
        let app = axum::Router::new().route("/", get(handler));
        let tls = |listener| TlsListener::new(listener, server);
        let server = start(|listener| gmp::axum::serve(tls(listener), app.clone())).await;
        let port = server.addr.port();
        let [to_nobody, to_member] = answers();
        assert_eq!(ask(&nobody, port).await.unwrap(), to_nobody);
        assert_eq!(ask(&member, port).await.unwrap(), to_member);
        assert_eq!(server.stop().await.left, 0);

        // Without TLS there is nobody to know.
        let server = start(|listener| gmp::axum::serve(listener, app)).await;
        let (mut sender, connection) = client(server.addr).await;
        let get = Request::get("/").header("host", "gmp.test");
        let get = get.body(Full::new(Bytes::new())).unwrap();
        let response = sender.send_request(get).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        body_of(response).await;
        drop(sender);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

/// A listener around another one, which adds a number of its own.
struct Numbered(TlsListener<TcpListener>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Number(u32);

impl Listener for Numbered {
    type Io = <TlsListener<TcpListener> as Listener>::Io;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> std::io::Result<(Self::Io, SocketAddr)> {
        self.0.accept().await
    }

    fn annotate(io: &Self::Io, extensions: &mut Extensions) {
        <TlsListener<TcpListener>>::annotate(io, extensions);
        extensions.insert(Number(7));
    }
}

#[test]
fn a_closure_keeps_what_the_handshake_will_tell() {
    on_each(async || {
        let Configs {
            strict,
            nobody,
            member,
            certificate,
            ..
        } = configs();
        let seen: Arc<Mutex<Vec<Peer>>> = Arc::default();
        let peers = seen.clone();
        let make = move |stream: IncomingStream<Numbered>| {
            let peer: &Peer = stream.extensions().get().expect("over TLS");
            assert!(peer.certificates().is_empty() && peer.version().is_none());
            peers.lock().unwrap().push(peer.clone());
            service_fn(async |request: Request<Incoming>| {
                let number: Option<&Number> = request.extensions().get();
                let answer = format!("{:?}", number.expect("of the listener"));
                Never::Ok(Response::new(Full::from(answer)))
            })
        };
        let mut handshakes = None;
        let server = start(|listener| {
            let listener = TlsListener::new(listener, strict);
            handshakes = Some(listener.handshakes());
            serve(Numbered(listener), make)
        })
        .await;
        let (handshakes, port) = (handshakes.expect("started"), server.addr.port());
        assert_eq!(ask(&member, port).await.unwrap(), "Number(7)");
        let peer = seen.lock().unwrap().pop().unwrap();
        assert_eq!(peer.certificates(), [certificate]);
        // Who shows none is turned away, and is told so.
        // hyper's client may wait for ever for the answer of a connection that was refused
        // after its own part of the handshake, and is gone.
        let limit = Duration::from_secs(5);
        let answer = gmp::time::timeout(limit, ask(&nobody, port)).await;
        assert!(!matches!(answer, Ok(Ok(_))));
        while handshakes.failed() == 0 {
            gmp::time::sleep(Duration::from_millis(1)).await;
        }
        let peer = seen.lock().unwrap().pop().unwrap();
        assert!(peer.certificates().is_empty());
        assert_eq!(server.stop().await.left, 0);
    });
}
