//! `compat::install`: Tokio's context in every task, with nothing wrapped. It is for the
//! whole process and for good, so each test has a process of its own.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use gmp::compat::{self, CompatExt};
use gmp::runtime::{Builder, Runtime};
use gmp::task::{block_in_place, spawn_blocking, spawn_local, yield_now};
use tokio::runtime::Handle;

use crate::{alone, on_each};

/// Whether the runtime that was installed is present.
fn is_present() -> bool {
    Handle::try_current().is_ok_and(|here| here.id() == compat::handle().id())
}

async fn use_tokio() {
    tokio::time::sleep(Duration::from_micros(100)).await;
    tokio::spawn(tokio::time::sleep(Duration::from_micros(100)))
        .await
        .unwrap();
}

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().unwrap()
}

#[test]
fn every_place_of_a_task_has_it() {
    alone("present::every_place_of_a_task_has_it", || {
        compat::install().unwrap();
        on_each(async || {
            use_tokio().await;
            for _ in 0..20 {
                yield_now().await;
                assert!(is_present());
            }
            block_in_place(|| assert!(is_present()));
            gmp::block_on(use_tokio());
            spawn_blocking(|| assert!(is_present())).await.unwrap();
            let others = (0..20).map(|_| gmp::spawn(use_tokio()));
            for other in others.collect::<Vec<_>>() {
                other.await.unwrap();
            }
            // What an abort drops in the middle looks for its runtime, too.
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let task = gmp::spawn(async move {
                let (_socket, _) = listener.accept().await.unwrap();
                let _timer = tokio::time::sleep(Duration::from_secs(3600)).await;
            });
            let _peer = gmp::net::TcpStream::connect(addr).await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
        });
        let local = async {
            use_tokio().await;
            spawn_local(use_tokio()).await.unwrap();
        };
        runtime(1).block_on(local);
        gmp::block_on(use_tokio());
    });
}

#[test]
fn a_library_needs_no_wrapper() {
    alone("present::a_library_needs_no_wrapper", || {
        compat::install().unwrap();
        on_each(async || {
            let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            let router = axum::Router::new().fallback(async || "plain");
            let server = gmp::spawn(gmp::axum::serve(listener, router));
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let get = async move {
                let response = client.get(url).send().await.unwrap();
                response.text().await.unwrap()
            };
            assert_eq!(gmp::spawn(get).await.unwrap(), "plain");
            server.abort();
        });
    });
}

/// Tells tasks that they may go on.
static GO: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicU32 = AtomicU32::new(0);

fn goes_on() -> bool {
    GO.load(SeqCst)
}

/// From the next poll on it is there.
async fn look() {
    for _ in 0..50 {
        yield_now().await;
        assert!(is_present());
    }
}

/// What tasks of all kinds do while it is installed.
fn tasks(runtime: &Runtime) -> Vec<gmp::task::JoinHandle<()>> {
    let mut tasks = Vec::new();
    let begin = || {
        assert!(Handle::try_current().is_err());
        STARTED.fetch_add(1, SeqCst);
    };
    for _ in 0..3 {
        tasks.push(runtime.spawn(async move {
            begin();
            while !goes_on() {
                std::hint::spin_loop();
            }
            look().await;
        }));
        tasks.push(runtime.spawn(async move {
            begin();
            while !goes_on() {
                thread::sleep(Duration::from_millis(1));
            }
            look().await;
        }));
        tasks.push(runtime.spawn(async move {
            begin();
            while !goes_on() {
                yield_now().await;
            }
            look().await;
        }));
        tasks.push(runtime.spawn(async move {
            begin();
            while !goes_on() {
                gmp::time::sleep(Duration::from_millis(1)).await;
            }
            look().await;
        }));
    }
    tasks
}

#[test]
fn tasks_that_are_under_way_get_it() {
    alone("present::tasks_that_are_under_way_get_it", || {
        let runtimes = [runtime(1), runtime(4)];
        let tasks: Vec<_> = runtimes.iter().flat_map(tasks).collect();
        let root = runtimes[1].handle().clone();
        let root = thread::spawn(move || {
            root.block_on(async {
                STARTED.fetch_add(1, SeqCst);
                while !goes_on() {
                    gmp::time::sleep(Duration::from_millis(1)).await;
                }
                look().await;
                spawn_local(look()).await.unwrap();
            });
        });
        let all = u32::try_from(tasks.len()).unwrap() + 1;
        while STARTED.load(SeqCst) < all {
            thread::sleep(Duration::from_millis(1));
        }
        compat::install().unwrap();
        assert!(is_present());
        GO.store(true, SeqCst);
        for task in tasks {
            gmp::block_on(task).unwrap();
        }
        root.join().unwrap();
        // It is nobody else's.
        let other = thread::spawn(|| Handle::try_current().is_err());
        assert!(other.join().unwrap());
    });
}

#[test]
fn a_task_has_it_as_soon_as_it_has_asked() {
    alone("present::a_task_has_it_as_soon_as_it_has_asked", || {
        let runtime = runtime(2);
        let asks: Vec<_> = (0..8)
            .map(|_| {
                runtime.spawn(async {
                    compat::install().unwrap();
                    use_tokio().await;
                    look().await;
                })
            })
            .collect();
        for task in asks {
            runtime.block_on(task).unwrap();
        }
    });
}

/// The wrapper's own context, which is there for a while, is not taken for it.
#[test]
fn it_may_be_asked_for_in_a_wrapper() {
    alone("present::it_may_be_asked_for_in_a_wrapper", || {
        let runtime = runtime(1);
        let ask = async {
            // The thread goes on with this one, which has no wrapper.
            let next = gmp::spawn(look());
            compat::install().unwrap();
            next.await.unwrap();
            use_tokio().await;
        };
        runtime.block_on(runtime.spawn(ask.compat())).unwrap();
        runtime.block_on(runtime.spawn(look())).unwrap();
        // The wrapper within is none the worse.
        let wrapped = async { use_tokio().compat().await };
        runtime.block_on(runtime.spawn(wrapped)).unwrap();
    });
}

#[test]
fn a_hook_of_new_threads_may_ask_for_it() {
    alone("present::a_hook_of_new_threads_may_ask_for_it", || {
        let runtime = Builder::new()
            .procs(2)
            .on_thread_start(|| compat::install().unwrap())
            .build()
            .unwrap();
        for _ in 0..20 {
            let task = runtime.spawn(async {
                yield_now().await;
                use_tokio().await;
            });
            runtime.block_on(task).unwrap();
        }
    });
}

#[test]
fn a_runtime_of_tokios_on_the_thread_stays() {
    alone("present::a_runtime_of_tokios_on_the_thread_stays", || {
        compat::install().unwrap();
        let own = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mine = own.handle().id();
        let is_mine = move || Handle::current().id() == mine;
        thread::spawn(move || {
            own.block_on(async {
                gmp::block_on(async {
                    assert!(is_mine());
                    yield_now().await;
                    assert!(is_mine());
                    gmp::spawn(use_tokio()).await.unwrap();
                });
                assert!(is_mine());
                compat::install().unwrap();
                assert!(is_mine());
                tokio::time::sleep(Duration::from_millis(1)).await;
            });
            assert!(Handle::try_current().is_err());
            // With nothing of its own, the thread takes what there is, and Tokio's
            // runtimes can still be entered and left.
            gmp::block_on(use_tokio());
            {
                let _entered = own.enter();
                assert!(is_mine());
            }
            own.block_on(async { assert!(is_mine()) });
            assert!(is_present());
            drop(own);
        })
        .join()
        .unwrap();
    });
}

#[test]
fn the_end_of_a_runtime_drops_what_looks_for_it() {
    alone(
        "present::the_end_of_a_runtime_drops_what_looks_for_it",
        || {
            struct Looks;
            impl Drop for Looks {
                fn drop(&mut self) {
                    assert!(is_present());
                    FOUND.fetch_add(1, SeqCst);
                }
            }
            static FOUND: AtomicU32 = AtomicU32::new(0);
            compat::install().unwrap();
            let runtime = runtime(2);
            for _ in 0..10 {
                drop(runtime.spawn(async {
                    let _looks = Looks;
                    STARTED.fetch_add(1, SeqCst);
                    pending::<()>().await;
                }));
            }
            while STARTED.load(SeqCst) < 10 {
                thread::sleep(Duration::from_millis(1));
            }
            drop(runtime);
            assert_eq!(FOUND.load(SeqCst), 10);
        },
    );
}
