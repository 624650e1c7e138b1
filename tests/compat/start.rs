//! When Tokio's runtime starts, and that it may fail. One for a process, so each
//! test has a process of its own.

use std::fs::{self, File};
use std::panic::catch_unwind;
use std::time::Duration;

use gmp::compat::{self, CompatExt, Io};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncReadExt;

use crate::alone;

/// How many threads of this process drive Tokio.
fn drivers() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads.map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")));
    names.flatten().filter(|name| name == "gmp-tokio\n").count()
}

async fn use_tokio() {
    tokio::time::sleep(Duration::from_micros(1)).await;
    tokio::spawn(async {}).await.unwrap();
}

#[test]
fn nothing_starts_before_it_is_used_and_then_once() {
    alone(
        "start::nothing_starts_before_it_is_used_and_then_once",
        || {
            gmp::block_on(async {
                let mut io = Io::new(&b"text"[..] as &[u8]);
                let mut text = String::new();
                AsyncReadExt::read_to_string(&mut io, &mut text)
                    .await
                    .unwrap();
                assert_eq!(text, "text");
            });
            assert_eq!(drivers(), 0);
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    gmp::runtime::Handle::current().spawn(async {
                        compat::install().unwrap();
                        use_tokio().compat().await;
                    })
                })
                .collect();
            for task in tasks {
                gmp::block_on(task).unwrap();
            }
            assert_eq!(drivers(), 1);
            let own = compat::handle().clone();
            let other = compat::install_handle(own.clone()).unwrap_err();
            assert_eq!(other.id(), own.id());
        },
    );
}

#[test]
fn a_failure_is_an_error_or_a_panic_and_not_for_ever() {
    alone(
        "start::a_failure_is_an_error_or_a_panic_and_not_for_ever",
        || {
            let limit = Rlimit {
                current: Some(64),
                ..getrlimit(Resource::Nofile)
            };
            setrlimit(Resource::Nofile, limit).unwrap();
            let all: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
            let error = compat::install().unwrap_err();
            assert_eq!(error.raw_os_error(), Some(24), "{error}");
            let panic = catch_unwind(|| drop(async {}.compat())).unwrap_err();
            let text: &String = panic.downcast_ref().unwrap();
            assert!(text.contains("gmp::compat::install()"), "{text}");
            drop(all);
            compat::install().unwrap();
            gmp::block_on(use_tokio().compat());
        },
    );
}

#[test]
fn a_runtime_of_the_programs_own_is_used_instead() {
    alone(
        "start::a_runtime_of_the_programs_own_is_used_instead",
        || {
            let own = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .thread_name("mine")
                .enable_all()
                .build()
                .unwrap();
            compat::install_handle(own.handle().clone()).unwrap();
            compat::install().unwrap();
            let name = async {
                use_tokio().await;
                tokio::spawn(async { std::thread::current().name().map(str::to_owned) }).await
            };
            let name = gmp::block_on(name.compat()).unwrap();
            assert_eq!(name.as_deref(), Some("mine"));
            assert_eq!(drivers(), 0);
            // The first wins.
            compat::install_handle(own.handle().clone()).unwrap_err();
        },
    );
}
