//! What does a small request over TCP cost, and what does a connection cost?

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::cell::{Latch, leak};
use crate::kit::scale::Scale;
use crate::measure::{Meter, Sample, measured};
use crate::runtime::Runtime;

/// Bytes of a request and of its answer.
const MESSAGE: usize = 64;
/// Tasks that connect over and over.
const CLIENTS: u64 = 8;

/// Op: one request and its answer.
pub(crate) async fn echo<R: Runtime>(connections: u64, scale: Scale) -> Sample {
    let requests = if connections == 1 {
        scale.pick(40_000, 10_000, 64)
    } else {
        scale.pick(128_000, 25_600, 128)
    };
    let addr = serve_echo::<R>().await;
    converse::<R>(addr, connections, requests / 10).await;
    let meter = Meter::start();
    let latencies = converse::<R>(addr, connections, requests).await;
    meter.stop(latencies.len() as u64).with_latencies(latencies)
}

/// Sends the requests, divided evenly among the connections; returns the latency of each in ns.
async fn converse<R: Runtime>(addr: SocketAddr, connections: u64, requests: u64) -> Vec<u64> {
    let each = (requests / connections).max(1);
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            R::spawn(async move {
                let mut stream = R::connect(addr).await.expect("the listener is up");
                R::socket(&stream)
                    .set_tcp_nodelay(true)
                    .expect("a TCP socket has the option");
                let mut latencies = Vec::with_capacity(each as usize);
                for _ in 0..each {
                    let sent = Instant::now();
                    exchange::<R>(&mut stream)
                        .await
                        .expect("the echo server answers");
                    latencies.push(sent.elapsed().as_nanos() as u64);
                }
                latencies
            })
        })
        .collect();
    let mut all = Vec::with_capacity(requests as usize);
    for client in clients {
        all.extend(client.await);
    }
    all
}

/// Op: one connection made, used for one request and reset. Reset, because a closed one would hold its port for a
/// minute and a few runs would use them all up.
pub(crate) async fn churn<R: Runtime>(scale: Scale) -> Sample {
    let addr = serve_echo::<R>().await;
    measured(
        scale.pick(24_000, 8_000, 32),
        move |connections| async move {
            let done = Latch::new(CLIENTS);
            for _ in 0..CLIENTS {
                R::detach(async move {
                    for _ in 0..connections / CLIENTS {
                        let mut stream = R::connect(addr).await.expect("the listener is up");
                        let socket = R::socket(&stream);
                        socket
                            .set_tcp_nodelay(true)
                            .expect("a TCP socket has the option");
                        socket
                            .set_linger(Some(Duration::ZERO))
                            .expect("a TCP socket has the option");
                        exchange::<R>(&mut stream)
                            .await
                            .expect("the echo server answers");
                    }
                    done.arrive();
                });
            }
            done.wait().await;
        },
    )
    .await
}

/// One request and its whole answer.
async fn exchange<R: Runtime>(stream: &mut R::Stream) -> io::Result<()> {
    let mut buf = [7; MESSAGE];
    R::write_all(stream, &buf).await?;
    let mut got = 0;
    while got < MESSAGE {
        match R::read(stream, &mut buf[got..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => got += n,
        }
    }
    Ok(())
}

/// Starts a server that sends everything back, one task a connection.
pub(crate) async fn serve_echo<R: Runtime>() -> SocketAddr {
    let (listener, addr) = R::bind().await.expect("loopback has a free port");
    let listener: &'static R::Listener = leak(listener);
    R::detach(async move {
        loop {
            let stream = R::accept(listener)
                .await
                .expect("a listener keeps accepting");
            R::socket(&stream)
                .set_tcp_nodelay(true)
                .expect("a TCP socket has the option");
            R::detach(echo_until_closed::<R>(stream));
        }
    });
    addr
}

async fn echo_until_closed<R: Runtime>(mut stream: R::Stream) {
    let mut buf = [0; 1024];
    // A client that resets its connection ends the conversation as one that closes it does.
    while let Ok(n @ 1..) = R::read(&mut stream, &mut buf).await {
        if R::write_all(&mut stream, &buf[..n]).await.is_err() {
            break;
        }
    }
}
