//! bpf(2): programs, and maps with sizes known at run time only.
//!
//! `union bpf_attr` is filled in at the offsets that include/uapi/linux/bpf.h fixes for ever; bytes that a command does
//! not know stay zero, so that older kernels accept the block.

mod loaded;
mod map;
mod program;

pub use loaded::{LoadedProgram, loaded_programs, program_by_id};
pub use map::{Map, map_create};
pub use program::{
    AttachType, Debug, Function, ProgInfo, ProgType, Program, Rejected, btf_load, module_btf, prog_info,
    prog_load, prog_load_logged, raw_tracepoint, test_run, test_runs,
};

use super::{check, new_fd};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// Commands (`enum bpf_cmd`).
#[derive(Clone, Copy)]
#[repr(i32)]
pub(super) enum Command {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgLoad = 5,
    ObjPin = 6,
    ProgTestRun = 10,
    ProgGetNextId = 11,
    ProgGetFdById = 13,
    InfoByFd = 15,
    RawTracepointOpen = 17,
    BtfLoad = 18,
    BtfGetFdById = 19,
    BtfGetNextId = 23,
    MapLookupBatch = 24,
    MapUpdateBatch = 26,
    LinkCreate = 28,
    IterCreate = 33,
}

/// Size of the block: more than any command here uses, less than the kernel's limit of a page.
const ATTR_SIZE: usize = 152;

/// `union bpf_attr`.
#[repr(C, align(8))]
pub(super) struct Attr([u8; ATTR_SIZE]);

impl Attr {
    pub(super) fn new() -> Attr {
        Attr([0; ATTR_SIZE])
    }

    pub(super) fn u32(mut self, offset: usize, value: u32) -> Attr {
        self.0[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn u64(mut self, offset: usize, value: u64) -> Attr {
        self.0[offset..offset + 8].copy_from_slice(&value.to_ne_bytes());
        self
    }

    pub(super) fn fd(self, offset: usize, fd: BorrowedFd<'_>) -> Attr {
        self.u32(offset, fd.as_raw_fd().cast_unsigned())
    }

    /// The address of data that the kernel reads.
    pub(super) fn input<T>(self, offset: usize, data: &[T]) -> Attr {
        let address = if data.is_empty() { 0 } else { data.as_ptr() as u64 };
        self.u64(offset, address)
    }

    /// The address of room that the kernel writes to.
    fn output(self, offset: usize, room: &mut [u8]) -> Attr {
        self.u64(offset, room.as_mut_ptr() as u64)
    }

    /// An object name: at most 15 bytes; the kernel takes letters, digits, `_` and `.` only.
    fn name(mut self, offset: usize, name: &str) -> Attr {
        let fit = |b: u8| if b.is_ascii_alphanumeric() || b == b'.' { b } else { b'_' };
        for (to, from) in self.0[offset..offset + 15].iter_mut().zip(name.bytes()) {
            *to = fit(from);
        }
        self
    }

    fn read_u32(&self, offset: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[offset..offset + 4]);
        u32::from_ne_bytes(bytes)
    }

    /// Makes the call.
    ///
    /// # Safety
    /// The addresses in the block must be those of live memory of the size that the command takes from the block or
    /// from the map it names; memory that the kernel writes to must be exclusively borrowed.
    pub(super) unsafe fn call(&mut self, command: Command) -> io::Result<libc::c_long> {
        // SAFETY: the block itself is valid for its length; for what it points to the caller vouches.
        check(unsafe { libc::syscall(libc::SYS_bpf, command as i32, self.0.as_mut_ptr(), ATTR_SIZE) })
    }

    /// Makes a call that gives a descriptor.
    ///
    /// # Safety
    /// As [`Attr::call`].
    pub(super) unsafe fn call_fd(&mut self, command: Command) -> io::Result<OwnedFd> {
        // SAFETY: the caller's promise is the same.
        new_fd(unsafe { self.call(command) }?)
    }
}

/// Fills `info` with the start of the object's `struct bpf_*_info`.
fn object_info(fd: BorrowedFd<'_>, info: &mut [u8]) -> io::Result<()> {
    let mut attr = Attr::new().fd(0, fd).u32(4, info.len() as u32).output(8, info);
    // SAFETY: the address and the length are those of an exclusively borrowed slice; the kernel copies no more than that,
    // and pointers inside the (zeroed) structure are null, so that it writes nowhere else.
    unsafe { attr.call(Command::InfoByFd) }.map(|_| ())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Whether the process may use bpf(2); tests that need it say so on standard error when they are skipped.
    pub(crate) fn privileged(test: &str) -> bool {
        let ok = map_create(2, 4, 8, 1).is_ok();
        if !ok {
            eprintln!("{test}: skipped, bpf(2) is not permitted here");
        }
        ok
    }
}
