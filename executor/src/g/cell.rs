//! The allocation of a task: header and stage, where the output takes the place
//! of the future.

#![expect(unsafe_code, reason = "owns the task allocation")]

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use crate::gfree;
use crate::panics;
use crate::probe::{self, ParkRecord};
use crate::sched::Sched;
use crate::sync::AtomicU32;

use super::header::{Extra, Header, VTable};
use super::join::JoinError;
use super::refs::Refs;
use super::state::State;
use super::waker::JoinSlot;

enum Stage<F: Future> {
    Future(F),
    Output(Result<F::Output, JoinError>),
    Consumed,
}

#[repr(C)]
struct Cell<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

/// All that a new task is told.
pub(crate) struct Birth {
    pub(crate) sched: NonNull<Sched>,
    pub(crate) goid: u64,
    pub(crate) parent: u64,
    pub(crate) spawn_loc: &'static Location<'static>,
    pub(crate) extra: Option<Box<Extra>>,
}

/// Allocates a runnable task with one handle. The future may borrow: the caller
/// of a non-`'static` future guarantees that it is consumed in time. `BLOCKS`: the future
/// is a closure that may block.
pub(crate) fn allocate<F: Future, const BLOCKS: bool>(future: F, birth: Birth) -> NonNull<Header> {
    let cell = gfree::get::<Cell<F>>();
    let birth = Cell {
        header: Header {
            state: State::new(),
            slot: AtomicU32::new(0),
            refs: Refs::new(),
            vtable: const {
                if BLOCKS {
                    &Cell::<F>::BLOCKING
                } else {
                    &Cell::<F>::VTABLE
                }
            },
            sched: birth.sched,
            goid: birth.goid,
            spawn_loc: birth.spawn_loc,
            park: ParkRecord::new(birth.parent),
            extra: birth.extra,
            join_waker: JoinSlot::new(),
        },
        stage: UnsafeCell::new(Stage::Future(future)),
    };
    // SAFETY: memory for one, and nobody else's.
    unsafe { cell.write(birth) };
    cell.cast()
}

impl<F: Future> Cell<F> {
    const VTABLE: VTable = VTable {
        poll: Cell::<F>::poll,
        cancel: Cell::<F>::cancel,
        take_output: Cell::<F>::take_output,
        drop_output: Cell::<F>::drop_output,
        dealloc: Cell::<F>::dealloc,
        type_name: std::any::type_name::<F>,
        size: size_of::<Cell<F>>(),
        blocks: false,
    };
    const BLOCKING: VTable = VTable {
        blocks: true,
        ..Self::VTABLE
    };

    /// # Safety
    /// `header` is a `Cell<F>` and the caller has exclusive access to its stage.
    unsafe fn stage<'a>(header: NonNull<Header>) -> &'a mut Stage<F> {
        let cell: *mut Cell<F> = cast(header);
        // SAFETY: repr(C): the header is the cell's first field.
        let stage = unsafe { &raw const (*cell).stage };
        // SAFETY: exclusive by contract.
        unsafe { &mut *UnsafeCell::raw_get(stage) }
    }

    unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> bool {
        // SAFETY: the caller won edge 2: the stage is its own until edge 3, 4, 5.
        let stage = unsafe { Self::stage(header) };
        let Stage::Future(future) = stage else {
            unreachable!("gmp: poll of a task that has ended")
        };
        // SAFETY: the future lives in the heap cell and is dropped in place.
        let future = unsafe { Pin::new_unchecked(future) };
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => false,
            Ok(Poll::Ready(output)) => {
                // SAFETY: still ours.
                unsafe { Self::finish(header, Ok(output)) };
                true
            }
            Err(payload) => {
                // SAFETY: still ours.
                unsafe { Self::finish_panicked(header, payload) };
                true
            }
        }
    }

    unsafe fn cancel(header: NonNull<Header>) {
        // SAFETY: by contract of VTable::cancel the caller won edge 2.
        let stage = unsafe { Self::stage(header) };
        let id = id_of(header);
        match catch_unwind(AssertUnwindSafe(|| *stage = Stage::Consumed)) {
            // SAFETY: still ours.
            Ok(()) => unsafe { Self::finish(header, Err(JoinError::cancelled(id))) },
            // SAFETY: still ours.
            Err(payload) => unsafe { Self::finish_panicked(header, payload) },
        }
    }

    unsafe fn finish_panicked(header: NonNull<Header>, payload: Box<dyn Any + Send>) {
        let id = id_of(header);
        // SAFETY: the caller's access.
        let tell_unread = panics::task_panicked(unsafe { header.as_ref() }, &*payload);
        let error = JoinError::panicked(id, payload, tell_unread);
        // SAFETY: the caller's access.
        unsafe { Self::finish(header, Err(error)) };
    }

    /// Drops the future, then stores the output.
    unsafe fn finish(header: NonNull<Header>, output: Result<F::Output, JoinError>) {
        // SAFETY: the caller's access.
        let stage = unsafe { Self::stage(header) };
        // If the drop panics the future is gone all the same, and what it
        // computed is still good.
        probe::contain(|| *stage = Stage::Consumed);
        *stage = Stage::Output(output);
    }

    unsafe fn take_output(header: NonNull<Header>, to: *mut ()) {
        // SAFETY: by contract the task is dead and the caller is its handle.
        let stage = unsafe { Self::stage(header) };
        let Stage::Output(output) = std::mem::replace(stage, Stage::Consumed) else {
            panic!("JoinHandle polled after it returned Ready: await a handle once")
        };
        // SAFETY: the handle passes a place for its own `Result<T, JoinError>`.
        unsafe { to.cast::<Result<F::Output, JoinError>>().write(output) };
    }

    unsafe fn drop_output(header: NonNull<Header>) {
        // SAFETY: as take_output, or the completing M without a handle.
        let stage = unsafe { Self::stage(header) };
        if let Stage::Output(Err(error)) = stage {
            // SAFETY: the caller's access.
            panics::unread(unsafe { header.as_ref() }, error);
        }
        probe::contain(|| *stage = Stage::Consumed);
    }

    unsafe fn dealloc(header: NonNull<Header>) {
        let cell: NonNull<Cell<F>> = header.cast();
        // SAFETY: a whole cell, and no reference is left.
        probe::contain(|| unsafe { cell.drop_in_place() });
        // SAFETY: from `allocate`, and dropped.
        unsafe { gfree::give(cell) };
    }
}

/// The header is the first field of its cell.
fn cast<F: Future>(header: NonNull<Header>) -> *mut Cell<F> {
    header.as_ptr().cast()
}

fn id_of(header: NonNull<Header>) -> u64 {
    // SAFETY: every caller holds the task.
    unsafe { header.as_ref() }.goid
}
