//! Which directions of a socket are meant.

use std::fmt;
use std::ops::BitOr;

const READ: u8 = 1;
const WRITE: u8 = 2;
const READ_END: u8 = 4;
const WRITE_END: u8 = 8;

/// The directions that a caller asks for: reading, writing, or both.
///
/// ```
/// use gmp::io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert!(!Interest::READABLE.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Reading, receiving, accepting.
    pub const READABLE: Interest = Interest(READ);
    /// Writing, sending.
    pub const WRITABLE: Interest = Interest(WRITE);

    /// Both directions of both.
    #[must_use]
    pub const fn add(self, other: Interest) -> Interest {
        Interest(self.0 | other.0)
    }

    /// Whether reading is meant.
    pub const fn is_readable(self) -> bool {
        self.0 & READ != 0
    }

    /// Whether writing is meant.
    pub const fn is_writable(self) -> bool {
        self.0 & WRITE != 0
    }
}

impl BitOr for Interest {
    type Output = Interest;

    fn bitor(self, other: Interest) -> Interest {
        self.add(other)
    }
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ready(self.0).fmt(f)
    }
}

/// The directions in which something is worth a try, and those that have ended.
///
/// An end is what the system knows of it: the system is asked once it has announced
/// one, and does not announce every one. A `false` is no promise; the operation
/// itself tells.
///
/// ```
/// use gmp::io::Interest;
/// use gmp::net::UnixStream;
///
/// # gmp::block_on(async {
/// let (near, far) = UnixStream::pair()?;
/// far.try_write(b"last words")?;
/// drop(far);
/// let ready = near.ready(Interest::READABLE).await?;
/// assert!(ready.is_readable() && ready.is_read_closed());
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ready(u8);

impl Ready {
    /// None.
    pub const EMPTY: Ready = Ready(0);
    /// Reading: data, the end of the stream, or an error may be there.
    pub const READABLE: Ready = Ready(READ);
    /// Writing.
    pub const WRITABLE: Ready = Ready(WRITE);
    /// Nothing more will come; what has come may still be read.
    pub const READ_CLOSED: Ready = Ready(READ_END);
    /// Nothing can be written any more.
    pub const WRITE_CLOSED: Ready = Ready(WRITE_END);

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether reading is worth a try, as it is after the end.
    pub const fn is_readable(self) -> bool {
        self.0 & (READ | READ_END) != 0
    }

    /// Whether writing is worth a try, as it is after the end: for the error.
    pub const fn is_writable(self) -> bool {
        self.0 & (WRITE | WRITE_END) != 0
    }

    /// Whether nothing more will come: the peer has shut its writing side down or is
    /// gone, or this end has shut down reading. What has come may still be read.
    pub const fn is_read_closed(self) -> bool {
        self.0 & READ_END != 0
    }

    /// Whether nothing can be written any more: both directions were shut down, the
    /// peer of a Unix socket is gone, or an error ended the connection. One's own
    /// `shutdown` of the writing side alone is not told, nor is a TCP peer that is
    /// gone before something was written to it.
    pub const fn is_write_closed(self) -> bool {
        self.0 & WRITE_END != 0
    }
}

impl BitOr for Ready {
    type Output = Ready;

    fn bitor(self, other: Ready) -> Ready {
        Ready(self.0 | other.0)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (READ, "READABLE"),
            (WRITE, "WRITABLE"),
            (READ_END, "READ_CLOSED"),
            (WRITE_END, "WRITE_CLOSED"),
        ];
        let mut between = "";
        for (_, name) in names.into_iter().filter(|(bit, _)| self.0 & bit != 0) {
            write!(f, "{between}{name}")?;
            between = " | ";
        }
        match self.is_empty() {
            true => f.write_str("EMPTY"),
            false => Ok(()),
        }
    }
}
