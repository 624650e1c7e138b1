//! Which runtime is the current one, in and outside of tasks.

#[path = "support/watchdog.rs"]
mod watchdog;

use futures::{AsyncReadExt, AsyncWriteExt};
use gmp::net::UnixStream;
use gmp::runtime::{Builder, Handle, Runtime};
use gmp::task::{JoinSet, spawn_blocking, spawn_local, yield_now};

use watchdog::within;

fn runtime(name: &str) -> Runtime {
    let builder = Builder::new().procs(1).thread_name(name);
    builder.build().expect("a runtime")
}

/// Whether `rt` is the current one, by what it is asked for and by what it runs.
async fn is_current(rt: &Runtime) -> bool {
    let current = Handle::current().same_runtime(rt.handle());
    let known = Handle::try_current().is_ok_and(|handle| handle.same_runtime(rt.handle()));
    let before = rt.handle().metrics().spawned;
    let mut set = JoinSet::new();
    set.spawn(async {});
    let spawned = [
        gmp::spawn(async {}),
        spawn_blocking(|| ()),
        gmp::task::Builder::new().name("named").spawn(async {}),
    ];
    for task in spawned {
        task.await.expect("no panic");
    }
    set.join_next().await.expect("one").expect("no panic");
    let ran = rt.handle().metrics().spawned - before;
    assert!(ran == 0 || ran == 4, "{ran} of four went to this one");
    assert_eq!(current, known);
    assert_eq!(current, ran == 4);
    current
}

#[test]
fn a_guard_in_a_task_wins_over_the_tasks_runtime() {
    within(60, || {
        let (own, other) = (runtime("own"), runtime("other"));
        own.block_on(async {
            assert!(is_current(&own).await);
            let guard = other.enter();
            assert!(is_current(&other).await);
            // Kept across waits, which a root may do.
            yield_now().await;
            assert!(is_current(&other).await);
            drop(guard);
            assert!(is_current(&own).await);
        });
        // In a task that may be polled by any thread the guard ends with the poll.
        let handle = other.handle().clone();
        let names = own.block_on(own.spawn(async move {
            let there = {
                let _guard = handle.enter();
                gmp::spawn(async { thread_name() })
            };
            let here = gmp::spawn(async { thread_name() });
            (
                here.await.expect("no panic"),
                there.await.expect("no panic"),
            )
        }));
        let (here, there) = names.expect("no panic");
        assert!(here.starts_with("own"), "{here}");
        assert!(there.starts_with("other"), "{there}");
    });
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or("").to_owned()
}

#[test]
fn a_guard_is_none_of_other_tasks_business() {
    within(60, || {
        let (own, other) = (runtime("own"), runtime("other"));
        own.block_on(async {
            let _guard = other.enter();
            // A task that the same thread polls meanwhile.
            let own_handle = own.handle().clone();
            let local = {
                let _own = own.enter();
                spawn_local(async move { Handle::current().same_runtime(&own_handle) })
            };
            assert!(local.await.expect("no panic"));
            assert!(is_current(&other).await);
        });
    });
}

#[test]
fn a_block_on_below_a_guard_has_its_own_runtime() {
    within(60, || {
        let (first, second, third) = (runtime("first"), runtime("second"), runtime("third"));
        first.block_on(async {
            let _second = second.enter();
            third.block_on(async {
                assert!(is_current(&third).await);
                let _first = first.enter();
                assert!(is_current(&first).await);
            });
            first.block_on(async { assert!(is_current(&first).await) });
            // On the entered one, as everything.
            gmp::block_on(async { assert!(is_current(&second).await) });
            assert!(is_current(&second).await);
        });
        // A guard of a plain thread gives way to a block_on as well.
        let _second = second.enter();
        first.block_on(async { assert!(is_current(&first).await) });
        gmp::block_on(async { assert!(is_current(&second).await) });
    });
}

#[test]
fn guards_may_be_dropped_in_any_order() {
    within(60, || {
        let (first, second, third) = (runtime("first"), runtime("second"), runtime("third"));
        let is = |rt: &Runtime| Handle::current().same_runtime(rt.handle());
        let any_order = || {
            let one = second.enter();
            let two = third.enter();
            let three = second.enter();
            assert!(is(&second));
            drop(two);
            assert!(is(&second));
            drop(one);
            assert!(is(&second));
            let four = third.enter();
            drop(three);
            assert!(is(&third));
            drop(four);
        };
        first.block_on(async {
            any_order();
            assert!(is(&first));
        });
        any_order();
        assert!(Handle::try_current().is_err());
        // One that leaves its task counts where it went to.
        let guard = first.block_on(async { second.enter() });
        assert!(is(&second));
        first.block_on(async { assert!(is(&first)) });
        drop(guard);
        assert!(Handle::try_current().is_err());
    });
}

#[test]
fn a_socket_belongs_to_the_entered_runtime() {
    within(60, || {
        let (own, other) = (runtime("own"), runtime("other"));
        let (mut near, mut far) = own.block_on(async {
            let _guard = other.enter();
            UnixStream::pair().expect("a pair")
        });
        drop(own);
        // The runtime that made the task is gone; the sockets' one is not.
        let byte = other.block_on(async {
            let write = async { far.write_all(&[5]).await.expect("written") };
            let mut byte = [0];
            let read = async { near.read_exact(&mut byte).await.expect("a byte") };
            futures::join!(read, write);
            byte[0]
        });
        assert_eq!(byte, 5);
    });
}
