//! Spans of `tracing` stay with their tasks: a future that is instrumented has its
//! span in every poll, on whatever thread, and nobody else has it.

#[path = "support/limited.rs"]
mod limited;

use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use gmp::task::{block_in_place, yield_now};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::set_global_default;
use tracing::{Event, Instrument, Metadata, Span, Subscriber, info_span, instrument};

use limited::limited;

thread_local! {
    /// The spans that this thread is in, the innermost last.
    static WITHIN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Numbers spans and knows who is in which.
struct Tracker(AtomicU64);

impl Subscriber for Tracker {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(self.0.fetch_add(1, SeqCst))
    }

    fn enter(&self, span: &Id) {
        WITHIN.with_borrow_mut(|within| within.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let left = WITHIN.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()), "left on another thread");
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}
}

const NONE: [u64; 0] = [];

fn within() -> Vec<u64> {
    WITHIN.with_borrow(Vec::clone)
}

fn number(span: &Span) -> u64 {
    span.id().expect("enabled").into_u64()
}

fn on_each(test: impl AsyncFn()) {
    static TRACKER: Once = Once::new();
    TRACKER.call_once(|| set_global_default(Tracker(AtomicU64::new(1))).unwrap());
    for procs in [1, 4] {
        limited(procs, 60, async {
            test().await;
            assert_eq!(within(), NONE);
        });
    }
}

/// Waits in all ways, and after each is in the same spans.
#[instrument]
async fn work(n: u64) -> Vec<u64> {
    let before = within();
    let same = || assert_eq!(within(), before);
    let (tx, rx) = gmp::chan::bounded(1);
    for round in 0..20 {
        match (n + round) % 5 {
            0 => yield_now().await,
            1 => gmp::time::sleep(Duration::from_micros(n)).await,
            2 => block_in_place(|| thread::sleep(Duration::from_micros(n))),
            3 => {
                let tx = tx.clone();
                gmp::spawn(async move { tx.send(n).await });
                assert_eq!(rx.recv().await, Ok(n));
            }
            _ => {
                let never = std::future::pending::<()>();
                let late = gmp::time::timeout(Duration::from_micros(10), never).await;
                assert!(late.is_err());
            }
        }
        same();
    }
    before
}

#[test]
fn each_task_has_its_own_span_in_every_poll() {
    on_each(async || {
        let bare = gmp::spawn(async {
            for _ in 0..200 {
                assert_eq!(within(), NONE);
                yield_now().await;
            }
        });
        let tasks: Vec<_> = (0..50).map(|n| gmp::spawn(work(n))).collect();
        let mut seen = Vec::new();
        for task in tasks {
            let spans = task.await.unwrap();
            assert_eq!(spans.len(), 1);
            seen.extend(spans);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 50, "two tasks in one span");
        bare.await.unwrap();
    });
}

#[test]
fn a_span_goes_to_a_spawned_task_if_it_is_sent_along() {
    on_each(async || {
        let outer = info_span!("outer");
        let id = number(&outer);
        let sent = outer.clone();
        let parent = async move {
            assert_eq!(within(), [id]);
            let alone = gmp::spawn(async { within() });
            let along = gmp::spawn(async { within() }.instrument(sent.clone()));
            let inner = info_span!("inner");
            let both = gmp::spawn(
                async { within() }
                    .instrument(inner.clone())
                    .instrument(sent),
            );
            assert_eq!(alone.await.unwrap(), NONE);
            assert_eq!(along.await.unwrap(), [id]);
            assert_eq!(both.await.unwrap(), [id, number(&inner)]);
            assert_eq!(within(), [id]);
        };
        gmp::spawn(parent.instrument(outer)).await.unwrap();
    });
}

/// A thread that waits inside a span runs no other task.
#[test]
fn a_nested_block_on_is_within_and_what_it_waits_for_is_not() {
    on_each(async || {
        let span = info_span!("outer");
        let id = number(&span);
        let nested = async move {
            let others: Vec<_> = (0..20).map(|n| gmp::spawn(work(n))).collect();
            gmp::block_on(async {
                assert_eq!(within(), [id]);
                for other in others {
                    let spans = other.await.unwrap();
                    assert!(spans.len() == 1 && spans != [id], "{spans:?}");
                }
                assert_eq!(within(), [id]);
            });
            block_in_place(|| assert_eq!(within(), [id]));
        };
        gmp::spawn(nested.instrument(span)).await.unwrap();
    });
}

#[test]
fn an_abort_drops_within_and_a_panic_leaves_nothing_behind() {
    struct Looks(gmp::sync::oneshot::Sender<Vec<u64>>);

    impl Drop for Looks {
        fn drop(&mut self) {
            let (tx, _) = gmp::sync::oneshot::channel();
            let _ = std::mem::replace(&mut self.0, tx).send(within());
        }
    }

    on_each(async || {
        for _ in 0..10 {
            let span = info_span!("aborted");
            let id = number(&span);
            let (tx, dropped) = gmp::sync::oneshot::channel();
            let (begun, begins) = gmp::sync::oneshot::channel();
            let task = async move {
                let _looks = Looks(tx);
                begun.send(()).unwrap();
                std::future::pending::<()>().await;
            };
            let task = gmp::spawn(task.instrument(span));
            begins.await.unwrap();
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(dropped.await.unwrap(), [id]);

            let fails = async { panic!("on purpose") };
            let fails = gmp::spawn(fails.instrument(info_span!("fails")));
            assert!(fails.await.unwrap_err().is_panic());
            let next: Vec<_> = (0..8).map(|_| gmp::spawn(async { within() })).collect();
            for next in next {
                assert_eq!(next.await.unwrap(), NONE);
            }
        }
    });
}

/// Its P goes on elsewhere; the span stays with the thread that is in it.
#[test]
fn a_poll_that_blocks_keeps_its_span_to_itself() {
    on_each(async || {
        let span = info_span!("blocks");
        let id = number(&span);
        let (done, is_done) = std::sync::mpsc::channel::<()>();
        let blocks = async move {
            // Until the others have run, on a P that this poll had.
            is_done.recv().unwrap_err();
            assert_eq!(within(), [id]);
            yield_now().await;
            assert_eq!(within(), [id]);
        };
        let blocks = gmp::spawn(blocks.instrument(span));
        let others: Vec<_> = (0..20).map(|n| gmp::spawn(work(n))).collect();
        for other in others {
            assert_eq!(other.await.unwrap().len(), 1);
        }
        drop(done);
        blocks.await.unwrap();
    });
}
