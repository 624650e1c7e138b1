//! Happy eyeballs (RFC 8305): several addresses, and the first that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};

use crate::time::timeout;

/// Of each attempt, before the next one begins beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// The first success of `connect`. An attempt that fails gives way to the next at
/// once.
///
/// # Errors
/// The one that came first, mostly that of the address which the resolver likes
/// best; `InvalidInput` without any address.
pub(super) async fn race<T, F>(
    addrs: impl Iterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut waiting = in_turns(addrs.collect()).into_iter();
    let mut attempts = FuturesUnordered::new();
    attempts.extend(waiting.next().map(&connect));
    let mut first_error = None;
    loop {
        let ended = if waiting.len() == 0 {
            attempts.next().await
        } else {
            match timeout(HEAD_START, attempts.next()).await {
                Ok(ended) => ended,
                Err(_) => {
                    attempts.extend(waiting.next().map(&connect));
                    continue;
                }
            }
        };
        match ended {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(error)) => {
                first_error.get_or_insert(error);
                attempts.extend(waiting.next().map(&connect));
            }
            None => {
                return Err(first_error.unwrap_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidInput,
                        "the name has no socket address",
                    )
                }));
            }
        }
    }
}

/// The two families in turns, that of the first address first; within a family
/// the order stays.
fn in_turns(addrs: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addrs.first().map(SocketAddr::is_ipv6) else {
        return addrs;
    };
    let (leading, other): (Vec<_>, Vec<_>) =
        addrs.into_iter().partition(|addr| addr.is_ipv6() == first);
    let (mut leading, mut other) = (leading.into_iter(), other.into_iter());
    let mut turns = Vec::new();
    while leading.len() + other.len() > 0 {
        turns.extend(leading.next());
        turns.extend(other.next());
    }
    turns
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::runtime::Builder;
    use crate::time::{Instant, pause, sleep};

    fn v4(n: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, n], 80))
    }

    fn v6(n: u16) -> SocketAddr {
        SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, n], 80))
    }

    #[test]
    fn families_take_turns() {
        let mixed = vec![v6(1), v6(2), v6(3), v4(1)];
        assert_eq!(in_turns(mixed), [v6(1), v4(1), v6(2), v6(3)]);
        let mixed = vec![v4(1), v6(1), v6(2), v4(2)];
        assert_eq!(in_turns(mixed), [v4(1), v6(1), v4(2), v6(2)]);
        assert_eq!(in_turns(Vec::new()), []);
    }

    /// What each address does: after so many milliseconds, it fails or connects.
    type Script = &'static [(u64, bool)];

    /// The winner's number or the error's text, the milliseconds that it took and
    /// those at which each attempt began, in virtual time.
    fn run(script: Script) -> (Result<usize, String>, u128, Vec<u128>) {
        let runtime = Builder::new().procs(1).build().unwrap();
        let task = runtime.spawn(async move {
            pause();
            let start = Instant::now();
            let began = Mutex::new(Vec::new());
            let addrs = (0..script.len()).map(|n| v4(u8::try_from(n).unwrap()));
            let winner = race(addrs, |addr| {
                began.lock().unwrap().push(start.elapsed().as_millis());
                async move {
                    let SocketAddr::V4(addr) = addr else {
                        unreachable!()
                    };
                    let n = usize::from(addr.ip().octets()[3]);
                    let (takes, connects) = script[n];
                    sleep(Duration::from_millis(takes)).await;
                    if connects {
                        Ok(n)
                    } else {
                        Err(io::Error::other(format!("error {n}")))
                    }
                }
            })
            .await
            .map_err(|error| error.to_string());
            let took = start.elapsed().as_millis();
            (winner, took, began.into_inner().unwrap())
        });
        runtime.block_on(task).unwrap()
    }

    #[test]
    fn a_quick_first_address_is_alone() {
        assert_eq!(run(&[(100, true), (0, true)]), (Ok(0), 100, vec![0]));
    }

    #[test]
    fn a_slow_first_address_meets_the_second_after_its_head_start() {
        let script = &[(1000, true), (100, true), (0, true)];
        assert_eq!(run(script), (Ok(1), 350, vec![0, 250]));
        let script = &[(300, true), (100, true)];
        assert_eq!(run(script), (Ok(0), 300, vec![0, 250]));
    }

    #[test]
    fn an_address_that_fails_gives_way_at_once() {
        let script = &[(10, false), (10, false), (10, true)];
        assert_eq!(run(script), (Ok(2), 30, vec![0, 10, 20]));
    }

    #[test]
    fn the_first_error_is_told() {
        let script = &[(300, false), (10, false)];
        assert_eq!(run(script), (Err("error 1".into()), 300, vec![0, 250]));
        let (winner, ..) = run(&[]);
        assert_eq!(winner, Err("the name has no socket address".into()));
    }
}
