//! Stealing: victim order and passes (R-STEAL-1…6, L-10, L-11).

use std::time::Duration;

use crate::g::ReadyG;
use crate::m::M;
use crate::p::{P, PRUNNING};
use crate::proc;
use crate::ready::runqput;
use crate::runq::{Grab, HALF, Runnext};
use crate::sched::Sched;

/// Passes over all Ps; only the last one takes timers and `runnext`.
const PASSES: u32 = 4;
/// Go's back-off before `runnext` of a running P is taken: its owner usually
/// blocks and runs it itself within 50 ns.
const RUNNEXT_PAUSE: Duration = Duration::from_micros(3);

/// Orders in which a thief visits `count` Ps: every P once, each order a start
/// and a step coprime to the count (R-STEAL-2).
#[derive(Debug, Default)]
pub(crate) struct StealOrder {
    count: u32,
    coprimes: Vec<u32>,
}

impl StealOrder {
    /// Prepares for `count` Ps.
    pub(crate) fn reset(&mut self, count: u32) {
        if self.count != count {
            self.count = count;
            self.coprimes = (1..=count).filter(|&i| gcd(i, count) == 1).collect();
        }
    }

    /// The visit order for the random number `r`.
    pub(crate) fn start(&self, r: u32, go117: bool) -> impl Iterator<Item = u32> + use<> {
        let (pos, inc) = self.start_and_step(r, go117);
        let count = self.count;
        (0..count).scan(pos, move |pos, _| {
            let here = *pos;
            *pos = (*pos + inc) % count;
            Some(here)
        })
    }

    fn start_and_step(&self, r: u32, go117: bool) -> (u32, u32) {
        let len = u32::try_from(self.coprimes.len()).expect("no more coprimes than Ps");
        // Go 1.17 takes both from the same residue, which gives fewer pairs.
        let step = if go117 {
            r % len
        } else {
            (r / self.count) % len
        };
        (r % self.count, self.coprimes[step as usize])
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What a search for other Ps' work found.
pub(crate) enum Stolen {
    /// A task, and whether it inherits the slice.
    Task(ReadyG, bool),
    /// Timers ran or the world stops: look at everything again.
    LookAgain,
    /// Nothing; the earliest timer seen on the way, 0 for none.
    Nothing { poll_until: u64 },
}

/// Searches all Ps (R-STEAL-1). The caller spins and its own queue is empty.
pub(crate) fn steal_work(m: &M, pp: &P) -> Stolen {
    let sched = &*m.sched;
    let mut poll_until = 0;
    let mut ran_timer = false;
    m.order.borrow_mut().reset(sched.procs());
    pp.stats.spins.add(1);
    for pass in 0..PASSES {
        let last = pass == PASSES - 1;
        let order = m.order.borrow().start(m.rand.next_u32(), sched.go117());
        for id in order {
            if sched.stop_is_wanted() {
                return Stolen::LookAgain;
            }
            if id == pp.id {
                continue;
            }
            let victim = sched.p(id);
            if last && sched.timerp_mask.read(id) {
                let (next, ran) = proc::check_timers(m, victim, false);
                poll_until = earlier(poll_until, next);
                if ran {
                    if let Some((gp, inherit)) = pp.runq.get() {
                        return Stolen::Task(gp, inherit);
                    }
                    ran_timer = true;
                }
            }
            if !sched.idlep_mask.read(id)
                && let Some(gp) = steal_from(sched, pp, victim, last)
            {
                return Stolen::Task(gp, false);
            }
        }
    }
    if ran_timer {
        Stolen::LookAgain
    } else {
        Stolen::Nothing { poll_until }
    }
}

fn steal_from(sched: &Sched, pp: &P, victim: &P, last: bool) -> Option<ReadyG> {
    let may = if last { Runnext::Ask } else { Runnext::Leave };
    let gp = match victim.runq.grab_into(&pp.runq, may) {
        Grab::Got(gp) => gp,
        Grab::Nothing => {
            victim
                .yielded
                .steal(HALF as usize, |gp| _ = runqput(sched, pp, gp, false));
            pp.runq.get_ring()?
        }
        Grab::OnlyRunnext => {
            if victim.status() == PRUNNING {
                pause(RUNNEXT_PAUSE);
            }
            match victim.runq.grab_into(&pp.runq, Runnext::Take) {
                Grab::Got(gp) => gp,
                Grab::Nothing | Grab::OnlyRunnext => return None,
            }
        }
    };
    pp.stats.steals.add(1);
    pp.stats.stolen.add(1 + u64::from(pp.runq.len()));
    Some(gp)
}

/// A pause of a few microseconds. A timed sleep takes 50 on most systems, so the
/// thread spins, which is what so short a time is good for.
fn pause(time: Duration) {
    let until = crate::clock::nanotime() + crate::clock::nanos(time);
    while crate::clock::nanotime() < until {
        crate::sync::spin_hint();
    }
}

/// The earlier of two times, where 0 means none.
pub(crate) fn earlier(a: u64, b: u64) -> u64 {
    match (a, b) {
        (0, x) | (x, 0) => x,
        (a, b) => a.min(b),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::StealOrder;

    fn order(count: u32) -> StealOrder {
        let mut order = StealOrder::default();
        order.reset(count);
        order
    }

    /// Rule R-STEAL-2, T-24.
    #[test]
    fn t24_coprimes() {
        assert_eq!(order(1).coprimes, [1]);
        assert_eq!(order(4).coprimes, [1, 3]);
        assert_eq!(order(6).coprimes, [1, 5]);
        assert_eq!(order(7).coprimes, [1, 2, 3, 4, 5, 6]);
    }

    /// Rule R-STEAL-2; Source: Go's TestStealOrder.
    #[test]
    fn t24_every_order_visits_every_p_once() {
        for count in 1..=64 {
            let order = order(count);
            if count >= 3 {
                assert!(order.coprimes.len() >= 2, "{count}");
            }
            for r in 0..count * 3 {
                for go117 in [false, true] {
                    let seen: HashSet<u32> = order.start(r, go117).collect();
                    assert_eq!(seen.len() as u32, count, "count {count} r {r}");
                    assert!(seen.iter().all(|&id| id < count));
                }
            }
        }
    }

    /// Rule L-11, T-25: the default rule gives every pair; 1.17 repeats itself.
    #[test]
    fn t25_pairs_are_distinct_in_the_default_rules() {
        for count in 1..=32_u32 {
            let order = order(count);
            let len = order.coprimes.len() as u32;
            let pairs: HashSet<_> = (0..count * len)
                .map(|r| order.start_and_step(r, false))
                .collect();
            assert_eq!(pairs.len() as u32, count * len);
        }
        let order = order(4);
        assert_eq!(order.start_and_step(0, true), (0, 1));
        assert_eq!(order.start_and_step(4, true), (0, 1));
    }
}
