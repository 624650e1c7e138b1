//! What finds Tokio's context, and when: in polls, in drops, and nowhere else.

use std::cell::RefCell;
use std::future::{pending, poll_fn, ready};
use std::panic::panic_any;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::stream::{self, Stream, StreamExt};
use futures::{SinkExt, sink};
use gmp::compat::{self, Compat, CompatExt};
use gmp::runtime::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;

use crate::on_each;
use crate::watchdog::within;

/// Whether the runtime of `gmp::compat` is present.
fn is_inside() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.id() == compat::handle().id())
}

/// Says at its drop whether the runtime is present.
struct Witness(Sender<bool>);

fn witness() -> (Witness, Receiver<bool>) {
    let (tell, told) = channel();
    (Witness(tell), told)
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.send(is_inside());
    }
}

#[test]
fn timers_work() {
    on_each(async || {
        let slept = async {
            let start = tokio::time::Instant::now();
            tokio::time::sleep(Duration::from_millis(5)).await;
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            for _ in 0..5 {
                ticks.tick().await;
            }
            let late = tokio::time::timeout(Duration::from_millis(1), pending::<()>()).await;
            assert!(late.is_err());
            start.elapsed()
        };
        let slept = gmp::spawn(slept.compat()).await.unwrap();
        assert!(slept >= Duration::from_millis(10), "{slept:?}");
    });
}

#[test]
fn many_timers_at_once_wake_their_own_tasks() {
    on_each(async || {
        let tasks: Vec<_> = (0..200)
            .map(|i| {
                gmp::spawn(
                    async move {
                        for _ in 0..3 {
                            tokio::time::sleep(Duration::from_micros(i * 20)).await;
                        }
                        i
                    }
                    .compat(),
                )
            })
            .collect();
        for (i, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), i as u64);
        }
    });
}

#[test]
fn sockets_work_between_tasks() {
    on_each(async || {
        let server = async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let echo = async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.unwrap();
                write.shutdown().await.unwrap();
            };
            (addr, gmp::spawn(echo.compat()))
        };
        let (addr, echo) = server.compat().await;
        let client = async move {
            let stream = tokio::net::TcpStream::connect(addr).await.unwrap();
            let (mut read, mut write) = stream.into_split();
            // More than the buffers hold: both ends have to wait.
            let sent = vec![7; 1 << 21];
            let copy = sent.clone();
            let writing = tokio::spawn(async move {
                write.write_all(&copy).await.unwrap();
                write.shutdown().await.unwrap();
            });
            let mut back = Vec::new();
            read.read_to_end(&mut back).await.unwrap();
            writing.await.unwrap();
            assert!(back == sent, "the bytes differ");
        };
        gmp::spawn(client.compat()).await.unwrap();
        echo.await.unwrap();
    });
}

/// The name of this thread.
fn thread_name() -> String {
    thread::current().name().unwrap_or_default().to_owned()
}

#[test]
fn the_future_is_polled_by_gmp_and_what_it_spawns_by_tokio() {
    on_each(async || {
        let task = gmp::spawn(
            async {
                let id = gmp::task::id();
                let spawned = tokio::spawn(async { (thread_name(), gmp::task::try_id()) });
                assert_eq!(spawned.await.unwrap(), ("gmp-tokio".to_owned(), None));
                let blocking = tokio::task::spawn_blocking(thread_name);
                assert_eq!(blocking.await.unwrap(), "gmp-tokio-pool");
                assert_ne!(thread_name(), "gmp-tokio");
                assert_eq!(gmp::task::id(), id);
                id
            }
            .compat(),
        );
        let id = task.id();
        assert_eq!(task.await.unwrap(), id);
    });
}

#[test]
fn only_the_wrapper_has_the_context() {
    on_each(async || {
        assert!(!is_inside());
        async {
            assert!(is_inside());
            // Inside and outside again, nested.
            async { assert!(is_inside()) }.compat().await;
            assert!(is_inside());
            gmp::block_on(async { assert!(is_inside()) }.compat());
            assert!(is_inside());
        }
        .compat()
        .await;
        assert!(!is_inside());
        let mut twice = pin!(
            async {
                gmp::task::yield_now().await;
                is_inside()
            }
            .compat()
        );
        let first = poll_fn(|cx| Poll::Ready(twice.as_mut().poll(cx))).await;
        assert!(first.is_pending());
        assert!(!is_inside(), "left behind by a poll that waits");
        assert!(twice.await);
    });
}

#[test]
fn another_runtime_of_tokios_around_it_comes_back() {
    let own = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    own.block_on(async {
        assert!(!is_inside());
        gmp::block_on(async { assert!(is_inside()) }.compat());
        async { assert!(is_inside()) }.compat().await;
        assert!(!is_inside());
        tokio::time::sleep(Duration::from_millis(1)).await;
    });
}

#[test]
fn streams_and_sinks_have_it_too() {
    on_each(async || {
        let stream = stream::iter(0..3).then(async |i| {
            tokio::time::sleep(Duration::from_micros(100)).await;
            i
        });
        let stream = Box::pin(stream).compat();
        assert_eq!(stream.size_hint(), (3, Some(3)));
        assert_eq!(stream.collect::<Vec<_>>().await, [0, 1, 2]);

        let sink = sink::unfold(0, async |sum, i: u32| {
            tokio::time::sleep(Duration::from_micros(100)).await;
            tokio::spawn(async move { sum + i }).await
        });
        let mut sink = Box::pin(sink).compat();
        for i in 0..3 {
            sink.send(i).await.unwrap();
        }
        sink.close().await.unwrap();
    });
}

#[test]
fn a_future_that_ends_is_dropped_inside() {
    on_each(async || {
        let (witness, told) = witness();
        let task = async move {
            tokio::time::sleep(Duration::from_micros(100)).await;
            // Dropped by the async block itself, at its end.
            drop(witness);
        };
        gmp::spawn(task.compat()).await.unwrap();
        assert_eq!(told.recv(), Ok(true));

        // Dropped with the wrapper.
        let (witness, told) = self::witness();
        let holder = poll_fn(move |_| {
            let _ = &witness;
            Poll::Ready(())
        });
        gmp::spawn(holder.compat()).await.unwrap();
        assert_eq!(told.recv(), Ok(true));
    });
}

#[test]
fn an_aborted_task_drops_its_future_inside() {
    on_each(async || {
        for polled in [false, true] {
            let (witness, told) = witness();
            let (tell, started) = oneshot::channel();
            let task = gmp::spawn(
                async move {
                    let _witness = witness;
                    let _ = tell.send(());
                    tokio::time::sleep(Duration::from_secs(3600)).await;
                }
                .compat(),
            );
            if polled {
                started.await.unwrap();
            }
            task.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            assert_eq!(told.recv(), Ok(true), "polled: {polled}");
        }
    });
}

#[test]
fn a_time_out_and_the_end_of_the_runtime_drop_it_inside() {
    on_each(async || {
        let (witness, told) = witness();
        let endless = async move {
            let _witness = witness;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        };
        let late = gmp::time::timeout(Duration::from_millis(1), endless.compat()).await;
        assert!(late.is_err());
        assert_eq!(told.recv(), Ok(true));
    });
    let (witness, told) = witness();
    let runtime = Builder::new().procs(1).build().unwrap();
    runtime.block_on(async {
        let (tell, started) = oneshot::channel();
        gmp::spawn(
            async move {
                let _witness = witness;
                let _ = tell.send(());
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            .compat(),
        );
        started.await.unwrap();
    });
    drop(runtime);
    assert_eq!(told.recv(), Ok(true));
}

/// What a library does that tells its server goodbye from a destructor.
struct SaysGoodbye(Option<oneshot::Sender<String>>);

impl Drop for SaysGoodbye {
    fn drop(&mut self) {
        let goodbye = self.0.take().unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_micros(100)).await;
            let _ = goodbye.send(thread_name());
        });
    }
}

#[test]
fn a_destructor_can_spawn() {
    on_each(async || {
        let (tell, told) = oneshot::channel();
        let connection = SaysGoodbye(Some(tell));
        let task = gmp::spawn(
            async move {
                let _connection = connection;
                pending::<()>().await;
            }
            .compat(),
        );
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(told.await.unwrap(), "gmp-tokio");
    });
}

#[test]
fn an_abort_closes_the_socket() {
    on_each(async || {
        let listener = gmp::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let reader = async move {
            let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
            stream.write_all(b"!").await.unwrap();
            stream.read_u8().await
        };
        let task = gmp::spawn(reader.compat());
        let (mut peer, _) = listener.accept().await.unwrap();
        assert_eq!(AsyncReadExt::read_u8(&mut peer).await.unwrap(), b'!');
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(AsyncReadExt::read(&mut peer, &mut [0]).await.unwrap(), 0);
    });
}

#[test]
fn a_panic_goes_on_to_the_handle_and_leaves_no_context_behind() {
    on_each(async || {
        for after in [0, 1] {
            let (witness, told) = witness();
            let task = gmp::spawn(
                async move {
                    let _witness = witness;
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    panic_any(after)
                }
                .compat(),
            );
            let panic = task.await.unwrap_err().into_panic();
            assert_eq!(panic.downcast_ref(), Some(&after));
            assert_eq!(told.recv(), Ok(true));
            // With one P, this is the very thread.
            assert!(!gmp::spawn(async { is_inside() }).await.unwrap());
        }
        async { assert!(is_inside()) }.compat().await;
    });
}

#[test]
fn a_panic_of_a_task_of_tokios_is_its_own() {
    on_each(async || {
        let joined = async { tokio::spawn(async { panic_any(5) }).await };
        let error = joined.compat().await.unwrap_err();
        assert_eq!(error.into_panic().downcast_ref(), Some(&5));
        async { tokio::time::sleep(Duration::from_micros(1)).await }
            .compat()
            .await;
    });
}

#[test]
fn tokios_block_on_hands_the_p_on() {
    on_each(async || {
        let (tell, told) = oneshot::channel();
        let blocked = gmp::spawn(
            async {
                Handle::current().block_on(async {
                    tokio::time::sleep(Duration::from_micros(100)).await;
                    told.await.unwrap()
                })
            }
            .compat(),
        );
        let inline = gmp::spawn(async { tokio::task::block_in_place(|| 1) }.compat());
        assert_eq!(inline.await.unwrap(), 1);
        // With one P it runs beside the blocked one only if that one's P is taken.
        tell.send(3).unwrap();
        assert_eq!(blocked.await.unwrap(), 3);
    });
}

#[test]
fn a_loop_that_never_waits_gives_way() {
    within(60, || {
        // Without the hand-off nothing else would let the other task run.
        let runtime = Builder::new().procs(1).handoff(false).build().unwrap();
        runtime.block_on(async {
            let busy = gmp::spawn(async {
                let stop = Arc::new(AtomicBool::new(false));
                let seen = stop.clone();
                gmp::spawn(async move { stop.store(true, Ordering::Relaxed) });
                while !seen.load(Ordering::Relaxed) {
                    ready(()).compat().await;
                }
            });
            busy.await.unwrap();
        });
    });
}

#[test]
fn what_was_wrapped_comes_back() {
    let (witness, told) = witness();
    let mut wrapped = Compat::new((witness, 1));
    assert_eq!(wrapped.get_ref().1, 1);
    wrapped.get_mut().1 = 2;
    let (witness, two) = wrapped.into_inner();
    assert_eq!(two, 2);
    drop(witness);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [false]);
    assert_eq!(format!("{:?}", "text".compat()), r#"Compat("text")"#);
}

thread_local! {
    static KEPT: RefCell<Option<Compat<Witness>>> = const { RefCell::new(None) };
}

#[test]
fn a_wrapper_may_outlive_the_threads_context() {
    let (witness, told) = witness();
    let thread = thread::spawn(|| {
        // A thread's destructors run in the reverse order of these first uses, so
        // Tokio's thread-local goes first.
        KEPT.set(None);
        gmp::block_on(async { assert!(is_inside()) }.compat());
        KEPT.set(Some(witness.compat()));
    });
    thread.join().unwrap();
    assert_eq!(told.recv(), Ok(false));
}
