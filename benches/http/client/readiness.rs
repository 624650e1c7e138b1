//! Which connections have something to read: epoll as it is, one system call a wait; elsewhere `poll`.

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) use self::epoll::Readiness;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) use self::poll::Readiness;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod epoll {
    use std::io;
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::buffer::spare_capacity;
    use rustix::event::Timespec;
    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

    /// Levels, not edges: what a read leaves behind is reported again.
    pub(in super::super) struct Readiness {
        epoll: OwnedFd,
        events: Vec<Event>,
    }

    impl Readiness {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self {
                epoll: epoll::create(CreateFlags::CLOEXEC)?,
                events: Vec::with_capacity(256),
            })
        }

        pub(in super::super) fn add(&mut self, stream: &TcpStream, i: usize) -> io::Result<()> {
            let data = EventData::new_u64(i as u64);
            Ok(epoll::add(&self.epoll, stream, data, EventFlags::IN)?)
        }

        /// Nothing, after so long.
        pub(in super::super) fn wait(&mut self, patience: Duration) -> io::Result<Vec<usize>> {
            let patience = Timespec::try_from(patience).expect("some seconds fit");
            self.events.clear();
            let room = spare_capacity(&mut self.events);
            epoll::wait(&self.epoll, room, Some(&patience))?;
            let ready = self.events.iter().map(|event| {
                // Copied out: the kernel's layout is packed.
                let data = event.data;
                data.u64() as usize
            });
            Ok(ready.collect())
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod poll {
    use std::io;
    use std::net::TcpStream;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec};

    pub(in super::super) struct Readiness {
        streams: Vec<(usize, TcpStream)>,
    }

    impl Readiness {
        pub(in super::super) fn new() -> io::Result<Self> {
            Ok(Self {
                streams: Vec::new(),
            })
        }

        pub(in super::super) fn add(&mut self, stream: &TcpStream, i: usize) -> io::Result<()> {
            self.streams.push((i, stream.try_clone()?));
            Ok(())
        }

        /// Nothing, after so long.
        pub(in super::super) fn wait(&mut self, patience: Duration) -> io::Result<Vec<usize>> {
            let patience = Timespec::try_from(patience).expect("some seconds fit");
            let mut fds: Vec<_> = self
                .streams
                .iter()
                .map(|(_, stream)| PollFd::new(stream, PollFlags::IN))
                .collect();
            rustix::event::poll(&mut fds, Some(&patience))?;
            let ready = fds.iter().zip(&self.streams);
            Ok(ready
                .filter(|(fd, _)| !fd.revents().is_empty())
                .map(|(_, (i, _))| *i)
                .collect())
        }
    }
}
