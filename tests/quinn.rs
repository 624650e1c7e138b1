//! QUIC as users have it: quinn's own clients and servers on gmp's tasks, sockets
//! and timers, on one P and on several. Certificates are made on the spot.

#[path = "support/no_tasks.rs"]
mod no_tasks;
#[path = "support/quic.rs"]
mod quic;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use gmp::runtime::Builder;
use gmp::task::JoinHandle;
use quinn::{
    AsyncUdpSocket, ClientConfig, Connection, ConnectionError, Endpoint, IdleTimeout, RecvStream,
    Runtime as _, SendStream, ServerConfig, TransportConfig, VarInt,
};

const LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "gmp.test";
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Runs `test` on one P and on four, and then finds no task left.
fn on_each(test: impl AsyncFn()) {
    no_tasks::on_each([1, 4], test);
}

/// Both sides' configurations, with a certificate that they share.
fn configs(transport: TransportConfig) -> (ServerConfig, ClientConfig) {
    let (mut server, mut client) = quic::configs_for(NAME);
    let transport = Arc::new(transport);
    server.transport_config(transport.clone());
    client.transport_config(transport);
    (server, client)
}

/// Two endpoints on this machine, and the first one's address.
fn pair(transport: TransportConfig) -> (Endpoint, Endpoint, SocketAddr) {
    let (served, trusting) = configs(transport);
    let server = gmp::quinn::server(served, (LOCAL, 0).into()).unwrap();
    let mut client = gmp::quinn::client((LOCAL, 0).into()).unwrap();
    client.set_default_client_config(trusting);
    let addr = server.local_addr().unwrap();
    (server, client, addr)
}

/// A task a connection and a task a stream, as a server has them. Ends with the
/// endpoint; each connection ends with its client.
fn echo(server: Endpoint) -> JoinHandle<()> {
    gmp::spawn(async move {
        while let Some(caller) = server.accept().await {
            gmp::spawn(async move {
                let connection = caller.await.expect("a handshake");
                while let Ok((out, back)) = connection.accept_bi().await {
                    gmp::spawn(answer(out, back));
                }
            });
        }
    })
}

async fn answer(mut out: SendStream, mut back: RecvStream) {
    while let Some(chunk) = back.read_chunk(usize::MAX, true).await.unwrap() {
        gmp::task::yield_now().await;
        out.write_chunk(chunk.bytes).await.unwrap();
    }
    out.finish().unwrap();
}

/// Sends `sent` over a stream of its own and expects it back.
async fn ask(connection: &Connection, sent: Vec<u8>) {
    let (mut out, mut back) = connection.open_bi().await.unwrap();
    let want = sent.clone();
    let writer = gmp::spawn(async move {
        out.write_all(&sent).await.unwrap();
        out.finish().unwrap();
    });
    let got = back.read_to_end(want.len() + 1).await.unwrap();
    assert!(got == want, "{} bytes of {}", got.len(), want.len());
    writer.await.unwrap();
}

fn bytes(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 31 + seed) as u8).collect()
}

/// A client's `close` is known on the other side, and all tasks end.
async fn end(server: &Endpoint, client: &Endpoint, connection: &Connection) {
    connection.close(VarInt::from_u32(7), b"done");
    let reason = connection.closed().await;
    assert!(
        matches!(reason, ConnectionError::LocallyClosed),
        "{reason:?}"
    );
    client.wait_idle().await;
    server.wait_idle().await;
    server.close(VarInt::from_u32(0), b"");
}

#[test]
fn a_server_echoes_what_a_client_sends() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let serving = echo(server.clone());
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        assert_eq!(connection.remote_address(), addr);
        for (i, len) in [0, 1, 1199, 70_000].into_iter().enumerate() {
            ask(&connection, bytes(len, i)).await;
        }
        end(&server, &client, &connection).await;
        serving.await.unwrap();
    });
}

#[test]
fn an_endpoint_of_ipv6_works_and_takes_ipv4_where_it_may() {
    // A machine may have no IPv6 at all.
    if std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    on_each(async || {
        let (served, trusting) = configs(TransportConfig::default());
        let mut client = gmp::quinn::client((Ipv6Addr::UNSPECIFIED, 0).into()).unwrap();
        client.set_default_client_config(trusting);
        for local in [Ipv6Addr::LOCALHOST.into(), LOCAL.into()] {
            let server = gmp::quinn::server(served.clone(), SocketAddr::new(local, 0)).unwrap();
            let addr = server.local_addr().unwrap();
            let serving = echo(server.clone());
            let connection = client.connect(addr, NAME).unwrap().await.unwrap();
            ask(&connection, bytes(100, 1)).await;
            end(&server, &client, &connection).await;
            serving.await.unwrap();
        }
    });
}

#[test]
fn many_streams_of_many_connections_go_on_at_once() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let serving = echo(server.clone());
        let clients = (0..8).map(|i| {
            let connecting = client.connect(addr, NAME).unwrap();
            gmp::spawn(async move {
                let connection = connecting.await.unwrap();
                let streams = (0..40).map(|j| {
                    let connection = connection.clone();
                    gmp::spawn(async move { ask(&connection, bytes(2_000, i * 40 + j)).await })
                });
                try_join_all(streams).await.unwrap();
                connection.close(VarInt::from_u32(0), b"");
            })
        });
        try_join_all(clients).await.unwrap();
        client.wait_idle().await;
        server.wait_idle().await;
        server.close(VarInt::from_u32(0), b"");
        serving.await.unwrap();
    });
}

#[test]
fn bulk_data_crosses_in_batches_and_in_order() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let serving = echo(server.clone());
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        ask(&connection, bytes(4 << 20, 3)).await;
        let sent = connection.stats().udp_tx;
        assert!(sent.ios <= sent.datagrams, "{sent:?}");
        end(&server, &client, &connection).await;
        serving.await.unwrap();
    });
}

#[test]
fn datagrams_go_both_ways() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let accepting = gmp::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.unwrap() }
        });
        let near = client.connect(addr, NAME).unwrap().await.unwrap();
        let far = accepting.await.unwrap();
        for [from, to] in [[&near, &far], [&far, &near]] {
            // They may be lost, even here: sent until one arrives.
            let mut sent = 0u8;
            let got = loop {
                from.send_datagram(vec![sent].into()).unwrap();
                sent += 1;
                let patience = Duration::from_millis(100);
                if let Ok(got) = gmp::time::timeout(patience, to.read_datagram()).await {
                    break got.unwrap();
                }
            };
            assert!(got.len() == 1 && got[0] < sent);
        }
        end(&server, &client, &near).await;
        drop((near, far));
    });
}

/// The connection's own tasks go on elsewhere while a stream's task holds its
/// thread, until it is let go by what arrives over the same connection.
#[test]
fn a_handler_that_blocks_its_thread_holds_up_no_other_stream() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let (let_go, wait) = std::sync::mpsc::channel::<()>();
        let serving = gmp::spawn({
            let server = server.clone();
            async move {
                let connection = server.accept().await.unwrap().await.unwrap();
                let (mut out, mut back) = connection.accept_bi().await.unwrap();
                assert_eq!(back.read_to_end(10).await.unwrap(), b"block");
                let blocked = gmp::spawn(async move {
                    // On purpose without a word to the runtime.
                    wait.recv().unwrap();
                    out.write_all(b"free").await.unwrap();
                    out.finish().unwrap();
                });
                for _ in 0..10 {
                    let (out, back) = connection.accept_bi().await.unwrap();
                    gmp::spawn(answer(out, back));
                }
                blocked.await.unwrap();
                connection.closed().await;
            }
        });
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        let (mut out, mut back) = connection.open_bi().await.unwrap();
        out.write_all(b"block").await.unwrap();
        out.finish().unwrap();
        for i in 0..10 {
            ask(&connection, bytes(5_000, i)).await;
        }
        let_go.send(()).unwrap();
        assert_eq!(back.read_to_end(10).await.unwrap(), b"free");
        end(&server, &client, &connection).await;
        serving.await.unwrap();
    });
}

/// Each turn of a task starts on whatever thread has a P for it: the state of a
/// connection is at home on none.
#[test]
fn tasks_of_a_connection_move_from_thread_to_thread() {
    let runtime = Builder::new().procs(4).build().unwrap();
    let moves = runtime.block_on(async {
        let (server, client, addr) = pair(TransportConfig::default());
        let serving = echo(server.clone());
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        let moves = Arc::new(AtomicUsize::new(0));
        // As long as it takes: who steals what is up to the machine.
        let patience = Instant::now() + LIMIT;
        while moves.load(Ordering::Relaxed) < 20 {
            assert!(Instant::now() < patience, "nothing ever moves");
            let streams = (0..8).map(|seed| {
                let (connection, moves) = (connection.clone(), moves.clone());
                gmp::spawn(async move {
                    let (mut out, mut back) = connection.open_bi().await.unwrap();
                    for round in 0..20 {
                        let thread = std::thread::current().id();
                        let sent = bytes(500, seed + round);
                        out.write_all(&sent).await.unwrap();
                        let mut got = vec![0; sent.len()];
                        back.read_exact(&mut got).await.unwrap();
                        assert!(got == sent);
                        gmp::task::yield_now().await;
                        let moved = std::thread::current().id() != thread;
                        moves.fetch_add(usize::from(moved), Ordering::Relaxed);
                    }
                    out.finish().unwrap();
                    assert!(back.read_to_end(1).await.unwrap().is_empty());
                })
            });
            try_join_all(streams).await.unwrap();
        }
        end(&server, &client, &connection).await;
        serving.await.unwrap();
        moves.load(Ordering::Relaxed)
    });
    assert!(moves >= 20);
}

/// An hour passes at once: quinn's clock and timers are the stopped ones.
#[gmp::test(virtual_time = true)]
async fn an_idle_connection_ends_after_its_time() {
    let hour = Duration::from_secs(3600);
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(IdleTimeout::try_from(hour).unwrap()));
    let (server, client, addr) = pair(transport);
    let accepting = gmp::spawn({
        let server = server.clone();
        async move { server.accept().await.unwrap().await.unwrap() }
    });
    let near = client.connect(addr, NAME).unwrap().await.unwrap();
    let far = accepting.await.unwrap();
    let begin = gmp::time::Instant::now();
    for side in [&near, &far] {
        let reason = side.closed().await;
        assert!(matches!(reason, ConnectionError::TimedOut), "{reason:?}");
    }
    let waited = gmp::time::Instant::now() - begin;
    assert!(waited >= hour && waited < hour * 2, "{waited:?}");
    client.wait_idle().await;
    server.wait_idle().await;
}

#[gmp::test(virtual_time = true)]
async fn keep_alive_keeps_an_idle_connection() {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(VarInt::from_u32(10_000).into()));
    transport.keep_alive_interval(Some(Duration::from_secs(3)));
    let (server, client, addr) = pair(transport);
    let serving = echo(server.clone());
    let connection = client.connect(addr, NAME).unwrap().await.unwrap();
    gmp::time::sleep(Duration::from_secs(600)).await;
    assert!(connection.close_reason().is_none());
    ask(&connection, bytes(10, 0)).await;
    end(&server, &client, &connection).await;
    serving.await.unwrap();
}

#[gmp::test(virtual_time = true)]
async fn nobody_there_is_a_time_out() {
    let silent = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
    let (_, client, _) = pair(TransportConfig::default());
    let connecting = client.connect(silent.local_addr().unwrap(), NAME).unwrap();
    let outcome = connecting.await;
    assert!(
        matches!(outcome, Err(ConnectionError::TimedOut)),
        "{outcome:?}"
    );
}

#[test]
fn a_name_that_the_certificate_lacks_is_refused() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let accepting = gmp::spawn({
            let server = server.clone();
            async move { server.accept().await.unwrap().await.is_err() }
        });
        let outcome = client.connect(addr, "other.test").unwrap().await;
        assert!(
            matches!(outcome, Err(ConnectionError::TransportError(_))),
            "{outcome:?}"
        );
        assert!(accepting.await.unwrap());
        client.wait_idle().await;
        server.wait_idle().await;
    });
}

#[test]
fn a_connection_goes_with_its_endpoint_to_another_socket() {
    on_each(async || {
        let (server, client, addr) = pair(TransportConfig::default());
        let serving = echo(server.clone());
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        ask(&connection, bytes(100, 0)).await;
        let old = client.local_addr().unwrap();
        client
            .rebind(std::net::UdpSocket::bind((LOCAL, 0)).unwrap())
            .unwrap();
        assert_ne!(client.local_addr().unwrap(), old);
        ask(&connection, bytes(100, 1)).await;
        end(&server, &client, &connection).await;
        serving.await.unwrap();
    });
}

#[test]
fn no_runtime_need_be_there() {
    let (server, client, addr) = pair(TransportConfig::default());
    let serving = echo(server.clone());
    gmp::block_on(async {
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        ask(&connection, bytes(100, 0)).await;
        end(&server, &client, &connection).await;
    });
    gmp::block_on(serving).unwrap();
}

#[test]
fn a_runtime_shuts_down_with_connections_open() {
    let runtime = Builder::new().procs(2).build().unwrap();
    let (connection, endpoints) = runtime.block_on(async {
        let (server, client, addr) = pair(TransportConfig::default());
        drop(echo(server.clone()));
        let connection = client.connect(addr, NAME).unwrap().await.unwrap();
        ask(&connection, bytes(100, 0)).await;
        (connection, (server, client))
    });
    let report = runtime.shutdown_timeout(LIMIT);
    assert!(report.still_running.is_empty(), "{report:?}");
    drop(connection);
    drop(endpoints);
}

/// The wait for room to send can be used over and over, whatever it comes to.
#[test]
fn a_wait_for_room_starts_anew_each_time() {
    on_each(async || {
        let socket = std::net::UdpSocket::bind((LOCAL, 0)).unwrap();
        let socket = gmp::net::UdpSocket::from_std(socket).unwrap();
        let socket = Arc::new(gmp::quinn::Socket::new(socket).unwrap());
        let mut room = socket.clone().create_io_poller();
        let mut look = async || std::future::poll_fn(|cx| room.as_mut().poll_writable(cx)).await;
        look().await.unwrap();
        look().await.unwrap();
        let past = gmp::time::Instant::now();
        socket.get_ref().set_write_deadline(Some(past));
        let late = look().await.unwrap_err();
        assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
        socket.get_ref().set_write_deadline(None);
        look().await.unwrap();
    });
}

#[gmp::test(virtual_time = true)]
async fn a_timer_is_moved_in_place() {
    let runtime = gmp::quinn::Runtime;
    let begin = runtime.now();
    let second = Duration::from_secs(1);
    let mut timer = runtime.new_timer(begin + second);
    let first = std::future::poll_fn(|cx| Poll::Ready(timer.as_mut().poll(cx))).await;
    assert!(first.is_pending());
    timer.as_mut().reset(begin + 3 * second);
    std::future::poll_fn(|cx| timer.as_mut().poll(cx)).await;
    assert_eq!(runtime.now() - begin, 3 * second);
    timer.as_mut().reset(begin + 4 * second);
    std::future::poll_fn(|cx| timer.as_mut().poll(cx)).await;
    assert_eq!(runtime.now() - begin, 4 * second);
    // Backwards as well.
    timer.as_mut().reset(begin + 9 * second);
    let later = std::future::poll_fn(|cx| Poll::Ready(timer.as_mut().poll(cx))).await;
    assert!(later.is_pending());
    timer.as_mut().reset(begin + 5 * second);
    std::future::poll_fn(|cx| timer.as_mut().poll(cx)).await;
    assert_eq!(runtime.now() - begin, 5 * second);
}
