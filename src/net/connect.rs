//! Connecting without blocking.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::Location;

use gmp_reactor::{Direction, Drained};
use rustix::io::Errno;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};

use crate::async_io::Io;

/// A socket in non-blocking mode, closed on exec.
pub(super) fn socket(domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
    #[cfg(not(target_vendor = "apple"))]
    return Socket::new(domain, kind.nonblocking(), protocol);
    #[cfg(target_vendor = "apple")]
    {
        let socket = Socket::new(domain, kind, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// Connects `socket`, which is in non-blocking mode, and registers it.
///
/// Registered after the call: before it, the system reports a hang-up at once.
pub(super) async fn connect<S>(
    socket: Socket,
    addr: &SockAddr,
    location: &'static Location<'static>,
) -> io::Result<Io<S>>
where
    S: AsFd + From<OwnedFd>,
{
    let waits = match socket.connect(addr) {
        Ok(()) => false,
        Err(error) => match Errno::from_io_error(&error) {
            Some(Errno::INPROGRESS | Errno::INTR) => true,
            _ => return Err(error),
        },
    };
    let io = Io::new(S::from(OwnedFd::from(socket)))?;
    if waits {
        io.op(Direction::Write, location, || outcome(&io)).await?;
    }
    Ok(io)
}

/// Readiness to write may be false, and a socket without an error may still be
/// on its way: connected is what has a peer.
fn outcome(io: &impl AsFd) -> io::Result<((), Drained)> {
    let socket = SockRef::from(io);
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match rustix::net::getpeername(io) {
        Ok(_) => Ok(((), Drained::No)),
        Err(Errno::NOTCONN) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}
