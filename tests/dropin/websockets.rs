//! `gmp::axum::ws`, by a client that others wrote and by raw bytes.

mod over_http2;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_tungstenite::tungstenite::Message as Wire;
use async_tungstenite::tungstenite::client::IntoClientRequest;
use async_tungstenite::tungstenite::protocol::CloseFrame as WireClose;
use async_tungstenite::{WebSocketStream, client_async};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{any, get};
use futures::stream::StreamExt;
use gmp::axum::serve;
use gmp::axum::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use gmp::hyper::Io;
use gmp::hyper::tls::{HttpsConnector, TlsListener};
use tower_service::Service;

use super::*;

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.protocols(["v2", "v1"]).max_message_size(1 << 20);
    upgrade.on_upgrade(async |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            if message == Message::text("bye") {
                let reason = "as you wish".into();
                let code = close_code::NORMAL;
                let frame = CloseFrame { code, reason };
                socket.send(Message::Close(Some(frame))).await.unwrap();
            } else if matches!(message, Message::Text(_) | Message::Binary(_)) {
                socket.send(message).await.unwrap();
            }
        }
    })
}

/// Sends as fast as it can, and counts what it could.
async fn flood(upgrade: WebSocketUpgrade, State(sent): State<Arc<AtomicUsize>>) -> Response {
    upgrade.on_upgrade(async move |mut socket: WebSocket| {
        let chunk = Message::binary(vec![7; 64 * 1024]);
        while socket.send(chunk.clone()).await.is_ok() {
            sent.fetch_add(1, SeqCst);
        }
    })
}

async fn fails(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async |_: WebSocket| panic!("a fault of the handler"))
}

/// A server, and what `/flood` has sent.
async fn start() -> (Server, Arc<AtomicUsize>) {
    let sent = Arc::new(AtomicUsize::new(0));
    let app = Router::new()
        .route("/echo", any(echo))
        .route("/flood", get(flood))
        .route("/fails", get(fails))
        .with_state(sent.clone());
    let server = super::start(|listener| serve(listener, app)).await;
    (server, sent)
}

type Client = WebSocketStream<TcpStream>;

async fn open(server: &Server, path: &str) -> Client {
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let uri = format!("ws://{}{path}", server.addr);
    client_async(uri, stream).await.unwrap().0
}

async fn next(client: &mut Client) -> Wire {
    client.next().await.expect("a message").unwrap()
}

#[test]
fn text_bytes_pings_and_a_close_with_its_reason() {
    on_each(async || {
        let (server, _) = start().await;
        let mut client = open(&server, "/echo").await;
        let large = "x".repeat(1 << 20);
        for text in ["", "text", "\u{1f980}", &large] {
            client.send(Wire::text(text)).await.unwrap();
            assert!(
                next(&mut client).await == Wire::text(text),
                "the text differs"
            );
        }
        for bytes in bodies() {
            client.send(Wire::Binary(bytes.clone())).await.unwrap();
            let back = next(&mut client).await;
            assert!(back == Wire::Binary(bytes), "the bytes differ");
        }
        let ping = Bytes::from_static(b"are you there?");
        client.send(Wire::Ping(ping.clone())).await.unwrap();
        assert_eq!(next(&mut client).await, Wire::Pong(ping));

        client.send(Wire::text("bye")).await.unwrap();
        let frame = WireClose {
            code: close_code::NORMAL.into(),
            reason: "as you wish".into(),
        };
        assert_eq!(next(&mut client).await, Wire::Close(Some(frame)));
        assert!(client.next().await.is_none());
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_close_of_the_client_is_answered() {
    on_each(async || {
        let (server, _) = start().await;
        let mut client = open(&server, "/echo").await;
        let frame = WireClose {
            code: close_code::AWAY.into(),
            reason: "gone fishing".into(),
        };
        client.close(Some(frame.clone())).await.unwrap();
        assert_eq!(next(&mut client).await, Wire::Close(Some(frame)));
        assert!(client.next().await.is_none());
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn the_first_protocol_that_both_speak_is_chosen() {
    on_each(async || {
        let (server, _) = start().await;
        for (offer, chosen) in [("v1, v2", Some("v2")), ("v1", Some("v1")), ("v3", None)] {
            let uri = format!("ws://{}/echo", server.addr);
            let mut request = uri.into_client_request().unwrap();
            let headers = request.headers_mut();
            headers.insert("sec-websocket-protocol", offer.parse().unwrap());
            let stream = TcpStream::connect(server.addr).await.unwrap();
            match client_async(request, stream).await {
                Ok((_, response)) => {
                    let got = response.headers().get("sec-websocket-protocol");
                    assert_eq!(got.map(|got| got.to_str().unwrap()), chosen);
                }
                // This client insists on one of those that it offered.
                Err(error) => assert!(chosen.is_none(), "{error}"),
            }
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

const HEAD: &str = "host: gmp.test\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Opens a socket with the bytes of RFC 6455's example and returns the answer.
async fn raw_open(server: &Server) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let request = format!("GET /echo HTTP/1.1\r\n{HEAD}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        answer.extend(byte);
    }
    (stream, String::from_utf8(answer).unwrap())
}

#[test]
fn the_bytes_are_those_of_rfc_6455() {
    on_each(async || {
        let (server, _) = start().await;
        let (mut stream, answer) = raw_open(&server).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let accept = "\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
        assert!(answer.contains(accept), "{answer}");
        // "Hello", masked, in two fragments; it comes back whole and bare.
        let hello = [
            [0x01, 0x83, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d].as_slice(),
            &[0x80, 0x82, 0x3d, 0x21, 0xfa, 0x37, 0x51, 0x4e],
        ];
        stream.write_all(&hello.concat()).await.unwrap();
        let mut back = [0; 7];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"\x81\x05Hello");
        // A frame without a mask breaks the rules, and the connection ends.
        stream.write_all(b"\x81\x05Hello").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.ends_with(b"Hello"), "{rest:?}");
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_request_that_asks_for_something_else_is_told_what_is_wrong() {
    on_each(async || {
        let (server, _) = start().await;
        for (method, drop, status) in [
            ("POST", "nothing", "405"),
            ("GET", "upgrade", "426"),
            ("GET", "connection", "426"),
            ("GET", "sec-websocket-version", "426"),
            ("GET", "sec-websocket-key", "400"),
        ] {
            let kept: String = HEAD
                .split_inclusive("\r\n")
                .filter(|line| !line.starts_with(&format!("{drop}:")))
                .collect();
            let request = format!("{method} /echo HTTP/1.1\r\n{kept}");
            let request = request.replace("keep-alive, ", "") + "content-length: 0\r\n";
            let request = request.replace("connection: Upgrade", "connection: close, Upgrade");
            let request = match drop {
                "connection" => request + "connection: close\r\n\r\n",
                _ => request + "\r\n",
            };
            let answer = raw(server.addr, request.as_bytes()).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&expected), "without {drop}: {answer}");
            let version = answer.contains("sec-websocket-version: 13");
            assert_eq!(version, status == "426", "{answer}");
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn who_sends_waits_for_who_reads() {
    on_each(async || {
        let (server, sent) = start().await;
        let mut client = open(&server, "/flood").await;
        // Once nothing has moved for a while, both sides' buffers are full.
        let mut before = 0;
        loop {
            gmp::time::sleep(Duration::from_millis(50)).await;
            let now = sent.load(SeqCst);
            if now > 0 && now == before {
                break;
            }
            before = now;
        }
        // 64 KiB each: the system's buffers, and not the peer's patience.
        assert!(before < 1000, "{before} messages that nobody has read");
        for _ in 0..before + 10 {
            assert_eq!(next(&mut client).await.len(), 64 * 1024);
        }
        assert!(sent.load(SeqCst) > before);
        drop(client);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_message_too_large_and_a_panic_end_one_socket_each() {
    on_each(async || {
        let (server, _) = start().await;
        let mut good = open(&server, "/echo").await;
        let mut large = open(&server, "/echo").await;
        // The server may hang up before the last byte.
        let _ = large.send(Wire::binary(vec![0; (1 << 20) + 1])).await;
        assert!(matches!(large.next().await, None | Some(Err(_))));
        let mut failed = open(&server, "/fails").await;
        assert!(matches!(failed.next().await, None | Some(Err(_))));
        drop((large, failed));
        good.send(Wire::text("still here")).await.unwrap();
        assert_eq!(next(&mut good).await, Wire::text("still here"));
        // A socket is not the server's any more.
        assert_eq!(server.stop().await.left, 0);
        good.send(Wire::text("and now")).await.unwrap();
        assert_eq!(next(&mut good).await, Wire::text("and now"));
    });
}

#[test]
fn halves_in_two_tasks_of_the_client() {
    on_each(async || {
        let (server, _) = start().await;
        let (mut sender, mut receiver) = open(&server, "/echo").await.split();
        let sending = gmp::spawn(async move {
            for n in 0..100 {
                sender.send(Wire::text(n.to_string())).await.unwrap();
            }
            sender
        });
        for n in 0..100 {
            let text = receiver.next().await.unwrap().unwrap();
            assert_eq!(text, Wire::text(n.to_string()));
        }
        let mut sender = sending.await.unwrap();
        sender.close(None).await.unwrap();
        let mut last = pin!(receiver.next());
        assert!(matches!(last.as_mut().await, Some(Ok(Wire::Close(None)))));
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn over_tls() {
    on_each(async || {
        let (config, mut client) = tls::configs();
        let app: Router = Router::new().route("/echo", get(echo));
        let tls = |listener| TlsListener::new(listener, config);
        let server = super::start(|listener| serve(tls(listener), app)).await;
        let addr = server.addr;
        // Sockets begin with HTTP/1.1.
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        let uri: hyper::Uri = format!("https://{addr}/echo").parse().unwrap();
        let stream = HttpsConnector::new(client).call(uri).await.unwrap();
        let uri = format!("wss://{addr}/echo");
        let (mut client, _) = client_async(uri, Io::new(stream)).await.unwrap();
        client.send(Wire::text("secret")).await.unwrap();
        let back = client.next().await.unwrap().unwrap();
        assert_eq!(back, Wire::text("secret"));
        client.close(None).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Wire::Close(None));
        assert_eq!(server.stop().await.left, 0);
    });
}
