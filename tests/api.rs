//! The public interface by name: what a user types compiles and does what its row says, in
//! the shortest use there is. How each thing behaves at its edges is told in the tests of
//! its own.
#![cfg(unix)]

#[path = "support/eventually.rs"]
mod eventually;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::{FutureExt, StreamExt};
use gmp::runtime::{Builder, EnterGuard, Handle, Metrics, Rules, Runtime};
use gmp::task::{AbortHandle, Id, JoinError, JoinHandle, JoinSet};
use gmp::time::{Instant, Interval, MissedTickBehavior, Sleep};

use eventually::eventually;

#[gmp::test]
async fn the_root() {
    let handle: JoinHandle<u32> = gmp::spawn(async { 1 });
    assert_eq!(handle.await.expect("not aborted"), 1);
    assert_eq!(gmp::block_on(async { 2 }), 2);
    let mut ready = std::pin::pin!(async { 3 }.fuse());
    let mut never = std::pin::pin!(std::future::pending::<u32>().fuse());
    let chosen = gmp::select! { n = ready => n, n = never => n };
    assert_eq!(chosen, 3);
}

#[gmp::test(procs = 2, leak_check = true, virtual_time = true)]
async fn the_test_attribute() -> io::Result<()> {
    let begin = Instant::now();
    gmp::time::sleep(Duration::from_secs(3600)).await;
    assert!(begin.elapsed() >= Duration::from_secs(3600));
    Ok(())
}

#[gmp::test]
async fn async_of_any_descriptor() -> io::Result<()> {
    let (one, other) = std::os::unix::net::UnixStream::pair()?;
    let (mut one, other) = (gmp::Async::new(one)?, gmp::Async::new(other)?);
    other.writable().await?;
    other
        .write_with(|mut s: &std::os::unix::net::UnixStream| io::Write::write(&mut s, b"ab"))
        .await?;
    one.readable().await?;
    let mut buf = [0; 1];
    one.read_with(|mut s: &std::os::unix::net::UnixStream| io::Read::read(&mut s, &mut buf))
        .await?;
    std::future::poll_fn(|cx| one.poll_readable(cx)).await?;
    std::future::poll_fn(|cx| one.poll_writable(cx)).await?;
    one.read_exact(&mut buf).await?;
    assert_eq!(&buf, b"b");
    let _: &std::os::unix::net::UnixStream = other.get_ref();
    let _: std::os::unix::net::UnixStream = other.into_inner()?;
    Ok(())
}

#[test]
fn a_runtime_of_ones_own() -> io::Result<()> {
    let runtime: Runtime = Builder::new()
        .procs(2)
        .max_threads(10_000)
        .thread_name("svc")
        .thread_stack_size(1 << 20)
        .thread_keep_alive(Duration::from_secs(1))
        .time_slice(Duration::from_millis(10))
        .handoff(true)
        .rules(Rules::Default)
        .seed(7)
        .on_thread_start(|| {})
        .on_thread_stop(|| {})
        .on_task_spawn(|_| {})
        .on_task_terminate(|_| {})
        .panic_handler(|_| {})
        .build()?;
    assert_eq!(runtime.block_on(async { 1 }), 1);
    assert_eq!(
        runtime
            .block_on(runtime.spawn(async { 2 }))
            .expect("not aborted"),
        2
    );
    let handle: Handle = runtime.handle().clone();
    let entered: EnterGuard<'_> = handle.enter();
    assert!(Handle::try_current().is_ok());
    drop(entered);
    assert!(Handle::try_current().is_err());
    assert_eq!(handle.procs(), 2);
    handle.set_procs(1);
    assert_eq!(handle.procs(), 1);
    assert_eq!(
        handle
            .block_on(handle.spawn(async { 3 }))
            .expect("not aborted"),
        3
    );
    eventually("the ends are counted", || handle.num_tasks() == 0);
    let metrics: Metrics = handle.metrics();
    assert!(metrics.spawned >= 2 && metrics.finished >= 2);
    let report = runtime.shutdown_timeout(Duration::from_secs(10));
    assert_eq!(report.still_running.len(), 0, "{report:?}");
    Builder::new()
        .rules(Rules::Go117)
        .build()?
        .shutdown_background();
    let _: Handle = Handle::current();
    Runtime::new().map(drop)
}

gmp::task::task_local! {
    static NAME: &'static str;
}

#[gmp::test(procs = 2)]
async fn tasks() {
    assert_eq!(gmp::task::spawn(async { 1 }).await.expect("not aborted"), 1);
    assert_eq!(
        gmp::task::spawn_blocking(|| 2).await.expect("not aborted"),
        2
    );
    assert_eq!(gmp::task::block_in_place(|| 3), 3);
    gmp::task::yield_now().await;
    gmp::task::safepoint().await;
    gmp::task::consume_budget().await;
    assert_eq!(gmp::task::unconstrained(async { 4 }).await, 4);
    assert_eq!(NAME.scope("a", async { NAME.get() }).await, "a");
    let id: Id = gmp::task::id();
    assert_eq!(gmp::task::try_id(), Some(id));

    let handle: JoinHandle<()> = gmp::task::Builder::new()
        .name("x")
        .spawn(std::future::pending());
    let _: Id = handle.id();
    assert!(!handle.is_finished());
    let abort: AbortHandle = handle.abort_handle();
    abort.abort();
    handle.abort();
    let error: JoinError = handle.await.expect_err("aborted");
    assert!(error.is_cancelled() && !error.is_panic());
    let error: JoinError = gmp::spawn(async { panic!("on purpose") })
        .await
        .expect_err("panicked");
    assert!(error.is_panic());
    let payload = error.try_into_panic().expect("it panicked");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));

    let mut set: JoinSet<u32> = JoinSet::new();
    set.spawn(async { 5 });
    assert_eq!(
        set.join_next()
            .await
            .expect("one is in it")
            .expect("not aborted"),
        5
    );
}

#[test]
fn a_task_that_is_not_send() {
    let n = std::rc::Rc::new(1);
    let other = n.clone();
    let sum = gmp::block_on(async move {
        let local = gmp::task::spawn_local(async move { *other + 1 });
        *n + local.await.expect("not aborted")
    });
    assert_eq!(sum, 3);
}

#[gmp::test(virtual_time = true)]
async fn time() {
    let std: std::time::Instant = Instant::now().into();
    let begin = Instant::from(std);
    let mut sleep: Sleep = gmp::time::sleep(Duration::MAX);
    assert!(!sleep.is_elapsed());
    let soon = begin + Duration::from_millis(5);
    std::pin::Pin::new(&mut sleep).reset(soon);
    assert_eq!(sleep.deadline(), soon);
    sleep.await;
    gmp::time::sleep_until(begin).await;
    let late: Result<(), gmp::time::error::Elapsed> =
        gmp::time::timeout(Duration::from_millis(1), std::future::pending()).await;
    assert!(late.is_err());
    assert!(
        gmp::time::timeout_at(Instant::now(), std::future::pending::<()>())
            .await
            .is_err()
    );
    let mut ticks: Interval = gmp::time::interval(Duration::from_millis(1));
    assert_eq!(ticks.missed_tick_behavior(), MissedTickBehavior::Burst);
    ticks.tick().await;
    ticks.reset();
    gmp::time::interval_at(begin, Duration::from_millis(1))
        .tick()
        .await;
    let (said, heard) = gmp::chan::bounded(1);
    let timer: gmp::time::Timer = gmp::time::after_func(Duration::from_secs(9), move || {
        let _ = said.try_send(());
    });
    timer.reset(Duration::from_millis(1));
    assert_eq!(heard.recv().await, Ok(()));
    assert!(!timer.stop());
}

#[gmp::test]
async fn time_by_hand() {
    gmp::time::pause();
    let begin = Instant::now();
    gmp::time::advance(Duration::from_secs(60)).await;
    assert!(begin.elapsed() >= Duration::from_secs(60));
    gmp::time::resume();
}

#[gmp::test]
async fn net() -> io::Result<()> {
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    let at: SocketAddr = listener.local_addr()?;
    let mut client = gmp::net::TcpStream::connect(at).await?;
    client.set_nodelay(true)?;
    let (server, _) = listener.accept().await?;
    server.writable().await?;
    assert_eq!(server.try_write(b"abc")?, 3);
    client.readable().await?;
    let mut buf = [0; 3];
    assert_eq!(client.peek(&mut buf).await?, 3);
    assert_eq!(client.try_read(&mut buf[..1])?, 1);
    {
        let (mut read, mut write) = gmp::net::TcpStream::split(&mut client);
        read.read_exact(&mut buf[..2]).await?;
        write.write_all(b"x").await?;
    }
    let (read, write) = client.into_split();
    drop((read, write));
    let std: std::net::TcpStream = server.into_std()?;
    std.set_nonblocking(true)?;
    let again = gmp::net::TcpStream::from_std(std)?;
    again.shutdown(std::net::Shutdown::Both)?;

    let socket = gmp::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener = socket.listen(16)?;
    let mut incoming = listener.incoming();
    let client = gmp::net::TcpSocket::new_v4()?
        .connect(listener.local_addr()?)
        .await?;
    incoming.next().await.expect("it listens for ever")?;
    drop(client);

    let udp = gmp::net::UdpSocket::bind("127.0.0.1:0").await?;
    udp.send_to(b"u", udp.local_addr()?).await?;
    assert_eq!(udp.recv_from(&mut buf).await?.0, 1);

    let (mut one, mut other) = gmp::net::UnixStream::pair()?;
    one.write_all(b"s").await?;
    other.read_exact(&mut buf[..1]).await?;
    let (one, other) = gmp::net::UnixDatagram::pair()?;
    one.send(b"d").await?;
    assert_eq!(other.recv(&mut buf).await?, 1);
    let path = std::env::temp_dir().join(format!("gmp-api-{}.sock", std::process::id()));
    let listener = gmp::net::UnixListener::bind(&path)?;
    let _client = gmp::net::UnixStream::connect(&path).await?;
    listener.accept().await?;
    std::fs::remove_file(&path)?;
    assert!(
        gmp::net::lookup_host("localhost:80")
            .await?
            .next()
            .is_some()
    );
    Ok(())
}

#[gmp::test]
async fn channels_and_locks() {
    use gmp::chan::{self, Receiver, RecvError, SendError, Sender};
    let (tx, mut rx): (Sender<u32>, Receiver<u32>) = chan::bounded(2);
    tx.send(1).await.expect("it is open");
    tx.try_send(2).expect("there is room");
    assert_eq!((tx.len(), tx.is_closed()), (2, false));
    assert_eq!(rx.recv().await, Ok(1));
    assert_eq!(rx.next().await, Some(2));
    assert!(rx.try_recv().is_err());
    tx.clone().close();
    assert_eq!(rx.clone().recv().await, Err(RecvError));
    let SendError(back) = tx.send(3).await.expect_err("it is closed");
    assert_eq!(back, 3);
    let (tx, rx) = chan::unbounded();
    tx.try_send(1).expect("there is always room");
    assert_eq!(rx.recv().await, Ok(1));
    let (tx, rx) = chan::bounded(0);
    let sent = gmp::spawn(async move { tx.send(4).await });
    assert_eq!(rx.recv().await, Ok(4));
    sent.await.expect("not aborted").expect("it was received");

    let mutex = gmp::sync::Mutex::new(1);
    *mutex.lock().await += 1;
    assert_eq!(*mutex.lock().await, 2);
    let rw = gmp::sync::RwLock::new(1);
    *rw.write().await += 1;
    assert_eq!(*rw.read().await, 2);
    let semaphore = gmp::sync::Semaphore::new(1);
    drop(semaphore.acquire().await);
    let notify = gmp::sync::Notify::new();
    notify.notify_one();
    notify.notified().await;
    gmp::sync::Barrier::new(1).wait().await;
    gmp::sync::WaitGroup::new().wait().await;
    let once = gmp::sync::OnceCell::new();
    assert_eq!(*once.get_or_init(|| async { 5 }).await, 5);
    let (tx, rx) = gmp::sync::oneshot::channel();
    tx.send(6).expect("the receiver is there");
    assert_eq!(rx.await, Ok(6));
    let (tx, mut rx) = gmp::sync::watch::channel(1);
    tx.send(2).expect("the receiver is there");
    rx.changed().await.expect("the sender is there");
    assert_eq!(*rx.borrow(), 2);
    let (tx, mut rx) = gmp::sync::broadcast::channel(4);
    tx.send(7).expect("the receiver is there");
    assert_eq!(rx.recv().await, Ok(7));
}

#[gmp::test]
async fn signals_processes_files() -> io::Result<()> {
    use gmp::signal::{Signal, SignalKind};
    let mut signal: Signal = gmp::signal::unix(SignalKind::from_raw(libc::SIGUSR2))?;
    drop(gmp::signal::ctrl_c());
    let mut child = gmp::process::Command::new("kill")
        .arg("-USR2")
        .arg(std::process::id().to_string())
        .kill_on_drop(true)
        .spawn()?;
    assert!(child.id().is_some());
    assert!(child.wait().await?.success());
    assert_eq!(signal.recv().await, Some(()));
    assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
    let mut sleeper = gmp::process::Command::new("sleep").arg("1000").spawn()?;
    sleeper.start_kill()?;
    sleeper.kill().await?;
    let path = std::env::temp_dir().join(format!("gmp-api-{}.txt", std::process::id()));
    gmp::fs::write(&path, "text").await?;
    assert_eq!(gmp::fs::read_to_string(&path).await?, "text");
    gmp::fs::remove_file(&path).await
}

#[gmp::test(procs = 2)]
async fn the_profiler() -> io::Result<()> {
    use gmp::profiler::{self, Profile, leak};
    assert!(profiler::stack().starts_with("goroutine "));
    let waits = gmp::spawn(std::future::pending::<()>());
    gmp::task::yield_now().await;
    assert!(profiler::stack_all().contains("created by"));
    let profile: Profile = profiler::tasks();
    assert!(profile.to_text(2).starts_with("goroutine ") || profile.to_text(2).starts_with('#'));
    assert!(profile.to_text(1).starts_with("goroutine profile: total "));
    assert!(!profile.to_pprof().is_empty());
    assert!(!profile.to_folded().is_empty());
    assert!(profile.to_json().starts_with('{'));
    #[cfg(feature = "flamegraph")]
    assert!(profile.to_svg()?.contains("<svg"));
    let stopped: profiler::Suspended =
        profiler::suspend(waits.id(), Duration::from_secs(1)).expect("it waits");
    drop(stopped);
    let _: Profile = leak::proven();
    waits.abort();
    assert!(waits.await.is_err());
    leak::verify_none(
        leak::Options::new()
            .ignore_top("some::function")
            .ignore_name("a task's name")
            .ignore_current()
            .retry_for(Duration::from_millis(20))
            .cleanup(|| {}),
    );
    Ok(())
}

#[cfg(feature = "hyper")]
#[gmp::test(procs = 2)]
async fn hyper_names() -> io::Result<()> {
    use gmp::hyper::{Executor, Io, Timer};
    fn is_timer<T: hyper::rt::Timer + Default + Clone>(_: T) {}
    fn is_executor<E: hyper::rt::Executor<futures::future::Ready<()>> + Default + Clone>(_: E) {}
    fn is_io<S: hyper::rt::Read + hyper::rt::Write>(_: S) {}
    is_timer(Timer);
    is_executor(Executor);
    is_io(Io::new(gmp::net::UnixStream::pair()?.0));
    #[cfg(feature = "hyper-client")]
    let _ = gmp::hyper::Connector::new().connect_timeout(Duration::from_secs(1));

    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    let service = hyper::service::service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(hyper::Response::new(String::from("hello")))
    });
    gmp::hyper::serve(listener, service)
        .with_graceful_shutdown(async {})
        .await
}

#[cfg(feature = "axum")]
#[gmp::test(procs = 2)]
async fn axum_names() -> io::Result<()> {
    use gmp::axum::ConnectInfo;
    let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await?;
    let handler = |info: ConnectInfo<SocketAddr>| async move { info.0.to_string() };
    let router = axum::Router::new().route("/", axum::routing::get(handler));
    gmp::axum::serve(listener, router)
        .with_graceful_shutdown(async {})
        .await
}

#[cfg(feature = "tokio-compat")]
#[gmp::test]
async fn compat_names() -> io::Result<()> {
    use gmp::compat::{Compat, CompatExt};
    gmp::compat::install()?;
    assert_eq!(Compat::new(async { 1 }).await, 1);
    tokio::task::yield_now().compat().await;
    Ok(())
}
