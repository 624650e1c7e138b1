//! An echo server.

// snippet
use smol::io;
use smol::net::{TcpListener, TcpStream};

async fn serve(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _peer) = listener.accept().await?;
        smol::spawn(echo(stream)).detach();
    }
}

async fn echo(stream: TcpStream) -> io::Result<u64> {
    io::copy(stream.clone(), stream).await
}
// end

#[test]
fn runs() {
    smol::block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let _server = smol::spawn(serve(listener));
        let stream = TcpStream::connect(addr).await.expect("it listens");
        super::lines::check(stream).await;
    });
}
