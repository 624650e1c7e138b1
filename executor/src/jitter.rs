//! Delays at random between a decision and the write that follows it, so that tests meet
//! schedules that a machine seldom makes.
//!
//! Only a build with `--cfg gmp_jitter` has them; elsewhere [`point`] is nothing.

#[cfg(not(gmp_jitter))]
#[inline]
pub(crate) fn point() {}

#[cfg(gmp_jitter)]
pub(crate) use self::random::point;
#[cfg(all(test, gmp_jitter))]
pub(crate) use self::random::seed;

#[cfg(gmp_jitter)]
mod random {
    use std::cell::RefCell;
    use std::thread;
    use std::time::Duration;

    use crate::rand::Rand;
    use crate::sync::{AtomicU64, Ordering};

    static SEED: AtomicU64 = AtomicU64::new(1);
    static STREAMS: AtomicU64 = AtomicU64::new(0);

    thread_local! {
        /// The seed that the stream is of.
        static RAND: RefCell<(u64, Rand)> = const { RefCell::new((0, Rand::first())) };
    }

    /// Begins anew, with streams of this seed for threads in the order in which they
    /// come by. Not 0.
    #[cfg(test)]
    pub(crate) fn seed(seed: u64) {
        STREAMS.store(0, Ordering::Relaxed); // ord: between two runtimes
        SEED.store(seed, Ordering::Relaxed); // ord: as above
    }

    /// Here a thread may lose its core.
    pub(crate) fn point() {
        let drawn = RAND.try_with(|rand| {
            let mut rand = rand.borrow_mut();
            let seed = SEED.load(Ordering::Relaxed); // ord: as above
            if rand.0 != seed {
                // ord: a number for each
                *rand = (
                    seed,
                    Rand::new(seed, STREAMS.fetch_add(1, Ordering::Relaxed)),
                );
            }
            rand.1.next_u32()
        });
        // A thread at its end has no stream any more.
        let Ok(drawn) = drawn else { return };
        match drawn % 256 {
            0 => thread::sleep(Duration::from_micros(u64::from(drawn >> 8) % 100)),
            1..16 => thread::yield_now(),
            16..64 => (0..drawn >> 8 & 0x3ff).for_each(|_| std::hint::spin_loop()),
            _ => {}
        }
    }
}
