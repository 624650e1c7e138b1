//! gmp: its streams are hyper's as they are.

use gmp::hyper::Executor;
use gmp::net::TcpListener;
use gmp::runtime::{Builder, Runtime};

use super::{Plan, converse};

fn runtime(workers: usize) -> Runtime {
    Builder::new().procs(workers).build().expect("gmp starts")
}

/// A task a connection and nothing else, as the other runtimes have it.
pub(super) fn run(plan: Plan) {
    let rt = runtime(plan.workers);
    let server = rt.spawn(async move {
        let listener = TcpListener::from_std(plan.listener).expect("it can be registered");
        loop {
            let (stream, _) = listener.accept().await.expect("it keeps accepting");
            stream.set_nodelay(true).expect("a TCP socket");
            drop(gmp::spawn(converse(
                stream,
                Executor,
                plan.protocol,
                plan.answer.clone(),
            )));
        }
    });
    rt.block_on(server).expect("no panic")
}

/// [`gmp::hyper::serve`] as it comes.
pub(super) fn serve(plan: Plan) {
    let rt = runtime(plan.workers);
    let server = rt.spawn(async move {
        let listener = TcpListener::from_std(plan.listener).expect("it can be registered");
        gmp::hyper::serve(listener, move |_| plan.answer.clone()).await
    });
    let served = rt.block_on(server).expect("no panic");
    panic!("it has stopped serving: {served:?}");
}
