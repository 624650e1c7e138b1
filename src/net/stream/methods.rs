//! Methods that both kinds of stream have.

macro_rules! stream_methods {
    ($type:ident, $halves:ident) => {
        /// Two halves for one task, which may read and write at once.
        ///
        /// While `futures::io::AsyncReadExt` is in scope, `stream.split()` finds
        /// that trait's method of the same name; name the type to get this one:
        #[doc = concat!("`", stringify!($type), "::split(&mut stream)`.")]
        pub fn split(&mut self) -> ($halves::ReadHalf<'_>, $halves::WriteHalf<'_>) {
            crate::net::split::borrowed(self)
        }

        /// Two halves that can go to two tasks.
        pub fn into_split(self) -> ($halves::OwnedReadHalf, $halves::OwnedWriteHalf) {
            crate::net::split::owned(self)
        }

        /// Waits until reading is worth a try: data, the end of the stream, or
        /// an error may be there. It may also be wrong, and stays so until a
        /// read by this crate says `WouldBlock`: use it with
        /// [`try_read`](Self::try_read).
        ///
        /// # Errors
        /// `TimedOut` after the read deadline; an error of kind `Other` when the
        /// runtime has shut down.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn readable(&self) -> impl Future<Output = io::Result<()>> {
            self.io.readiness(Direction::Read, Location::caller())
        }

        /// Waits until writing is worth a try; as [`readable`](Self::readable).
        ///
        /// # Errors
        /// `TimedOut` after the write deadline; as there.
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
        pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io
                .poll_readiness(Direction::Read, cx, Location::caller())
        }

        /// As [`writable`](Self::writable), for hand-written futures.
        ///
        /// # Errors
        /// As there.
        #[track_caller]
        pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.io
                .poll_readiness(Direction::Write, cx, Location::caller())
        }

        /// Reads what is there; 0 is the end of the stream.
        ///
        /// # Errors
        /// `WouldBlock` if nothing is there; else the system's.
        pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
            self.io.try_io(Direction::Read, || recv(&self.io, buf))
        }

        /// As [`try_read`](Self::try_read), into several buffers.
        ///
        /// # Errors
        /// As there.
        pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            self.io
                .try_io(Direction::Read, || recv_vectored(&self.io, bufs))
        }

        /// Writes what there is room for.
        ///
        /// # Errors
        /// `WouldBlock` if there is none; else the system's.
        pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
            self.io.try_io(Direction::Write, || send(&self.io, buf))
        }

        /// As [`try_write`](Self::try_write), from several buffers.
        ///
        /// # Errors
        /// As there.
        pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
            self.io
                .try_io(Direction::Write, || send_vectored(&self.io, bufs))
        }

        /// Copies the bytes that come next without taking them; 0 is the end
        /// of the stream.
        ///
        /// # Errors
        /// The system's; `TimedOut` after the read deadline.
        ///
        /// # Cancel safety
        /// Yes.
        #[track_caller]
        pub fn peek(&self, buf: &mut [u8]) -> impl Future<Output = io::Result<usize>> {
            self.io.op(Direction::Read, Location::caller(), move || {
                peek(&self.io, buf)
            })
        }

        /// Ends one direction or both, for every owner of the socket.
        ///
        /// # Errors
        /// The system's.
        pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
            self.io.get_ref().shutdown(how)
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
pub(crate) use stream_methods;
