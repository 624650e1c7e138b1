//! The first line of a server's output, in which it says where it listens.

use std::net::SocketAddr;

const LISTENING: &str = "listening";

/// Says so, in the server.
pub(crate) fn tell(addr: SocketAddr) {
    println!("{LISTENING} {addr}");
}

/// Reads the line that a server has said.
pub(crate) fn read(line: &str) -> Result<SocketAddr, String> {
    line.trim()
        .strip_prefix(LISTENING)
        .and_then(|addr| addr.trim().parse().ok())
        .ok_or_else(|| format!("the server says {line:?} and not where it listens"))
}
