//! What does a runtime cost while nothing happens?

use std::time::Duration;

use super::net::serve_echo;
use crate::cell::{Latch, Turn, turns};
use crate::kit::scale::Scale;
use crate::measure::{Meter, Sample, resident};
use crate::runtime::Runtime;

const PARKED: u64 = 1000;
const SLEEPERS: u64 = 100;
const CONNECTIONS: u64 = 64;
const FAR_AWAY: Duration = Duration::from_secs(3600);

/// Op: the whole span, in which nothing is due and nobody speaks.
pub(crate) async fn cpu<R: Runtime>(scale: Scale) -> Sample {
    let addr = serve_echo::<R>().await;
    park::<R>(turns(PARKED)).await;
    for _ in 0..SLEEPERS {
        R::detach(R::sleep(FAR_AWAY));
    }
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(R::connect(addr).await.expect("the listener is up"));
    }
    // What the set-up has stirred up comes to rest.
    R::sleep(scale.pick(
        Duration::from_millis(500),
        Duration::from_millis(300),
        Duration::from_millis(5),
    ))
    .await;
    let span = scale.pick(
        Duration::from_secs(2),
        Duration::from_secs(2),
        Duration::from_millis(10),
    );
    let meter = Meter::start();
    R::sleep(span).await;
    meter.stop(1)
}

/// Op: one parked task.
pub(crate) async fn parked<R: Runtime>(scale: Scale) -> Sample {
    park::<R>(turns(100)).await;
    let tasks = scale.pick(1_000_000, 100_000, 1000);
    let batons = turns(tasks);
    let before = resident();
    let meter = Meter::start();
    park::<R>(batons).await;
    let grown = resident().saturating_sub(before);
    Sample {
        grown,
        ..meter.stop(tasks)
    }
}

/// Leaves one task waiting for each baton.
async fn park<R: Runtime>(batons: &'static [Turn]) {
    let parked = Latch::new(batons.len() as u64);
    for baton in batons {
        R::detach(async move {
            parked.arrive();
            baton.take().await;
        });
    }
    parked.wait().await;
}
