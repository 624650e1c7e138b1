//! Tokio: the multi-threaded scheduler and the single-threaded one.

use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinHandle;

use super::{Joined, LOOPBACK, Runtime};

/// Which of Tokio's schedulers runs the tasks.
pub(crate) trait Flavor: 'static {
    fn builder(workers: usize) -> runtime::Builder;
}

/// `worker_threads = workers`.
#[derive(Debug)]
pub(crate) struct MultiThread;

/// One thread, the one that calls `block_on`.
#[derive(Debug)]
pub(crate) struct CurrentThread;

impl Flavor for MultiThread {
    fn builder(workers: usize) -> runtime::Builder {
        let mut builder = runtime::Builder::new_multi_thread();
        builder.worker_threads(workers);
        builder
    }
}

impl Flavor for CurrentThread {
    fn builder(workers: usize) -> runtime::Builder {
        assert_eq!(workers, 1, "the current-thread scheduler has one thread");
        runtime::Builder::new_current_thread()
    }
}

#[derive(Debug)]
pub(crate) struct Tokio<F>(PhantomData<F>);

impl<S: Flavor> Runtime for Tokio<S> {
    type Handle = runtime::Handle;
    type Join<T: Send + 'static> = Joined<JoinHandle<T>>;
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Io = TokioIo<TcpStream>;

    fn run<F>(workers: usize, main: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let rt = S::builder(workers)
            .enable_all()
            .build()
            .expect("Tokio starts");
        rt.block_on(Joined(rt.spawn(main)))
    }

    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(tokio::spawn(future))
    }

    fn detach<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(tokio::spawn(future));
    }

    fn handle() -> Self::Handle {
        runtime::Handle::current()
    }

    fn detach_on<F>(handle: &Self::Handle, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(handle.spawn(future));
    }

    fn sleep(duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        tokio::time::sleep(duration)
    }

    fn yield_now() -> impl Future<Output = ()> + Send + 'static {
        tokio::task::yield_now()
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
        TokioIo::new(stream)
    }
}
