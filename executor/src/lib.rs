//! The scheduler of gmp: G, M, P and the rules by which Go runs goroutines.
//!
//! Users take the `gmp` crate; this one is its engine. A reader of Go's proc.go
//! finds the way by the names:
//!
//! | proc.go | here |
//! |---|---|
//! | `schedule`, `findrunnable` | `proc` |
//! | `execute` | `execute` |
//! | `runqput`, `runqget`, `runqgrab`, `runqempty` | `runq` |
//! | `globrunqput`, `globrunqget` | `injector`, `proc` |
//! | `ready`, `newproc`, `injectglist` | `ready` |
//! | `stealWork`, `randomOrder` | `steal` |
//! | `startm`, `stopm`, `handoffp`, `wakep`, `acquirep`, `releasep` | `m` |
//! | `nmspinning`, `npidle`, `needspinning` | `idle` |
//! | `netpoll`, `netpollBreak`, `wakeNetPoller` | `netpoll` |
//! | `sysmon`, `retake` | `sysmon` |
//! | `entersyscall`, `exitsyscall` | `syscall` |
//! | `preemptone`, `stackguard0` | `preempt` |
//! | `stopTheWorld`, `startTheWorld`, `procresize` | `stw` |
//! | `lockOSThread`, `stoplockedm`, `startlockedm` | `block_on` |
//! | `note` | `park` |
//! | `casgstatus` | `g::state` |

#[cfg(not(loom))]
mod aside;
#[cfg(not(loom))]
mod block_on;
#[cfg(not(loom))]
mod builder;
#[cfg(not(loom))]
mod clock;
#[cfg(all(test, not(loom)))]
mod conformance;
#[cfg(not(loom))]
pub mod cycle;
#[cfg(not(loom))]
mod deadlock;
#[cfg(not(loom))]
mod enter;
#[cfg(not(loom))]
mod execute;
mod fence;
#[cfg(not(loom))]
mod fork;
#[cfg(not(loom))]
mod futures_spawn;
mod g;
#[cfg(not(loom))]
mod gfree;
#[cfg(not(loom))]
mod handle;
#[cfg(not(loom))]
pub mod held;
#[cfg(not(loom))]
mod hooks;
mod idle;
mod image;
#[cfg(not(loom))]
mod injector;
mod jitter;
#[cfg(not(loom))]
mod latency;
#[cfg(not(loom))]
pub mod leaf;
#[cfg(not(loom))]
mod m;
#[cfg(not(loom))]
mod mask;
#[cfg(not(loom))]
mod metrics;
#[cfg(all(test, loom))]
mod models;
mod mutant;
#[cfg(not(loom))]
mod netpoll;
#[cfg(not(loom))]
mod orphan;
#[cfg(not(loom))]
mod p;
#[cfg(not(loom))]
mod panics;
mod park;
#[cfg(not(loom))]
mod polltick;
#[cfg(not(loom))]
mod preempt;
#[cfg(not(loom))]
mod prelude;
#[cfg(not(loom))]
mod probe;
#[cfg(not(loom))]
mod proc;
#[cfg(not(loom))]
mod procs;
#[cfg(not(loom))]
mod rand;
#[cfg(not(loom))]
mod ready;
#[cfg(not(loom))]
mod registry;
mod runq;
#[cfg(not(loom))]
mod runtime;
#[cfg(not(loom))]
mod sched;
#[cfg(not(loom))]
mod schedtrace;
#[cfg(not(loom))]
pub mod snapshot;
#[cfg(not(loom))]
pub mod stacks;
#[cfg(not(loom))]
mod steal;
#[cfg(not(loom))]
mod stw;
#[cfg(not(loom))]
mod suspects;
#[cfg(not(loom))]
pub mod suspend;
mod sync;
#[cfg(not(loom))]
mod syscall;
#[cfg(not(loom))]
mod sysmon;
#[cfg(not(loom))]
#[doc(hidden)]
pub mod testing;
#[cfg(not(loom))]
mod throw;
#[cfg(not(loom))]
pub mod virtual_time;
#[cfg(not(loom))]
mod waits;
#[cfg(not(loom))]
mod yielded;

#[cfg(not(loom))]
pub use crate::{
    block_on::spawn_local,
    builder::Builder,
    deadlock::bystander,
    enter::EnterGuard,
    g::join::{AbortHandle, Id, JoinError, JoinHandle},
    handle::{Handle, TryCurrentError, spawn},
    latency::Latency,
    metrics::{Metrics, ProcMetrics},
    panics::PanicPolicy,
    prelude::before_polls,
    probe::{TaskPanic, WaitReason},
    runtime::{Runtime, ShutdownReport},
    sched::Rules,
    syscall::{block_in_place, block_in_place_at},
    task::{spawn_blocking, try_id},
};
#[cfg(not(loom))]
mod task;
