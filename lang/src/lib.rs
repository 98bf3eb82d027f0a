//! The gotrace language: from script text to a typed program.
//!
//! This crate is pure. It reads no file and asks no kernel; what it must know about the machine it asks an [`env::Env`],
//! so scripts are checked without root, in tests against tables.
//!
//! ```text
//! source -> token, lexer -> grammar, parse -> ast::Script -> check -> hir::Program
//!                                                |                       |
//!                                         config::from_script     the code generator, the loader
//! ```
//!
//! [`parse()`] gives a tree and all syntax errors; [`config::from_script`] the settings; [`check()`] the typed program or
//! all errors of meaning. Every stage reports through [`diag::Problems`].
//!
//! # The language in short
//!
//! A script is a list of probes, `ATTACH-POINT[, …] [/PREDICATE/] { STATEMENTS }`, and before them declarations of
//! structures and settings. A probe's block runs each time that its attach point is reached and its predicate is true;
//! all probes run independently, on any processor, and share nothing but maps.
//!
//! - **Values** are integers of 8 to 64 bits, booleans, strings, buffers, pointers, tuples, and things that print as
//!   names: stacks, symbols, functions, times. Arithmetic is 64-bit and wraps; division truncates to zero; `-` gives a
//!   signed number; a literal takes the sign of what it meets. An integer is true when it is not zero.
//! - **Variables** `$x` live in the block that assigns them first, for one run of the probe; there is no shadowing. Their
//!   type follows from all assignments: the wider integer, the longer string.
//! - **Maps** `@x`, `@x[key, …]` live as long as the run and are printed at its end. They hold plain values, or what
//!   aggregations make of many (`count()`, `hist(n)`). Their types follow from all uses in all probes; an entry that was
//!   never set reads as zero.
//! - **Memory** is read, never written: `*p`, `p->member`, `p[i]`, `str(p)`. What cannot be read is zero.
//! - **Output** (`printf`, `print`, …) is sent as a record and put into words later, in user space; strings, symbols and
//!   stacks are resolved there.
//!
//! [`builtin`] lists all variables and functions with their documentation.

/// A snapshot of a text; the expression that made it would only repeat the test.
#[cfg(test)]
macro_rules! assert_text {
    ($text:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!($text) })
    };
}

mod advice;
pub mod arch;
pub mod ast;
pub mod builtin;
mod check;
pub mod config;
mod declarator;
pub mod diag;
mod dump;
pub mod env;
mod excerpt;
mod expand;
pub mod fold;
pub mod format;
pub mod gocopy;
pub mod goerror;
pub mod gomap;
mod habits;
pub mod hir;
pub mod lexer;
pub mod literal;
pub mod options;
mod parse;
#[cfg(test)]
mod parse_tests;
mod pretty;
pub mod probe;
mod reformat;
pub mod source;
pub mod span;
pub mod token;
pub mod types;

pub use check::{ProbeKind, check};
pub use config::Config;
pub use parse::{parse, parse_files};
pub use reformat::reformat;
pub use source::{Imported, imports};
