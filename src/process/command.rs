//! What to start, and how.

#![expect(
    unsafe_code,
    reason = "hands a closure on that runs between fork and exec"
)]

use std::ffi::OsStr;
use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::Path;
use std::process::{ExitStatus, Output, Stdio};

use super::child::Child;
use super::orphan;
use crate::task::block_in_place;

/// A program to start: [`std::process::Command`], whose children are asynchronous.
///
/// What this type does not offer by itself is there through
/// [`as_std_mut`](Self::as_std_mut).
///
/// ```
/// use gmp::process::Command;
///
/// # fn main() -> std::io::Result<()> {
/// # gmp::block_on(async {
/// let status = Command::new("sh")
///     .args(["-c", "exit $CODE"])
///     .env("CODE", "3")
///     .status()
///     .await?;
/// assert_eq!(status.code(), Some(3));
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Debug)]
pub struct Command {
    std: std::process::Command,
    kill_on_drop: bool,
}

impl Command {
    /// The program of this name, or at this path, with no arguments, the environment,
    /// the directory and the standard streams of this process.
    pub fn new(program: impl AsRef<OsStr>) -> Command {
        std::process::Command::new(program).into()
    }

    /// The command of std.
    pub fn as_std(&self) -> &std::process::Command {
        &self.std
    }

    /// The command of std, for what can be said only there.
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.std
    }

    /// The command of std; what [`kill_on_drop`](Self::kill_on_drop) said is lost.
    pub fn into_std(self) -> std::process::Command {
        self.std
    }

    /// One more argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Command {
        self.std.arg(arg);
        self
    }

    /// More arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Command {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Command {
        self.std.env(key, value);
        self
    }

    /// Sets variables of the environment.
    pub fn envs(
        &mut self,
        vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Command {
        self.std.envs(vars);
        self
    }

    /// Takes a variable out of the environment.
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Command {
        self.std.env_remove(key);
        self
    }

    /// Begins with an empty environment.
    pub fn env_clear(&mut self) -> &mut Command {
        self.std.env_clear();
        self
    }

    /// Where the program runs. A relative path of the program may be meant from there
    /// or from here, which the system decides.
    pub fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Command {
        self.std.current_dir(dir);
        self
    }

    /// What the program reads: this process's own input, if nothing is said.
    pub fn stdin(&mut self, to: impl Into<Stdio>) -> &mut Command {
        self.std.stdin(to);
        self
    }

    /// Where the program writes: this process's own output, if nothing is said.
    pub fn stdout(&mut self, to: impl Into<Stdio>) -> &mut Command {
        self.std.stdout(to);
        self
    }

    /// Where the program writes its errors: where this process does, if nothing is
    /// said.
    pub fn stderr(&mut self, to: impl Into<Stdio>) -> &mut Command {
        self.std.stderr(to);
        self
    }

    /// Whether the program is killed when its [`Child`] is dropped before its end is
    /// known; off, if nothing is said. What the program itself has started goes on.
    pub fn kill_on_drop(&mut self, on: bool) -> &mut Command {
        self.kill_on_drop = on;
        self
    }

    /// What [`kill_on_drop`](Self::kill_on_drop) said.
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// The name by which the program is told that it was called.
    #[cfg(unix)]
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Command {
        std::os::unix::process::CommandExt::arg0(&mut self.std, name);
        self
    }

    /// The user as whom the program runs.
    #[cfg(unix)]
    pub fn uid(&mut self, id: u32) -> &mut Command {
        std::os::unix::process::CommandExt::uid(&mut self.std, id);
        self
    }

    /// The group as which the program runs.
    #[cfg(unix)]
    pub fn gid(&mut self, id: u32) -> &mut Command {
        std::os::unix::process::CommandExt::gid(&mut self.std, id);
        self
    }

    /// The process group of the program; 0 is a new one of its own, which a ctrl-c at
    /// the terminal does not reach.
    #[cfg(unix)]
    pub fn process_group(&mut self, group: i32) -> &mut Command {
        std::os::unix::process::CommandExt::process_group(&mut self.std, group);
        self
    }

    /// Has `prepare` called in the child, between `fork` and `exec`; several are called
    /// in the order in which they were given. An error of theirs is that of
    /// [`spawn`](Self::spawn).
    ///
    /// # Safety
    /// That of std's: the child has one thread, and what the others held at that moment,
    /// the allocator's locks included, stays locked. Only what is safe in a signal
    /// handler is safe in `prepare`.
    ///
    /// ```
    /// use gmp::process::Command;
    ///
    /// # gmp::block_on(async {
    /// let mut command = Command::new("true");
    /// // SAFETY: a system call and nothing else.
    /// unsafe {
    ///     command.pre_exec(|| match libc::setsid() {
    ///         -1 => Err(std::io::Error::last_os_error()),
    ///         _ => Ok(()),
    ///     });
    /// }
    /// assert!(command.status().await?.success());
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[cfg(unix)]
    pub unsafe fn pre_exec<F>(&mut self, prepare: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller's promise is what std asks for.
        unsafe { std::os::unix::process::CommandExt::pre_exec(&mut self.std, prepare) };
        self
    }

    /// Starts the program. Works anywhere; its end and its pipes belong to this
    /// thread's runtime, else to the global one.
    ///
    /// # Errors
    /// `NotFound` if there is no such program or directory, `PermissionDenied`, and
    /// what else the system says. If there are no descriptors left to watch the
    /// program by, it is killed.
    #[track_caller]
    pub fn spawn(&mut self) -> io::Result<Child> {
        let child = block_in_place(|| {
            orphan::sweep();
            self.std.spawn()
        })?;
        Child::new(child, self.kill_on_drop)
    }

    /// Starts the program now; the future waits for its end. Standard streams that are
    /// pipes are closed.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Cancel safety
    /// As the drop of the [`Child`]: the program goes on, or is killed if
    /// [`kill_on_drop`](Self::kill_on_drop) says so.
    #[track_caller]
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let location = Location::caller();
        let child = self.spawn();
        async move {
            let mut child = child?;
            child.stdout = None;
            child.stderr = None;
            child.wait_at(location).await
        }
    }

    /// Starts the program now, its output and its errors as pipes whatever was said
    /// before; the future collects them and waits for the end. Its input is as it was
    /// said: this process's own, if it was not.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Cancel safety
    /// As [`status`](Self::status); the output so far is lost.
    #[track_caller]
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        let location = Location::caller();
        self.std.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn();
        async move { child?.output_at(location).await }
    }
}

impl From<std::process::Command> for Command {
    fn from(std: std::process::Command) -> Command {
        Command {
            std,
            kill_on_drop: false,
        }
    }
}
