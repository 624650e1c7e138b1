//! A 4-ary min-heap by deadline. Pure: no clock, no lock, no knowledge of timers.
//!
//! The parent of `i` is `(i - 1) / 4`, its children are `4i + 1 ..= 4i + 4`. Each entry carries its
//! own copy of the deadline, so that sifting compares neighbours in one array and never follows a
//! pointer. Entries with equal deadlines come out in no particular order.

use crate::prefetch;

/// Children per entry: four entries of sixteen bytes are a cache line's worth, and the tree is half
/// as deep as a binary one.
const FAN_OUT: usize = 4;

/// Capacity below which memory is not given back.
const KEEP: usize = 1024;

/// One element: the deadline it is sorted by and what is due then.
pub(crate) struct Entry<T> {
    pub(crate) when: u64,
    pub(crate) item: T,
}

/// What [`Heap::sort_out`] does with an entry.
pub(crate) enum Keep {
    /// Nothing changed.
    AsIs,
    /// It stays with this deadline.
    At(u64),
    /// It leaves the heap.
    No,
}

pub(crate) struct Heap<T> {
    entries: Vec<Entry<T>>,
}

impl<T> Heap<T> {
    pub(crate) const fn new() -> Heap<T> {
        Heap {
            entries: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry with the smallest deadline.
    pub(crate) fn first(&self) -> Option<&Entry<T>> {
        self.entries.first()
    }

    /// Those of which one is the first after the next pop.
    pub(crate) fn seconds(&self) -> &[Entry<T>] {
        let end = self.entries.len().min(1 + FAN_OUT);
        self.entries.get(1..end).unwrap_or_default()
    }

    /// The entry in the last place, which can leave without any sifting.
    pub(crate) fn last(&self) -> Option<&Entry<T>> {
        self.entries.last()
    }

    pub(crate) fn push(&mut self, when: u64, item: T) {
        self.entries.push(Entry { when, item });
        self.sift_up(self.entries.len() - 1);
    }

    /// Removes the entry with the smallest deadline.
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.entries.is_empty() {
            return None;
        }
        let first = self.entries.swap_remove(0);
        self.sift_down(0);
        Some(first.item)
    }

    /// Removes the entry in the last place.
    pub(crate) fn pop_last(&mut self) -> Option<T> {
        self.entries.pop().map(|entry| entry.item)
    }

    /// Gives the first entry another deadline and its new place.
    pub(crate) fn move_first(&mut self, when: u64) {
        if let Some(first) = self.entries.first_mut() {
            first.when = when;
            self.sift_down(0);
        }
    }

    /// Puts another entry in the place of the first one, which is handed out.
    pub(crate) fn replace_first(&mut self, when: u64, item: T) -> Option<T> {
        let first = self.entries.first_mut()?;
        let old = std::mem::replace(first, Entry { when, item });
        self.sift_down(0);
        Some(old.item)
    }

    /// Asks `judge` about every entry, hands those that leave to `left`, and restores the order in
    /// O(n).
    pub(crate) fn sort_out(
        &mut self,
        mut judge: impl FnMut(u64, &T) -> Keep,
        mut left: impl FnMut(T),
    ) {
        let mut changed = false;
        let mut i = 0;
        while let Some(entry) = self.entries.get_mut(i) {
            match judge(entry.when, &entry.item) {
                Keep::AsIs => i += 1,
                Keep::At(when) => {
                    entry.when = when;
                    changed = true;
                    i += 1;
                }
                Keep::No => {
                    left(self.entries.swap_remove(i).item);
                    changed = true;
                }
            }
        }
        if changed {
            self.heapify();
        }
    }

    /// Takes every entry out, in no particular order.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Entry<T>> {
        std::mem::take(&mut self.entries).into_iter()
    }

    /// Gives memory back once seven eighths of it lie idle; half of it goes, so that a heap that
    /// breathes does not copy itself at every breath.
    pub(crate) fn shrink(&mut self) {
        let capacity = self.entries.capacity();
        if capacity > KEEP && self.entries.len() < capacity / 8 {
            self.entries.shrink_to(capacity / 2);
        }
    }

    fn heapify(&mut self) {
        let len = self.entries.len();
        if len > 1 {
            for i in (0..=(len - 2) / FAN_OUT).rev() {
                self.sift_down(i);
            }
        }
    }

    fn sift_up(&mut self, mut i: usize) {
        while i > 0 {
            let parent = (i - 1) / FAN_OUT;
            if self.entries[i].when >= self.entries[parent].when {
                break;
            }
            self.entries.swap(i, parent);
            i = parent;
        }
    }

    fn sift_down(&mut self, mut i: usize) {
        while let Some(child) = self.smallest_child(i) {
            // The next step's candidates are these; in a large heap they are far.
            let grandchildren = (child * FAN_OUT + 1) * FAN_OUT + 1;
            if grandchildren < self.entries.len() {
                prefetch::soon(&raw const self.entries[grandchildren], 5);
            }
            if self.entries[child].when >= self.entries[i].when {
                break;
            }
            self.entries.swap(child, i);
            i = child;
        }
    }

    /// The child of `i` with the smallest deadline: each pair by itself, then the two winners.
    fn smallest_child(&self, i: usize) -> Option<usize> {
        let base = i * FAN_OUT + 1;
        if let Some([a, b, c, d]) = self.entries.get(base..base + FAN_OUT) {
            let (ab, low) = if b.when < a.when {
                (1, b.when)
            } else {
                (0, a.when)
            };
            let (cd, high) = if d.when < c.when {
                (3, d.when)
            } else {
                (2, c.when)
            };
            return Some(base + if high < low { cd } else { ab });
        }
        let rest = self.entries.get(base..)?;
        (0..rest.len())
            .min_by_key(|&k| rest[k].when)
            .map(|k| base + k)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn whens<T>(heap: &Heap<T>) -> Vec<u64> {
        heap.entries.iter().map(|entry| entry.when).collect()
    }

    fn heap_of(deadlines: impl IntoIterator<Item = u64>) -> Heap<u64> {
        let mut heap = Heap::new();
        for when in deadlines {
            heap.push(when, when);
        }
        heap
    }

    fn assert_ordered<T>(heap: &Heap<T>) {
        for i in 1..heap.len() {
            assert!(
                heap.entries[(i - 1) / FAN_OUT].when <= heap.entries[i].when,
                "entry {i} precedes its parent"
            );
        }
    }

    #[test]
    fn t58_push_descending() {
        let mut heap = heap_of([5, 4, 3, 2, 1]);
        assert_eq!(whens(&heap), [1, 5, 4, 3, 2]);
        assert_eq!(heap.pop(), Some(1));
        assert_eq!(whens(&heap), [2, 5, 4, 3]);
    }

    #[test]
    fn r_timer_2_sift_up_stops_at_an_equal_parent() {
        let mut heap = Heap::new();
        heap.push(7, 'a');
        heap.push(7, 'b');
        assert_eq!(heap.first().map(|entry| entry.item), Some('a'));
    }

    #[test]
    fn r_timer_2_sift_down_takes_the_smaller_pair() {
        for smallest in 0..4 {
            let mut heap = heap_of([1, 20, 30, 40, 50, 60]);
            heap.entries[1 + smallest].when = 2;
            heap.pop();
            assert_eq!(
                heap.first().map(|entry| entry.when),
                Some(2),
                "child {smallest}"
            );
        }
    }

    #[test]
    fn pops_in_order_for_every_size() {
        for n in 0..90_u64 {
            let mut heap = heap_of((0..n).map(|i| i * 37 % 91));
            assert_ordered(&heap);
            let mut last = 0;
            while let Some(when) = heap.pop() {
                assert!(when >= last);
                last = when;
                assert_ordered(&heap);
            }
            assert_eq!(heap.len(), 0);
        }
    }

    #[test]
    fn move_first_finds_the_new_place() {
        let mut heap = heap_of(1..=21);
        heap.move_first(30);
        assert_ordered(&heap);
        assert_eq!(heap.first().map(|entry| entry.item), Some(2));
        let order: Vec<u64> = std::iter::from_fn(|| heap.pop()).collect();
        assert_eq!(order.last(), Some(&1));
    }

    #[test]
    fn replace_first_finds_the_new_place() {
        for when in [0, 5, 30] {
            let mut heap = heap_of(1..=21);
            assert_eq!(heap.replace_first(when, 77), Some(1));
            assert_eq!(heap.len(), 21);
            assert_ordered(&heap);
        }
        assert_eq!(Heap::new().replace_first(1, 'a'), None);
    }

    #[test]
    fn sort_out_keeps_moves_and_drops() {
        let mut heap = heap_of(1..=40);
        let mut left = Vec::new();
        let judge = |when: u64, _: &u64| match when % 4 {
            0 => Keep::No,
            1 => Keep::At(100 - when),
            _ => Keep::AsIs,
        };
        heap.sort_out(judge, |item| left.push(item));
        left.sort_unstable();
        assert_eq!(left, [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
        assert_eq!(heap.len(), 30);
        assert_ordered(&heap);
        for entry in &heap.entries {
            let expected = if entry.item % 4 == 1 {
                100 - entry.item
            } else {
                entry.item
            };
            assert_eq!(entry.when, expected);
        }
    }

    #[test]
    fn shrink_keeps_the_entries_and_gives_memory_back() {
        let mut heap = heap_of(0..20_000);
        let full = heap.entries.capacity();
        for _ in 0..19_000 {
            heap.pop();
        }
        heap.shrink();
        assert!(heap.entries.capacity() < full);
        assert_eq!(heap.len(), 1000);
        assert_ordered(&heap);
    }
}
