//! The contenders and how each is started.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cases::{Case, Scale, perform};
use crate::measure::Sample;
use crate::runtime::Runtime;
use crate::runtime::gmp::{FIXED_VAR, Gmp};
use crate::runtime::smol::{Global, Smol, Static, THREADS_VAR};
use crate::runtime::tokio::{CurrentThread, MultiThread, Tokio};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Gmp,
    /// gmp without the hand-off of Ps: what the mechanism costs.
    GmpFixed,
    Tokio,
    TokioCt,
    Smol,
    SmolStatic,
    Go,
}

impl Peer {
    /// Who takes part unless `--runtimes` names others.
    pub(crate) const ALL: [Self; 6] = [
        Self::Gmp,
        Self::Tokio,
        Self::TokioCt,
        Self::Smol,
        Self::SmolStatic,
        Self::Go,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gmp => "gmp",
            Self::GmpFixed => "gmp-fixed",
            Self::Tokio => "tokio",
            Self::TokioCt => "tokio-ct",
            Self::Smol => "smol",
            Self::SmolStatic => "smol-static",
            Self::Go => "go",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let mut known = Self::ALL.into_iter().chain([Self::GmpFixed]);
        known.find(|peer| peer.name() == name)
    }

    /// Whether `case` with `workers` threads means anything here.
    pub(crate) fn takes_part(self, case: &Case, workers: usize) -> bool {
        !case.without.contains(&self) && (self != Self::TokioCt || workers == 1)
    }

    /// Runs `case` in this process.
    ///
    /// # Panics
    ///
    /// For [`Peer::Go`], which is another program.
    pub(crate) fn run(self, case: &'static Case, workers: usize, scale: Scale) -> Sample {
        fn on<R: Runtime>(case: &'static Case, workers: usize, scale: Scale) -> Sample {
            R::run(workers, perform::<R>(case.name, scale))
        }
        match self {
            Self::Gmp | Self::GmpFixed => on::<Gmp>(case, workers, scale),
            Self::Tokio => on::<Tokio<MultiThread>>(case, workers, scale),
            Self::TokioCt => on::<Tokio<CurrentThread>>(case, workers, scale),
            Self::Smol => on::<Smol<Global>>(case, workers, scale),
            Self::SmolStatic => on::<Smol<Static>>(case, workers, scale),
            Self::Go => unreachable!("Go's runs are started from its own binary"),
        }
    }

    /// The command that runs `case` in a process of its own and prints a sample.
    pub(crate) fn command(
        self,
        case: &Case,
        workers: usize,
        scale: Scale,
        go: Option<&Path>,
    ) -> io::Result<Command> {
        let mut command = match (self, go) {
            (Self::Go, Some(binary)) => Command::new(binary),
            (Self::Go, None) => {
                return Err(io::Error::new(
                    io::ErrorKind::NotFound,
                    "no Go binary was built",
                ));
            }
            _ => {
                let mut this = Command::new(env::current_exe()?);
                this.args([RUN_ONE, self.name()]);
                this
            }
        };
        if self == Self::GmpFixed {
            command.env(FIXED_VAR, "1");
        }
        command
            .args([case.name, &workers.to_string(), scale.name()])
            .env(THREADS_VAR, workers.to_string())
            .env("GOMAXPROCS", workers.to_string());
        Ok(command)
    }
}

/// The first argument of the child process; `PEER CASE WORKERS SCALE` follow.
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

/// Builds the Go program that runs the same cases, into the target directory.
pub(crate) fn build_go() -> io::Result<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/go/main.go");
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare-go");
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
