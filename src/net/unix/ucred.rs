//! Who is at the other end.

/// The user, group and process of a peer, as they were when it connected.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UCred {
    uid: u32,
    gid: u32,
    pid: Option<i32>,
}

impl UCred {
    pub(super) fn of(fd: &impl std::os::fd::AsFd) -> std::io::Result<UCred> {
        let found = rustix::net::sockopt::socket_peercred(fd)?;
        Ok(UCred {
            uid: found.uid.as_raw(),
            gid: found.gid.as_raw(),
            pid: Some(found.pid.as_raw_nonzero().get()),
        })
    }

    /// The user's number.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The group's number.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The process's number; `None` where the system does not tell.
    pub fn pid(&self) -> Option<i32> {
        self.pid
    }
}
