//! A hyper server.

// snippet
use gmp::net::TcpListener;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};
use std::convert::Infallible;

async fn hello(_: Request<Incoming>) -> Result<Response<String>, Infallible> {
    Ok(Response::new("hello\n".into()))
}

async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let stop = async {
        gmp::signal::shutdown().await.expect("handlers");
    };
    gmp::hyper::serve(listener, service_fn(hello))
        .with_graceful_shutdown(stop)
        .await
}
// end

#[test]
fn runs() {
    use futures::io::{AsyncReadExt, AsyncWriteExt};

    gmp::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let server = gmp::spawn(serve(listener));
        let mut client = gmp::net::TcpStream::connect(addr).await.expect("served");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.expect("a connection");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.ends_with("hello\n"), "{answer}");
        server.abort();
    });
}
