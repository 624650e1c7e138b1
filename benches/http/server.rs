//! The child process: one server on one runtime.
//!
//! hyper and the service are the same for all; a runtime brings its accept loop, its streams in the form hyper takes,
//! and its executor (HTTP/2 spawns a task a request).

mod gmp;
pub(crate) mod smol;
mod tokio;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{self, ExitCode};
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::{Request, Response, rt};
use socket2::{Domain, Socket, Type};

use crate::kit::child::{self, RUN_ONE};
use crate::kit::contender::Contender;
use crate::kit::listening;
use crate::peer::Peer;
use crate::rows::{self, Protocol};

/// All the connections of a row may come before the first is accepted.
const BACKLOG: i32 = 1024;

/// What a server is to do.
#[derive(Debug)]
struct Plan {
    listener: TcpListener,
    workers: usize,
    protocol: Protocol,
    answer: Answer,
}

/// Serves until the standard input ends.
pub(crate) fn run(args: &[String]) -> ExitCode {
    child::end_on_panic();
    let read = || {
        let [peer, protocol, body, workers] = args else {
            return None;
        };
        let peer = Peer::from_name(peer).filter(|&peer| peer != Peer::Go)?;
        let plan = Plan {
            listener: listen().expect("loopback has a free port"),
            workers: workers.parse().ok()?,
            protocol: Protocol::from_name(protocol)?,
            answer: Answer(rows::body(body.parse().ok()?)),
        };
        Some((peer, plan))
    };
    let Some((peer, plan)) = read() else {
        eprintln!("usage: {RUN_ONE} PEER PROTOCOL BODY WORKERS");
        return ExitCode::from(2);
    };
    thread::spawn(|| {
        // Nothing is ever sent; the end comes when the parent closes its side or is gone.
        let _nothing = io::stdin().read(&mut [0]);
        process::exit(0);
    });
    let addr = plan.listener.local_addr().expect("it is bound");
    listening::tell(addr);
    match peer {
        Peer::Gmp => gmp::run(plan),
        Peer::GmpServe => gmp::serve(plan),
        Peer::Tokio => tokio::run(plan),
        Peer::Smol => smol::run(plan),
        Peer::Go => unreachable!("a program of its own"),
    }
    unreachable!("a server goes on until the process ends")
}

/// Made here for all runtimes, for they differ in the backlog they ask for.
fn listen() -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// The service: the same body, whatever is asked.
#[derive(Clone, Debug)]
struct Answer(Bytes);

impl Service<Request<Incoming>> for Answer {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn call(&self, _: Request<Incoming>) -> Self::Future {
        ready(Ok(Response::new(Full::new(self.0.clone()))))
    }
}

/// Serves one connection to its end.
async fn converse<I, E>(io: I, executor: E, protocol: Protocol, answer: Answer)
where
    I: rt::Read + rt::Write + Send + Unpin + 'static,
    E: Http2ServerConnExec<<Answer as Service<Request<Incoming>>>::Future, Full<Bytes>>,
{
    // An error here is the client's hanging up.
    let _hung_up = match protocol {
        Protocol::H1 => http1::Builder::new().serve_connection(io, answer).await,
        Protocol::H2 => {
            http2::Builder::new(executor)
                .serve_connection(io, answer)
                .await
        }
    };
}
