//! A hyper server.

// snippet
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use tokio::net::TcpListener;

async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("hello\n".into()))
}

async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new());
    http.http2().timer(TokioTimer::new());
    loop {
        let (stream, _peer) = listener.accept().await?;
        let http = http.clone();
        tokio::spawn(async move {
            let stream = TokioIo::new(stream);
            http.serve_connection(stream, service_fn(hello)).await
        });
    }
}
// end

#[test]
fn runs() {
    let runtime = super::builder::started();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let serving = tokio::time::timeout(std::time::Duration::from_millis(1), serve(listener));
        assert!(serving.await.is_err(), "it serves until it is dropped");
    });
}
