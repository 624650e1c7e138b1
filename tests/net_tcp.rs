//! TCP streams and listeners, on one P and on two.

#[path = "support/limited.rs"]
mod limited;

use std::io::{ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{TcpListener, TcpSocket, TcpStream};
use gmp::runtime::{Builder, Handle};

use limited::limited;

/// Runs `test` on one P and on two; servers may be left to end with their runtime.
fn on_each(test: impl AsyncFn()) {
    for procs in [1, 2] {
        limited(procs, 60, test());
    }
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
    let (near, (far, peer)) = (near.unwrap(), far.unwrap());
    assert_eq!(near.local_addr().unwrap(), peer);
    assert_eq!(near.peer_addr().unwrap(), addr);
    (near, far)
}

/// Echoes every connection until the task is dropped with its runtime.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let addr = listener.local_addr().unwrap();
    gmp::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            gmp::spawn(async move {
                let _ = futures::io::copy(&stream, &mut &stream).await;
            });
        }
    });
    addr
}

async fn ask(stream: &mut TcpStream, token: u64) {
    let question = token.to_le_bytes();
    stream.write_all(&question).await.unwrap();
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, question);
}

#[test]
fn an_echo_comes_back() {
    on_each(async || {
        let mut stream = TcpStream::connect(echo_server().await).await.unwrap();
        for token in 0..1_000 {
            ask(&mut stream, token).await;
        }
    });
}

#[test]
fn many_connections_get_their_own_answers() {
    on_each(async || {
        let addr = echo_server().await;
        let clients = (0..200_u64).map(|client| {
            gmp::spawn(async move {
                let mut stream = TcpStream::connect(addr).await.unwrap();
                for round in 0..20 {
                    ask(&mut stream, client << 32 | round).await;
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    });
}

#[test]
fn a_megabyte_passes_through_small_buffers() {
    on_each(async || {
        let (mut near, mut far) = pair().await;
        let sent: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
        let copy = sent.clone();
        let writer = gmp::spawn(async move {
            near.write_all(&copy).await.unwrap();
            near.close().await.unwrap();
        });
        let mut got = Vec::new();
        far.read_to_end(&mut got).await.unwrap();
        writer.await.unwrap();
        assert!(got == sent, "the bytes differ");
    });
}

#[test]
fn one_direction_ends_and_the_other_goes_on() {
    on_each(async || {
        let (mut near, mut far) = pair().await;
        near.write_all(b"question").await.unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        let mut question = String::new();
        far.read_to_string(&mut question).await.unwrap();
        assert_eq!(question, "question");
        far.write_all(b"answer").await.unwrap();
        drop(far);
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    });
}

/// The last bytes and the end arrive as one event, and the read of the bytes is
/// short.
#[test]
fn the_end_behind_a_short_read_is_found() {
    on_each(async || {
        for _ in 0..500 {
            let (mut near, mut far) = pair().await;
            let reader = gmp::spawn(async move {
                let mut buf = [0; 64];
                let first = far.read(&mut buf).await.unwrap();
                let second = far.read(&mut buf).await.unwrap();
                (first, second)
            });
            gmp::task::yield_now().await;
            near.write_all(b"x").await.unwrap();
            drop(near);
            assert_eq!(reader.await.unwrap(), (1, 0));
        }
    });
}

#[test]
fn a_reset_is_an_error() {
    on_each(async || {
        let (near, mut far) = pair().await;
        near.set_linger(Some(Duration::ZERO)).unwrap();
        drop(near);
        let error = far.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        far.close().await.expect("closing needs no peer");
    });
}

#[test]
fn a_port_without_a_listener_refuses() {
    on_each(async || {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = gone.local_addr().unwrap();
        drop(gone);
        let error = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(Handle::current().reactor().sources(), 0);

        let there = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let both = [addr, there.local_addr().unwrap()];
        let stream = TcpStream::connect(&both[..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), both[1]);
        let error = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn an_address_in_use_is_refused() {
    on_each(async || {
        let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = TcpListener::bind(first.local_addr().unwrap())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert_eq!(Handle::current().reactor().sources(), 1);
    });
}

#[test]
fn several_buffers_go_in_one_write() {
    on_each(async || {
        let (mut near, mut far) = pair().await;
        let parts = [
            IoSlice::new(b"one "),
            IoSlice::new(b""),
            IoSlice::new(b"two"),
        ];
        assert_eq!(near.write_vectored(&parts).await.unwrap(), 7);
        assert_eq!(near.try_write_vectored(&parts).unwrap(), 7);
        let many: Vec<_> = (0..3_000).map(|_| IoSlice::new(b".")).collect();
        assert_eq!(near.write_vectored(&many).await.unwrap(), 1_024);
        drop(near);
        let mut got = String::new();
        far.read_to_string(&mut got).await.unwrap();
        assert_eq!(got, format!("one twoone two{}", ".".repeat(1_024)));
    });
}

#[test]
fn a_stream_is_split_for_two_tasks_and_reunited() {
    on_each(async || {
        let (near, mut far) = pair().await;
        let (mut read, mut write) = near.into_split();
        let reader = gmp::spawn(async move {
            let mut buf = [0; 4];
            read.read_exact(&mut buf).await.unwrap();
            (read, buf)
        });
        write.write_all(b"ping").await.unwrap();
        let mut buf = [0; 4];
        far.read_exact(&mut buf).await.unwrap();
        far.write_all(&buf).await.unwrap();
        let (read, echoed) = reader.await.unwrap();
        assert_eq!(&echoed, b"ping");
        let whole = read.reunite(write).unwrap();

        let (other_read, other_write) = pair().await.0.into_split();
        let (read, write) = whole.into_split();
        let error = read.reunite(other_write).unwrap_err();
        let (read, other_write) = (error.0, error.1);
        other_read.reunite(other_write).unwrap();
        let mut whole = write.reunite(read).unwrap();

        let (mut read, mut write) = TcpStream::split(&mut whole);
        let mut answer = [0; 2];
        let (wrote, answered, got) = futures::join!(
            write.write_all(b"hi"),
            async {
                let mut buf = [0; 2];
                far.read_exact(&mut buf).await?;
                far.write_all(&buf).await
            },
            read.read_exact(&mut answer)
        );
        wrote.and(answered).and(got).unwrap();
        assert_eq!(&answer, b"hi");
    });
}

#[test]
fn dropping_the_writing_half_ends_the_direction_and_forgetting_does_not() {
    on_each(async || {
        let (near, mut far) = pair().await;
        let (read, write) = near.into_split();
        drop(write);
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        far.write_all(b"still open").await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(read.peek(&mut buf).await.unwrap(), 10);

        let (near, far) = pair().await;
        let (_read, write) = near.into_split();
        write.forget();
        let error = far.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_peek_takes_nothing() {
    on_each(async || {
        let (mut near, mut far) = pair().await;
        near.write_all(b"abcdef").await.unwrap();
        let mut buf = [0; 3];
        for _ in 0..3 {
            assert_eq!(far.peek(&mut buf).await.unwrap(), 3);
            assert_eq!(&buf, b"abc");
        }
        let mut all = [0; 6];
        far.read_exact(&mut all).await.unwrap();
        assert_eq!(&all, b"abcdef");
    });
}

#[test]
fn tries_do_not_wait() {
    on_each(async || {
        let (near, far) = pair().await;
        let would_block = far.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!(would_block.kind(), ErrorKind::WouldBlock);

        let chunk = [7; 64 * 1024];
        let mut sent = 0;
        near.writable().await.unwrap();
        loop {
            match near.try_write(&chunk) {
                Ok(n) => sent += n,
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        let more = gmp::spawn(async move {
            near.writable().await.unwrap();
            near.try_write(&chunk).unwrap()
        });
        let mut got = 0;
        let mut buf = vec![0; 64 * 1024];
        loop {
            far.readable().await.unwrap();
            match far.try_read(&mut buf) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        assert_eq!(got, sent + more.await.unwrap());
    });
}

#[test]
fn reading_into_nothing_returns_at_once() {
    on_each(async || {
        let (mut near, far) = pair().await;
        assert_eq!(near.read(&mut []).await.unwrap(), 0);
        assert_eq!(near.write(&[]).await.unwrap(), 0);
        // The direction is known to be empty now, and it makes no difference.
        far.try_read(&mut [0; 8]).unwrap_err();
        assert_eq!((&far).read(&mut []).await.unwrap(), 0);
    });
}

#[test]
fn a_hundred_thousand_cancelled_waits_leave_nothing() {
    on_each(async || {
        let (mut near, far) = pair().await;
        far.try_read(&mut [0; 8]).unwrap_err();
        for _ in 0..100_000 {
            let mut wait = std::pin::pin!(far.readable());
            assert!(futures::poll!(&mut wait).is_pending());
        }
        assert_eq!(Handle::current().reactor().waiters(), 0);
        near.write_all(b"x").await.unwrap();
        far.readable().await.unwrap();
        assert_eq!(far.try_read(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
fn any_number_of_tasks_wait_for_one_stream() {
    on_each(async || {
        let (mut near, far) = pair().await;
        far.try_read(&mut [0; 8]).unwrap_err();
        let far = std::sync::Arc::new(far);
        let waits: Vec<_> = (0..20)
            .map(|_| {
                let far = far.clone();
                gmp::spawn(async move { far.readable().await })
            })
            .collect();
        gmp::task::yield_now().await;
        near.write_all(b"x").await.unwrap();
        for wait in waits {
            wait.await.unwrap().unwrap();
        }
    });
}

/// Descriptor numbers are reused at once, with events of the former owner still
/// on their way.
#[test]
fn a_reused_descriptor_gets_no_foreign_events() {
    on_each(async || {
        let addr = echo_server().await;
        for token in 0..1_000 {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            ask(&mut stream, token).await;
            if token % 3 == 0 {
                stream.set_linger(Some(Duration::ZERO)).unwrap();
            }
            if token % 2 == 0 {
                stream.write_all(b"unread").await.unwrap();
            }
        }
    });
}

#[test]
fn several_tasks_accept_from_one_listener() {
    on_each(async || {
        let listener = std::sync::Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let addr = listener.local_addr().unwrap();
        let acceptors: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.clone();
                gmp::spawn(async move {
                    let connections = listener.incoming().take(5);
                    connections.map(Result::unwrap).collect::<Vec<_>>().await
                })
            })
            .collect();
        let clients = join_all((0..20).map(|_| TcpStream::connect(addr))).await;
        assert!(clients.iter().all(Result::is_ok));
        for acceptor in acceptors {
            assert_eq!(acceptor.await.unwrap().len(), 5);
        }
        let mut polled = std::pin::pin!(futures::future::poll_fn(|cx| listener.poll_accept(cx)));
        assert!(futures::poll!(&mut polled).is_pending());
        let (client, accepted) = futures::join!(TcpStream::connect(addr), polled);
        assert_eq!(client.unwrap().local_addr().unwrap(), accepted.unwrap().1);
    });
}

#[test]
fn a_cancelled_accept_loses_no_connection() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        for _ in 0..200 {
            {
                let mut accept = std::pin::pin!(listener.accept());
                assert!(futures::poll!(&mut accept).is_pending());
            }
            let client = TcpStream::connect(addr).await.unwrap();
            let (_, peer) = listener.accept().await.unwrap();
            assert_eq!(client.local_addr().unwrap(), peer);
        }
    });
}

#[test]
fn streams_go_to_std_and_come_back() {
    on_each(async || {
        let (near, mut far) = pair().await;
        let std = near.into_std().unwrap();
        std.set_nonblocking(false).unwrap();
        let mut near = TcpStream::from_std(std).unwrap();
        near.write_all(b"back").await.unwrap();
        let mut buf = [0; 4];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"back");
        drop((near, far));
        assert_eq!(Handle::current().reactor().sources(), 0);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener.into_std().unwrap()).unwrap();
        let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
        near.and(far).unwrap();
    });
}

#[test]
fn options_reach_the_system() {
    on_each(async || {
        let (near, _far) = pair().await;
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        near.set_ttl(42).unwrap();
        assert_eq!(near.ttl().unwrap(), 42);
        near.set_linger(Some(Duration::from_secs(1))).unwrap();
        assert_eq!(near.linger().unwrap(), Some(Duration::from_secs(1)));
        assert!(near.take_error().unwrap().is_none());

        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseport(true).unwrap();
        socket.set_keepalive(true).unwrap();
        assert!(socket.reuseport().unwrap() && socket.keepalive().unwrap());
        socket.set_recv_buffer_size(32 * 1024).unwrap();
        assert!(socket.recv_buffer_size().unwrap() >= 32 * 1024);
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = socket.local_addr().unwrap();
        let listener = socket.listen(16).unwrap();
        let twin = TcpSocket::new_v4().unwrap();
        twin.set_reuseport(true).unwrap();
        twin.bind(addr).expect("the port is shared");
        let stream = TcpSocket::new_v4().unwrap().connect(addr).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
    });
}

/// A socket knows its reactor: it works from a task of another runtime.
#[test]
fn a_stream_moves_to_another_runtime() {
    let one = Builder::new().procs(1).build().unwrap();
    let other = Builder::new().procs(1).build().unwrap();
    let (mut near, mut far) = one.block_on(pair());
    let reader = other.spawn(async move {
        let mut buf = [0; 4];
        far.read_exact(&mut buf).await.map(|()| buf)
    });
    one.block_on(async {
        near.write_all(b"over").await.unwrap();
        assert_eq!(&reader.await.unwrap().unwrap(), b"over");
    });
}

#[test]
fn the_end_of_a_runtime_ends_the_waits_of_others() {
    let one = Builder::new().procs(1).build().unwrap();
    let other = Builder::new().procs(1).build().unwrap();
    let (near, far) = one.block_on(pair());
    far.try_read(&mut [0; 1]).unwrap_err();
    let (ready, parked) = std::sync::mpsc::channel();
    let reader = other.spawn(async move {
        let mut wait = std::pin::pin!(far.readable());
        assert!(futures::poll!(&mut wait).is_pending());
        ready.send(()).unwrap();
        wait.await
    });
    parked.recv().unwrap();
    drop(one);
    let error = other.block_on(reader).unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Other);
    drop(near);
}

#[test]
fn sockets_need_no_runtime_of_the_users() {
    gmp::block_on(async {
        let (mut near, mut far) = pair().await;
        near.write_all(b"global").await.unwrap();
        let mut buf = [0; 6];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"global");
    });
}

#[test]
fn names_are_resolved() {
    on_each(async || {
        let literal: Vec<_> = gmp::net::lookup_host("[::1]:80").await.unwrap().collect();
        assert_eq!(literal, ["[::1]:80".parse().unwrap()]);
        let mut named = gmp::net::lookup_host(("localhost", 80)).await.unwrap();
        assert!(named.all(|addr| addr.ip().is_loopback() && addr.port() == 80));
        for wrong in ["localhost", "localhost:port", "localhost:70000"] {
            let error = gmp::net::lookup_host(wrong).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
        }
        TcpStream::connect("no-such-host.invalid:80")
            .await
            .expect_err("this name never resolves");
    });
}

/// What callers rely on at compile time.
const _: fn() = || {
    fn all<T: Send + Sync + Unpin>(_: fn() -> T) {}
    fn send<T: Send>(_: T) {}
    all::<TcpStream>(|| unreachable!());
    all::<TcpListener>(|| unreachable!());
    all::<gmp::net::tcp::OwnedReadHalf>(|| unreachable!());
    all::<gmp::net::tcp::OwnedWriteHalf>(|| unreachable!());
    let listener: fn() -> &'static TcpListener = || unreachable!();
    send(TcpStream::connect("name:80"));
    send(listener().accept());
    send(listener().incoming());
};
