//! smol: its global executor as users get it, and the same threads round async-executor's `StaticExecutor`.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use async_executor::StaticExecutor;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use smol::{Task, Timer, future};
use smol_hyper::rt::FuturesIo;
use socket2::SockRef;

use super::{LOOPBACK, Runtime};

/// The environment variable that sizes smol's global executor; read once, at its first use.
pub(crate) const THREADS_VAR: &str = "SMOL_THREADS";

/// Which executor runs the tasks.
pub(crate) trait Exec: 'static {
    /// Brings up `workers` threads.
    fn start(workers: usize);

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;
}

/// `smol::spawn`.
#[derive(Debug)]
pub(crate) struct Global;

/// A `StaticExecutor`, which keeps no list of its tasks.
#[derive(Debug)]
pub(crate) struct Static;

static STATIC: StaticExecutor = StaticExecutor::new();

impl Exec for Global {
    fn start(workers: usize) {
        let threads = std::env::var(THREADS_VAR).ok().and_then(|n| n.parse().ok());
        assert_eq!(
            threads,
            Some(workers),
            "the parent process sizes smol through {THREADS_VAR}"
        );
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        smol::spawn(future)
    }
}

impl Exec for Static {
    fn start(workers: usize) {
        for _ in 0..workers {
            thread::spawn(|| smol::block_on(STATIC.run(future::pending::<()>())));
        }
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        STATIC.spawn(future)
    }
}

#[derive(Debug)]
pub(crate) struct Smol<E>(PhantomData<E>);

impl<E: Exec> Runtime for Smol<E> {
    type Handle = ();
    type Join<T: Send + 'static> = Task<T>;
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Io = FuturesIo<TcpStream>;

    fn run<F>(workers: usize, main: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        E::start(workers);
        smol::block_on(E::spawn(main))
    }

    fn spawn<F>(future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        E::spawn(future)
    }

    fn detach<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        E::spawn(future).detach();
    }

    fn handle() -> Self::Handle {}

    fn detach_on<F>((): &Self::Handle, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        E::spawn(future).detach();
    }

    async fn sleep(duration: Duration) {
        Timer::after(duration).await;
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        future::yield_now()
    }

    async fn bind() -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind(LOOPBACK).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        listener.accept().await.map(|(stream, _)| stream)
    }

    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<TcpStream>> + Send {
        TcpStream::connect(addr)
    }

    async fn read(stream: &mut TcpStream, buf: &mut [u8]) -> io::Result<usize> {
        stream.read(buf).await
    }

    async fn write_all(stream: &mut TcpStream, buf: &[u8]) -> io::Result<()> {
        stream.write_all(buf).await
    }

    fn socket(stream: &TcpStream) -> SockRef<'_> {
        SockRef::from(stream)
    }

    fn hyper_io(stream: TcpStream) -> Self::Io {
        FuturesIo::new(stream)
    }
}
