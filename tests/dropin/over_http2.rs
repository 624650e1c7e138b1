//! Web sockets that are streams of an HTTP/2 connection (RFC 8441).

use async_tungstenite::tungstenite::protocol::Role;
use gmp::hyper::{Executor, Timer};
use hyper::client::conn::http2;
use hyper::ext::Protocol;
use hyper::upgrade::Upgraded;
use hyper::{Method, Version};

use super::*;

type Socket = WebSocketStream<Io<Upgraded>>;

/// A connection to a server: what sends requests, and the task under it.
struct Connected {
    server: Server,
    sender: http2::SendRequest<Full<Bytes>>,
    connection: JoinHandle<Result<(), hyper::Error>>,
}

async fn page(method: Method) -> String {
    format!("a page by {method}")
}

impl Connected {
    async fn to(allowed: bool) -> Connected {
        let app = Router::new()
            .route("/any", any(echo))
            .route("/echo", get(echo))
            .route("/page", get(page));
        let server = crate::start(|listener| {
            let serving = serve(listener, app).drain_timeout(Duration::MAX);
            if allowed {
                serving.http2_web_sockets()
            } else {
                serving
            }
        })
        .await;
        let stream = TcpStream::connect(server.addr).await.unwrap();
        let (mut sender, mut connection) = http2::Builder::new(Executor)
            .timer(Timer)
            .handshake(stream)
            .await
            .unwrap();
        // The first answer comes after the server's settings.
        let first = Request::get("http://gmp.test/page").body(Full::default());
        let mut answer = pin!(sender.send_request(first.unwrap()));
        let answer = std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut connection).poll(cx).is_pending());
            answer.as_mut().poll(cx)
        });
        assert_eq!(answer.await.unwrap().version(), Version::HTTP_2);
        assert_eq!(connection.is_extended_connect_protocol_enabled(), allowed);
        Connected {
            server,
            sender,
            connection: gmp::spawn(connection),
        }
    }

    async fn ask(
        &mut self,
        path: &str,
        protocol: &'static str,
        version: &str,
    ) -> Response<Incoming> {
        let request = Request::connect(format!("http://gmp.test{path}"))
            .version(Version::HTTP_2)
            .extension(Protocol::from_static(protocol))
            .header("sec-websocket-version", version)
            .header("sec-websocket-protocol", "v1, v2");
        let request = request.body(Full::default()).unwrap();
        self.sender.send_request(request).await.unwrap()
    }

    async fn open(&mut self, path: &str) -> Socket {
        let response = self.ask(path, "websocket", "13").await;
        assert_eq!(response.status(), StatusCode::OK);
        let headers = response.headers();
        assert_eq!(headers["sec-websocket-protocol"], "v2");
        assert!(!headers.contains_key("sec-websocket-accept"));
        let raw = Io::new(hyper::upgrade::on(response).await.unwrap());
        WebSocketStream::from_raw_socket(raw, Role::Client, None).await
    }

    async fn end(self) {
        drop(self.sender);
        let _ = self.connection.await.unwrap();
        assert_eq!(self.server.stop().await.left, 0);
    }
}

async fn say(socket: &mut Socket, text: &str) {
    socket.send(Wire::text(text)).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Wire::text(text));
}

/// Nothing but the last word comes any more. The server may have reset the stream by
/// then, which whoever writes to it is told, and that may take the last word with it.
async fn is_over(socket: &mut Socket) {
    while let Some(Ok(message)) = socket.next().await {
        assert_eq!(message, Wire::Close(None));
    }
}

async fn close(mut socket: Socket) {
    let _ = socket.close(None).await;
    is_over(&mut socket).await;
}

#[test]
fn many_sockets_share_a_connection_with_requests() {
    on_each(async || {
        let mut connected = Connected::to(true).await;
        let mut one = connected.open("/echo").await;
        let mut other = connected.open("/any").await;
        for n in 0..10 {
            say(&mut one, &format!("one {n}")).await;
            say(&mut other, &format!("other {n}")).await;
        }
        let large = "x".repeat(300_000);
        say(&mut one, &large).await;
        let request = Request::get("http://gmp.test/page").body(Full::default());
        let response = connected
            .sender
            .send_request(request.unwrap())
            .await
            .unwrap();
        assert_eq!(body_of(response).await, "a page by GET");
        // Each ends by itself.
        one.send(Wire::text("bye")).await.unwrap();
        let last = one.next().await.unwrap().unwrap();
        assert!(matches!(last, Wire::Close(Some(frame)) if frame.reason == "as you wish"));
        is_over(&mut one).await;
        say(&mut other, "still here").await;
        close(other).await;
        drop(one);
        connected.end().await;
    });
}

#[test]
fn what_is_no_web_socket_is_told_so() {
    on_each(async || {
        let mut connected = Connected::to(true).await;
        for (path, protocol, version, status) in [
            ("/any", "websocket", "8", StatusCode::UPGRADE_REQUIRED),
            ("/any", "something-else", "13", StatusCode::UPGRADE_REQUIRED),
            (
                "/echo",
                "something-else",
                "13",
                StatusCode::METHOD_NOT_ALLOWED,
            ),
            ("/nowhere", "websocket", "13", StatusCode::NOT_FOUND),
        ] {
            let response = connected.ask(path, protocol, version).await;
            assert_eq!(response.status(), status, "{path} {protocol} {version}");
        }
        let mut socket = connected.open("/echo").await;
        say(&mut socket, "none the worse").await;
        drop(socket);
        connected.end().await;
    });
}

#[test]
fn they_are_offered_only_if_asked_for() {
    on_each(async || {
        let connected = Connected::to(false).await;
        connected.end().await;
    });
}

#[test]
fn a_stopping_server_waits_for_its_sockets() {
    on_each(async || {
        let mut connected = Connected::to(true).await;
        let mut socket = connected.open("/echo").await;
        say(&mut socket, "before").await;
        let Connected {
            server,
            sender,
            connection,
        } = connected;
        let mut stopping = pin!(server.stop());
        for n in 0..20 {
            assert!(futures::poll!(stopping.as_mut()).is_pending());
            say(&mut socket, &format!("meanwhile {n}")).await;
        }
        close(socket).await;
        drop(sender);
        assert_eq!(stopping.await.left, 0);
        let _ = connection.await.unwrap();
    });
}
