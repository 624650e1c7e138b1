//! Server-sent events: a number every second.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures::stream::{Stream, StreamExt};
use gmp::axum::keep_alive;
use gmp::time::interval;

use crate::App;

pub(crate) async fn ticks(
    State(app): State<App>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let ticks = interval(Duration::from_secs(1))
        .enumerate()
        .map(|(n, _)| Ok(Event::default().event("tick").data(n.to_string())))
        .take_until(app.stopped());
    Sse::new(keep_alive(ticks, Duration::from_secs(15)))
}
