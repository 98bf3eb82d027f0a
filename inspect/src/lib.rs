//! Read-only knowledge of binaries, of processes and of the kernel: bytes in, facts out.
//!
//! [`elf::Binary`] opens an executable or shared object and answers questions about its symbols and
//! addresses; [`elf::Binary::go`] adds what only a Go binary has: functions without symbols, exact extents,
//! safe probe sites, lines, inlined frames and the places of the current goroutine. The other modules read
//! text and type information that the kernel publishes: tracepoint formats, BTF, kallsyms and `/proc/PID`.
//!
//! Invariants:
//!
//! * Nothing here changes the machine, attaches a probe or needs a privilege beyond reading the file in
//!   question.
//! * No input makes it panic or run for long: every read is bounds-checked and every walk over untrusted
//!   tables is bounded by the size of the file.
//! * Facts that could be wrong are absent (`None`, or an error with the reason), never guessed in silence.
//!   The few guesses that are useful say so in a field.
//!
//! Words used throughout: a *vaddr* is an address as written in the file's program headers (for
//! position-independent files the load bias must be added to get a run-time address); a *file offset* is what
//! the kernel wants for a uprobe.

pub mod archive;
pub mod btf;
mod bytes;
pub mod demangle;
pub mod dynamic;
pub mod elf;
mod error;
pub mod glob;
pub mod go;
pub mod image;
pub mod kallsyms;
pub mod ldcache;
mod mmap;
pub mod native;
pub mod perfmap;
pub mod proc;
pub mod process;
pub mod separate;
mod symbols;
pub mod tracefs;
pub mod unwind;
pub mod uprobe;
pub mod usdt;

pub use error::Error;
