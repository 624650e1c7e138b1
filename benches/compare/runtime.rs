//! What a contender offers to the workloads.
//!
//! A workload is written once against [`Runtime`] and compiled for each back-end, so two runtimes differ only in what
//! they do and never in what they are asked. The surface is the smallest that the workloads need; nothing in it
//! favours one design (a join is a future, a stream is read and written, no buffer and no channel is supplied).

pub(crate) mod gmp;
pub(crate) mod smol;
pub(crate) mod tokio;

use std::fmt::Debug;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;

/// Where every listener of the workloads binds: loopback, a port of the system's choice.
pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// One contender.
pub(crate) trait Runtime: 'static {
    /// Spawns from a thread that the runtime does not own.
    type Handle: Send + 'static;
    /// Completes with the task's output; a panicked task panics the one who awaits it.
    type Join<T: Send + 'static>: Future<Output = T> + Send + 'static;
    type Listener: Send + Sync + 'static;
    type Stream: Send + 'static;
    /// A stream in the form hyper takes.
    type Io: hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static;

    /// Runs `main` as a *task* of a fresh runtime with `workers` threads (the root of `block_on` is privileged in some
    /// runtimes and foreign in others, so no workload ever runs there).
    fn run<F>(workers: usize, main: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    /// Spawns and lets go of the handle without cancelling the task.
    fn detach<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// The current runtime; called inside a task.
    fn handle() -> Self::Handle;

    fn detach_on<F>(handle: &Self::Handle, future: F)
    where
        F: Future<Output = ()> + Send + 'static;

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static;

    fn yield_now() -> impl Future<Output = ()> + Send + 'static;

    /// Binds to [`LOOPBACK`].
    fn bind() -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>> + Send;

    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    fn read(
        stream: &mut Self::Stream,
        buf: &mut [u8],
    ) -> impl Future<Output = io::Result<usize>> + Send;

    fn write_all(
        stream: &mut Self::Stream,
        buf: &[u8],
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// The socket below, for options.
    fn socket(stream: &Self::Stream) -> SockRef<'_>;

    fn hyper_io(stream: Self::Stream) -> Self::Io;
}

/// Turns a join that yields a `Result` into one that yields the task's output.
#[derive(Debug)]
pub(crate) struct Joined<J>(pub(crate) J);

impl<J, T, E> Future for Joined<J>
where
    J: Future<Output = Result<T, E>> + Unpin,
    E: Debug,
{
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|done| done.expect("a workload's task neither panics nor is aborted"))
    }
}
