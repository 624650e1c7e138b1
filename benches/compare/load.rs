//! The HTTP load: `wrk` where it is installed, else a client of a few lines; and the parent's side of the dialogue with
//! the serving process.
//!
//! ```text
//! server: listening ADDR
//! parent: begin            (after a warm-up)
//! server: begun
//! parent: end WALL_NS REQUESTS
//! server: sample …
//! ```

use std::io::{self, BufRead, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::kit::listening;
use crate::kit::scale::Scale;
use crate::measure::Sample;

pub(crate) const BEGIN: &str = "begin";
pub(crate) const BEGUN: &str = "begun";
pub(crate) const END: &str = "end";
/// The body of every answer.
pub(crate) const HELLO: &str = "Hello, World!";

const CONNECTIONS: usize = 64;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Who sends the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    Wrk,
    /// Sends one request on every connection, then takes all the answers, and so on.
    Lockstep,
}

/// What a load has seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    requests: u64,
    wall_ns: u64,
    p50: u64,
    p99: u64,
    max: u64,
}

impl Load {
    pub(crate) fn choose(scale: Scale) -> Self {
        let found = Command::new("wrk")
            .arg("-v")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok();
        if found && scale != Scale::Test {
            Self::Wrk
        } else {
            Self::Lockstep
        }
    }

    /// Drives the server that talks through `out` and `stdin`, to its last word.
    pub(crate) fn drive(
        self,
        scale: Scale,
        out: &mut dyn BufRead,
        stdin: &mut ChildStdin,
    ) -> Result<Sample, String> {
        let said = |error: io::Error| format!("load: {error}");
        let mut line = String::new();
        out.read_line(&mut line).map_err(said)?;
        let addr = listening::read(&line)?;

        // wrk counts whole seconds, which is long for a warm-up.
        let warm_up = scale.pick(500, 300, 0);
        lockstep(addr, Duration::from_millis(warm_up)).map_err(said)?;
        writeln!(stdin, "{BEGIN}").map_err(said)?;
        line.clear();
        out.read_line(&mut line).map_err(said)?;
        if line.trim() != BEGUN {
            return Err(format!(
                "the server says {line:?} and not that it has begun"
            ));
        }
        let span = Duration::from_secs(scale.pick(3, 2, 0));
        let seen = self.send(addr, span).map_err(said)?;
        writeln!(stdin, "{END} {} {}", seen.wall_ns, seen.requests).map_err(said)?;
        line.clear();
        out.read_line(&mut line).map_err(said)?;
        let sample: Sample = line.parse()?;
        Ok(Sample {
            p50: seen.p50,
            p99: seen.p99,
            max: seen.max,
            ..sample
        })
    }

    fn send(self, addr: SocketAddr, span: Duration) -> io::Result<Seen> {
        match self {
            Self::Wrk => wrk(addr, span),
            Self::Lockstep => lockstep(addr, span),
        }
    }
}

fn wrk(addr: SocketAddr, span: Duration) -> io::Result<Seen> {
    let secs = span.as_secs();
    let out = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{secs}s"),
            "--latency",
            &format!("http://{addr}/"),
        ])
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    read_wrk(&text)
        .filter(|_| {
            out.status.success() && !text.contains("Socket errors") && !text.contains("Non-2xx")
        })
        .ok_or_else(|| io::Error::other(format!("wrk says:\n{text}")))
}

/// Finds `99%  2.80ms` and `N requests in 2.00s, …` in what wrk prints.
fn read_wrk(text: &str) -> Option<Seen> {
    let mut seen = Seen::default();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["50%", at] => seen.p50 = wrk_nanos(at)?,
            ["99%", at] => seen.p99 = wrk_nanos(at)?,
            ["Latency", _, _, max, _] if max != "99%" => seen.max = wrk_nanos(max)?,
            [requests, "requests", "in", span, ..] => {
                seen.requests = requests.parse().ok()?;
                seen.wall_ns = wrk_nanos(span.trim_end_matches(','))?;
            }
            _ => {}
        }
    }
    (seen.requests > 0).then_some(seen)
}

fn wrk_nanos(text: &str) -> Option<u64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * scale) as u64)
}

/// At least one round, whatever the span.
fn lockstep(addr: SocketAddr, span: Duration) -> io::Result<Seen> {
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        streams.push(stream);
    }
    let start = Instant::now();
    let mut requests = 0;
    loop {
        for stream in &mut streams {
            stream.write_all(REQUEST)?;
        }
        for stream in &mut streams {
            read_answer(stream)?;
        }
        requests += streams.len() as u64;
        if start.elapsed() >= span {
            return Ok(Seen {
                requests,
                wall_ns: start.elapsed().as_nanos() as u64,
                ..Seen::default()
            });
        }
    }
}

fn read_answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut buf = [0; 1024];
    let mut len = 0;
    while !buf[..len].ends_with(HELLO.as_bytes()) {
        match stream.read(&mut buf[len..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => len += n,
        }
    }
    if buf.starts_with(b"HTTP/1.1 200 ") {
        Ok(())
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}
