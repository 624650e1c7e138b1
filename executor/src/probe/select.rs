//! The `select!` that the running task waits in.
//!
//! A select polls its branches in any order and returns Pending when all of them have,
//! so the leaves that are polled in it tell of their own waits, before it or after. Its
//! word has to win, without a question in any leaf: so it is kept beside theirs, in the
//! M, and a bit of the task's park record, which is looked at when the task parks anyhow,
//! says that it is there.

use std::panic::Location;
use std::ptr;

use super::{Leaf, RECORDS, before_loss};
use crate::g::Header;
use crate::m::M;

/// A note in the M whose task polls a select.
#[derive(Clone, Copy)]
pub(crate) struct Select {
    /// Only compared: an M may poll another task within the poll of one.
    task: *const Header,
    /// The address of the select's own.
    key: *const (),
    location: Option<&'static Location<'static>>,
    /// What a leaf had told before it in this poll.
    before: Leaf,
}

impl Select {
    pub(crate) const NONE: Select = Select {
        task: ptr::null(),
        key: ptr::null(),
        location: None,
        before: Leaf::NONE,
    };

    /// The place, if the select is this task's.
    pub(crate) fn location_for(self, task: &Header) -> Option<&'static Location<'static>> {
        self.location.filter(|_| ptr::eq(self.task, task))
    }

    /// The running task polls a select. One that is polled within another, or beside it,
    /// is told by the one that came first.
    pub(crate) fn begins(m: &M, key: *const (), location: &'static Location<'static>) {
        let Some(task) = m.running().filter(|task| RECORDS && !task.park.selects()) else {
            return;
        };
        // The record that the mark is in still says how it waited before.
        before_loss(m, task);
        task.park.set_selects(true);
        m.select.set(Select {
            task,
            key,
            location: Some(location),
            before: m.leaf.get(),
        });
    }

    /// That select is over: what the task waits for from here on is told by its leaf, and
    /// not by one that was polled in the select.
    pub(crate) fn ends(m: &M, key: *const ()) {
        let note = m.select.get();
        if let Some(task) = m.running().filter(|&task| ptr::eq(note.task, task))
            && ptr::eq(note.key, key)
        {
            if task.park.selects() {
                m.leaf.set(note.before);
            }
            m.select.set(Select::NONE);
            task.park.set_selects(false);
        }
    }
}
