//! What snapshots of many tasks cost themselves and others, beside Go where there is one.

use std::io;
use std::time::{Duration, Instant};

use gmp_profiler::Shot;

use crate::peer::{self, Cost};
use crate::pulse::{Gaps, Pulse, table};

/// Snapshots of each kind.
const LOOKS: usize = 10;
/// For what a snapshot leaves behind, and the beat that it has made late.
const AFTER: Duration = Duration::from_millis(10);

/// A way to look, and its name.
type Kind = (&'static str, fn() -> Shot);

/// Prints how snapshots of `n` parked tasks go, of a list of all and of groups, and how
/// late a task is meanwhile that wakes every millisecond; by turns with as long a time
/// in which there is none.
pub(crate) async fn snapshot(n: usize) -> io::Result<()> {
    let parked: Vec<_> = (0..n)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let pulse = Pulse::start();
    // Until every task has got where it waits.
    let _begun = pulse.after(Duration::from_millis(500)).await;
    let kinds: [Kind; 2] = [
        ("list", || gmp_profiler::tasks().shot().clone()),
        ("groups", || gmp_profiler::grouped().shot().clone()),
    ];
    let (mut without, mut during) = (Gaps::default(), [(); 2].map(|()| Gaps::default()));
    for look in 0..LOOKS {
        for ((name, take), gaps) in kinds.iter().zip(&mut during) {
            let begun = Instant::now();
            let shot = take();
            let took = begun.elapsed();
            let meanwhile = pulse.after(AFTER).await;
            println!("{name}: {shot}; worst gap {:?}", meanwhile.worst());
            gaps.add(meanwhile);
            // As many beats of either kind together as without.
            if look % 2 == 0 {
                without.add(pulse.after((took + AFTER) * 2).await);
            }
        }
    }
    let [lists, groups] = &during;
    table(&without, [("list", lists), ("groups", groups)]);
    let cost = async |look: fn() -> usize| {
        let _before = pulse.after(Duration::from_millis(20)).await;
        let begun = Instant::now();
        let written = look();
        let took = begun.elapsed();
        assert!(written > 0);
        let gap = pulse.after(Duration::from_millis(50)).await.worst();
        Cost { took, gap }
    };
    let profile = cost(|| gmp_profiler::grouped().to_pprof().len()).await;
    let text = cost(|| gmp_profiler::stack_all().len()).await;
    pulse.end().await?;
    parked.iter().for_each(gmp::task::AbortHandle::abort);
    // Its goroutines want the room that the tasks had.
    while gmp_profiler::num_tasks() > 2 {
        gmp::time::sleep(Duration::from_millis(10)).await;
    }
    beside_go(n, [profile, text]).await
}

/// Prints what Go takes for the same, where there is one.
async fn beside_go(n: usize, ours: [Cost; 2]) -> io::Result<()> {
    let go = gmp::task::spawn_blocking(move || peer::costs(n));
    let go = go.await.map_err(io::Error::other)??;
    let names = ["pprof file", "text of all"];
    for (at, (name, ours)) in names.into_iter().zip(ours).enumerate() {
        println!("{name}: {:?}, worst gap {:?}", ours.took, ours.gap);
        if let Some(go) = go.map(|go| go[at]) {
            let ratio = |go: Duration, ours: Duration| go.as_secs_f64() / ours.as_secs_f64();
            println!(
                "  Go: {:?}, worst gap {:?}: {:.1} and {:.1} times ours",
                go.took,
                go.gap,
                ratio(go.took, ours.took),
                ratio(go.gap, ours.gap)
            );
        }
    }
    Ok(())
}
