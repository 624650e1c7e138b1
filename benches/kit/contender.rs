//! Who can take part, and in which program.

use std::env;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) trait Contender: Copy + PartialEq + 'static {
    /// All that `--runtimes` may name.
    const ALL: &'static [Self];

    /// Who takes part unless `--runtimes` names others.
    const USUAL: &'static [Self];

    /// The one that is not in this binary.
    const GO: Self;

    fn name(self) -> &'static str;

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|peer| peer.name() == name)
    }

    /// The program that holds this contender; `go` is Go's, if it was built.
    fn program(self, go: Option<&Path>) -> io::Result<PathBuf> {
        if self != Self::GO {
            return env::current_exe();
        }
        go.map(Path::to_owned)
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no Go binary was built"))
    }
}
