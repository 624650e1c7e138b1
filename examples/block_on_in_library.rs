//! A library with a blocking interface and async insides: callers need no runtime.
//!
//! `cargo run --release --example block_on_in_library`

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

mod library {
    use std::time::Duration;

    /// Adds up what slow sources say: a plain function. Inside it tasks run in
    /// parallel, on the runtime of the calling thread, else on the global one,
    /// which starts on first use.
    pub(crate) fn sum(numbers: &[u64]) -> u64 {
        gmp::block_on(async {
            // The root future may borrow; spawned ones own what they need.
            let parts: Vec<_> = numbers.iter().map(|&n| gmp::spawn(ask(n))).collect();
            let mut sum = 0;
            for part in parts {
                sum += part.await.expect("a source does not panic");
            }
            sum
        })
    }

    async fn ask(n: u64) -> u64 {
        gmp::time::sleep(Duration::from_millis(n)).await;
        n
    }
}

fn main() {
    let numbers = [1, 2, 3, 4];

    // 1. On plain threads, as many as you like at the same time.
    let sums: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| library::sum(&numbers)))
            .collect();
        let join = |t: thread::ScopedJoinHandle<'_, u64>| t.join().expect("no panic");
        threads.into_iter().map(join).collect()
    });
    println!("on plain threads: {sums:?}");

    // 2. Inside a gmp task: its P goes on with the others, even if it is the only one.
    let runtime = gmp::runtime::Builder::new().procs(1).build();
    let runtime = runtime.expect("one P can be had");
    let sum = runtime.block_on(async move {
        let blocks = gmp::spawn(async move { library::sum(&numbers) });
        let others = gmp::spawn(gmp::time::sleep(Duration::from_millis(2)));
        others.await.expect("a sleep does not panic");
        blocks.await.expect("no panic")
    });
    println!("inside a gmp task: {sum}");

    // 3. Inside the executor of somebody else.
    let sum = foreign_block_on(async { library::sum(&numbers) });
    println!("inside another executor: {sum}");
}

/// A small executor that knows nothing of gmp.
fn foreign_block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Unpark>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
