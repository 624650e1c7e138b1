//! Where a task goes that gives way (R-G-10), with more Ps than one: behind the
//! global queue, on its own P while all are busy.

use std::task::Poll;

use super::kit::{RULES, World};
use crate::leaf;
use crate::m::M;
use crate::sched::Rules;
use crate::steal::{Stolen, steal_work};
use crate::stw::stop_the_world;

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;
const X: u64 = 24;

/// Two Ps at work; each of these tasks has given way on the first one.
fn gave_way(world: &World, ids: &[u64]) -> Vec<M> {
    let ms = world.all_ms();
    for &id in ids {
        yields(world, &ms[0], id);
    }
    ms
}

/// A task that gives way in its first poll and then ends.
fn yields(world: &World, m: &M, id: u64) {
    let mut first = true;
    let gp = world.task(id, move |cx| {
        if std::mem::take(&mut first) {
            leaf::gosched(cx);
            return Poll::Pending;
        }
        Poll::Ready(())
    });
    assert_eq!(world.execute(m, gp), [id]);
}

/// Rule R-G-10, in the default rules; Go's in those of 1.17.
#[test]
fn a_yielder_stays_with_its_p_while_all_are_busy() {
    for rules in RULES {
        let world = World::new(rules, 2);
        let ms = gave_way(&world, &[A, C]);
        let pp = ms[0].must_p();
        let here = if rules == Rules::Default { 2 } else { 0 };
        assert_eq!(pp.yielded.len(), here, "{rules:?}");
        assert_eq!(world.sched.injector.len(), 2 - here);
        assert_eq!(world.sched.global_len(), 2);
        assert!(pp.has_work() || here == 0);
        world.set_tick(pp, 1);
        world.put(pp, world.g(B), false);
        assert_eq!(world.rounds(&ms[0], 3), [B, A, C], "behind the ring");
    }
}

#[test]
fn what_the_global_queue_has_comes_first() {
    let world = World::new(Rules::Default, 2);
    let ms = gave_way(&world, &[A, B]);
    world.set_tick(ms[0].must_p(), 1);
    world.sched.injector.push(world.g(X));
    assert_eq!(world.rounds(&ms[0], 3), [X, A, B]);
}

/// As rule R-SCHED-3 for the global queue: no ring and no queue that is never empty
/// keeps a yielder from its turn.
#[test]
fn yielders_and_the_global_queue_share_the_61st_tick() {
    let world = World::new(Rules::Default, 2);
    let ms = gave_way(&world, &[A]);
    let pp = ms[0].must_p();
    world.fill(pp, [B, C]);
    world.sched.injector.push(world.g(X));
    world.set_tick(pp, 61);
    assert_eq!(world.rounds(&ms[0], 1), [A]);
    world.set_tick(pp, 122);
    assert_eq!(world.rounds(&ms[0], 1), [X]);
    world.set_tick(pp, 183);
    assert_eq!(world.rounds(&ms[0], 1), [B]);
}

/// Rule L-6.
#[test]
fn an_idle_p_gets_all_that_gave_way() {
    let world = World::new(Rules::Default, 2);
    let mut ms = gave_way(&world, &[A, B]);
    let idle = ms.pop().expect("two of them");
    world.sched.lock().pidle_put(idle.release_p());
    world.park_ms(1);
    yields(&world, &ms[0], C);
    assert_eq!(world.started().len(), 1, "somebody is woken for them");
    assert_eq!(world.drain_global(), [A, B, C]);
    assert!(!ms[0].must_p().has_work());
}

/// Rule L-6, for an M that looked before they were put.
#[test]
fn an_m_that_looked_too_early_is_woken_for_them() {
    let world = World::new(Rules::Default, 2);
    let mut ms = gave_way(&world, &[A, B, C]);
    let idle = ms.pop().expect("two of them");
    world.sched.lock().pidle_put(idle.release_p());
    world.park_ms(1);
    world.set_tick(ms[0].must_p(), 1);
    assert_eq!(world.rounds(&ms[0], 1), [A]);
    assert_eq!(world.started().len(), 1);
    assert_eq!(world.drain(ms[0].must_p()), (None, vec![B, C]));
}

/// Rule R-STEAL-6: half of them, rounded up, the oldest first: as from a ring.
#[test]
fn a_thief_finds_yielders() {
    let world = World::new(Rules::Default, 2);
    let ms = gave_way(&world, &[A, B, C]);
    let stolen = world.on(&ms[1], || match steal_work(&ms[1], ms[1].must_p()) {
        Stolen::Task(gp, inherit) => (world.id(gp), inherit),
        _ => panic!("there are three"),
    });
    assert_eq!(stolen, (A, false));
    assert_eq!(world.drain(ms[1].must_p()), (None, vec![B]));
    assert_eq!(ms[0].must_p().yielded.len(), 1);
}

/// Rule R-P-10, for a P that goes.
#[test]
fn a_p_that_goes_leaves_its_yielders() {
    let world = World::new(Rules::Default, 2);
    let m = world.m();
    let other = world.sched.p(1);
    world.fill(other, [B]);
    other.yielded.put(world.g(A));
    world.park_ms(1);
    world.on(&m, || {
        let mut stopped = stop_the_world(&world.sched);
        stopped.set_procs(1);
        drop(stopped);
    });
    let started = world.started();
    assert_eq!(world.drain_global(), [B, A]);
    drop(started);
}
