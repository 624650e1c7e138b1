//! The run on Tokio.

use std::net::{TcpListener, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Builder;

use crate::load::{Board, Hog, MESSAGE, Outcome, Plan, TICK};

/// What is done about hogs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    /// The worker that polls the driver hands it on before it polls a task.
    Eager,
    /// The hogs tell.
    InPlace,
}

pub(crate) fn run(plan: Plan, way: Way) -> Outcome {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all();
    #[cfg(tokio_unstable)]
    if way == Way::Eager {
        builder.enable_eager_driver_handoff();
    }
    let runtime = builder.build().expect("a runtime");
    let board = Board::new();
    let mut tasks = Vec::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback listener");
    let client = StdStream::connect(listener.local_addr().expect("its address")).expect("connects");
    let (server, _) = listener.accept().expect("accepts");
    tasks.push(runtime.spawn(serve(server)));
    tasks.push(runtime.spawn(ask(client, board.clone())));
    tasks.push(runtime.spawn(tick(board.clone())));
    for _ in 0..plan.k {
        tasks.push(match plan.hog {
            Hog::Ready => runtime.spawn(ready(board.clone())),
            _ => runtime.spawn(hog(plan, way == Way::InPlace, board.clone())),
        });
    }
    let turns = board.time(plan.run);
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no task panics");
        }
    });
    board.outcome(turns)
}

async fn tick(board: Arc<Board>) {
    while board.goes_on() {
        let start = Instant::now();
        tokio::time::sleep(TICK).await;
        board.ticked(start);
    }
}

fn stream(stream: StdStream) -> TcpStream {
    stream.set_nodelay(true).expect("a TCP socket");
    stream.set_nonblocking(true).expect("a TCP socket");
    TcpStream::from_std(stream).expect("it can be registered")
}

async fn serve(server: StdStream) {
    let mut stream = stream(server);
    let mut message = [0; MESSAGE];
    loop {
        match stream.read(&mut message).await {
            Ok(0) | Err(_) => return,
            Ok(n) => stream.write_all(&message[..n]).await.expect("writes"),
        }
    }
}

async fn ask(client: StdStream, board: Arc<Board>) {
    let mut stream = stream(client);
    let mut message = [0; MESSAGE];
    while board.goes_on() {
        let start = Instant::now();
        stream.write_all(&message).await.expect("writes");
        stream.read_exact(&mut message).await.expect("reads");
        board.answered(start);
        tokio::time::sleep(TICK).await;
    }
}

async fn hog(plan: Plan, in_place: bool, board: Arc<Board>) {
    while board.goes_on() {
        if in_place {
            tokio::task::block_in_place(|| plan.turn());
        } else {
            plan.turn();
        }
        board.turned();
        tokio::task::yield_now().await;
    }
}

async fn ready(board: Arc<Board>) {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let mut byte = [0];
    while board.goes_on() {
        near.write_all(&[1]).await.expect("writes");
        far.read_exact(&mut byte).await.expect("reads");
        board.turned();
    }
}
