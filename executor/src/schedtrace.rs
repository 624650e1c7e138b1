//! The line of `GMP_DEBUG=schedtrace=1000` (R-TRACE-3, L-24): Go's format.

use std::fmt::Write;

use crate::sched::Sched;
use crate::sync::lock;

/// One line, without its end.
pub(crate) fn line(sched: &Sched) -> String {
    let counts = sched.idle.counts();
    let (idle_threads, threads) = {
        let guard = sched.lock();
        (guard.inner.midle.len(), guard.inner.mcount)
    };
    let ms = (sched.real_nanotime() - sched.started) / 1_000_000;
    let mut line = format!(
        "SCHED {ms}ms: gomaxprocs={} idleprocs={} threads={threads} spinningthreads={} \
         needspinning={} idlethreads={idle_threads} runqueue={} [",
        sched.procs(),
        counts.idle,
        counts.spinning,
        u32::from(sched.idle.need_spinning()),
        sched.global_len(),
    );
    let lens: Vec<String> = sched.all_ps().map(|pp| pp.runq.len().to_string()).collect();
    let ticks: Vec<String> = sched.all_ps().map(|pp| pp.tick_now().to_string()).collect();
    let _ = write!(line, "{}] schedticks=[{}]", lens.join(" "), ticks.join(" "));
    line
}

/// The lines of `scheddetail=1`: one per P and one per M.
pub(crate) fn detail(sched: &Sched) -> String {
    let mut text = String::new();
    for pp in sched.all_ps() {
        let m = pp.m.load(crate::sync::Ordering::Relaxed).checked_sub(1); // ord: for people
        let _ = writeln!(
            text,
            "  P{}: status={} schedtick={} m={} runqsize={} runnext={} timerslen={}",
            pp.id,
            pp.status(),
            pp.tick_now(),
            m.map_or_else(|| "nil".to_owned(), |m| m.to_string()),
            pp.runq.len(),
            u32::from(pp.runq.has_runnext()),
            pp.timers.len(),
        );
    }
    for mp in lock(&sched.allm).iter() {
        use crate::sync::Ordering::Relaxed; // ord: for people
        let p = mp.p.load(Relaxed).checked_sub(1);
        let _ = writeln!(
            text,
            "  M{}: p={} curg={} syscalls={} polltick={}",
            mp.id,
            p.map_or_else(|| "nil".to_owned(), |p| p.to_string()),
            mp.goid.load(Relaxed),
            mp.syscalls.load(Relaxed),
            mp.polltick.look().poll(),
        );
    }
    text
}
