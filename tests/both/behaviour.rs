//! What services rely on without a word in their types. Each check runs on both.

use std::future::{pending, poll_fn, ready};
use std::io::ErrorKind;
use std::pin::pin;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Poll;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc as tokios;
use tokio_util::sync::CancellationToken;

use super::rt;
use rt::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use rt::process::Command;
use rt::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, TryAcquireError, broadcast, mpsc, oneshot,
    watch,
};
use rt::task::{JoinSet, spawn_blocking, yield_now};
use rt::time::{
    Duration, Instant, MissedTickBehavior, interval, interval_at, sleep, timeout, timeout_at,
};

/// One poll, whose result is Pending or this.
async fn once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

pub(super) async fn all() {
    time().await;
    tasks().await;
    panics().await;
    values_of_tasks().await;
    notify().await;
    semaphores().await;
    locks().await;
    watches().await;
    broadcasts().await;
    oneshots().await;
    queues().await;
    meetings().await;
    tcp().await.expect("sockets");
    others().await.expect("sockets");
    children().await.expect("children");
    guests().await.expect("bytes");
}

async fn time() {
    // What is ready comes before what is late.
    assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
    let past = Instant::now() - Duration::from_millis(1);
    assert_eq!(timeout_at(past, ready(1)).await, Ok(1));
    assert!(timeout_at(past, pending::<()>()).await.is_err());
    let late = timeout(Duration::from_millis(1), pending::<()>()).await;
    assert_eq!(late.expect_err("late").to_string(), "deadline has elapsed");
    let start = Instant::now();
    sleep(Duration::from_millis(3)).await;
    assert!(start.elapsed() >= Duration::from_millis(3));
    assert_eq!(past.saturating_duration_since(start), Duration::ZERO);
    assert_eq!(past.duration_since(start), Duration::ZERO);
    // The first tick at once, and each when it was due.
    let mut ticks = interval(Duration::from_millis(2));
    assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Burst);
    let first = ticks.tick().await;
    sleep(Duration::from_millis(7)).await;
    for n in 1..=3 {
        assert_eq!(ticks.tick().await, first + n * Duration::from_millis(2));
    }
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    let reset = Instant::now();
    assert!(ticks.tick().await > reset);
    ticks.reset_immediately();
    assert!(ticks.tick().await >= reset);
    let start = Instant::now() + Duration::from_millis(2);
    assert_eq!(
        interval_at(start, Duration::from_secs(1)).tick().await,
        start
    );
    let mut nap = pin!(sleep(Duration::MAX));
    nap.as_mut().reset(Instant::now());
    nap.as_mut().await;
    assert!(nap.is_elapsed());
}

async fn tasks() {
    let (tx, rx) = oneshot::channel::<()>();
    let held = rt::spawn(async move {
        let _tx = tx;
        pending::<()>().await;
    });
    yield_now().await;
    let abort = held.abort_handle();
    assert!(!held.is_finished());
    held.abort();
    abort.abort();
    let error = held.await.expect_err("aborted");
    assert!(error.is_cancelled() && !error.is_panic());
    assert!(rx.await.is_err(), "its values are dropped");
    assert!(abort.is_finished());
    // What has ended cannot be aborted.
    let done = rt::spawn(async { 1 });
    while !done.is_finished() {
        yield_now().await;
    }
    done.abort();
    assert_eq!(done.await.expect("it had ended"), 1);
    // A handle that is dropped lets its task go on.
    let (tx, rx) = oneshot::channel();
    drop(rt::spawn(async move { tx.send(1) }));
    assert_eq!(rx.await, Ok(1));
    // A set that is dropped does not.
    let (tx, rx) = oneshot::channel::<()>();
    let mut set = JoinSet::new();
    set.spawn(async move {
        let _tx = tx;
        pending::<()>().await;
    });
    drop(set);
    assert!(rx.await.is_err());
    let mut set = JoinSet::new();
    assert!(set.join_next().await.is_none());
    set.spawn(async { 1 });
    set.spawn_blocking(|| 2);
    let stopped = set.spawn(pending());
    stopped.abort();
    let (mut sum, mut cancelled) = (0, 0);
    while let Some(ended) = set.join_next().await {
        match ended {
            Ok(n) => sum += n,
            Err(error) => cancelled += usize::from(error.is_cancelled()),
        }
    }
    assert_eq!((sum, cancelled, set.len()), (3, 1, 0));
    set.spawn(pending());
    set.shutdown().await;
    assert!(set.is_empty());
    let id = rt::spawn(async { rt::task::id() });
    let expected = id.id();
    assert_eq!(id.await.expect("no panic"), expected);
}

async fn panics() {
    let error = rt::spawn(async { panic!("on purpose") }).await;
    let error: rt::task::JoinError = error.expect_err("it panics");
    assert!(error.is_panic() && error.to_string().contains("on purpose"));
    let payload = error.into_panic();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    let n = std::hint::black_box(1);
    let error = spawn_blocking(move || panic!("in a closure {n}")).await;
    let payload = error.expect_err("it panics").into_panic();
    assert_eq!(
        payload.downcast_ref::<String>().map(String::as_str),
        Some("in a closure 1")
    );
    // A lock is not poisoned.
    let lock = Arc::new(Mutex::new(1));
    let held = lock.clone();
    let ended = rt::spawn(async move {
        let _guard = held.lock().await;
        panic!("with a lock");
    });
    assert!(ended.await.is_err());
    assert_eq!(*lock.lock().await, 1);
}

rt::task_local! {
    static NAME: &'static str;
}

async fn values_of_tasks() {
    struct Tells(Arc<AtomicUsize>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.store(NAME.with(|name| name.len()), Ordering::SeqCst);
        }
    }
    let told = Arc::new(AtomicUsize::new(0));
    let tells = Tells(told.clone());
    let (started, runs) = oneshot::channel();
    let task = rt::spawn(NAME.scope("four", async move {
        let _tells = tells;
        let inner = NAME.scope("other", async { NAME.get() }).await;
        assert_eq!((inner, NAME.get()), ("other", "four"));
        assert!(
            rt::spawn(async { NAME.try_with(|_| ()).is_err() })
                .await
                .expect("no panic")
        );
        started.send(()).expect("awaited");
        pending::<()>().await;
    }));
    runs.await.expect("it goes that far");
    task.abort();
    assert!(task.await.is_err());
    assert_eq!(told.load(Ordering::SeqCst), 4, "there while it is dropped");
    assert!(NAME.try_with(|_| ()).is_err());
}

async fn notify() {
    let notify = Notify::new();
    // One is kept, and no more.
    notify.notify_one();
    notify.notify_one();
    notify.notified().await;
    assert!(once(&mut pin!(notify.notified())).await.is_none());
    // All who have asked hear it, polled or not; who comes later does not.
    let early = notify.notified();
    notify.notify_waiters();
    early.await;
    assert!(once(&mut pin!(notify.notified())).await.is_none());
    // In order, and one that gives up passes it on.
    let mut waits = [(); 3].map(|()| Box::pin(notify.notified()));
    for wait in &mut waits {
        assert!(once(wait).await.is_none());
    }
    let [mut first, mut second, mut third] = waits;
    notify.notify_one();
    assert!(once(&mut second).await.is_none());
    notify.notify_one();
    drop(second);
    assert!(once(&mut third).await.is_some());
    assert!(once(&mut first).await.is_some());
}

async fn semaphores() {
    let seats = Arc::new(Semaphore::new(2));
    let one = seats.clone().try_acquire_owned().expect("free");
    // Who wants much stands before who wants less.
    let mut many = Box::pin(seats.acquire_many(2));
    assert!(once(&mut many).await.is_none());
    let mut few = Box::pin(seats.acquire());
    assert!(once(&mut few).await.is_none());
    drop(one);
    assert!(once(&mut few).await.is_none());
    let both = once(&mut many).await.expect("both are free").expect("open");
    assert_eq!(seats.available_permits(), 0);
    drop(both);
    drop(once(&mut few).await.expect("free").expect("open"));
    drop((many, few));
    assert_eq!(seats.available_permits(), 2);
    seats.acquire().await.expect("open").forget();
    seats.add_permits(2);
    assert_eq!(seats.available_permits(), 3);
    assert!(matches!(
        seats.try_acquire_many(4),
        Err(TryAcquireError::NoPermits)
    ));
    let mut waits = Box::pin(seats.acquire_many(4));
    assert!(once(&mut waits).await.is_none());
    seats.close();
    assert!(once(&mut waits).await.expect("told").is_err());
    assert!(matches!(seats.try_acquire(), Err(TryAcquireError::Closed)));
}

async fn locks() {
    let lock = RwLock::new(1);
    let (one, other) = (lock.read().await, lock.try_read().expect("shared"));
    let mut write = Box::pin(lock.write());
    assert!(once(&mut write).await.is_none());
    // A writer that waits keeps new readers out.
    let mut late = Box::pin(lock.read());
    assert!(once(&mut late).await.is_none());
    drop((one, other));
    *once(&mut write).await.expect("alone") += 1;
    assert_eq!(*once(&mut late).await.expect("after it"), 2);
    drop((write, late));
    let lock = Mutex::new(1);
    let guard = lock.lock().await;
    assert!(lock.try_lock().is_err());
    let mut waits = Box::pin(lock.lock());
    assert!(once(&mut waits).await.is_none());
    drop(guard);
    // A wait that is given up leaves it free.
    drop(waits);
    assert!(lock.try_lock().is_ok());
    let cell = OnceCell::new();
    assert!(
        cell.get_or_try_init(|| async { Err::<u32, _>("no") })
            .await
            .is_err()
    );
    assert_eq!(cell.get_or_init(|| async { 1 }).await, &1);
    assert_eq!(cell.get_or_init(|| async { 2 }).await, &1);
}

async fn watches() {
    let (tx, mut rx) = watch::channel(1);
    assert!(!rx.has_changed().expect("open"), "the first is seen");
    tx.send(2).expect("a receiver");
    tx.send(3).expect("a receiver");
    rx.changed().await.expect("open");
    assert_eq!(*rx.borrow_and_update(), 3);
    assert!(once(&mut pin!(rx.changed())).await.is_none());
    // A new one has seen what is there.
    let mut late = tx.subscribe();
    assert!(!late.has_changed().expect("open"));
    assert!(!tx.send_if_modified(|_| false));
    assert!(once(&mut pin!(late.changed())).await.is_none());
    assert_eq!(*late.wait_for(|n| *n == 3).await.expect("there already"), 3);
    tx.send_modify(|n| *n = 4);
    // What was sent before the end is still seen.
    drop(tx);
    rx.changed().await.expect("4");
    assert!(rx.changed().await.is_err());
    assert_eq!(*rx.borrow(), 4);
    assert!(late.wait_for(|n| *n == 5).await.is_err());
    let (tx, rx) = watch::channel(1);
    drop(rx);
    assert!(tx.send(2).is_err());
    assert_eq!(*tx.borrow(), 1, "it was not kept");
    assert_eq!(tx.send_replace(3), 1);
    assert_eq!(*tx.borrow(), 3);
}

async fn broadcasts() {
    let (tx, mut rx) = broadcast::channel(2);
    let mut other = tx.subscribe();
    for n in 0..4 {
        assert_eq!(tx.send(n).ok(), Some(2));
    }
    assert_eq!(rx.recv().await, Err(broadcast::error::RecvError::Lagged(2)));
    assert_eq!((rx.recv().await, rx.recv().await), (Ok(2), Ok(3)));
    assert_eq!(rx.try_recv(), Err(broadcast::error::TryRecvError::Empty));
    assert_eq!(other.len(), 4, "those that it has missed, too");
    let mut late = other.resubscribe();
    assert_eq!(late.try_recv(), Err(broadcast::error::TryRecvError::Empty));
    drop(tx);
    assert_eq!(late.recv().await, Err(broadcast::error::RecvError::Closed));
    assert_eq!(
        other.try_recv(),
        Err(broadcast::error::TryRecvError::Lagged(2))
    );
    assert_eq!((other.recv().await, other.recv().await), (Ok(2), Ok(3)));
    assert_eq!(other.recv().await, Err(broadcast::error::RecvError::Closed));
    let (tx, rx) = broadcast::channel::<u32>(1);
    drop(rx);
    assert_eq!(tx.send(7).expect_err("nobody").0, 7);
}

async fn oneshots() {
    let (tx, mut rx) = oneshot::channel();
    assert_eq!(rx.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    tx.send(1).expect("a receiver");
    assert_eq!((&mut rx).await, Ok(1));
    assert_eq!(rx.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    let (mut tx, mut rx) = oneshot::channel::<u32>();
    assert!(once(&mut pin!(tx.closed())).await.is_none());
    rx.close();
    tx.closed().await;
    assert_eq!(tx.send(2), Err(2));
    assert!(rx.await.is_err());
}

async fn queues() {
    let (tx, mut rx) = mpsc::channel(1);
    tx.send(1).await.expect("open");
    let mut second = Box::pin(tx.send(2));
    assert!(once(&mut second).await.is_none());
    let mut third = Box::pin(tx.send(3));
    assert!(once(&mut third).await.is_none());
    assert_eq!(tx.try_send(4), Err(mpsc::error::TrySendError::Full(4)));
    assert_eq!(rx.recv().await, Some(1));
    // In order, and one that gives up lets the next one in.
    assert!(once(&mut third).await.is_none());
    drop(second);
    assert!(once(&mut third).await.expect("room").is_ok());
    assert_eq!(rx.recv().await, Some(3));
    drop(third);
    // Who waits is told of the end.
    let mut wait = Box::pin(rx.recv());
    assert!(once(&mut wait).await.is_none());
    let weak = tx.downgrade();
    drop(tx);
    assert_eq!(once(&mut wait).await, Some(None));
    assert!(weak.upgrade().is_none());
    // What nobody received is dropped with the receiver.
    let (tx, rx) = mpsc::unbounded_channel();
    let value = Arc::new(());
    tx.send(value.clone()).expect("open");
    drop(rx);
    assert_eq!(Arc::downgrade(&value).strong_count(), 1);
    let dropped: Weak<()> = Arc::downgrade(&value);
    drop((value, tx));
    assert!(dropped.upgrade().is_none());
    // Closed, it gives what is inside, and what was promised room.
    let (tx, mut rx) = mpsc::channel(3);
    tx.send(1).await.expect("open");
    let permit = tx.reserve().await.expect("open");
    rx.close();
    assert!(tx.send(2).await.is_err());
    assert_eq!(rx.recv().await, Some(1));
    assert!(once(&mut pin!(rx.recv())).await.is_none());
    assert_eq!(rx.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    permit.send(3);
    assert_eq!((rx.recv().await, rx.recv().await), (Some(3), None));
    assert_eq!(rx.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
}

async fn meetings() {
    let barrier = Arc::new(Barrier::new(3));
    let mut set = JoinSet::new();
    for _ in 0..3 {
        let barrier = barrier.clone();
        set.spawn(async move { barrier.wait().await.is_leader() });
    }
    let leaders = set.join_all().await;
    assert_eq!(leaders.into_iter().filter(|leads| *leads).count(), 1);
}

async fn tcp() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let (client, accepted) = tokio::join!(TcpStream::connect(addr), listener.accept());
    let (mut client, (mut server, peer)) = (client?, accepted?);
    assert_eq!(client.local_addr()?, peer);
    let mut buf = [0; 8];
    let error = server.try_read(&mut buf).expect_err("nothing there");
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.write_all(b"ab").await?;
    assert_eq!(server.peek(&mut buf).await?, 2);
    assert_eq!(server.read(&mut buf).await?, 2);
    // The drop of an owned half ends its direction, and no more.
    let (mut reads, writes) = client.into_split();
    drop(writes);
    assert_eq!(server.read(&mut buf).await?, 0);
    server.write_all(b"after the end").await?;
    drop(server);
    let mut rest = String::new();
    reads.read_to_string(&mut rest).await?;
    assert_eq!(rest, "after the end");
    drop(reads);
    // Its port can be bound again at once.
    assert!(socket2::SockRef::from(&listener).reuse_address()?);
    drop(listener);
    let refused = TcpStream::connect(addr).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let wrong = TcpListener::bind("no port").await.expect_err("no address");
    assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
    Ok(())
}

async fn others() -> std::io::Result<()> {
    let (one, other) = (
        UdpSocket::bind("127.0.0.1:0").await?,
        UdpSocket::bind("127.0.0.1:0").await?,
    );
    one.send_to(b"four", other.local_addr()?).await?;
    let mut two = [0; 2];
    // What does not fit is gone.
    assert_eq!(other.recv_from(&mut two).await?, (2, one.local_addr()?));
    let path = std::env::temp_dir().join(format!(
        "gmp-{}-{}",
        module_path!().replace(':', "-"),
        std::process::id()
    ));
    let listener = UnixListener::bind(&path)?;
    let used = UnixListener::bind(&path).expect_err("in use");
    assert_eq!(used.kind(), ErrorKind::AddrInUse);
    let (client, accepted) = tokio::join!(UnixStream::connect(&path), listener.accept());
    let (mut client, (server, _)) = (client?, accepted?);
    drop(listener);
    assert!(path.exists(), "its file is its owner's");
    std::fs::remove_file(&path)?;
    drop(server);
    assert_eq!(client.read(&mut two).await?, 0);
    assert_eq!(
        client.write(b"x").await.expect_err("nobody").kind(),
        ErrorKind::BrokenPipe
    );
    Ok(())
}

async fn children() -> std::io::Result<()> {
    let missing = Command::new("/no/such/program").spawn().map(drop);
    assert_eq!(missing.expect_err("none").kind(), ErrorKind::NotFound);
    let mut child = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    assert!(child.id().is_some() && child.try_wait()?.is_none());
    child
        .stdin
        .as_mut()
        .expect("piped")
        .write_all(b"text")
        .await?;
    // A wait closes the input, so that this one ends.
    assert!(child.wait().await?.success());
    assert!(child.stdin.is_none() && child.id().is_none());
    assert!(child.wait().await?.success(), "again");
    assert_eq!(child.wait_with_output().await?.stdout, b"text");
    let mut child = Command::new("sleep").arg("1000").spawn()?;
    child.kill().await?;
    assert!(!child.wait().await?.success());
    assert!(child.start_kill().is_err() || child.id().is_none());
    let output = Command::new("sh")
        .args(["-c", "echo out; echo err >&2; exit 3"])
        .output()
        .await?;
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        (&output.stdout[..], &output.stderr[..]),
        (&b"out\n"[..], &b"err\n"[..])
    );
    Ok(())
}

/// What stays Tokio's, for it needs no runtime.
async fn guests() -> std::io::Result<()> {
    let token = CancellationToken::new();
    let child = token.child_token();
    let ends = rt::spawn(async move { child.cancelled().await });
    let (tx, mut rx) = tokios::channel(1);
    let sender = rt::spawn(async move {
        for n in 0..100 {
            tx.send(n).await.expect("open");
        }
    });
    let mut sum = 0;
    while let Some(n) = rx.recv().await {
        sum += n;
    }
    sender.await?;
    assert_eq!(sum, 4950);
    let (near, far) = tokio::io::duplex(4);
    let echo = rt::spawn(async move {
        let (mut reads, mut writes) = tokio::io::split(far);
        let copied = tokio::io::copy(&mut reads, &mut writes).await;
        writes.shutdown().await.and(copied)
    });
    let (mut reads, mut writes) = tokio::io::split(near);
    let (mut text, all) = (String::new(), b"more than it holds");
    let write = async {
        writes.write_all(all).await?;
        writes.shutdown().await
    };
    tokio::try_join!(write, reads.read_to_string(&mut text))?;
    assert_eq!((echo.await??, text.as_bytes()), (18, &all[..]));
    assert!(!ends.is_finished());
    token.cancel();
    ends.await?;
    Ok(())
}
