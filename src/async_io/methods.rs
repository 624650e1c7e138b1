//! Methods that every registered object has.

/// Go's three deadline setters, for a type whose field `$io` is an `Io`.
macro_rules! deadline_methods {
    ($io:ident) => {
        /// Sets the moment at which reads and writes that wait, and those that
        /// start later, fail with `TimedOut`; `None` means never, which is how
        /// it begins. Each call replaces the last, and lets operations go on
        /// again that it makes timely. A moment in the past ends them at once.
        ///
        /// The deadline is absolute and stays: set it anew for each operation
        /// or each request. It holds for every task that uses the object.
        pub fn set_deadline(&self, deadline: Option<$crate::time::Instant>) {
            self.set_read_deadline(deadline);
            self.set_write_deadline(deadline);
        }

        /// As [`set_deadline`](Self::set_deadline), for reads and accepts alone.
        pub fn set_read_deadline(&self, deadline: Option<$crate::time::Instant>) {
            self.$io
                .set_deadline(gmp_reactor::Direction::Read, deadline);
        }

        /// As [`set_deadline`](Self::set_deadline), for writes alone.
        pub fn set_write_deadline(&self, deadline: Option<$crate::time::Instant>) {
            self.$io
                .set_deadline(gmp_reactor::Direction::Write, deadline);
        }
    };
}
pub(crate) use deadline_methods;

/// Tokio's methods for system calls of one's own, for a type whose field `$io` is
/// an `Io`.
macro_rules! interest_methods {
    ($io:ident) => {
        /// Waits until a direction of `interest` is worth a try, and tells which
        /// ones are. That may be wrong, and stays so until an attempt by this crate
        /// says `WouldBlock`: use it with [`try_io`](Self::try_io) or the methods
        /// that try.
        ///
        /// # Errors
        /// `TimedOut` after the deadline of a direction that is asked for; an error
        /// of kind `Other` when the runtime has shut down.
        ///
        /// # Cancel safety
        /// Yes.
        ///
        /// ```
        /// use gmp::io::Interest;
        /// use gmp::net::UnixStream;
        ///
        /// # fn main() -> std::io::Result<()> {
        /// # gmp::block_on(async {
        /// let (near, far) = UnixStream::pair()?;
        /// far.try_write(b"hello")?;
        /// let mut buf = [0; 8];
        /// let n = loop {
        ///     let ready = near.ready(Interest::READABLE | Interest::WRITABLE).await?;
        ///     if ready.is_readable() {
        ///         match near.try_read(&mut buf) {
        ///             Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
        ///             result => break result?,
        ///         }
        ///     }
        /// };
        /// assert_eq!(&buf[..n], b"hello");
        /// # Ok(())
        /// # })
        /// # }
        /// ```
        #[track_caller]
        pub fn ready(
            &self,
            interest: $crate::io::Interest,
        ) -> impl Future<Output = std::io::Result<$crate::io::Ready>> {
            self.$io
                .either_ready(interest, std::panic::Location::caller())
        }

        /// The result of `op`, run once, if a direction of `interest` is thought
        /// ready. `op` makes a system call on this socket and says `WouldBlock` if
        /// that would have to wait: then the direction is not thought ready from
        /// there on. One for both directions uses whichever it can.
        ///
        /// # Errors
        /// `WouldBlock` if no direction is ready (`op` does not run) or if `op` says
        /// so; else as [`ready`](Self::ready), or those of `op`.
        pub fn try_io<R>(
            &self,
            interest: $crate::io::Interest,
            op: impl FnOnce() -> std::io::Result<R>,
        ) -> std::io::Result<R> {
            self.$io.try_either(interest, op)
        }

        /// The result of `op`, which is tried at once and whenever a direction of
        /// `interest` becomes ready, until it does not say `WouldBlock`.
        ///
        /// # Errors
        /// Those of `op` but `WouldBlock` and `Interrupted`; else as
        /// [`ready`](Self::ready).
        ///
        /// # Cancel safety
        /// Yes: if the future is dropped, `op` has not succeeded.
        #[track_caller]
        pub fn async_io<R>(
            &self,
            interest: $crate::io::Interest,
            op: impl FnMut() -> std::io::Result<R>,
        ) -> impl Future<Output = std::io::Result<R>> {
            self.$io
                .either(interest, std::panic::Location::caller(), op)
        }
    };
}
pub(crate) use interest_methods;
