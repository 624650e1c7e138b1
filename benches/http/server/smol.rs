//! smol's global executor through smol-hyper.

use hyper::rt;
use smol::Async;
use smol::net::TcpListener;
use smol_hyper::rt::FuturesIo;

use super::{Plan, converse};

/// How many threads the global executor has.
pub(crate) const THREADS_VAR: &str = "SMOL_THREADS";

/// The global executor for hyper; smol-hyper has one for executors that are values.
#[derive(Clone, Copy, Debug)]
struct Global;

impl<F> rt::Executor<F> for Global
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        smol::spawn(future).detach();
    }
}

pub(super) fn run(plan: Plan) {
    let server = smol::spawn(async move {
        let listener = Async::new(plan.listener).expect("it can be registered");
        let listener = TcpListener::from(listener);
        loop {
            let (stream, _) = listener.accept().await.expect("it keeps accepting");
            stream.set_nodelay(true).expect("a TCP socket");
            smol::spawn(converse(
                FuturesIo::new(stream),
                Global,
                plan.protocol,
                plan.answer.clone(),
            ))
            .detach();
        }
    });
    smol::block_on(server)
}
