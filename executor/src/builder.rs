//! The knobs of a runtime, checked when it is built.

use std::io;
use std::time::Duration;

use gmp_reactor::{Reactor, starting};

use crate::clock::nanos;
use crate::deadlock::OnDeadlock;
use crate::handle::Handle;
use crate::panics::PanicPolicy;
use crate::probe::TaskPanic;
use crate::runtime::Runtime;
use crate::sched::{Config, Hooks, MAX_PROCS, Rules, Sched};
use crate::sync::Arc;
use crate::{fence, procs, sysmon, throw};

/// Smallest stack of an M: a poll, a panic and its unwinding.
const MIN_STACK: usize = 64 * 1024;

/// Builds a [`Runtime`]. Every knob has Go's default; nothing is checked before
/// [`Builder::build`], which names a knob that cannot be.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let rt = gmp_executor::Builder::new().procs(2).thread_name("svc").build()?;
/// assert_eq!(rt.block_on(async { 6 * 7 }), 42);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    procs: Option<usize>,
    max_threads: usize,
    thread_name: String,
    stack_size: Option<usize>,
    keep_alive: Option<Duration>,
    time_slice: Duration,
    handoff: bool,
    rules: Rules,
    seed: Option<u64>,
    panic_policy: Option<PanicPolicy>,
    hooks: Hooks,
}

impl Builder {
    /// All knobs at their defaults.
    pub fn new() -> Builder {
        Builder {
            procs: None,
            max_threads: 10_000,
            thread_name: "gmp".to_owned(),
            stack_size: None,
            keep_alive: None,
            time_slice: Duration::from_millis(10),
            handoff: true,
            rules: Rules::Default,
            seed: None,
            panic_policy: None,
            hooks: Hooks::default(),
        }
    }

    /// How many tasks run at the same moment (Go's GOMAXPROCS), 1 to 1024.
    /// Default: the environment's `GMP_PROCS`, else what the cgroup's quota and
    /// the CPU affinity allow.
    pub fn procs(mut self, n: usize) -> Builder {
        self.procs = Some(n);
        self
    }

    /// Most threads at a time, blocked ones included; default 10 000, as Go's.
    /// When all are in use, tasks wait; the runtime warns once. A `block_on` inside a
    /// task keeps that task's thread: whoever nests them needs a thread for each, and one
    /// more for what they wait for.
    pub fn max_threads(mut self, n: usize) -> Builder {
        self.max_threads = n;
        self
    }

    /// Threads are named `name-1`, `name-2`, …; default `gmp`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.thread_name = name.into();
        self
    }

    /// Bytes of stack of each thread, at least 65 536; default is std's.
    pub fn thread_stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// How long a thread without work stays; default: for ever, as in Go.
    pub fn thread_keep_alive(mut self, time: Duration) -> Builder {
        self.keep_alive = Some(time);
        self
    }

    /// How long tasks that wake each other may keep a P before they are asked to
    /// give way; default 10 ms.
    pub fn time_slice(mut self, time: Duration) -> Builder {
        self.time_slice = time;
        self
    }

    /// Whether the P of a poll that blocks or computes past its slice goes on
    /// without it; default true. Blocking sections hand theirs off in any case.
    pub fn handoff(mut self, on: bool) -> Builder {
        self.handoff = on;
        self
    }

    /// The rule set; default [`Rules::Default`].
    pub fn rules(mut self, rules: Rules) -> Builder {
        self.rules = rules;
        self
    }

    /// The seed of every random choice; default: the environment's `GMP_SEED`,
    /// else random.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = Some(seed);
        self
    }

    /// Called on each thread before it runs tasks.
    pub fn on_thread_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Builder {
        self.hooks.thread_start = Some(Box::new(f));
        self
    }

    /// Called on each thread when it ends.
    pub fn on_thread_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Builder {
        self.hooks.thread_stop = Some(Box::new(f));
        self
    }

    /// Called with the id of each task when it is spawned, by the spawner.
    pub fn on_task_spawn(mut self, f: impl Fn(u64) + Send + Sync + 'static) -> Builder {
        self.hooks.task_spawn = Some(Box::new(f));
        self
    }

    /// Called with the id of each task when it has ended.
    pub fn on_task_terminate(mut self, f: impl Fn(u64) + Send + Sync + 'static) -> Builder {
        self.hooks.task_terminate = Some(Box::new(f));
        self
    }

    /// Called with the id of a task before each of its polls, on the thread that
    /// polls it. Polls of a `block_on`'s own future are not told. Without this and
    /// [`on_task_poll_stop`](Builder::on_task_poll_stop) a poll costs nothing more.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let polls = Arc::new(AtomicUsize::new(0));
    /// let count = polls.clone();
    /// let rt = gmp_executor::Builder::new()
    ///     .on_task_poll_start(move |_id| {
    ///         count.fetch_add(1, Ordering::Relaxed);
    ///     })
    ///     .build()?;
    /// rt.block_on(rt.spawn(async {})).expect("no panic");
    /// assert_eq!(polls.load(Ordering::Relaxed), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_task_poll_start(mut self, f: impl Fn(u64) + Send + Sync + 'static) -> Builder {
        self.hooks.poll_start = Some(Box::new(f));
        self
    }

    /// Called with the id of a task after each of its polls, the last one and one
    /// that panicked included, on the same thread as
    /// [`on_task_poll_start`](Builder::on_task_poll_start).
    pub fn on_task_poll_stop(mut self, f: impl Fn(u64) + Send + Sync + 'static) -> Builder {
        self.hooks.poll_stop = Some(Box::new(f));
        self
    }

    /// What happens when a task panics; default: the environment's
    /// `GMP_DEBUG=panic=log|abort|shutdown`, else [`PanicPolicy::Log`].
    ///
    /// * `Log`: the task's handle gets the panic in its [`JoinError`]. If nobody
    ///   awaits it, it is told on stderr in Go's form: at once if the task has no
    ///   handle any more, else when the handle is dropped. With a
    ///   [`panic_handler`](Builder::panic_handler) nothing is printed.
    /// * `Abort`: the text, whoever has the handle, then the end of the process.
    /// * `Shutdown`: the text, whoever has the handle, then the end of this
    ///   runtime: its tasks are dropped, and each `block_on` on it, present or
    ///   later, panics with a text that names the task and its panic. With
    ///   `#[gmp::main]` that ends the process with status 101.
    ///
    /// A panic that a task catches itself (`gmp::profiler::catch_panic`) is not
    /// concerned, nor one in `block_on`'s own future, which goes on in the caller.
    /// The process's panic hook, std's or yours, is called for each panic where it
    /// happens, and is never replaced.
    ///
    /// ```
    /// use std::future::pending;
    /// use std::panic::{AssertUnwindSafe, catch_unwind};
    ///
    /// use gmp_executor::{Builder, PanicPolicy};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let rt = Builder::new().panic_policy(PanicPolicy::Shutdown).build()?;
    /// rt.spawn(async { panic!("out of sync") });
    /// let ended = catch_unwind(AssertUnwindSafe(|| rt.block_on(pending::<()>())));
    /// let reason = ended.unwrap_err();
    /// assert!(reason.downcast_ref::<String>().is_some_and(|text| text.ends_with("out of sync")));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`JoinError`]: crate::JoinError
    pub fn panic_policy(mut self, policy: PanicPolicy) -> Builder {
        self.panic_policy = Some(policy);
        self
    }

    /// Called when a task panics, before its handle learns of it. Who sets one is
    /// told of every panic, so [`PanicPolicy::Log`] prints none.
    pub fn panic_handler(mut self, f: impl Fn(&TaskPanic<'_>) + Send + Sync + 'static) -> Builder {
        self.hooks.panic_handler = Some(Box::new(f));
        self
    }

    /// Starts the runtime: one thread (sysmon) now, the others when there is
    /// work for them.
    ///
    /// # Errors
    /// `InvalidInput` for a knob or an environment variable that cannot be, by
    /// name; else the system's error: no descriptors for the poller, no thread.
    pub fn build(self) -> io::Result<Runtime> {
        let debug = Debug::from_env()?;
        let config = Config {
            procs: self.checked_procs()?,
            max_threads: self.checked_threads()?,
            stack_size: self.checked_stack()?,
            time_slice: self.checked_slice()?,
            seed: self.checked_seed()?,
            rules: self.rules,
            thread_name: self.thread_name,
            keep_alive: self.keep_alive,
            handoff: self.handoff,
            auto_procs: self.procs.is_none() && std::env::var_os("GMP_PROCS").is_none(),
            on_deadlock: debug.on_deadlock,
            panic_policy: self.panic_policy.unwrap_or(debug.panic_policy),
            schedtrace: debug.schedtrace,
            scheddetail: debug.scheddetail,
        };
        if config.thread_name.contains('\0') {
            return Err(invalid(format!(
                "thread_name({:?}) takes a text without NUL",
                config.thread_name
            )));
        }
        if config.max_threads < config.procs {
            return Err(invalid(format!(
                "max_threads({}) is less than procs({}): each P needs a thread",
                config.max_threads, config.procs
            )));
        }
        fence::register();
        let stack_size = config.stack_size;
        let name = format!("{}-sysmon", config.thread_name);
        let sched = Arc::new(Sched::new(config, self.hooks, Reactor::new()?));
        let mut thread = std::thread::Builder::new().name(name);
        if let Some(size) = stack_size {
            thread = thread.stack_size(size);
        }
        let sysmon = thread.spawn({
            let sched = sched.clone();
            starting(move || throw::or_throw(&sched.clone(), || sysmon::run(sched)))
        })?;
        sched.lock().inner.threads.push(sysmon);
        crate::handle::enlist(&sched);
        Ok(Runtime::of(Handle::new(sched)))
    }

    fn checked_procs(&self) -> io::Result<u32> {
        let takes = format!("a number from 1 to {MAX_PROCS}");
        let n = match (self.procs, std::env::var_os("GMP_PROCS")) {
            (Some(n), _) => n,
            (None, Some(text)) => match text.to_str().and_then(|text| text.trim().parse().ok()) {
                Some(n) => n,
                None => {
                    return Err(invalid(format!(
                        "GMP_PROCS={} takes {takes}",
                        text.display()
                    )));
                }
            },
            (None, None) => procs::allowed() as usize,
        };
        match u32::try_from(n) {
            Ok(procs) if (1..=MAX_PROCS).contains(&n) => Ok(procs),
            _ if self.procs.is_some() => Err(invalid(format!("procs({n}) takes {takes}"))),
            _ => Err(invalid(format!("GMP_PROCS={n} takes {takes}"))),
        }
    }

    fn checked_threads(&self) -> io::Result<u32> {
        u32::try_from(self.max_threads)
            .ok()
            .filter(|&n| n > 0)
            .ok_or_else(|| {
                invalid(format!(
                    "max_threads({}) takes 1 to 4294967295",
                    self.max_threads
                ))
            })
    }

    fn checked_stack(&self) -> io::Result<Option<usize>> {
        match self.stack_size {
            Some(n) if n < MIN_STACK => Err(invalid(format!(
                "thread_stack_size({n}) takes at least {MIN_STACK} bytes"
            ))),
            size => Ok(size),
        }
    }

    fn checked_slice(&self) -> io::Result<u64> {
        if self.time_slice < Duration::from_micros(100) {
            return Err(invalid(format!(
                "time_slice({:?}) takes at least 100 microseconds",
                self.time_slice
            )));
        }
        Ok(nanos(self.time_slice))
    }

    fn checked_seed(&self) -> io::Result<u64> {
        match (self.seed, std::env::var_os("GMP_SEED")) {
            (Some(seed), _) => Ok(seed),
            (None, Some(text)) => text
                .to_str()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| {
                    invalid(format!(
                        "GMP_SEED={} takes a number below 2^64",
                        text.display()
                    ))
                }),
            (None, None) => Ok(fastrand::u64(..)),
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// The settings of `GMP_DEBUG=name=value,…`; unknown names are for others.
struct Debug {
    schedtrace: Option<Duration>,
    scheddetail: bool,
    on_deadlock: OnDeadlock,
    panic_policy: PanicPolicy,
}

impl Debug {
    fn from_env() -> io::Result<Debug> {
        let mut debug = Debug::parse(&std::env::var("GMP_DEBUG").unwrap_or_default())?;
        // A variable of its own, too, for whoever has something else in the other.
        let own = std::env::var("GMP_DEADLOCK").ok();
        if let Some(wanted) = own.as_deref().and_then(OnDeadlock::parse) {
            debug.on_deadlock = wanted;
        }
        Ok(debug)
    }

    fn parse(text: &str) -> io::Result<Debug> {
        let value = |name: &str| {
            text.split(',')
                .filter_map(|item| item.split_once('='))
                .filter(|(key, _)| key.trim() == name)
                .find_map(|(_, value)| value.trim().parse::<u64>().ok())
                .filter(|&n| n > 0)
        };
        Ok(Debug {
            schedtrace: value("schedtrace").map(Duration::from_millis),
            scheddetail: value("scheddetail").is_some(),
            on_deadlock: text
                .split(',')
                .filter_map(|item| item.trim().strip_prefix("deadlock="))
                .find_map(OnDeadlock::parse)
                .unwrap_or_default(),
            panic_policy: panic_policy(text)?,
        })
    }
}

/// Unlike a diagnostic, a policy that was misspelt must not be taken for none.
fn panic_policy(text: &str) -> io::Result<PanicPolicy> {
    let mut values = text
        .split(',')
        .filter_map(|item| item.trim().strip_prefix("panic="));
    let Some(value) = values.next() else {
        return Ok(PanicPolicy::default());
    };
    PanicPolicy::parse(value.trim()).ok_or_else(|| {
        invalid(format!(
            "GMP_DEBUG=panic={value} takes log, abort or shutdown"
        ))
    })
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("procs", &self.procs)
            .field("max_threads", &self.max_threads)
            .field("thread_name", &self.thread_name)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use super::{Builder, Debug, PanicPolicy};

    #[test]
    fn knobs_that_cannot_be_are_named() {
        let table = [
            (Builder::new().procs(0), "procs(0)"),
            (Builder::new().procs(1025), "procs(1025)"),
            (
                Builder::new().procs(1).thread_stack_size(1),
                "thread_stack_size(1)",
            ),
            (Builder::new().procs(4).max_threads(2), "max_threads(2)"),
            (Builder::new().procs(1).max_threads(0), "max_threads(0)"),
            (
                Builder::new().procs(1).time_slice(Duration::ZERO),
                "time_slice(0ns)",
            ),
        ];
        for (builder, name) in table {
            let error = builder.build().expect_err(name);
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn debug_settings_are_read() {
        let debug = Debug::parse("leak=1, schedtrace=500,scheddetail=1").expect("legal");
        assert_eq!(debug.schedtrace, Some(Duration::from_millis(500)));
        assert!(debug.scheddetail);
        assert_eq!(debug.panic_policy, PanicPolicy::Log);
        let debug = Debug::parse("schedtrace=x,panic=abort").expect("legal");
        assert_eq!(debug.schedtrace, None);
        assert_eq!(debug.panic_policy, PanicPolicy::Abort);
        let Err(error) = Debug::parse("panic=quiet") else {
            panic!("there is no such policy")
        };
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains("GMP_DEBUG=panic=quiet"),
            "{error}"
        );
    }
}
