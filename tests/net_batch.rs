//! Several datagrams at once: `send_batch` and `recv_batch`.

#[path = "support/no_sources.rs"]
mod no_sources;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use gmp::net::{Datagram, DatagramBuf, UdpSocket};

/// Runs `test` on one P and on two, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 2], test);
}

async fn pair() -> (UdpSocket, UdpSocket, SocketAddr) {
    let near = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let far = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let addr = far.local_addr().unwrap();
    (near, far, addr)
}

/// Receives until all rooms are full, in as many calls as it takes: a kernel under
/// load may let datagrams arrive late, even here.
async fn fill(socket: &UdpSocket, rooms: &mut [DatagramBuf<'_>]) {
    let mut done = 0;
    while done < rooms.len() {
        done += socket.recv_batch(&mut rooms[done..]).await.unwrap();
    }
}

#[test]
fn a_receiver_that_waits_is_woken_and_finds_them_in_order() {
    on_each(async || {
        let (near, far, addr) = pair().await;
        let receiver = gmp::spawn(async move {
            let mut got = Vec::new();
            let mut bufs = [[0; 4]; 7];
            let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
            while got.len() < 100 {
                let n = far.recv_batch(&mut rooms).await.unwrap();
                assert!((1..=7).contains(&n), "{n}");
                for room in &rooms[..n] {
                    got.push(u32::from_le_bytes(room.bytes().try_into().unwrap()));
                }
            }
            got
        });
        let numbers: Vec<[u8; 4]> = (0..100u32).map(u32::to_le_bytes).collect();
        let out: Vec<_> = numbers.iter().map(|n| Datagram::to(n, addr)).collect();
        let mut sent = 0;
        while sent < out.len() {
            sent += near.send_batch(&out[sent..]).await.unwrap();
            gmp::task::yield_now().await;
        }
        let want: Vec<u32> = (0..100).collect();
        assert_eq!(receiver.await.unwrap(), want);
    });
}

#[test]
fn an_empty_batch_is_over_at_once() {
    on_each(async || {
        let (near, far, addr) = pair().await;
        assert_eq!(near.send_batch(&[]).await.unwrap(), 0);
        assert_eq!(far.recv_batch(&mut []).await.unwrap(), 0);
        assert_eq!(near.try_send_batch(&[]).unwrap(), 0);
        assert_eq!(far.try_recv_batch(&mut []).unwrap(), 0);
        // It says nothing about the socket: a datagram without bytes is another thing.
        assert_eq!(
            near.send_batch(&[Datagram::to(b"", addr)]).await.unwrap(),
            1
        );
        let mut rooms = [DatagramBuf::new(&mut [])];
        assert_eq!(far.recv_batch(&mut rooms).await.unwrap(), 1);
        assert!(rooms[0].sender().is_some() && !rooms[0].is_truncated());
    });
}

#[test]
fn a_room_tells_that_its_datagram_was_longer() {
    on_each(async || {
        let (near, far, addr) = pair().await;
        let out = [Datagram::to(b"0123456789", addr), Datagram::to(b"01", addr)];
        assert_eq!(near.send_batch(&out).await.unwrap(), 2);
        let (mut small, mut large) = ([0; 4], [0; 16]);
        let mut rooms = [DatagramBuf::new(&mut small), DatagramBuf::new(&mut large)];
        fill(&far, &mut rooms).await;
        assert_eq!(
            (rooms[0].bytes(), rooms[0].is_truncated()),
            (&b"0123"[..], true)
        );
        assert_eq!(
            (rooms[1].bytes(), rooms[1].is_truncated()),
            (&b"01"[..], false)
        );
        // A room that is used again forgets what was in it.
        assert_eq!(
            near.send_batch(&[Datagram::to(b"a", addr)]).await.unwrap(),
            1
        );
        assert_eq!(far.recv_batch(&mut rooms).await.unwrap(), 1);
        assert_eq!(
            (rooms[0].bytes(), rooms[0].is_truncated()),
            (&b"a"[..], false)
        );
        assert_eq!(rooms[0].bytes_mut(), b"a");
    });
}

#[test]
fn what_went_before_an_error_is_counted_and_the_error_comes_next() {
    on_each(async || {
        let (near, far, addr) = pair().await;
        let large = vec![0; 70_000];
        let out = [
            Datagram::to(b"one", addr),
            Datagram::to(b"two", addr),
            Datagram::to(&large, addr),
            Datagram::to(b"four", addr),
        ];
        assert_eq!(near.send_batch(&out).await.unwrap(), 2);
        assert!(near.send_batch(&out[2..]).await.is_err());
        assert_eq!(near.send_batch(&out[3..]).await.unwrap(), 1);
        let mut bufs = [[0; 8]; 4];
        let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
        fill(&far, &mut rooms[..3]).await;
        let got = rooms.each_ref().map(|room| room.bytes().to_vec());
        assert_eq!(got[..3], [&b"one"[..], b"two", b"four"]);
        assert!(rooms[3].sender().is_none());
    });
}

#[test]
fn without_a_target_they_go_to_the_connected_peer_or_nowhere() {
    on_each(async || {
        let (near, far, addr) = pair().await;
        let out = [Datagram::new(b"x"); 3];
        assert!(near.send_batch(&out).await.is_err());
        near.connect(addr).await.unwrap();
        assert_eq!(near.try_send_batch(&out).unwrap(), 3);
        let mut bufs = [[0; 1]; 3];
        let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
        fill(&far, &mut rooms).await;
        assert!(rooms.iter().all(|room| room.bytes() == b"x"));
    });
}

#[test]
fn a_wait_that_is_dropped_loses_no_datagram() {
    on_each(async || {
        let (near, far, addr) = pair().await;
        let mut bufs = [[0; 4]; 2];
        let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
        {
            let mut wait = pin!(far.recv_batch(&mut rooms));
            let first = poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx))).await;
            assert!(first.is_pending());
            // It comes while the wait has its seat.
            assert_eq!(
                near.send_batch(&[Datagram::to(b"kept", addr)])
                    .await
                    .unwrap(),
                1
            );
        }
        assert_eq!(far.recv_batch(&mut rooms).await.unwrap(), 1);
        assert_eq!(rooms[0].bytes(), b"kept");
        let error = far.try_recv_batch(&mut rooms).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[gmp::test(virtual_time = true)]
async fn a_deadline_ends_the_wait() {
    let (_near, far, _) = pair().await;
    let soon = gmp::time::Instant::now() + Duration::from_secs(5);
    far.set_read_deadline(Some(soon));
    let mut buf = [0; 4];
    let mut rooms = [DatagramBuf::new(&mut buf)];
    let error = far.recv_batch(&mut rooms).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(gmp::time::Instant::now() >= soon);
}
