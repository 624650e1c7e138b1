//! A long walk that gives way to whoever waits for its core.
//!
//! A thread that wakes where another one computes does not run before the system looks
//! again at what is fair, which takes it milliseconds: so long a task would wait for its
//! M behind a walk. So the walk offers its core every now and then. On a machine where
//! others have enough to do for ever it keeps half of the time, so that it ends.

use std::time::{Duration, Instant};

/// So long the walk keeps its core, at least.
const TURN: Duration = Duration::from_micros(100);

/// When the walk gives way next.
pub(super) struct Turns {
    due: Instant,
}

impl Turns {
    pub(super) fn begin() -> Turns {
        Turns {
            due: Instant::now() + TURN,
        }
    }

    /// Offers the core, if that is due. To be called under no lock.
    pub(super) fn give_way(&mut self) {
        let begun = Instant::now();
        if begun >= self.due {
            std::thread::yield_now();
            self.gave(begun, Instant::now());
        }
    }

    /// Others had the core for that time, or nobody wanted it.
    fn gave(&mut self, from: Instant, to: Instant) {
        self.due = to + TURN.max(to.saturating_duration_since(from));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{TURN, Turns};

    #[test]
    fn a_walk_offers_its_core_and_keeps_half_of_the_time() {
        let micros = Duration::from_micros;
        let begun = Instant::now();
        let mut turns = Turns { due: begun };
        // Nobody wanted it.
        turns.gave(begun, begun + micros(1));
        assert_eq!(turns.due, begun + micros(1) + TURN);
        // Somebody had four milliseconds of it.
        turns.gave(begun, begun + micros(4000));
        assert_eq!(turns.due, begun + micros(8000));

        turns.due = Instant::now();
        turns.give_way();
        assert!(turns.due >= begun + TURN, "the next time is later");
        let later = Instant::now() + Duration::from_secs(3600);
        turns.due = later;
        turns.give_way();
        assert_eq!(turns.due, later, "it was not due");
    }
}
