//! What does a new task cost, from spawn to completion?

use std::thread;

use crate::cell::Latch;
use crate::kit::scale::Scale;
use crate::measure::{Sample, measured};
use crate::runtime::Runtime;

/// Op: one task. All are spawned before the spawner waits, so with one worker all of them are alive at once.
pub(crate) async fn many<R: Runtime>(scale: Scale) -> Sample {
    measured(scale.pick(1_000_000, 200_000, 500), |tasks| async move {
        let done = Latch::new(tasks);
        for _ in 0..tasks {
            R::detach(async move { done.arrive() });
        }
        done.wait().await;
    })
    .await
}

/// Op: one task spawned and awaited.
pub(crate) async fn join<R: Runtime>(scale: Scale) -> Sample {
    measured(scale.pick(1_000_000, 200_000, 500), |tasks| async move {
        for i in 0..tasks {
            assert_eq!(
                R::spawn(async move { i }).await,
                i,
                "a join brings its own task's output"
            );
        }
    })
    .await
}

/// Op: one task.
pub(crate) async fn chained<R: Runtime>(scale: Scale) -> Sample {
    measured(scale.pick(1_000_000, 200_000, 500), |links| async move {
        let done = Latch::new(1);
        link::<R>(links, done);
        done.wait().await;
    })
    .await
}

fn link<R: Runtime>(left: u64, done: &'static Latch) {
    R::detach(async move {
        if left > 1 {
            link::<R>(left - 1, done)
        } else {
            done.arrive()
        }
    });
}

/// Op: one task, spawned by a thread that is no worker.
pub(crate) async fn external<R: Runtime>(scale: Scale) -> Sample {
    measured(scale.pick(1_000_000, 200_000, 500), |tasks| async move {
        let done = Latch::new(tasks);
        let handle = R::handle();
        let spawner = thread::spawn(move || {
            for _ in 0..tasks {
                R::detach_on(&handle, async move { done.arrive() });
            }
        });
        done.wait().await;
        spawner.join().expect("the spawning thread does not panic");
    })
    .await
}
