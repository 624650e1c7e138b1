//! Memory of dead tasks, for new ones: Go's `gFree` (R-G-12).
//!
//! An allocator that takes tasks as they come pays for a crowd of them: what one
//! thread has allocated and another frees goes through a lock, and what does not
//! fit its small caches is sorted and merged. Here an M keeps what it frees, by
//! size, in chains of [`CHAIN`] blocks: one that it fills and takes from, and a full
//! one beside it. A third goes to the runtime's [`Shelf`], from where an M that has
//! none takes a whole chain. So a lock is taken once in [`CHAIN`] tasks, if at all, and
//! nobody waits for it, nor does a child of fork that has inherited it locked.
//!
//! A shelf holds [`SHELF`] bytes at most; what is beyond goes back to the allocator,
//! as does what an M has when it ends. A thread that is no M, a task larger than
//! [`LARGEST`] and one with an unusual alignment use the allocator alone.
//!
//! Invariants: a block on a chain belongs to the chain alone, holds nothing but the
//! link to the next one, and was allocated with the layout of its [`Class`].

#![expect(unsafe_code, reason = "keeps and hands out raw memory")]

use std::alloc::{self, Layout};
use std::array;
use std::cell::Cell;
use std::ptr::{self, NonNull};

use crate::m;
use crate::sched::Sched;
use crate::sync::{AtomicU64, Mutex, Ordering};

/// Blocks of a full chain.
pub(crate) const CHAIN: u32 = 32;

/// Bytes on a shelf.
pub(crate) const SHELF: usize = 1 << 20;

/// The common allocators round sizes up to multiples of this, less their own word.
pub(crate) const STEP: usize = 16;
pub(crate) const WORD: usize = 8;

/// One class for each multiple of [`STEP`].
const CLASSES: usize = 40;
pub(crate) const LARGEST: usize = CLASSES * STEP - WORD;

/// Sizes that an allocator does not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(pub(crate) usize);

impl Class {
    #[inline]
    pub(crate) const fn of(layout: Layout) -> Option<Class> {
        if layout.size() > LARGEST || layout.align() > STEP || cfg!(miri) {
            return None;
        }
        Some(Class((layout.size() + WORD).div_ceil(STEP) - 1))
    }

    pub(crate) const fn layout(self) -> Layout {
        match Layout::from_size_align((self.0 + 1) * STEP - WORD, STEP) {
            Ok(layout) => layout,
            Err(_) => panic!("gmp: sizes of tasks are small"),
        }
    }
}

/// A free block.
pub(crate) struct Block {
    next: *mut Block,
}

/// The blocks of one class that an M keeps.
struct Kept {
    chain: Cell<*mut Block>,
    len: Cell<u32>,
    /// Null or a full chain.
    full: Cell<*mut Block>,
}

/// What an M keeps.
pub(crate) struct GFree {
    classes: [Kept; CLASSES],
}

impl GFree {
    pub(crate) fn new() -> GFree {
        GFree {
            classes: array::from_fn(|_| Kept {
                chain: Cell::new(ptr::null_mut()),
                len: Cell::new(0),
                full: Cell::new(ptr::null_mut()),
            }),
        }
    }

    #[inline]
    pub(crate) fn take(&self, sched: &Sched, class: Class) -> Option<NonNull<Block>> {
        let kept = &self.classes[class.0];
        let block = match NonNull::new(kept.chain.get()) {
            Some(block) => block,
            None => kept.refill(sched, class)?,
        };
        // SAFETY: a block of a chain of ours.
        kept.chain.set(unsafe { block.as_ref() }.next);
        kept.len.set(kept.len.get() - 1);
        Some(block)
    }

    /// # Safety
    /// The block is the caller's, of this class, and nothing in it is needed any more.
    #[inline]
    pub(crate) unsafe fn put(&self, sched: &Sched, class: Class, block: NonNull<Block>) {
        let kept = &self.classes[class.0];
        let next = kept.chain.get();
        // SAFETY: the caller's; large and aligned enough for a pointer.
        unsafe { block.write(Block { next }) };
        kept.chain.set(block.as_ptr());
        kept.len.set(kept.len.get() + 1);
        if kept.len.get() == CHAIN {
            kept.set_by(sched, class);
        }
    }
}

impl Kept {
    /// Another chain in place of the empty one: its first block.
    #[cold]
    fn refill(&self, sched: &Sched, class: Class) -> Option<NonNull<Block>> {
        let full = NonNull::new(self.full.replace(ptr::null_mut()));
        let chain = full.or_else(|| sched.gfree.take(class))?;
        self.chain.set(chain.as_ptr());
        self.len.set(CHAIN);
        Some(chain)
    }

    /// The chain is full: it changes places with the one that was.
    #[cold]
    fn set_by(&self, sched: &Sched, class: Class) {
        self.len.set(0);
        let chain = self.chain.replace(ptr::null_mut());
        if let Some(former) = NonNull::new(self.full.replace(chain)) {
            sched.gfree.put(class, former);
        }
    }
}

impl Drop for GFree {
    fn drop(&mut self) {
        for (i, kept) in self.classes.iter().enumerate() {
            for chain in [kept.chain.get(), kept.full.get()] {
                // SAFETY: chains of ours, of this class, and this is the end of them.
                unsafe { free(Class(i), chain) };
            }
        }
    }
}

/// Full chains that no M keeps.
pub(crate) struct Shelf {
    /// A bit for each class of which there is a chain: a hint without the lock.
    stocked: AtomicU64,
    pub(crate) chains: Mutex<Chains>,
}

pub(crate) struct Chains {
    bytes: usize,
    classes: [Vec<NonNull<Block>>; CLASSES],
}

// SAFETY: the chains are the shelf's alone, and raw memory belongs to no thread.
unsafe impl Send for Chains {}

impl Shelf {
    pub(crate) fn new() -> Shelf {
        Shelf {
            stocked: AtomicU64::new(0),
            chains: Mutex::new(Chains {
                bytes: 0,
                classes: array::from_fn(|_| Vec::new()),
            }),
        }
    }

    fn take(&self, class: Class) -> Option<NonNull<Block>> {
        // ord: a hint; the lock publishes the blocks
        if self.stocked.load(Ordering::Relaxed) & (1 << class.0) == 0 {
            return None;
        }
        let mut chains = self.chains.try_lock().ok()?;
        let chain = chains.classes[class.0].pop()?;
        chains.bytes -= class.bytes_of_chain();
        if chains.classes[class.0].is_empty() {
            self.stocked.fetch_and(!(1 << class.0), Ordering::Relaxed); // ord: as above
        }
        Some(chain)
    }

    fn put(&self, class: Class, chain: NonNull<Block>) {
        let bytes = class.bytes_of_chain();
        match self.chains.try_lock() {
            Ok(mut chains) if chains.bytes + bytes <= SHELF => {
                chains.bytes += bytes;
                chains.classes[class.0].push(chain);
                self.stocked.fetch_or(1 << class.0, Ordering::Relaxed); // ord: as in take
            }
            // SAFETY: a chain of this class that nobody else has.
            _ => unsafe { free(class, chain.as_ptr()) },
        }
    }
}

impl Class {
    pub(crate) const fn bytes_of_chain(self) -> usize {
        CHAIN as usize * self.layout().size()
    }
}

impl Drop for Chains {
    fn drop(&mut self) {
        for (i, chains) in self.classes.iter_mut().enumerate() {
            for chain in chains.drain(..) {
                // SAFETY: the shelf's own.
                unsafe { free(Class(i), chain.as_ptr()) };
            }
        }
    }
}

/// # Safety
/// A chain of this class, or null; nobody uses it any more.
unsafe fn free(class: Class, mut chain: *mut Block) {
    while let Some(block) = NonNull::new(chain) {
        // SAFETY: by the chain's invariant.
        chain = unsafe { block.as_ref() }.next;
        // SAFETY: allocated with this layout, and the caller's to free.
        unsafe { alloc::dealloc(block.as_ptr().cast(), class.layout()) };
    }
}

/// Memory for a `T`, as [`give`] takes it.
#[inline]
pub(crate) fn get<T>() -> NonNull<T> {
    let layout = const { Layout::new::<T>() };
    let class = const { Class::of(Layout::new::<T>()) };
    let kept = class.and_then(|class| {
        m::with_current(|m| {
            let m = m?;
            m.gfree.take(&m.sched, class)
        })
    });
    if let Some(block) = kept {
        return block.cast();
    }
    let layout = class.map_or(layout, Class::layout);
    // SAFETY: neither a class nor a task has the size 0.
    let new = unsafe { alloc::alloc(layout) };
    NonNull::new(new.cast()).unwrap_or_else(|| alloc::handle_alloc_error(layout))
}

/// Takes back what [`get`] has given.
///
/// # Safety
/// `place` came from `get::<T>()`; its value is dropped or moved out, and nobody has
/// a reference to it.
#[inline]
pub(crate) unsafe fn give<T>(place: NonNull<T>) {
    let class = const { Class::of(Layout::new::<T>()) };
    let free = |layout| {
        // SAFETY: allocated with the layout of its class, or with its own if it has none.
        unsafe { alloc::dealloc(place.as_ptr().cast(), layout) };
    };
    let Some(class) = class else {
        return free(const { Layout::new::<T>() });
    };
    m::with_current(|m| match m {
        // SAFETY: the caller's, of this class.
        Some(m) => unsafe { m.gfree.put(&m.sched, class, place.cast()) },
        None => free(class.layout()),
    });
}
