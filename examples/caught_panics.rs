//! A handler that panics: the request gets status 500, the log the task, and the server
//! goes on. The layer is tower-http's own; it asks gmp for the report of what it has
//! caught.
//!
//! The example is its own client: `cargo run --example caught_panics --features axum,hyper`.

use std::any::Any;

use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{TcpListener, TcpStream};
use gmp::profiler::take_report;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::body::Bytes;
use tower_http::catch_panic::CatchPanicLayer;

/// What the layer calls on the thread of the panic. The payload is the layer's; the place
/// and the task are in the report.
fn answer(_payload: Box<dyn Any + Send>) -> Response<Full<Bytes>> {
    if let Some(report) = take_report() {
        eprint!("{report}");
    }
    let mut response = Response::new(Full::from("something went wrong\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

async fn prime(Path(n): Path<usize>) -> String {
    let table = [2, 3, 5, 7, 11];
    table[n].to_string()
}

#[gmp::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/prime/{n}", get(prime))
        .layer(CatchPanicLayer::custom(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    drop(gmp::spawn(gmp::axum::serve(listener, app).into_future()));
    for (n, status) in [(4, "200"), (7, "500"), (0, "200")] {
        let mut stream = TcpStream::connect(addr).await?;
        let request = format!("GET /prime/{n} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        let line = response.lines().next().unwrap_or("nothing");
        println!("{n}: {line}");
        assert_eq!(line.split(' ').nth(1), Some(status));
    }
    Ok(())
}
