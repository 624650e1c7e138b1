//! UDP: what the network and the peer may do to a socket.

#[path = "support/no_sources.rs"]
mod no_sources;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;

use gmp::net::UdpSocket;

/// The most that a datagram of IPv4 can carry.
const MOST: usize = 65_507;

/// Runs `test` on one P and on two, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 2], test);
}

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

#[test]
fn the_largest_datagram_arrives_whole_and_a_larger_one_is_refused() {
    on_each(async || {
        let ((near, _), (far, addr)) = (socket().await, socket().await);
        let sent: Vec<u8> = (0..=MOST).map(|i| (i % 251) as u8).collect();
        assert_eq!(near.send_to(&sent[..MOST], addr).await.unwrap(), MOST);
        let mut buf = vec![0; MOST + 1];
        assert_eq!(far.recv(&mut buf).await.unwrap(), MOST);
        assert!(buf[..MOST] == sent[..MOST], "the bytes differ");
        let error = near.send_to(&sent, addr).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    });
}

/// 0 bytes are a datagram, and no end of anything.
#[test]
fn a_datagram_without_bytes_is_one() {
    on_each(async || {
        let ((near, from), (far, addr)) = (socket().await, socket().await);
        near.send_to(b"", addr).await.unwrap();
        near.send_to(b"next", addr).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (0, from));
        assert_eq!(far.recv_from(&mut buf).await.unwrap(), (4, from));
    });
}

/// The peer's system says that nobody is there; that is an error once, and the
/// socket goes on.
#[test]
fn a_peer_that_is_not_there_is_an_error_and_not_the_end() {
    on_each(async || {
        let (near, from) = socket().await;
        let (far, addr) = socket().await;
        drop(far);
        near.connect(addr).await.unwrap();
        near.send(b"anybody?").await.unwrap();
        let mut buf = [0; 8];
        let error = near.recv(&mut buf).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // Somebody else may have the port by now, who says nothing to us.
        if let Ok(far) = UdpSocket::bind(addr).await {
            far.send_to(b"here", from).await.unwrap();
            assert_eq!(near.recv(&mut buf).await.unwrap(), 4);
        }
    });
}

#[test]
fn a_socket_changes_its_peer() {
    on_each(async || {
        let (near, _) = socket().await;
        let mut buf = [0; 8];
        for _ in 0..3 {
            let (far, addr) = socket().await;
            near.connect(addr).await.unwrap();
            assert_eq!(near.peer_addr().unwrap(), addr);
            near.send(b"hello").await.unwrap();
            assert_eq!(far.recv(&mut buf).await.unwrap(), 5);
        }
    });
}

#[test]
fn a_look_waits_and_takes_nothing() {
    on_each(async || {
        let ((near, from), (far, addr)) = (socket().await, socket().await);
        let looking = gmp::spawn(async move {
            let mut buf = [0; 2];
            assert_eq!(far.peek_from(&mut buf).await.unwrap(), (2, from));
            assert_eq!(far.peek(&mut buf).await.unwrap(), 2);
            assert_eq!(far.try_peek_from(&mut buf).unwrap(), (2, from));
            let mut buf = [0; 8];
            assert_eq!(far.recv_from(&mut buf).await.unwrap(), (5, from));
            let error = far.try_peek_from(&mut buf).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        });
        gmp::task::yield_now().await;
        near.send_to(b"hello", addr).await.unwrap();
        looking.await.unwrap();
    });
}

#[test]
fn a_wait_that_is_dropped_leaves_the_datagram_to_the_next() {
    on_each(async || {
        let ((near, _), (far, addr)) = (socket().await, socket().await);
        let (mut first, mut second) = ([0; 8], [0; 8]);
        let mut stays = pin!(far.recv(&mut second));
        {
            let mut goes = pin!(far.recv(&mut first));
            let look = poll_fn(|cx| Poll::Ready([goes.as_mut().poll(cx), stays.as_mut().poll(cx)]));
            assert!(look.await.iter().all(Poll::is_pending));
            near.send_to(b"once", addr).await.unwrap();
        }
        assert_eq!(stays.await.unwrap(), 4);
    });
}

#[test]
fn two_sockets_echo_with_many_tasks_each() {
    on_each(async || {
        let (server, addr) = socket().await;
        let server = std::sync::Arc::new(server);
        let echoes: Vec<_> = (0..4)
            .map(|_| {
                let server = server.clone();
                gmp::spawn(async move {
                    let mut buf = [0; 16];
                    loop {
                        let (n, from) = server.recv_from(&mut buf).await.unwrap();
                        server.send_to(&buf[..n], from).await.unwrap();
                    }
                })
            })
            .collect();
        let clients = (0..16u8).map(|i| {
            gmp::spawn(async move {
                let (client, _) = socket().await;
                client.connect(addr).await.unwrap();
                for round in 0..20 {
                    client.send(&[i, round]).await.unwrap();
                    let mut buf = [0; 16];
                    let n = client.recv(&mut buf).await.unwrap();
                    assert_eq!(buf[..n], [i, round]);
                }
            })
        });
        futures::future::try_join_all(clients).await.unwrap();
        for echo in echoes {
            echo.abort();
            assert!(echo.await.unwrap_err().is_cancelled());
        }
    });
}
