//! What hyper-util's client asks of a connection.

use std::net::SocketAddr;

use hyper_util::client::legacy::connect::{Connected, Connection};

use super::Io;
use crate::net::{TcpStream, UnixStream};

/// The two ends of the connection that brought a response: in the response's
/// extensions, for clients with a [`Connector`](super::Connector).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpInfo {
    remote_addr: SocketAddr,
    local_addr: SocketAddr,
}

impl HttpInfo {
    /// The server's address.
    pub fn remote_addr(&self) -> SocketAddr {
        self.remote_addr
    }

    /// This end's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }
}

impl Connection for TcpStream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        // A connection that has broken already has no ends to tell of.
        match (self.peer_addr(), self.local_addr()) {
            (Ok(remote_addr), Ok(local_addr)) => connected.extra(HttpInfo {
                remote_addr,
                local_addr,
            }),
            _ => connected,
        }
    }
}

impl Connection for UnixStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl<S: Connection> Connection for Io<S> {
    fn connected(&self) -> Connected {
        self.get_ref().connected()
    }
}
