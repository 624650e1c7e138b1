//! The same panic over and over: told once in a while, with a count.
//!
//! Panics come on many threads at once, and none of them waits for another here: the table
//! has a fixed size, and each place in it is three words. Two panics that meet in one place
//! at the same moment may count for each other; neither is told twice for it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time for which a place that was told is quiet.
const QUIET: Duration = Duration::from_secs(10);
/// Places that are remembered; more of them at once are told each time.
const PLACES: usize = 1024;
/// So many from its own one on, a place is looked for.
const NEAR: usize = 16;

/// Where a panic came from: file, line and column; none: nobody knows.
pub(super) type Place = Option<(String, u32, u32)>;

/// What makes two panics the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    At((String, u32, u32)),
    /// Of those that were thrown on, of which the place is not known.
    Says(String),
}

static FOLDS: Folds = Folds([const { Fold::new() }; PLACES]);

/// Nanoseconds since the first panic, and some more: never 0.
fn now() -> u64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    QUIET.as_nanos() as u64 + BEGIN.elapsed().as_nanos() as u64
}

/// Some: a panic of that source is to be told now, with the number of those before it
/// that were not.
pub(super) fn admit(source: &Source) -> Option<u64> {
    FOLDS.admit(source, now())
}

/// The panic that was to be told will not be: the next one is.
pub(super) fn take_back(source: &Source) {
    FOLDS.take_back(source);
}

struct Folds([Fold; PLACES]);

struct Fold {
    /// The hash of its source; 0: nobody's.
    key: AtomicU64,
    /// When it was told; 0: it will be at the next time.
    told: AtomicU64,
    /// How many came since.
    since: AtomicU64,
}

impl Fold {
    const fn new() -> Fold {
        Fold {
            key: AtomicU64::new(0),
            told: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }
    }

    /// The time at which it was told, if its quiet is over: another source may have it.
    fn is_over(&self, now: u64) -> Option<u64> {
        let told = self.told.load(Ordering::Relaxed); // ord: a time
        (now.saturating_sub(told) >= QUIET.as_nanos() as u64).then_some(told)
    }

    fn admit(&self, now: u64) -> Option<u64> {
        // ord: one of those who see it over wins; it orders nothing else
        let wins = |told| {
            self.told
                .compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed)
        };
        if self.is_over(now).is_some_and(|told| wins(told).is_ok()) {
            return Some(self.since.swap(0, Ordering::Relaxed)); // ord: a count
        }
        self.since.fetch_add(1, Ordering::Relaxed); // ord: a count
        None
    }
}

impl Folds {
    /// Where a source is, or may be.
    fn near(&self, source: &Source) -> (u64, impl Iterator<Item = &Fold>) {
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        let key = hasher.finish().max(1);
        let near = (0..NEAR).map(move |step| &self.0[(key as usize).wrapping_add(step) % PLACES]);
        (key, near)
    }

    fn of(&self, source: &Source) -> Option<&Fold> {
        let (key, mut near) = self.near(source);
        near.find(|fold| fold.key.load(Ordering::Relaxed) == key) // ord: a name
    }

    /// Some: to be told now, with the number of those from the same source that were not.
    fn admit(&self, source: &Source, now: u64) -> Option<u64> {
        if let Some(fold) = self.of(source) {
            return fold.admit(now);
        }
        let (key, near) = self.near(source);
        for fold in near {
            let before = fold.key.load(Ordering::Relaxed); // ord: the exchange validates it
            let is_free = before == 0 || fold.is_over(now).is_some();
            // ord: a name
            let taken = is_free.then(|| {
                fold.key
                    .compare_exchange(before, key, Ordering::Relaxed, Ordering::Relaxed)
            });
            match taken {
                Some(Ok(_)) => {
                    fold.since.store(0, Ordering::Relaxed); // ord: a count
                    return fold.admit(now);
                }
                // Another thread, with a panic of the same source.
                Some(Err(winner)) if winner == key => return fold.admit(now),
                _ => {}
            }
        }
        Some(0)
    }

    fn take_back(&self, source: &Source) {
        if let Some(fold) = self.of(source) {
            fold.told.store(0, Ordering::Relaxed); // ord: a time
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::{Fold, Folds, NEAR, PLACES, QUIET, Source};

    const QUIET_NS: u64 = QUIET.as_nanos() as u64;
    const BEGIN: u64 = QUIET_NS;

    fn folds() -> Box<Folds> {
        Box::new(Folds([const { Fold::new() }; PLACES]))
    }

    fn place(line: u32) -> Source {
        Source::At(("a.rs".to_owned(), line, 1))
    }

    #[test]
    fn panics_of_unknown_places_are_told_apart_by_what_they_say() {
        let folds = folds();
        let says = |text: &str| Source::Says(text.to_owned());
        assert_eq!(folds.admit(&says("one"), BEGIN), Some(0));
        assert_eq!(folds.admit(&says("another"), BEGIN), Some(0));
        assert_eq!(folds.admit(&says("one"), BEGIN), None);
    }

    #[test]
    fn repeats_are_counted_until_the_quiet_is_over() {
        let folds = folds();
        assert_eq!(folds.admit(&place(1), BEGIN), Some(0));
        for _ in 0..412 {
            assert_eq!(folds.admit(&place(1), BEGIN), None);
        }
        assert_eq!(folds.admit(&place(2), BEGIN), Some(0));
        assert_eq!(folds.admit(&place(1), BEGIN + QUIET_NS - 1), None);
        assert_eq!(folds.admit(&place(1), BEGIN + QUIET_NS), Some(413));
        assert_eq!(folds.admit(&place(1), BEGIN + QUIET_NS), None);
        folds.take_back(&place(1));
        assert_eq!(folds.admit(&place(1), BEGIN + QUIET_NS), Some(1));
    }

    /// Twice as many as there is room for are told, some of them each time; later ones
    /// take the places of those that are over.
    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let folds = folds();
        for line in 0..2 * PLACES as u32 {
            assert_eq!(folds.admit(&place(line), BEGIN), Some(0));
        }
        let again =
            (0..2 * PLACES as u32).filter(|&line| folds.admit(&place(line), BEGIN).is_some());
        let told = again.count();
        assert!((PLACES..2 * PLACES - NEAR).contains(&told), "{told}");
        let later = place(u32::MAX);
        assert_eq!(folds.admit(&later, BEGIN + QUIET_NS), Some(0));
        assert_eq!(folds.admit(&later, BEGIN + QUIET_NS), None);
    }

    /// Of many at once one is told, and the others are counted.
    #[test]
    fn threads_that_panic_at_once_tell_one() {
        const THREADS: u64 = 4;
        const TIMES: u64 = 1000;
        let (folds, told) = (folds(), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..TIMES {
                        let is_told = folds.admit(&place(7), BEGIN).is_some();
                        told.fetch_add(u64::from(is_told), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(told.into_inner(), 1);
        // Whoever has come to the place first may have wiped out what came meanwhile.
        let counted = folds
            .admit(&place(7), BEGIN + QUIET_NS)
            .expect("it is over");
        assert!(counted < THREADS * TIMES, "{counted}");
    }
}
