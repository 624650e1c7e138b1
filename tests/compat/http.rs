//! reqwest in gmp tasks, against this crate's server and against raw bytes.

use std::time::Duration;

use futures::channel::oneshot;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::compat::CompatExt;
use gmp::net::{TcpListener, TcpStream};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};

use crate::on_each;

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// No look at the machine's proxies: the server is in this process.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let response = Response::builder().header("path", path);
    Ok(response.body(Full::new(body)).expect("a valid header"))
}

#[test]
fn requests_from_many_tasks_share_a_client() {
    on_each(async || {
        let (listener, url) = bind().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let server = gmp::hyper::serve(listener, |_| service_fn(echo));
        let server = gmp::spawn(server.with_graceful_shutdown(async {
            let _ = stopped.await;
        }));
        let client = client();
        let tasks: Vec<_> = (0..12)
            .map(|i| {
                let (client, url) = (client.clone(), format!("{url}/{i}"));
                let body = vec![b'0' + i; [0, 100, 1 << 18][usize::from(i) % 3]];
                let fetch = async move {
                    for _ in 0..3 {
                        let request = client.post(&url).body(body.clone());
                        let mut response = request.send().await.unwrap();
                        assert_eq!(response.headers()["path"], format!("/{i}"));
                        let mut back = Vec::new();
                        while let Some(chunk) = response.chunk().await.unwrap() {
                            back.extend_from_slice(&chunk);
                        }
                        assert!(back == body, "the body differs");
                    }
                };
                gmp::spawn(fetch.compat())
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        drop(client);
        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    });
}

/// Reads the head of a request.
async fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        head.push(byte[0]);
    }
}

#[test]
fn its_time_outs_and_errors_come_through() {
    on_each(async || {
        let (listener, url) = bind().await;
        let request = client().get(&url).timeout(Duration::from_millis(20));
        // `send` itself looks for a timer, before any poll.
        let task = gmp::spawn(async { request.send().await }.compat());
        let (mut peer, _) = listener.accept().await.unwrap();
        read_head(&mut peer).await;
        // No answer.
        let error = task.await.unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);

        drop((listener, peer));
        let error = client().get(&url).send().compat().await.unwrap_err();
        assert!(error.is_connect(), "{error:?}");
    });
}

#[test]
fn an_abort_in_the_middle_of_a_body_ends_the_connection() {
    on_each(async || {
        let (listener, url) = bind().await;
        let (tell, begun) = oneshot::channel();
        let fetch = async move {
            let mut response = client().get(url).send().await.unwrap();
            let chunk = response.chunk().await.unwrap().unwrap();
            tell.send(chunk).unwrap();
            response.chunk().await
        };
        let task = gmp::spawn(fetch.compat());
        let (mut peer, _) = listener.accept().await.unwrap();
        read_head(&mut peer).await;
        peer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
            .await
            .unwrap();
        assert_eq!(begun.await.unwrap(), "abc");
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(peer.read(&mut [0]).await.unwrap(), 0);
    });
}
