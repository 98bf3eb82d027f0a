//! Why a typed program could not be compiled.

use lang::span::Span;
use std::fmt;

/// A construct that the target cannot run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// What is wrong, for the user.
    pub message: String,
    /// Where in the script.
    pub span: Span,
    /// What to do about it.
    pub help: Option<String>,
}

impl Error {
    /// An error at a place of the script.
    #[must_use]
    pub fn new(span: Span, message: impl Into<String>) -> Error {
        Error { message: message.into(), span, help: None }
    }

    /// Adds advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
