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
