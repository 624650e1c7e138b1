//! Bodies and streams that are under way when the server is told to stop.

use futures::StreamExt;
use futures::channel::mpsc;
use http_body_util::StreamBody;
use hyper::body::Frame;

use super::*;

type Parts = mpsc::UnboundedReceiver<Result<Frame<Bytes>, Infallible>>;

/// Gives its one request a body that the test makes as it goes on.
async fn streaming() -> (
    Server,
    mpsc::UnboundedSender<Result<Frame<Bytes>, Infallible>>,
) {
    let (parts, body) = mpsc::unbounded();
    let body: Arc<std::sync::Mutex<Option<Parts>>> = Arc::new(Some(body).into());
    let service = service_fn(move |request: Request<Incoming>| {
        let body = body.lock().unwrap().take();
        async move {
            request.into_body().collect().await?;
            let body = body.unwrap_or_else(|| mpsc::unbounded().1);
            Ok::<_, hyper::Error>(Response::new(StreamBody::new(body)))
        }
    });
    (start(|listener| serve(listener, service)).await, parts)
}

fn data(text: &'static str) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from_static(text.as_bytes())))
}

async fn part(body: &mut Incoming) -> Bytes {
    body.frame().await.unwrap().unwrap().into_data().unwrap()
}

#[test]
fn an_answer_in_the_middle_of_its_body_is_finished() {
    on_each(async || {
        let (server, parts) = streaming().await;
        let (mut sender, connection) = client(server.addr).await;
        parts.unbounded_send(data("begun")).unwrap();
        let response = sender
            .send_request(request("/", &Bytes::new()))
            .await
            .unwrap();
        let mut body = response.into_body();
        assert_eq!(part(&mut body).await, "begun");
        let mut stopping = pin!(server.stop());
        for _ in 0..20 {
            assert!(futures::poll!(stopping.as_mut()).is_pending());
            parts.unbounded_send(data("more")).unwrap();
            assert_eq!(part(&mut body).await, "more");
        }
        drop(parts);
        assert!(body.frame().await.is_none());
        assert_eq!(stopping.await.left, 0);
        connection.await.unwrap().unwrap();
    });
}

#[test]
fn a_request_in_the_middle_of_its_body_is_answered() {
    on_each(async || {
        let server = start(|listener| serve(listener, service_fn(echo))).await;
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let begun =
            b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 8\r\n\r\nhalf";
        stream.write_all(begun).await.unwrap();
        // The handler asks for the body: the request is under way.
        let mut buf = [0; 25];
        stream.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"HTTP/1.1 100 Continue\r\n\r\n");
        let mut stopping = pin!(server.stop());
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        stream.write_all(b"half").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\nhalfhalf"), "{answer}");
        assert_eq!(stopping.await.left, 0);
    });
}

/// A client of HTTP/2 is told to open no more streams; those that are open end as
/// they would have.
#[test]
fn http2_opens_no_more_streams_and_finishes_those_that_are_open() {
    on_each(async || {
        let (server, parts) = streaming().await;
        let (mut sender, connection) = client_of_http2(server.addr).await;
        let ask = |path| request(&format!("http://gmp.test{path}"), &Bytes::new());
        parts.unbounded_send(data("begun")).unwrap();
        let response = sender.send_request(ask("/one")).await.unwrap();
        let mut body = response.into_body();
        assert_eq!(part(&mut body).await, "begun");
        let mut stopping = pin!(server.stop());
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        // Until the client has heard of it, it may still ask.
        while let Ok(response) = sender.send_request(ask("/late")).await {
            assert_eq!(body_of(response).await, "");
        }
        let mut trailers = hyper::HeaderMap::new();
        trailers.insert("sum", "1".parse().unwrap());
        parts.unbounded_send(data("the end")).unwrap();
        assert!(futures::poll!(stopping.as_mut()).is_pending());
        parts
            .unbounded_send(Ok(Frame::trailers(trailers.clone())))
            .unwrap();
        drop(parts);
        assert_eq!(part(&mut body).await, "the end");
        let last = body.frame().await.unwrap().unwrap();
        assert_eq!(last.into_trailers().unwrap(), trailers);
        drop((body, sender));
        assert_eq!(stopping.await.left, 0);
        connection.await.unwrap().unwrap();
    });
}

/// Each request has its own answer, however they end.
#[test]
fn streams_that_are_given_up_leave_the_others_alone() {
    on_each(async || {
        let server = start(|listener| {
            serve(listener, |_| {
                service_fn(async |request: Request<Incoming>| {
                    if request.uri().path() == "/never" {
                        std::future::pending::<()>().await;
                    }
                    echo(request).await
                })
            })
        })
        .await;
        let (sender, connection) = client_of_http2(server.addr).await;
        let ask = |path: String| request(&format!("http://gmp.test{path}"), &bodies()[1]);
        futures::stream::iter(0..40)
            .for_each_concurrent(None, |n| {
                let mut sender = sender.clone();
                async move {
                    if n % 2 == 0 {
                        let mut never = pin!(sender.send_request(ask("/never".to_owned())));
                        for _ in 0..n {
                            assert!(futures::poll!(never.as_mut()).is_pending());
                            gmp::task::yield_now().await;
                        }
                    } else {
                        let path = format!("/{n}");
                        let response = sender.send_request(ask(path.clone())).await.unwrap();
                        assert_eq!(response.headers()["path"], path);
                        assert_eq!(body_of(response).await.len(), 100);
                    }
                }
            })
            .await;
        drop(sender);
        connection.await.unwrap().unwrap();
        assert_eq!(server.stop().await.left, 0);
    });
}
