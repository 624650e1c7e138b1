//! Names to addresses. What needs no lookup is answered in place; a lookup runs
//! in a blocking section of its own task, so that no P waits for it.

use std::io;
use std::net::ToSocketAddrs as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::task::spawn_blocking;

/// What names one or several socket addresses: an address, a slice of them, a
/// text or a pair of host and port. Sealed: its way of answering may change.
pub trait ToSocketAddrs: Resolve {}

mod sealed {
    use super::Resolved;

    pub trait Resolve {
        fn resolve(&self) -> Resolved;
    }
}
use sealed::Resolve;

/// What an implementation of [`ToSocketAddrs`] says at once.
#[derive(Debug)]
pub enum Resolved {
    One(SocketAddr),
    Many(Vec<SocketAddr>),
    Lookup(String, u16),
    Wrong(&'static str),
}

/// The addresses behind a name. From [`lookup_host`].
#[derive(Clone, Debug)]
pub struct LookupHost {
    one: Option<SocketAddr>,
    many: std::vec::IntoIter<SocketAddr>,
}

impl LookupHost {
    fn new(one: Option<SocketAddr>, many: Vec<SocketAddr>) -> LookupHost {
        LookupHost {
            one,
            many: many.into_iter(),
        }
    }
}

impl Iterator for LookupHost {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.one.take().or_else(|| self.many.next())
    }
}

/// The addresses of `host`, in the system's order. Texts that are addresses
/// need no lookup; names go to the system's resolver on a thread that may block.
///
/// # Errors
/// The resolver's; `InvalidInput` for a text that is neither an address nor
/// `name:port`.
///
/// # Cancel safety
/// Yes; a lookup that has begun goes on by itself.
///
/// ```
/// # gmp::block_on(async {
/// let addrs: Vec<_> = gmp::net::lookup_host("127.0.0.1:80").await?.collect();
/// assert_eq!(addrs, ["127.0.0.1:80".parse().unwrap()]);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub fn lookup_host<A: ToSocketAddrs>(host: A) -> impl Future<Output = io::Result<LookupHost>> {
    let resolved = host.resolve();
    async move {
        match resolved {
            Resolved::One(addr) => Ok(LookupHost::new(Some(addr), Vec::new())),
            Resolved::Many(addrs) => Ok(LookupHost::new(None, addrs)),
            Resolved::Wrong(why) => Err(io::Error::new(io::ErrorKind::InvalidInput, why)),
            Resolved::Lookup(host, port) => {
                let lookup = spawn_blocking(move || (host.as_str(), port).to_socket_addrs());
                let many = lookup.await.map_err(io::Error::other)??;
                Ok(LookupHost::new(None, many.collect()))
            }
        }
    }
}

/// The first result of `attempt` that is not an error, over all addresses.
///
/// # Errors
/// The last attempt's; `InvalidInput` without any address.
pub(super) async fn try_each<A, R, F>(
    addrs: A,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<R>
where
    A: ToSocketAddrs,
    F: Future<Output = io::Result<R>>,
{
    let mut last = None;
    for addr in lookup_host(addrs).await? {
        match attempt(addr).await {
            Ok(result) => return Ok(result),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the name has no socket address",
        )
    }))
}

macro_rules! literal {
    ($($kind:ty),* $(,)?) => {
        $(
            impl ToSocketAddrs for $kind {}
            impl Resolve for $kind {
                fn resolve(&self) -> Resolved {
                    Resolved::One(SocketAddr::from(*self))
                }
            }
        )*
    };
}

literal! {
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16),
}

impl ToSocketAddrs for [SocketAddr] {}
impl Resolve for [SocketAddr] {
    fn resolve(&self) -> Resolved {
        Resolved::Many(self.to_vec())
    }
}

impl ToSocketAddrs for str {}
impl Resolve for str {
    fn resolve(&self) -> Resolved {
        if let Ok(addr) = self.parse() {
            return Resolved::One(addr);
        }
        let Some((host, port)) = self.rsplit_once(':') else {
            return Resolved::Wrong("the address has no port: write host:port");
        };
        match port.parse() {
            Ok(port) => Resolved::Lookup(host.to_owned(), port),
            Err(_) => Resolved::Wrong("the address has no valid port: write host:port"),
        }
    }
}

impl ToSocketAddrs for String {}
impl Resolve for String {
    fn resolve(&self) -> Resolved {
        self.as_str().resolve()
    }
}

impl ToSocketAddrs for (&str, u16) {}
impl Resolve for (&str, u16) {
    fn resolve(&self) -> Resolved {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Resolved::One(SocketAddr::new(ip, self.1)),
            Err(_) => Resolved::Lookup(self.0.to_owned(), self.1),
        }
    }
}

impl ToSocketAddrs for (String, u16) {}
impl Resolve for (String, u16) {
    fn resolve(&self) -> Resolved {
        (self.0.as_str(), self.1).resolve()
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {}
impl<T: ToSocketAddrs + ?Sized> Resolve for &T {
    fn resolve(&self) -> Resolved {
        (**self).resolve()
    }
}
