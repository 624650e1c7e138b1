//! `ready`, `try_io` and `async_io`: system calls of one's own on gmp's sockets.

#[path = "support/watchdog.rs"]
mod watchdog;

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::time::Duration;

use gmp::io::{Interest, Ready};
use gmp::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixStream};
use gmp::runtime::Builder;
use gmp::time::{Instant, sleep, timeout};
use socket2::SockRef;

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Runs a test on one P and on two.
fn on_each(test: impl AsyncFn() + Send + Sync + 'static) {
    watchdog::within(60, move || {
        for procs in [1, 2] {
            let runtime = Builder::new().procs(procs).build().expect("a runtime");
            runtime.block_on(test());
        }
    });
}

fn read(stream: &UnixStream, buf: &mut [u8]) -> io::Result<usize> {
    (&*SockRef::from(stream)).read(buf)
}

fn write(stream: &UnixStream, buf: &[u8]) -> io::Result<usize> {
    (&*SockRef::from(stream)).write(buf)
}

#[track_caller]
fn would_block<R: std::fmt::Debug>(result: io::Result<R>) {
    let error = result.expect_err("it would block");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

/// Writes until there is no more room.
fn fill(stream: &UnixStream) {
    let full = loop {
        if let Err(error) = stream.try_write(&[0; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
}

/// Reads all that is there.
fn drain(stream: &UnixStream) {
    let mut buf = [0; 65536];
    while stream
        .try_io(Interest::READABLE, || read(stream, &mut buf))
        .is_ok()
    {}
}

#[test]
fn an_attempt_is_made_only_where_it_may_succeed() {
    on_each(async || {
        let (near, far) = UnixStream::pair().expect("a pair");
        let (runs, mut buf) = (Cell::new(0), [0; 8]);
        let mut attempt = || {
            near.try_io(Interest::READABLE, || {
                runs.set(runs.get() + 1);
                read(&near, &mut buf)
            })
        };
        // Nothing is known at first, so it is tried.
        would_block(attempt());
        would_block(attempt());
        assert_eq!(runs.get(), 1, "the second time it was known");
        far.try_write(b"abc").expect("room");
        let ready = near.ready(Interest::READABLE).await.expect("open");
        assert_eq!(ready, Ready::READABLE);
        assert_eq!(attempt().expect("three bytes"), 3);
        assert_eq!(runs.get(), 2);
        // Other errors are the operation's own and change nothing.
        let error = near.try_io(Interest::WRITABLE, || Err::<(), _>(ErrorKind::Other.into()));
        assert_eq!(error.expect_err("its own").kind(), ErrorKind::Other);
        assert_eq!(near.try_write(b"x").expect("room"), 1);
    });
}

#[test]
fn ready_tells_which_directions() {
    on_each(async || {
        let (near, far) = UnixStream::pair().expect("a pair");
        drain(&near);
        assert_eq!(near.ready(BOTH).await.expect("open"), Ready::WRITABLE);
        far.try_write(b"abc").expect("room");
        assert_eq!(
            near.ready(Interest::READABLE).await.expect("open"),
            Ready::READABLE
        );
        let both = near.ready(BOTH).await.expect("open");
        assert_eq!(both, Ready::READABLE | Ready::WRITABLE);
        assert_eq!(format!("{both:?}"), "READABLE | WRITABLE");
        drain(&near);
        fill(&near);
        let nothing = timeout(Duration::from_millis(20), near.ready(BOTH)).await;
        assert!(nothing.is_err(), "nothing is ready");
        drain(&far);
        assert_eq!(near.ready(BOTH).await.expect("open"), Ready::WRITABLE);
    });
}

/// An operation for both directions says that it lacks one of them, not which; the
/// other one must not be forgotten, for nobody would announce it again.
#[test]
fn a_direction_that_is_ready_is_not_forgotten() {
    on_each(async || {
        let (near, _far) = UnixStream::pair().expect("a pair");
        let mut buf = [0; 8];
        would_block(near.try_io(BOTH, || read(&near, &mut buf)));
        assert_eq!(near.ready(BOTH).await.expect("open"), Ready::WRITABLE);
        // The one that is not is.
        let ran = near.try_io(Interest::READABLE, || Ok("ran"));
        would_block(ran);
        fill(&near);
        would_block(near.try_io(BOTH, || Ok("ran")));
    });
}

#[test]
fn an_operation_waits_for_what_it_needs() {
    on_each(async || {
        let (near, far) = UnixStream::pair().expect("a pair");
        let reader = async {
            let mut buf = [0; 8];
            near.async_io(Interest::READABLE, || read(&near, &mut buf))
                .await
        };
        let writer = async {
            sleep(Duration::from_millis(10)).await;
            far.async_io(Interest::WRITABLE, || write(&far, b"abcd"))
                .await
        };
        let (got, sent) = futures::join!(reader, writer);
        assert_eq!((got.expect("read"), sent.expect("written")), (4, 4));
        // With both: whichever can be done is done.
        fill(&near);
        let either = near.async_io(BOTH, || {
            let mut buf = [0; 8];
            read(&near, &mut buf).or_else(|error| match error.kind() {
                ErrorKind::WouldBlock => write(&near, b"w").map(|_| 100),
                _ => Err(error),
            })
        });
        let answer = async {
            sleep(Duration::from_millis(10)).await;
            far.try_write(b"xyz").expect("room");
        };
        assert_eq!(futures::join!(either, answer).0.expect("read"), 3);
    });
}

#[test]
fn deadlines_hold_for_them_too() {
    on_each(async || {
        let (near, _far) = UnixStream::pair().expect("a pair");
        drain(&near);
        near.set_read_deadline(Some(Instant::now() + Duration::from_millis(5)));
        let error = near.ready(Interest::READABLE).await.expect_err("too late");
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let late = near.try_io(Interest::READABLE, || Ok(()));
        assert_eq!(late.expect_err("too late").kind(), ErrorKind::TimedOut);
        let ready = near.ready(Interest::WRITABLE).await.expect("no deadline");
        assert!(ready.is_writable());
        near.set_read_deadline(None);
        would_block(near.try_io(Interest::READABLE, || {
            Err::<(), _>(ErrorKind::WouldBlock.into())
        }));
    });
}

#[test]
fn every_socket_has_them() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let addr = listener.local_addr().expect("an address");
        let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
        let (near, (far, _)) = (near.expect("connected"), far.expect("accepted"));
        far.try_write(b"tcp").expect("room");
        let mut buf = [MaybeUninit::uninit(); 8];
        let recv = || SockRef::from(&near).recv(&mut buf);
        let n = near.async_io(Interest::READABLE, recv).await;
        assert_eq!(n.expect("three bytes"), 3);

        let left = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        let right = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        let to = right.local_addr().expect("an address").into();
        let send = || SockRef::from(&left).send_to(b"udp!", &to);
        let sent = left.async_io(Interest::WRITABLE, send).await;
        assert_eq!(sent.expect("sent"), 4);
        assert!(right.ready(BOTH).await.expect("open").is_writable());
        let ready = right.ready(Interest::READABLE).await.expect("open");
        assert!(ready.is_readable());

        let (left, right) = UnixDatagram::pair().expect("a pair");
        left.send(b"hello").await.expect("sent");
        let mut buf = [MaybeUninit::uninit(); 8];
        let recv = || SockRef::from(&right).recv(&mut buf);
        let n = right.async_io(Interest::READABLE, recv).await;
        assert_eq!(n.expect("five bytes"), 5);
    });
}

/// What is thought ready, once it is as `wanted`: an event may be on its way.
async fn until(
    mut ready: impl AsyncFnMut() -> io::Result<Ready>,
    wanted: impl Fn(Ready) -> bool,
) -> Ready {
    loop {
        let found = ready().await.expect("open");
        if wanted(found) {
            return found;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_tcp_peer_that_sends_no_more_has_closed_one_direction() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let addr = listener.local_addr().expect("an address");
        let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
        let (near, (far, _)) = (near.expect("connected"), far.expect("accepted"));
        far.try_write(b"last words").expect("room");
        let open = near.ready(BOTH).await.expect("open");
        assert!(!open.is_read_closed() && !open.is_write_closed());

        far.shutdown(Shutdown::Write).expect("connected");
        let ready = until(|| near.ready(BOTH), Ready::is_read_closed).await;
        assert!(ready.is_readable() && !ready.is_write_closed(), "{ready:?}");
        // Only what is asked for.
        let writable = near.ready(Interest::WRITABLE).await.expect("open");
        assert_eq!(writable, Ready::WRITABLE);
        // What has come may still be read, and an answer may be sent.
        let received = async |stream: &TcpStream| {
            let mut buf = [MaybeUninit::uninit(); 32];
            let recv = || SockRef::from(stream).recv(&mut buf);
            let n = stream.async_io(Interest::READABLE, recv).await;
            n.expect("open, or at its end")
        };
        assert_eq!(received(&near).await, 10);
        assert_eq!(received(&near).await, 0);
        assert_eq!(near.try_write(b"answer").expect("room"), 6);
        assert_eq!(received(&far).await, 6);
        let ready = near.ready(Interest::READABLE).await.expect("open");
        assert_eq!(ready, Ready::READABLE | Ready::READ_CLOSED);

        // Both directions are over: neither end can do anything more.
        near.shutdown(Shutdown::Write).expect("connected");
        for end in [&near, &far] {
            let ready = until(|| end.ready(BOTH), Ready::is_write_closed).await;
            assert!(ready.is_read_closed(), "{ready:?}");
        }
        let error = near.try_write(b"x").expect_err("the end");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_reset_closes_both_directions() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let addr = listener.local_addr().expect("an address");
        let (near, far) = futures::join!(TcpStream::connect(addr), listener.accept());
        let (near, (far, _)) = (near.expect("connected"), far.expect("accepted"));
        SockRef::from(&far)
            .set_linger(Some(Duration::ZERO))
            .expect("an option");
        drop(far);
        let ready = until(|| near.ready(BOTH), Ready::is_write_closed).await;
        assert!(ready.is_read_closed() && ready.is_writable(), "{ready:?}");
        assert_eq!(
            format!("{ready:?}"),
            "READABLE | WRITABLE | READ_CLOSED | WRITE_CLOSED"
        );
    });
}

#[test]
fn a_unix_peer_closes_one_direction_or_both() {
    on_each(async || {
        let (near, far) = UnixStream::pair().expect("a pair");
        far.shutdown(Shutdown::Write).expect("connected");
        let ready = until(|| near.ready(BOTH), Ready::is_read_closed).await;
        assert!(!ready.is_write_closed(), "{ready:?}");
        assert_eq!(near.try_write(b"x").expect("room"), 1);
        drop(far);
        let ready = until(|| near.ready(BOTH), Ready::is_write_closed).await;
        assert!(ready.is_read_closed(), "{ready:?}");
        // One that waits is woken by the end, and is told.
        let (near, far) = UnixStream::pair().expect("a pair");
        drain(&near);
        let end = async {
            sleep(Duration::from_millis(5)).await;
            drop(far);
        };
        let (ready, ()) = futures::join!(near.ready(Interest::READABLE), end);
        assert_eq!(ready.expect("open"), Ready::READABLE | Ready::READ_CLOSED);
    });
}

#[test]
fn an_end_that_came_before_the_socket_is_told_at_once() {
    on_each(async || {
        let (near, far) = std::os::unix::net::UnixStream::pair().expect("a pair");
        drop(far);
        near.set_nonblocking(true).expect("an option");
        let near = UnixStream::from_std(near).expect("registered");
        let ready = near.ready(BOTH).await.expect("open");
        assert!(ready.is_read_closed() && ready.is_write_closed());
        // A datagram socket has no end.
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
        let ready = socket.ready(Interest::WRITABLE).await.expect("open");
        assert_eq!(ready, Ready::WRITABLE);
    });
}
