//! A leaf that is dropped in the poll in which it began to wait has told nothing: what the
//! task waits for from then on, in a future that gmp does not know, is no wait of that leaf.

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures::{AsyncReadExt, FutureExt, StreamExt};
use gmp::chan;
use gmp::net::{TcpListener, UdpSocket, UnixStream};
use gmp::sync::{Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, SetOnce, WaitGroup};
use gmp::sync::{broadcast, mpsc, oneshot, watch};
use gmp::task::{JoinHandle, JoinSet};
use gmp_profiler::{Status, TaskInfo, tasks};

const LONG: Duration = Duration::from_secs(3600);

/// What a snapshot tells of a task once it waits as it should.
async fn until<T>(task: &JoinHandle<T>, name: &str, wanted: impl Fn(&TaskInfo) -> bool) {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let tasks = tasks();
        let info = tasks.iter().find(|info| info.id == task.id().get());
        let info = info.unwrap_or_else(|| panic!("{name} has ended"));
        if info.status == Status::Waiting && wanted(info) {
            return;
        }
        assert!(Instant::now() < patience, "{name}: {info:?}");
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Tasks that have dropped a leaf in the poll in which it began to wait.
#[derive(Default)]
struct Droppers(Vec<(&'static str, JoinHandle<()>)>);

impl Droppers {
    fn add(&mut self, name: &'static str, leaf: impl Future + Send + 'static) {
        self.0.push((name, gmp::spawn(dropping(leaf, pending()))));
    }

    /// Waits until each of them is seen in a wait that nothing is known of.
    async fn check(self) {
        for (name, task) in &self.0 {
            let unknown = |info: &TaskInfo| {
                info.reason.as_str() == "waiting" && info.location.is_none() && info.target == 0
            };
            until(task, name, unknown).await;
            task.abort();
        }
    }
}

/// Polls `leaf` in vain, drops it, and goes on in the same poll.
async fn dropping(leaf: impl Future, next: impl Future<Output = ()>) {
    let mut leaf = Box::pin(leaf);
    assert!(futures::poll!(leaf.as_mut()).is_pending());
    drop(leaf);
    next.await;
}

#[gmp::test(procs = 2)]
async fn leaves_of_time_and_tasks_take_back_what_they_told() {
    let mut droppers = Droppers::default();
    droppers.add("sleep", gmp::time::sleep(LONG));
    droppers.add("timeout", gmp::time::timeout(LONG, pending::<()>()));
    let named = gmp_profiler::waiting("db", pending::<()>());
    droppers.add("timeout of a name", gmp::time::timeout(LONG, named));
    let mut interval = gmp::time::interval_at(gmp::time::Instant::now() + LONG, LONG);
    droppers.add("interval", async move { interval.tick().await });
    let interval = Box::leak(Box::new(gmp::time::interval(LONG)));
    interval.tick().await;
    droppers.add("tick", interval.tick());
    droppers.add("next tick", async {
        let mut interval = gmp::time::interval_at(gmp::time::Instant::now() + LONG, LONG);
        interval.next().await
    });
    let never = gmp::spawn(pending::<()>());
    let abort = never.abort_handle();
    droppers.add("join", never);
    let (first, second) = (JoinSet::new(), JoinSet::new());
    let [first, second] = [first, second].map(|mut set| {
        set.spawn(pending::<()>());
        Box::leak(Box::new(set))
    });
    droppers.add("join_next", first.join_next());
    droppers.add("join_next_with_id", second.join_next_with_id());
    let mut set = JoinSet::new();
    set.spawn(pending::<()>());
    droppers.add("join_all", set.join_all());
    droppers.check().await;
    abort.abort();
}

#[gmp::test(procs = 2)]
async fn leaves_of_sync_take_back_what_they_told() {
    static MUTEX: Mutex<()> = Mutex::const_new(());
    static LOCK: RwLock<()> = RwLock::const_new(());
    static PERMITS: Semaphore = Semaphore::const_new(0);
    static NOTIFY: Notify = Notify::new();
    static BARRIER: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));
    static GROUP: WaitGroup = WaitGroup::new();
    static ONCE: SetOnce<u32> = SetOnce::const_new();

    // A semaphore takes its word back by the number that it has where uses are noted.
    let mut droppers = Droppers::default();
    let kept = (MUTEX.lock().await, LOCK.write().await);
    droppers.add("lock", async { drop(MUTEX.lock().await) });
    droppers.add("read", async { drop(LOCK.read().await) });
    droppers.add("acquire", async { drop(PERMITS.acquire().await) });
    droppers.add("notified", NOTIFY.notified());
    droppers.add("notified_owned", Arc::new(Notify::new()).notified_owned());
    droppers.add("barrier", BARRIER.wait());
    GROUP.add(1);
    droppers.add("wait group", GROUP.wait());
    droppers.add("set_once", ONCE.wait());
    let cell = Arc::new(OnceCell::<u32>::new());
    let begins = cell.clone();
    let init = gmp::spawn(async move { *begins.get_or_init(pending).await });
    until(&init, "once_cell", |_| true).await;
    droppers.add("once_cell", async move {
        cell.get_or_init(async || 7).await;
    });
    let (answer, asked) = oneshot::channel::<u32>();
    droppers.add("oneshot", asked);
    let (mut unwanted, wanted) = oneshot::channel::<u32>();
    droppers.add("oneshot closed", async move { unwanted.closed().await });
    let (tell, mut told) = watch::channel(1);
    droppers.add("watch", async move { told.changed().await.is_ok() });
    let (watched, seen) = watch::channel(1);
    droppers.add("watch closed", async move { watched.closed().await });
    let (cast, mut heard) = broadcast::channel::<u32>(1);
    droppers.add("broadcast", async move { heard.recv().await.is_ok() });
    droppers.check().await;
    init.abort();
    drop((kept, answer, wanted, tell, seen, cast));
}

#[gmp::test(procs = 2)]
async fn leaves_of_channels_take_back_what_they_told() {
    let mut droppers = Droppers::default();
    let (tx, mut rx) = mpsc::channel::<u32>(1);
    droppers.add("mpsc recv", async move { rx.recv().await });
    let (full, never) = chan::bounded::<u32>(1);
    full.try_send(7).expect("room");
    let sends = full.clone();
    droppers.add("send", async move { sends.send(7).await.is_ok() });
    let sends = full.clone();
    droppers.add("send_timeout", async move {
        sends.send_timeout(7, LONG).await.is_ok()
    });
    let sends = full.clone();
    droppers.add("reserve", async move { sends.reserve().await.is_ok() });
    let sends = full.clone();
    droppers.add("reserve_owned", async move {
        sends.reserve_owned().await.is_ok()
    });
    droppers.add("closed", async move { full.closed().await });
    let (other, rx) = chan::bounded::<u32>(1);
    droppers.add("stream", async move { pin!(rx).next().await });
    droppers.check().await;
    drop((tx, never, other));
}

#[gmp::test(procs = 2)]
async fn leaves_of_descriptors_take_back_what_they_told() {
    let mut droppers = Droppers::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    droppers.add("accept", async move { listener.accept().await.is_ok() });
    let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    droppers.add("udp", async move { udp.recv_from(&mut [0]).await.is_ok() });
    let child = gmp::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let child = Box::leak(Box::new(child.expect("cat")));
    let input = child.stdin.take();
    droppers.add("child", child.wait());
    droppers.check().await;
    drop(input);
}

/// A send that its limit has ended in the very poll that looked at it once more.
#[gmp::test]
async fn a_send_that_is_over_is_no_wait() {
    let (full, never) = chan::bounded::<u32>(1);
    full.try_send(7).expect("room");
    let task = gmp::spawn(async move {
        let sent = full.send_timeout(7, Duration::from_millis(1)).await;
        assert!(sent.is_err());
        pending::<()>().await;
    });
    until(&task, "send_timeout", |info| {
        info.reason.as_str() == "waiting" && info.location.is_none()
    })
    .await;
    task.abort();
    drop(never);
}

/// What is dropped is told apart, by its line, from what still waits.
#[gmp::test]
async fn a_leaf_that_waits_on_is_shown() {
    let sleeps = async {
        let mut given_up = Box::pin(gmp::time::sleep(LONG));
        assert!(futures::poll!(given_up.as_mut()).is_pending());
        let mut kept = pin!(gmp::time::sleep(LONG));
        assert!(futures::poll!(kept.as_mut()).is_pending());
        drop(given_up);
        pending::<()>().await;
    };
    let task = gmp::spawn(sleeps);
    let line = line!() - 6;
    until(&task, "sleep", |info| {
        let at = info.location.map(std::panic::Location::line);
        info.reason.as_str() == "sleep" && at == Some(line)
    })
    .await;
    task.abort();

    let task = gmp::spawn(async {
        // The last one is told of; the other is dropped with the select.
        let _ = futures::future::select(
            pin!(gmp::time::sleep(Duration::from_millis(1))),
            pin!(gmp::time::sleep(LONG)),
        )
        .await;
        gmp::time::sleep(LONG).fuse().await;
    });
    let line = line!() - 2;
    until(&task, "second sleep", |info| {
        let at = info.location.map(std::panic::Location::line);
        info.reason.as_str() == "sleep" && at == Some(line)
    })
    .await;
    task.abort();
}

/// A time-out says what it limits, if that tells: a limit is no wait of its own.
#[gmp::test]
async fn a_limit_shows_what_it_limits() {
    let (tx, mut rx) = mpsc::channel::<u32>(1);
    let recv = gmp::spawn(async move {
        let _ = gmp::time::timeout(LONG, rx.recv()).await;
    });
    let line = line!() - 2;
    until(&recv, "recv", |info| {
        let at = info.location.map(std::panic::Location::line);
        info.reason.as_str() == "chan receive" && at == Some(line)
    })
    .await;
    let named = gmp_profiler::waiting("db", pending::<()>());
    let named = gmp::spawn(async { drop(gmp::time::timeout(LONG, named).await) });
    until(&named, "db", |info| {
        info.reason.as_str() == "waiting" && info.target != 0
    })
    .await;
    let (mut end, kept) = UnixStream::pair().expect("two ends");
    let read = gmp::spawn(async move {
        drop(gmp::time::timeout(LONG, end.read(&mut [0])).await);
    });
    let line = line!() - 2;
    until(&read, "read", |info| {
        // A reader knows who polls it alone, which is a line of a library.
        let at = info.location.map(std::panic::Location::line);
        info.reason.as_str() == "IO wait" && at == Some(line)
    })
    .await;
    let foreign = gmp::spawn(async { drop(gmp::time::timeout(LONG, pending::<()>()).await) });
    until(&foreign, "foreign", |info| info.reason.as_str() == "sleep").await;
    for task in [recv, named, read, foreign] {
        task.abort();
    }
    drop((tx, kept));
}

/// Reads and streams are polled by futures of others, which end without a word: then it is
/// the time-out or the select that ends the wait.
#[gmp::test]
async fn a_limit_and_a_select_take_back_what_was_told_inside() {
    const SHORT: Duration = Duration::from_millis(1);
    let pairs = [(); 4].map(|()| UnixStream::pair().expect("two ends"));
    let [(mut a, b), (mut c, d), (mut e, f), (mut g, h)] = pairs;
    let over = gmp::spawn(async move {
        let late = gmp::time::timeout(SHORT, a.read(&mut [0])).await;
        assert!(late.is_err());
        pending::<()>().await;
    });
    let selected = gmp::spawn(async move {
        let (mut buffer, mut rest) = ([0], pin!(gmp::time::sleep(SHORT).fuse()));
        gmp::select_biased! {
            _ = c.read(&mut buffer).fuse() => unreachable!("nobody writes"),
            () = rest => {}
        }
        pending::<()>().await;
    });
    for (name, task) in [("timeout", &over), ("select", &selected)] {
        until(task, name, |info| {
            info.reason.as_str() == "waiting" && info.location.is_none()
        })
        .await;
    }
    // What was told before them stands.
    let beside = gmp::spawn(async move {
        let limited = async {
            let late = gmp::time::timeout(SHORT, e.read(&mut [0])).await;
            assert!(late.is_err());
            pending::<()>().await;
        };
        futures::join!(gmp::time::sleep(LONG), limited);
    });
    let selects = gmp::spawn(async move {
        let limited = async {
            let (mut buffer, mut rest) = ([0], pin!(gmp::time::sleep(SHORT).fuse()));
            gmp::select_biased! {
                _ = g.read(&mut buffer).fuse() => unreachable!("nobody writes"),
                () = rest => {}
            }
            pending::<()>().await;
        };
        futures::join!(gmp::time::sleep(LONG), limited);
    });
    for (name, task) in [("beside a timeout", &beside), ("beside a select", &selects)] {
        until(task, name, |info| info.reason.as_str() == "sleep").await;
    }
    for task in [over, selected, beside, selects] {
        task.abort();
    }
    drop((b, d, f, h));
}
