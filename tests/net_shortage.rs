//! No descriptors left: fault F3. Each case runs in a process of its own.

use std::net::TcpStream as Client;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gmp::net::TcpListener;
use gmp::runtime::Builder;
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

const CHILD: &str = "GMP_TEST_CHILD";

/// Runs the test of this name again, as `child`, in a process of its own.
fn in_a_process(name: &str, child: fn()) {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the child failed: {text}");
}

/// Takes every descriptor that is left.
fn take_all() -> Vec<std::fs::File> {
    let limit = Rlimit {
        current: Some(256),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

fn cpu_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap()
}

#[test]
fn accepting_without_descriptors_neither_spins_nor_loses_a_connection() {
    in_a_process(
        "accepting_without_descriptors_neither_spins_nor_loses_a_connection",
        || {
            for procs in [1, 2] {
                let runtime = Builder::new().procs(procs).build().unwrap();
                runtime.block_on(starve());
            }
        },
    );
}

async fn starve() {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addr = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..8).map(|_| Client::connect(addr).unwrap()).collect();
    let fillers = take_all();

    let errors = Arc::new(AtomicU64::new(0));
    let acceptors: Vec<_> = (0..2)
        .map(|_| {
            let (listener, errors) = (listener.clone(), errors.clone());
            gmp::spawn(async move {
                let mut accepted = Vec::new();
                while accepted.len() < 4 {
                    match listener.accept().await {
                        Ok((stream, _)) => accepted.push(stream),
                        Err(error) => {
                            assert_eq!(Errno::from_io_error(&error), Some(Errno::MFILE));
                            errors.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                }
                accepted
            })
        })
        .collect();

    let (start, used) = (Instant::now(), cpu_time());
    gmp::time::sleep(Duration::from_millis(300)).await;
    let (wall, cpu) = (start.elapsed(), cpu_time() - used);
    let seen = errors.load(Ordering::Relaxed);
    let most = wall.as_millis() as u64 / 10 + 1;
    assert!((1..=most).contains(&seen), "{seen} errors in {wall:?}");
    assert!(cpu < wall / 4, "{cpu:?} of {wall:?} went into waiting");

    drop(fillers);
    let mut accepted = 0;
    for acceptor in acceptors {
        let all = gmp::time::timeout(Duration::from_secs(10), acceptor).await;
        accepted += all.expect("an accept is lost").unwrap().len();
    }
    assert_eq!(accepted, clients.len());
}

#[test]
fn a_poll_of_a_starved_listener_waits_and_recovers() {
    in_a_process("a_poll_of_a_starved_listener_waits_and_recovers", || {
        let runtime = Builder::new().procs(1).build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = Client::connect(listener.local_addr().unwrap()).unwrap();
            let mut fillers = take_all();
            let accept = || futures::future::poll_fn(|cx| listener.poll_accept(cx));
            let mut last = None::<Instant>;
            for _ in 0..5 {
                let error = accept().await.unwrap_err();
                assert_eq!(Errno::from_io_error(&error), Some(Errno::MFILE));
                let now = Instant::now();
                let apart = last.replace(now).map(|last| now - last);
                assert!(apart.is_none_or(|apart| apart >= Duration::from_millis(9)));
            }
            fillers.truncate(fillers.len() - 2);
            accept().await.expect("there is a descriptor again");
        });
    });
}

/// Rows 36 and 52: after a failure nothing is closed that is not ours.
#[test]
fn connecting_without_descriptors_is_an_error_and_leaks_nothing() {
    in_a_process(
        "connecting_without_descriptors_is_an_error_and_leaks_nothing",
        || {
            let runtime = Builder::new().procs(2).build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let addr = listener.local_addr().unwrap();
                let fillers = take_all();
                for _ in 0..1_000 {
                    let error = gmp::net::TcpStream::connect(addr).await.unwrap_err();
                    assert_eq!(Errno::from_io_error(&error), Some(Errno::MFILE));
                }
                drop(fillers);
                let (near, far) =
                    futures::join!(gmp::net::TcpStream::connect(addr), listener.accept());
                near.unwrap();
                far.unwrap();
            });
        },
    );
}
