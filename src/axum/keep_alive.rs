//! Event streams that are silent for a long time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::axum::response::sse::Event;
use futures::stream::Stream;
use pin_project::pin_project;

use crate::time::{Instant, Sleep, sleep};

/// `stream`, with an empty comment whenever it has been silent for `period`, so
/// that proxies do not close the connection and a peer that has gone is found
/// out. Clients do not see comments.
///
/// Stands in for `Sse::keep_alive`, which needs axum's feature `tokio`.
///
/// ```
/// use axum::response::sse::{Event, Sse};
/// use futures::stream::{Stream, StreamExt};
/// use gmp::time::{Duration, interval};
/// use std::convert::Infallible;
///
/// async fn hours() -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
///     let hours = interval(Duration::from_secs(3600)).map(|_| Ok(Event::default().data("bong")));
///     Sse::new(gmp::axum::keep_alive(hours, Duration::from_secs(15)))
/// }
/// # axum::Router::<()>::new().route("/", axum::routing::get(hours));
/// ```
#[track_caller]
pub fn keep_alive<S>(stream: S, period: Duration) -> KeepAlive<S> {
    KeepAlive {
        stream,
        period,
        silence: sleep(period),
    }
}

/// The stream of [`keep_alive`].
#[pin_project]
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct KeepAlive<S> {
    #[pin]
    stream: S,
    period: Duration,
    silence: Sleep,
}

impl<S, E> Stream for KeepAlive<S>
where
    S: Stream<Item = Result<Event, E>>,
{
    type Item = Result<Event, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let item = match this.stream.poll_next(cx) {
            Poll::Ready(item) => item,
            Poll::Pending => {
                ready!(Pin::new(&mut *this.silence).poll(cx));
                Some(Ok(Event::DEFAULT_KEEP_ALIVE))
            }
        };
        Pin::new(this.silence).reset(Instant::now() + *this.period);
        Poll::Ready(item)
    }
}
