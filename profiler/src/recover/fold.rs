//! The same panic over and over: told once in a while, with a count.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time for which a place that was told is quiet.
const QUIET: Duration = Duration::from_secs(10);
/// Places that are remembered; more of them at once are all told.
const PLACES: usize = 1024;

/// Where a panic came from: file, line and column; none: nobody knows.
pub(super) type Place = Option<(String, u32, u32)>;

/// What makes two panics the same.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    At((String, u32, u32)),
    /// Of those that were thrown on, of which the place is not known.
    Says(String),
}

static FOLDS: Mutex<Option<Folds>> = Mutex::new(None);

fn folds() -> MutexGuard<'static, Option<Folds>> {
    // No code of the user's runs under this lock.
    FOLDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Some: a panic of that source is to be told now, with the number of those before it
/// that were not.
pub(super) fn admit(source: Source) -> Option<u64> {
    folds()
        .get_or_insert_default()
        .admit(source, Instant::now())
}

/// The panic that was to be told will not be: the next one is.
pub(super) fn take_back(source: &Source) {
    if let Some(folds) = &mut *folds() {
        folds.places.remove(source);
    }
}

#[derive(Debug, Default)]
struct Folds {
    places: HashMap<Source, Fold>,
}

#[derive(Debug)]
struct Fold {
    told: Instant,
    since: u64,
}

impl Folds {
    /// Some: to be told now, with the number of those from the same place that
    /// were not.
    fn admit(&mut self, place: Source, now: Instant) -> Option<u64> {
        if let Some(fold) = self.places.get_mut(&place) {
            if now.saturating_duration_since(fold.told) < QUIET {
                fold.since += 1;
                return None;
            }
            fold.told = now;
            return Some(std::mem::take(&mut fold.since));
        }
        if self.places.len() >= PLACES {
            self.places
                .retain(|_, fold| now.saturating_duration_since(fold.told) < QUIET);
        }
        if self.places.len() < PLACES {
            self.places.insert(
                place,
                Fold {
                    told: now,
                    since: 0,
                },
            );
        }
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Folds, PLACES, QUIET, Source};

    fn place(line: u32) -> Source {
        Source::At(("a.rs".to_owned(), line, 1))
    }

    #[test]
    fn panics_of_unknown_places_are_told_apart_by_what_they_say() {
        let mut folds = Folds::default();
        let begin = Instant::now();
        let says = |text: &str| Source::Says(text.to_owned());
        assert_eq!(folds.admit(says("one"), begin), Some(0));
        assert_eq!(folds.admit(says("another"), begin), Some(0));
        assert_eq!(folds.admit(says("one"), begin), None);
    }

    #[test]
    fn repeats_are_counted_until_the_quiet_is_over() {
        let mut folds = Folds::default();
        let begin = Instant::now();
        assert_eq!(folds.admit(place(1), begin), Some(0));
        for _ in 0..412 {
            assert_eq!(folds.admit(place(1), begin), None);
        }
        assert_eq!(folds.admit(place(2), begin), Some(0));
        let almost = begin + QUIET - Duration::from_nanos(1);
        assert_eq!(folds.admit(place(1), almost), None);
        assert_eq!(folds.admit(place(1), begin + QUIET), Some(413));
        assert_eq!(folds.admit(place(1), begin + QUIET), None);
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut folds = Folds::default();
        let begin = Instant::now();
        for line in 0..2 * PLACES as u32 {
            assert_eq!(folds.admit(place(line), begin), Some(0));
        }
        assert_eq!(folds.places.len(), PLACES);
        assert_eq!(folds.admit(place(u32::MAX), begin + QUIET), Some(0));
        assert_eq!(folds.places.len(), 1);
    }
}
