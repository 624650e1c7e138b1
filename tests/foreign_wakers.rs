//! Sockets that are waited for through wakers of others, as within a join, a select
//! or a protocol's state machine: whoever polls for events wakes such a task
//! indirectly, and must not overlook it.

#[path = "support/watchdog.rs"]
mod watchdog;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use futures::stream::{FuturesUnordered, StreamExt};
use gmp::net::UnixStream;
use gmp::runtime::Builder;

/// Awaits `future` with the waker of a set around that of the task.
async fn behind_a_set<T>(future: impl Future<Output = T>) -> T {
    let mut set: FuturesUnordered<_> = std::iter::once(future).collect();
    set.next().await.expect("one future")
}

async fn bounce(mut stream: UnixStream, rounds: usize) {
    let mut byte = [0];
    for _ in 0..rounds {
        stream.write_all(b"x").await.unwrap();
        behind_a_set(stream.read_exact(&mut byte)).await.unwrap();
    }
}

#[test]
fn a_task_behind_anothers_waker_runs_when_its_socket_is_ready() {
    for procs in [1, 2] {
        watchdog::within(60, move || {
            let runtime = Builder::new().procs(procs).build().unwrap();
            for pairs in [1, 2, 8] {
                let tasks: Vec<_> = (0..pairs)
                    .flat_map(|_| {
                        let (one, other) = runtime.block_on(async { UnixStream::pair().unwrap() });
                        [one, other].map(|end| runtime.spawn(bounce(end, 500)))
                    })
                    .collect();
                for task in tasks {
                    runtime.block_on(task).unwrap();
                }
            }
        });
    }
}
