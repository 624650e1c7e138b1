//! Names and types that services use, in the shortest use there is: it compiles.
#![expect(dead_code, reason = "compiled, not run")]

use std::future::{pending, poll_fn, ready};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::process::{ExitStatus, Output, Stdio};
use std::sync::Arc;

use tokio::io::{
    AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncSeekExt, AsyncWrite, AsyncWriteExt, BufReader,
    SeekFrom, copy, copy_bidirectional, split,
};

use super::rt;

mod time {
    use super::*;
    use rt::time::error::Elapsed;
    use rt::time::{
        Duration, Instant, Interval, MissedTickBehavior, Sleep, Timeout, interval, interval_at,
        sleep, sleep_until, timeout, timeout_at,
    };

    async fn instants() -> Option<Duration> {
        let now = Instant::now();
        let mut later: Instant = now + Duration::from_secs(1);
        later += Duration::from_secs(1);
        later -= Duration::from_secs(1);
        let later = later.checked_add(Duration::from_secs(1))?;
        let before = later.checked_sub(Duration::from_secs(1))?;
        let _: Option<Duration> = later.checked_duration_since(before);
        let std: std::time::Instant = now.into_std();
        let same: Instant = std.into();
        assert!(same == Instant::from_std(std) && later > before);
        let keys = std::collections::BTreeMap::from([(now, 1)]);
        let hashed = std::collections::HashMap::from([(now, 1)]);
        drop((keys, hashed));
        Some(later.saturating_duration_since(now) + now.elapsed() + (later - before))
    }

    async fn intervals() {
        let mut ticks: Interval = interval(Duration::from_millis(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let _: MissedTickBehavior = ticks.missed_tick_behavior();
        let _: Duration = ticks.period();
        let _: Instant = ticks.tick().await;
        ticks.reset();
        ticks.reset_immediately();
        ticks.reset_after(Duration::from_millis(1));
        ticks.reset_at(Instant::now());
        let _: Instant = poll_fn(|cx| ticks.poll_tick(cx)).await;
        let start = Instant::now() + Duration::from_secs(1);
        interval_at(start, Duration::from_secs(1)).tick().await;
    }

    async fn sleeps() {
        let mut nap: std::pin::Pin<Box<Sleep>> = Box::pin(sleep(Duration::from_millis(1)));
        let at: Instant = nap.deadline();
        nap.as_mut().reset(at + Duration::from_secs(1));
        assert!(!nap.is_elapsed());
        (&mut nap).await;
        let nap = sleep_until(at);
        tokio::pin!(nap);
        tokio::select! {
            () = &mut nap => {}
            () = pending() => {}
        }
    }

    async fn limits() -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        let late: Result<(), Elapsed> = timeout(Duration::from_millis(1), pending()).await;
        let error: io::Error = late.expect_err("late").into();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        let mut limited: Timeout<_> = timeout_at(Instant::now(), ready(1));
        drop(limited.get_ref().clone());
        *limited.get_mut() = ready(2);
        let future = limited.into_inner();
        Ok(timeout(Duration::MAX, future).await?)
    }
}

mod task {
    use super::*;
    use rt::runtime::{EnterGuard, Handle, Runtime, TryCurrentError};
    use rt::task::{
        AbortHandle, Id, JoinError, JoinHandle, JoinSet, block_in_place, consume_budget, id,
        spawn_blocking, try_id, unconstrained, yield_now,
    };

    rt::task_local! {
        pub(super) static COUNT: u32;
        static NAME: String;
    }

    async fn handles() -> Result<u32, JoinError> {
        let handle: JoinHandle<u32> = rt::spawn(async { 1 });
        let abort: AbortHandle = handle.abort_handle();
        let _: Id = handle.id();
        let other = abort.clone();
        assert!(!abort.is_finished() && other.id() == handle.id());
        abort.abort();
        let error: JoinError = handle.await.expect_err("aborted");
        let _: (Id, String) = (error.id(), format!("{error} {error:?}"));
        if error.is_panic() {
            std::panic::resume_unwind(error.into_panic());
        }
        let text: String = spawn_blocking(String::new).await?;
        assert_eq!(block_in_place(|| text.len()), 0);
        yield_now().await;
        consume_budget().await;
        let _: (Id, Option<Id>) = (id(), try_id());
        unconstrained(rt::task::spawn(async { 2 })).await
    }

    async fn sets() {
        let mut set: JoinSet<u32> = JoinSet::new();
        let _: AbortHandle = set.spawn(async { 1 });
        set.spawn_blocking(|| 2);
        set.spawn_on(async { 3 }, &Handle::current());
        set.spawn_blocking_on(|| 4, &Handle::current());
        let _: (usize, bool) = (set.len(), set.is_empty());
        let joined: Option<Result<u32, JoinError>> = set.join_next().await;
        let _: Option<Result<(Id, u32), JoinError>> = set.join_next_with_id().await;
        let _ = (joined, set.try_join_next(), set.try_join_next_with_id());
        let _ = poll_fn(|cx| set.poll_join_next(cx)).await;
        set.abort_all();
        set.detach_all();
        set.shutdown().await;
        let set: JoinSet<u32> = (0..3).map(|n| async move { n }).collect();
        let _: Vec<u32> = set.join_all().await;
    }

    async fn locals() {
        let scope = COUNT.scope(1, async { COUNT.get() + COUNT.with(|n| *n) });
        let mut scope = Box::pin(scope);
        assert_eq!(scope.as_mut().await, 2);
        assert_eq!(scope.as_mut().take_value(), Some(1));
        assert!(COUNT.try_with(|n| *n).is_err());
        NAME.sync_scope(String::from("a"), || NAME.with(String::len));
        let named: rt::task::futures::TaskLocalFuture<u32, _> = COUNT.scope(1, ready(()));
        named.await;
    }

    fn runtimes() -> io::Result<()> {
        let runtime: Runtime = Runtime::new()?;
        let handle: &Handle = runtime.handle();
        let entered: EnterGuard<'_> = runtime.enter();
        drop((rt::spawn(async {}), entered, handle.enter()));
        drop((runtime.spawn(async {}), runtime.spawn_blocking(|| {})));
        drop((handle.spawn(async {}), handle.spawn_blocking(|| {})));
        handle.block_on(async {});
        let current: Result<Handle, TryCurrentError> = Handle::try_current();
        current.map_err(io::Error::other)?;
        runtime.block_on(async {});
        runtime.shutdown_timeout(std::time::Duration::from_secs(1));
        Runtime::new()?.shutdown_background();
        Ok(())
    }
}

mod net {
    use super::*;
    use rt::io::{Interest, Ready};
    use rt::net::tcp::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, ReuniteError, WriteHalf};
    use rt::net::{
        TcpListener, TcpSocket, TcpStream, ToSocketAddrs, UdpSocket, UnixDatagram, UnixListener,
        UnixStream, lookup_host, unix,
    };

    async fn listeners<A: ToSocketAddrs>(any: A, addr: SocketAddr) -> io::Result<TcpListener> {
        TcpListener::bind("localhost:0").await?;
        TcpListener::bind(("localhost", 0)).await?;
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        TcpListener::bind(String::from("localhost:0")).await?;
        TcpListener::bind(&[addr][..]).await?;
        let listener = TcpListener::bind(any).await?;
        listener.set_ttl(listener.ttl()?)?;
        let (_stream, _peer): (TcpStream, SocketAddr) = listener.accept().await?;
        poll_fn(|cx| listener.poll_accept(cx)).await?;
        let std = listener.into_std()?;
        std.set_nonblocking(true)?;
        let listener = TcpListener::from_std(std)?;
        TcpListener::try_from(listener.into_std()?)
    }

    async fn streams() -> io::Result<()> {
        let mut stream = TcpStream::connect("localhost:80").await?;
        stream.set_nodelay(!stream.nodelay()?)?;
        stream.set_ttl(stream.ttl()?)?;
        let _: (SocketAddr, SocketAddr) = (stream.local_addr()?, stream.peer_addr()?);
        let _: Option<io::Error> = stream.take_error()?;
        let mut buf = [0; 9];
        stream.peek(&mut buf).await?;
        stream.readable().await?;
        match stream.try_read(&mut buf) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => drop(read?),
        }
        stream.writable().await?;
        stream.try_write(&buf)?;
        stream.try_read_vectored(&mut [io::IoSliceMut::new(&mut buf)])?;
        stream.try_write_vectored(&[io::IoSlice::new(&buf)])?;
        let both = Interest::READABLE | Interest::WRITABLE;
        let found: Ready = stream.ready(both.add(Interest::READABLE)).await?;
        assert!(found.is_readable() || found.is_writable() || !found.is_empty());
        assert!(!found.is_read_closed() && !found.is_write_closed());
        stream.try_io(Interest::READABLE, || Ok(()))?;
        stream.async_io(Interest::WRITABLE, || Ok(())).await?;
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        poll_fn(|cx| stream.poll_write_ready(cx)).await?;
        {
            let (mut reads, mut writes): (ReadHalf<'_>, WriteHalf<'_>) = stream.split();
            reads.peek(&mut buf).await?;
            copy(&mut reads, &mut writes).await?;
            let _: &TcpStream = reads.as_ref();
        }
        stream.read_exact(&mut buf).await?;
        stream.read_u32().await?;
        stream.read_buf(&mut Vec::new()).await?;
        stream.write_all(&buf).await?;
        stream.write_u8(1).await?;
        stream.flush().await?;
        // By its name alone it is std's, with an argument, on gmp's whole streams.
        AsyncWriteExt::shutdown(&mut stream).await?;
        let (reads, writes): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
        reads.readable().await?;
        writes.writable().await?;
        let whole: Result<TcpStream, ReuniteError> = reads.reunite(writes);
        let (_reads, writes) = whole.map_err(io::Error::other)?.into_split();
        writes.forget();
        Ok(())
    }

    async fn sockets(addr: SocketAddr) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(!socket.reuseaddr()?)?;
        socket.set_reuseport(!socket.reuseport()?)?;
        socket.set_keepalive(!socket.keepalive()?)?;
        socket.set_nodelay(!socket.nodelay()?)?;
        socket.set_send_buffer_size(socket.send_buffer_size()?)?;
        socket.set_recv_buffer_size(socket.recv_buffer_size()?)?;
        socket.bind(addr)?;
        socket.local_addr()?;
        let _: TcpListener = socket.listen(1024)?;
        let stream: TcpStream = TcpSocket::new_v6()?.connect(addr).await?;
        TcpStream::try_from(stream.into_std()?)?;
        for addr in lookup_host(("localhost", 80)).await? {
            let _: SocketAddr = addr;
        }
        Ok(())
    }

    async fn datagrams(addr: SocketAddr) -> io::Result<()> {
        let (socket, mut buf) = (UdpSocket::bind("0.0.0.0:0").await?, [0; 9]);
        socket.connect(addr).await?;
        socket.send(b"x").await?;
        socket.recv(&mut buf).await?;
        socket.send_to(b"x", addr).await?;
        socket.send_to(b"x", "127.0.0.1:53").await?;
        let (_n, _from): (usize, SocketAddr) = socket.recv_from(&mut buf).await?;
        socket.peek_from(&mut buf).await?;
        socket.try_send(&buf)?;
        socket.try_send_to(&buf, addr)?;
        socket.try_recv(&mut buf)?;
        socket.try_recv_from(&mut buf)?;
        socket.readable().await?;
        socket.set_broadcast(socket.broadcast()?)?;
        socket.set_multicast_loop_v4(true)?;
        socket.set_multicast_ttl_v4(socket.multicast_ttl_v4()?)?;
        socket.join_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)?;
        socket.leave_multicast_v4(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)?;
        UdpSocket::from_std(socket.into_std()?)?.peer_addr()?;
        Ok(())
    }

    async fn unix_sockets() -> io::Result<()> {
        let listener = UnixListener::bind("/tmp/a")?;
        let (_stream, addr) = listener.accept().await?;
        assert!(addr.as_pathname().is_none() && addr.is_unnamed());
        let mut stream = UnixStream::connect("/tmp/a").await?;
        let peer: unix::UCred = stream.peer_cred()?;
        let _: (u32, u32, Option<i32>) = (peer.uid(), peer.gid(), peer.pid());
        let (_one, mut other) = UnixStream::pair()?;
        copy_bidirectional(&mut stream, &mut other).await?;
        let (reads, writes): (unix::OwnedReadHalf, unix::OwnedWriteHalf) = stream.into_split();
        let whole: Result<_, unix::ReuniteError> = reads.reunite(writes);
        let (_reads, _writes) = split(whole.map_err(io::Error::other)?);
        let (one, other) = UnixDatagram::pair()?;
        one.send(b"x").await?;
        other.recv(&mut [0]).await?;
        UnixDatagram::bind("/tmp/b")?.connect("/tmp/c")?;
        UnixDatagram::unbound()?.send_to(b"x", "/tmp/b").await?;
        Ok(())
    }

    async fn any<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
        stream.write_all(b"x").await
    }

    fn auto_traits() {
        fn are<T: Send + Sync + Unpin + std::fmt::Debug + 'static>() {}
        are::<(TcpStream, TcpListener, UdpSocket, UnixStream)>();
        are::<(OwnedReadHalf, OwnedWriteHalf)>();
        are::<(rt::task::JoinHandle<u8>, rt::sync::mpsc::Sender<u8>)>();
        fn may_go<T: Send + Sync>() {}
        may_go::<rt::time::Sleep>();
    }
}

mod sync {
    use super::*;
    use rt::sync::mpsc::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
    use rt::sync::{
        AcquireError, Barrier, BarrierWaitResult, MappedMutexGuard, Mutex, MutexGuard, Notify,
        OnceCell, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard,
        OwnedSemaphorePermit, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore,
        SemaphorePermit, TryAcquireError, TryLockError, broadcast, mpsc, oneshot, watch,
    };
    use rt::time::Duration;

    static LOCKED: Mutex<u32> = Mutex::const_new(1);
    static CHANGED: Notify = Notify::const_new();
    static SEATS: Semaphore = Semaphore::const_new(3);
    static SHARED: RwLock<u32> = RwLock::const_new(3);
    static ONCE: OnceCell<u32> = OnceCell::const_new();

    async fn locks() -> Result<u32, TryLockError> {
        let guard: MutexGuard<'_, u32> = LOCKED.lock().await;
        let part: MappedMutexGuard<'_, u32> = MutexGuard::map(guard, |n| n);
        drop(part);
        let mutex = Arc::new(Mutex::new(1));
        let owned: OwnedMutexGuard<u32> = mutex.clone().lock_owned().await;
        drop((owned, mutex.try_lock()?));
        *mutex.blocking_lock() += *mutex.clone().try_lock_owned()?;
        let read: RwLockReadGuard<'_, u32> = SHARED.read().await;
        drop((read, SHARED.try_read()?, SHARED.blocking_read()));
        let write: RwLockWriteGuard<'_, u32> = SHARED.write().await;
        let _: RwLockReadGuard<'_, u32> = write.downgrade();
        drop((SHARED.try_write()?, SHARED.blocking_write()));
        let shared = Arc::new(RwLock::new(1));
        let read: OwnedRwLockReadGuard<u32> = shared.clone().read_owned().await;
        drop(read);
        let write: OwnedRwLockWriteGuard<u32> = shared.clone().write_owned().await;
        Ok(*write + Mutex::from(1).into_inner() + *Mutex::<u32>::default().get_mut())
    }

    async fn permits() -> Result<(), AcquireError> {
        let seat: SemaphorePermit<'_> = SEATS.acquire().await?;
        seat.forget();
        let mut seats = SEATS.acquire_many(2).await?;
        let one = seats.split(1).expect("of two");
        seats.merge(one);
        assert_eq!(seats.num_permits(), 2);
        let free: Result<SemaphorePermit<'_>, TryAcquireError> = SEATS.try_acquire();
        drop(free);
        let shared = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let owned: OwnedSemaphorePermit = shared.clone().acquire_owned().await?;
        drop((owned, shared.clone().acquire_many_owned(2).await?));
        drop((
            shared.clone().try_acquire_owned(),
            shared.try_acquire_many(1),
        ));
        shared.forget_permits(shared.available_permits());
        shared.add_permits(1);
        shared.close();
        assert!(shared.is_closed());
        Ok(())
    }

    async fn meetings() {
        let mut notified = pin!(CHANGED.notified());
        notified.as_mut().enable();
        CHANGED.notify_one();
        CHANGED.notify_waiters();
        notified.await;
        let met: BarrierWaitResult = Barrier::new(1).wait().await;
        assert!(met.is_leader());
        let _: &u32 = ONCE.get_or_init(|| async { 1 }).await;
        let _: Result<&u32, ()> = ONCE.get_or_try_init(|| async { Ok(1) }).await;
        assert!(ONCE.initialized() && ONCE.get().is_some() && ONCE.set(2).is_err());
    }

    async fn values() {
        let (tx, rx) = oneshot::channel::<u32>();
        tx.send(1).expect("received");
        let _: Result<u32, oneshot::error::RecvError> = rx.await;
        let (mut tx, mut rx) = oneshot::channel::<u32>();
        let _: Result<u32, oneshot::error::TryRecvError> = rx.try_recv();
        rx.close();
        assert!(tx.is_closed());
        tx.closed().await;
        let _: Option<u32> = rx.blocking_recv().ok();
        let (tx, mut rx): (watch::Sender<u32>, watch::Receiver<u32>) = watch::channel(1);
        let _: Result<(), watch::error::SendError<u32>> = tx.send(2);
        tx.send_modify(|n| *n += 1);
        assert!(tx.send_if_modified(|_| true));
        let _: u32 = tx.send_replace(1);
        let changed: Result<(), watch::error::RecvError> = rx.changed().await;
        assert!(changed.is_ok() && !rx.has_changed().expect("open"));
        let first: u32 = *rx.borrow();
        assert_eq!(first, *rx.borrow_and_update());
        rx.mark_changed();
        rx.wait_for(|n| *n == 1).await.expect("open");
        assert_eq!((tx.receiver_count(), *tx.borrow()), (1, 1));
        drop((tx.subscribe(), rx.clone(), rx));
        tx.closed().await;
    }

    async fn news() {
        let (tx, mut rx) = broadcast::channel::<u32>(16);
        let _: Result<usize, broadcast::error::SendError<u32>> = tx.send(1);
        match rx.recv().await {
            Ok(_) | Err(broadcast::error::RecvError::Closed) => {}
            Err(broadcast::error::RecvError::Lagged(n)) => {
                let _: u64 = n;
            }
        }
        match rx.try_recv() {
            Ok(_) | Err(broadcast::error::TryRecvError::Empty) => {}
            Err(broadcast::error::TryRecvError::Lagged(n)) => {
                let _: u64 = n;
            }
            Err(broadcast::error::TryRecvError::Closed) => {}
        }
        drop((
            rx.resubscribe(),
            tx.subscribe(),
            broadcast::Sender::<u32>::new(1),
        ));
        assert_eq!((tx.receiver_count(), tx.len(), rx.len()), (1, 0, 0));
        let _: Option<u32> = rx.blocking_recv().ok();
    }

    async fn queues() {
        let (tx, mut rx): (mpsc::Sender<u32>, mpsc::Receiver<u32>) = mpsc::channel(8);
        let _: Result<(), SendError<u32>> = tx.send(1).await;
        let _: Option<u32> = rx.recv().await;
        match tx.try_send(1) {
            Ok(()) => {}
            Err(TrySendError::Full(back) | TrySendError::Closed(back)) => {
                let _: u32 = back;
            }
        }
        let limit = Duration::from_secs(1);
        let _: Result<(), SendTimeoutError<u32>> = tx.send_timeout(1, limit).await;
        match rx.try_recv() {
            Ok(_) | Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
        }
        tokio::select! {
            Some(_) = rx.recv() => {}
            sent = tx.send(3) => sent.expect("open"),
            else => {}
        }
        tx.reserve().await.expect("open").send(1);
        let permit: mpsc::OwnedPermit<u32> = tx.clone().reserve_owned().await.expect("open");
        let _: mpsc::Sender<u32> = permit.send(1);
        for permit in tx.reserve_many(2).await.expect("open") {
            permit.send(1);
        }
        let weak: mpsc::WeakSender<u32> = tx.downgrade();
        assert!(weak.upgrade().is_some_and(|same| same.same_channel(&tx)));
        let _: (usize, usize) = (tx.capacity(), tx.max_capacity());
        let _: usize = rx.recv_many(&mut Vec::new(), 9).await;
        rx.close();
        let _: Option<u32> = poll_fn(|cx| rx.poll_recv(cx)).await;
        tx.closed().await;
        let _ = (tx.blocking_send(1), rx.blocking_recv());
        let (tx, mut rx) = mpsc::unbounded_channel();
        let _: Result<(), SendError<u32>> = mpsc::UnboundedSender::send(&tx, 1);
        let _: Option<u32> = mpsc::UnboundedReceiver::recv(&mut rx).await;
    }
}

mod system {
    use super::*;
    use rt::fs::{self, DirBuilder, DirEntry, File, OpenOptions, ReadDir};
    use rt::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
    use rt::signal::unix::{Signal, SignalKind, signal};

    async fn files() -> io::Result<()> {
        let mut file = File::create("/tmp/a").await?;
        file.write_all(b"text").await?;
        file.sync_all().await?;
        file.sync_data().await?;
        file.set_len(1).await?;
        file.set_permissions(file.metadata().await?.permissions())
            .await?;
        let std: std::fs::File = file.try_clone().await?.into_std().await;
        let file: Result<std::fs::File, File> = File::from_std(std).try_into_std();
        let mut file = File::from(file.expect("idle"));
        file.seek(SeekFrom::Start(0)).await?;
        file.read_to_end(&mut Vec::new()).await?;
        let mut options: OpenOptions = File::options();
        options.read(true).append(true).mode(0o600).custom_flags(0);
        let file = options.open("/tmp/a").await?;
        let mut lines = BufReader::new(file).lines();
        while let Some(line) = lines.next_line().await? {
            drop::<String>(line);
        }
        fs::write("/tmp/a", fs::read("/tmp/b").await?).await?;
        let _: String = fs::read_to_string("/tmp/a").await?;
        fs::copy("/tmp/a", "/tmp/b").await?;
        fs::rename("/tmp/a", "/tmp/b").await?;
        fs::hard_link("/tmp/a", "/tmp/b").await?;
        fs::symlink("/tmp/a", "/tmp/b").await?;
        fs::read_link("/tmp/a").await?;
        fs::canonicalize("/tmp/a").await?;
        fs::create_dir_all("/tmp/a").await?;
        fs::remove_dir_all("/tmp/a").await?;
        fs::remove_file("/tmp/a").await?;
        fs::symlink_metadata("/tmp/a").await?;
        assert!(fs::try_exists("/tmp").await?);
        let mut entries: ReadDir = fs::read_dir("/tmp").await?;
        while let Some(entry) = entries.next_entry().await? {
            let entry: DirEntry = entry;
            entry.file_type().await?;
            drop((entry.path(), entry.file_name(), entry.ino()));
        }
        DirBuilder::new().recursive(true).create("/tmp/a").await
    }

    async fn children() -> io::Result<()> {
        let mut command = Command::new("sh");
        command
            .args(["-c", "cat"])
            .arg("x")
            .env("A", "B")
            .env_remove("A")
            .env_clear();
        command
            .envs([("A", "B")])
            .current_dir("/")
            .process_group(0)
            .kill_on_drop(true);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child: Child = command.spawn()?;
        let stdin: Option<ChildStdin> = child.stdin.take();
        let stdout: Option<ChildStdout> = child.stdout.take();
        let stderr: Option<ChildStderr> = child.stderr.take();
        stdin.expect("piped").write_all(b"text").await?;
        BufReader::new(stdout.expect("piped"))
            .read_line(&mut String::new())
            .await?;
        let _: Stdio = stderr.expect("piped").try_into()?;
        let _: (Option<u32>, Option<ExitStatus>) = (child.id(), child.try_wait()?);
        child.start_kill()?;
        child.kill().await?;
        let _: ExitStatus = child.wait().await?;
        let _: Output = child.wait_with_output().await?;
        let _: (ExitStatus, Output) = (command.status().await?, command.output().await?);
        Command::from(std::process::Command::new("true"))
            .as_std_mut()
            .arg("x");
        Ok(())
    }

    async fn signals() -> io::Result<()> {
        let mut hangups: Signal = signal(SignalKind::hangup())?;
        let _: Option<()> = hangups.recv().await;
        poll_fn(|cx| hangups.poll_recv(cx)).await;
        let _: SignalKind = i32::from(SignalKind::io()).into();
        rt::signal::ctrl_c().await
    }
}
