//! Long runs of chosen steps on one primitive, polled by hand: whatever is
//! dropped, nothing is held twice and no wake-up is lost.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use gmp::sync::{Mutex, Semaphore};

use crate::dice::Dice;
use crate::hand::{Woken, poll_with};

struct Waiting<F> {
    future: Pin<Box<F>>,
    woken: Arc<Woken>,
    seen: usize,
}

impl<F: Future> Waiting<F> {
    fn new(future: F) -> Waiting<F> {
        Waiting {
            future: Box::pin(future),
            woken: Woken::new(),
            seen: 0,
        }
    }

    fn was_woken(&self) -> bool {
        self.woken.count() > self.seen
    }

    fn poll(&mut self) -> Poll<F::Output> {
        self.seen = self.woken.count();
        poll_with(&mut self.future, &self.woken)
    }
}

fn run_mutex(seed: u32) {
    let dice = &mut Dice::new(seed);
    let mutex = Mutex::new(0_u32);
    let (mut waiting, mut held, mut count) = (Vec::new(), None, 0);
    for _ in 0..400 {
        let before = held.is_some();
        match dice.roll(6) {
            0 | 1 => {
                let mut lock = Waiting::new(mutex.lock());
                match lock.poll() {
                    Poll::Ready(guard) => assert!(held.replace(guard).is_none()),
                    Poll::Pending => waiting.push(lock),
                }
            }
            2 if !waiting.is_empty() => {
                let at = dice.roll(waiting.len());
                if let Poll::Ready(guard) = waiting[at].poll() {
                    waiting.swap_remove(at);
                    assert!(held.replace(guard).is_none());
                }
            }
            3 if !waiting.is_empty() => drop(waiting.swap_remove(dice.roll(waiting.len()))),
            4 => held = None,
            5 => match mutex.try_lock() {
                Ok(guard) => assert!(held.replace(guard).is_none()),
                Err(_) => assert!(before || !waiting.is_empty()),
            },
            _ => {}
        }
        if let (Some(guard), false) = (&mut held, before) {
            **guard += 1;
            count += 1;
        }
        // Nobody holds it: one of those who wait knows, or has it already.
        if held.is_none() && !waiting.is_empty() {
            assert!(waiting.iter().any(Waiting::was_woken), "all asleep");
        }
    }
    drop(held);
    while !waiting.is_empty() {
        let at = waiting.iter().position(Waiting::was_woken);
        drop(waiting.swap_remove(at.expect("one is awake")));
    }
    assert_eq!(*mutex.try_lock().expect("free"), count);
}

#[test]
fn any_steps_leave_a_mutex_with_one_holder_or_one_awake() {
    for seed in 1..300 {
        let run = std::panic::catch_unwind(|| run_mutex(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}

fn run_semaphore(seed: u32) {
    const ALL: usize = 4;
    let dice = &mut Dice::new(seed);
    let semaphore = Semaphore::new(ALL);
    let (mut waiting, mut held) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        match dice.roll(6) {
            0 | 1 => {
                let many = [1, 1, 2, 4][dice.roll(4)];
                let mut acquire = Waiting::new(semaphore.acquire_many(many));
                match acquire.poll() {
                    Poll::Ready(permit) => held.push(permit.expect("open")),
                    Poll::Pending => waiting.push(acquire),
                }
            }
            2 if !waiting.is_empty() => {
                let at = dice.roll(waiting.len());
                let woken = waiting[at].was_woken();
                let step = waiting[at].poll();
                assert_eq!(woken, step.is_ready());
                if let Poll::Ready(permit) = step {
                    waiting.swap_remove(at);
                    held.push(permit.expect("open"));
                }
            }
            3 if !waiting.is_empty() => drop(waiting.swap_remove(dice.roll(waiting.len()))),
            4 if !held.is_empty() => drop(held.swap_remove(dice.roll(held.len()))),
            5 => held.extend(semaphore.try_acquire()),
            _ => {}
        }
        let out: usize = held.iter().map(|permit| permit.num_permits()).sum();
        assert!(out + semaphore.available_permits() <= ALL);
        // All are free: nobody's wish is too large.
        if semaphore.available_permits() == ALL {
            assert!(waiting.iter().all(Waiting::was_woken), "all asleep");
        }
    }
    drop((held, waiting));
    assert_eq!(semaphore.available_permits(), ALL);
}

#[test]
fn any_steps_keep_the_number_of_permits() {
    for seed in 1..300 {
        let run = std::panic::catch_unwind(|| run_semaphore(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}
