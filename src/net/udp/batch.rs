//! Several datagrams at once: one system call where the kernel has one for it, else
//! a loop over one at a time, with the same results.

#[cfg(target_os = "linux")]
mod mmsg;

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::Location;

use gmp_reactor::Direction;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags};

use super::UdpSocket;
use crate::net::datagram::one;

/// The most datagrams that go with one call: what their headers need stays on the
/// stack, and the share of the call in the cost of each is small already.
const MAX_BATCH: usize = 32;

/// A datagram to be sent with [`UdpSocket::send_batch`].
///
/// ```
/// use gmp::net::Datagram;
///
/// let ping = Datagram::to(b"ping", "192.0.2.1:9".parse().unwrap());
/// assert_eq!(ping.bytes(), b"ping");
/// assert!(Datagram::new(b"to the connected peer").target().is_none());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    bytes: &'a [u8],
    target: Option<SocketAddr>,
}

impl<'a> Datagram<'a> {
    /// To the peer that the socket is connected to.
    pub const fn new(bytes: &'a [u8]) -> Datagram<'a> {
        Datagram {
            bytes,
            target: None,
        }
    }

    /// To `target`.
    pub const fn to(bytes: &'a [u8], target: SocketAddr) -> Datagram<'a> {
        Datagram {
            bytes,
            target: Some(target),
        }
    }

    /// What is sent.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// To whom; `None` is the connected peer.
    pub const fn target(&self) -> Option<SocketAddr> {
        self.target
    }
}

/// Room for a datagram that [`UdpSocket::recv_batch`] receives, and what came. It
/// can be used over and over.
///
/// ```
/// let mut buf = [0; 1500];
/// let room = gmp::net::DatagramBuf::new(&mut buf);
/// assert!(room.bytes().is_empty() && room.sender().is_none());
/// ```
#[derive(Debug)]
pub struct DatagramBuf<'a> {
    buf: &'a mut [u8],
    len: usize,
    sender: Option<SocketAddr>,
    truncated: bool,
}

impl<'a> DatagramBuf<'a> {
    /// Room for `buf.len()` bytes.
    pub const fn new(buf: &'a mut [u8]) -> DatagramBuf<'a> {
        DatagramBuf {
            buf,
            len: 0,
            sender: None,
            truncated: false,
        }
    }

    /// The datagram that came last, as far as there was room for it.
    pub fn bytes(&self) -> &[u8] {
        &self.buf[..self.len]
    }

    /// As [`bytes`](Self::bytes), to be changed in place.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buf[..self.len]
    }

    /// Who sent it.
    pub const fn sender(&self) -> Option<SocketAddr> {
        self.sender
    }

    /// Whether it was longer than the room, and its end is lost.
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }
}

impl UdpSocket {
    /// Sends the first of `datagrams`, and as many of those that follow as go at
    /// once; returns their number. On Linux that is one system call.
    ///
    /// If k of them went and the next did not, for want of room or with an error,
    /// the result is k and the error is not told: go on with `&datagrams[k..]`,
    /// which meets it as its first. An error therefore means that nothing of this
    /// batch was sent. No more than 32 go with one call. An empty batch is sent at
    /// once, as 0.
    ///
    /// # Errors
    /// Those of the first datagram: the system's, `InvalidInput` for an address that
    /// cannot be; `TimedOut` after the write deadline.
    ///
    /// # Cancel safety
    /// Yes: if the future is dropped, nothing was sent.
    ///
    /// ```
    /// use gmp::net::{Datagram, DatagramBuf, UdpSocket};
    ///
    /// # gmp::block_on(async {
    /// let server = UdpSocket::bind("127.0.0.1:0").await?;
    /// let client = UdpSocket::bind("127.0.0.1:0").await?;
    /// let addr = server.local_addr()?;
    ///
    /// let out = [b"one", b"two"].map(|bytes| Datagram::to(bytes, addr));
    /// let mut sent = 0;
    /// while sent < out.len() {
    ///     sent += client.send_batch(&out[sent..]).await?;
    /// }
    ///
    /// let mut bufs = [[0; 1500]; 8];
    /// let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
    /// let n = server.recv_batch(&mut rooms).await?;
    /// assert!(n >= 1);
    /// assert_eq!(rooms[0].bytes(), b"one");
    /// assert_eq!(rooms[0].sender(), Some(client.local_addr()?));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn send_batch(
        &self,
        datagrams: &[Datagram<'_>],
    ) -> impl Future<Output = io::Result<usize>> {
        let location = Location::caller();
        async move {
            if datagrams.is_empty() {
                return Ok(0);
            }
            let send = || one(send(&self.io, datagrams));
            self.io.op(Direction::Write, location, send).await
        }
    }

    /// As [`send_batch`](Self::send_batch), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if the first does not go; else as there.
    pub fn try_send_batch(&self, datagrams: &[Datagram<'_>]) -> io::Result<usize> {
        if datagrams.is_empty() {
            return Ok(0);
        }
        self.io
            .try_io(Direction::Write, || one(send(&self.io, datagrams)))
    }

    /// Waits for a datagram, and receives those that are there into the first of
    /// `rooms`, in the order in which they came; returns their number. On Linux that
    /// is one system call for all of them. The rooms after those are as they were.
    ///
    /// What does not fit into its room is lost, which
    /// [`is_truncated`](DatagramBuf::is_truncated) tells. If k came and then an
    /// error of the socket's, the result is k, and the next call has the error. No
    /// more than 32 come with one call. No room at all is filled at once, as 0.
    ///
    /// # Errors
    /// The system's; `TimedOut` after the read deadline.
    ///
    /// # Cancel safety
    /// Yes: no datagram is lost.
    #[track_caller]
    pub fn recv_batch(
        &self,
        rooms: &mut [DatagramBuf<'_>],
    ) -> impl Future<Output = io::Result<usize>> {
        let location = Location::caller();
        async move {
            if rooms.is_empty() {
                return Ok(0);
            }
            let recv = || one(recv(&self.io, rooms));
            self.io.op(Direction::Read, location, recv).await
        }
    }

    /// As [`recv_batch`](Self::recv_batch), without waiting.
    ///
    /// # Errors
    /// `WouldBlock` if nothing is there; else as there.
    pub fn try_recv_batch(&self, rooms: &mut [DatagramBuf<'_>]) -> io::Result<usize> {
        if rooms.is_empty() {
            return Ok(0);
        }
        self.io
            .try_io(Direction::Read, || one(recv(&self.io, rooms)))
    }
}

#[cfg(target_os = "linux")]
use self::mmsg::{recv, send};
#[cfg(not(target_os = "linux"))]
use self::{recv_each as recv, send_each as send};

/// Sends one after the other until one does not go.
#[cfg_attr(
    all(target_os = "linux", not(test)),
    expect(dead_code, reason = "for kernels without a call for several")
)]
fn send_each(fd: &impl AsFd, datagrams: &[Datagram<'_>]) -> io::Result<usize> {
    each(datagrams, |datagram| {
        match datagram.target {
            Some(target) => {
                rustix::net::sendto(fd, datagram.bytes, SendFlags::empty(), &target)?;
            }
            None => {
                rustix::net::send(fd, datagram.bytes, SendFlags::empty())?;
            }
        }
        Ok(())
    })
}

/// Receives one after the other until none is left.
#[cfg_attr(
    all(target_os = "linux", not(test)),
    expect(dead_code, reason = "for kernels without a call for several")
)]
fn recv_each(fd: &impl AsFd, rooms: &mut [DatagramBuf<'_>]) -> io::Result<usize> {
    each(rooms, |room| {
        let mut parts = [IoSliceMut::new(room.buf)];
        let mut no_control = RecvAncillaryBuffer::default();
        let came = rustix::net::recvmsg(fd, &mut parts, &mut no_control, RecvFlags::empty())?;
        room.len = came.bytes;
        room.sender = came.address.and_then(|addr| addr.try_into().ok());
        room.truncated = came.flags.contains(ReturnFlags::TRUNC);
        Ok(())
    })
}

/// How many went before one did not; the error only if that was the first.
fn each<T>(
    items: impl IntoIterator<Item = T>,
    mut go: impl FnMut(T) -> io::Result<()>,
) -> io::Result<usize> {
    let mut done = 0;
    for item in items.into_iter().take(MAX_BATCH) {
        match go(item) {
            Ok(()) => done += 1,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::{SocketAddr, UdpSocket};

    use super::{Datagram, DatagramBuf, MAX_BATCH, recv, recv_each, send, send_each};

    fn pair() -> (UdpSocket, UdpSocket, SocketAddr) {
        let [near, far] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a port"));
        for socket in [&near, &far] {
            socket.set_nonblocking(true).expect("a socket");
        }
        let addr = far.local_addr().expect("bound");
        (near, far, addr)
    }

    type Send = fn(&UdpSocket, &[Datagram<'_>]) -> io::Result<usize>;
    type Recv = fn(&UdpSocket, &mut [DatagramBuf<'_>]) -> io::Result<usize>;

    /// What this system uses, and what others use: they agree in everything.
    const WAYS: [(Send, Recv); 2] = [
        (|fd, out| send(fd, out), |fd, rooms| recv(fd, rooms)),
        (
            |fd, out| send_each(fd, out),
            |fd, rooms| recv_each(fd, rooms),
        ),
    ];

    /// Receives `wanted` datagrams, in as many calls as it takes: a kernel under load
    /// may let them arrive late, even here.
    fn fill(recv: Recv, socket: &UdpSocket, rooms: &mut [DatagramBuf<'_>], wanted: usize) {
        let mut done = 0;
        while done < wanted {
            match recv(socket, &mut rooms[done..]) {
                Ok(n) => {
                    assert!((1..=MAX_BATCH).contains(&n), "{n}");
                    done += n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(done, wanted);
    }

    #[test]
    fn both_ways_carry_bytes_senders_and_truncation() {
        for (send, recv) in WAYS {
            let (near, far, addr) = pair();
            let sender = near.local_addr().expect("bound");
            let out = [&b"one"[..], b"", b"too long"].map(|bytes| Datagram::to(bytes, addr));
            assert_eq!(send(&near, &out).expect("sent"), 3);
            let mut bufs = [[9; 5]; 4];
            let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
            fill(recv, &far, &mut rooms, 3);
            let got = rooms
                .each_ref()
                .map(|room| (room.bytes(), room.is_truncated()));
            let want = [
                (&b"one"[..], false),
                (b"", false),
                (b"too l", true),
                (b"", false),
            ];
            assert_eq!(got, want);
            let senders = rooms.each_ref().map(DatagramBuf::sender);
            assert_eq!(senders, [Some(sender), Some(sender), Some(sender), None]);
            let error = recv(&far, &mut rooms).expect_err("nothing is left");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        }
    }

    #[test]
    fn both_ways_tell_how_many_went_before_an_error() {
        for (send, recv) in WAYS {
            let (near, far, addr) = pair();
            let large = vec![0; 70_000];
            let mut out = [Datagram::to(b"small", addr); 4];
            out[2] = Datagram::to(&large, addr);
            assert_eq!(send(&near, &out).expect("two of them"), 2);
            let error = send(&near, &out[2..]).expect_err("too large");
            assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
            assert_eq!(send(&near, &out[3..]).expect("the last"), 1);
            let mut bufs = [[0; 5]; 2];
            let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
            // No room for more.
            fill(recv, &far, &mut rooms, 2);
            fill(recv, &far, &mut rooms, 1);
        }
    }

    #[test]
    fn both_ways_take_no_more_than_a_batch() {
        for (send, recv) in WAYS {
            let (near, far, addr) = pair();
            near.connect(addr).expect("a peer");
            let out = [Datagram::new(b"x"); MAX_BATCH + 1];
            assert_eq!(send(&near, &out).expect("sent"), MAX_BATCH);
            assert_eq!(send(&near, &out[MAX_BATCH..]).expect("sent"), 1);
            let mut bufs = [[0; 1]; MAX_BATCH + 1];
            let mut rooms = bufs.each_mut().map(|buf| DatagramBuf::new(buf));
            fill(recv, &far, &mut rooms[..MAX_BATCH], MAX_BATCH);
            assert!(rooms[MAX_BATCH].sender().is_none());
            fill(recv, &far, &mut rooms[MAX_BATCH..], 1);
        }
    }

    #[test]
    fn both_ways_know_ipv6() {
        let Ok(far) = UdpSocket::bind("[::1]:0") else {
            return;
        };
        for (send, recv) in WAYS {
            let near = UdpSocket::bind("[::1]:0").expect("a port");
            let addr = far.local_addr().expect("bound");
            assert_eq!(send(&near, &[Datagram::to(b"six", addr)]).expect("sent"), 1);
            let mut buf = [0; 8];
            let mut rooms = [DatagramBuf::new(&mut buf)];
            fill(recv, &far, &mut rooms, 1);
            assert_eq!(rooms[0].bytes(), b"six");
            assert_eq!(rooms[0].sender(), near.local_addr().ok());
        }
    }
}
