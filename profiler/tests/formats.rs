//! Each form of a snapshot is read back by the rules of the tools that take it.

use std::process::Command;
use std::time::Duration;

use gmp::runtime::{Builder, Runtime};
use gmp_profiler::{Profile, Status, labels, leak};

#[path = "support/dumps.rs"]
mod dumps;
#[path = "support/pprof.rs"]
mod pprof;

/// A runtime with parked tasks of three kinds, and its tasks.
fn zoo() -> (Runtime, Profile) {
    let rt = Builder::new().procs(2).build().expect("a runtime");
    for _ in 0..5 {
        drop(rt.spawn(gmp::time::sleep(Duration::from_secs(3600))));
    }
    for _ in 0..2 {
        drop(rt.spawn(gmp_profiler::waiting(
            "redis; \"0\"",
            std::future::pending::<()>(),
        )));
    }
    let named = gmp::task::Builder::new().name("a reader");
    drop(named.spawn_on(std::future::pending::<()>(), rt.handle()));
    loop {
        let tasks = Profile::of(rt.handle());
        assert_eq!(tasks.len(), 8);
        if tasks.iter().all(|task| task.status == Status::Waiting) {
            // A proof may need a wait that is a tick old: timers move the tick.
            rt.block_on(gmp::time::sleep(Duration::from_millis(2)));
            let tasks = Profile::of(rt.handle());
            return (rt, tasks);
        }
        std::thread::yield_now();
    }
}

#[test]
fn readers_of_gos_dumps_read_the_text() {
    let (_rt, tasks) = zoo();
    let blocks = dumps::read(&tasks.to_text(2));
    assert_eq!(blocks.len(), 8);
    for (block, task) in blocks.iter().zip(&tasks) {
        assert_eq!(block.id, task.id);
        assert_eq!(block.functions.len(), 1);
        assert!(!block.created_by.is_empty());
        assert!(block.labels.is_empty());
    }
    let in_state = |state: &str| blocks.iter().filter(|b| b.state == state).count();
    assert_eq!(in_state("sleep"), 5);
    // Nothing can ever wake these, and their handles are gone.
    assert_eq!(in_state("waiting: redis; \"0\" (leaked)"), 2);
    assert_eq!(in_state("waiting (leaked)"), 1);
    assert!(blocks.iter().any(|block| block.functions[0] == "a reader"));
}

/// Names are the program's own, with whatever a peer has sent perhaps: none of them may
/// look like a line of the form that it stands in.
#[test]
fn no_name_makes_a_line_of_its_own() {
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let name = "peer\ngoroutine 9 [running]:\n\u{1}\u{85}(;";
    let pending = std::future::pending::<()>;
    let named = gmp::task::Builder::new().name(name);
    let tasks = [
        named.spawn_on(pending(), rt.handle()),
        rt.spawn(gmp_profiler::waiting("re]\ndis", pending())),
    ];
    let tasks = tasks.map(|task| (task.id().get(), task.abort_handle()));
    rt.block_on(gmp::time::sleep(Duration::from_millis(2)));
    let mut profile = Profile::of(rt.handle());
    while !profile.iter().all(|task| task.status == Status::Waiting) {
        std::thread::yield_now();
        profile = Profile::of(rt.handle());
    }

    let blocks = dumps::read(&profile.to_text(2));
    let ids: Vec<u64> = blocks.iter().map(|block| block.id).collect();
    assert_eq!(ids, tasks.each_ref().map(|task| task.0));
    let told = "peer\\ngoroutine 9 [running]:\\n\\x01\\u0085(;";
    assert_eq!(blocks[0].functions, [told]);
    assert_eq!(blocks[1].state, "waiting: re)\\ndis");

    let groups = profile.to_text(1);
    assert!(groups.contains(&format!("\t{told}+0x0\t")), "{groups}");
    assert!(!groups.contains("\ngoroutine"), "{groups}");
    assert_eq!(profile.to_folded().lines().count(), 2);
    #[cfg(feature = "flamegraph")]
    {
        let svg = profile.to_svg().expect("tasks");
        let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        assert!(!svg.contains(strange), "no XML");
    }
    // As they are where the form has a way to say so.
    let json: serde_json::Value = serde_json::from_str(&profile.to_json()).expect("JSON");
    assert_eq!(json["tasks"][0]["name"], name);
    assert_eq!(json["tasks"][1]["waits_for"], "re]\ndis");
    // And where a check is told what to pass over.
    let options = leak::Options::new().retry_for(Duration::ZERO);
    let found = leak::find_in(rt.handle(), &options.ignore_top(name)).expect_err("the other");
    assert_eq!(found.leaks().len(), 1);
}

/// Goleak's parser takes a function without a name for an error, one that begins as
/// another line does for that line, and reads no line of 64 KiB.
#[test]
fn no_name_is_taken_for_another_line() {
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let long = "x".repeat(100_000);
    let names = [
        "",
        " ",
        "goroutine 9 [running]:",
        "created by nobody",
        &long,
    ];
    let tasks = names.map(|name| {
        let named = gmp::task::Builder::new().name(name);
        named.spawn_on(std::future::pending::<()>(), rt.handle())
    });
    let profile = Profile::of(rt.handle());
    let cut = "x".repeat(1024) + "...";
    let pending = "core::future::pending::Pending<()>";
    let told = [
        pending,
        pending,
        "\"goroutine 9 [running]:\"",
        "\"created by nobody\"",
        &cut,
    ];
    let blocks = dumps::read(&profile.to_text(2));
    assert_eq!(blocks.len(), told.len());
    for (block, told) in blocks.iter().zip(told) {
        assert_eq!(block.functions, [told]);
    }
    // A list, for which nothing has to be cut, has them whole.
    let whole = |task: &gmp_profiler::TaskInfo| task.name.clone().unwrap_or_default();
    assert_eq!(profile.iter().map(whole).collect::<Vec<_>>(), names);
    tasks.iter().for_each(gmp::task::JoinHandle::abort);
}

#[test]
fn groups_have_gos_form_and_add_up() {
    let (_rt, tasks) = zoo();
    let text = tasks.to_text(1);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("goroutine profile: total 8"));
    let mut counts = Vec::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (count, places) = line.split_once(" @ ").expect("a count and places");
        counts.push(count.parse::<u64>().expect("a count"));
        for place in places.split(' ') {
            let digits = place.strip_prefix("0x").expect("hexadecimal");
            assert_ne!(u64::from_str_radix(digits, 16), Ok(0));
        }
    }
    assert_eq!(counts, [5, 2, 1]);
    // The place of a wait is that of the user's call.
    assert!(text.contains("tests/formats.rs:"), "{text}");
}

#[test]
fn folded_lines_have_three_frames_and_add_up() {
    let (_rt, tasks) = zoo();
    let mut total = 0;
    for line in tasks.to_folded().lines() {
        let (stack, count) = line.rsplit_once(' ').expect("a count");
        total += count.parse::<u64>().expect("a number");
        assert_eq!(stack.split(';').count(), 3, "{line}");
    }
    assert_eq!(total, 8);
}

#[test]
fn json_is_one_document_with_every_task() {
    let (_rt, tasks) = zoo();
    let json: serde_json::Value = serde_json::from_str(&tasks.to_json()).expect("JSON");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["total"], 8);
    assert_eq!(json["procs"], 2);
    let listed = json["tasks"].as_array().expect("a list");
    assert_eq!(listed.len(), 8);
    let with = |key: &str, value: &str| listed.iter().filter(|t| t[key] == value).count();
    assert_eq!(with("state", "sleep"), 5);
    assert_eq!(with("waits_for", "redis; \"0\""), 2);
    assert_eq!(with("name", "a reader"), 1);
    let sleeper = listed.iter().find(|t| t["state"] == "sleep").expect("one");
    assert_eq!(sleeper["wakers"], 1);
    assert_eq!(sleeper["handles"], 0);
    assert_eq!(sleeper["forgotten"], false);
    assert_eq!(sleeper["dropped_by"], serde_json::Value::Null);
    let place = sleeper["location"]["file"].as_str().expect("a file");
    assert!(place.ends_with("formats.rs"), "{place}");
}

#[cfg(feature = "flamegraph")]
#[test]
fn a_flame_graph_is_an_svg_with_the_states() {
    let (_rt, tasks) = zoo();
    let svg = tasks.to_svg().expect("drawn");
    assert!(svg.contains("<svg"));
    assert!(svg.contains("[sleep]"), "{svg}");
}

#[test]
fn a_profile_names_every_task_by_valid_numbers() {
    let (_rt, tasks) = zoo();
    let profile = pprof::read(&tasks.to_pprof());
    assert_eq!(profile.types, ["goroutine", "wait", "space"]);
    assert_eq!(profile.default, "goroutine");
    let mut total = 0;
    for sample in profile.samples {
        let [leaf, creator] = &sample.frames[..] else {
            panic!("a leaf and a creator: {sample:?}");
        };
        assert!(creator.function.starts_with("created by "), "{sample:?}");
        assert!(leaf.file.ends_with("formats.rs"), "{sample:?}");
        assert!(leaf.line != 0 && creator.line != 0, "{sample:?}");
        let [count, _wait, bytes] = sample.values[..] else {
            panic!("three values: {sample:?}");
        };
        assert!(bytes > 0);
        total += count;
    }
    assert_eq!(total, 8);
}

#[test]
fn a_profile_tells_states_and_reasons() {
    let rt = Builder::new().procs(1).build().expect("a runtime");
    let own = labels::scope([("reason", "mine")], std::future::pending::<()>());
    let tasks = [
        rt.spawn(own),
        rt.spawn(gmp::time::sleep(Duration::from_secs(3600))),
        rt.spawn(gmp_profiler::waiting("redis", std::future::pending())),
    ];
    let mut profile = Profile::of(rt.handle());
    while !profile.iter().all(|task| task.status == Status::Waiting) {
        std::thread::yield_now();
        profile = Profile::of(rt.handle());
    }
    let read = pprof::read(&profile.to_pprof());
    let comment = read.comments.first().map(String::as_str);
    assert_eq!(comment, profile.head().trim_end().strip_prefix("# "));
    let mut told: Vec<_> = read
        .samples
        .into_iter()
        .map(|sample| sample.labels)
        .collect();
    told.sort();
    let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let waiting = |reason| [label("state", "waiting"), label("reason", reason)];
    let mut own = waiting("waiting").to_vec();
    own.push(label("label.reason", "mine"));
    let others = ["sleep", "waiting: redis"].map(|reason| waiting(reason).to_vec());
    let [sleep, redis] = others;
    assert_eq!(told, [sleep, own, redis]);
    tasks.iter().for_each(gmp::task::JoinHandle::abort);
}

/// Where Go is installed, its own tool must add the tasks up.
#[test]
fn gos_pprof_reads_the_profile_where_it_is_installed() {
    if Command::new("go").arg("version").output().is_err() {
        return;
    }
    let (_rt, tasks) = zoo();
    let file = std::env::temp_dir().join(format!("gmp-formats-{}.pb", std::process::id()));
    std::fs::write(&file, tasks.to_pprof()).expect("written");
    let output = Command::new("go")
        .args(["tool", "pprof", "-top"])
        .arg(&file)
        .output()
        .expect("runs");
    std::fs::remove_file(&file).expect("removed");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(text.contains("Type: goroutine"), "{text}");
    assert!(text.contains("100% of 8 total"), "{text}");
}

#[test]
fn groups_taken_at_once_are_those_of_the_list() {
    let (rt, tasks) = zoo();
    let grouped = gmp_profiler::Grouped::of(rt.handle());
    assert_eq!((grouped.len(), grouped.shot().tasks), (3, 8));
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&grouped.to_folded()), sorted(&tasks.to_folded()));
    assert_eq!(sorted(&grouped.to_text()), sorted(&tasks.to_text(1)));
}

#[test]
fn the_head_of_a_dump_tells_how_it_went() {
    let (rt, tasks) = zoo();
    let head = tasks.head();
    let line = head.lines().next().expect("a line");
    let rest = line.strip_prefix("# gmp snapshot mode=").expect(line);
    assert!(rest.starts_with("exact stop=") || rest.starts_with("ragged stop="));
    assert!(rest.ends_with(" tasks=8 procs=2"), "{line}");
    assert_eq!(tasks.shot().alive, 8);
    let _entered = rt.enter();
    let text = gmp_profiler::stack_all();
    assert!(text.starts_with("# gmp snapshot mode="), "{text}");
    assert_eq!(dumps::read(&text).len(), 8);
}
