//! The contenders and how each is started.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::kit::child::RUN_ONE;
use crate::kit::contender::Contender;
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

impl Contender for Peer {
    const ALL: &'static [Self] = &[Self::Gmp, Self::GmpServe, Self::Tokio, Self::Smol, Self::Go];

    const USUAL: &'static [Self] = &[Self::Gmp, Self::Tokio, Self::Smol, Self::Go];

    const GO: Self = Self::Go;

    fn name(self) -> &'static str {
        match self {
            Self::Gmp => "gmp",
            Self::GmpServe => "gmp-serve",
            Self::Tokio => "tokio",
            Self::Smol => "smol",
            Self::Go => "go",
        }
    }
}

impl Peer {
    /// The command that serves `row` in a process of its own: it says where it listens in its first line of output, and
    /// ends at the end of its input. The words of `under` come first, with theirs as arguments.
    pub(crate) fn command(
        self,
        row: &Row,
        workers: usize,
        go: Option<&Path>,
        under: &[String],
    ) -> io::Result<Command> {
        let program = self.program(go)?;
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
