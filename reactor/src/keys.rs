//! The table of registered descriptors: key = slab index + generation.
//!
//! The kernel hands keys back with events. An event may be in some thread's
//! hands while its descriptor is closed, the number reused and the slab entry
//! taken again; the generation tells the two apart, so that the event of the
//! old descriptor is dropped. A generation comes back after 2^32 registrations
//! (2^16 on 32-bit targets), an event lives for one poll.

use slab::Slab;

const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// The key of the break event: no table entry has the highest index. `polling`
/// keeps `usize::MAX` for itself, which has that index too.
#[cfg(any(target_os = "linux", test))]
pub(crate) const WAKE_KEY: usize = INDEX_MASK;

#[derive(Debug)]
pub(crate) struct Table<T> {
    entries: Slab<Entry<T>>,
    generation: usize,
}

#[derive(Debug)]
struct Entry<T> {
    key: usize,
    value: T,
}

impl<T> Table<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Slab::new(),
            generation: 0,
        }
    }

    /// Puts in what `make` builds for the new key; `None` when every index is
    /// taken.
    pub(crate) fn insert(&mut self, make: impl FnOnce(usize) -> T) -> Option<&T> {
        let entry = self.entries.vacant_entry();
        let index = entry.key();
        if index >= INDEX_MASK {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        let key = (self.generation << INDEX_BITS) | index;
        Some(
            &entry
                .insert(Entry {
                    key,
                    value: make(key),
                })
                .value,
        )
    }

    pub(crate) fn get(&self, key: usize) -> Option<&T> {
        let entry = self.entries.get(key & INDEX_MASK)?;
        #[cfg(loom)]
        if crate::sync::faulty(crate::sync::Fault::AnyGeneration) {
            return Some(&entry.value);
        }
        (entry.key == key).then_some(&entry.value)
    }

    pub(crate) fn remove(&mut self, key: usize) -> Option<T> {
        self.get(key)?;
        self.entries
            .try_remove(key & INDEX_MASK)
            .map(|entry| entry.value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, entry)| &entry.value)
    }

    #[cfg(all(test, not(loom)))]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_reused_index_gets_a_new_key_and_the_old_key_finds_nothing() {
        let mut table = Table::new();
        let old = *table.insert(|key| key).unwrap();
        assert_eq!(table.remove(old), Some(old));
        let new = *table.insert(|key| key).unwrap();
        assert_eq!(old & INDEX_MASK, new & INDEX_MASK, "the index is reused");
        assert_ne!(old, new);
        assert_eq!(table.get(old), None);
        assert_eq!(table.remove(old), None);
        assert_eq!(table.get(new), Some(&new));
    }

    #[test]
    fn no_key_is_one_of_the_reserved_two() {
        let mut table = Table::new();
        table.generation = usize::MAX >> INDEX_BITS;
        table.generation -= 1;
        for _ in 0..3 {
            let key = *table.insert(|key| key).unwrap();
            assert!(key != WAKE_KEY && key != usize::MAX);
        }
    }

    #[test]
    fn the_generation_wraps_without_a_panic() {
        let mut table = Table::new();
        table.generation = usize::MAX;
        let key = *table.insert(|key| key).unwrap();
        assert_eq!(table.get(key), Some(&key));
    }
}
