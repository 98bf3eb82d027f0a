//! The end-to-end harness: real Go and C programs, real Go releases, the real kernel.
//!
//! The test targets under `tests/tests` and the tasks of `xtask` are its users. It knows four things, each in a module:
//! how to get a Go release ([`toolchain`]), how to build a target program ([`programs`]), how to run a command with a
//! time limit ([`run`]), and how to read and judge a text case ([`case`], [`judge`]). It knows nothing about how
//! gotrace works inside: it only sees the binary, as a user does.

pub mod arch;
pub mod bpftrace;
pub mod cache;
pub mod case;
pub mod compat;
pub mod debian;
pub mod diff;
pub mod generated;
pub mod judge;
pub mod links;
pub mod listing;
pub mod manual;
pub mod page;
pub mod programs;
pub mod random;
pub mod run;
pub mod suite;
pub mod toolchain;
pub mod vm;
pub mod workshop;
