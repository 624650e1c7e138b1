//! How a server ends.

use std::future::pending;
use std::io::ErrorKind;

use super::*;
use crate::own_process::passed_alone;

/// Says when a request has arrived, and answers when it is told to.
struct Gate {
    arrived: oneshot::Receiver<()>,
    answer: oneshot::Sender<()>,
    server: Server,
}

async fn gate() -> Gate {
    let (arrives, arrived) = oneshot::channel();
    let (answer, answers) = oneshot::channel();
    let mut ends = Some((arrives, answers));
    let server = start(|listener| {
        serve(listener, move |_| {
            let ends = std::sync::Mutex::new(ends.take());
            service_fn(move |request| {
                let ends = ends.lock().unwrap().take();
                async move {
                    // With its body, behind which hyper's client takes no end of the
                    // connection for one of the request.
                    let answer = echo(request).await;
                    if let Some((arrives, answers)) = ends {
                        arrives.send(()).unwrap();
                        answers.await.unwrap();
                    }
                    answer
                }
            })
        })
    })
    .await;
    Gate {
        arrived,
        answer,
        server,
    }
}

#[test]
fn a_request_in_flight_is_answered_and_new_connections_are_refused() {
    on_each(async || {
        let gate = gate().await;
        let addr = gate.server.addr;
        let (mut sender, connection) = client(addr).await;
        let response = gmp::spawn(async move {
            let body = Bytes::from_static(b"late");
            sender.send_request(request("/", &body)).await.unwrap()
        });
        gate.arrived.await.unwrap();
        // Of those without a request, one has had one and the other has not.
        let (mut idle, idle_connection) = client(addr).await;
        get_ok(&mut idle, "/").await;
        let mut silent = TcpStream::connect(addr).await.unwrap();

        let mut stopping = pin!(gate.server.stop());
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        idle_connection.await.unwrap().unwrap();
        // Accepted or still in the backlog: an end or a reset.
        assert!(matches!(silent.read(&mut [0; 16]).await, Ok(0) | Err(_)));
        let refused = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert!(futures::poll!(stopping.as_mut()).is_pending());

        gate.answer.send(()).unwrap();
        let response = response.await.unwrap();
        // A connection that has not heard of the stop yet tells nothing, and ends as well.
        let told = response.headers().get("connection").cloned();
        assert!(told.is_none_or(|told| told == "close"));
        assert_eq!(body_of(response).await, "late");
        assert_eq!(stopping.await.left, 0);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn http2_streams_in_flight_are_answered() {
    on_each(async || {
        let gate = gate().await;
        let (mut sender, connection) = client_of_http2(gate.server.addr).await;
        let response = gmp::spawn(async move {
            let request = request("http://gmp.test/", &Bytes::from_static(b"late"));
            sender.send_request(request).await.unwrap()
        });
        gate.arrived.await.unwrap();
        let mut stopping = pin!(gate.server.stop());
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        gate.answer.send(()).unwrap();
        assert_eq!(body_of(response.await.unwrap()).await, "late");
        assert_eq!(stopping.await.left, 0);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn the_drain_timeout_reports_and_ends_what_is_left() {
    on_each(async || {
        let arrived = Arc::new(AtomicUsize::new(0));
        let count = arrived.clone();
        let server = start(|listener| {
            let server = serve(listener, move |_| {
                let count = count.clone();
                service_fn(move |_: Request<Incoming>| {
                    count.fetch_add(1, SeqCst);
                    pending::<Never>()
                })
            });
            server.drain_timeout(Duration::from_millis(20))
        })
        .await;
        let clients: Vec<_> = (0..3)
            .map(|_| {
                gmp::spawn(async move {
                    let (mut sender, connection) = client(server.addr).await;
                    let request = request("/", &Bytes::new());
                    let error = sender.send_request(request).await.unwrap_err();
                    let _ = connection.await;
                    error
                })
            })
            .collect();
        while arrived.load(SeqCst) < 3 {
            gmp::task::yield_now().await;
        }
        assert_eq!(server.stop().await.left, 3);
        for client in clients {
            // Closed before an answer, or reset.
            client.await.unwrap();
        }
    });
}

#[test]
fn dropping_a_server_closes_its_connections() {
    on_each(async || {
        let server = start(|listener| serve(listener, |_| service_fn(echo))).await;
        let (mut sender, connection) = client(server.addr).await;
        get_ok(&mut sender, "/").await;
        server.task.abort();
        assert!(server.task.await.unwrap_err().is_cancelled());
        let _ = connection.await.unwrap();
        assert!(sender.ready().await.unwrap_err().is_closed());
        let refused = TcpStream::connect(server.addr).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

/// Answers `/late` when the process has been asked to end, and `/never` never.
async fn late_or_never(request: Request<Incoming>) -> Never {
    if request.uri().path() == "/never" {
        pending::<()>().await;
    }
    gmp::signal::shutdown().await.expect("handlers");
    Ok(Response::new(Full::from("late")))
}

/// In a process of its own, which the signal would end.
#[test]
fn sigterm_drains_within_the_deadline_and_what_was_left_is_told() {
    const NAME: &str = "serve::stop::sigterm_drains_within_the_deadline_and_what_was_left_is_told";
    if passed_alone(NAME) {
        return;
    }
    on_each(async || {
        let (listener, addr) = bind().await;
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let service = service_fn(move |request| {
            // Polled once, it listens.
            let mut answer = Box::pin(late_or_never(request));
            let count = count.clone();
            async move {
                let first = futures::poll!(&mut answer);
                assert!(first.is_pending());
                count.fetch_add(1, SeqCst);
                answer.await
            }
        });
        let mut stop = Box::pin(gmp::signal::shutdown());
        assert!(futures::poll!(&mut stop).is_pending());
        let serving = serve(listener, service)
            .with_graceful_shutdown(async move {
                let asked_by = stop.await.expect("handlers");
                assert_eq!(asked_by, gmp::signal::SignalKind::terminate());
            })
            .drain_timeout(Duration::from_secs(3));
        let task = gmp::spawn(serving.report());
        let (mut late, _) = client(addr).await;
        let (mut never, _) = client(addr).await;
        let late = late.send_request(request("/late", &Bytes::new()));
        let never = never.send_request(request("/never", &Bytes::new()));
        let (late, never) = (gmp::spawn(late), gmp::spawn(never));
        while asked.load(SeqCst) < 2 {
            gmp::task::yield_now().await;
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM)
            .unwrap();
        assert_eq!(body_of(late.await.unwrap().unwrap()).await, "late");
        assert_eq!(task.await.unwrap().unwrap().left, 1);
        never.await.unwrap().unwrap_err();
        let refused = TcpStream::connect(addr).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}
