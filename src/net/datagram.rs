//! Methods that both kinds of datagram socket have. A datagram socket says
//! nothing about the next datagram, so nothing here is ever "drained".

use std::io;

use gmp_reactor::Drained;

/// The outcome of one datagram's way.
pub(super) fn one<R>(result: io::Result<R>) -> io::Result<(R, Drained)> {
    result.map(|value| (value, Drained::No))
}

macro_rules! datagram_methods {
    () => {
        /// Waits until receiving is worth a try; as
        /// [`TcpStream::readable`](crate::net::TcpStream::readable).
        ///
        /// # Errors
        /// As there.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
            self.io.readiness(Direction::Read, Location::caller())
        }

        /// Waits until sending is worth a try.
        ///
        /// # Errors
        /// As [`readable`](Self::readable), with the write deadline.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn writable(&self) -> impl Future<Output = io::Result<()>> {
            self.io.readiness(Direction::Write, Location::caller())
        }

        /// As [`readable`](Self::readable), for hand-written futures.
        ///
        /// # Errors
        /// As there.
        #[track_caller]
        pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io
                .poll_readiness(Direction::Read, cx, Location::caller())
        }

        /// As [`writable`](Self::writable), for hand-written futures.
        ///
        /// # Errors
        /// As there.
        #[track_caller]
        pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io
                .poll_readiness(Direction::Write, cx, Location::caller())
        }

        /// Sends one datagram to the connected peer.
        ///
        /// # Errors
        /// The system's; `TimedOut` after the write deadline.
        ///
        /// # Cancel safety
        /// Yes: if the future is dropped, nothing was sent.
        #[track_caller]
        pub fn send(&self, buf: &[u8]) -> impl Future<Output = io::Result<usize>> {
            self.io.op(Direction::Write, Location::caller(), move || {
                one(self.io.get_ref().send(buf))
            })
        }

        /// As [`send`](Self::send), for hand-written futures.
        ///
        /// # Errors
        /// As there.
        #[track_caller]
        pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.io
                .poll_io(Direction::Write, cx, Location::caller(), || {
                    one(self.io.get_ref().send(buf))
                })
        }

        /// As [`send`](Self::send), without waiting.
        ///
        /// # Errors
        /// `WouldBlock`; the system's.
        pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
            self.io
                .try_io(Direction::Write, || one(self.io.get_ref().send(buf)))
        }

        /// Receives one datagram from the connected peer; what does not fit
        /// into `buf` is lost.
        ///
        /// # Errors
        /// The system's; `TimedOut` after the read deadline.
        ///
        /// # Cancel safety
        /// Yes: no datagram is lost.
        #[track_caller]
        pub fn recv(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            self.io.op(Direction::Read, Location::caller(), move || {
                one(self.io.get_ref().recv(buf))
            })
        }

        /// As [`recv`](Self::recv), for hand-written futures.
        ///
        /// # Errors
        /// As there.
        #[track_caller]
        pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.io
                .poll_io(Direction::Read, cx, Location::caller(), || {
                    one(self.io.get_ref().recv(buf))
                })
        }

        /// As [`recv`](Self::recv), without waiting.
        ///
        /// # Errors
        /// `WouldBlock`; the system's.
        pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
            self.io
                .try_io(Direction::Read, || one(self.io.get_ref().recv(buf)))
        }

        /// Receives one datagram and its sender's address; what does not fit
        /// into `buf` is lost.
        ///
        /// # Errors
        /// The system's; `TimedOut` after the read deadline.
        ///
        /// # Cancel safety
        /// Yes: no datagram is lost.
        #[track_caller]
        pub fn recv_from(
            &self,
            buf: &mut [u8],
        ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> {
            self.io.op(Direction::Read, Location::caller(), move || {
                one(self.io.get_ref().recv_from(buf))
            })
        }

        /// As [`recv_from`](Self::recv_from), for hand-written futures.
        ///
        /// # Errors
        /// As there.
        #[track_caller]
        pub fn poll_recv_from(
            &self,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<(usize, SocketAddr)>> {
            self.io
                .poll_io(Direction::Read, cx, Location::caller(), || {
                    one(self.io.get_ref().recv_from(buf))
                })
        }

        /// As [`recv_from`](Self::recv_from), without waiting.
        ///
        /// # Errors
        /// `WouldBlock`; the system's.
        pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
            self.io
                .try_io(Direction::Read, || one(self.io.get_ref().recv_from(buf)))
        }

        /// This end's address.
        ///
        /// # Errors
        /// The system's.
        pub fn local_addr(&self) -> io::Result<SocketAddr> {
            self.io.get_ref().local_addr()
        }

        /// The connected peer's address.
        ///
        /// # Errors
        /// The system's: `NotConnected`.
        pub fn peer_addr(&self) -> io::Result<SocketAddr> {
            self.io.get_ref().peer_addr()
        }

        /// The error that the system keeps for the socket, which it forgets.
        ///
        /// # Errors
        /// The system's, about the question.
        pub fn take_error(&self) -> io::Result<Option<io::Error>> {
            self.io.get_ref().take_error()
        }

        crate::async_io::interest_methods!(io);
        crate::async_io::deadline_methods!(io);
    };
}
pub(super) use datagram_methods;
