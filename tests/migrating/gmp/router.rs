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
    let stop = async { gmp::signal::ctrl_c().await.expect("a handler") };
    gmp::axum::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}
// end

#[test]
fn runs() {
    gmp::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let serving = gmp::time::timeout(std::time::Duration::from_millis(1), serve(listener));
        assert!(serving.await.is_err(), "it serves until it is told to stop");
    });
}
