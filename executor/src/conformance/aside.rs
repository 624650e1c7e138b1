//! Turns of tasks that compute without a P. No rule of Go's: its threads compute as
//! many as there are Ps by themselves.

use super::kit::World;
use crate::aside::{enter, flush, hurry, judge, next};
use crate::g::ReadyG;
use crate::sched::{CLOSING, Rules};

const A: u64 = 1;
const B: u64 = 2;
const C: u64 = 3;

/// A task of which a poll without a P has shown that it computes.
fn hog(world: &World, id: u64) -> ReadyG {
    let gp = world.g(id);
    gp.header().park.set_holds_up(true);
    gp.header().park.set_computes(true);
    gp
}

/// As whoever polls it: takes the mark.
fn begin(gp: Option<ReadyG>) -> Option<(ReadyG, u64)> {
    let gp = gp?;
    let park = &gp.header().park;
    assert!(park.has_turn(), "{gp:?} came without a turn");
    park.set_turn(false);
    let id = gp.header().goid;
    Some((gp, id))
}

#[test]
fn as_many_compute_as_there_are_ps_and_the_rest_take_turns() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    let (a, _) = begin(enter(&m, hog(&world, A))).expect("the first has a turn");
    assert!(enter(&m, hog(&world, B)).is_none(), "both compute");
    assert!(enter(&m, hog(&world, C)).is_none(), "all compute");
    assert!(world.sched.turns.are_wanted());
    // A wants to go on at once: it goes behind the others.
    let (b, id) = begin(next(&m, true, Some(a))).expect("the next one");
    assert_eq!(id, B);
    // B waits for something: its turn is C's, and then A's.
    world.id(b);
    let (c, id) = begin(next(&m, true, None)).expect("the next one");
    assert_eq!(id, C);
    world.id(c);
    let (a, id) = begin(next(&m, true, None)).expect("the next one");
    assert_eq!(id, A);
    world.id(a);
    // The turn is given back, and the next comer gets it.
    assert!(next(&m, true, None).is_none());
    assert!(!world.sched.turns.are_wanted());
    let (d, _) = begin(enter(&m, hog(&world, 4))).expect("the turn is free");
    world.id(d);
}

/// One that blocks asks for no turn; one that has shown that it computes does.
#[test]
fn a_task_that_blocks_needs_no_turn() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    let blocks = world.g(A);
    let again = next(&m, false, Some(blocks)).expect("it goes on");
    assert!(!again.header().park.has_turn());
    world.id(again);
    let (computes, _) = begin(next(&m, false, Some(hog(&world, B)))).expect("the first");
    world.id(computes);
    assert!(next(&m, false, Some(hog(&world, C))).is_none());
    flush(&world.sched);
}

/// A task that was never polled is judged by its siblings, once.
#[test]
fn a_first_poll_has_a_p_unless_its_siblings_held_one_up() {
    let world = World::new(Rules::Default, 1);
    let innocent = world.g(A);
    assert!(!judge(&world.sched, &innocent));
    let suspect = world.g(B);
    let site = suspect.header().spawn_loc;
    world.sched.suspects.accuse(site, true);
    assert!(
        !judge(&world.sched, &innocent),
        "its own polls count from now on"
    );
    assert!(judge(&world.sched, &suspect) && suspect.header().park.computes());
    let late = world.g(C);
    world.sched.suspects.accuse(site, false);
    assert!(judge(&world.sched, &late) && !late.header().park.computes());
    for gp in [innocent, suspect, late] {
        world.id(gp);
    }
}

#[test]
fn a_turn_that_does_not_end_holds_nobody_up_for_ever() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    let (a, _) = begin(enter(&m, hog(&world, A))).expect("the first has a turn");
    world.id(a);
    assert!(enter(&m, hog(&world, B)).is_none());
    hurry(&world.sched, 1_000_000_000);
    hurry(&world.sched, 1_099_999_999);
    assert!(world.sched.injector.is_empty(), "too soon");
    hurry(&world.sched, 1_100_000_000);
    let (b, id) = begin(world.sched.injector.pop()).expect("one more turn");
    assert_eq!(id, B);
    world.id(b);
    // Both turns end; only then is one free again, and not two.
    assert!(next(&m, true, None).is_none());
    assert!(enter(&m, hog(&world, C)).is_none());
    flush(&world.sched);
}

#[test]
fn the_end_of_the_runtime_lets_all_of_them_go() {
    let world = World::new(Rules::Default, 1);
    let m = world.m();
    let (a, _) = begin(enter(&m, hog(&world, A))).expect("the first has a turn");
    assert!(enter(&m, hog(&world, B)).is_none());
    world.sched.enter_phase(CLOSING);
    flush(&world.sched);
    assert_eq!(world.drain_global(), [B]);
    // Nobody queues any more.
    let late = enter(&m, hog(&world, C)).expect("it is polled, to be cancelled");
    assert!(!late.header().park.has_turn());
    world.id(late);
    let again = next(&m, true, Some(a)).expect("as above");
    assert!(!again.header().park.has_turn());
    world.id(again);
}
