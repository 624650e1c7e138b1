//! The run on Go: a program that is built when there is a `go` on the PATH.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The built program.
///
/// # Errors
/// Why there is none.
pub(crate) fn build() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/stall/main.go");
    let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("stall-go");
    let output = Command::new("go")
        .args(["build", "-o"])
        .arg(&program)
        .arg(&source)
        .output()
        .map_err(|error| format!("go: {error}"))?;
    if output.status.success() {
        Ok(program)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
