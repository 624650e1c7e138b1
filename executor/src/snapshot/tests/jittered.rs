//! I5: the invariants of a cut while threads lose their cores at the worst moments
//! (`jitter.rs`), seed after seed.
//!
//! `GMP_JITTER_SEED` is the first seed, and `GMP_JITTER_SECONDS` says for how long to go
//! on, instead of some seconds. A failure names its seed.

use std::time::SystemTime;

use super::*;
use crate::jitter;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Names the seed of a test that fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("GMP_JITTER_SEED={}", self.0);
        }
    }
}

#[test]
fn cuts_stand_up_to_jitter() {
    let first = number("GMP_JITTER_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map_or(1, |now| now.as_nanos() as u64 | 1)
    });
    let seconds = number("GMP_JITTER_SECONDS").unwrap_or(5);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut seeds, mut looks, mut exact) = (0, 0, 0);
    for seed in first.. {
        let named = Seed(seed);
        jitter::seed(seed);
        for shot in with(seed) {
            looks += 1;
            exact += usize::from(shot.mode == Mode::Exact);
        }
        drop(named);
        seeds += 1;
        if Instant::now() > end {
            break;
        }
    }
    println!("{seeds} seeds from {first}: {looks} snapshots, {exact} of one moment");
    assert!(exact > 0, "no snapshot was exact");
}

/// Some snapshots of a program that does all that is told to snapshots.
fn with(seed: u64) -> Vec<Shot> {
    const CHAINS: usize = 3;
    let rt = runtime(1 + seed as usize % 3);
    let (on, links) = (Arc::new(AtomicBool::new(true)), Arc::default());
    let mut rings = rings(&rt, 12, 2);
    rings.extend(super::rings(&rt, 2, 9));
    (0..CHAINS).for_each(|_| link(rt.handle().clone(), on.clone(), Arc::clone(&links)));
    let members: usize = rings.iter().map(Vec::len).sum();
    let look = || {
        let (tasks, shot) = look(rt.handle(), Hooks::On);
        let stragglers = shot.stragglers.len();
        let counted = members + CHAINS;
        // One that has never waited and goes on is known to its M alone.
        assert!(
            (counted..=counted + stragglers).contains(&tasks.len()),
            "{shot}"
        );
        let tasks = by_id(&tasks);
        if shot.mode == Mode::Exact {
            assert_eq!(tasks.len() as u64, shot.alive, "{shot}");
        }
        for ring in &rings {
            let moving = moving(&tasks, ring);
            assert!(moving >= 1, "a token is lost: {shot}");
            assert!(moving == 1 || shot.mode == Mode::Ragged, "{moving}: {shot}");
        }
        let waits = |task: &&&TaskInfo| task.status == Status::Waiting;
        tasks
            .values()
            .filter(waits)
            .for_each(|task| assert_whole(task));
        shot
    };
    let shots = (0..40).map(|_| look()).collect();
    on.store(false, Ordering::Relaxed);
    abort(&rings);
    shots
}
