//! A small service on axum: notes in a database, file uploads, a chat over web
//! sockets, server-sent events, TLS, and an end that lets requests finish.
//!
//! `cargo run --release --features axum,hyper --example axum_app -- --port 8080`,
//! then open <http://127.0.0.1:8080/> in a browser, or, with
//! `url=http://127.0.0.1:8080`:
//!
//! ```text
//! curl $url/notes -H 'content-type: application/json' -d '{"text": "buy milk"}'
//! curl $url/notes
//! curl -X DELETE $url/notes/1
//! curl -F file=@README.md $url/files
//! curl $url/files/1
//! curl -N $url/ticks
//! curl $url/whoami
//! ```
//!
//! `--tls` speaks HTTPS with a certificate made at the start (`curl -k`), `--data`
//! names a directory that outlives the service. What is Tokio's here is what sqlx
//! asks for; everything else runs on gmp alone.

mod chat;
mod failure;
mod files;
mod notes;
mod ticks;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use axum::response::Html;
use axum::routing::get;
use axum::{Json, Router};
use gmp::axum::{ConnectInfo, serve};
use gmp::hyper::tls::TlsListener;
use gmp::net::TcpListener;
use gmp::sync::{broadcast, watch};
use serde_json::{Value, json};
use sqlx::sqlite::SqlitePool;

use failure::Failure;

/// What the handlers share.
#[derive(Clone)]
struct App {
    db: SqlitePool,
    /// Where uploads are.
    uploads: Arc<Path>,
    /// What is said in the chat.
    room: broadcast::Sender<String>,
    /// True when the service ends: what has no end of its own ends then.
    stop: watch::Receiver<bool>,
}

impl App {
    /// Waits for the end of the service.
    fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.clone();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }
}

#[gmp::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // sqlx looks for a Tokio runtime in every task that asks it.
    gmp::compat::install()?;
    let args = Args::parse();
    let data = args.data.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("gmp-axum-app-{}", std::process::id()))
    });
    let uploads = data.join("uploads");
    gmp::fs::create_dir_all(&uploads).await?;
    let (stop, stopping) = watch::channel(false);
    let app = App {
        db: notes::open(&data.join("notes.sqlite")).await?,
        uploads: uploads.into(),
        room: broadcast::Sender::new(100),
        stop: stopping,
    };
    let db = app.db.clone();
    let router = router(app);
    let shutdown = async move {
        gmp::signal::shutdown().await.expect("handlers of signals");
        stop.send_replace(true);
    };

    let listener = TcpListener::bind(("127.0.0.1", args.port)).await?;
    let addr = listener.local_addr()?;
    if args.tls {
        println!("listening on https://{addr}");
        let listener = TlsListener::new(listener, tls::config()?)
            .on_error(|peer, error| eprintln!("{peer}: no TLS: {error}"));
        serve(listener, router)
            .with_graceful_shutdown(shutdown)
            .drain_timeout(Duration::from_secs(5))
            .http2_web_sockets()
            .await?;
    } else {
        println!("listening on http://{addr}");
        serve(listener, router)
            .with_graceful_shutdown(shutdown)
            .drain_timeout(Duration::from_secs(5))
            .await?;
    }
    db.close().await;
    if args.data.is_none() {
        gmp::fs::remove_dir_all(&data).await?;
    }
    Ok(())
}

fn router(app: App) -> Router {
    Router::new()
        .route("/", get(async || Html(include_str!("index.html"))))
        .route("/whoami", get(whoami))
        .route("/ticks", get(ticks::ticks))
        .route("/chat", get(chat::chat))
        .merge(notes::routes())
        .merge(files::routes())
        .fallback(async |uri: Uri| Failure::missing(uri.path()))
        .with_state(app)
}

async fn whoami(ConnectInfo(addr): ConnectInfo<SocketAddr>) -> Json<Value> {
    Json(json!({ "addr": addr.to_string() }))
}

struct Args {
    port: u16,
    tls: bool,
    data: Option<PathBuf>,
}

impl Args {
    fn parse() -> Args {
        let mut args = Args {
            port: 8080,
            tls: false,
            data: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} what?"));
            match word.as_str() {
                "--port" => args.port = value().parse().expect("--port takes a number"),
                "--data" => args.data = Some(value().into()),
                "--tls" => args.tls = true,
                _ => panic!("{word}? There are --port N, --tls and --data DIRECTORY"),
            }
        }
        args
    }
}
