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
    let stop = async { gmp::signal::ctrl_c().await.expect("a handler") };
    let served = gmp::hyper::serve(listener, |_| service_fn(hello))
        .with_graceful_shutdown(stop)
        .await?;
    assert_eq!(served.left, 0);
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
