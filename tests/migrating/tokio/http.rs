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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    super::builder::started().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        tokio::spawn(serve(listener));
        let mut client = tokio::net::TcpStream::connect(addr).await.expect("served");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.expect("a connection");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.ends_with("hello\n"), "{answer}");
    });
}
