//! A library that needs Tokio in gmp tasks: reqwest fetches three pages at once
//! from a server of gmp's in the same process.
//!
//! `cargo run --release --features tokio-compat --example reqwest_in_gmp`
//!
//! The tasks run on gmp; Tokio's sockets and timers are on one thread that
//! `compat::install` has started.

use std::convert::Infallible;
use std::error::Error;

use futures::channel::oneshot;
use gmp::net::TcpListener;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};

type BoxError = Box<dyn Error + Send + Sync>;

#[gmp::main]
async fn main() -> Result<(), BoxError> {
    gmp::compat::install()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let server = gmp::hyper::serve(listener, |_| service_fn(page)).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = gmp::spawn(server);

    let client = reqwest::Client::new();
    let tasks: Vec<_> = ["one", "two", "three"]
        .map(|name| gmp::spawn(fetch(client.clone(), format!("{url}/{name}"))))
        .into();
    for task in tasks {
        print!("{}", task.await??);
    }

    let _ = stop.send(());
    Ok(server.await??)
}

/// As one would write it for Tokio.
async fn fetch(client: reqwest::Client, url: String) -> reqwest::Result<String> {
    let response = client.get(url).send().await?.error_for_status()?;
    response.text().await
}

async fn page(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = format!("this is {}\n", request.uri().path());
    Ok(Response::new(Full::from(text)))
}
