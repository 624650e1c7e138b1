//! A small service on axum: notes as JSON, a stream of events, and an end that
//! lets requests finish.
//!
//! `cargo run --release --features axum,hyper --example axum_app -- --port 8080`,
//! then, with `url=http://127.0.0.1:8080`:
//!
//! ```text
//! curl $url/notes -H 'content-type: application/json' -d '{"text": "buy milk"}'
//! curl $url/notes
//! curl $url/notes/1
//! curl -X DELETE $url/notes/1
//! curl -N $url/ticks
//! curl $url/whoami
//! ```
//!
//! Nothing in here is Tokio's.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, Sse};
use axum::routing::get;
use axum::{Json, Router};
use futures::stream::{Stream, StreamExt};
use gmp::axum::{ConnectInfo, keep_alive};
use gmp::net::TcpListener;
use gmp::time::{Duration, interval};
use serde_json::{Value, json};

#[gmp::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port())).await?;
    println!("listening on http://{}", listener.local_addr()?);
    gmp::axum::serve(listener, app())
        .with_graceful_shutdown(async {
            gmp::signal::ctrl_c().await.expect("a handler for ctrl-c");
        })
        // Somebody may listen to the ticks for ever.
        .drain_timeout(Duration::from_secs(5))
        .await
}

/// What the handlers share: the notes by number.
type Notes = Arc<Mutex<BTreeMap<u64, String>>>;

type Failure = (StatusCode, Json<Value>);

fn app() -> Router {
    Router::new()
        .route(
            "/",
            get(async || "Hello from axum on gmp: try /notes, /ticks, /whoami\n"),
        )
        .route("/notes", get(list).post(create))
        .route("/notes/{id}", get(read).delete(remove))
        .route("/ticks", get(ticks))
        .route("/whoami", get(whoami))
        .fallback(async |uri: Uri| missing(uri.path()))
        .with_state(Notes::default())
}

async fn list(State(notes): State<Notes>) -> Json<Value> {
    let notes = notes.lock().expect("no handler panics");
    let all = notes.iter().map(|(id, text)| note(*id, text));
    Json(all.collect())
}

async fn create(
    State(notes): State<Notes>,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let Some(text) = body["text"].as_str() else {
        let why = json!({ "error": "a note needs a text" });
        return Err((StatusCode::UNPROCESSABLE_ENTITY, Json(why)));
    };
    let mut notes = notes.lock().expect("no handler panics");
    let id = notes.last_key_value().map_or(1, |(last, _)| last + 1);
    notes.insert(id, text.to_owned());
    Ok((StatusCode::CREATED, Json(note(id, text))))
}

async fn read(State(notes): State<Notes>, Path(id): Path<u64>) -> Result<Json<Value>, Failure> {
    match notes.lock().expect("no handler panics").get(&id) {
        Some(text) => Ok(Json(note(id, text))),
        None => Err(missing(&format!("note {id}"))),
    }
}

async fn remove(State(notes): State<Notes>, Path(id): Path<u64>) -> Result<StatusCode, Failure> {
    match notes.lock().expect("no handler panics").remove(&id) {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(missing(&format!("note {id}"))),
    }
}

/// Server-sent events: a number every second.
async fn ticks() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = interval(Duration::from_secs(1))
        .enumerate()
        .map(|(n, _)| Ok(Event::default().event("tick").data(n.to_string())));
    Sse::new(keep_alive(ticks, Duration::from_secs(15)))
}

async fn whoami(ConnectInfo(addr): ConnectInfo<SocketAddr>) -> Json<Value> {
    Json(json!({ "addr": addr.to_string() }))
}

fn note(id: u64, text: &str) -> Value {
    json!({ "id": id, "text": text })
}

fn missing(what: &str) -> Failure {
    let why = json!({ "error": format!("there is no {what}") });
    (StatusCode::NOT_FOUND, Json(why))
}

/// The number after `--port`, else 8080.
fn port() -> u16 {
    let mut args = std::env::args().skip_while(|arg| arg != "--port").skip(1);
    match args.next().map(|port| port.parse()) {
        Some(Ok(port)) => port,
        Some(Err(error)) => panic!("--port: {error}"),
        None => 8080,
    }
}
