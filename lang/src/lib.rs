//! The gotrace language: from script text to a typed program.

pub mod arch;
pub mod ast;
pub mod config;
pub mod diag;
pub mod env;
pub mod format;
pub mod hir;
pub mod lexer;
pub mod literal;
mod parse;
pub mod probe;
pub mod span;
pub mod token;
pub mod types;

pub use config::Config;
pub use parse::parse;
