//! What the command line may ask for.

use crate::cases::{CASES, Case};
use crate::kit::options::Menu;
use crate::kit::scale::Scale;

const HELP: &str = "\
cargo bench --bench compare -- [SUITE | CASE]... [OPTIONS]

Runs the same workloads on gmp and on its peers, one process a run, contenders interleaved.

  --quick            smaller workloads and fewer rounds
  --rounds N         runs of each contender (default 5, quick 3)
  --workers A,B      widths to run at (default 1,2)
  --runtimes A,B     contenders (default: all; go where there is a go on the path); gmp-fixed
                     is gmp without the hand-off of Ps
  --test             each case once and tiny, to see that it runs
  --list             name the cases
";

pub(crate) const MENU: Menu<Case> = Menu {
    help: HELP,
    items: CASES,
    named: "suite or case",
    selects: |case, word| word == case.suite || word == case.name,
    listed: |case| format!("{:<8}{:<16}{}", case.suite, case.name, case.about),
    widths: |scale, cpus| match scale {
        Scale::Full | Scale::Quick => (1..=cpus.min(2)).collect(),
        Scale::Test => vec![1, 2],
    },
};
