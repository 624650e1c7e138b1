//! Unix and UDP sockets, on one P and on two.

#[path = "support/dir.rs"]
mod dir;
#[path = "support/no_sources.rs"]
mod no_sources;

use std::io::ErrorKind;
use std::sync::Arc;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{UdpSocket, UnixDatagram, UnixListener, UnixStream};

use dir::Dir;

/// Runs `test` on one P and on two, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 2], test);
}

#[test]
fn a_unix_listener_takes_connections() {
    on_each(async || {
        let dir = Dir::new();
        let path = dir.at("socket");
        let missing = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        let listener = UnixListener::bind(&path).unwrap();
        let in_use = UnixListener::bind(&path).unwrap_err();
        assert_eq!(in_use.kind(), ErrorKind::AddrInUse);
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
        let server = gmp::spawn(async move {
            for _ in 0..50 {
                let (stream, peer) = listener.accept().await.unwrap();
                assert!(peer.is_unnamed());
                futures::io::copy(&stream, &mut &stream).await.unwrap();
            }
        });
        for round in 0..50 {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            stream.write_all(&[round; 100]).await.unwrap();
            stream.close().await.unwrap();
            let mut got = Vec::new();
            stream.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, [round; 100]);
        }
        server.await.unwrap();
        let refused = UnixStream::connect(&path).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn a_unix_pair_talks_and_is_split() {
    on_each(async || {
        let (near, mut far) = UnixStream::pair().unwrap();
        assert!(near.peer_addr().unwrap().is_unnamed());
        let (mut read, mut write) = near.into_split();
        let echo = gmp::spawn(async move {
            let mut buf = [0; 8];
            loop {
                match far.read(&mut buf).await.unwrap() {
                    0 => break,
                    n => far.write_all(&buf[..n]).await.unwrap(),
                }
            }
        });
        for token in 0..500_u64 {
            write.write_all(&token.to_le_bytes()).await.unwrap();
            let mut answer = [0; 8];
            read.read_exact(&mut answer).await.unwrap();
            assert_eq!(u64::from_le_bytes(answer), token);
        }
        drop(write);
        echo.await.unwrap();
        assert_eq!(read.read(&mut [0; 8]).await.unwrap(), 0);
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_unix_peer_is_known() {
    on_each(async || {
        let (near, _far) = UnixStream::pair().unwrap();
        let peer = near.peer_cred().unwrap();
        assert_eq!(peer.uid(), rustix::process::geteuid().as_raw());
        assert_eq!(peer.gid(), rustix::process::getegid().as_raw());
        assert_eq!(peer.pid(), i32::try_from(std::process::id()).ok());
    });
}

#[test]
fn unix_datagrams_keep_their_bounds() {
    on_each(async || {
        let dir = Dir::new();
        let (one, other) = (dir.at("one"), dir.at("other"));
        let near = UnixDatagram::bind(&one).unwrap();
        let far = UnixDatagram::bind(&other).unwrap();
        near.send_to(b"first", &other).await.unwrap();
        near.try_send_to(b"second", &other).unwrap();
        let mut buf = [0; 16];
        let (n, from) = far.recv_from(&mut buf).await.unwrap();
        assert_eq!(
            (&buf[..n], from.as_pathname()),
            (&b"first"[..], Some(&*one))
        );
        assert_eq!(far.try_recv(&mut buf).unwrap(), 6);
        let empty = far.try_recv(&mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);

        far.connect(&one).unwrap();
        let wait = gmp::spawn(async move {
            let mut buf = [0; 16];
            near.recv(&mut buf).await.map(|n| (near, n))
        });
        gmp::task::yield_now().await;
        far.send(b"third").await.unwrap();
        let (near, n) = wait.await.unwrap().unwrap();
        assert_eq!(n, 5);
        drop(near);
        let refused = far.send(b"fourth").await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

/// A full receiver makes senders wait, and each datagram arrives once.
#[test]
fn unix_datagrams_wait_for_room() {
    on_each(async || {
        let (near, far) = UnixDatagram::pair().unwrap();
        let sender = gmp::spawn(async move {
            for i in 0..2_000_u32 {
                near.send(&i.to_le_bytes()).await.unwrap();
            }
        });
        let mut buf = [0; 8];
        for i in 0..2_000_u32 {
            assert_eq!(far.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], i.to_le_bytes());
        }
        sender.await.unwrap();
    });
}

async fn udp_pair() -> (UdpSocket, UdpSocket) {
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    (near, far)
}

#[test]
fn udp_datagrams_go_both_ways() {
    on_each(async || {
        let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = far.local_addr().unwrap();
        let mut buf = [0; 16];
        let empty = far.try_recv_from(&mut buf).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        for text in ["", "a", "a longer one"] {
            assert_eq!(near.send_to(text.as_bytes(), to).await.unwrap(), text.len());
            let looked = far.peek_from(&mut buf).await.unwrap();
            let taken = far.recv_from(&mut buf).await.unwrap();
            assert_eq!(looked, taken);
            assert_eq!(taken, (text.len(), near.local_addr().unwrap()));
            assert_eq!(&buf[..text.len()], text.as_bytes());
        }
        let error = near.send_to(&[0; 70_000], to).await.unwrap_err();
        assert_eq!(
            rustix::io::Errno::from_io_error(&error),
            Some(rustix::io::Errno::MSGSIZE)
        );
    });
}

#[test]
fn a_connected_udp_socket_hears_its_peer_alone() {
    on_each(async || {
        let (near, far) = udp_pair().await;
        let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let to = near.local_addr().unwrap();
        stranger.send_to(b"stranger", to).await.unwrap();
        far.send(b"peer").await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(near.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
    });
}

#[test]
fn several_tasks_share_a_udp_socket() {
    on_each(async || {
        let (near, far) = udp_pair().await;
        let far = Arc::new(far);
        let receivers: Vec<_> = (0..10)
            .map(|_| {
                let far = far.clone();
                gmp::spawn(async move {
                    let mut buf = [0; 1];
                    far.recv(&mut buf).await.map(|_| buf[0])
                })
            })
            .collect();
        gmp::task::yield_now().await;
        for i in 0..10 {
            near.send(&[i]).await.unwrap();
        }
        let mut got = Vec::new();
        for receiver in receivers {
            got.push(receiver.await.unwrap().unwrap());
        }
        got.sort_unstable();
        assert_eq!(got, (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn udp_options_reach_the_system() {
    on_each(async || {
        let socket = UdpSocket::bind("0.0.0.0:0").await.unwrap();
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(9).unwrap();
        assert_eq!(socket.ttl().unwrap(), 9);
        socket.set_multicast_ttl_v4(3).unwrap();
        assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
        socket.set_multicast_loop_v4(false).unwrap();
        assert!(!socket.multicast_loop_v4().unwrap());
        let error = socket
            .join_multicast_v4([127, 0, 0, 1].into(), [0, 0, 0, 0].into())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "not a group");
    });
}
