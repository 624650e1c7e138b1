//! Holding threads on CPUs: on Linux; elsewhere nothing is held.

/// Holds the calling thread, and with it what it starts, on one CPU; drop sets it free.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct Pinned {
    before: rustix::thread::CpuSet,
    second: rustix::thread::CpuSet,
}

#[cfg(target_os = "linux")]
impl Pinned {
    /// `None` where fewer than two CPUs may be used.
    pub(crate) fn to_first() -> Option<Self> {
        use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
        let before = sched_getaffinity(None).ok()?;
        let mut cpus = (0..CpuSet::MAX_CPU)
            .filter(|&cpu| before.is_set(cpu))
            .map(|cpu| {
                let mut only = CpuSet::new();
                only.set(cpu);
                only
            });
        let (first, second) = (cpus.next()?, cpus.next()?);
        sched_setaffinity(None, &first).ok()?;
        Some(Self { before, second })
    }

    pub(crate) fn move_to_second(&self) {
        rustix::thread::sched_setaffinity(None, &self.second)
            .expect("the CPU was in the set a moment ago");
    }
}

#[cfg(target_os = "linux")]
impl Drop for Pinned {
    fn drop(&mut self) {
        // The set was valid before; should it have shrunk since, the next run is pinned as this one was.
        let _shrunk = rustix::thread::sched_setaffinity(None, &self.before);
    }
}

/// Nothing is pinned where the system has no call for it.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct Pinned;

#[cfg(not(target_os = "linux"))]
impl Pinned {
    pub(crate) fn to_first() -> Option<Self> {
        None
    }

    pub(crate) fn move_to_second(&self) {}
}
