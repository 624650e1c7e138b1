//! The run on smol's global executor, whose threads are as many as `SMOL_THREADS`.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::{Async, Timer, future};

use crate::load::{Board, Hog, MESSAGE, Outcome, Plan, TICK};

pub(crate) fn run(plan: Plan) -> Outcome {
    let board = Board::new();
    let mut tasks = Vec::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback listener");
    let client = TcpStream::connect(listener.local_addr().expect("its address")).expect("connects");
    let (server, _) = listener.accept().expect("accepts");
    tasks.push(smol::spawn(serve(server)));
    tasks.push(smol::spawn(ask(client, board.clone())));
    tasks.push(smol::spawn(tick(board.clone())));
    for _ in 0..plan.k {
        tasks.push(match plan.hog {
            Hog::Ready => smol::spawn(ready(board.clone())),
            _ => smol::spawn(hog(plan, board.clone())),
        });
    }
    let turns = board.time(plan.run);
    smol::block_on(async {
        for task in tasks {
            task.await;
        }
    });
    board.outcome(turns)
}

async fn tick(board: Arc<Board>) {
    while board.goes_on() {
        let start = Instant::now();
        Timer::after(TICK).await;
        board.ticked(start);
    }
}

async fn serve(stream: TcpStream) {
    stream.set_nodelay(true).expect("a TCP socket");
    let mut stream = Async::new(stream).expect("it can be registered");
    let mut message = [0; MESSAGE];
    loop {
        match stream.read(&mut message).await {
            Ok(0) | Err(_) => return,
            Ok(n) => stream.write_all(&message[..n]).await.expect("writes"),
        }
    }
}

async fn ask(stream: TcpStream, board: Arc<Board>) {
    stream.set_nodelay(true).expect("a TCP socket");
    let mut stream = Async::new(stream).expect("it can be registered");
    let mut message = [0; MESSAGE];
    while board.goes_on() {
        let start = Instant::now();
        stream.write_all(&message).await.expect("writes");
        stream.read_exact(&mut message).await.expect("reads");
        board.answered(start);
        Timer::after(TICK).await;
    }
}

async fn hog(plan: Plan, board: Arc<Board>) {
    while board.goes_on() {
        plan.turn();
        board.turned();
        future::yield_now().await;
    }
}

async fn ready(board: Arc<Board>) {
    let (near, far) = UnixStream::pair().expect("a pair");
    let mut near = Async::new(near).expect("it can be registered");
    let mut far = Async::new(far).expect("it can be registered");
    let mut byte = [0];
    while board.goes_on() {
        near.write_all(&[1]).await.expect("writes");
        far.read_exact(&mut byte).await.expect("reads");
        board.turned();
    }
}
