//! The code generator against the real kernel: its verifier, its JIT, its maps and ring buffer. What programs compute must be
//! what [`host`] says that `lang::hir` means.

#[path = "../../../codegen/tests/common/mod.rs"]
mod common;

mod aggregations;
mod host;
mod integers;
mod kernel;
mod random;
mod scripts;
mod values;
