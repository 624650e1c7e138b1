//! Handlers that block their thread hold up nobody: every tenth request sleeps 50 ms
//! in `std::thread::sleep`, on two Ps, and the others do not notice.
//!
//! Try it with `GMP_DEBUG=schedtrace=500` as well.

use std::time::{Duration, Instant};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::net::{TcpListener, TcpStream};

const CLIENTS: usize = 20;
const SLOW: Duration = Duration::from_millis(50);
const RUN: Duration = Duration::from_secs(3);

#[gmp::main(procs = 2)]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = gmp::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            gmp::spawn(handle(stream));
        }
    });
    let clients: Vec<_> = (0..CLIENTS).map(|n| gmp::spawn(ask(addr, n))).collect();
    let (mut fast, mut slow) = (Vec::new(), 0);
    for client in clients {
        let (times, waited) = client.await.expect("no client panics")?;
        fast.extend(times);
        slow += waited;
    }
    server.abort();

    fast.sort_unstable();
    let at = |q: f64| fast[((fast.len() as f64 * q) as usize).min(fast.len() - 1)];
    println!(
        "{} fast requests: p50 {:?}, p99 {:?}, max {:?}",
        fast.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!("{slow} slow requests, {SLOW:?} of std::thread::sleep each");
    Ok(())
}

/// Answers each byte; for a `1` it blocks the thread first, as a careless library may.
async fn handle(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0];
    while stream.read(&mut request).await? == 1 {
        if request[0] == 1 {
            std::thread::sleep(SLOW);
        }
        stream.write_all(&request).await?;
    }
    Ok(())
}

/// One request after the other, each tenth a slow one; the times of the fast ones
/// and how many were slow.
async fn ask(addr: std::net::SocketAddr, n: usize) -> std::io::Result<(Vec<Duration>, usize)> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut slow) = (Vec::new(), 0);
    let begun = Instant::now();
    for turn in n.. {
        if begun.elapsed() > RUN {
            break;
        }
        let mut byte = [u8::from(turn % 10 == 0)];
        let start = Instant::now();
        stream.write_all(&byte).await?;
        stream.read_exact(&mut byte).await?;
        match byte[0] {
            0 => times.push(start.elapsed()),
            _ => slow += 1,
        }
        gmp::time::sleep(Duration::from_millis(1)).await;
    }
    Ok((times, slow))
}
