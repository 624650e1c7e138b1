//! Deadlines as in Go's net/timeout_test.go, over each kind of object that has
//! them.

#[path = "support/dir.rs"]
mod dir;
#[path = "support/no_sources.rs"]
mod no_sources;

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::Async;
use gmp::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use gmp::runtime::{Builder, Handle};
use gmp::time::{Instant, timeout};

use dir::Dir;

/// Runs `test` on one P and on four, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 4], test);
}

fn after(duration: Duration) -> Option<Instant> {
    Some(Instant::now() + duration)
}

fn past() -> Option<Instant> {
    Some(Instant::now() - Duration::from_secs(1))
}

const MS: Duration = Duration::from_millis(1);

/// What the tables below need of an object: to take one message, or to write
/// until there is no more room.
trait Reader: Send + Sync {
    fn take(&self) -> BoxFuture<'_, io::Result<usize>>;
    fn set(&self, deadline: Option<Instant>);
}

trait Writer: Send + Sync {
    fn fill(&self) -> BoxFuture<'_, io::Result<usize>>;
    fn set(&self, deadline: Option<Instant>);
}

macro_rules! reader {
    ($($kind:ty, $this:ident, $buf:ident => $read:expr;)*) => {
        $(
            impl Reader for $kind {
                fn take(&self) -> BoxFuture<'_, io::Result<usize>> {
                    let $this = self;
                    async move {
                        let $buf = &mut [0; 16];
                        $read.await
                    }
                    .boxed()
                }

                fn set(&self, deadline: Option<Instant>) {
                    self.set_read_deadline(deadline);
                }
            }
        )*
    };
}

macro_rules! writer {
    ($($kind:ty, $this:ident, $buf:ident => $write:expr;)*) => {
        $(
            impl Writer for $kind {
                fn fill(&self) -> BoxFuture<'_, io::Result<usize>> {
                    let $this = self;
                    async move {
                        let $buf = &[0; 1024];
                        loop {
                            let _some: usize = $write.await?;
                        }
                    }
                    .boxed()
                }

                fn set(&self, deadline: Option<Instant>) {
                    self.set_write_deadline(deadline);
                }
            }
        )*
    };
}

reader! {
    TcpStream, this, buf => (&mut &*this).read(buf);
    UnixStream, this, buf => (&mut &*this).read(buf);
    UdpSocket, this, buf => this.recv(buf);
    UnixDatagram, this, buf => this.recv(buf);
    Async<io::PipeReader>, this, buf => this.read_with(|mut io| io.read(buf));
}

writer! {
    TcpStream, this, buf => (&mut &*this).write(buf);
    UnixStream, this, buf => (&mut &*this).write(buf);
    UnixDatagram, this, buf => this.send(buf);
    Async<io::PipeWriter>, this, buf => this.write_with(|mut io| io.write(buf));
}

/// An object, and a way to give it something to read.
type Pair = (&'static str, Arc<dyn Reader>, Box<dyn Fn() + Send + Sync>);

async fn readers() -> Vec<Pair> {
    let (near, far) = tcp().await;
    let tcp: Pair = (
        "tcp",
        Arc::new(near),
        Box::new(move || assert_eq!(far.try_write(b"data").unwrap(), 4)),
    );
    let (near, far) = UnixStream::pair().unwrap();
    let unix: Pair = (
        "unix",
        Arc::new(near),
        Box::new(move || assert_eq!(far.try_write(b"data").unwrap(), 4)),
    );
    let (near, far) = (udp().await, udp().await);
    near.connect(far.local_addr().unwrap()).await.unwrap();
    far.connect(near.local_addr().unwrap()).await.unwrap();
    let udp: Pair = (
        "udp",
        Arc::new(near),
        Box::new(move || assert_eq!(far.try_send(b"data").unwrap(), 4)),
    );
    let (near, far) = UnixDatagram::pair().unwrap();
    let datagram: Pair = (
        "datagram",
        Arc::new(near),
        Box::new(move || assert_eq!(far.try_send(b"data").unwrap(), 4)),
    );
    let (near, far) = io::pipe().unwrap();
    let pipe: Pair = (
        "pipe",
        Arc::new(Async::new(near).unwrap()),
        Box::new(move || (&far).write_all(b"data").unwrap()),
    );
    vec![tcp, unix, udp, datagram, pipe]
}

async fn udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connect = TcpStream::connect(listener.local_addr().unwrap());
    let (near, far) = futures::join!(connect, listener.accept());
    (near.unwrap(), far.unwrap().0)
}

fn timed_out(result: io::Result<usize>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Go's method for test T-81: the wait may take a tenth more than asked for; a
/// loaded machine gets longer waits until that holds.
async fn lasts(mut duration: Duration, mut wait: impl AsyncFnMut(Duration)) {
    loop {
        let start = std::time::Instant::now();
        wait(duration).await;
        let took = start.elapsed();
        assert!(took >= duration, "{took:?} is before {duration:?}");
        if took <= duration.mul_f64(1.1) {
            return;
        }
        duration = duration * 5 / 4;
        assert!(duration < Duration::from_secs(5), "waits take {took:?}");
    }
}

/// Source: net/timeout_test.go TestReadTimeout and TestReadFromTimeout; T-81.
#[test]
fn t81_a_read_ends_at_its_deadline_and_data_before_it_is_read() {
    on_each(async || {
        for (name, object, feed) in readers().await {
            feed();
            object.set(past());
            timed_out(object.take().await);
            timed_out(object.take().await);
            object.set(after(Duration::from_secs(60)));
            assert_eq!(object.take().await.unwrap(), 4, "{name}");
            lasts(50 * MS, async |duration| {
                object.set(after(duration));
                timed_out(object.take().await);
            })
            .await;
            feed();
            timed_out(object.take().await);
            object.set(None);
            assert_eq!(object.take().await.unwrap(), 4, "{name}");
        }
    });
}

/// Source: net/timeout_test.go TestWriteTimeout.
#[test]
fn a_write_without_room_ends_at_its_deadline() {
    on_each(async || {
        let (tcp, _far) = tcp().await;
        let (unix, _other) = UnixStream::pair().unwrap();
        let (datagram, _third) = UnixDatagram::pair().unwrap();
        let (_reader, pipe) = io::pipe().unwrap();
        let pipe = Async::new(pipe).unwrap();
        let objects: [&dyn Writer; 4] = [&tcp, &unix, &datagram, &pipe];
        for object in objects {
            object.set(past());
            timed_out(object.fill().await);
            lasts(50 * MS, async |duration| {
                object.set(after(duration));
                timed_out(object.fill().await);
            })
            .await;
        }
    });
}

/// Source: net/timeout_test.go TestReadTimeoutMustNotReturn; T-76.
#[test]
fn t76_a_cleared_deadline_ends_nothing() {
    on_each(async || {
        for (name, object, feed) in readers().await {
            object.set(after(50 * MS));
            object.set(past());
            object.set(None);
            let wait = timeout(100 * MS, object.take()).await;
            assert!(wait.is_err(), "{name} did not wait");
            // The deadline moves away while somebody waits for it.
            object.set(after(250 * MS));
            let waits = {
                let object = object.clone();
                gmp::spawn(async move { object.take().await })
            };
            gmp::task::yield_now().await;
            object.set(None);
            assert!(
                timeout(300 * MS, futures::future::pending::<()>())
                    .await
                    .is_err()
            );
            feed();
            assert_eq!(waits.await.unwrap().unwrap(), 4, "{name}");
        }
    });
}

/// A deadline that moves to the past ends the wait of somebody else at once.
#[test]
fn a_wait_ends_when_its_deadline_moves_to_the_past() {
    on_each(async || {
        for (_, object, _feed) in readers().await {
            let wait = {
                let object = object.clone();
                gmp::spawn(async move { object.take().await })
            };
            gmp::task::yield_now().await;
            object.set(past());
            timed_out(wait.await.unwrap());
        }
    });
}

/// Source: net/timeout_test.go TestAcceptTimeout and its MustReturn twin.
#[test]
fn an_accept_ends_at_its_deadline() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let accept = async || listener.accept().await.map(|_| 0);
        listener.set_deadline(past());
        timed_out(accept().await);
        lasts(50 * MS, async |duration| {
            listener.set_deadline(after(duration));
            timed_out(accept().await);
        })
        .await;
        let _waiting = TcpStream::connect(addr).await.unwrap();
        timed_out(accept().await);
        listener.set_deadline(after(Duration::from_secs(60)));
        accept().await.expect("the connection has waited");
        listener.set_deadline(None);
        assert!(timeout(50 * MS, accept()).await.is_err());

        let dir = Dir::new();
        let listener = UnixListener::bind(dir.at("socket")).unwrap();
        listener.set_deadline(after(MS));
        timed_out(listener.accept().await.map(|_| 0));
    });
}

/// Source: net/timeout_test.go TestVariousDeadlines: always a time-out, never a
/// hang. The peer keeps writing.
#[test]
fn deadlines_of_all_lengths_end_a_busy_reader() {
    on_each(async || {
        let (near, far) = tcp().await;
        let near = Arc::new(near);
        let writer = gmp::spawn(async move {
            let mut far = far;
            while far.write_all(&[0; 8192]).await.is_ok() {}
        });
        let nanos = [1, 2, 5, 50, 100, 200, 500, 750];
        let micros = [1, 5, 25, 250, 500];
        let millis = [1, 5, 100, 250, 500, 1_000];
        let all = (nanos.map(Duration::from_nanos).into_iter())
            .chain(micros.map(Duration::from_micros))
            .chain(millis.map(Duration::from_millis));
        for duration in all {
            for _run in 0..3 {
                near.set_read_deadline(after(duration));
                let reader = near.clone();
                let copied = gmp::spawn(async move {
                    let mut buf = vec![0; 64 * 1024];
                    loop {
                        match (&*reader).read(&mut buf).await {
                            Ok(0) => break Err(ErrorKind::UnexpectedEof),
                            Ok(_) => {}
                            Err(error) => break Ok(error.kind()),
                        }
                    }
                });
                let ended = timeout(duration + Duration::from_secs(10), copied).await;
                let ended = ended.expect("the deadline is missed").unwrap();
                assert_eq!(ended, Ok(ErrorKind::TimedOut), "{duration:?}");
            }
        }
        drop(Arc::into_inner(near).expect("the readers have ended"));
        writer.await.unwrap();
    });
}

/// Source: net/timeout_test.go TestReadWriteDeadlineRace: deadlines of 2 µs, set
/// in a loop beside a reader and a writer.
#[test]
fn deadlines_race_with_a_reader_and_a_writer() {
    on_each(async || {
        let (near, far) = tcp().await;
        let (near, over) = (Arc::new(near), Arc::new(AtomicBool::new(false)));
        let echo = gmp::spawn(async move {
            let _ = futures::io::copy(&far, &mut &far).await;
        });
        let reader = {
            let (near, over) = (near.clone(), over.clone());
            gmp::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    match (&*near).read(&mut [0; 1]).await {
                        Ok(n) => assert_eq!(n, 1),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
                    }
                    gmp::task::yield_now().await;
                }
            })
        };
        let writer = {
            let (near, over) = (near.clone(), over.clone());
            gmp::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    match (&*near).write(&[0; 1]).await {
                        Ok(n) => assert_eq!(n, 1),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut),
                    }
                    gmp::task::yield_now().await;
                }
            })
        };
        for _ in 0..1_000 {
            near.set_deadline(after(Duration::from_micros(2)));
            gmp::task::yield_now().await;
        }
        over.store(true, Ordering::Relaxed);
        reader.await.unwrap();
        writer.await.unwrap();
        drop(near);
        echo.await.unwrap();
    });
}

/// Source: net/timeout_test.go TestReadWriteProlongedTimeout: who keeps moving
/// its deadline never meets it.
#[test]
fn a_deadline_that_keeps_moving_is_never_met() {
    on_each(async || {
        let (near, far) = tcp().await;
        let echo = gmp::spawn(async move {
            let _ = futures::io::copy(&far, &mut &far).await;
        });
        let long = Duration::from_secs(30);
        for i in 0..2_000_u32 {
            near.set_read_deadline(after(long));
            near.set_write_deadline(after(long * 2));
            near.set_read_deadline(if i % 2 == 0 { after(long / 2) } else { None });
            (&near).write_all(&i.to_le_bytes()).await.unwrap();
            let mut answer = [0; 4];
            (&near).read_exact(&mut answer).await.unwrap();
            assert_eq!(u32::from_le_bytes(answer), i);
        }
        drop(near);
        echo.await.unwrap();
    });
}

/// Source: net/timeout_test.go TestConcurrentSetDeadline: ever earlier deadlines
/// from many tasks at once; the earliest ends every read.
#[test]
fn the_earliest_of_many_deadlines_ends_the_read() {
    on_each(async || {
        let mut pairs = Vec::new();
        for _ in 0..10 {
            let (near, far) = tcp().await;
            pairs.push((Arc::new(near), far));
        }
        let start = Instant::now();
        let setters: Vec<_> = (0..8)
            .map(|_| {
                let streams: Vec<_> = pairs.iter().map(|(near, _)| near.clone()).collect();
                gmp::spawn(async move {
                    for step in 0..100 {
                        for stream in &streams {
                            let early = Duration::from_secs(10) - step * 100 * MS;
                            stream.set_read_deadline(Some(start + early));
                        }
                        gmp::task::safepoint().await;
                    }
                })
            })
            .collect();
        for setter in setters {
            setter.await.unwrap();
        }
        for (near, _far) in &pairs {
            near.set_read_deadline(Some(start + 100 * MS));
            let read = timeout(Duration::from_secs(5), (&**near).read(&mut [0; 1])).await;
            timed_out(read.expect("the deadline is missed"));
        }
    });
}

/// The clock of deadlines is the runtime's, which a test may stop.
#[test]
fn a_deadline_follows_virtual_time() {
    let runtime = Builder::new().procs(1).build().unwrap();
    runtime.block_on(async {
        gmp::time::pause();
        let (near, _far) = UnixStream::pair().unwrap();
        let start = Instant::now();
        let hour = Duration::from_secs(3600);
        near.set_read_deadline(Some(start + hour));
        timed_out((&near).read(&mut [0; 1]).await);
        let took = start.elapsed();
        assert!(took >= hour && took < 2 * hour, "{took:?}");
        near.set_read_deadline(Some(start + Duration::MAX));
        near.set_read_deadline(None);
    });
}

/// The timers that are armed, and some that were stopped: those are swept when they
/// are more than a quarter.
fn timers() -> usize {
    let metrics = Handle::current().metrics();
    metrics.procs.iter().map(|p| p.timers).sum()
}

/// An armed deadline holds neither the stream nor its descriptor.
#[test]
fn dropped_streams_leave_no_timers() {
    on_each(async || {
        for _ in 0..2_000 {
            let (near, _far) = UnixStream::pair().unwrap();
            near.set_deadline(after(Duration::from_secs(3600)));
            near.set_deadline(after(Duration::from_secs(1800)));
        }
        assert!(timers() < 200, "{} timers are left", timers());
    });
}

/// A deadline that was taken away, or moved to the past, has no timer any more.
#[test]
fn deadlines_that_are_over_leave_no_timers() {
    on_each(async || {
        for over in [None, past()] {
            let mut kept = Vec::new();
            for _ in 0..200 {
                let (near, _far) = UnixStream::pair().unwrap();
                near.set_deadline(after(Duration::from_secs(3600)));
                near.set_deadline(over);
                kept.push(near);
            }
            assert!(timers() < 200, "{} timers are left: {over:?}", timers());
        }
    });
}

/// A deadline belongs to the runtime of its stream, whoever sets it: it may be moved
/// from anywhere, and outlives the runtime from which it was set.
#[test]
fn a_deadline_may_be_set_and_moved_from_another_runtime() {
    on_each(async || {
        let elsewhere = |set: fn(&UnixStream), near: &UnixStream| {
            let other = Builder::new().procs(1).build().unwrap();
            other.block_on(async { set(near) });
        };
        let (near, _far) = UnixStream::pair().unwrap();
        elsewhere(|near| near.set_read_deadline(after(50 * MS)), &near);
        let read = near.peek(&mut [0]).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);

        near.set_read_deadline(after(Duration::from_secs(3600)));
        let near = Arc::new(near);
        let reader = gmp::spawn({
            let near = near.clone();
            async move { near.peek(&mut [0]).await }
        });
        gmp::time::sleep(20 * MS).await;
        elsewhere(|near| near.set_read_deadline(after(MS)), &near);
        assert_eq!(
            reader.await.unwrap().unwrap_err().kind(),
            ErrorKind::TimedOut
        );
    });
}
