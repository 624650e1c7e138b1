//! Loom models, a property a file, each beside the faults that it must catch.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 \
//!     cargo test -p gmp-executor --release --lib models
//! ```
//!
//! Faults come from three places. Steps of the product code are left out by
//! `mutant.rs`. Protocols that span several files are told again here, over the
//! product's words, with a parameter for what goes wrong. And each place whose
//! `ord:` comment names a model is weakened to Relaxed, each `form F` fence that
//! names one is taken away: the model must then fail, so the comments are true.
//!
//! loom looks for other orders of two accesses only where one of them writes,
//! and remembers one access per atomic; a thread that only reads is therefore
//! spawned and not run by the main thread, and each model asserts how many
//! executions it explored.

mod chained_steal;
mod each_g_once;
mod forgotten;
mod items;
mod join;
mod never_falsely_empty;
mod no_lost_wakeup;
mod note;
mod p_fence;
mod polled;
mod runnext_once;
mod snapshot;
mod suspend;
mod task;
mod task_state;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::mutant::{self, Mutant};
use crate::sync::weaken::{self, Site};

/// Fewer executions than this model nothing.
const FEWEST: usize = 20;

/// Explores `model`, with two preemptions an execution unless
/// `LOOM_MAX_PREEMPTIONS` says otherwise.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let executions = executions.load(Ordering::Relaxed);
    println!("{executions} executions");
    assert!(
        executions >= FEWEST,
        "only {executions} executions: this models nothing"
    );
}

/// Explores `model` on a mutant. A test that calls this expects a panic.
fn explore_mutant(mutant: Mutant, model: fn()) {
    mutant::set(Some(mutant));
    model();
}

/// Weakens, one at a time, each place whose comment names `property`; at least
/// one of `models` must fail for it.
fn every_order_counts(property: &str, models: &'static [fn()]) {
    let sites = weaken::sites(|| models.iter().for_each(|model| model()));
    let mut named = 0;
    let mut missed = Vec::new();
    for site in sites {
        let comment = comment_of(site);
        if !comment.contains(&format!("model {property}")) {
            continue;
        }
        named += 1;
        let caught = models.iter().any(|&model| fails_without(site, model));
        println!(
            "{site}: {comment}: {}",
            if caught { "caught" } else { "missed" }
        );
        if !caught {
            missed.push(site);
        }
    }
    assert!(named > 0, "no comment names the model {property}");
    assert!(
        missed.is_empty(),
        "no model of {property} needs the order at {missed:?}"
    );
}

/// On a thread of its own, for a failed model leaves loom's thread locals behind.
fn fails_without(site: Site, model: fn()) -> bool {
    let run = move || {
        weaken::weaken(site);
        model();
    };
    thread::spawn(run).join().is_err()
}

/// The `ord:` or `form F` comment of a place: on its line or close above.
fn comment_of(site: Site) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a crate of a workspace");
    let text = fs::read_to_string(root.join(site.file())).expect("the sources are there");
    let lines: Vec<&str> = text.lines().collect();
    let at = site.line() as usize - 1;
    let marked = |line: &str| line.contains("// ord:") || line.contains("// form F");
    if marked(lines[at]) {
        return comment_part(lines[at]);
    }
    let above = |&i: &usize| lines[i].trim_start().starts_with("//") && marked(lines[i]);
    let Some(first) = (at.saturating_sub(7)..at).rev().find(above) else {
        return String::new();
    };
    let block = lines[first..]
        .iter()
        .take_while(|line| line.trim_start().starts_with("//"));
    block
        .map(|line| comment_part(line))
        .collect::<Vec<_>>()
        .join(" ")
}

fn comment_part(line: &str) -> String {
    line.split_once("//")
        .map_or("", |(_, comment)| comment)
        .trim()
        .to_owned()
}

/// The tests of a property: models, mutants with what they make a model say, and,
/// if comments name the property, the sweep over those places.
macro_rules! models {
    ($($property:literal:)? $($name:ident),+ $(; $($test:ident: $mutant:expr, $model:ident, $says:literal);+)?) => {
        $(
            #[test]
            fn $name() {
                super::$name();
            }
        )+
        $($(
            #[test]
            #[should_panic(expected = $says)]
            fn $test() {
                $crate::models::explore_mutant($mutant, super::$model);
            }
        )+)?
        $crate::models::sweep!($($property:)? $($name),+);
    };
}
use models;

macro_rules! sweep {
    ($($name:ident),+) => {};
    ($property:literal: $($name:ident),+) => {
        #[test]
        fn every_order_counts() {
            $crate::models::every_order_counts($property, &[$(super::$name),+]);
        }
    };
}
use sweep;
