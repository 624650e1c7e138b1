//! TCP.

mod listener;
mod socket;
mod stream;

pub use self::listener::{Incoming, TcpListener};
pub use self::socket::TcpSocket;
pub use self::stream::TcpStream;

/// The half that [`TcpStream::split`] lends for reading.
pub type ReadHalf<'a> = super::split::ReadHalf<'a, TcpStream>;
/// The half that [`TcpStream::split`] lends for writing.
pub type WriteHalf<'a> = super::split::WriteHalf<'a, TcpStream>;
/// The reading half that [`TcpStream::into_split`] gives.
pub type OwnedReadHalf = super::split::OwnedReadHalf<TcpStream>;
/// The writing half that [`TcpStream::into_split`] gives.
pub type OwnedWriteHalf = super::split::OwnedWriteHalf<TcpStream>;
/// The error of [`OwnedReadHalf::reunite`]: two halves of different streams, given back.
pub type ReuniteError = super::split::ReuniteError<TcpStream>;
