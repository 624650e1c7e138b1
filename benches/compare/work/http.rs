//! What does an HTTP request cost its server?
//!
//! The measured process is the server alone; the parent brings the load and says, over standard input and output, when
//! the measured part begins and ends (the dialogue is in `load.rs`, its other side).

use std::convert::Infallible;
use std::io::{self, BufRead};
use std::process;
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body::Incoming};

use crate::cell::leak;
use crate::kit::listening;
use crate::load::{BEGIN, BEGUN, END, HELLO};
use crate::measure::{Meter, Sample};
use crate::runtime::Runtime;

/// Serves until the parent has heard the result; op: one request.
pub(crate) async fn serve<R: Runtime>() -> Sample {
    let (listener, addr) = R::bind().await.expect("loopback has a free port");
    let listener: &'static R::Listener = leak(listener);
    thread::spawn(obey);
    listening::tell(addr);
    loop {
        let stream = R::accept(listener)
            .await
            .expect("a listener keeps accepting");
        R::socket(&stream)
            .set_tcp_nodelay(true)
            .expect("a TCP socket has the option");
        R::detach(async move {
            // An error here is the client's hanging up.
            let _hung_up = http1::Builder::new()
                .serve_connection(R::hyper_io(stream), service_fn(hello))
                .await;
        });
    }
}

async fn hello(_: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::new(Full::new(Bytes::from_static(
        HELLO.as_bytes(),
    ))))
}

/// Does as the parent says and ends the process when it has said all.
fn obey() {
    let mut meter = Meter::start();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        match words.next() {
            Some(BEGIN) => {
                meter = Meter::start();
                println!("{BEGUN}");
            }
            Some(END) => {
                let mut number = || {
                    words
                        .next()
                        .and_then(|n| n.parse().ok())
                        .expect("the parent sends two numbers")
                };
                let sample = Sample {
                    wall_ns: number(),
                    ..meter.stop(number())
                };
                println!("{}", sample.with_peak());
                process::exit(0);
            }
            _ => break,
        }
    }
    // The parent is gone or speaks nonsense.
    process::exit(1);
}
