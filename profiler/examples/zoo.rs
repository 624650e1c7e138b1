//! Tasks to look at.
//!
//! `zoo states [FORM]` shows one task in each state, as text, groups, json, folded,
//! pprof or svg; `zoo sleepers N [SECONDS]` tasks that have slept for two minutes; `zoo pairs
//! N PAIRS` looks for pairs among N tasks that a snapshot has torn apart; `zoo wedge` asks while every P
//! computes; `zoo nested [FORM]` shows a park stack
//! (`RUSTFLAGS="-C force-frame-pointers=yes"`); `zoo snapshot N` times snapshots of N
//! parked tasks: how long the world stood still, how long all took, and how late a
//! task was that wakes every millisecond, by turns with none, beside Go where it is
//! installed; `zoo soak
//! [SECONDS]` looks for false proofs under a mixed load; `zoo parkcost` prints what a
//! park costs with stacks off and on; `zoo panics N` what ten thousand panics a second
//! cost the others, beside N parked tasks; `zoo hog` shows where a task computes; `zoo
//! stay` keeps the tasks of `states` until its input ends: `kill -QUIT` shows them; `zoo
//! sigquit` how late a task that wakes every millisecond is while the signal's dumps are
//! written; `zoo deadlock` hangs for ever, or ends with status 2 under
//! `GMP_DEBUG=deadlock=fatal`; `zoo orphan_birth` and `zoo orphan_drop` print the
//! proof of a leak, the latter with who made it one
//! (`RUSTFLAGS="--cfg gmp_watch_wakers"`); `zoo futures_unordered`, `completes_in_trace`,
//! `wakes_in_trace` and `panics_in_trace [SECONDS]` repeat polls in which stacks are
//! noted while snapshots are taken, and compare their ends with those without stacks;
//! `zoo stopcompare [N]` prints how long the world stands still for a snapshot of a
//! million tasks, or N, and for a walk that keeps it standing until all are seen.

use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gmp::runtime::Runtime;
use gmp::task::JoinHandle;
use gmp_profiler::Profile;

#[path = "zoo/pairs.rs"]
mod pairs;
#[path = "zoo/panics.rs"]
mod panics;
#[path = "zoo/parkcost.rs"]
mod parkcost;
#[path = "zoo/peer.rs"]
mod peer;
#[path = "zoo/pulse.rs"]
mod pulse;
#[path = "zoo/snapshot.rs"]
mod snapshot;
#[path = "zoo/soak.rs"]
mod soak;
#[path = "zoo/states.rs"]
mod states;
#[path = "zoo/stopcompare.rs"]
mod stopcompare;
#[path = "zoo/stories.rs"]
mod stories;
#[path = "zoo/stuck.rs"]
mod stuck;
#[path = "zoo/wedge.rs"]
mod wedge;

use pulse::Pulse;
use states::{busy, settled, waiting};
use stories::Snapshots;

const LONG: Duration = Duration::from_secs(3600);

#[gmp::main(procs = 2, sigquit = "dump")]
async fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["states"] => show("text").await,
        ["states", form] => show(form).await,
        ["snapshot", n] => snapshot::snapshot(n.parse().expect("a number of tasks")).await,
        ["stopcompare"] => stopcompare::stopcompare(1_000_000).await,
        ["stopcompare", n] => stopcompare::stopcompare(n.parse().expect("a number of tasks")).await,
        ["soak"] => soak::soak(Duration::from_secs(600)).await,
        ["soak", seconds] => {
            let seconds = seconds.parse().expect("a number of seconds");
            soak::soak(Duration::from_secs(seconds)).await
        }
        ["nested"] => nested("text").await,
        ["nested", form] => nested(form).await,
        ["parkcost"] => gmp::task::spawn_blocking(parkcost::parkcost)
            .await
            .map_err(std::io::Error::other)?,
        ["panics", n] => panics::panics(n.parse().expect("a number of tasks")).await,
        ["hog"] => hog().await,
        ["wedge"] => wedge::wedge().await,
        ["pairs", all, n] => {
            let (all, n) = (all.parse(), n.parse());
            let (all, n) = (all.expect("a number of tasks"), n.expect("one of pairs"));
            // Among tasks that never rest this one would wait for its turn.
            gmp::task::block_in_place(|| pairs::pairs(all, n, 20))
        }
        ["sleepers", n] => sleepers(n.parse().expect("a number of tasks"), 125).await,
        ["sleepers", n, seconds] => {
            let seconds = seconds.parse().expect("a number of seconds");
            sleepers(n.parse().expect("a number of tasks"), seconds).await
        }
        ["stay"] => stay().await,
        ["sigquit"] => sigquit().await,
        ["deadlock"] => stuck::deadlock().await,
        ["orphan_birth"] => stuck::orphan_birth().await,
        ["orphan_drop"] => stuck::orphan_drop().await,
        ["futures_unordered", ref rest @ ..] => traced(stories::futures_unordered, rest).await,
        ["completes_in_trace", ref rest @ ..] => traced(stories::completes, rest).await,
        ["wakes_in_trace", ref rest @ ..] => traced(stories::wakes, rest).await,
        ["panics_in_trace", ref rest @ ..] => traced(stories::panics, rest).await,
        _ => panic!(
            "usage: zoo states [FORM] | zoo sleepers N [SECONDS] | zoo pairs N PAIRS | zoo wedge | zoo snapshot N | zoo stopcompare [N] | zoo soak [SECONDS] | zoo nested [FORM] | \
             zoo parkcost | zoo panics N | zoo hog | zoo stay | zoo sigquit | zoo deadlock | zoo orphan_birth | zoo \
             orphan_drop | zoo futures_unordered|completes_in_trace|wakes_in_trace|panics_in_trace [SECONDS]; forms: text, groups, json, folded, pprof, svg"
        ),
    }
}

/// One task in each state, written in the form.
async fn show(form: &str) -> std::io::Result<()> {
    let on = Arc::new(AtomicBool::new(true));
    let mut zoo = waiting().await?;
    zoo.extend(busy(&on));
    let tasks = settled(zoo.len()).await;
    write(&tasks, form)?;
    on.store(false, Ordering::Relaxed);
    zoo.iter().for_each(JoinHandle::abort);
    Ok(())
}

fn write(tasks: &Profile, form: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match form {
        "text" => out.write_all(tasks.to_text(2).as_bytes())?,
        "groups" => out.write_all(tasks.to_text(1).as_bytes())?,
        "json" => out.write_all(tasks.to_json().as_bytes())?,
        "folded" => out.write_all(tasks.to_folded().as_bytes())?,
        "pprof" => out.write_all(&tasks.to_pprof())?,
        #[cfg(feature = "flamegraph")]
        "svg" => out.write_all(tasks.to_svg()?.as_bytes())?,
        other => panic!("no form {other}; svg needs the feature flamegraph"),
    }
    Ok(())
}

/// The tasks of `states`, for whoever sends signals.
async fn stay() -> std::io::Result<()> {
    let on = Arc::new(AtomicBool::new(true));
    let mut zoo = waiting().await?;
    zoo.extend(busy(&on));
    drop(settled(zoo.len()).await);
    println!("ready pid={}", std::process::id());
    let input =
        gmp::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    input.await.map_err(std::io::Error::other)??;
    on.store(false, Ordering::Relaxed);
    zoo.iter().for_each(JoinHandle::abort);
    Ok(())
}

/// Signals to itself: what the dump costs a task that has something to do.
async fn sigquit() -> std::io::Result<()> {
    // A machine with other things to do is late as well, but not so late.
    const LATE: Duration = Duration::from_secs(2);
    let zoo = waiting().await?;
    let many: Vec<_> = (0..1000)
        .map(|_| gmp::spawn(std::future::pending::<()>()).abort_handle())
        .collect();
    let pulse = Pulse::start();
    let calm = pulse.after(Duration::from_millis(500)).await;
    println!("worst gap of a 1 ms heartbeat: {:?} before", calm.worst());
    for _ in 0..5 {
        let pid = std::process::id().to_string();
        let sent = gmp::task::spawn_blocking(move || {
            std::process::Command::new("kill")
                .args(["-QUIT", &pid])
                .status()
        });
        let sent = sent.await.map_err(std::io::Error::other)??;
        assert!(sent.success(), "kill: {sent}");
        let worst = pulse.after(Duration::from_millis(300)).await.worst();
        println!("{worst:?} at a dump of {} tasks", gmp_profiler::num_tasks());
        assert!(worst < LATE, "the dump kept a task waiting");
    }
    pulse.end().await?;
    zoo.iter().for_each(JoinHandle::abort);
    many.iter().for_each(gmp::task::AbortHandle::abort);
    Ok(())
}

/// `n` tasks that have slept for so long.
async fn sleepers(n: usize, seconds: u64) -> std::io::Result<()> {
    let tasks: Vec<_> = (0..n)
        .map(|_| gmp::spawn(async { gmp::time::sleep(LONG).await }))
        .collect();
    gmp::time::sleep(Duration::from_secs(seconds)).await;
    let text = gmp_profiler::stack_all();
    println!("{text}");
    tasks.iter().for_each(JoinHandle::abort);
    let state = match seconds / 60 {
        0 => "[sleep]".to_owned(),
        minutes => format!("[sleep, {minutes} minutes]"),
    };
    match text.matches(&state).count() {
        told if told == n => Ok(()),
        told => Err(std::io::Error::other(format!("{told} times {state}"))),
    }
}

/// A task three functions deep, as a dump shows it with stacks on. No look polls it.
async fn nested(form: &str) -> std::io::Result<()> {
    async fn a() {
        b().await; // here: a
    }
    async fn b() {
        c().await; // here: b
    }
    async fn c() {
        gmp::time::sleep(LONG).await; // here: c
    }
    if let Err(hint) = gmp_profiler::park_stacks(true) {
        eprintln!("# {hint}");
    }
    let polls = Arc::new(AtomicUsize::new(0));
    let counts = polls.clone();
    let task = gmp::spawn(async move {
        let mut a = pin!(a());
        let counted = std::future::poll_fn(|cx| {
            counts.fetch_add(1, Ordering::Relaxed);
            a.as_mut().poll(cx)
        });
        counted.await;
    });
    let mut tasks = settled(1).await;
    tasks.retain(|info| info.id == task.id().get());
    (0..100).for_each(|_| drop(gmp_profiler::tasks()));
    task.abort();
    write(&tasks, form)?;
    match polls.load(Ordering::Relaxed) {
        1 => Ok(()),
        n => Err(std::io::Error::other(format!(
            "polled {n} times, and nobody woke it"
        ))),
    }
}

/// Tells a story with stacks again and again, for 30 seconds or as many as it is told:
/// it ends as it does without.
async fn traced<T: PartialEq + std::fmt::Debug + Send + 'static>(
    story: fn(&Runtime, &Snapshots, bool) -> T,
    rest: &[&str],
) -> std::io::Result<()> {
    let seconds = rest.first().map_or(Ok(30), |seconds| seconds.parse());
    let time = Duration::from_secs(seconds.expect("a number of seconds"));
    let tell = move |has| {
        let rt = stories::runtime();
        let snapshots = Snapshots::of(rt.handle());
        let end = story(&rt, &snapshots, has);
        (end, snapshots.stacks.load(Ordering::Relaxed))
    };
    let told = gmp::task::spawn_blocking(move || {
        let (wanted, _) = tell(false);
        let has = gmp_profiler::park_stacks(true);
        if let Err(hint) = &has {
            eprintln!("# {hint}");
        }
        let (begun, mut rounds, mut stacks) = (Instant::now(), 0, 0);
        while rounds == 0 || begun.elapsed() < time {
            let (end, seen) = tell(has.is_ok());
            assert_eq!(end, wanted, "stacks change how it ends");
            rounds += 1;
            stacks += seen;
        }
        println!("done: {rounds} rounds, {stacks} stacks seen; each ended with {wanted:?}");
    });
    told.await.map_err(std::io::Error::other)
}

/// A poll that never gives way, as a dump shows it.
async fn hog() -> std::io::Result<()> {
    #[inline(never)]
    fn hog_loop(on: &AtomicBool) {
        while on.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
    let (on, begun) = (
        Arc::new(AtomicBool::new(true)),
        Arc::new(AtomicBool::new(false)),
    );
    let (until, begins) = (on.clone(), begun.clone());
    let task = gmp::spawn(async move {
        begins.store(true, Ordering::Relaxed);
        hog_loop(&until);
    });
    while !begun.load(Ordering::Relaxed) {
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
    // So long that it is asked for its stack.
    gmp::time::sleep(Duration::from_millis(50)).await;
    let asked = Instant::now();
    let text = gmp_profiler::stack_all();
    println!("# written in {:?}\n{text}", asked.elapsed());
    let named = text.contains(&format!("# straggler: goroutine {} on thread ", task.id()));
    on.store(false, Ordering::Relaxed);
    task.await.map_err(std::io::Error::other)?;
    if named {
        Ok(())
    } else {
        Err(std::io::Error::other("nobody names the poll that goes on"))
    }
}
