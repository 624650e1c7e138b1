//! An axum service.

// snippet
use axum::{Router, routing::get};
use gmp::axum::ConnectInfo;
use gmp::net::TcpListener;
use std::net::SocketAddr;

async fn whoami(ConnectInfo(peer): ConnectInfo<SocketAddr>) -> String {
    format!("you are {peer}\n")
}

async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let app = Router::new().route("/whoami", get(whoami));
    let stop = async {
        gmp::signal::shutdown().await.expect("handlers");
    };
    gmp::axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
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
        let request = b"GET /whoami HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.expect("a connection");
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.contains("you are 127.0.0.1:"), "{answer}");
        server.abort();
    });
}
