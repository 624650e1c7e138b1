//! The `poll_*` functions of sockets, as hand-written futures use them: each waits
//! until there is something to do, and is woken.

#[path = "support/dir.rs"]
mod dir;
#[path = "support/no_sources.rs"]
mod no_sources;

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use gmp::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};

use dir::Dir;

/// Runs `test` on one P and on two, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 2], test);
}

/// What `step` comes to, for which there is nothing to do before `go`.
async fn after<R: Send + 'static>(
    what: &str,
    mut step: impl FnMut(&mut Context<'_>) -> Poll<io::Result<R>> + Send + 'static,
    go: impl AsyncFnOnce(),
) -> R {
    let (tell, told) = gmp::sync::oneshot::channel();
    let mut tell = Some(tell);
    let waits = gmp::spawn(poll_fn(move |cx| {
        let answer = step(cx);
        if let Some(tell) = tell.take() {
            tell.send(answer.is_pending())
                .expect("somebody waits for it");
        }
        answer
    }));
    assert_eq!(told.await, Ok(true), "{what} had nothing to wait for");
    go().await;
    waits.await.expect("no panic").expect(what)
}

/// A step that tries when it is told that this is worth it; that may be wrong.
fn tried<R>(
    mut ready: impl FnMut(&mut Context<'_>) -> Poll<io::Result<()>>,
    mut attempt: impl FnMut() -> io::Result<R>,
) -> impl FnMut(&mut Context<'_>) -> Poll<io::Result<R>> {
    move |cx| {
        loop {
            ready!(ready(cx))?;
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

#[test]
fn udp_sockets_wait_to_receive() {
    on_each(async || {
        let receiver = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let sender = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let (to, from) = (
            receiver.local_addr().expect("told"),
            sender.local_addr().expect("told"),
        );
        sender.connect(to).await.expect("an address");
        receiver.connect(from).await.expect("an address");
        let receiver = Arc::new(receiver);
        let send = async || {
            let sent = poll_fn(|cx| sender.poll_send(cx, b"hello")).await;
            assert_eq!(sent.expect("room"), 5);
        };
        let (socket, mut buf) = (receiver.clone(), [0; 8]);
        let got = after("poll_recv", move |cx| socket.poll_recv(cx, &mut buf), send).await;
        assert_eq!(got, 5);
        let (socket, mut buf) = (receiver.clone(), [0; 8]);
        let got = after(
            "poll_recv_from",
            move |cx| socket.poll_recv_from(cx, &mut buf),
            send,
        );
        assert_eq!(got.await, (5, from));
        let (socket, mut buf) = (receiver.clone(), [0; 8]);
        let look = after(
            "poll_peek_from",
            move |cx| socket.poll_peek_from(cx, &mut buf),
            send,
        );
        assert_eq!(look.await, (5, from));
        // It is still there: the next one need not wait.
        let socket = receiver.clone();
        poll_fn(|cx| socket.poll_recv_ready(cx))
            .await
            .expect("a datagram");
        assert_eq!(
            receiver.try_recv_from(&mut [0; 8]).expect("the same"),
            (5, from)
        );
        let error = receiver
            .try_recv(&mut [0; 8])
            .expect_err("it was the only one");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        let socket = receiver.clone();
        let got = after(
            "poll_recv_ready",
            tried(move |cx| socket.poll_recv_ready(cx), {
                let socket = receiver.clone();
                move || socket.try_recv(&mut [0; 8])
            }),
            send,
        );
        assert_eq!(got.await, 5);
        poll_fn(|cx| receiver.poll_send_ready(cx))
            .await
            .expect("room");
        let other = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let sent = poll_fn(|cx| other.poll_send_to(cx, b"x", from)).await;
        assert_eq!(sent.expect("room"), 1);
    });
}

#[test]
fn unix_datagrams_wait_for_both() {
    on_each(async || {
        let (near, far) = UnixDatagram::pair().expect("a pair");
        let (near, far) = (Arc::new(near), Arc::new(far));
        let (socket, mut buf) = (near.clone(), [0; 8]);
        let got = after(
            "poll_recv",
            move |cx| socket.poll_recv(cx, &mut buf),
            async || {
                far.send(b"one").await.expect("room");
            },
        );
        assert_eq!(got.await, 3);
        // By std, which asks the system each time.
        let fd = near.as_fd().try_clone_to_owned().expect("a copy");
        let std = std::os::unix::net::UnixDatagram::from(fd);
        let full = || (0..).take_while(|_| std.send(&[0; 512]).is_ok()).count();
        let fd = far.as_fd().try_clone_to_owned().expect("a copy");
        let std = std::os::unix::net::UnixDatagram::from(fd);
        let empty = async |many: usize| {
            for _ in 0..many {
                assert_eq!(std.recv(&mut [0; 512]).expect("it was sent"), 512);
            }
        };
        let many = full();
        let socket = near.clone();
        let send = move |cx: &mut Context<'_>| socket.poll_send(cx, b"two");
        let sent = after("poll_send", send, async || empty(many).await);
        assert_eq!(sent.await, 3);
        let got = poll_fn(|cx| far.poll_recv_from(cx, &mut [0; 8])).await;
        assert_eq!(got.expect("it was sent").0, 3);
        let many = full();
        let socket = near.clone();
        let send = tried(move |cx| socket.poll_send_ready(cx), {
            let socket = near.clone();
            move || socket.try_send(b"three")
        });
        let sent = after("poll_send_ready", send, async || empty(many).await);
        assert_eq!(sent.await, 5);
    });
}

/// A read of a stream of either kind.
macro_rules! read {
    ($near:expr, $far:expr) => {
        let stream = $near.clone();
        let read = tried(move |cx| stream.poll_read_ready(cx), {
            let stream = $near.clone();
            move || stream.try_read(&mut [0; 8])
        });
        let got = after("poll_read_ready", read, async || {
            poll_fn(|cx| $far.poll_write_ready(cx)).await.expect("room");
            assert_eq!($far.try_write(b"x").expect("room"), 1);
        });
        assert_eq!(got.await, 1);
    };
}

#[test]
fn streams_wait_for_either_direction() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("told");
        let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
        let (near, far) = (Arc::new(near.expect("connected")), far.expect("accepted").0);
        read!(near, far);

        let (near, far) = UnixStream::pair().expect("a pair");
        let near = Arc::new(near);
        read!(near, far);
        let fd = near.as_fd().try_clone_to_owned().expect("a copy");
        let mut std = std::os::unix::net::UnixStream::from(fd);
        while std.write(&[0; 4096]).is_ok() {}
        let stream = near.clone();
        let write = tried(move |cx| stream.poll_write_ready(cx), {
            let stream = near.clone();
            move || stream.try_write(b"y")
        });
        let fd = far.as_fd().try_clone_to_owned().expect("a copy");
        let mut std = std::os::unix::net::UnixStream::from(fd);
        let sent = after("poll_write_ready", write, async move || {
            while std.read(&mut [0; 4096]).is_ok() {}
        });
        assert_eq!(sent.await, 1);
    });
}

#[test]
fn listeners_wait_for_a_connection() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("told");
        let accepted = after(
            "poll_accept",
            move |cx| listener.poll_accept(cx),
            async || {
                drop(TcpStream::connect(addr).await.expect("it listens"));
            },
        );
        assert!(accepted.await.1.ip().is_loopback());
        let dir = Dir::new();
        let path = dir.at("socket");
        let listener = UnixListener::bind(&path).expect("free");
        let accepted = after(
            "poll_accept",
            move |cx| listener.poll_accept(cx),
            async || {
                drop(UnixStream::connect(&path).await.expect("it listens"));
            },
        );
        assert!(accepted.await.1.is_unnamed());
    });
}
