//! Does work that appears on one worker spread to the others?

use super::compute;
use crate::cell::Latch;
use crate::kit::scale::Scale;
use crate::measure::{Sample, measured};
use crate::runtime::Runtime;

/// Steps of a leaf of the tree: about 0.2 us.
const LEAF: u32 = 130;
/// Steps of a task of the bag: about 3 us.
const LOAD: u32 = 2000;

/// Op: one leaf. The tree forks to the end without a join: what is measured is spawning and stealing.
pub(crate) async fn tree<R: Runtime>(scale: Scale) -> Sample {
    measured(scale.pick(500_000, 100_000, 200), |leaves| async move {
        let done = Latch::new(leaves);
        fork::<R>(leaves, done);
        done.wait().await;
    })
    .await
}

fn fork<R: Runtime>(leaves: u64, done: &'static Latch) {
    R::detach(async move {
        if leaves == 1 {
            compute(LEAF);
            done.arrive();
        } else {
            let heavy = (leaves * 3 / 4).max(1);
            fork::<R>(heavy, done);
            fork::<R>(leaves - heavy, done);
        }
    });
}

/// Op: one task.
pub(crate) async fn bag<R: Runtime>(scale: Scale) -> Sample {
    measured(scale.pick(300_000, 100_000, 200), |tasks| async move {
        let done = Latch::new(tasks);
        for _ in 0..tasks {
            R::detach(async move {
                compute(LOAD);
                done.arrive();
            });
        }
        done.wait().await;
    })
    .await
}
