//! Labels of tasks: where they are shown, who inherits them, and that they end
//! where their scope does.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use gmp::profiler::labels::{self, Labels};
use gmp::profiler::leak::{self, Options};
use gmp::runtime::{Builder, Runtime};
use gmp_profiler::{Profile, Status, TaskInfo};

#[path = "support/dumps.rs"]
mod dumps;

const LONG: Duration = Duration::from_secs(3600);

fn runtime() -> Runtime {
    Builder::new().procs(1).build().expect("a runtime")
}

/// The tasks, when all of them wait.
fn settled(rt: &Runtime) -> Profile {
    loop {
        let tasks = Profile::of(rt.handle());
        if tasks.iter().all(|task| task.status == Status::Waiting) {
            return tasks;
        }
        std::thread::yield_now();
    }
}

fn shown(tasks: &Profile, id: gmp::task::Id) -> String {
    let task = tasks.iter().find(|task| task.id == id.get());
    Labels::of(task.expect("it is there")).to_string()
}

fn now() -> String {
    labels::current().to_string()
}

#[test]
fn every_form_of_a_snapshot_shows_labels() {
    let rt = runtime();
    let scope = || labels::scope([("tenant", "a"), ("route", "/x y")], gmp::time::sleep(LONG));
    let tasks: Vec<_> = (0..2).map(|_| rt.spawn(scope())).collect();
    let plain = rt.spawn(gmp::time::sleep(LONG));
    let found = settled(&rt);
    let label = "{route: \"/x y\", tenant: a}";
    assert_eq!(shown(&found, tasks[0].id()), label);
    assert_eq!(shown(&found, plain.id()), "");

    let text = found.to_text(2);
    let header = format!("goroutine {} [sleep] {label}:\n", tasks[0].id());
    assert!(text.contains(&header), "{text}");
    let blocks = dumps::read(&text);
    let with = |labels: &str| blocks.iter().filter(|b| b.labels == labels).count();
    assert_eq!((with(label), with("")), (2, 1), "{blocks:?}");
    assert!(blocks.iter().all(|b| b.id > 0 && b.state == "sleep"));
    assert!(
        blocks
            .iter()
            .all(|b| b.functions.len() == 1 && !b.created_by.is_empty())
    );

    let groups = found.to_text(1);
    let line = "# labels: {\"state\":\"sleep\", \"route\":\"/x y\", \"tenant\":\"a\"}\n";
    assert!(groups.contains(line), "{groups}");
    assert!(
        groups.contains("# labels: {\"state\":\"sleep\"}\n"),
        "{groups}"
    );
    let folded = found.to_folded();
    assert!(folded.contains(&format!(";[sleep]{label} ")), "{folded}");
    let json: serde_json::Value = serde_json::from_str(&found.to_json()).expect("JSON");
    let listed = json["tasks"].as_array().expect("a list");
    let of_a = listed.iter().filter(|task| task["labels"]["tenant"] == "a");
    assert_eq!(of_a.count(), 2);
    let pprof = found.to_pprof();
    for word in ["tenant", "/x y"] {
        assert!(
            pprof
                .windows(word.len())
                .any(|bytes| bytes == word.as_bytes())
        );
    }
    let old = found.without_labels().to_text(2);
    assert!(
        old.contains(" [sleep]:\n") && !old.contains("tenant"),
        "{old}"
    );
}

/// A label with our own key is another label, and texts are escaped as Go escapes them.
#[test]
fn labels_and_names_of_any_text_are_read_back() {
    let rt = runtime();
    let labels = [
        ("state", "mine"),
        ("label.state", "theirs"),
        ("k\u{e9}", "\u{200b}\u{1}"),
    ];
    let task = rt.spawn(labels::scope(labels, std::future::pending::<()>()));
    let named = gmp::task::Builder::new().name("a\n\u{1}\u{e9}");
    let named = {
        let _here = rt.enter();
        named.spawn(std::future::pending::<()>())
    };
    let found = settled(&rt);
    let groups = found.to_text(1);
    let line = concat!(
        r#"# labels: {"state":"waiting", "k\u{e9}":"\u200b\x01", "#,
        r#""label.label.state":"theirs", "label.state":"mine"}"#,
    );
    let line = line.replace(r"\u{e9}", "\u{e9}");
    assert!(groups.contains(&line), "{groups}");
    let text = found.to_text(2);
    let head = r#"{"k\u00e9": "\u200b\x01", label.state: theirs, state: mine}:"#;
    assert!(text.contains(head), "{text}");
    let name = "a\\n\\x01\u{e9}(...)";
    assert!(text.contains(name) && !groups.contains("u{"), "{text}");
    let (pprof, key) = (found.to_pprof(), b"label.label.state");
    assert!(pprof.windows(key.len()).any(|bytes| bytes == key));
    task.abort();
    named.abort();
}

#[test]
fn what_is_spawned_in_a_scope_inherits_its_labels() {
    let rt = runtime();
    rt.block_on(async {
        let inside = async {
            let child = gmp::spawn(async {
                gmp::task::yield_now().await;
                gmp::spawn(async { now() }).await.expect("no panic")
            });
            let local = gmp::task::spawn_local(async { now() });
            let blocking = gmp::task::spawn_blocking(now);
            let named = gmp::task::Builder::new()
                .name("named")
                .spawn(async { now() });
            for handle in [child, local, blocking, named] {
                assert_eq!(handle.await.expect("no panic"), "{tenant: a}");
            }
            now()
        };
        assert_eq!(
            labels::scope([("tenant", "a")], inside).await,
            "{tenant: a}"
        );
        assert_eq!(now(), "");
        let outside = gmp::spawn(async { now() });
        assert_eq!(outside.await.expect("no panic"), "");
    });
}

/// A task shows the labels under which it waits; they are not those of the futures
/// beside, nor of what comes after.
#[test]
fn labels_end_where_their_scope_ends() {
    let rt = runtime();
    let (tx, rx) = gmp::chan::bounded::<()>(0);
    let task = rt.spawn(labels::scope([("base", "1")], async move {
        let inner = labels::scope([("step", "wait")], async {
            rx.recv().await.expect("sent");
            assert_eq!(now(), "{base: 1, step: wait}");
            rx.recv().await.expect("sent");
        });
        // It looks before and after the other one is polled.
        let looks = || {
            std::future::poll_fn(|_| {
                assert_eq!(now(), "{base: 1}");
                std::task::Poll::Ready(())
            })
        };
        let mut again = 0;
        let beside = std::future::poll_fn(|_| {
            assert_eq!(now(), "{base: 1}");
            again += 1;
            std::task::Poll::<()>::Pending
        });
        let both = futures::future::join(looks(), inner);
        futures::future::select(std::pin::pin!(both), beside).await;
        assert!(again > 0);
        assert_eq!(now(), "{base: 1}");
        gmp::time::sleep(LONG).await;
    }));
    let id = task.id();
    let send = || rt.block_on(tx.send(())).expect("it listens");
    assert_eq!(shown(&settled(&rt), id), "{base: 1, step: wait}");
    send();
    assert_eq!(shown(&settled(&rt), id), "{base: 1, step: wait}");
    send();
    assert_eq!(shown(&settled(&rt), id), "{base: 1}");
    assert!(!task.is_finished());
}

/// A wait of which gmp knows nothing has the labels of its scope, too.
#[test]
fn a_foreign_wait_shows_its_labels() {
    let rt = runtime();
    let task = rt.spawn(labels::scope([("a", "1")], std::future::pending::<()>()));
    assert_eq!(shown(&settled(&rt), task.id()), "{a: 1}");
}

#[test]
fn a_panic_ends_a_scope() {
    let rt = runtime();
    rt.block_on(async {
        let panics = labels::scope([("a", "1")], async {
            labels::with([("b", "2")], || panic!("on purpose"))
        });
        let caught: Result<(), _> = AssertUnwindSafe(panics).catch_unwind().await;
        assert!(caught.is_err());
        assert_eq!(now(), "");
    });
}

#[test]
fn a_scope_outside_a_task_does_nothing() {
    let seen = futures::executor::block_on(labels::scope([("a", "1")], async { now() }));
    assert_eq!(seen, "");
}

#[test]
fn a_check_passes_over_a_label() {
    let rt = runtime();
    let _entered = rt.handle().enter();
    drop(rt.spawn(labels::scope([("owner", "pool")], gmp::time::sleep(LONG))));
    settled(&rt);
    let at_once = || Options::new().retry_for(Duration::ZERO);
    let report = leak::find(&at_once().ignore_label("owner", "me")).expect_err("one");
    assert!(
        report.to_string().contains(" [sleep] {owner: pool}:\n"),
        "{report}"
    );
    assert!(leak::find(&at_once().ignore_label("owner", "pool")).is_ok());
}

/// The room for labels was there: a task without any is as large as ever, and one
/// with them has the rare part of its header beside it.
#[test]
fn labels_do_not_grow_a_task() {
    let rt = runtime();
    let plain = rt.spawn(std::future::pending::<()>());
    let labelled = rt.block_on(labels::scope([("a", "1")], async {
        let task = gmp::spawn(std::future::pending::<()>());
        task.id()
    }));
    let tasks = settled(&rt);
    let size = |id: gmp::task::Id| {
        let task = tasks.iter().find(|task: &&TaskInfo| task.id == id.get());
        task.expect("it is there").size
    };
    assert_eq!(size(plain.id()), size(labelled));
}
