//! Go's side of a bench: a program that is built at the start, where there is a `go` on the path.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds `source`, a file below `benches/`, as `name` in the target directory.
pub(crate) fn build(source: &str, name: &str) -> io::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches")
        .join(source);
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
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
