//! Wakers that outlive, outrun or surround their task.

use super::*;

/// A future that gives its waker away and then waits for ever.
fn give_waker(tx: mpsc::Sender<Waker>) -> impl Future<Output = ()> + Send {
    let mut tx = Some(tx);
    poll_fn(move |cx| {
        if let Some(tx) = tx.take() {
            tx.send(cx.waker().clone()).expect("waited for");
        }
        Poll::Pending
    })
}

#[test]
fn a_waker_may_outlive_its_task_and_its_runtime() {
    within(60, || {
        let rt = runtime(1);
        let (tx, rx) = mpsc::channel();
        let handle = rt.spawn(give_waker(tx));
        let waker = rx.recv().expect("given");
        handle.abort();
        assert!(rt.block_on(handle).is_err());
        waker.wake_by_ref();
        drop(rt);
        waker.wake_by_ref();
        let copy = waker.clone();
        copy.wake();
        thread::spawn(move || waker.wake()).join().unwrap();
    });
}

thread_local! {
    static AT_EXIT: RefCell<Option<WakeAtExit>> = const { RefCell::new(None) };
    static SPAWN_AT_EXIT: RefCell<Option<SpawnAtExit>> = const { RefCell::new(None) };
}

struct WakeAtExit(Waker, Waker);

impl Drop for WakeAtExit {
    fn drop(&mut self) {
        self.0.wake_by_ref();
        let by_value = std::mem::replace(&mut self.1, Waker::noop().clone());
        by_value.wake();
    }
}

#[test]
fn a_waker_works_in_the_destructor_of_a_thread_local() {
    within(60, || {
        let rt = runtime(1);
        for _ in 0..20 {
            let (tx, rx) = mpsc::channel();
            let woken = Arc::new(AtomicUsize::new(0));
            let polls = woken.clone();
            let mut tx = Some(tx);
            let handle = rt.spawn(poll_fn(move |cx| {
                if let Some(tx) = tx.take() {
                    tx.send(cx.waker().clone()).expect("waited for");
                    return Poll::Pending;
                }
                polls.fetch_add(1, Ordering::SeqCst);
                Poll::Ready(())
            }));
            let waker = rx.recv().expect("given");
            let enter = rt.handle().clone();
            thread::spawn(move || {
                // Ours first, so that what gmp keeps for the thread goes before.
                AT_EXIT.set(Some(WakeAtExit(waker.clone(), waker)));
                let _entered = enter.enter();
            })
            .join()
            .unwrap();
            rt.block_on(handle).expect("woken");
            assert_eq!(woken.load(Ordering::SeqCst), 1);
        }
    });
}

struct SpawnAtExit {
    handle: gmp::runtime::Handle,
    told: mpsc::Sender<bool>,
}

impl Drop for SpawnAtExit {
    fn drop(&mut self) {
        // Nothing may panic here: a panic in this place ends the process.
        let outside = gmp::runtime::Handle::try_current().is_err();
        let told = self.told.clone();
        drop(self.handle.spawn(async move {
            told.send(outside).expect("waited for");
        }));
        let _entered = self.handle.enter();
        self.handle
            .block_on(gmp::time::sleep(Duration::from_micros(50)));
    }
}

#[test]
fn the_runtime_works_in_the_destructor_of_a_thread_local() {
    within(60, || {
        let rt = runtime(1);
        let (told, wait) = mpsc::channel();
        let handle = rt.handle().clone();
        thread::spawn(move || {
            let enter = handle.clone();
            SPAWN_AT_EXIT.set(Some(SpawnAtExit { handle, told }));
            let _entered = enter.enter();
        })
        .join()
        .unwrap();
        assert_eq!(wait.recv(), Ok(true));
    });
}

/// Takes a user's lock when it is dropped.
struct Locker(Arc<Mutex<u32>>);

impl Drop for Locker {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn a_wake_under_a_lock_that_the_futures_drop_takes_does_not_deadlock() {
    within(60, || {
        let rt = runtime(2);
        for round in 0..200 {
            let lock = Arc::new(Mutex::new(0));
            let (tx, rx) = mpsc::channel();
            let held = Locker(lock.clone());
            let gives = give_waker(tx);
            let handle = rt.spawn(async move {
                let _held = held;
                gives.await;
            });
            let waker = rx.recv().expect("given");
            let abort = handle.abort_handle();
            drop(handle);
            if round % 2 == 0 {
                // The task is cancelled by a wake and by the last waker's end.
                let guard = lock.lock().unwrap();
                abort.abort();
                drop(abort);
                waker.wake();
                drop(guard);
            } else {
                let guard = lock.lock().unwrap();
                waker.wake_by_ref();
                drop(waker);
                drop(guard);
                abort.abort();
            }
            eventually("the future is dropped", || *lock.lock().unwrap() == 1);
        }
    });
}

#[test]
fn wake_by_ref_and_the_drop_of_the_last_waker_in_a_poll_lose_nothing() {
    within(60, || {
        let rt = runtime(2);
        let drops = Drops::new();
        for round in 0..2_000 {
            let token = drops.token();
            let mut polls = 0;
            let (tx, rx) = mpsc::channel();
            drop(rt.spawn(poll_fn(move |cx| {
                let _token = &token;
                polls += 1;
                if polls == 3 {
                    tx.send(polls).expect("waited for");
                    return Poll::Ready(());
                }
                let waker = cx.waker().clone();
                waker.wake_by_ref();
                drop(waker);
                Poll::Pending
            })));
            assert_eq!(rx.recv(), Ok(3), "round {round}");
        }
        eventually("all are dropped", || drops.count() == 2_000);
    });
}

#[test]
fn a_wake_from_another_thread_during_the_poll_leads_to_another_poll() {
    within(60, || {
        let rt = runtime(2);
        let (tx, rx) = mpsc::channel::<(Waker, mpsc::Sender<()>)>();
        let waking = thread::spawn(move || {
            for (waker, done) in rx {
                waker.wake();
                done.send(()).expect("the poll waits");
            }
        });
        for _ in 0..500 {
            let tx = tx.clone();
            let mut polled = false;
            let handle = rt.spawn(poll_fn(move |cx| {
                if std::mem::replace(&mut polled, true) {
                    return Poll::Ready(());
                }
                let (done, wait) = mpsc::channel();
                tx.send((cx.waker().clone(), done)).expect("it runs");
                wait.recv().expect("woken");
                Poll::Pending
            }));
            rt.block_on(handle).expect("woken during its poll");
        }
        drop(tx);
        waking.join().unwrap();
    });
}

#[test]
fn a_storm_of_wakes_is_seen_to_its_last_value() {
    within(60, || {
        let rt = runtime(2);
        let value = Arc::new(AtomicUsize::new(0));
        let seen = value.clone();
        let (tx, rx) = mpsc::channel();
        let mut tx = Some(tx);
        let wakes = 4 * 50_000;
        let polls = Arc::new(AtomicUsize::new(0));
        let counted = polls.clone();
        let handle = rt.spawn(poll_fn(move |cx| {
            counted.fetch_add(1, Ordering::SeqCst);
            if let Some(tx) = tx.take() {
                tx.send(cx.waker().clone()).expect("waited for");
            }
            if seen.load(Ordering::SeqCst) == wakes {
                return Poll::Ready(());
            }
            Poll::Pending
        }));
        let waker = rx.recv().expect("given");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (waker, value) = (waker.clone(), value.clone());
                thread::spawn(move || {
                    for _ in 0..50_000 {
                        value.fetch_add(1, Ordering::SeqCst);
                        waker.wake_by_ref();
                    }
                })
            })
            .collect();
        rt.block_on(handle).expect("the last wake is not lost");
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(polls.load(Ordering::SeqCst) <= wakes + 1);
    });
}
