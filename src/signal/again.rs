//! The second request to end: once the first was heard, and nobody listens any more,
//! the signal does what the system has it do.

#![expect(
    unsafe_code,
    reason = "installs a signal handler, which ends the process"
)]

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gmp_reactor::Origin;
use rustix::time::{ClockId, clock_gettime};

use super::SignalKind;

/// By which a process is asked to end.
pub(super) const REQUESTS: [SignalKind; 2] = [SignalKind::interrupt(), SignalKind::terminate()];

/// How many listen to each.
static LISTENERS: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

/// When the last request was heard, in nanoseconds of the system's clock; 0 is never.
static HEARD: AtomicU64 = AtomicU64::new(0);

/// What wrappers such as a container's init do: they pass on a ctrl-c that the terminal
/// has sent to the whole group.
const SAME: Duration = Duration::from_millis(200);

/// Counts a listener as long as it lives.
pub(super) struct Listens(Option<&'static AtomicUsize>);

impl Listens {
    pub(super) fn to(kind: SignalKind) -> Listens {
        let count = REQUESTS.iter().position(|request| *request == kind);
        let count = count.map(|at| &LISTENERS[at]);
        if let Some(count) = count {
            count.fetch_add(1, Ordering::Relaxed); // ord: nothing else is read by it
        }
        Listens(count)
    }
}

impl Drop for Listens {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Ordering::Relaxed); // ord: as above
        }
    }
}

/// A request was heard: from now on one that nobody listens to ends the process.
pub(super) fn heard() -> io::Result<()> {
    static HANDLERS: OnceLock<()> = OnceLock::new();
    HEARD.store(now(), Ordering::Relaxed); // ord: the handlers need nothing else
    if HANDLERS.set(()).is_ok() {
        for (kind, listeners) in REQUESTS.into_iter().zip(&LISTENERS) {
            let number = kind.as_raw();
            let origin = Origin::here();
            let again = move || {
                // ord: both are all that is read
                let listened = listeners.load(Ordering::Relaxed) > 0;
                let heard = HEARD.load(Ordering::Relaxed);
                if listened || origin.is_elsewhere() || is_same(heard, now()) {
                    return;
                }
                // SAFETY: both are safe in a signal handler. The signal waits until this
                // one has returned, and ends the process then.
                unsafe {
                    libc::signal(number, libc::SIG_DFL);
                    libc::raise(number);
                }
            };
            // SAFETY: it makes system calls alone; the registry keeps errno as it was.
            unsafe { signal_hook_registry::register(number, again) }?;
        }
    }
    Ok(())
}

fn is_same(heard: u64, now: u64) -> bool {
    u128::from(now.saturating_sub(heard)) < SAME.as_nanos()
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = now.tv_sec.cast_unsigned();
    seconds * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_close_after_the_first_is_the_same_request() {
        let ms = 1_000_000;
        assert!(is_same(5 * ms, 5 * ms));
        assert!(is_same(5 * ms, 204 * ms));
        assert!(!is_same(5 * ms, 205 * ms));
        // Read before it was stored.
        assert!(is_same(5 * ms, 4 * ms));
    }
}
