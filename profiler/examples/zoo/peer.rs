//! Go beside us, where there is a `go` on the path.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long one way of looking took, and the worst gap of a heartbeat meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) took: Duration,
    pub(crate) gap: Duration,
}

/// What Go's goroutine profile costs with `n` goroutines, and its text of all stacks.
/// None: there is no Go.
///
/// # Errors
/// If there is one, and it cannot build or run the program.
pub(crate) fn costs(n: usize) -> io::Result<Option<[Cost; 2]>> {
    if Command::new("go").arg("version").output().is_err() {
        return Ok(None);
    }
    let name = format!("gmp-zoo-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&directory)?;
    let text = run(&directory, n);
    std::fs::remove_dir_all(&directory)?;
    let text = text?;
    let mut lines = text.lines().map(cost);
    match (lines.next().flatten(), lines.next().flatten()) {
        (Some(profile), Some(stacks)) => Ok(Some([profile, stacks])),
        _ => Err(io::Error::other(format!("Go's program said: {text}"))),
    }
}

fn run(directory: &Path, n: usize) -> io::Result<String> {
    let (source, program) = (directory.join("peer.go"), directory.join("peer"));
    std::fs::write(&source, include_str!("peer.go"))?;
    // The toolchain that is here, no module and no download.
    let built = Command::new("go")
        .args(["build", "-o"])
        .args([&program, &source])
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .output()?;
    let ran = if built.status.success() {
        Command::new(&program).arg(n.to_string()).output()?
    } else {
        built
    };
    if !ran.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&ran.stderr)));
    }
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

fn cost(line: &str) -> Option<Cost> {
    let (nanos, micros) = line.split_once(' ')?;
    Some(Cost {
        took: Duration::from_nanos(nanos.parse().ok()?),
        gap: Duration::from_micros(micros.parse().ok()?),
    })
}
