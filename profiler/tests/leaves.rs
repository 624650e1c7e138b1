//! Leaves of gmp tell the line that calls them, and what they wait for. Streams and sinks
//! are polled by others, and tell where they were made; readers and writers tell who polls
//! them, which may be a line of the `futures` crate's.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{AsyncRead, StreamExt};
use gmp::chan;
use gmp::net::{TcpListener, UdpSocket, UnixListener};
use gmp::sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce};
use gmp::sync::{broadcast, oneshot, watch};
use gmp::task::{JoinHandle, JoinSet};
use gmp_profiler::{Status, tasks};

const LONG: Duration = Duration::from_secs(3600);

/// The line that ends in this mark.
fn line_of(name: &str) -> u32 {
    let mut lines = include_str!("leaves.rs").lines();
    let at = lines.position(|line| line.ends_with(&format!("// here: {name}")));
    at.unwrap_or_else(|| panic!("no mark {name}")) as u32 + 1
}

/// Tasks by their names, and the words for what they wait for.
struct Leaves(Vec<(&'static str, &'static str, JoinHandle<()>)>);

impl Leaves {
    fn add(
        &mut self,
        name: &'static str,
        reason: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.push((name, reason, gmp::spawn(task)));
    }

    /// Waits until each of them tells what it should.
    async fn check(self) {
        let patience = Instant::now() + Duration::from_secs(30);
        for (name, reason, task) in &self.0 {
            let wanted = (*reason, Some(line_of(name)));
            loop {
                let tasks = tasks();
                let info = tasks.iter().find(|info| info.id == task.id().get());
                let info = info.unwrap_or_else(|| panic!("{name} has ended"));
                let line = info.location.filter(|at| at.file().ends_with("leaves.rs"));
                let what = match info.status {
                    Status::Waiting => info.reason.as_str(),
                    Status::Syscall => "syscall",
                    _ => "",
                };
                if (what, line.map(|at| at.line())) == wanted {
                    break;
                }
                assert!(Instant::now() < patience, "{name}: {wanted:?}, {info:?}");
                gmp::time::sleep(Duration::from_millis(1)).await;
            }
        }
        self.0.iter().for_each(|(_, _, task)| task.abort());
    }
}

#[gmp::test(procs = 2)]
async fn leaves_of_channels_tell_their_lines() {
    let mut leaves = Leaves(Vec::new());
    let (kept, rx) = chan::bounded::<u32>(1);
    leaves.add("recv_many", "chan receive", async move {
        let _ = rx.recv_many(&mut Vec::new(), 7).await; // here: recv_many
    });
    // A stream is polled by others: it tells where it was made.
    let (tx, rx) = chan::bounded::<u32>(1); // here: next
    leaves.add("next", "chan receive", async move {
        pin!(rx).next().await;
    });
    let (full, never) = chan::bounded::<u32>(1);
    full.try_send(7).expect("room");
    let sends = full.clone();
    leaves.add("reserve", "chan send", async move {
        drop(sends.reserve().await); // here: reserve
    });
    let sends = full.clone();
    leaves.add("send_timeout", "chan send", async move {
        let _ = sends.send_timeout(7, LONG).await; // here: send_timeout
    });
    leaves.add("closed", "chan send", async move {
        full.closed().await; // here: closed
    });
    let (tell, mut told) = watch::channel(1);
    leaves.add("changed", "chan receive", async move {
        let _ = told.changed().await; // here: changed
    });
    let (watched, seen) = watch::channel(1);
    leaves.add("watch closed", "chan send", async move {
        watched.closed().await; // here: watch closed
    });
    let (cast, mut heard) = broadcast::channel::<u32>(1);
    leaves.add("broadcast", "chan receive", async move {
        let _ = heard.recv().await; // here: broadcast
    });
    let (answer, asked) = oneshot::channel::<u32>(); // here: oneshot
    leaves.add("oneshot", "chan receive", async move {
        let _ = asked.await;
    });
    let (mut unwanted, wanted) = oneshot::channel::<u32>();
    leaves.add("oneshot closed", "chan send", async move {
        unwanted.closed().await; // here: oneshot closed
    });
    leaves.check().await;
    drop((kept, tx, never, tell, seen, cast, answer, wanted));
}

#[gmp::test(procs = 2)]
async fn leaves_of_locks_tell_their_lines() {
    let mut leaves = Leaves(Vec::new());
    let mutex = Arc::new(Mutex::new(()));
    let (locked, kept) = (mutex.clone(), mutex.lock().await);
    leaves.add("lock_owned", "sync.Mutex.Lock", async move {
        drop(locked.lock_owned().await); // here: lock_owned
    });
    let lock = Arc::new(RwLock::new(()));
    let (locked, written) = (lock.clone(), lock.write().await);
    leaves.add("read_owned", "sync.RWMutex.RLock", async move {
        drop(locked.read_owned().await); // here: read_owned
    });
    let locked = lock.clone();
    leaves.add("write_owned", "sync.RWMutex.Lock", async move {
        drop(locked.write_owned().await); // here: write_owned
    });
    let permits = Arc::new(Semaphore::new(0));
    let none = permits.clone();
    leaves.add("acquire_many", "semacquire", async move {
        drop(none.acquire_many(2).await); // here: acquire_many
    });
    leaves.add("acquire_owned", "semacquire", async move {
        drop(permits.acquire_owned().await); // here: acquire_owned
    });
    leaves.add("barrier", "sync.Cond.Wait", async {
        Barrier::new(2).wait().await; // here: barrier
    });
    leaves.add("set_once", "sync.Cond.Wait", async {
        SetOnce::<u32>::new().wait().await; // here: set_once
    });
    leaves.add("notified_owned", "sync.Cond.Wait", async {
        Arc::new(Notify::new()).notified_owned().await; // here: notified_owned
    });
    let cell = Arc::new(OnceCell::<u32>::new());
    let (first, begun) = oneshot::channel();
    let begins = cell.clone();
    let init = gmp::spawn(async move {
        let never = async || {
            first.send(()).expect("awaited");
            std::future::pending().await
        };
        begins.get_or_init(never).await;
    });
    begun.await.expect("it begins");
    leaves.add("once_cell", "sync.Mutex.Lock", async move {
        cell.get_or_init(async || 7).await; // here: once_cell
    });
    leaves.check().await;
    init.abort();
    drop((kept, written));
}

#[gmp::test(procs = 2)]
async fn leaves_of_time_and_tasks_tell_their_lines() {
    let mut leaves = Leaves(Vec::new());
    leaves.add("sleep_until", "sleep", async {
        gmp::time::sleep_until(gmp::time::Instant::now() + LONG).await; // here: sleep_until
    });
    leaves.add("tick", "sleep", async {
        let mut interval = gmp::time::interval(LONG);
        interval.tick().await;
        interval.tick().await; // here: tick
    });
    leaves.add("join_next", "join", async {
        let mut set = JoinSet::new();
        set.spawn(std::future::pending::<()>());
        drop(set.join_next().await); // here: join_next
    });
    leaves.add("join_next_with_id", "join", async {
        let mut set = JoinSet::new();
        set.spawn(std::future::pending::<()>());
        drop(set.join_next_with_id().await); // here: join_next_with_id
    });
    leaves.add("join_all", "join", async {
        let mut set = JoinSet::new();
        set.spawn(std::future::pending::<()>());
        drop(set.join_all().await); // here: join_all
    });
    leaves.check().await;
}

#[gmp::test(procs = 2)]
async fn leaves_of_descriptors_tell_their_lines() {
    let mut leaves = Leaves(Vec::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    leaves.add("accept", "IO wait", async move {
        drop(listener.accept().await); // here: accept
    });
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    leaves.add("udp", "IO wait", async move {
        drop(udp.recv_from(&mut [0]).await); // here: udp
    });
    let path = std::env::temp_dir().join(format!("gmp-leaves-{}", std::process::id()));
    let unix = UnixListener::bind(&path).expect("a path");
    leaves.add("unix accept", "IO wait", async move {
        drop(unix.accept().await); // here: unix accept
    });
    leaves.check().await;
    std::fs::remove_file(path).expect("bound there");
}

/// While a section blocks, its line is told, that of a future of `gmp::fs` too.
#[cfg(target_os = "linux")]
#[gmp::test(procs = 2)]
async fn blocking_sections_tell_their_lines() {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    let mut leaves = Leaves(Vec::new());
    let (end, kept) = std::io::pipe().expect("a pipe");
    let path = format!("/proc/self/fd/{}", end.as_raw_fd());
    let read = path.clone();
    leaves.add("fs::read", "syscall", async move {
        let read = gmp::fs::read(read); // here: fs::read
        assert!(read.await.expect("a pipe").is_empty());
    });
    leaves.add("File", "syscall", async move {
        let file = gmp::fs::File::open(path).await.expect("a pipe");
        let reads = std::future::poll_fn(|cx| {
            pin!(&file).poll_read(cx, &mut [0]) // here: File
        });
        assert_eq!(reads.await.expect("a pipe"), 0);
    });
    let mut own = end.try_clone().expect("a descriptor");
    leaves.add("block_in_place", "syscall", async move {
        let read = gmp::task::block_in_place(|| own.read(&mut [0])); // here: block_in_place
        assert_eq!(read.expect("a pipe"), 0);
    });
    leaves.check().await;
    drop(kept);
}

/// A wait that a time-out has ended is over, though its task waits on in the same poll.
#[gmp::test]
async fn a_named_wait_ends_when_it_is_dropped() {
    let (_tx, rx) = futures::channel::oneshot::channel::<()>();
    let task = gmp::spawn(async move {
        let mut named = Box::pin(gmp_profiler::waiting("redis", std::future::pending::<()>()));
        assert!(futures::poll!(named.as_mut()).is_pending());
        drop(named);
        let _ended = rx.await;
    });
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let text = tasks().to_text(2);
        assert!(!text.contains("redis"), "{text}");
        if text.contains(&format!("goroutine {} [waiting]:", task.id())) {
            break;
        }
        assert!(Instant::now() < patience, "{text}");
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
    task.abort();
}
