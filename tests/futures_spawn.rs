//! `futures::task::Spawn` and `LocalSpawn` for a runtime's handle.

#[path = "support/watchdog.rs"]
mod watchdog;

use std::rc::Rc;

use futures::channel::mpsc;
use futures::task::{LocalSpawn, LocalSpawnExt, Spawn, SpawnExt};
use futures::{SinkExt, StreamExt};
use gmp::runtime::{Builder, Handle, Runtime};

use watchdog::within;

fn runtime() -> Runtime {
    Builder::new().procs(2).build().expect("a runtime")
}

/// What a library writes that does not know which runtime its caller has.
async fn squares(spawner: &impl Spawn, numbers: std::ops::Range<u64>) -> u64 {
    let (results, mut sum) = mpsc::channel(1);
    for n in numbers {
        let mut results = results.clone();
        let square = async move { results.send(n * n).await.expect("it is awaited") };
        spawner.spawn(square).expect("the runtime is open");
    }
    drop(results);
    let mut total = 0;
    while let Some(square) = sum.next().await {
        total += square;
    }
    total
}

/// As [`squares`], with futures that are not `Send`.
async fn local_sum(spawner: &impl LocalSpawn) -> u32 {
    let shared = Rc::new(std::cell::Cell::new(0));
    let mut handles = Vec::new();
    for n in 1..=4 {
        let shared = shared.clone();
        let add = async move { shared.set(shared.get() + n) };
        handles.push(spawner.spawn_local_with_handle(add).expect("in a block_on"));
    }
    for handle in handles {
        handle.await;
    }
    shared.get()
}

#[test]
fn a_library_spawns_on_the_callers_runtime() {
    within(60, || {
        let rt = runtime();
        let before = rt.handle().metrics().spawned;
        assert_eq!(rt.block_on(squares(rt.handle(), 0..10)), 285);
        assert_eq!(rt.handle().metrics().spawned - before, 10);
        let by_reference: &dyn Spawn = rt.handle();
        assert_eq!(gmp::block_on(squares(&by_reference, 0..3)), 5);
        // With a handle to the output, which futures-util makes of channels.
        let answer = rt.handle().spawn_with_handle(async { 42 });
        assert_eq!(rt.block_on(answer.expect("open")), 42);
    });
}

#[test]
fn local_futures_run_in_the_thread_of_a_block_on() {
    within(60, || {
        let rt = runtime();
        assert_eq!(
            rt.block_on(async { local_sum(&Handle::current()).await }),
            10
        );
        // Elsewhere nobody would poll them.
        let error = rt.handle().spawn_local(async {});
        assert!(error.expect_err("no block_on here").is_shutdown());
        let handle = rt.handle().clone();
        let worker = rt.spawn(async move { handle.status_local().is_err() });
        assert!(rt.block_on(worker).expect("no panic"));
        let other = runtime();
        other.block_on(async { assert!(rt.handle().status_local().is_err()) });
    });
}

#[test]
fn a_runtime_that_has_shut_down_says_so() {
    within(60, || {
        let rt = runtime();
        let handle = rt.handle().clone();
        assert!(handle.status().is_ok());
        drop(rt);
        assert!(handle.status().expect_err("shut down").is_shutdown());
        let error = SpawnExt::spawn(&handle, async {}).expect_err("shut down");
        assert!(error.is_shutdown());
        let error = handle.spawn_local(async {}).expect_err("shut down");
        assert!(error.is_shutdown());
    });
}
