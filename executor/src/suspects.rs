//! Places of spawn whose tasks held up a P a moment ago.
//!
//! What a task did in its last poll says whether the next one gets a P (`aside.rs`);
//! a task that was never polled is judged by its siblings. A place has credit of
//! suspicion: a poll that was long adds to it, a first poll that turned out short
//! takes from it, so that one slow connection among many costs a few hand-overs.
//!
//! A small table without a lock. Writers may race: what is lost is a hint.

use std::panic::Location;

use crate::sync::{AtomicU32, AtomicUsize, Ordering};

/// A power of two.
const SIZE: usize = 64;
/// How far from its own place an entry may lie.
const REACH: usize = 8;
/// A long poll is worth this many short ones.
const ACCUSED: u32 = 4;
const MOST: u32 = 16;

#[derive(Debug)]
pub(crate) struct Suspects {
    /// Entries made so far; 0 saves the look.
    known: AtomicU32,
    table: [Entry; SIZE],
}

#[derive(Debug, Default)]
struct Entry {
    /// The place's address; its lowest bit: its tasks compute, others block.
    site: AtomicUsize,
    credit: AtomicU32,
}

impl Default for Suspects {
    fn default() -> Suspects {
        Suspects {
            known: AtomicU32::new(0),
            table: std::array::from_fn(|_| Entry::default()),
        }
    }
}

impl Suspects {
    /// Whether a first poll of a task from there is expected to hold up its P, and
    /// if so, whether by computing.
    pub(crate) fn find(&self, site: &'static Location<'static>) -> Option<bool> {
        // ord: all of this table is hints
        if self.known.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // Entries stay, so what lies behind one that was never used is empty, too.
        let mut used = self.reach(site).take_while(|entry| entry.is_used());
        let entry = used.find(|entry| entry.is(site))?;
        // ord: a hint
        (entry.credit.load(Ordering::Relaxed) > 0).then(|| entry.computes())
    }

    /// A poll of a task from there was long.
    pub(crate) fn accuse(&self, site: &'static Location<'static>, computes: bool) {
        let word = address(site) | usize::from(computes);
        let entry = self.reach(site).find(|entry| entry.is(site));
        let entry = entry
            .or_else(|| self.reach(site).find(|entry| entry.is_free()))
            .or_else(|| self.reach(site).next());
        let Some(entry) = entry else { return };
        let credit = if entry.is(site) {
            entry.credit.load(Ordering::Relaxed) // ord: a hint
        } else {
            self.known.fetch_add(1, Ordering::Relaxed); // ord: a hint
            0
        };
        entry.site.store(word, Ordering::Relaxed); // ord: a hint
        let credit = (credit + ACCUSED).min(MOST);
        entry.credit.store(credit, Ordering::Relaxed); // ord: a hint
    }

    /// A first poll that was suspected turned out short.
    pub(crate) fn acquit(&self, site: &'static Location<'static>) {
        if let Some(entry) = self.reach(site).find(|entry| entry.is(site)) {
            let credit = entry.credit.load(Ordering::Relaxed); // ord: a hint
            entry
                .credit
                .store(credit.saturating_sub(1), Ordering::Relaxed); // ord: a hint
        }
    }

    fn reach(&self, site: &'static Location<'static>) -> impl Iterator<Item = &Entry> {
        // Locations lie side by side: multiplying spreads them.
        let at = address(site).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        (0..REACH).map(move |i| &self.table[(at + i) % SIZE])
    }
}

impl Entry {
    fn is(&self, site: &'static Location<'static>) -> bool {
        self.site.load(Ordering::Relaxed) & !1 == address(site) // ord: a hint
    }

    fn is_used(&self) -> bool {
        self.site.load(Ordering::Relaxed) != 0 // ord: a hint
    }

    /// Nobody has it, or who has it is beyond suspicion.
    fn is_free(&self) -> bool {
        self.credit.load(Ordering::Relaxed) == 0 // ord: a hint
    }

    fn computes(&self) -> bool {
        self.site.load(Ordering::Relaxed) & 1 != 0 // ord: a hint
    }
}

/// Locations are aligned to more than one byte.
fn address(site: &'static Location<'static>) -> usize {
    std::ptr::from_ref(site).addr()
}

#[cfg(test)]
mod tests {
    use std::panic::Location;

    use super::{MOST, SIZE, Suspects};

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }

    #[test]
    fn suspicion_grows_with_long_polls_and_wears_off_with_short_ones() {
        let suspects = Suspects::default();
        let (bad, good) = (here(), (here(), 0).0);
        assert_eq!(suspects.find(bad), None);
        suspects.accuse(bad, true);
        assert_eq!(suspects.find(bad), Some(true));
        assert_eq!(suspects.find(good), None);
        suspects.accuse(bad, false);
        assert_eq!(suspects.find(bad), Some(false), "the last poll counts");
        for _ in 0..100 {
            suspects.accuse(bad, true);
        }
        for _ in 0..MOST {
            assert_eq!(suspects.find(bad), Some(true));
            suspects.acquit(bad);
        }
        assert_eq!(suspects.find(bad), None);
        suspects.acquit(good);
        assert_eq!(suspects.find(good), None);
    }

    /// More places than there is room for: each is found right after its accusation.
    #[test]
    fn a_full_table_forgets_the_eldest() {
        let suspects = Suspects::default();
        let sites: Vec<_> = (0..4 * SIZE)
            .map(|_| &*Box::leak(Box::new(*here())))
            .collect();
        for site in &sites {
            suspects.accuse(site, true);
            assert_eq!(suspects.find(site), Some(true));
        }
        let known = sites.iter().filter(|site| suspects.find(site).is_some());
        assert!(known.count() <= SIZE);
    }
}
