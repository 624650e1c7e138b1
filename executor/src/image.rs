//! The memory of the program itself and of its libraries: where a `static` is.

#![expect(unsafe_code, reason = "asks the dynamic linker")]

#[cfg(target_os = "linux")]
use std::ffi::{c_int, c_void};

/// Whether the address is in the image of the program or of a library, as that of a
/// `static` is. Takes the linker's lock: for reports.
#[cfg(target_os = "linux")]
pub(crate) fn has(address: usize) -> bool {
    let mut address = address;
    // SAFETY: `is_in` gets the pointer that is passed here, to a number that lives on, and
    // keeps neither that nor what it is told.
    unsafe { libc::dl_iterate_phdr(Some(is_in), (&raw mut address).cast()) != 0 }
}

/// 1: the address that `wanted` points to is in this object; the search ends.
#[cfg(target_os = "linux")]
unsafe extern "C" fn is_in(
    object: *mut libc::dl_phdr_info,
    _size: usize,
    wanted: *mut c_void,
) -> c_int {
    // SAFETY: the linker describes an object that is loaded, for the time of the call.
    let object = unsafe { &*object };
    // SAFETY: `has` passes a number of its own, which lives until the call is over.
    let wanted = unsafe { *wanted.cast::<usize>() };
    let headers = if object.dlpi_phdr.is_null() {
        &[]
    } else {
        // SAFETY: so many headers are there, as the linker says.
        unsafe { std::slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()) }
    };
    let found = headers.iter().any(|header| {
        let start = (object.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        header.p_type == libc::PT_LOAD && wanted.wrapping_sub(start) < header.p_memsz as usize
    });
    c_int::from(found)
}

/// As above.
#[cfg(not(target_os = "linux"))]
pub(crate) fn has(address: usize) -> bool {
    let mut object = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: the linker compares the address with those of its objects, and writes to
    // `object`, which nobody reads.
    unsafe { libc::dladdr(address as *const libc::c_void, object.as_mut_ptr()) != 0 }
}

#[cfg(test)]
mod tests {
    use std::ptr;
    use std::sync::Mutex;

    use super::has;

    #[test]
    fn a_static_is_in_the_image_and_nothing_else_is() {
        static ZEROED: Mutex<u64> = Mutex::new(0);
        static FILLED: Mutex<u64> = Mutex::new(7);
        let on_the_stack = Mutex::new(7);
        let on_the_heap = Box::new(Mutex::new(7));
        let at = |lock: &Mutex<u64>| ptr::from_ref(lock).addr();
        assert!(has(at(&ZEROED)) && has(at(&FILLED)));
        assert!(!has(at(&on_the_stack)) && !has(at(&on_the_heap)));
    }
}
