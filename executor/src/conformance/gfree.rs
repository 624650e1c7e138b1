//! Memory of dead tasks (R-G-12).

#![expect(unsafe_code, reason = "asks the allocator for blocks")]

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use super::kit::World;
use crate::gfree::{Block, CHAIN, Class, LARGEST, SHELF, STEP, WORD};
use crate::m::M;
use crate::sched::Rules;
use crate::sync::lock;

const CLASS: Class = Class(12);

/// The allocator's own blocks of that class.
fn blocks(n: u32) -> Vec<NonNull<Block>> {
    // SAFETY: its size is not 0.
    let new = |_| NonNull::new(unsafe { alloc::alloc(CLASS.layout()) }.cast());
    (0..n).map(|i| new(i).expect("there is memory")).collect()
}

fn put(m: &M, blocks: Vec<NonNull<Block>>) {
    for block in blocks {
        // SAFETY: of this class, and nobody uses it any more.
        unsafe { m.gfree.put(&m.sched, CLASS, block) };
    }
}

/// As many as the M and the shelf have, at most `n`.
fn take(m: &M, n: u32) -> Vec<NonNull<Block>> {
    (0..n)
        .map_while(|_| m.gfree.take(&m.sched, CLASS))
        .collect()
}

#[test]
fn a_class_holds_what_it_is_for_and_wastes_what_an_allocator_would() {
    for size in 1..=LARGEST {
        let layout = Layout::from_size_align(size, 8).expect("a layout");
        let held = Class::of(layout).expect("it has a class").layout().size();
        assert!(held >= size && held < size + STEP, "{size} in {held}");
        assert_eq!((held + WORD) % STEP, 0);
    }
    let unusual = [(LARGEST + 1, 8), (64, 2 * STEP)];
    for (size, align) in unusual {
        let layout = Layout::from_size_align(size, align).expect("a layout");
        assert_eq!(Class::of(layout), None);
    }
}

#[test]
fn what_an_m_frees_last_it_gets_first() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    assert!(take(&m, 1).is_empty());
    let mut new = blocks(3);
    put(&m, new.clone());
    new.reverse();
    let kept = take(&m, 9);
    assert_eq!(kept, new);
    put(&m, kept);
}

/// Rule R-G-12: what one M has freed another one gets.
#[test]
fn a_third_full_chain_goes_to_the_shelf_and_from_there_to_another_m() {
    let world = World::new(Rules::Default, 2);
    let (here, there) = (world.m(), world.m());
    put(&here, blocks(2 * CHAIN - 1));
    assert!(take(&there, 1).is_empty(), "nothing is on the shelf");
    put(&here, blocks(1));
    let mut taken = take(&there, 2 * CHAIN);
    assert_eq!(taken.len(), CHAIN as usize);
    taken.extend(take(&here, 2 * CHAIN));
    assert_eq!(taken.len(), 2 * CHAIN as usize);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 2 * CHAIN as usize, "a block was given twice");
    put(&there, taken);
}

#[test]
fn the_shelf_holds_so_much_and_no_more() {
    let world = World::new(Rules::Default, 2);
    let (here, there) = (world.m(), world.m());
    let beyond = u32::try_from(SHELF / CLASS.layout().size()).expect("some thousands") + 4 * CHAIN;
    put(&here, blocks(beyond));
    let on_it = take(&there, beyond);
    assert_eq!(on_it.len(), SHELF / CLASS.bytes_of_chain() * CHAIN as usize);
    put(&there, on_it);
}

/// A child of fork has inherited the lock from a thread that it does not have.
#[test]
fn nobody_waits_for_the_shelf() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    let locked = lock(&world.sched.gfree.chains);
    put(&m, blocks(3 * CHAIN));
    let kept = take(&m, 3 * CHAIN);
    assert_eq!(
        kept.len(),
        CHAIN as usize,
        "one is full, the others are freed"
    );
    put(&m, kept);
    drop(locked);
}
