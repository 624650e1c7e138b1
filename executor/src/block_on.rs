//! `block_on`: the root is a task that only the calling thread may poll, so it
//! may borrow and need not be Send (R-P-11).
//!
//! The thread becomes an M for the time. It polls the root and the tasks of
//! `spawn_local`, nothing else: while none of them is ready its P serves the
//! others on other threads, and a hog among them does not stall the root.

use std::panic::{Location, resume_unwind};

use crate::g::join::{self, JoinError, JoinHandle};
use crate::g::{Extra, ReadyG};
use crate::m::{self, Entered, M, accept_next};
use crate::netpoll;
use crate::probe;
use crate::ready;
use crate::sched::Sched;
use crate::sync::{Arc, Ordering, lock};
use crate::syscall::block_in_place_at;
use crate::{execute, proc};

/// Runs `future` to its end on this thread and returns its output. A panic of
/// the future goes on in the caller.
#[track_caller]
pub(crate) fn block_on<F: Future>(
    sched: &Arc<Sched>,
    future: F,
    location: &'static Location<'static>,
) -> F::Output {
    sched.assert_here();
    let nested = m::with_current(|m| m.is_some_and(|m| Arc::ptr_eq(&m.sched, sched)));
    if nested {
        return m::with_current(|m| {
            inside_a_poll(m.expect("gmp: this thread's M"), future, location)
        });
    }
    // On an M of another runtime this is a blocking section of its task.
    block_in_place_at(location, || {
        let shared = m::attach(sched);
        let m = M::new(sched.clone(), shared.clone(), true);
        let output = {
            let _entered = Entered::new(&m);
            let output = run_root(&m, future, location);
            end_locals(&m);
            proc::release(&m);
            output
        };
        m::detach_guest(sched, &shared);
        output.unwrap_or_else(|error| go_on(sched, error))
    })
}

/// Inside a task of the same runtime: its M hands the P off first and serves the
/// new root; the outer poll goes on afterwards, with a P or without.
fn inside_a_poll<F: Future>(m: &M, future: F, location: &'static Location<'static>) -> F::Output {
    let outer = (m.curg.get(), m.yield_as.get(), m.leaf.get());
    let goid = m.shared.goid.load(Ordering::Relaxed); // ord: own word
    let syscalls = m.shared.syscalls.swap(0, Ordering::Relaxed); // ord: own word
    if !m.shared.fence.end_poll() {
        m.forget_p();
    }
    m.curg.set(std::ptr::null());
    proc::release(m);
    let output = run_root(m, future, location);
    if m.p().is_none() {
        m.shared.fence.lose();
    }
    m.curg.set(outer.0);
    m.yield_as.set(outer.1);
    m.leaf.set(outer.2);
    m.shared.goid.store(goid, Ordering::Relaxed); // ord: for people
    m.shared.syscalls.store(syscalls, Ordering::Relaxed); // ord: own word
    m.shared.fence.begin_poll();
    output.unwrap_or_else(|error| go_on(&m.sched, error))
}

/// The end of a root without an output: its own panic goes on in the caller. A
/// root is cancelled only where the panic of a task has shut its runtime down.
fn go_on(sched: &Sched, error: JoinError) -> ! {
    match (error.try_into_panic(), sched.fatal.get()) {
        (Ok(payload), _) => resume_unwind(payload),
        (Err(_), Some(reason)) => panic!("{reason}"),
        (Err(_), None) => unreachable!("gmp: a root was cancelled"),
    }
}

fn run_root<F: Future>(
    m: &M,
    future: F,
    location: &'static Location<'static>,
) -> Result<F::Output, JoinError> {
    let extra = Extra {
        home: Some(m.shared.clone()),
        system: true,
        ..Extra::default()
    };
    let goid = m.sched.foreign_goid();
    let (handle, root, reference) =
        ready::spawn_at_home(&m.sched, future, location, extra, goid, 0);
    lock(&m.shared.inbox).roots.push(reference.clone());
    serve(m, Some(root), || reference.header().state.load().is_dead());
    lock(&m.shared.inbox).roots.pop();
    handle
        .take_now()
        .expect("gmp: the task of a served root has ended")
}

/// Polls this M's own tasks until `done`. It has a P only while one of them is
/// ready.
fn serve(m: &M, first: Option<ReadyG>, done: impl Fn() -> bool) {
    let mut next = first;
    let before = std::mem::replace(&mut lock(&m.shared.inbox).serving, true);
    loop {
        let gp = next
            .take()
            .or_else(|| lock(&m.shared.inbox).tasks.pop_front());
        if let Some(gp) = gp {
            if m.p().is_some() || m.try_acquire_idle() {
                m.now.set(0);
                execute::execute(m, gp, false);
            } else {
                wait_in_queue(m, gp);
            }
            continue;
        }
        if done() {
            lock(&m.shared.inbox).serving = before;
            return;
        }
        if poll_alone(m) {
            continue;
        }
        proc::release(m);
        {
            let mut inbox = lock(&m.shared.inbox);
            if !inbox.tasks.is_empty() {
                continue;
            }
            inbox.waiting = true;
        }
        wait_for_p(m);
    }
}

/// If there is no task but those of this thread, nobody needs the P, and no other
/// thread need be woken to wait for events and timers: this one does it itself.
/// False: there are other tasks, or somebody polls already.
fn poll_alone(m: &M) -> bool {
    let sched = &m.sched;
    // A runtime that has ended has no events, and its timers are elsewhere.
    if sched.is_exiting() || sched.live_tasks() != m.live_locals() || !sched.injector.is_empty() {
        return false;
    }
    if let Some(pp) = m.p() {
        if pp.has_work() || sched.stop_is_wanted() {
            return false;
        }
        sched.lock().pidle_put(m.release_p());
        // Dropped unsearched: the second look of every dropper.
        sched.idle.drop_fence();
        if !sched.injector.is_empty() {
            proc::wake_p(sched);
        }
    }
    {
        let mut inbox = lock(&m.shared.inbox);
        if !inbox.tasks.is_empty() {
            return true;
        }
        inbox.polling = true;
    }
    let list = netpoll::block(m, sched.earliest_timer());
    lock(&m.shared.inbox).polling = false;
    let Some(list) = list else { return false };
    let timer = sched.earliest_timer();
    if timer != 0 && timer <= sched.nanotime() && m.try_acquire_idle() {
        m.now.set(0);
        for victim in sched.all_ps() {
            let own = victim.id == m.must_p().id;
            proc::check_timers(m, victim, own);
        }
        let pp = m.must_p();
        let mut ready = Vec::new();
        pp.drain(|gp| ready.push(gp));
        sort_out(m, ready);
    }
    sort_out(m, list);
    true
}

/// Keeps the tasks of this M and gives the others to the injector.
fn sort_out(m: &M, list: Vec<ReadyG>) {
    let (mine, others): (Vec<_>, Vec<_>) = list.into_iter().partition(|gp| {
        gp.header()
            .home()
            .is_some_and(|home| home.id == m.shared.id)
    });
    lock(&m.shared.inbox).tasks.extend(mine);
    ready::inject_glist(&m.sched, None, others.into_iter());
}

/// Every P is busy: the task waits its turn in the global queue, and whoever
/// takes it from there brings the P along.
fn wait_in_queue(m: &M, gp: ReadyG) {
    lock(&m.shared.inbox).waiting = true;
    m.sched.injector.push(gp);
    proc::wake_p(&m.sched);
    wait_for_p(m);
}

fn wait_for_p(m: &M) {
    m.shared.note.sleep();
    let got = accept_next(m);
    debug_assert!(got, "gmp: a waiting home was woken without a P");
}

/// The end of the outermost `block_on`: tasks of `spawn_local` can run nowhere
/// else, so they end here.
fn end_locals(m: &M) {
    loop {
        let locals = m.locals.take();
        if locals.is_empty() {
            return;
        }
        for local in &locals {
            join::abort(local.ptr());
        }
        serve(m, None, || {
            locals.iter().all(|g| g.header().state.load().is_dead())
        });
    }
}

/// Spawns a task that need not be Send; this thread polls it.
///
/// # Panics
/// On a thread that is not in `block_on`, or inside a task of another thread.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    const CURE: &str = "gmp::task::spawn_local needs the thread of a block_on: call it there, or use \
                        gmp::spawn for a future that is Send";
    let location = Location::caller();
    m::with_current(|m| {
        let Some(m) = m.filter(|m| m.attached) else {
            panic!("{CURE}")
        };
        m.sched.assert_here();
        let goid = ready::count_spawn(&m.sched, Some(m));
        let extra = Extra {
            home: Some(m.shared.clone()),
            labels: m.labels(),
            ..Extra::default()
        };
        let (handle, gp, reference) =
            ready::spawn_at_home(&m.sched, future, location, extra, goid, 0);
        let mut locals = m.locals.borrow_mut();
        if locals.len() == locals.capacity() {
            locals.retain(|g| !g.header().state.load().is_dead());
        }
        locals.push(reference);
        drop(locals);
        if let Some(hook) = &m.sched.hooks.task_spawn {
            probe::contain(|| hook(goid));
        }
        ready::ready_here(m, gp);
        handle
    })
}
