//! `Async`: pipes, eventfds, and what cannot be waited for.

#![expect(unsafe_code, reason = "names a descriptor that is not open")]

#[path = "support/no_sources.rs"]
mod no_sources;

use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::Async;
use gmp::runtime::{Builder, Handle};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

/// Runs `test` on one P and on two, and then finds no source left.
fn on_each(test: impl AsyncFn()) {
    no_sources::on_each([1, 2], test);
}

#[test]
fn a_pipe_is_read_and_written() {
    on_each(async || {
        let (reader, writer) = std::io::pipe().unwrap();
        let (mut reader, mut writer) = (Async::new(reader).unwrap(), Async::new(writer).unwrap());
        let sent = vec![5; 1 << 20];
        let copy = sent.clone();
        let write = gmp::spawn(async move { writer.write_all(&copy).await });
        let mut got = Vec::new();
        reader.read_to_end(&mut got).await.unwrap();
        write.await.unwrap().unwrap();
        assert!(got == sent, "the bytes differ");
    });
}

/// A short read from a pipe says nothing: more may be there.
#[test]
fn a_short_read_of_an_unknown_kind_is_not_the_end() {
    on_each(async || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut reader = Async::new(reader).unwrap();
        for size in [1, 3, 16, 64] {
            writer.write_all(&[1; 16]).unwrap();
            let mut buf = vec![0; size];
            let mut got = 0;
            while got < 16 {
                got += reader.read(&mut buf).await.unwrap();
            }
        }
        assert_eq!(reader.read(&mut []).await.unwrap(), 0);
    });
}

#[test]
fn an_eventfd_wakes_every_task_that_waits() {
    on_each(async || {
        let event = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
        let event = Arc::new(Async::new(event).unwrap());
        let waits: Vec<_> = (0..20)
            .map(|_| {
                let event = event.clone();
                gmp::spawn(async move { event.readable().await })
            })
            .collect();
        gmp::task::yield_now().await;
        let put = |event: &OwnedFd| Ok(rustix::io::write(event, &1_u64.to_ne_bytes())?);
        assert_eq!(event.write_with(put).await.unwrap(), 8);
        for wait in waits {
            wait.await.unwrap().unwrap();
        }
        let mut count = [0; 8];
        let take = |event: &OwnedFd| Ok(rustix::io::read(event, &mut count)?);
        assert_eq!(event.read_with(take).await.unwrap(), 8);
        assert_eq!(u64::from_ne_bytes(count), 1);
    });
}

/// Reading past `read_with` tells nobody that the buffer is empty; waiting must
/// not spin or return for ever.
#[test]
fn readable_looks_at_the_descriptor_itself() {
    on_each(async || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = Async::new(reader).unwrap();
        for _ in 0..100 {
            assert!(futures::poll!(std::pin::pin!(reader.readable())).is_pending());
            writer.write_all(b"xyz").unwrap();
            reader.readable().await.unwrap();
            let mut behind_our_back = reader.get_ref();
            assert_eq!(behind_our_back.read(&mut [0; 8]).unwrap(), 3);
        }
        drop(writer);
        reader.readable().await.expect("the end is readable");
    });
}

#[test]
fn cancelled_waits_leave_nothing() {
    on_each(async || {
        let (reader, _writer) = std::io::pipe().unwrap();
        let reader = Async::new(reader).unwrap();
        for _ in 0..100_000 {
            let mut wait = std::pin::pin!(reader.readable());
            assert!(futures::poll!(&mut wait).is_pending());
        }
        assert_eq!(Handle::current().reactor().waiters(), 0);
    });
}

#[test]
fn what_cannot_be_waited_for_is_refused_and_closed() {
    on_each(async || {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        let kept = Arc::new(file);
        let error = Async::new(kept.clone()).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::PERM));
        assert_eq!(Arc::strong_count(&kept), 1, "the refused source is dropped");
        let flags = rustix::fs::fcntl_getfl(&kept).unwrap();
        assert!(!flags.contains(rustix::fs::OFlags::NONBLOCK));

        // SAFETY: no system hands out this number, so nothing is borrowed
        let closed = unsafe { BorrowedFd::borrow_raw(i32::MAX) };
        let error = Async::new(closed).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::BADF));
        assert_eq!(Handle::current().reactor().sources(), 0);
    });
}

#[test]
fn a_descriptor_is_registered_once_at_a_time() {
    on_each(async || {
        let (reader, mut writer) = std::io::pipe().unwrap();
        for round in 0..3 {
            let first = Async::new(reader.as_fd()).unwrap();
            let error = Async::new(reader.as_fd()).unwrap_err();
            assert_eq!(Errno::from_io_error(&error), Some(Errno::EXIST));
            writer.write_all(&[round]).unwrap();
            first.readable().await.unwrap();
            let mut buf = [0; 8];
            let mut io = &reader;
            assert_eq!(io.read(&mut buf).unwrap(), 1);
        }
        let again = Async::new(reader).unwrap();
        drop(again.into_inner().unwrap());
    });
}

/// Breaks the promise of `AsFd`: shows one descriptor first, another later.
struct Liar {
    first: OwnedFd,
    later: OwnedFd,
    lies: Cell<bool>,
}

impl AsFd for Liar {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.lies.get() {
            false => self.first.as_fd(),
            true => self.later.as_fd(),
        }
    }
}

#[test]
fn an_owner_that_swaps_its_descriptor_does_not_hurt_strangers() {
    let runtime = Builder::new().procs(1).build().unwrap();
    runtime.block_on(async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stranger = reader.try_clone().unwrap();
        let (first, later) = std::io::pipe().unwrap();
        let liar = Async::new(Liar {
            first: first.into(),
            later: stranger.into(),
            lies: Cell::new(false),
        })
        .unwrap();
        let honest = Async::new(reader).unwrap();
        liar.get_ref().lies.set(true);
        drop(liar);
        drop(later);
        assert!(futures::poll!(std::pin::pin!(honest.readable())).is_pending());
        writer.write_all(b"x").unwrap();
        honest.readable().await.unwrap();
    });
}

#[test]
fn errors_of_the_operation_come_back() {
    on_each(async || {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer = Async::new(writer).unwrap();
        drop(reader);
        writer.writable().await.expect("an error is an answer");
        let error = writer
            .write_with(|mut pipe| pipe.write(b"x"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}
