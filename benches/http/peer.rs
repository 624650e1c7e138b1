//! The contenders and how each is started.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::rows::Row;
use crate::server::smol::THREADS_VAR;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// hyper's connections in tasks of gmp, as with the others.
    Gmp,
    /// gmp's own server: what its time-outs, its drain and its names cost.
    GmpServe,
    Tokio,
    Smol,
    Go,
}

impl Peer {
    pub(crate) const ALL: [Self; 5] =
        [Self::Gmp, Self::GmpServe, Self::Tokio, Self::Smol, Self::Go];

    /// Who takes part unless `--runtimes` names others.
    pub(crate) const USUAL: [Self; 4] = [Self::Gmp, Self::Tokio, Self::Smol, Self::Go];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gmp => "gmp",
            Self::GmpServe => "gmp-serve",
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Go => "go",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }

    /// The command that serves `row` in a process of its own: it says where it listens in its first line of output, and
    /// ends at the end of its input. The words of `under` come first, with theirs as arguments.
    pub(crate) fn command(
        self,
        row: &Row,
        workers: usize,
        go: Option<&Path>,
        under: &[String],
    ) -> io::Result<Command> {
        let program = match (self, go) {
            (Self::Go, Some(binary)) => binary.to_owned(),
            (Self::Go, None) => {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "no Go binary was built",
                ));
            }
            _ => env::current_exe()?,
        };
        let mut command = match under {
            [] => Command::new(program),
            [tool, rest @ ..] => {
                let mut command = Command::new(tool);
                command.args(rest).arg(program);
                command
            }
        };
        if self != Self::Go {
            command.args([RUN_ONE, self.name()]);
        }
        command
            .args([
                row.protocol.to_string(),
                row.body.to_string(),
                workers.to_string(),
            ])
            .env(THREADS_VAR, workers.to_string())
            .env("GOMAXPROCS", workers.to_string());
        Ok(command)
    }
}

/// The first argument of the child process; `PEER PROTOCOL BODY WORKERS` follow.
pub(crate) const RUN_ONE: &str = "run-one";

/// The version of the Go tool on the path, if there is one.
pub(crate) fn go_version() -> Option<String> {
    let out = Command::new("go")
        .arg("version")
        .env("GOTOOLCHAIN", "local")
        .stderr(Stdio::null())
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Builds the Go program that serves the same answers, into the target directory.
pub(crate) fn build_go() -> io::Result<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/http/go/main.go");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("http-go");
    // The toolchain that is here, no module and no download: the program uses the standard library alone.
    let status = Command::new("go")
        .args(["build", "-o"])
        .arg(&binary)
        .arg(source)
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "")
        .status()?;
    if status.success() {
        Ok(binary)
    } else {
        Err(io::Error::other(format!("go build: {status}")))
    }
}
