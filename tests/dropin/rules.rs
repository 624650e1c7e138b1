//! What HTTP/1 asks of a server, in raw bytes.

use gmp::runtime::Builder;
use hyper::HeaderMap;
use hyper::body::Frame;

use super::*;

/// A body that is sent in chunks, with trailers.
struct Chunks(Vec<Frame<Bytes>>);

impl Chunks {
    fn of(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Chunks {
        let mut frames: Vec<_> = frames.into_iter().collect();
        frames.reverse();
        Chunks(frames)
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(Ok))
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Chunks>, hyper::Error> {
    let response = Response::builder();
    let path = request.uri().path().to_owned();
    let (response, frames) = match path.as_str() {
        "/unread" => (response, vec![Frame::data(Bytes::from("unread"))]),
        "/204" => (response.status(204), Vec::new()),
        "/304" => (response.status(304), Vec::new()),
        "/chunks" => {
            let mut trailers = HeaderMap::new();
            trailers.insert("sum", "6".parse().unwrap());
            let data = ["1", "22", "333"].map(|data| Frame::data(Bytes::from(data)));
            let response = response.header("trailer", "sum");
            let trailers = [Frame::trailers(trailers)];
            (response, data.into_iter().chain(trailers).collect())
        }
        _ => {
            let body = request.into_body().collect().await?;
            let sum = body.trailers().and_then(|trailers| trailers.get("sum"));
            let sum = sum.cloned().unwrap_or("none".parse().unwrap());
            let bytes = body.to_bytes();
            let response = response.header("sum", sum);
            let response = response.header("content-length", bytes.len());
            (response, vec![Frame::data(bytes)])
        }
    };
    Ok(response.body(Chunks::of(frames)).unwrap())
}

async fn serving() -> Server {
    start(|listener| serve(listener, service_fn(answer))).await
}

/// A connection that is read as far as the test knows what comes.
struct Raw {
    stream: TcpStream,
    got: String,
}

impl Raw {
    async fn to(server: &Server) -> Raw {
        let stream = TcpStream::connect(server.addr).await.unwrap();
        Raw {
            stream,
            got: String::new(),
        }
    }

    async fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// All up to and with the first `end`.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.got.find(end) {
                let rest = self.got.split_off(at + end.len());
                return std::mem::replace(&mut self.got, rest);
            }
            let mut buf = [0; 1024];
            let n = self.stream.read(&mut buf).await.unwrap();
            assert!(n > 0, "the end comes before {end:?}, after {:?}", self.got);
            self.got += std::str::from_utf8(&buf[..n]).unwrap();
        }
    }

    async fn rest(mut self) -> String {
        self.stream.read_to_string(&mut self.got).await.unwrap();
        self.got
    }
}

#[test]
fn a_client_that_asks_whether_to_go_on_is_told_when_the_body_is_wanted() {
    on_each(async || {
        let server = serving().await;
        let head = |path| {
            format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 4\r\n\r\n"
            )
        };
        let mut raw = Raw::to(&server).await;
        for body in ["this", "that"] {
            raw.send(&head("/echo")).await;
            assert_eq!(raw.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
            raw.send(body).await;
            let answer = raw.until(body).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        // Nobody wants this body: no word of going on, and the end of the connection,
        // for the client may send it all the same.
        raw.send(&head("/unread")).await;
        let answer = raw.rest().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains("\r\n\r\n6\r\nunread\r\n0\r\n\r\n"),
            "{answer}"
        );
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_connection_is_kept_as_its_version_and_its_header_say() {
    on_each(async || {
        let server = serving().await;
        for (version, header, kept) in [
            ("1.1", "", true),
            ("1.1", "connection: close\r\n", false),
            ("1.1", "connection: foo, Close\r\n", false),
            ("1.0", "", false),
            ("1.0", "connection: keep-alive\r\n", true),
        ] {
            let mut raw = Raw::to(&server).await;
            let request = format!("GET / HTTP/{version}\r\nhost: a\r\n{header}\r\n");
            raw.send(&request).await;
            let answer = raw.until("\r\n\r\n").await;
            let status = format!("HTTP/{version} 200 OK\r\n");
            assert!(answer.starts_with(&status), "{answer}");
            // Who would not expect it is told.
            let says = |word| answer.contains(&format!("connection: {word}\r\n"));
            assert_eq!(says("keep-alive"), kept && version == "1.0", "{answer}");
            assert_eq!(says("close"), !kept && version == "1.1", "{answer}");
            if kept {
                raw.send(&request).await;
                assert!(raw.until("\r\n\r\n").await.starts_with(&status));
                drop(raw);
            } else {
                assert_eq!(raw.rest().await, "");
            }
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn answers_that_have_no_body_send_none() {
    on_each(async || {
        let server = serving().await;
        let mut raw = Raw::to(&server).await;
        // The next answer begins where the head of the one before ends.
        for (request, status) in [
            ("HEAD /unread", "200 OK"),
            ("HEAD /chunks", "200 OK"),
            ("GET /204", "204 No Content"),
            ("GET /304", "304 Not Modified"),
            ("GET /", "200 OK"),
        ] {
            raw.send(&format!("{request} HTTP/1.1\r\nhost: a\r\n\r\n"))
                .await;
            let answer = raw.until("\r\n\r\n").await;
            let expected = format!("HTTP/1.1 {status}\r\n");
            assert!(answer.starts_with(&expected), "{request}: {answer}");
            let length = answer.contains("content-length: ");
            assert_eq!(length, request == "GET /", "{request}: {answer}");
        }
        drop(raw);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn chunks_and_trailers_go_both_ways() {
    on_each(async || {
        let server = serving().await;
        let mut raw = Raw::to(&server).await;
        let head = "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        raw.send(&format!("{head}2;ext=1\r\nto\r\n")).await;
        raw.send("7\r\ngether!\r\n0\r\nsum: 9\r\n\r\n").await;
        let answer = raw.until("together!").await;
        assert!(answer.contains("\r\nsum: 9\r\n"), "{answer}");
        // Trailers are sent to who takes them.
        let chunks = "\r\n\r\n1\r\n1\r\n2\r\n22\r\n3\r\n333\r\n0\r\n";
        for (te, trailers) in [("te: trailers\r\n", "sum: 6\r\n"), ("", "")] {
            let ask = format!("GET /chunks HTTP/1.1\r\nhost: a\r\n{te}\r\n");
            raw.send(&ask).await;
            let mut answer = raw.until("\r\n0\r\n").await;
            for _ in 0..=trailers.lines().count() {
                answer += &raw.until("\r\n").await;
            }
            let expected = format!("{chunks}{trailers}\r\n");
            assert!(answer.ends_with(&expected), "{answer}");
        }
        drop(raw);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused() {
    on_each(async || {
        let server = serving().await;
        for headers in [
            "content-length: 3\r\ncontent-length: 4\r\n",
            "content-length: 3, 4\r\n",
            "content-length: +3\r\n",
            "content-length: three\r\n",
            "transfer-encoding: gzip\r\n",
            "transfer-encoding: chunked, gzip\r\n",
            "content length: 3\r\n",
            "x : 3\r\n",
        ] {
            let request = format!("POST /echo HTTP/1.1\r\nhost: a\r\n{headers}\r\nabcd");
            let answer = raw(server.addr, request.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{headers}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers}: {answer}");
        }
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn who_sends_no_more_is_still_answered_if_the_server_allows_it() {
    on_each(async || {
        let (ask, asked) = oneshot::channel();
        let asked = Arc::new(std::sync::Mutex::new(Some(asked)));
        let late = service_fn(move |_: Request<Incoming>| {
            let asked = asked.lock().unwrap().take().expect("one request");
            async {
                asked.await.unwrap();
                Never::Ok(Response::new(Full::from("late")))
            }
        });
        let server = start(|listener| {
            serve(listener, late).configure(|http| {
                http.http1().half_close(true);
            })
        })
        .await;
        let mut raw = Raw::to(&server).await;
        raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
        // The server is alive and has had its chances to notice.
        for _ in 0..20 {
            gmp::task::yield_now().await;
        }
        ask.send(()).unwrap();
        let answer = raw.rest().await;
        assert!(answer.ends_with("\r\n\r\nlate"), "{answer}");
        assert_eq!(server.stop().await.left, 0);
    });
}

/// What comes behind the head of a request that takes the connection over is the
/// first that its new owner reads.
#[test]
fn bytes_behind_an_upgrade_are_not_lost() {
    on_each(async || {
        let server = start(|listener| serve(listener, service_fn(upgrade))).await;
        let mut raw = Raw::to(&server).await;
        raw.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly")
            .await;
        let answer = raw.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        raw.send(" and late").await;
        raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(raw.rest().await, "early and late");
        assert_eq!(server.stop().await.left, 0);
    });
}

async fn tunnel(request: Request<Incoming>) -> Never {
    assert_eq!(request.method(), hyper::Method::CONNECT);
    assert_eq!(request.uri().authority().unwrap(), "far.test:443");
    give_back(request);
    Ok(Response::new(Full::default()))
}

#[test]
fn a_proxy_can_make_a_tunnel() {
    on_each(async || {
        let server = start(|listener| serve(listener, service_fn(tunnel))).await;
        let mut raw = Raw::to(&server).await;
        raw.send("CONNECT far.test:443 HTTP/1.1\r\nhost: far.test\r\n\r\n")
            .await;
        let answer = raw.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        raw.send("through").await;
        assert_eq!(raw.until("through").await, "through");
        raw.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(raw.rest().await, "");
        assert_eq!(server.stop().await.left, 0);
    });
}

/// The clock stands, and jumps to the next timer when nobody can go on.
#[test]
fn the_time_for_a_head_begins_anew_after_each_request() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let test = runtime.spawn(async {
        gmp::time::pause();
        let dir = Dir::new();
        let path = dir.at("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let minute = Duration::from_secs(60);
        let serving = serve(listener, service_fn(answer)).header_read_timeout(minute);
        let serving = gmp::spawn(serving);
        for rest in ["", "GET / HTT"] {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            let start = gmp::time::Instant::now();
            for _ in 0..3 {
                gmp::time::sleep(minute / 2).await;
                let request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
                stream.write_all(request).await.unwrap();
                let mut buf = [0; 4096];
                assert!(stream.read(&mut buf).await.unwrap() > 0);
            }
            stream.write_all(rest.as_bytes()).await.unwrap();
            assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
            let took = start.elapsed();
            assert!(took >= 5 * minute / 2 && took < 3 * minute, "{took:?}");
        }
        serving.abort();
    });
    runtime.block_on(test).unwrap();
}
