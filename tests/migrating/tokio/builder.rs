//! A runtime made by hand.

// snippet
use tokio::runtime::{Builder, Runtime};

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(4)
        .max_blocking_threads(100)
        .thread_name("svc")
        .enable_all()
        .build()
}
// end

pub(super) fn started() -> Runtime {
    runtime().expect("a runtime")
}
