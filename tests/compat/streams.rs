//! Libraries over Tokio's I/O traits, on gmp's streams: no runtime of Tokio's is
//! asked for.

use std::sync::Arc;

use futures::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use futures::{SinkExt, StreamExt};
use gmp::compat::Io;
use gmp::net::{TcpListener, TcpStream, UnixStream};
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::codec::{Framed, LengthDelimitedCodec, LinesCodec};

use crate::certificate::configs_for;
use crate::on_each;

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let client = TcpStream::connect(addr).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (client, server)
}

/// Sends lines to a task that sends them back in capitals.
async fn shout<S>(client: S, server: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = gmp::spawn(async {
        let mut lines = Framed::new(server, LinesCodec::new());
        while let Some(line) = lines.next().await {
            lines.send(line.unwrap().to_uppercase()).await.unwrap();
        }
    });
    let mut lines = Framed::new(client, LinesCodec::new());
    for i in 0..50 {
        lines.send(format!("line {i}")).await.unwrap();
        let answer = lines.next().await.unwrap().unwrap();
        assert_eq!(answer, format!("LINE {i}"));
    }
    drop(lines);
    server.await.unwrap();
}

#[test]
fn lines_over_each_kind_of_stream() {
    on_each(async || {
        let (client, server) = tcp_pair().await;
        shout(client, server).await;
        let (client, server) = UnixStream::pair().unwrap();
        shout(client, server).await;
        // A stream of `futures::io` alone.
        let (client, server) = UnixStream::pair().unwrap();
        let [client, server] = [client, server].map(|stream| Io::new(BufReader::new(stream)));
        shout(client, server).await;
    });
}

#[test]
fn frames_larger_than_the_buffers() {
    on_each(async || {
        let (client, server) = tcp_pair().await;
        let echo = gmp::spawn(async {
            let frames = Framed::new(server, LengthDelimitedCodec::new());
            let (write, read) = frames.split();
            let frames = read.map(|frame| frame.map(|frame| frame.freeze()));
            frames.forward(write).await.unwrap();
        });
        let (mut write, mut read) = Framed::new(client, LengthDelimitedCodec::new()).split();
        let frames: Vec<_> = [0, 1, 1 << 20, 3, 1 << 22]
            .map(|len| Bytes::from(vec![len as u8 ^ 5; len]))
            .into();
        let sent = frames.clone();
        let writing = gmp::spawn(async move {
            for frame in sent {
                write.send(frame).await.unwrap();
            }
            write.close().await.unwrap();
        });
        for frame in frames {
            assert!(read.next().await.unwrap().unwrap() == frame);
        }
        assert!(read.next().await.is_none());
        writing.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn tls_over_gmps_streams() {
    on_each(async || {
        let (server, client) = configs_for(&["gmp.test"]);
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let connector = TlsConnector::from(Arc::new(client));
        let (client, server) = tcp_pair().await;
        let echo = gmp::spawn(async move {
            let stream = acceptor.accept(server).await.unwrap();
            // As `futures::io` again, for the rest of the program.
            let (read, mut write) = Io::new(stream).split();
            futures::io::copy(read, &mut write).await.unwrap();
            write.close().await.unwrap();
        });
        let name = ServerName::try_from("gmp.test").unwrap();
        let stream = connector.connect(name, client).await.unwrap();
        let (mut read, mut write) = Io::new(stream).split();
        let sent: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
        let copy = sent.clone();
        let writing = gmp::spawn(async move {
            write.write_all(&copy).await.unwrap();
            write.close().await.unwrap();
        });
        let mut back = Vec::new();
        // Not an error: the end is that of TLS.
        read.read_to_end(&mut back).await.unwrap();
        assert!(back == sent, "the bytes differ");
        writing.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn tls_refuses_a_wrong_name() {
    on_each(async || {
        let (server, client) = configs_for(&["gmp.test"]);
        let acceptor = TlsAcceptor::from(Arc::new(server));
        let connector = TlsConnector::from(Arc::new(client));
        let (client, server) = tcp_pair().await;
        let server = gmp::spawn(async move { acceptor.accept(server).await.map(drop) });
        let name = ServerName::try_from("other.test").unwrap();
        let refused = connector.connect(name, client).await.map(drop);
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
        server.await.unwrap().unwrap_err();
    });
}
