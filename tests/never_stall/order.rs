//! The order of what happens to each task, as hooks on every step see it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use gmp::runtime::Builder;
use gmp::task::{block_in_place, yield_now};
use gmp::time::sleep;

use crate::watchdog::within;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Event {
    Spawn,
    Start,
    Stop,
    End,
}

/// What happened, in an order in which each thread's events are in its own order.
type Log = Arc<Mutex<Vec<(Event, u64, ThreadId)>>>;

fn hook(log: &Log, event: Event) -> impl Fn(u64) + Send + Sync + 'static {
    let log = log.clone();
    move |id| {
        log.lock()
            .unwrap()
            .push((event, id, thread::current().id()))
    }
}

/// T-88, as far as hooks tell: a task is spawned before it runs; it never runs twice at
/// once; each run ends before the next begins, on the thread where it began; nothing
/// comes after its end; and a thread runs one task at a time. What wakes a task is not
/// told.
#[test]
fn t88_runs_of_a_task_alternate_with_stops() {
    within(60, || {
        let log = Log::default();
        let rt = Builder::new()
            .procs(2)
            .on_task_spawn(hook(&log, Event::Spawn))
            .on_task_poll_start(hook(&log, Event::Start))
            .on_task_poll_stop(hook(&log, Event::Stop))
            .on_task_terminate(hook(&log, Event::End))
            .build()
            .unwrap();
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                rt.spawn(async move {
                    for round in 0..20 {
                        match (n + round) % 5 {
                            0 => yield_now().await,
                            1 => sleep(Duration::from_micros(50)).await,
                            2 => gmp::spawn(async {}).await.unwrap(),
                            3 => block_in_place(thread::yield_now),
                            // Past the time at which the P is taken away, now and then.
                            _ if round == 9 => thread::sleep(Duration::from_millis(15)),
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        rt.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        drop(rt);
        check(&log.lock().unwrap());
    });
}

fn check(log: &[(Event, u64, ThreadId)]) {
    let mut spawned = HashSet::new();
    let mut ended = HashSet::new();
    // Where a task runs, and what a thread runs.
    let mut runs = HashMap::new();
    let mut busy = HashMap::new();
    for &(event, id, thread) in log {
        assert!(!ended.contains(&id), "{event:?} of {id} after its end");
        match event {
            Event::Spawn => assert!(spawned.insert(id), "{id} is spawned twice"),
            Event::Start => {
                assert!(spawned.contains(&id), "{id} runs before its spawn");
                assert_eq!(runs.insert(id, thread), None, "{id} runs twice at once");
                assert_eq!(busy.insert(thread, id), None, "a thread with two tasks");
            }
            Event::Stop => {
                assert_eq!(runs.remove(&id), Some(thread), "{id} stops elsewhere");
                assert_eq!(busy.remove(&thread), Some(id));
            }
            Event::End => {
                assert!(!runs.contains_key(&id), "{id} ends while it runs");
                ended.insert(id);
            }
        }
    }
    assert!(runs.is_empty() && spawned == ended, "everything ended");
    assert!(log.len() > 64 * 20, "they all ran: {}", log.len());
}
