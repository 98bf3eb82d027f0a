//! Bytes of a whole file, memory-mapped where the file allows it. The only unsafe code of the crate is here.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

/// The content of a file (or of a test): mapped, or read into memory.
#[derive(Debug)]
pub(crate) enum Data {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
}

impl Data {
    /// Maps `file` read-only; falls back to reading it where mapping is not supported (most of sysfs, and
    /// `/sys/kernel/btf/vmlinux` before Linux 6.16) or the file is empty.
    pub(crate) fn of_file(file: &File) -> io::Result<Data> {
        match map(file, None) {
            Ok(mapped) if !mapped.is_empty() => Ok(Data::Mapped(mapped)),
            _ => {
                let mut bytes = Vec::new();
                let mut file = file;
                file.read_to_end(&mut bytes)?;
                Ok(Data::Owned(bytes))
            }
        }
    }

    /// Maps a part of `file`, which must lie in it.
    pub(crate) fn of_part(file: &File, part: Range<usize>) -> io::Result<Data> {
        map(file, Some(part)).map(Data::Mapped)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Data::Mapped(mapped) => mapped,
            Data::Owned(bytes) => bytes,
        }
    }
}

/// Shared, because the kernel writes the breakpoints of everybody's uprobes into private mappings (`valid_vma` in
/// `kernel/events/uprobes.c`), also into those that nobody executes: a function that another tracer watches would seem to begin with
/// `int3`. `/sys/kernel/btf/vmlinux` can only be mapped privately.
#[allow(unsafe_code, reason = "mapping a file is unsafe because another process may change it meanwhile")]
fn map(file: &File, part: Option<Range<usize>>) -> io::Result<memmap2::Mmap> {
    let mut options = memmap2::MmapOptions::new();
    if let Some(part) = part {
        options.offset(part.start as u64).len(part.len());
    }
    // SAFETY: the mapping is read-only. Executables that run cannot be written (ETXTBSY), and
    // build tools replace files instead of rewriting them. Should one be rewritten in place, then the
    // parsers, which check every read and hold no decoded lengths across calls that they do not check again,
    // see other bytes but no invalid memory; a truncated file raises SIGBUS, which ends this process only.
    unsafe { options.map(file).or_else(|_| options.map_copy_read_only(file)) }
}
