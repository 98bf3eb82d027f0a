//! The gotrace language: from script text to a typed program.

pub mod arch;
pub mod ast;
pub mod builtin;
mod check;
pub mod config;
pub mod diag;
mod dump;
pub mod env;
pub mod fold;
pub mod format;
pub mod hir;
pub mod lexer;
pub mod literal;
mod parse;
#[cfg(test)]
mod parse_tests;
mod pretty;
pub mod probe;
pub mod span;
pub mod token;
pub mod types;

pub use check::{ProbeKind, check};
pub use config::Config;
pub use parse::parse;
