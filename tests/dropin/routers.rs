//! `gmp::axum::serve`, by way of hyper-util's client on `gmp::hyper::Connector`.

use std::any::Any;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use axum::extract::{Multipart, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::response::sse::{Event, Sse};
use axum::routing::{any, get, post};
use axum::{Extension, Json, Router};
use futures::stream::{Stream, StreamExt};
use gmp::axum::{ConnectInfo, keep_alive, serve};
use gmp::hyper::{Connector, Executor, Timer, UnixConnector};
use gmp::net::UnixListener;
use gmp::net::unix::UCred;
use gmp::time::interval;
use hyper::header::{CONTENT_TYPE, HeaderName};
use hyper_util::client::legacy::Client;
use serde_json::{Value, json};
use tower_http::catch_panic::CatchPanicLayer;

use super::*;

type Pool = Client<Connector, Full<Bytes>>;

fn pool() -> Pool {
    Client::builder(Executor)
        .timer(Timer)
        .pool_timer(Timer)
        .build(Connector::new())
}

async fn start(router: Router) -> Server {
    super::start(|listener| serve(listener, router)).await
}

async fn ask(pool: &Pool, addr: SocketAddr, path: &str) -> (StatusCode, Bytes) {
    let uri = format!("http://{addr}{path}").parse().unwrap();
    let response = pool.get(uri).await.unwrap();
    (response.status(), body_of(response).await)
}

async fn add(State(sum): State<Arc<AtomicU64>>, Json(body): Json<Value>) -> Json<Value> {
    let n = body["n"].as_u64().unwrap_or(0);
    Json(json!({ "sum": sum.fetch_add(n, SeqCst) + n }))
}

async fn whoami(ConnectInfo(addr): ConnectInfo<SocketAddr>) -> String {
    addr.to_string()
}

fn app() -> Router {
    Router::new()
        .route("/hello/{name}", get(async |Path(name): Path<String>| name))
        .route("/add", post(add))
        .route("/echo", post(async |body: Bytes| body))
        .route("/whoami", get(whoami))
        .fallback(async || (StatusCode::NOT_FOUND, "nothing here"))
        .with_state(Arc::new(AtomicU64::new(0)))
}

#[test]
fn routes_state_json_and_what_is_not_there() {
    on_each(async || {
        let server = start(app()).await;
        let pool = pool();
        let (status, body) = ask(&pool, server.addr, "/hello/gmp").await;
        assert_eq!((status, &body[..]), (StatusCode::OK, b"gmp".as_slice()));
        let (status, body) = ask(&pool, server.addr, "/nowhere").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert_eq!(body, "nothing here");
        let (status, _) = ask(&pool, server.addr, "/add").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        for (body, status, answer) in [
            (r#"{"n": 2}"#, StatusCode::OK, r#"{"sum":2}"#),
            (r#"{"n": 40}"#, StatusCode::OK, r#"{"sum":42}"#),
            ("not json", StatusCode::BAD_REQUEST, ""),
        ] {
            let uri = format!("http://{}/add", server.addr);
            let mut request = request(&uri, &Bytes::from_static(body.as_bytes()));
            request
                .headers_mut()
                .insert(CONTENT_TYPE, "application/json".parse().unwrap());
            let response = pool.request(request).await.unwrap();
            assert_eq!(response.status(), status);
            let body = body_of(response).await;
            assert!(answer.is_empty() || body == answer, "{body:?}");
        }
        drop(pool);
        assert_eq!(server.stop().await.left, 0);
    });
}

/// As `axum::serve` is often called.
#[test]
fn what_makes_a_service_of_a_router_is_served_as_well() {
    on_each(async || {
        let server = super::start(|listener| serve(listener, app().into_make_service())).await;
        let pool = pool();
        let answer = ask(&pool, server.addr, "/hello/you").await;
        assert_eq!(answer, (StatusCode::OK, Bytes::from_static(b"you")));
        let (status, peer) = ask(&pool, server.addr, "/whoami").await;
        assert_eq!(status, StatusCode::OK);
        assert!(peer.starts_with(b"127.0.0.1:"), "{peer:?}");
        drop(pool);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn bodies_of_a_mebibyte_go_both_ways_over_either_protocol() {
    on_each(async || {
        let server = start(app()).await;
        let body = Bytes::from(vec![b'x'; 1 << 20]);
        for http2 in [false, true] {
            let pool = Client::builder(Executor)
                .timer(Timer)
                .http2_only(http2)
                .build(Connector::new());
            for _ in 0..3 {
                let request = request(&format!("http://{}/echo", server.addr), &body);
                let response = pool.request(request).await.unwrap();
                assert_eq!(response.status(), StatusCode::OK);
                assert!(body_of(response).await == body, "the body differs");
            }
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_handler_knows_its_peer() {
    on_each(async || {
        let server = start(app()).await;
        let pool = pool();
        let uri = format!("http://{}/whoami", server.addr).parse().unwrap();
        let response = pool.get(uri).await.unwrap();
        let info: gmp::hyper::HttpInfo = *response.extensions().get().unwrap();
        let body = body_of(response).await;
        assert_eq!(body, info.local_addr().to_string());
        drop(pool);
        server.stop().await;
    });
}

#[test]
fn an_address_in_the_extensions_is_not_taken_for_the_peers() {
    on_each(async || {
        let claimed: SocketAddr = "192.0.2.1:1".parse().unwrap();
        let server = start(app().layer(Extension(claimed))).await;
        let pool = pool();
        let (status, body) = ask(&pool, server.addr, "/whoami").await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.starts_with(b"127.0.0.1:"), "{body:?}");
        drop(pool);
        server.stop().await;
    });
}

#[test]
fn a_router_is_served_on_a_unix_socket() {
    on_each(async || {
        let dir = Dir::new();
        let path = dir.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let peer = async |info: ConnectInfo<std::os::unix::net::SocketAddr>| {
            assert!(info.0.is_unnamed());
            "unnamed"
        };
        let user = async |ConnectInfo(cred): ConnectInfo<UCred>,
                          Extension(same): Extension<UCred>| {
            assert_eq!(cred, same);
            format!("{} {} {:?}", cred.uid(), cred.gid(), cred.pid())
        };
        let router = Router::new()
            .route("/peer", get(peer))
            .route("/user", get(user))
            .merge(app());
        let serving = gmp::spawn(serve(listener, router));
        let pool: Client<_, Full<Bytes>> =
            Client::builder(Executor).build(UnixConnector::new(&path));
        let response = pool.get("http://a/peer".parse().unwrap()).await.unwrap();
        assert_eq!(body_of(response).await, "unnamed");
        let response = pool.get("http://a/user".parse().unwrap()).await.unwrap();
        let (near, _) = gmp::net::UnixStream::pair().unwrap();
        let me = near.peer_cred().unwrap();
        let expected = format!("{} {} {:?}", me.uid(), me.gid(), me.pid());
        assert_eq!(body_of(response).await, expected);
        // There is no such address of a Unix socket: the handler is not asked.
        let response = pool.get("http://a/whoami".parse().unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        drop(pool);
        serving.abort();
    });
}

#[test]
fn layers_see_requests_and_answers() {
    on_each(async || {
        let layer = async |request: Request, next: Next| {
            let mut response: Response = next.run(request).await;
            let name = HeaderName::from_static("seen");
            response.headers_mut().insert(name, "yes".parse().unwrap());
            response
        };
        let server = start(app().layer(middleware::from_fn(layer))).await;
        let pool = pool();
        let uri = format!("http://{}/hello/gmp", server.addr).parse().unwrap();
        let response = pool.get(uri).await.unwrap();
        assert_eq!(response.headers()["seen"], "yes");
        body_of(response).await;
        drop(pool);
        server.stop().await;
    });
}

async fn ticks() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = interval(Duration::from_millis(2))
        .take(5)
        .enumerate()
        .map(|(n, _)| Ok(Event::default().data(n.to_string())));
    Sse::new(ticks)
}

async fn silence() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let silence = futures::stream::pending();
    Sse::new(keep_alive(silence, Duration::from_millis(2)))
}

#[test]
fn events_are_streamed_and_silence_is_kept_alive() {
    on_each(async || {
        let router = Router::new()
            .route("/ticks", get(ticks))
            .route("/silence", get(silence));
        let server = start(router).await;
        let pool = pool();
        let (status, body) = ask(&pool, server.addr, "/ticks").await;
        assert_eq!(status, StatusCode::OK);
        let expected: String = (0..5).map(|n| format!("data: {n}\n\n")).collect();
        assert_eq!(body, expected);
        let uri = format!("http://{}/silence", server.addr).parse().unwrap();
        let mut silence = pool.get(uri).await.unwrap().into_body();
        for _ in 0..3 {
            let frame = silence.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), ":\n\n");
        }
        // The server finds out that nobody listens any more.
        drop((silence, pool));
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_request_in_flight_is_answered_before_the_end() {
    on_each(async || {
        let (arrives, arrived) = oneshot::channel();
        let (answer, answers) = oneshot::channel();
        let once = std::sync::Mutex::new(Some((arrives, answers)));
        let once = Arc::new(once);
        let late = async move || {
            let (arrives, answers) = once.lock().unwrap().take().unwrap();
            arrives.send(()).unwrap();
            answers.await.unwrap();
            "late"
        };
        let server = start(Router::new().route("/", get(late))).await;
        let addr = server.addr;
        let pool = pool();
        let asking = gmp::spawn(async move { ask(&pool, addr, "/").await });
        arrived.await.unwrap();
        let mut stopping = pin!(server.stop());
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        answer.send(()).unwrap();
        let (status, body) = asking.await.unwrap();
        assert_eq!((status, &body[..]), (StatusCode::OK, b"late".as_slice()));
        assert_eq!(stopping.await.left, 0);
    });
}

async fn upgrade(request: Request) -> Response {
    give_back(request);
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let response = response
        .header("connection", "upgrade")
        .header("upgrade", "echo");
    response.body(axum::body::Body::empty()).unwrap()
}

#[test]
fn a_handler_can_take_the_connection_over() {
    on_each(async || {
        let server = start(Router::new().route("/", any(upgrade))).await;
        let (mut sender, connection) = client(server.addr).await;
        let mut raw = take_over(&mut sender).await;
        raw.write_all(b"raw bytes").await.unwrap();
        raw.close().await.unwrap();
        let mut echoed = String::new();
        raw.read_to_string(&mut echoed).await.unwrap();
        assert_eq!(echoed, "raw bytes");
        connection.await.unwrap().unwrap();
        server.stop().await;
    });
}

/// The names and sizes of what was uploaded.
async fn upload(mut form: Multipart) -> Result<String, axum::extract::multipart::MultipartError> {
    let mut sizes = String::new();
    while let Some(mut field) = form.next_field().await? {
        let name = field.file_name().unwrap_or("nameless").to_owned();
        let mut size = 0;
        while let Some(chunk) = field.chunk().await? {
            size += chunk.len();
        }
        sizes += &format!("{name}: {size}\n");
    }
    Ok(sizes)
}

#[test]
fn uploads_are_streamed_and_limited() {
    on_each(async || {
        let limit = axum::extract::DefaultBodyLimit::max(3 << 20);
        let server = start(Router::new().route("/", post(upload).layer(limit))).await;
        let part = |name: &str, size| {
            let head = "content-disposition: form-data; name=\"f\"; filename=";
            format!("--edge\r\n{head}\"{name}\"\r\n\r\n{}\r\n", "x".repeat(size))
        };
        let end = "--edge--\r\n";
        for (body, status, answer) in [
            (
                part("small", 10) + &part("large", 2 << 20) + end,
                StatusCode::OK,
                "small: 10\nlarge: 2097152\n",
            ),
            (
                part("huge", 4 << 20) + end,
                StatusCode::PAYLOAD_TOO_LARGE,
                "Request payload is too large",
            ),
            (
                part("cut off", 10),
                StatusCode::BAD_REQUEST,
                "field \"f\" received with incomplete data",
            ),
        ] {
            let request = Request::post(format!("http://{}/", server.addr))
                .header(CONTENT_TYPE, "multipart/form-data; boundary=edge")
                .body(Full::from(body));
            // A server that did not want a body closes the connection: each has its own.
            let response = pool().request(request.unwrap()).await.unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(body_of(response).await, answer);
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

/// tower-http's layer as it is: its handler is told whose panic it has caught.
#[test]
fn a_layer_that_catches_panics_knows_the_task() {
    gmp::profiler::note_panics();
    on_each(async || {
        let (tell, told) = gmp::chan::unbounded();
        let answers = move |_: Box<dyn Any + Send>| {
            let report = gmp::profiler::take_report().expect("of this task");
            tell.try_send(report).expect("room");
            let mut response = Response::new(Full::from("sorry"));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        };
        let (say, said) = gmp::chan::unbounded();
        let panics = async move |Path(n): Path<u32>| {
            say.try_send(gmp::task::id()).expect("room");
            gmp::task::yield_now().await;
            assert_ne!(n, 7, "no seven");
            n.to_string()
        };
        let router = Router::new()
            .route("/{n}", get(panics))
            .layer(CatchPanicLayer::custom(answers));
        let server = start(router).await;
        let pool = pool();
        for (path, wanted) in [("/6", 200), ("/7", 500), ("/8", 200), ("/7", 500)] {
            let (status, _) = ask(&pool, server.addr, path).await;
            assert_eq!(status, wanted);
            let id = said.recv().await.expect("who served it");
            if wanted == 500 {
                let report = told.recv().await.expect("a report");
                assert_eq!(report.task().map(|task| task.id), Some(id.get()));
                assert!(report.message().contains("no seven"), "{report}");
                assert!(
                    report
                        .to_string()
                        .contains(&format!("\ngoroutine {id} [running]:\n"))
                );
            }
            assert!(told.try_recv().is_err(), "nothing else");
        }
        drop(pool);
        server.stop().await;
    });
}
