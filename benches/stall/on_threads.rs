//! The run on plain threads, one for each task: what the kernel makes of it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use crate::load::{Board, Hog, MESSAGE, Outcome, Plan, TICK};

pub(crate) fn run(plan: Plan) -> Outcome {
    let board = Board::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback listener");
    let client = TcpStream::connect(listener.local_addr().expect("its address")).expect("connects");
    let (server, _) = listener.accept().expect("accepts");
    let turns = thread::scope(|scope| {
        scope.spawn(|| serve(server));
        scope.spawn(|| ask(client, &board));
        scope.spawn(|| {
            while board.goes_on() {
                let start = Instant::now();
                thread::sleep(TICK);
                board.ticked(start);
            }
        });
        for _ in 0..plan.k {
            scope.spawn(|| match plan.hog {
                Hog::Ready => ready(&board),
                _ => hog(plan, &board),
            });
        }
        board.time(plan.run)
    });
    board.outcome(turns)
}

fn serve(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("a TCP socket");
    let mut message = [0; MESSAGE];
    while let Ok(n @ 1..) = stream.read(&mut message) {
        stream.write_all(&message[..n]).expect("writes");
    }
}

fn ask(mut stream: TcpStream, board: &Board) {
    stream.set_nodelay(true).expect("a TCP socket");
    let mut message = [0; MESSAGE];
    while board.goes_on() {
        let start = Instant::now();
        stream.write_all(&message).expect("writes");
        stream.read_exact(&mut message).expect("reads");
        board.answered(start);
        thread::sleep(TICK);
    }
}

fn hog(plan: Plan, board: &Board) {
    while board.goes_on() {
        plan.turn();
        board.turned();
    }
}

fn ready(board: &Board) {
    let (mut near, mut far) = UnixStream::pair().expect("a pair");
    let mut byte = [0];
    while board.goes_on() {
        near.write_all(&[1]).expect("writes");
        far.read_exact(&mut byte).expect("reads");
        board.turned();
    }
}
