//! Ten thousand connections at once. Their clients are another process, so that
//! each end has the limit of descriptors for itself.

use futures::stream::{StreamExt, iter};
use gmp::runtime::Builder;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

const MANY: u64 = 10_000;

/// For what is not a connection of the crowd.
const RESERVE: u64 = 200;

/// Of the clients: where the server is, where to report, and how many to be.
const TARGET: &str = "GMP_ABUSE_TARGET";

#[test]
fn ten_thousand_connections_are_held_and_served() {
    const NAME: &str = "crowd::ten_thousand_connections_are_held_and_served";
    if let Ok(target) = std::env::var(TARGET) {
        raise_limit();
        let runtime = Builder::new().procs(1).build().unwrap();
        return runtime.block_on(clients(&target));
    }
    alone(NAME, async || {
        let limit = raise_limit();
        let many = MANY.min(limit.saturating_sub(RESERVE));
        if many < MANY {
            eprintln!(
                "SKIP: {many} connections instead of {MANY}: no more descriptors than {limit}"
            );
        }
        // Who has been answered may be silent as long as it likes.
        let server = Server::start(Duration::MAX).await;
        let control = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("{} {} {many}", server.addr, control.local_addr().unwrap());
        let clients = gmp::task::spawn_blocking(move || child::run(NAME, &[(TARGET, &target)]));
        let (mut reports, _) = control.accept().await.unwrap();
        drop(control);

        let mut polite = TcpStream::connect(server.addr).await.unwrap();
        let mut served = 0_u64;
        {
            let mut report = [0];
            let mut all_there = reports.read_exact(&mut report);
            while futures::poll!(&mut all_there).is_pending() {
                greet(&mut polite).await;
                hello(server.addr).await;
                served += 2;
            }
        }
        assert!(served > 0);
        let tasks = Handle::current().num_tasks();
        assert!(tasks >= usize::try_from(many).unwrap(), "{tasks} tasks");
        greet(&mut polite).await;
        drop(polite);

        // Now all of them at once.
        reports.write_all(b"again").await.unwrap();
        assert_eq!(reports.read(&mut [0]).await.unwrap(), 1);
        drop(reports);
        let output = clients.await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the clients failed: {text}");
        server.nothing_stays().await;
    });
}

/// The other process: all connections get an answer, say so and stay; when they
/// are told to, they ask again; then they go.
async fn clients(target: &str) {
    let words: Vec<&str> = target.split(' ').collect();
    let server: SocketAddr = words[0].parse().unwrap();
    let control: SocketAddr = words[1].parse().unwrap();
    let many: usize = words[2].parse().unwrap();
    let mut control = TcpStream::connect(control).await.unwrap();
    let streams: Vec<TcpStream> = iter(0..many)
        .map(|_| async move {
            let mut stream = TcpStream::connect(server).await.unwrap();
            greet(&mut stream).await;
            stream
        })
        .buffer_unordered(200)
        .collect()
        .await;
    control.write_all(b"1").await.unwrap();
    control.read_exact(&mut [0; 5]).await.unwrap();
    let again: Vec<_> = streams
        .into_iter()
        .map(|mut stream| {
            gmp::spawn(async move {
                greet(&mut stream).await;
                stream
            })
        })
        .collect();
    let mut streams = Vec::new();
    for stream in again {
        streams.push(stream.await.unwrap());
    }
    control.write_all(b"2").await.unwrap();
}

/// As many descriptors as the system allows this process, and how many that is.
fn raise_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, most).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}
