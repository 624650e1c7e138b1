//! Which connections a client uses again, against scripted servers.

use gmp::runtime::Handle;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What a server does with each connection in turn, and how many there were.
struct Script {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Script {
    /// Connection n gets the answers of line n, one for each request; then it is closed.
    async fn of(lines: &'static [&'static [&'static str]]) -> Script {
        let (listener, addr) = bind().await;
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = accepted.clone();
        let task = gmp::spawn(async move {
            for line in lines {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, SeqCst);
                for answer in *line {
                    head(&mut stream).await;
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        Script {
            addr,
            accepted,
            task,
        }
    }

    async fn get(&self, client: &Client<Connector, Full<Bytes>>) -> Result<Bytes, Box<dyn Error>> {
        let uri = format!("http://{}/", self.addr);
        let request = Request::get(uri).body(Full::default()).unwrap();
        let response = client.request(request).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    }

    async fn end(self, accepted: usize) {
        self.task.await.unwrap();
        assert_eq!(self.accepted.load(SeqCst), accepted);
    }
}

/// Reads the head of a request without a body.
async fn head(stream: &mut TcpStream) {
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("a request");
        got.extend(byte);
    }
}

#[test]
fn an_answer_that_breaks_off_is_an_error_and_the_next_request_has_a_new_connection() {
    on_each(async || {
        for broken in [
            &["HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf"],
            &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nha"],
            &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
            &["HTTP/1.1 2"],
            &["220 mail.test ESMTP\r\n\r\n"],
            &[""],
        ] {
            let lines: &'static [&'static [&'static str]] =
                Box::leak(Box::new([broken.as_slice(), &[OK]]));
            let script = Script::of(lines).await;
            let client = build(Connector::new());
            assert!(script.get(&client).await.is_err(), "{broken:?}");
            assert_eq!(script.get(&client).await.unwrap(), "ok", "{broken:?}");
            script.end(2).await;
        }
    });
}

#[test]
fn a_connection_that_was_closed_while_idle_is_not_used_again() {
    on_each(async || {
        let script = Script::of(&[&[OK], &[OK], &[OK]]).await;
        // With a timer the pool has a task of its own as soon as it has kept a connection.
        let client = Client::builder(Executor).build(Connector::new());
        let tasks = Handle::current().num_tasks();
        for _ in 0..3 {
            assert_eq!(script.get(&client).await.unwrap(), "ok");
            // The client has seen the end when the task of its connection is over.
            while Handle::current().num_tasks() > tasks {
                gmp::time::sleep(Duration::from_millis(1)).await;
            }
        }
        script.end(3).await;
    });
}

#[test]
fn a_connection_is_not_used_again_if_the_server_says_so_or_the_body_ends_with_it() {
    on_each(async || {
        for last in [
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\n\r\nok",
        ] {
            let lines: &'static [&'static [&'static str]] =
                Box::leak(Box::new([Box::leak(Box::new([last])).as_slice(), &[OK]]));
            let script = Script::of(lines).await;
            let client = build(Connector::new());
            assert_eq!(script.get(&client).await.unwrap(), "ok", "{last}");
            assert_eq!(script.get(&client).await.unwrap(), "ok", "{last}");
            script.end(2).await;
        }
    });
}

#[test]
fn answers_on_the_way_are_passed_over() {
    on_each(async || {
        let early = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n\
            HTTP/1.1 102 Processing\r\n\r\n\
            HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        let lines: &'static [&'static [&'static str]] =
            Box::leak(Box::new([Box::leak(Box::new([early])).as_slice()]));
        let script = Script::of(lines).await;
        let client = build(Connector::new());
        assert_eq!(script.get(&client).await.unwrap(), "ok");
        script.end(1).await;
    });
}

#[test]
fn a_body_that_nobody_reads_to_its_end_costs_the_connection_alone() {
    on_each(async || {
        let (server, made) = counted().await;
        let client = build(Connector::new());
        for _ in 0..4 {
            let uri = format!("http://{}/", server.addr);
            let large = &bodies()[2];
            let response = client.request(request(&uri, large)).await.unwrap();
            let mut body = response.into_body();
            assert!(body.frame().await.unwrap().is_ok());
            drop(body);
            let small = &bodies()[1];
            let response = client.request(request(&uri, small)).await.unwrap();
            assert!(body_of(response).await == *small, "the body differs");
        }
        assert!(made.load(SeqCst) > 1);
        drop(client);
        assert_eq!(server.stop().await.left, 0);
    });
}
