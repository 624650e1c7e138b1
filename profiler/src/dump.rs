//! All tasks of the process as one text: what a signal asks for.

use std::io::{self, Write};

use gmp_executor::{Handle, cycle};

use crate::profile::Profile;
use crate::symbols::{self, Resolver};
use crate::text;

/// Writes every task of every runtime of this process in Go's text form, one
/// runtime after the other, in the order in which they started. A line that begins
/// with `#` comes before each, and after it one for each task that nobody can wake, if
/// it is known who dropped its last waker, and for each circle of tasks that wait for
/// each other; readers of Go's dumps pass over them. It needs no task and no P:
/// a plain thread may call it while every P computes.
///
/// # Errors
/// Those of `out`.
///
/// ```
/// let task = gmp_executor::Handle::current().spawn(std::future::pending::<()>());
/// let mut text = Vec::new();
/// gmp_profiler::dump(&mut text)?;
/// let text = String::from_utf8_lossy(&text);
/// assert!(text.contains(&format!("\ngoroutine {} [", task.id())), "{text}");
/// # task.abort();
/// # std::io::Result::Ok(())
/// ```
pub fn dump(out: &mut impl Write) -> io::Result<()> {
    for handle in Handle::all() {
        let tasks = Profile::of(&handle);
        one(out, &tasks)?;
        let orphans: String = tasks.iter().map(text::orphaned).collect();
        if !orphans.is_empty() {
            writeln!(out, "{orphans}")?;
        }
        let suspected = cycle::suspected(&handle);
        for cycle in cycle::find(&handle).into_iter().chain(suspected) {
            writeln!(out, "{cycle}")?;
        }
    }
    Ok(())
}

/// Block by block: a text of a million tasks is never in memory as a whole.
fn one(out: &mut impl Write, tasks: &Profile) -> io::Result<()> {
    write!(out, "{}", tasks.head())?;
    if let Some(hint) = symbols::hint() {
        writeln!(out, "# {hint}")?;
    }
    let mut resolver = Resolver::default();
    for task in tasks {
        write!(out, "\n{}", text::block(task, &mut resolver))?;
    }
    writeln!(out)
}
