//! What does it cost to make a waiting task run again?

use crate::cell::{Latch, turns};
use crate::kit::scale::Scale;
use crate::measure::{Sample, measured};
use crate::runtime::Runtime;

/// Tasks that take turns, and tasks that a storm wakes.
const CROWD: u64 = 1000;

/// Op: one yield.
pub(crate) async fn yields<R: Runtime>(scale: Scale) -> Sample {
    measured(
        scale.pick(4_000_000, 1_000_000, 10 * CROWD),
        |yields| async move {
            let done = Latch::new(CROWD);
            for _ in 0..CROWD {
                R::detach(async move {
                    for _ in 0..yields / CROWD {
                        R::yield_now().await;
                    }
                    done.arrive();
                });
            }
            done.wait().await;
        },
    )
    .await
}

/// Op: one round trip, which is two wake-ups. Ops are divided evenly among `pairs`.
pub(crate) async fn ping_pong<R: Runtime>(pairs: u64, scale: Scale) -> Sample {
    measured(
        scale.pick(2_000_000, 400_000, 640),
        move |trips| async move {
            let (balls, returns) = (turns(pairs), turns(pairs));
            let done = Latch::new(pairs);
            for (ball, back) in balls.iter().zip(returns) {
                R::detach(async move {
                    for _ in 0..trips / pairs {
                        ball.take().await;
                        back.give();
                    }
                });
                R::detach(async move {
                    for _ in 0..trips / pairs {
                        ball.give();
                        back.take().await;
                    }
                    done.arrive();
                });
            }
            done.wait().await;
        },
    )
    .await
}

/// Op: one task woken and reported back.
pub(crate) async fn storm<R: Runtime>(scale: Scale) -> Sample {
    measured(
        scale.pick(2_000_000, 400_000, 3 * CROWD),
        |wakes| async move {
            let crowd = turns(CROWD);
            let rounds = (wakes / CROWD).max(1);
            let reported = Latch::new(CROWD);
            for me in crowd {
                R::detach(async move {
                    for _ in 0..rounds {
                        me.take().await;
                        reported.arrive();
                    }
                });
            }
            for _ in 0..rounds {
                reported.reset(CROWD);
                for one in crowd {
                    one.give();
                }
                reported.wait().await;
            }
        },
    )
    .await
}
