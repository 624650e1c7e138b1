//! Tells the processor which memory is touched next.
//!
//! Timers come due in an order that has nothing to do with where they and their tasks lie, so each
//! is several cache misses in a row. Asked for early, they pass while the heap is sorted.

#![expect(unsafe_code, reason = "a prefetch is an intrinsic")]

/// A cache line of the processors that matter.
const LINE: usize = 64;

/// The first `lines` cache lines from `at` are wanted soon. A hint: the pointer may lead anywhere.
#[inline]
pub(crate) fn soon<T>(at: *const T, lines: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in 0..lines {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let at = at.cast::<i8>().wrapping_add(line * LINE);
        // SAFETY: a prefetch reads nothing that a program could see and faults nowhere.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (at, lines, LINE);
}
