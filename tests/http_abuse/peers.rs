//! Peers that are slow, half gone, or speak something else.

use std::net::Shutdown;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use futures::future::{BoxFuture, FutureExt};
use gmp::time::{sleep, timeout};

use super::*;

/// What the server gives a request's head: enough for those who do not dawdle, also
/// on a busy machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// How many of each kind there are at once.
const EACH: usize = 25;

type Peer = fn(SocketAddr) -> BoxFuture<'static, ()>;

const PEERS: [(&str, Peer); 13] = [
    ("slow loris", |addr| slow_loris(addr).boxed()),
    ("silent", |addr| silent(addr).boxed()),
    ("half open", |addr| half_open(addr).boxed()),
    ("half open, half a request", |addr| {
        half_a_request(addr).boxed()
    }),
    ("half a body, then an end", |addr| half_a_body(addr).boxed()),
    ("reset before a word", |addr| reset(addr, b"", 0).boxed()),
    ("reset in a head", |addr| {
        reset(addr, b"GET / HT", 0).boxed()
    }),
    ("reset in a body", |addr| {
        let half = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\nhalf";
        reset(addr, half, 0).boxed()
    }),
    ("reset in an answer", |addr| {
        reset(addr, b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n", 1000).boxed()
    }),
    ("garbage", |addr| garbage(addr).boxed()),
    ("broken chunks", |addr| broken_chunks(addr).boxed()),
    ("a large head", |addr| large_head(addr).boxed()),
    ("many headers", |addr| many_headers(addr).boxed()),
];

#[test]
fn peers_that_misbehave_hold_nobody_up_and_leave_nothing_behind() {
    const NAME: &str = "peers::peers_that_misbehave_hold_nobody_up_and_leave_nothing_behind";
    alone(NAME, async || {
        let server = Server::start(PATIENCE).await;
        let addr = server.addr;
        static OVER: AtomicBool = AtomicBool::new(false);
        OVER.store(false, SeqCst);
        let polite = gmp::spawn(async move {
            let mut answers = 0_u64;
            while !OVER.load(SeqCst) {
                hello(addr).await;
                answers += 1;
            }
            answers
        });
        let mut peers = Vec::new();
        for (name, peer) in PEERS {
            for _ in 0..EACH {
                let task = gmp::task::Builder::new().name(name).spawn(peer(addr));
                peers.push((name, task));
            }
        }
        for (name, peer) in peers {
            if let Err(error) = peer.await {
                panic!("{name}: {error}");
            }
        }
        OVER.store(true, SeqCst);
        assert!(polite.await.unwrap() > 0);
        server.nothing_stays().await;
    });
}

async fn connect(addr: SocketAddr) -> TcpStream {
    TcpStream::connect(addr).await.unwrap()
}

/// Sends `bytes`, says that there are no more, and returns what comes back before
/// the end or a reset.
async fn ask(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(addr).await;
    // The server may have had enough before the last byte.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown(Shutdown::Write);
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let (mut answer, mut buf) = (Vec::new(), [0; 4096]);
    while let Ok(n @ 1..) = stream.read(&mut buf).await {
        answer.extend_from_slice(&buf[..n]);
    }
    answer
}

/// A byte now and then, for ever: the server is who ends it.
async fn slow_loris(addr: SocketAddr) {
    let mut stream = connect(addr).await;
    let began = gmp::time::Instant::now();
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let mut buf = [0];
    loop {
        if stream.write_all(b"x").await.is_err() {
            break;
        }
        let read = timeout(Duration::from_millis(5), stream.read(&mut buf)).await;
        if let Ok(Ok(0) | Err(_)) = read {
            break;
        }
    }
    assert!(began.elapsed() >= PATIENCE);
}

async fn silent(addr: SocketAddr) {
    let mut stream = connect(addr).await;
    assert_eq!(rest(&mut stream).await, b"");
}

/// Asks, and closes its half. Unless it is told otherwise, hyper takes that for a
/// client that has gone: it answers or it does not, but it does nothing by halves.
async fn half_open(addr: SocketAddr) {
    let answer = ask(addr, HELLO).await;
    let complete = answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"Hello");
    assert!(complete || answer.is_empty(), "{answer:?}");
}

async fn half_a_request(addr: SocketAddr) {
    let answer = ask(addr, b"GET / HTTP/1.1\r\nhost").await;
    assert!(!answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
}

async fn half_a_body(addr: SocketAddr) {
    let request = b"POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf";
    let answer = ask(addr, request).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
}

/// Sends `bytes`, reads `some` of the answer and is gone without a goodbye.
async fn reset(addr: SocketAddr, bytes: &[u8], some: usize) {
    let mut stream = connect(addr).await;
    stream.write_all(bytes).await.unwrap();
    let mut buf = vec![0; some];
    stream.read_exact(&mut buf).await.unwrap();
    // Long enough for the server to wait in the middle of it.
    sleep(Duration::from_millis(10)).await;
    stream.set_linger(Some(Duration::ZERO)).unwrap();
}

async fn garbage(addr: SocketAddr) {
    let zeros = [0; 4096];
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nand now something else entirely";
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what TLS begins with\r\n\r\n";
    let lines = b"HELO mail.test\r\nMAIL FROM:<a@b.test>\r\n\r\n";
    for bytes in [zeros.as_slice(), preface, hello, lines] {
        let answer = ask(addr, bytes).await;
        if answer.starts_with(b"HTTP/1.1 ") {
            assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
        }
    }
}

async fn broken_chunks(addr: SocketAddr) {
    let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in ["zz\r\n", "fffffffffffffffffff\r\n", "2\r\nabc\r\n0\r\n\r\n"] {
        let answer = ask(addr, format!("{head}{body}").as_bytes()).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200 "), "{answer:?}");
    }
}

async fn large_head(addr: SocketAddr) {
    let head = format!("GET / HTTP/1.1\r\nlarge: {}\r\n\r\n", "x".repeat(1 << 18));
    let answer = ask(addr, head.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{answer:?}");
}

async fn many_headers(addr: SocketAddr) {
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    let answer = ask(addr, head.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 431 "), "{answer:?}");
}
