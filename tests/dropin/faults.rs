//! Peers and systems that do not behave.

use std::io;

use gmp::hyper::Listener;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::own_process::passed_alone;

#[test]
fn who_does_not_finish_the_head_of_a_request_is_closed() {
    on_each(async || {
        let patience = Duration::from_millis(40);
        let server =
            start(|listener| serve(listener, |_| service_fn(echo)).header_read_timeout(patience))
                .await;
        let preface = b"PRI * HTTP/2.0\r\n\r\n".as_slice();
        let slow = [b"".as_slice(), b"G", b"GET / HTTP/1.1\r\nho", preface].map(|bytes| {
            gmp::spawn(async move {
                let start = gmp::time::Instant::now();
                let answer = raw(server.addr, bytes).await;
                assert_eq!(answer, "");
                assert!(start.elapsed() >= patience);
            })
        });
        for slow in slow {
            slow.await.unwrap();
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn no_limit_is_a_duration_too() {
    on_each(async || {
        let server = start(|listener| {
            serve(listener, |_| service_fn(echo))
                .header_read_timeout(Duration::MAX)
                .drain_timeout(Duration::MAX)
        })
        .await;
        let (mut sender, connection) = client(server.addr).await;
        get_ok(&mut sender, "/").await;
        drop(sender);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn garbage_and_heads_too_large_are_told_so() {
    on_each(async || {
        let server = start(|listener| {
            serve(listener, |_| service_fn(echo)).configure(|http| {
                http.http1().max_buf_size(8192);
            })
        })
        .await;
        let garbage = raw(
            server.addr,
            b"\x16\x03\x01\x02\x00\x01\x00 not http\r\n\r\n",
        )
        .await;
        assert!(garbage.starts_with("HTTP/1.1 400 "), "{garbage}");
        let large = format!("GET / HTTP/1.1\r\nhost: a\r\nlarge: {}", "x".repeat(8192));
        let answer = raw(server.addr, large.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        let many = "a: b\r\n".repeat(200);
        let answer = raw(
            server.addr,
            format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes(),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        // A preface, and then no HTTP/2: the settings and a goodbye, not text.
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nwhat now, not a frame")
            .await
            .unwrap();
        let (mut got, mut buf) = (0, [0; 1024]);
        while let Ok(n @ 1..) = stream.read(&mut buf).await {
            got += n;
        }
        assert!(got > 0);
        drop(stream);
        let (mut sender, connection) = client(server.addr).await;
        get_ok(&mut sender, "/").await;
        drop(sender);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

async fn unwanted(_: Request<Incoming>) -> Never {
    let response = Response::builder().status(StatusCode::PAYLOAD_TOO_LARGE);
    Ok(response.body(Full::from("no, thanks")).unwrap())
}

/// Sends `bytes` to the end, then reads to the end: no reset in between.
async fn polite(addr: SocketAddr, bytes: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(bytes).await?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[test]
fn an_answer_is_not_lost_because_its_peer_still_sends() {
    on_each(async || {
        let server = start(|listener| {
            serve(listener, |_| service_fn(unwanted)).configure(|http| {
                http.http1().max_buf_size(8192);
            })
        })
        .await;
        let rest = "x".repeat(1 << 20);
        let head = "POST / HTTP/1.1\r\nhost: a\r\n";
        let body = format!("{head}content-length: {}\r\n\r\n{rest}", rest.len());
        let answer = polite(server.addr, body.as_bytes()).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.ends_with("no, thanks"), "{answer}");
        let large = format!("{head}large: {rest}\r\n\r\n");
        let answer = polite(server.addr, large.as_bytes()).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        assert_eq!(server.stop().await.left, 0);
    });
}

async fn panics_or_echoes(
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    assert!(request.uri().path() != "/panic", "a fault of the handler");
    echo(request).await
}

#[test]
fn a_panic_in_a_handler_ends_its_connection_alone() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(panics_or_echoes))).await;
        let (mut good, good_connection) = client(server.addr).await;
        get_ok(&mut good, "/").await;
        let (mut bad, bad_connection) = client(server.addr).await;
        let request = request("/panic", &Bytes::new());
        bad.send_request(request).await.unwrap_err();
        let _ = bad_connection.await.unwrap();
        get_ok(&mut good, "/").await;
        drop(good);
        good_connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_panic_in_a_handler_of_http2_ends_its_stream_alone() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(panics_or_echoes))).await;
        let (sender, connection) = client_of_http2(server.addr).await;
        let asks: Vec<_> = (0..20)
            .map(|n| {
                let mut sender = sender.clone();
                gmp::spawn(async move {
                    let path = if n % 5 == 0 { "/panic" } else { "/" };
                    let request = request(&format!("http://gmp.test{path}"), &bodies()[1]);
                    match sender.send_request(request).await {
                        Ok(response) => body_of(response).await.len(),
                        Err(error) => {
                            assert_eq!(path, "/panic", "{error}");
                            0
                        }
                    }
                })
            })
            .collect();
        let mut answers = 0;
        for ask in asks {
            answers += ask.await.unwrap();
        }
        assert_eq!(answers, 16 * 100);
        drop(sender);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

/// Fails `times` with `errno` before each connection.
pub(crate) struct Failing {
    listener: TcpListener,
    errno: i32,
    times: usize,
    failed: usize,
}

impl Listener for Failing {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        if self.failed < self.times {
            self.failed += 1;
            return Err(io::Error::from_raw_os_error(self.errno));
        }
        let connection = self.listener.accept().await?;
        self.failed = 0;
        Ok(connection)
    }
}

pub(crate) async fn failing(errno: i32, times: usize) -> (Failing, SocketAddr) {
    let (listener, addr) = bind().await;
    let failing = Failing {
        listener,
        errno,
        times,
        failed: 0,
    };
    (failing, addr)
}

/// Too many open files.
pub(crate) const EMFILE: i32 = 24;

#[test]
fn a_shortage_does_not_end_a_server() {
    on_each(async || {
        let (listener, addr) = failing(EMFILE, 3).await;
        let (stop, stopped) = signal();
        let task = gmp::spawn(
            serve(listener, |_| service_fn(echo))
                .with_graceful_shutdown(stopped)
                .report(),
        );
        for _ in 0..3 {
            let (mut sender, connection) = client(addr).await;
            get_ok(&mut sender, "/").await;
            drop(sender);
            connection.await.unwrap().unwrap();
        }
        let server = Server { addr, stop, task };
        assert_eq!(server.stop().await.left, 0);
    });
}

/// Takes every descriptor that is left.
fn take_all() -> Vec<std::fs::File> {
    let limit = Rlimit {
        current: Some(256),
        ..getrlimit(Resource::Nofile)
    };
    setrlimit(Resource::Nofile, limit).unwrap();
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// In a process of its own, for the limit is the process's.
#[test]
fn without_descriptors_a_server_waits_for_some() {
    const NAME: &str = "serve::faults::without_descriptors_a_server_waits_for_some";
    if passed_alone(NAME) {
        return;
    }
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(echo))).await;
        let mut fillers = take_all();
        // Its own descriptor; the server's end finds none, unless it is quicker than
        // the client for once and takes this one.
        let mut connect = || {
            loop {
                fillers.pop().expect("more of them than clients");
                match std::net::TcpStream::connect(server.addr) {
                    Err(error) if error.raw_os_error() == Some(EMFILE) => {}
                    connected => break connected.unwrap(),
                }
            }
        };
        let clients: Vec<_> = (0..4).map(|_| connect()).collect();
        let (start, used) = (std::time::Instant::now(), cpu_time());
        gmp::time::sleep(Duration::from_millis(200)).await;
        let (wall, cpu) = (start.elapsed(), cpu_time() - used);
        assert!(cpu < wall / 2, "{cpu:?} of CPU in {wall:?}");
        drop(fillers);
        for stream in clients {
            let stream = TcpStream::from_std(stream).unwrap();
            let (mut sender, connection) = http1::handshake(stream).await.unwrap();
            let connection = gmp::spawn(connection);
            get_ok(&mut sender, "/").await;
            drop(sender);
            connection.await.unwrap().unwrap();
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_listener_that_is_none_ends_the_server_with_its_error() {
    on_each(async || {
        const EBADF: i32 = 9;
        let (listener, _) = failing(EBADF, 1).await;
        let error = serve(listener, |_| service_fn(echo)).await.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(EBADF));
    });
}
