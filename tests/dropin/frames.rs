//! HTTP/2 frame by frame: clients that vanish, and clients that make work.

use super::*;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const PROTOCOL_ERROR: u32 = 1;
const ENHANCE_YOUR_CALM: u32 = 11;

/// `GET http://a/`, by the numbers that HPACK has for its words.
const GET: &[u8] = b"\x82\x86\x84\x41\x01a";

/// A connection after the greeting.
struct Frames {
    stream: TcpStream,
    /// What has not been sent yet.
    out: Vec<u8>,
}

impl Frames {
    async fn to(addr: SocketAddr) -> Frames {
        let stream = TcpStream::connect(addr).await.unwrap();
        let out = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        let mut frames = Frames { stream, out };
        frames.put(SETTINGS, 0, 0, b"");
        frames
    }

    fn put(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.out.extend_from_slice(&length[1..]);
        self.out.extend([kind, flags]);
        self.out.extend(id.to_be_bytes());
        self.out.extend_from_slice(payload);
    }

    fn get(&mut self, id: u32) {
        self.put(HEADERS, END_STREAM | END_HEADERS, id, GET);
    }

    /// Sends what was put. False: the server has had enough.
    async fn flush(&mut self) -> bool {
        let out = std::mem::take(&mut self.out);
        self.stream.write_all(&out).await.is_ok()
    }

    /// The next frame: its kind, its stream and what is in it.
    async fn next(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let number = |bytes: [u8; 4]| u32::from_be_bytes(bytes);
        let length = number([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let id = number([head[5], head[6], head[7], head[8]]);
        Some((head[3], id, payload))
    }

    /// Why the server ends the connection, if it says so before it does.
    async fn reason(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some((kind, _, payload)) = self.next().await {
            if kind == GOAWAY {
                let code: [u8; 4] = payload[4..8].try_into().unwrap();
                reason = Some(u32::from_be_bytes(code));
            }
        }
        reason
    }
}

async fn serving() -> Server {
    start(|listener| serve(listener, service_fn(echo))).await
}

#[test]
fn a_client_that_answers_no_pings_is_given_up() {
    on_each(async || {
        let server = start(|listener| {
            serve(listener, service_fn(echo)).configure(|http| {
                http.http2()
                    .keep_alive_interval(Some(Duration::from_millis(10)))
                    .keep_alive_timeout(Duration::from_millis(10));
            })
        })
        .await;
        let mut client = Frames::to(server.addr).await;
        assert!(client.flush().await);
        let mut pings = 0;
        while let Some((kind, _, _)) = client.next().await {
            pings += usize::from(kind == PING);
        }
        assert!(pings > 0);
        assert_eq!(server.stop().await.left, 0);
    });
}

/// Who makes too much work is told so, unless a reset overtakes it.
fn calms_down(reason: Option<u32>) {
    assert!(
        reason.is_none_or(|reason| reason == ENHANCE_YOUR_CALM),
        "{reason:?}"
    );
}

/// Requests that are taken back at once: each costs the client next to nothing.
#[test]
fn a_flood_of_requests_that_are_taken_back_ends_the_connection() {
    on_each(async || {
        let server = serving().await;
        let (mut polite, connection) = client(server.addr).await;
        let mut flood = Frames::to(server.addr).await;
        for batch in 0..20 {
            for n in 0..100 {
                let id = 2 * (100 * batch + n) + 1;
                flood.get(id);
                flood.put(RST_STREAM, 0, id, &8_u32.to_be_bytes());
            }
            // The server may have had enough.
            flood.flush().await;
            get_ok(&mut polite, "/").await;
        }
        // It ends, though this side does not end it.
        calms_down(flood.reason().await);
        get_ok(&mut polite, "/").await;
        drop((flood, polite));
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn a_head_that_goes_on_and_on_ends_the_connection() {
    on_each(async || {
        let server = serving().await;
        let mut client = Frames::to(server.addr).await;
        client.put(HEADERS, END_STREAM, 1, GET);
        // In each a header of 256 bytes.
        let mut header = b"\x00\x01x\x7f\x81\x01".to_vec();
        header.extend([b'y'; 256]);
        for _ in 0..1000 {
            client.put(CONTINUATION, 0, 1, &header);
        }
        client.flush().await;
        calms_down(client.reason().await);
        assert_eq!(server.stop().await.left, 0);
    });
}

#[test]
fn frames_that_cannot_be_end_the_connection_with_a_reason() {
    on_each(async || {
        let server = serving().await;
        let frames: [(u8, u8, u32, &[u8]); 5] = [
            // A stream that is the server's to open.
            (HEADERS, END_STREAM | END_HEADERS, 2, GET),
            // A head that goes on where none has begun.
            (CONTINUATION, END_HEADERS, 1, GET),
            // No stream.
            (RST_STREAM, 0, 0, &[0, 0, 0, 8]),
            // A stream that was never opened.
            (RST_STREAM, 0, 99, &[0, 0, 0, 8]),
            // No step at all.
            (WINDOW_UPDATE, 0, 0, &[0; 4]),
        ];
        for (kind, flags, id, payload) in frames {
            let mut client = Frames::to(server.addr).await;
            client.put(kind, flags, id, payload);
            client.flush().await;
            let reason = client.reason().await;
            assert_eq!(reason, Some(PROTOCOL_ERROR), "{kind} on {id}");
        }
        let (mut polite, connection) = client(server.addr).await;
        get_ok(&mut polite, "/").await;
        drop(polite);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}

/// Each stream may be large, and a client that reads none of it gets no more than its
/// window.
#[test]
fn a_client_that_reads_nothing_is_sent_no_more_than_its_window() {
    on_each(async || {
        let server = start(|listener| {
            serve(listener, |_| {
                service_fn(async |_: Request<Incoming>| {
                    Never::Ok(Response::new(Full::from(vec![7; 1 << 20])))
                })
            })
            .drain_timeout(Duration::MAX)
        })
        .await;
        let mut client = Frames::to(server.addr).await;
        for id in [1, 3, 5] {
            client.get(id);
        }
        // Answered in its turn, behind what there is room for.
        client.put(PING, 0, 0, b"whatever");
        assert!(client.flush().await);
        let mut bytes = 0;
        let mut pong = false;
        while !pong || bytes < 65_535 {
            let (kind, _, payload) = client.next().await.expect("the connection lives");
            match kind {
                0 => bytes += payload.len(),
                PING => pong = true,
                _ => {}
            }
        }
        assert_eq!(bytes, 65_535);
        // It goes on when it is told to.
        client.put(WINDOW_UPDATE, 0, 0, &1000_u32.to_be_bytes());
        assert!(client.flush().await);
        while bytes < 66_535 {
            let (kind, _, payload) = client.next().await.expect("the connection lives");
            bytes += if kind == 0 { payload.len() } else { 0 };
        }
        assert_eq!(bytes, 66_535);
        // Gone in the middle.
        drop(client);
        assert_eq!(server.stop().await.left, 0);
    });
}
