//! `gmp::select!`: what futures' own does, and what a dump says of a task that waits in it.

use std::panic::Location;
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::{Fuse, pending, ready};
use gmp::chan;
use gmp::profiler::{Status, TaskInfo, tasks};
use gmp::sync::Notify;
use gmp::task::JoinHandle;
use gmp_executor::WaitReason;

const LONG: Duration = Duration::from_secs(3600);

/// The task, when it waits for that.
async fn waiting(task: &JoinHandle<()>, reason: WaitReason) -> TaskInfo {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let tasks = tasks();
        let info = tasks.iter().find(|info| info.id == task.id().get());
        match info {
            Some(info) if info.status == Status::Waiting && info.reason == reason => {
                return info.clone();
            }
            _ => assert!(Instant::now() < patience, "not {reason:?}: {info:?}"),
        }
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}

/// The place is the line after that of the mark.
fn assert_next_line(info: &TaskInfo, mark: &Location<'static>) {
    let at = info.location.expect("a place");
    assert_eq!((at.file(), at.line()), (mark.file(), mark.line() + 1));
}

/// Whatever order its branches are polled in.
#[gmp::test]
async fn a_task_in_a_select_is_told_with_the_line_of_the_select() {
    for _ in 0..20 {
        let (tx, rx) = chan::bounded::<u32>(1);
        let (told, mark) = chan::bounded(1);
        let task = gmp::spawn(async move {
            let mut later = pin!(gmp::time::sleep(LONG).fuse());
            told.send(here()).await.expect("a reader");
            gmp::select! {
                () = later => {}
                word = pin!(rx.recv().fuse()) => assert_eq!(word, Ok(7)),
                () = gmp::waiting("a peer", pending()).fuse() => {}
            }
            // Nothing of it is left.
            gmp::time::sleep(LONG).await;
        });
        let info = waiting(&task, WaitReason::Select).await;
        assert_next_line(&info, mark.recv().await.expect("told"));
        tx.send(7).await.expect("a reader");
        waiting(&task, WaitReason::Sleep).await;
        task.abort();
    }
}

#[gmp::test]
async fn a_biased_select_of_foreign_futures_is_told_too() {
    let (told, mark) = chan::bounded(1);
    let task = gmp::spawn(async move {
        told.send(here()).await.expect("a reader");
        gmp::select_biased! { () = pending().fuse() => {}, () = pending().fuse() => {} }
    });
    let info = waiting(&task, WaitReason::Select).await;
    assert_next_line(&info, mark.recv().await.expect("told"));
    task.abort();
}

/// In the poll in which the select ends, whichever branch was asked first.
#[gmp::test]
async fn what_follows_a_select_is_told_by_its_leaf() {
    for _ in 0..20 {
        let task = gmp::spawn(async {
            gmp::select! {
                () = ready(()).fuse() => gmp::time::sleep(LONG).await,
                () = pending().fuse() => {}
            }
        });
        waiting(&task, WaitReason::Sleep).await;
        task.abort();
        let task = gmp::spawn(async {
            let mut never = pending::<()>().fuse();
            gmp::select_biased! { () = never => {}, default => {} }
            Notify::new().notified().await;
        });
        waiting(&task, WaitReason::CondWait).await;
        task.abort();
    }
}

/// A branch that waits in a select, and is followed by another wait.
#[gmp::test]
async fn selects_in_selects_are_told() {
    for _ in 0..20 {
        let (tx, rx) = chan::bounded::<()>(1);
        let (over, is_over) = chan::bounded::<()>(1);
        let task = gmp::spawn(async move {
            let inner = async {
                gmp::select! {
                    word = pin!(rx.recv().fuse()) => word.expect("a sender"),
                    () = gmp::time::sleep(LONG).fuse() => {}
                }
                over.send(()).await.expect("a reader");
                Notify::new().notified().await;
            };
            let mut inner = pin!(inner.fuse());
            let outer = gmp::select! { () = inner => 1, () = gmp::time::sleep(LONG).fuse() => 2 };
            assert_eq!(outer, 1);
        });
        waiting(&task, WaitReason::Select).await;
        tx.send(()).await.expect("a reader");
        is_over.recv().await.expect("it says so");
        // The outer one goes on.
        waiting(&task, WaitReason::Select).await;
        task.abort();
    }
}

#[gmp::test]
async fn complete_and_default_are_taken_as_before() {
    let mut first = ready(1);
    let mut second = ready(2);
    let mut sum = 0;
    loop {
        gmp::select! {
            n = first => sum += n,
            n = second => sum += n,
            complete => break,
        }
    }
    assert_eq!(sum, 3);
    let mut never = pending::<u32>().fuse();
    let taken = gmp::select! { n = never => n, default => 9, complete => 8 };
    assert_eq!(taken, 9);
    let taken = gmp::select! { n = Fuse::<futures::future::Ready<u32>>::terminated() => n, default => 7, complete => 8 };
    assert_eq!(taken, 8);
}

#[gmp::test]
async fn the_first_of_several_is_taken_in_order_and_any_at_random() {
    let mut first_at_random = 0;
    for _ in 0..200 {
        let (mut a, mut b) = (ready('a'), ready('b'));
        assert_eq!(gmp::select_biased! { it = a => it, it = b => it }, 'a');
        let (mut a, mut b) = (ready('a'), ready('b'));
        let taken = gmp::select! { it = a => it, it = b => it };
        first_at_random += u32::from(taken == 'a');
    }
    // Each is right but once in 2 to the 200.
    assert!((1..200).contains(&first_at_random));
}

#[gmp::test]
#[should_panic(expected = "all futures in select! were completed")]
async fn a_select_of_nothing_panics() {
    let mut over = Fuse::<futures::future::Ready<()>>::terminated();
    gmp::select! { () = over => {} }
}

#[gmp::test]
async fn a_loop_over_streams_of_events_loses_none() {
    let (a, b) = (chan::bounded::<u32>(4), chan::unbounded::<u32>());
    let send = gmp::spawn(async move {
        for n in 0..500 {
            a.0.send(n).await.expect("a reader");
            b.0.send(n).await.expect("a reader");
            if n % 7 == 0 {
                gmp::task::yield_now().await;
            }
        }
    });
    let (mut seen, mut ends) = (0, 0);
    let (mut from_a, mut from_b) = (pin!(a.1.recv().fuse()), pin!(b.1.recv().fuse()));
    while ends < 2 {
        gmp::select! {
            word = from_a => match word {
                Ok(n) => { seen += n; from_a.set(a.1.recv().fuse()) }
                Err(_) => ends += 1,
            },
            word = from_b => match word {
                Ok(n) => { seen += n; from_b.set(b.1.recv().fuse()) }
                Err(_) => ends += 1,
            },
        }
    }
    assert_eq!(seen, 2 * (0..500).sum::<u32>());
    send.await.expect("no panic");
}

/// Outside of any task, and in a function that is not async.
#[test]
fn a_select_needs_no_task() {
    let mut there = ready(3);
    let n = gmp::select! { n = there => n, default => 4 };
    assert_eq!(n, 3);
    let taken = futures::executor::block_on(async {
        gmp::select_biased! { n = ready(5).fuse() => n, () = pending().fuse() => 6 }
    });
    assert_eq!(taken, 5);
}

mod elsewhere {
    //! As a crate sees it that gives gmp another name and passes it on.

    pub(crate) extern crate gmp as runtime;
    pub(crate) use runtime::{select as first_of, select_biased};
}

#[gmp::test]
async fn its_names_are_its_callers_business() {
    use elsewhere::{first_of, runtime, select_biased};
    use gmp::select;

    #[expect(non_camel_case_types, reason = "a name that the macro must not meet")]
    struct futures;
    let _ = futures;
    let n = |n: u32| ready(n);
    assert_eq!(select! { n = n(1) => n }, 1);
    assert_eq!(first_of! { n = n(2) => n, }, 2);
    assert_eq!(runtime::select! { never = n(3) => never }, 3);
    assert_eq!(select_biased! { n = n(4) => { n } n = n(5) => { n } }, 4);
}
