//! A small service with most of what services are made of: a listener with a limit of
//! connections, a task each, an actor that answers by `oneshot`, a ticker, a
//! broadcast to all, values of a task, files, a child process, and a stop that waits.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, split};

use super::rt;
use rt::net::{TcpListener, TcpStream};
use rt::process::Command;
use rt::sync::{Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use rt::task::{JoinSet, spawn_blocking, yield_now};
use rt::time::{Duration, Instant, MissedTickBehavior, interval, sleep, timeout};

rt::task_local! {
    static CALLER: u64;
}

/// What connections ask the actor that keeps the words.
enum Ask {
    Put(String),
    Count(oneshot::Sender<usize>),
}

struct Shared {
    words: mpsc::Sender<Ask>,
    news: broadcast::Sender<String>,
    stop: watch::Receiver<bool>,
    seats: Arc<Semaphore>,
    ticks: AtomicU64,
    ticked: Notify,
    last: RwLock<Option<Instant>>,
    log: Mutex<Vec<u64>>,
    greeting: OnceCell<String>,
    log_path: PathBuf,
}

async fn keep_words(mut asks: mpsc::Receiver<Ask>) -> Vec<String> {
    let mut words = Vec::new();
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Put(word) => words.push(word),
            // Whoever asked may be gone.
            Ask::Count(answer) => drop(answer.send(words.len())),
        }
    }
    words
}

async fn tick(shared: Arc<Shared>) {
    let mut ticks = interval(Duration::from_millis(1));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            at = ticks.tick() => {
                *shared.last.write().await = Some(at);
                shared.ticks.fetch_add(1, Ordering::Relaxed);
                shared.ticked.notify_waiters();
            }
            _ = stop.changed() => return,
        }
    }
}

async fn answer(line: &str, shared: &Shared) -> std::io::Result<String> {
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    Ok(match verb {
        "put" => {
            let ask = Ask::Put(rest.to_owned());
            shared.words.send(ask).await.expect("the actor lives");
            "ok".to_owned()
        }
        "count" => {
            let (tx, rx) = oneshot::channel();
            shared.words.send(Ask::Count(tx)).await.expect("it lives");
            rx.await.expect("an answer").to_string()
        }
        "tell" => match shared.news.send(rest.to_owned()) {
            Ok(n) => n.to_string(),
            Err(_) => "nobody".to_owned(),
        },
        "greet" => {
            let greet = || async { "hello".to_owned() };
            shared.greeting.get_or_init(greet).await.clone()
        }
        "tick" => {
            let next = shared.ticked.notified();
            let came = timeout(Duration::from_secs(60), next).await;
            came.expect("the ticker ticks");
            let last = *shared.last.read().await;
            last.expect("a tick").elapsed().as_secs().to_string()
        }
        "sum" => {
            let n: u64 = rest.parse().expect("a number");
            let sum = spawn_blocking(move || (1..=n).sum::<u64>());
            sum.await.expect("no panic").to_string()
        }
        "log" => {
            rt::fs::write(&shared.log_path, rest).await?;
            rt::fs::read_to_string(&shared.log_path).await?
        }
        "run" => {
            let output = Command::new("echo").arg(rest).output().await?;
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        "who" => CALLER.with(|id| id.to_string()),
        _ => "what?".to_owned(),
    })
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut news = shared.news.subscribe();
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            line = lines.next_line() => {
                let Some(line) = line? else { break };
                shared.log.lock().await.push(CALLER.get());
                let answer = answer(&line, &shared).await?;
                writer.write_all(answer.as_bytes()).await?;
                writer.write_all(b"\n").await?;
            }
            told = news.recv() => {
                let Ok(told) = told else { break };
                writer.write_all(format!("news: {told}\n").as_bytes()).await?;
            }
            _ = stop.changed() => {
                writer.write_all(b"bye\n").await?;
                break;
            }
        }
    }
    writer.shutdown().await
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) -> u64 {
    let mut connections = JoinSet::new();
    let mut stop = shared.stop.clone();
    let mut served = 0;
    loop {
        let seat = shared.seats.clone().acquire_owned().await.expect("open");
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _peer) = accepted.expect("a connection");
                served += 1;
                let shared = shared.clone();
                connections.spawn(CALLER.scope(served, async move {
                    let _seat = seat;
                    serve(stream, shared).await
                }));
            }
            Some(ended) = connections.join_next() => {
                ended.expect("no panic").expect("no error");
            }
            _ = stop.changed() => break,
        }
    }
    for ended in connections.join_all().await {
        ended.expect("no error");
    }
    served
}

async fn ask(stream: &mut BufReader<TcpStream>, line: &str) -> String {
    stream
        .write_all(format!("{line}\n").as_bytes())
        .await
        .expect("sent");
    let mut answer = String::new();
    stream.read_line(&mut answer).await.expect("an answer");
    answer.trim_end().to_owned()
}

pub(super) async fn story() {
    let (words, asks) = mpsc::channel(4);
    let (stop, stopped) = watch::channel(false);
    let name = format!(
        "gmp-both-{}-{}.txt",
        std::process::id(),
        module_path!().len()
    );
    let shared = Arc::new(Shared {
        words,
        news: broadcast::channel(16).0,
        stop: stopped,
        seats: Arc::new(Semaphore::new(3)),
        ticks: AtomicU64::new(0),
        ticked: Notify::new(),
        last: RwLock::new(None),
        log: Mutex::new(Vec::new()),
        greeting: OnceCell::new(),
        log_path: std::env::temp_dir().join(name),
    });
    let keeper = rt::spawn(keep_words(asks));
    let ticker = rt::spawn(tick(shared.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let at = listener.local_addr().expect("an address");
    let server = rt::spawn(listen(listener, shared.clone()));

    let mut first = BufReader::new(TcpStream::connect(at).await.expect("connected"));
    for (line, expected) in [
        ("put one", "ok"),
        ("put two", "ok"),
        ("count", "2"),
        ("greet", "hello"),
        ("tick", "0"),
        ("sum 1000", "500500"),
        ("log some text", "some text"),
        ("run a child", "a child"),
        ("who", "1"),
        ("else", "what?"),
    ] {
        assert_eq!(ask(&mut first, line).await, expected, "{line}");
    }
    rt::fs::remove_file(&shared.log_path).await.expect("a file");
    let mut second = BufReader::new(TcpStream::connect(at).await.expect("connected"));
    assert_eq!(ask(&mut second, "who").await, "2");
    // Both are told, the teller before or after its answer.
    let mut heard = vec![ask(&mut first, "tell all").await];
    let mut line = String::new();
    first.read_line(&mut line).await.expect("the other");
    heard.push(line.trim_end().to_owned());
    heard.sort();
    assert_eq!(heard, ["2", "news: all"]);
    line.clear();
    second.read_line(&mut line).await.expect("news");
    assert_eq!(line, "news: all\n");
    // The third has the last seat, the fourth waits until it has gone.
    let third = TcpStream::connect(at).await.expect("connected");
    let fourth = TcpStream::connect(at).await.expect("in the backlog");
    let (mut reads, mut writes) = split(fourth);
    writes.write_all(b"who\n").await.expect("sent");
    let mut byte = [0];
    let early = timeout(Duration::from_millis(20), reads.read_exact(&mut byte)).await;
    assert!(early.is_err(), "nobody has accepted it");
    drop(third);
    reads.read_exact(&mut byte).await.expect("an answer");
    assert_eq!(&byte, b"4");
    assert_eq!(shared.log.lock().await.len(), 13);

    stop.send(true).expect("all listen");
    line.clear();
    second.read_line(&mut line).await.expect("a farewell");
    assert_eq!(line, "bye\n");
    ticker.await.expect("no panic");
    assert_eq!(server.await.expect("no panic"), 4);
    assert!(shared.ticks.load(Ordering::Relaxed) > 0);
    let Some(shared) = Arc::into_inner(shared) else {
        panic!("somebody still serves");
    };
    drop(shared);
    assert_eq!(keeper.await.expect("no panic"), ["one", "two"]);

    // What is aborted is told from what panics.
    let idle = rt::spawn(sleep(Duration::MAX));
    yield_now().await;
    idle.abort();
    assert!(idle.await.expect_err("aborted").is_cancelled());
}
