//! Unix sockets, and pipes.

mod datagram;
mod listener;
pub mod pipe;
mod stream;
#[cfg(target_os = "linux")]
mod ucred;

pub use std::os::unix::net::SocketAddr;

pub use self::datagram::UnixDatagram;
pub use self::listener::{Incoming, UnixListener};
pub use self::stream::UnixStream;
#[cfg(target_os = "linux")]
pub use self::ucred::UCred;

/// The half that [`UnixStream::split`] lends for reading.
pub type ReadHalf<'a> = super::split::ReadHalf<'a, UnixStream>;
/// The half that [`UnixStream::split`] lends for writing.
pub type WriteHalf<'a> = super::split::WriteHalf<'a, UnixStream>;
/// The reading half that [`UnixStream::into_split`] gives.
pub type OwnedReadHalf = super::split::OwnedReadHalf<UnixStream>;
/// The writing half that [`UnixStream::into_split`] gives.
pub type OwnedWriteHalf = super::split::OwnedWriteHalf<UnixStream>;
/// The error of [`OwnedReadHalf::reunite`]: two halves of different streams, given back.
pub type ReuniteError = super::split::ReuniteError<UnixStream>;
