//! Tokio's scheduler with `worker_threads = workers`, through hyper-util's adaptors.

use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{Plan, converse};

pub(super) fn run(plan: Plan) {
    let rt = Builder::new_multi_thread()
        .worker_threads(plan.workers)
        .enable_all()
        .build()
        .expect("Tokio starts");
    let server = rt.spawn(async move {
        let listener = TcpListener::from_std(plan.listener).expect("it can be registered");
        loop {
            let (stream, _) = listener.accept().await.expect("it keeps accepting");
            stream.set_nodelay(true).expect("a TCP socket");
            drop(tokio::spawn(converse(
                TokioIo::new(stream),
                TokioExecutor::new(),
                plan.protocol,
                plan.answer.clone(),
            )));
        }
    });
    rt.block_on(server).expect("no panic")
}
