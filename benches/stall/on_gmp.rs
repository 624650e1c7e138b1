//! The run on gmp.

use std::net::{TcpListener, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Instant;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{TcpStream, UnixStream};
use gmp::runtime::Builder;

use crate::load::{Board, Hog, MESSAGE, Outcome, Plan, TICK};

pub(crate) fn run(plan: Plan, handoff: bool) -> Outcome {
    let runtime = Builder::new()
        .procs(2)
        .handoff(handoff)
        .build()
        .expect("a runtime");
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
            _ => runtime.spawn(hog(plan, board.clone())),
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
        gmp::time::sleep(TICK).await;
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
        gmp::time::sleep(TICK).await;
    }
}

async fn hog(plan: Plan, board: Arc<Board>) {
    while board.goes_on() {
        plan.turn();
        board.turned();
        gmp::task::yield_now().await;
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
