//! What can be served from.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::net::SocketAddr as UnixAddr;

use ::hyper::http::Extensions;
use ::hyper::rt::{Read, Write};

use crate::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A source of connections for [`serve`](super::serve()): TCP and Unix listeners
/// are, and so may be one of yours that does more with a connection before it is
/// served.
///
/// ```
/// use gmp::hyper::Listener;
/// use gmp::net::{TcpListener, TcpStream};
/// use std::{io, net::SocketAddr};
///
/// /// Skips strangers.
/// struct OnlyLocal(TcpListener);
///
/// impl Listener for OnlyLocal {
///     type Io = TcpStream;
///     type Addr = SocketAddr;
///
///     async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
///         loop {
///             let (stream, addr) = self.0.accept().await?;
///             if addr.ip().is_loopback() {
///                 return Ok((stream, addr));
///             }
///         }
///     }
/// }
/// ```
pub trait Listener: Send + 'static {
    /// A connection.
    type Io: Read + Write + Unpin + Send + 'static;

    /// Its peer's address, and whatever else the one who makes its service should
    /// know; what `Debug` makes of it is part of the name of the connection's task.
    type Addr: Clone + fmt::Debug + Send + 'static;

    /// The next connection. What takes long, such as a handshake, belongs into
    /// the connection: nobody else is accepted meanwhile.
    ///
    /// # Errors
    /// Those of the system; see [`serve`](super::serve()) for what becomes of
    /// them.
    ///
    /// # Cancel safety
    /// An implementation has to be: the future is dropped when the server is
    /// told to stop.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Addr)>> + Send;

    /// Adds what the extensions of every request on this connection shall have.
    /// It is called once, before the connection's first byte. Nothing is added by
    /// itself; a listener around another one asks that.
    fn annotate(io: &Self::Io, extensions: &mut Extensions) {
        let _ = (io, extensions);
    }
}

/// Connections send small writes at once (`TCP_NODELAY`): hyper gathers what
/// belongs together by itself.
impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, addr) = TcpListener::accept(self).await?;
        // A peer that has gone already is found out by the first read.
        let _ = stream.set_nodelay(true);
        Ok((stream, addr))
    }
}

/// On Linux every request has the peer's user, group and process in its extensions: a
/// [`UCred`](crate::net::unix::UCred).
impl Listener for UnixListener {
    type Io = UnixStream;
    type Addr = UnixAddr;

    async fn accept(&mut self) -> io::Result<(UnixStream, UnixAddr)> {
        UnixListener::accept(self).await
    }

    #[cfg(target_os = "linux")]
    fn annotate(io: &UnixStream, extensions: &mut Extensions) {
        if let Ok(cred) = io.peer_cred() {
            extensions.insert(cred);
        }
    }
}

/// A connection that has just been accepted, as the one who makes its service
/// sees it.
pub struct IncomingStream<L: Listener> {
    addr: L::Addr,
    extensions: Extensions,
}

impl<L: Listener> IncomingStream<L> {
    pub(super) fn new(addr: L::Addr, extensions: Extensions) -> IncomingStream<L> {
        IncomingStream { addr, extensions }
    }

    /// The peer's address.
    pub fn remote_addr(&self) -> &L::Addr {
        &self.addr
    }

    /// What every request of the connection will carry: see
    /// [`Listener::annotate`].
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }
}

impl<L: Listener> fmt::Debug for IncomingStream<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IncomingStream")
            .field("remote_addr", &self.addr)
            .field("extensions", &self.extensions)
            .finish()
    }
}
