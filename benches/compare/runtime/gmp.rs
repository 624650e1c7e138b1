//! gmp with `workers` Ps and everything else as it comes, or without the hand-off.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{TcpListener, TcpStream};
use gmp::runtime;
use gmp::task::JoinHandle;
use socket2::SockRef;

use super::{Joined, LOOPBACK, Runtime};

/// Set in a process whose runtime is to keep its Ps where they are.
pub(crate) const FIXED_VAR: &str = "GMP_COMPARE_FIXED";

#[derive(Debug)]
pub(crate) struct Gmp;

impl Runtime for Gmp {
    type Handle = runtime::Handle;
    type Join<T: Send + 'static> = Joined<JoinHandle<T>>;
    type Listener = TcpListener;
    type Stream = TcpStream;
    type Io = TcpStream;

    fn run<F>(workers: usize, main: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let rt = runtime::Builder::new()
            .procs(workers)
            .handoff(std::env::var_os(FIXED_VAR).is_none())
            .build()
            .expect("gmp starts");
        let main = rt.spawn(main);
        rt.block_on(Joined(main))
    }

    fn spawn<F>(future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Joined(gmp::spawn(future))
    }

    fn detach<F>(future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(gmp::spawn(future));
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

    async fn sleep(duration: Duration) {
        gmp::time::sleep(duration).await;
    }

    async fn yield_now() {
        gmp::task::yield_now().await;
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
        stream
    }
}
