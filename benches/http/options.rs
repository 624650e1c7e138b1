//! What the command line may ask for.

use crate::kit::options::Menu;
use crate::kit::scale::Scale;
use crate::rows::{ROWS, Row};

const HELP: &str = "\
cargo bench --bench http -- [ROW]... [OPTIONS]

Serves the same answers with hyper on gmp and on its peers, one process a run, contenders interleaved.

  --quick            shorter runs, fewer rounds and one width
  --rounds N         runs of each contender (default 5, quick 3)
  --workers A,B      widths to run at (default 1,2, quick 2; at most the number of CPUs); at 1,
                     server and load get a CPU each
  --runtimes A,B     contenders (default: gmp, tokio, smol, and go where there is a go on the
                     path); gmp-serve is gmp::hyper::serve with its time-outs and drain
  --test             each row once and tiny, to see that it runs
  --list             name the rows
";

pub(crate) const MENU: Menu<Row> = Menu {
    help: HELP,
    items: ROWS,
    named: "row",
    selects: |row, word| word == row.name,
    listed: |row| format!("{:<10}{}", row.name, row.about),
    widths: |scale, cpus| match scale {
        Scale::Full => (1..=cpus.min(2)).collect(),
        Scale::Quick => vec![cpus.min(2)],
        Scale::Test => vec![2],
    },
};
