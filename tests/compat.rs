//! Libraries that need a Tokio runtime, inside gmp tasks, on one P and on two.

#![expect(unsafe_code, reason = "forks")]

#[path = "support/certificate.rs"]
mod certificate;
#[path = "support/child.rs"]
mod child;
#[path = "compat/context.rs"]
mod context;
#[path = "compat/fork.rs"]
mod fork;
#[path = "support/forked.rs"]
mod forked;
#[path = "compat/grpc.rs"]
mod grpc;
#[path = "compat/http.rs"]
mod http;
#[path = "compat/io.rs"]
mod io;
#[path = "support/own_process.rs"]
mod own_process;
#[path = "compat/present.rs"]
mod present;
#[path = "compat/sql.rs"]
mod sql;
#[path = "compat/start.rs"]
mod start;
#[path = "compat/streams.rs"]
mod streams;
#[path = "support/watchdog.rs"]
mod watchdog;

use gmp::runtime::{Builder, Handle};

use own_process::passed_alone;
use watchdog::within;

/// Runs `test` as a task on one P and on two, and then finds no task left.
fn on_each<F, T>(test: F)
where
    F: Fn() -> T + Copy + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    for procs in [1, 2] {
        within(60, move || {
            let runtime = Builder::new().procs(procs).build().unwrap();
            runtime.block_on(async {
                let before = Handle::current().num_tasks();
                gmp::spawn(test()).await.unwrap();
                while Handle::current().num_tasks() > before {
                    gmp::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            });
        });
    }
}

/// Runs `test` in a process of its own, for the test `name`.
fn alone(name: &str, test: fn()) {
    if !passed_alone(name) {
        within(60, test);
    }
}
