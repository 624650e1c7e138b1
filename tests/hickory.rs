//! DNS as users have it: hickory's resolver on gmp, against a server of the test's
//! own that answers over UDP and TCP at one port.

#[path = "support/no_tasks.rs"]
mod no_tasks;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::{join_all, select};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use gmp::hickory::{Provider, Resolver};
use gmp::net::{TcpListener, TcpStream, UdpSocket};
use gmp::runtime::Handle;
use gmp::task::JoinHandle;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

const TTL: u32 = 300;
/// More addresses than a datagram takes.
const LARGE: u8 = 200;

/// Runs `test` on one P and on two, and then finds no task left.
fn on_each(test: impl AsyncFn()) {
    no_tasks::on_each([1, 2], test);
}

#[derive(Default, Debug)]
struct Asked {
    udp: AtomicUsize,
    tcp: AtomicUsize,
}

impl Asked {
    fn get(&self) -> (usize, usize) {
        let [udp, tcp] = [&self.udp, &self.tcp].map(|count| count.load(Ordering::Relaxed));
        (udp, tcp)
    }
}

struct Server {
    addr: SocketAddr,
    asked: Arc<Asked>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Server {
        let (udp, tcp) = sockets().await;
        let addr = tcp.local_addr().unwrap();
        let asked = Arc::new(Asked::default());
        let datagrams = Box::pin(serve_datagrams(udp, asked.clone()));
        let streams = Box::pin(serve_streams(tcp, asked.clone()));
        let task = gmp::spawn(async move {
            select(datagrams, streams).await;
        });
        Server { addr, asked, task }
    }

    fn resolver_with(&self, change: impl FnOnce(&mut ResolverOpts)) -> Resolver {
        let mut ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
        for way in &mut ways {
            way.port = self.addr.port();
        }
        let server = NameServerConfig::new(self.addr.ip(), true, ways.to_vec());
        let config = ResolverConfig::from_parts(None, vec![], vec![server]);
        let mut builder = Resolver::builder_with_config(config, Provider::new());
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        change(builder.options_mut());
        builder.build().unwrap()
    }

    fn resolver(&self) -> Resolver {
        self.resolver_with(|_| {})
    }

    async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

/// One of each kind at the same port.
async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        // Somebody else may have the other one of this number.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_datagrams(udp: UdpSocket, asked: Arc<Asked>) {
    let mut buf = [0; 4096];
    loop {
        let (n, from) = udp.recv_from(&mut buf).await.unwrap();
        asked.udp.fetch_add(1, Ordering::Relaxed);
        let Some(answer) = answer(&buf[..n]) else {
            continue;
        };
        let short = if answer.answers.len() > 10 {
            answer.truncate()
        } else {
            answer
        };
        udp.send_to(&short.to_vec().unwrap(), from).await.unwrap();
    }
}

async fn serve_streams(tcp: TcpListener, asked: Arc<Asked>) {
    loop {
        let (stream, _) = tcp.accept().await.unwrap();
        drop(gmp::spawn(serve_stream(stream, asked.clone())));
    }
}

/// Each message with its length before it, until the client goes.
async fn serve_stream(mut stream: TcpStream, asked: Arc<Asked>) {
    let mut len = [0; 2];
    while stream.read_exact(&mut len).await.is_ok() {
        let mut question = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut question).await.unwrap();
        asked.tcp.fetch_add(1, Ordering::Relaxed);
        if let Some(answer) = answer(&question) {
            let answer = answer.to_vec().unwrap();
            let len = u16::try_from(answer.len()).unwrap();
            let framed = [&len.to_be_bytes()[..], &answer].concat();
            if stream.write_all(&framed).await.is_err() {
                return;
            }
        }
    }
}

/// What the zone `gmp.test` says; nothing about `silent`.
fn answer(question: &[u8]) -> Option<Message> {
    let question = Message::from_vec(question).unwrap();
    let asked = question.queries[0].clone();
    let name = asked.name().clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_query(asked.clone());
    let host = name.to_lowercase().iter().next().unwrap_or(b"").to_vec();
    let data: Vec<RData> = match (&host[..], asked.query_type()) {
        (b"silent", _) => return None,
        (b"both", RecordType::A) => vec![v4(1)],
        (b"both", RecordType::AAAA) => {
            vec![RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))]
        }
        (b"large", RecordType::A) => (1..=LARGE).map(v4).collect(),
        (b"both" | b"large", _) => vec![],
        (numbered, RecordType::A) if numbered.starts_with(b"h") => {
            let digits = std::str::from_utf8(&numbered[1..]).unwrap();
            vec![v4(digits.parse().unwrap())]
        }
        _ => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            vec![]
        }
    };
    if data.is_empty() {
        let zone = Name::from_ascii("gmp.test.").unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 60, 60, 60, 60);
        answer.add_authority(Record::from_rdata(zone, TTL, RData::SOA(soa)));
    }
    for data in data {
        answer.add_answer(Record::from_rdata(name.clone(), TTL, data));
    }
    Some(answer)
}

fn v4(last: u8) -> RData {
    RData::A(A::new(192, 0, 2, last))
}

async fn addresses(resolver: &Resolver, name: &str) -> Result<Vec<IpAddr>, NetError> {
    let mut found: Vec<_> = resolver.lookup_ip(name).await?.iter().collect();
    found.sort();
    Ok(found)
}

#[test]
fn a_name_has_addresses_of_both_families_and_is_remembered() {
    on_each(async || {
        let server = Server::start().await;
        let resolver = server.resolver();
        let want: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"]
            .map(|addr| addr.parse().unwrap())
            .to_vec();
        let (v4, v6) = futures::join!(
            resolver.lookup("both.gmp.test.", RecordType::A),
            resolver.lookup("both.gmp.test.", RecordType::AAAA),
        );
        assert_eq!(v4.unwrap().answers()[0].data.ip_addr(), Some(want[0]));
        assert_eq!(v6.unwrap().answers()[0].data.ip_addr(), Some(want[1]));
        let asked = server.asked.get();
        assert!(asked.0 >= 2, "{asked:?}");
        assert_eq!(
            addresses(&resolver, "both.gmp.test.").await.unwrap().len(),
            2
        );
        assert_eq!(server.asked.get(), asked, "the answers were there already");
        drop(resolver);
        server.stop().await;
    });
}

#[test]
fn a_name_that_does_not_exist_is_an_error() {
    on_each(async || {
        let server = Server::start().await;
        let resolver = server.resolver();
        let error = addresses(&resolver, "absent.gmp.test.").await.unwrap_err();
        assert!(error.is_nx_domain(), "{error:?}");
        // A name without addresses of this family is another thing.
        let outcome = resolver.lookup("large.gmp.test.", RecordType::AAAA).await;
        let error = outcome.unwrap_err();
        assert!(
            error.is_no_records_found() && !error.is_nx_domain(),
            "{error:?}"
        );
        drop(resolver);
        server.stop().await;
    });
}

#[test]
fn an_answer_that_a_datagram_cannot_hold_comes_over_tcp() {
    on_each(async || {
        let server = Server::start().await;
        let resolver = server.resolver();
        let outcome = resolver.lookup("large.gmp.test.", RecordType::A).await;
        let answer = outcome.unwrap();
        assert_eq!(answer.answers().len(), usize::from(LARGE));
        let (udp, tcp) = server.asked.get();
        assert!(udp >= 1 && tcp == 1, "{udp} over UDP, {tcp} over TCP");
        drop(resolver);
        server.stop().await;
    });
}

#[test]
fn many_lookups_go_on_at_once() {
    on_each(async || {
        let server = Server::start().await;
        let resolver = Arc::new(server.resolver());
        let lookups = (0..100u8).map(|i| {
            let resolver = resolver.clone();
            gmp::spawn(async move {
                let name = format!("h{i}.gmp.test.");
                let found = resolver.lookup(name, RecordType::A).await.unwrap();
                let want = IpAddr::from([192, 0, 2, i]);
                assert_eq!(found.answers()[0].data.ip_addr(), Some(want));
            })
        });
        for lookup in join_all(lookups).await {
            lookup.unwrap();
        }
        drop(resolver);
        server.stop().await;
    });
}

/// hickory's patience is measured by gmp's clock, which jumps here.
#[gmp::test(virtual_time = true)]
async fn no_answer_is_a_time_out() {
    let server = Server::start().await;
    let resolver = server.resolver_with(|options| {
        options.timeout = Duration::from_secs(500);
        options.attempts = 2;
    });
    let begin = gmp::time::Instant::now();
    let outcome = resolver.lookup("silent.gmp.test.", RecordType::A).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, NetError::Timeout), "{error:?}");
    let waited = gmp::time::Instant::now() - begin;
    assert!(waited >= Duration::from_secs(500), "{waited:?}");
    drop(resolver);
    server.stop().await;
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    on_each(async || {
        let (udp, tcp) = sockets().await;
        let addr = tcp.local_addr().unwrap();
        drop((udp, tcp));
        let mut way = ConnectionConfig::tcp();
        way.port = addr.port();
        let config = NameServerConfig::new(addr.ip(), true, vec![way]);
        let config = ResolverConfig::from_parts(None, vec![], vec![config]);
        let builder = Resolver::builder_with_config(config, Provider::new());
        let resolver = builder.build().unwrap();
        let outcome = resolver.lookup("both.gmp.test.", RecordType::A).await;
        assert!(outcome.is_err(), "{outcome:?}");
    });
}

#[test]
fn a_lookup_that_is_dropped_leaves_nothing_behind() {
    on_each(async || {
        let server = Server::start().await;
        let resolver = server.resolver();
        let lookup = resolver.lookup("silent.gmp.test.", RecordType::A);
        let patience = Duration::from_millis(20);
        assert!(gmp::time::timeout(patience, lookup).await.is_err());
        let found = resolver.lookup("both.gmp.test.", RecordType::A).await;
        assert_eq!(found.unwrap().answers().len(), 1);
        drop(resolver);
        server.stop().await;
    });
}

#[test]
fn the_tasks_of_a_provider_end_with_its_last_clone() {
    use hickory_resolver::net::runtime::{RuntimeProvider, Spawn};

    on_each(async || {
        let provider = Provider::new();
        let clone = provider.clone();
        let before = Handle::current().num_tasks();
        let (end, ended) = futures::channel::oneshot::channel::<()>();
        provider.create_handle().spawn_bg(async move {
            let _end = end;
            std::future::pending::<()>().await;
        });
        assert_eq!(Handle::current().num_tasks(), before + 1);
        assert_eq!(
            format!("{clone:?}"),
            "Provider { tasks: Tasks { running: 1 } }"
        );
        drop(provider);
        gmp::task::yield_now().await;
        assert_eq!(Handle::current().num_tasks(), before + 1);
        drop(clone);
        assert!(ended.await.is_err());
    });
}

#[test]
fn a_resolver_works_without_a_runtime() {
    let server = gmp::block_on(Server::start());
    let resolver = server.resolver();
    let found = gmp::block_on(addresses(&resolver, "both.gmp.test."));
    assert_eq!(found.unwrap().len(), 2);
    gmp::block_on(server.stop());
}
