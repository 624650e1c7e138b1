//! What sockets and their halves have beside reading and writing: options, addresses
//! of all kinds, and waits for readiness.

#[path = "support/dir.rs"]
mod dir;
#[path = "support/no_sources.rs"]
mod no_sources;

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::os::unix::net::SocketAddr;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::io::Interest;
use gmp::net::{
    TcpListener, TcpSocket, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream,
};

use dir::Dir;

/// Runs `test` on one P and on two, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 2], test);
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("bound");
    let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
    (near.expect("connected"), far.expect("accepted").0)
}

#[test]
fn packets_are_marked_and_interfaces_chosen() {
    on_each(async || {
        let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        udp.set_tos_v4(0x10).expect("IPv4");
        assert_eq!(udp.tos_v4().expect("IPv4"), 0x10);
        let tcp = TcpSocket::new_v4().expect("a socket");
        tcp.set_tos_v4(0x08).expect("IPv4");
        assert_eq!(tcp.tos_v4().expect("IPv4"), 0x08);
        #[cfg(target_os = "linux")]
        {
            udp.bind_device(None).expect("none is allowed to all");
            assert_eq!(udp.device().expect("told"), None);
            assert_eq!(tcp.device().expect("told"), None);
            let unknown = tcp.bind_device(Some(b"no-such-device"));
            assert!(unknown.is_err());
            // Not every machine has IPv6.
            if let Ok(tcp) = TcpSocket::new_v6() {
                tcp.set_tclass_v6(0x20).expect("IPv6");
                assert_eq!(tcp.tclass_v6().expect("IPv6"), 0x20);
            }
        }
    });
}

#[test]
fn a_stream_without_linger_is_reset_by_its_drop() {
    on_each(async || {
        let (near, mut far) = tcp_pair().await;
        near.set_zero_linger().expect("a socket");
        drop(near);
        let error = far.read(&mut [0; 8]).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_zero_linger().expect("a socket");
        let addr = listener.local_addr().expect("bound");
        let (near, far) = futures::join!(socket.connect(addr), listener.accept());
        drop(near.expect("connected"));
        let error = far.expect("accepted").0.read(&mut [0; 8]).await;
        assert_eq!(error.expect_err("reset").kind(), ErrorKind::ConnectionReset);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn acknowledgements_are_quick_or_not() {
    on_each(async || {
        let (near, _far) = tcp_pair().await;
        for on in [false, true, false] {
            near.set_quickack(on).expect("TCP");
            assert_eq!(near.quickack().expect("TCP"), on);
        }
    });
}

/// Everything that both kinds of halves of both kinds of stream have.
macro_rules! halves {
    ($read:expr, $write:expr, $near:expr, $far:expr) => {
        let (read, write, (near, far)) = (&$read, &$write, (&*$near, &*$far));
        assert_eq!(format!("{:?}", read.local_addr().expect("told")), near);
        assert_eq!(format!("{:?}", write.local_addr().expect("told")), near);
        assert_eq!(format!("{:?}", read.peer_addr().expect("told")), far);
        assert_eq!(format!("{:?}", write.peer_addr().expect("told")), far);
        assert!(
            write
                .ready(Interest::WRITABLE)
                .await
                .expect("room")
                .is_writable()
        );
        let parts = [IoSlice::new(b"one"), IoSlice::new(b"two")];
        assert_eq!(write.try_write_vectored(&parts).expect("room"), 6);
        let mut buf = [0; 6];
        let n = loop {
            let ready = read
                .ready(Interest::READABLE)
                .await
                .expect("bytes come back");
            assert!(ready.is_readable());
            let (one, two) = buf.split_at_mut(4);
            match read.try_read_vectored(&mut [IoSliceMut::new(one), IoSliceMut::new(two)]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break result.expect("bytes come back"),
            }
        };
        assert_eq!((n, &buf), (6, b"onetwo"));
    };
}

/// Sends what comes back, twice six bytes.
async fn echo<S: futures::io::AsyncRead + futures::io::AsyncWrite + Unpin>(mut stream: S) {
    for _ in 0..2 {
        let mut buf = [0; 6];
        stream.read_exact(&mut buf).await.expect("six bytes");
        stream.write_all(&buf).await.expect("taken");
    }
}

#[test]
fn halves_know_their_addresses_and_wait_and_try() {
    on_each(async || {
        let (mut near, far) = tcp_pair().await;
        let ends = [near.local_addr(), near.peer_addr()];
        let [here, there] = ends.map(|end| format!("{:?}", end.expect("connected")));
        let echoes = gmp::spawn(echo(far));
        {
            let (read, write) = TcpStream::split(&mut near);
            halves!(read, write, here, there);
        }
        let (read, write) = near.into_split();
        halves!(read, write, here, there);
        echoes.await.expect("no panic");

        let (mut near, far) = UnixStream::pair().expect("a pair");
        let unnamed = "(unnamed)";
        let echoes = gmp::spawn(echo(far));
        {
            let (read, write) = UnixStream::split(&mut near);
            halves!(read, write, unnamed, unnamed);
        }
        let (read, write) = near.into_split();
        halves!(read, write, unnamed, unnamed);
        echoes.await.expect("no panic");
    });
}

#[test]
fn a_unix_socket_is_reached_by_its_address() {
    on_each(async || {
        let dir = Dir::new();
        let path = dir.at("socket");
        let mut addrs = vec![SocketAddr::from_pathname(&path).expect("a short path")];
        #[cfg(target_os = "linux")]
        addrs.push({
            let name = format!("gmp-names-{}", std::process::id());
            <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)
                .expect("short")
        });
        for addr in addrs {
            let listener = UnixListener::bind_addr(&addr).expect("free");
            let bound = listener.local_addr().expect("told");
            assert_eq!(format!("{bound:?}"), format!("{addr:?}"));
            let client = UnixStream::connect_addr(&addr).await.expect("it listens");
            let (server, _) = listener.accept().await.expect("it connected");
            let peer = client.peer_addr().expect("told");
            assert_eq!(format!("{peer:?}"), format!("{addr:?}"));
            assert_eq!(client.try_write(b"x").expect("room"), 1);
            server.readable().await.expect("a byte");
            assert_eq!(server.try_read(&mut [0; 2]).expect("a byte"), 1);
            assert!(listener.take_error().expect("told").is_none());
            drop(listener);
            let refused = UnixStream::connect_addr(&addr).await.expect_err("nobody");
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
        let datagrams = UnixDatagram::unbound().expect("a socket");
        let unnamed = datagrams.local_addr().expect("told");
        let error = UnixStream::connect_addr(&unnamed)
            .await
            .expect_err("no name");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let path = dir.at("datagrams");
        let receiver = UnixDatagram::bind(&path).expect("free");
        let sent = poll_fn(|cx| datagrams.poll_send_to(cx, b"by hand", &path)).await;
        assert_eq!(sent.expect("it is there"), 7);
        assert_eq!(receiver.recv(&mut [0; 16]).await.expect("sent"), 7);
    });
}
