//! The same for services of tower: a request that panics gets a response.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{CatchPanic, PanicReport, catch_panic, caught, hook};

/// Wraps services so that a panic in a request becomes a response of the
/// handler's, and a report as with [`catch_panic`](super::catch_panic()). The
/// connection and its other requests go on.
///
/// ```
/// use gmp_profiler::RecoverLayer;
/// use tower_layer::Layer;
///
/// # struct Answers;
/// let service = RecoverLayer::new(|report| format!("500: {}", report.message())).layer(Answers);
/// # drop(service);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RecoverLayer<H> {
    handler: H,
}

impl<H> RecoverLayer<H> {
    /// A layer whose `handler` makes the response for a request that panicked.
    pub fn new<T>(handler: H) -> RecoverLayer<H>
    where
        H: Fn(PanicReport) -> T + Clone,
    {
        RecoverLayer { handler }
    }
}

impl<S, H: Clone> Layer<S> for RecoverLayer<H> {
    type Service = Recover<S, H>;

    fn layer(&self, inner: S) -> Recover<S, H> {
        Recover {
            inner,
            handler: self.handler.clone(),
        }
    }
}

/// The service of a [`RecoverLayer`].
#[derive(Debug, Clone, Copy)]
pub struct Recover<S, H> {
    inner: S,
    handler: H,
}

impl<S, R, H> Service<R> for Recover<S, H>
where
    S: Service<R>,
    H: Fn(PanicReport) -> S::Response + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = RecoverFuture<S::Future, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        hook::install();
        let future = match caught(|| self.inner.call(request)) {
            Ok(future) => catch_panic(future),
            Err(report) => CatchPanic {
                future: None,
                failed: Some(report),
            },
        };
        RecoverFuture {
            future,
            handler: self.handler.clone(),
        }
    }
}

/// The future of a [`Recover`] service.
#[pin_project]
#[derive(Debug)]
pub struct RecoverFuture<F, H> {
    #[pin]
    future: CatchPanic<F>,
    handler: H,
}

impl<F, T, E, H> Future for RecoverFuture<F, H>
where
    F: Future<Output = Result<T, E>>,
    H: Fn(PanicReport) -> T,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let this = self.project();
        let end = ready!(this.future.poll(cx));
        Poll::Ready(end.unwrap_or_else(|report| Ok((this.handler)(report))))
    }
}
