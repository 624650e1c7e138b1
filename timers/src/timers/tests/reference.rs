//! Random operations on three sets, compared with a sorted map after every step.

use std::collections::BTreeSet;

use super::*;

const SETS: usize = 3;
const TIMERS: usize = 48;

/// Marsaglia's xorshift: the same numbers for the same seed on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).expect("below n")
    }

    fn deadline(&mut self, now: u64) -> u64 {
        match self.below(20) {
            0 => 0,
            1 => FOREVER,
            2 => u64::MAX,
            3 => now,
            4..8 => now.saturating_sub(self.below(100)),
            8..14 => now + self.below(50),
            _ => now + self.below(2000),
        }
    }
}

/// What the state must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Pending { set: usize, when: u64 },
    Fired,
}

struct World {
    sets: Vec<Timers>,
    timers: Vec<Timer>,
    tasks: Vec<Arc<Entry>>,
    log: Log,
    /// The reference: what is pending in each set, sorted.
    pending: Vec<BTreeSet<(u64, usize)>>,
    states: Vec<State>,
    /// The set whose heap a stopped timer may still be in.
    homes: Vec<usize>,
    now: u64,
}

impl World {
    fn new() -> World {
        let log = Log::default();
        World {
            sets: (0..SETS).map(|_| Timers::new()).collect(),
            timers: (0..TIMERS).map(|_| Timer::new()).collect(),
            tasks: (0..TIMERS)
                .map(|id| {
                    Arc::new(Entry {
                        id,
                        log: log.clone(),
                    })
                })
                .collect(),
            log,
            pending: vec![BTreeSet::new(); SETS],
            states: vec![State::Idle; TIMERS],
            homes: vec![0; TIMERS],
            now: 1000,
        }
    }

    fn waker(&self, id: usize) -> Waker {
        Waker::from(Arc::clone(&self.tasks[id]))
    }

    fn set_state(&mut self, id: usize, state: State) {
        if let State::Pending { set, when } = self.states[id] {
            assert!(self.pending[set].remove(&(when, id)));
        }
        if let State::Pending { set, when } = state {
            self.pending[set].insert((when, id));
            self.homes[id] = set;
        }
        self.states[id] = state;
    }

    /// What the owner of the set would sleep until at the latest.
    fn earliest(&self, set: usize) -> u64 {
        self.pending[set].first().map_or(0, |&(when, _)| when)
    }

    /// Resets the timer where it is, or arms it in `set`.
    fn arm(&mut self, id: usize, set: usize, when: u64) {
        let kept = clamp(when);
        let former: Vec<u64> = self.sets.iter().map(Timers::next).collect();
        let (home, wake) = match (self.timers[id].reset(when), self.states[id]) {
            (
                Reset::Moved {
                    was_pending: true,
                    wake,
                },
                State::Pending { set: home, .. },
            ) => (home, wake),
            (
                Reset::Moved {
                    was_pending: false,
                    wake,
                },
                State::Idle,
            ) => {
                self.timers[id].set_waker(&self.waker(id));
                (self.homes[id], wake)
            }
            (Reset::NotInHeap, State::Idle | State::Fired) => (
                set,
                self.sets[set].add(&self.timers[id], when, &self.waker(id)),
            ),
            (reset, state) => panic!("{reset:?} of a timer that is {state:?}"),
        };
        assert_eq!(
            wake,
            former[home] == 0 || kept < former[home],
            "wake-up for {kept}, slept until {}",
            former[home]
        );
        self.set_state(
            id,
            State::Pending {
                set: home,
                when: kept,
            },
        );
    }

    /// Arms the timer without asking where it is.
    fn add(&mut self, id: usize, set: usize, when: u64) {
        let State::Pending { set: home, .. } = self.states[id] else {
            return self.arm(id, set, when);
        };
        self.sets[set].add(&self.timers[id], when, &self.waker(id));
        self.set_state(
            id,
            State::Pending {
                set: home,
                when: clamp(when),
            },
        );
    }

    fn stop(&mut self, id: usize) {
        let pending = matches!(self.states[id], State::Pending { .. });
        assert_eq!(self.timers[id].stop(), pending);
        if pending {
            self.set_state(id, State::Idle);
        }
    }

    fn replace(&mut self, id: usize) {
        self.timers[id] = Timer::new();
        self.set_state(id, State::Idle);
    }

    fn check(&mut self, set: usize, own: bool) {
        let now = self.now.min(FOREVER - 1);
        let mut ready = Vec::new();
        let check = self.sets[set].check(self.now, own, &mut ready);
        ready.into_iter().for_each(Waker::wake);
        let woken = self.log.take();
        let due: Vec<(u64, usize)> = self.pending[set]
            .iter()
            .copied()
            .take_while(|&(when, _)| when <= now)
            .collect();
        assert_eq!(check.ran, !due.is_empty());
        let mut got = Vec::new();
        for id in woken {
            let State::Pending { when, .. } = self.states[id] else {
                panic!("{id} was not pending")
            };
            got.push((when, id));
            self.set_state(id, State::Fired);
        }
        assert!(
            got.is_sorted_by_key(|&(when, _)| when),
            "not in order: {got:?}"
        );
        got.sort_unstable();
        assert_eq!(got, due);
        assert!(
            check.next == 0 || check.next > now,
            "left {} behind at {now}",
            check.next
        );
        if own {
            assert!(self.sets[set].len() - self.pending[set].len() <= self.sets[set].len() / 4);
        }
    }

    fn take(&mut self, to: usize, from: usize) {
        self.sets[to].take_from(&self.sets[from]);
        if to != from {
            for id in 0..TIMERS {
                if let State::Pending { set, when } = self.states[id]
                    && set == from
                {
                    self.set_state(id, State::Pending { set: to, when });
                }
            }
            assert_eq!((self.sets[from].len(), self.sets[from].next()), (0, 0));
        }
    }

    fn assert_consistent(&self) {
        for (set, timers) in self.sets.iter().enumerate() {
            assert_eq!(timers.live(), self.pending[set].len());
            let (next, earliest) = (timers.next(), self.earliest(set));
            assert!(
                earliest == 0 || (next != 0 && next <= earliest),
                "would sleep until {next}, past {earliest}"
            );
            assert_eq!(next == 0, timers.is_empty());
        }
        for (id, timer) in self.timers.iter().enumerate() {
            let state = self.states[id];
            assert_eq!(timer.is_pending(), matches!(state, State::Pending { .. }));
            assert_eq!(timer.fired(), state == State::Fired);
            assert_eq!(
                Arc::strong_count(&self.tasks[id]),
                1 + usize::from(timer.is_pending())
            );
        }
    }
}

#[test]
fn random_operations_agree_with_a_sorted_map() {
    for seed in [
        1,
        0x9E37_79B9_7F4A_7C15,
        0xDEAD_BEEF,
        42,
        0x1234_5678_9ABC_DEF0,
        7,
        2026,
        u64::MAX,
    ] {
        let mut random = Random(seed);
        let mut world = World::new();
        for step in 0..5000 {
            let (id, set) = (random.index(TIMERS), random.index(SETS));
            let when = random.deadline(world.now);
            match random.below(100) {
                0..40 => world.arm(id, set, when),
                40..48 => world.add(id, set, when),
                48..70 => world.stop(id),
                70..76 => world.replace(id),
                76..88 => world.check(set, true),
                88..94 => world.check(set, false),
                94..99 => world.now += random.below(300),
                _ => world.take(set, random.index(SETS)),
            }
            world.assert_consistent();
            if step == 4999 {
                world.now = u64::MAX;
                (0..SETS).for_each(|set| world.check(set, true));
                world.assert_consistent();
            }
        }
    }
}
