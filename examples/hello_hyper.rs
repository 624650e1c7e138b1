//! An HTTP server on hyper: HTTP/1.1 and HTTP/2 without TLS on one port.
//!
//! `cargo run --release --example hello_hyper -- --port 8080`, then
//! `curl http://127.0.0.1:8080` or `curl --http2-prior-knowledge ...`. Ctrl-c, or
//! `SIGTERM`, lets the requests that run finish; a second one does not.

use std::convert::Infallible;
use std::pin::pin;

use futures::future::{Either, select};
use gmp::hyper::{Executor, Timer};
use gmp::net::TcpListener;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;

#[gmp::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port())).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let mut http = Builder::new(Executor);
    http.http1().timer(Timer);
    http.http2().timer(Timer);
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(gmp::signal::shutdown());
    loop {
        let (stream, _peer) = match select(pin!(listener.accept()), &mut stop).await {
            Either::Left((Ok(connection), _)) => connection,
            Either::Left((Err(error), _)) => {
                eprintln!("accept: {error}");
                continue;
            }
            Either::Right((asked, _)) => {
                asked?;
                break;
            }
        };
        stream.set_nodelay(true)?;
        let connection = http.serve_connection(stream, service_fn(hello));
        let connection = graceful.watch(connection.into_owned());
        gmp::spawn(async move {
            // A peer that breaks off is its own affair.
            let _ = connection.await;
        });
    }
    drop(listener);
    let patience = std::time::Duration::from_secs(5);
    if gmp::time::timeout(patience, graceful.shutdown())
        .await
        .is_err()
    {
        eprintln!("some requests did not finish in time");
    }
    Ok(())
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::from("Hello from gmp\n"));
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, text);
    Ok(response)
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
