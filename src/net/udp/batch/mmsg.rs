//! Linux's calls for several datagrams: `sendmmsg` and `recvmmsg`.

#![expect(
    unsafe_code,
    reason = "rustix has no such calls that give the senders' addresses"
)]

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

use socket2::{SockAddr, SockAddrStorage};

use super::{Datagram, DatagramBuf, MAX_BATCH};

const NO_PART: libc::iovec = libc::iovec {
    iov_base: ptr::null_mut(),
    iov_len: 0,
};

/// Headers without addresses, parts or control data.
fn headers() -> [libc::mmsghdr; MAX_BATCH] {
    // SAFETY: a header consists of numbers and of pointers that may be null.
    unsafe { mem::zeroed() }
}

/// The number that a call returned.
fn outcome(n: libc::c_int) -> io::Result<usize> {
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

pub(super) fn send(fd: &impl AsFd, datagrams: &[Datagram<'_>]) -> io::Result<usize> {
    let datagrams = &datagrams[..datagrams.len().min(MAX_BATCH)];
    let targets: [Option<SockAddr>; MAX_BATCH] =
        std::array::from_fn(|i| Some(SockAddr::from(datagrams.get(i)?.target?)));
    let mut parts = [NO_PART; MAX_BATCH];
    let mut headers = headers();
    for (i, datagram) in datagrams.iter().enumerate() {
        parts[i].iov_base = datagram.bytes.as_ptr().cast_mut().cast();
        parts[i].iov_len = datagram.bytes.len();
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = &raw mut parts[i];
        header.msg_iovlen = 1;
        if let Some(target) = &targets[i] {
            header.msg_name = target.as_ptr().cast_mut().cast();
            header.msg_namelen = target.len();
        }
    }
    let count = datagrams.len() as libc::c_uint;
    // SAFETY: the first `count` headers point to addresses, parts and bytes that live
    // until the end of this function with the lengths that stand beside them. The
    // kernel writes to none of those when it sends, but to the headers alone.
    let n = unsafe { libc::sendmmsg(fd.as_fd().as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    outcome(n)
}

pub(super) fn recv(fd: &impl AsFd, rooms: &mut [DatagramBuf<'_>]) -> io::Result<usize> {
    let count = rooms.len().min(MAX_BATCH);
    let rooms = &mut rooms[..count];
    let mut senders: [SockAddrStorage; MAX_BATCH] =
        std::array::from_fn(|_| SockAddrStorage::zeroed());
    let mut parts = [NO_PART; MAX_BATCH];
    let mut headers = headers();
    for (i, room) in rooms.iter_mut().enumerate() {
        parts[i].iov_base = room.buf.as_mut_ptr().cast();
        parts[i].iov_len = room.buf.len();
        let header = &mut headers[i].msg_hdr;
        header.msg_iov = &raw mut parts[i];
        header.msg_iovlen = 1;
        header.msg_namelen = senders[i].size_of();
        header.msg_name = (&raw mut senders[i]).cast();
    }
    // SAFETY: the first `count` headers point to addresses, parts and bytes that live
    // until the end of this function with the lengths that stand beside them, and
    // nobody else refers to what the kernel writes to. No time limit is given: the
    // socket does not block.
    let n = unsafe {
        libc::recvmmsg(
            fd.as_fd().as_raw_fd(),
            headers.as_mut_ptr(),
            count as libc::c_uint,
            0,
            ptr::null_mut(),
        )
    };
    let n = outcome(n)?;
    for ((room, header), sender) in rooms.iter_mut().zip(&headers).zip(senders).take(n) {
        room.len = (header.msg_len as usize).min(room.buf.len());
        room.truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        // SAFETY: the kernel has written an address of this length, which is not more
        // than there was room for; a length of 0 leaves the family at "none".
        let sender = unsafe { SockAddr::new(sender, header.msg_hdr.msg_namelen) };
        room.sender = sender.as_socket();
    }
    Ok(n)
}
