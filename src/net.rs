//! TCP, UDP and Unix sockets, by the names and shapes that users of Tokio know,
//! with the deadlines of Go's `net.Conn`.
//!
//! A socket belongs to the runtime on which it was made: this thread's, else the
//! global one. Operations are tried first and wait only after "would block", so a
//! request and its answer cost one read, one write and their share of one wait.
//! Streams implement `futures::io::{AsyncRead, AsyncWrite}`; with the feature
//! `hyper` also `hyper::rt::{Read, Write}`, with `tokio-io` also
//! `tokio::io::{AsyncRead, AsyncWrite}` (the traits, not the runtime).
//!
//! Several tasks may use a socket at once. Methods that are futures have a seat
//! each; the `poll_*` functions and the traits have one seat for each direction
//! together: of several tasks there, the last is woken.
//!
//! ```
//! use futures::io::{AsyncReadExt, AsyncWriteExt};
//! use gmp::net::{TcpListener, TcpStream};
//!
//! # fn main() -> std::io::Result<()> {
//! gmp::block_on(async {
//!     let listener = TcpListener::bind("127.0.0.1:0").await?;
//!     let addr = listener.local_addr()?;
//!     let echo = gmp::spawn(async move {
//!         let (stream, _peer) = listener.accept().await?;
//!         futures::io::copy(&stream, &mut &stream).await
//!     });
//!     let mut stream = TcpStream::connect(addr).await?;
//!     stream.write_all(b"hello").await?;
//!     stream.shutdown(std::net::Shutdown::Write)?;
//!     let mut answer = String::new();
//!     stream.read_to_string(&mut answer).await?;
//!     assert_eq!(answer, "hello");
//!     assert_eq!(echo.await.expect("no panic")?, 5);
//!     Ok(())
//! })
//! # }
//! ```

mod accept;
mod addr;
mod connect;
mod datagram;
mod options;
mod split;
mod stream;
pub mod tcp;
mod udp;
pub mod unix;

pub use self::addr::{LookupHost, ToSocketAddrs, lookup_host};
pub use self::split::ReuniteError;
pub use self::stream::StreamSocket;
pub use self::tcp::{TcpListener, TcpSocket, TcpStream};
pub use self::udp::{Datagram, DatagramBuf, UdpSocket};
pub use self::unix::{UnixDatagram, UnixListener, UnixStream};
