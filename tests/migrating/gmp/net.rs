//! An echo server.

// snippet
use futures::io;
use gmp::net::{TcpListener, TcpStream};

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await?;
        gmp::spawn(echo(stream));
    }
}

async fn echo(stream: TcpStream) -> io::Result<u64> {
    io::copy(&stream, &mut &stream).await
}
// end

#[test]
fn runs() {
    gmp::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        gmp::spawn(serve(listener));
        let stream = TcpStream::connect(addr).await.expect("it listens");
        super::lines::check(stream).await;
    });
}
