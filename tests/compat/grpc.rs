//! tonic: its channel in gmp tasks, and a service of its server's half under this
//! crate's. Messages are plain text, so no schema is compiled.

use std::convert::Infallible;
use std::future::{Ready, pending, ready};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut};
use futures::channel::oneshot;
use futures::future::BoxFuture;
use gmp::compat::CompatExt;
use gmp::net::TcpListener;
use hyper::body::Incoming;
use hyper::http::uri::PathAndQuery;
use hyper_util::service::TowerToHyperService;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};
use tower_service::Service;

use crate::on_each;

#[derive(Clone, Copy)]
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Text;
    type Decoder = Text;

    fn encoder(&mut self) -> Text {
        Text
    }

    fn decoder(&mut self) -> Text {
        Text
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|_| Status::internal("not a text"))
    }
}

/// Greets whoever has a name.
struct SayHello;

impl UnaryService<String> for SayHello {
    type Response = String;
    type Future = Ready<Result<Response<String>, Status>>;

    fn call(&mut self, request: Request<String>) -> Self::Future {
        let name = request.into_inner();
        ready(if name.is_empty() {
            Err(Status::invalid_argument("who?"))
        } else {
            Ok(Response::new(format!("Hello {name}!")))
        })
    }
}

/// What a schema compiler would write around it.
#[derive(Clone)]
struct Greeter;

impl Service<hyper::Request<Incoming>> for Greeter {
    type Response = hyper::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: hyper::Request<Incoming>) -> Self::Future {
        Box::pin(async move {
            if request.uri().path() == "/test.Greeter/Never" {
                pending::<()>().await;
            }
            let mut grpc = tonic::server::Grpc::new(Text);
            Ok(grpc.unary(SayHello, request).await)
        })
    }
}

async fn call(channel: Channel, method: &'static str, name: &str) -> Result<String, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.expect("a connection");
    let path = PathAndQuery::from_static(method);
    let request = Request::new(name.to_owned());
    Ok(grpc.unary(request, path, Text).await?.into_inner())
}

#[test]
fn calls_from_many_tasks_over_one_channel() {
    on_each(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = gmp::hyper::serve(listener, |_| TowerToHyperService::new(Greeter));
        let server = gmp::spawn(server.with_graceful_shutdown(async {
            let _ = stopped.await;
        }));

        let endpoint = Endpoint::from_shared(url).unwrap();
        let channel = async { endpoint.connect().await };
        let channel = channel.compat().await.unwrap();
        let tasks: Vec<_> = (0..20)
            .map(|i| {
                let channel = channel.clone();
                let greet = async move {
                    let name = format!("task {i}");
                    let answer = call(channel, "/test.Greeter/Hello", &name).await;
                    assert_eq!(answer.unwrap(), format!("Hello {name}!"));
                };
                gmp::spawn(greet.compat())
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let refused = call(channel.clone(), "/test.Greeter/Hello", "");
        let status = refused.compat().await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "who?");

        let late = call(channel, "/test.Greeter/Never", "you");
        let late = async { tokio::time::timeout(Duration::from_millis(20), late).await };
        assert!(late.compat().await.is_err());

        stop.send(()).unwrap();
        server.await.unwrap().unwrap();
    });
}
