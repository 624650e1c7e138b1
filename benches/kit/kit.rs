//! What the benches that set contenders beside each other have in common; a bench includes this file by its path.
//!
//! It holds no case, no load and no figure of its own. Files without a `super` may be included alone.

pub(crate) mod child;
pub(crate) mod contender;
pub(crate) mod contest;
pub(crate) mod figures;
mod go;
pub(crate) mod line;
pub(crate) mod listening;
mod median;
pub(crate) mod options;
pub(crate) mod pinned;
pub(crate) mod proc;
pub(crate) mod scale;
pub(crate) mod spread;
pub(crate) mod table;
