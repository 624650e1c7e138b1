//! Room for a list of all tasks.
//!
//! The records of a million tasks are a hundred megabytes of fresh memory, and to get
//! them page by page takes longer than to look at the tasks. So the system is asked for
//! large pages, where it has some to give.

#![cfg_attr(
    target_os = "linux",
    expect(unsafe_code, reason = "advises the system about memory of its own")
)]

use std::mem::MaybeUninit;

/// An empty list with room for that many.
pub(super) fn list<T>(n: usize) -> Vec<T> {
    let mut list = Vec::with_capacity(n);
    in_large_pages(list.spare_capacity_mut());
    list
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
fn in_large_pages<T>(_: &mut [MaybeUninit<T>]) {}

/// What lies whole in the room is advised, if there is anything.
#[cfg(target_os = "linux")]
fn in_large_pages<T>(room: &mut [MaybeUninit<T>]) {
    let start = room.as_mut_ptr().cast::<u8>();
    let skipped = start.addr().next_multiple_of(LARGE) - start.addr();
    let whole = size_of_val(room).saturating_sub(skipped) / LARGE * LARGE;
    if whole > 0 {
        // SAFETY: both ends lie in memory that is the caller's alone, and the advice
        // changes nothing that is in it. One that is not taken is no loss.
        unsafe { libc::madvise(start.add(skipped).cast(), whole, libc::MADV_HUGEPAGE) };
    }
}

/// As large as large pages are, or a multiple of what they are on some machines.
#[cfg(target_os = "linux")]
const LARGE: usize = 2 << 20;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{LARGE, list};

    /// What the system says of the mapping with this address; none: it does not tell.
    fn flags(address: usize) -> Option<String> {
        let maps = std::fs::read_to_string("/proc/self/smaps").ok()?;
        let mut here = false;
        for line in maps.lines() {
            let word = line.split(' ').next().unwrap_or_default();
            let ends = word.split_once('-').map(|(from, to)| {
                [from, to].map(|end| usize::from_str_radix(end, 16).unwrap_or_default())
            });
            match ends {
                Some([from, to]) => here = (from..to).contains(&address),
                None if here && word == "VmFlags:" => return Some(line.to_owned()),
                None => {}
            }
        }
        None
    }

    #[test]
    fn much_room_is_in_large_pages() {
        let knows = std::fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap_or(false);
        let mut words = list::<u64>(4 * LARGE / 8);
        words.resize(words.capacity(), 7);
        assert!(words.iter().all(|&word| word == 7));
        let middle = words[words.len() / 2..].as_ptr().addr();
        if let Some(flags) = flags(middle).filter(|_| knows) {
            assert!(flags.contains(" hg"), "{flags}");
        }
        assert!(list::<u64>(100).capacity() >= 100);
    }
}
