//! What is shown of a task that awaits the end of another one.

use std::future::{Future, pending};
use std::panic::Location;
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures::FutureExt;
use gmp::runtime::{Builder, Runtime};
use gmp::task::{JoinError, JoinHandle};
use gmp::time::timeout;
use gmp_profiler::{Profile, Status, TaskInfo};

const LONG: Duration = Duration::from_secs(3600);

fn runtime() -> Runtime {
    Builder::new().procs(1).build().expect("a runtime")
}

/// The tasks, once that one waits for the end of another.
fn once_it_joins(rt: &Runtime, id: u64) -> Profile {
    let patience = Instant::now() + Duration::from_secs(30);
    loop {
        let tasks = Profile::of(rt.handle());
        let task = found(&tasks, id);
        if task.status == Status::Waiting && task.reason.as_str() == "join" {
            return tasks;
        }
        assert!(Instant::now() < patience, "{task:?}");
        std::thread::yield_now();
    }
}

fn found(tasks: &Profile, id: u64) -> &TaskInfo {
    let task = tasks.iter().find(|task| task.id == id);
    task.expect("it is there")
}

/// Awaiting by value there is a call in the program; by reference, in a box or in a
/// combinator there is one in a library alone.
#[test]
fn an_await_by_reference_tells_where_its_task_was_spawned() {
    type Awaits = fn(JoinHandle<()>) -> Pin<Box<dyn Future<Output = ()> + Send>>;
    type Boxed = Pin<Box<dyn Future<Output = Result<(), JoinError>> + Send>>;
    let by_value: Awaits = |handle| Box::pin(async { handle.await.expect("no panic") });
    let by_value_line = line!() - 1;
    let limited: Awaits = |handle| Box::pin(async { drop(timeout(LONG, handle).await) });
    let limited_line = line!() - 1;
    let others: [Awaits; 5] = [
        |mut handle| Box::pin(async move { (&mut handle).await.expect("no panic") }),
        |mut handle| Box::pin(async move { Pin::new(&mut handle).await.expect("no panic") }),
        |handle| Box::pin(async move { Box::new(handle).await.expect("no panic") }),
        |handle| Box::pin(async move { (Box::pin(handle) as Boxed).await.expect("no panic") }),
        |handle| Box::pin(handle.map(drop)),
    ];
    let rt = runtime();
    let shown = |awaits: Awaits| {
        let awaited = rt.spawn(pending::<()>());
        let spawned = line!() - 1;
        let (id, abort) = (awaited.id().get(), awaited.abort_handle());
        let waits = rt.spawn(awaits(awaited));
        let tasks = once_it_joins(&rt, waits.id().get());
        let task = found(&tasks, waits.id().get());
        assert_eq!(task.joins(), Some(id));
        let at = task.location.map(|at| (at.file(), at.line()));
        let text = tasks.to_text(2);
        waits.abort();
        abort.abort();
        assert!(!text.contains("/library/"), "{text}");
        (at, spawned)
    };
    for (awaits, line) in [(by_value, by_value_line), (limited, limited_line)] {
        let (at, _) = shown(awaits);
        assert_eq!(at, Some((file!(), line)));
    }
    for awaits in others {
        let (at, spawned) = shown(awaits);
        assert_eq!(at, Some((file!(), spawned)));
    }
}

/// Groups are counted while the tasks are seen: there the place is that of the waiting
/// task.
#[test]
fn no_form_shows_a_line_of_the_standard_library() {
    let rt = runtime();
    let mut awaited = rt.spawn(pending::<()>());
    let abort = awaited.abort_handle();
    let waits = rt.spawn(async move { (&mut awaited).await.is_ok() });
    let tasks = once_it_joins(&rt, waits.id().get());
    let grouped = gmp_profiler::Grouped::of(rt.handle());
    for text in [
        tasks.to_text(1),
        tasks.to_folded(),
        tasks.to_json(),
        grouped.to_text(),
    ] {
        assert!(text.contains("join"), "{text}");
        assert!(!text.contains("/library/"), "{text}");
    }
    abort.abort();
    waits.abort();
}

/// Ids are unique in one runtime: a task that awaits one of another shows no id, or it
/// would be that of a stranger.
#[test]
fn a_task_of_another_runtime_is_not_taken_for_one_of_ours() {
    let (ours, theirs) = (runtime(), runtime());
    let strangers: Vec<JoinHandle<()>> = (0..3).map(|_| ours.spawn(pending())).collect();
    let spawned = (0..100).map(|_| theirs.spawn(pending::<()>()));
    let named = |handle: &JoinHandle<()>| strangers.iter().any(|s| s.id() == handle.id());
    let (same, _others): (Vec<_>, Vec<_>) = spawned.partition(named);
    let awaited = same
        .into_iter()
        .next()
        .expect("one has the id of a stranger");
    let (id, abort) = (awaited.id().get(), awaited.abort_handle());
    let place: &Location<'_> = Location::caller();
    let waits = ours.spawn(async move { awaited.await.is_ok() });
    let tasks = once_it_joins(&ours, waits.id().get());
    let task = found(&tasks, waits.id().get());
    assert_eq!(task.joins(), None, "{id} is another task's");
    assert_eq!(task.location.map(Location::line), Some(place.line() + 1));
    let json: serde_json::Value = serde_json::from_str(&tasks.to_json()).expect("JSON");
    let listed = json["tasks"].as_array().expect("a list");
    assert!(listed.iter().all(|task| task["joins"].is_null()));
    abort.abort();
    waits.abort();
    strangers.iter().for_each(JoinHandle::abort);
}
