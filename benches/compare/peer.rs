//! The contenders and how each is started.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::cases::{Case, perform};
use crate::kit::child::RUN_ONE;
use crate::kit::contender::Contender;
use crate::kit::scale::Scale;
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

impl Contender for Peer {
    const ALL: &'static [Self] = &[
        Self::Gmp,
        Self::GmpFixed,
        Self::Tokio,
        Self::TokioCt,
        Self::Smol,
        Self::SmolStatic,
        Self::Go,
    ];

    const USUAL: &'static [Self] = &[
        Self::Gmp,
        Self::Tokio,
        Self::TokioCt,
        Self::Smol,
        Self::SmolStatic,
        Self::Go,
    ];

    const GO: Self = Self::Go;

    fn name(self) -> &'static str {
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
}

impl Peer {
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

    /// The command that runs `case` in a process of its own and prints a sample; `CASE WORKERS SCALE` are its last words.
    pub(crate) fn command(
        self,
        case: &Case,
        workers: usize,
        scale: Scale,
        go: Option<&Path>,
    ) -> io::Result<Command> {
        let mut command = Command::new(self.program(go)?);
        if self != Self::Go {
            command.args([RUN_ONE, self.name()]);
        }
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
