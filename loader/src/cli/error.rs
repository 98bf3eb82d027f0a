//! Why a command failed, and how the user is told: one readable chain on standard error.

use super::Color;
use crate::attach::AttachError;
use crate::run::RunError;
use lang::diag::{Problem, Problems};
use std::io;
use std::path::PathBuf;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The script has errors, or cannot run here: shown at their places.
    #[error("the script has errors")]
    Script {
        /// Name of the script.
        name: String,
        /// Its text.
        source_text: String,
        /// What is wrong.
        problems: Box<Problems>,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The run itself failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A shipped tool was asked for something that it, or the program, does not have.
    #[error("{error}")]
    Tool {
        /// What is wrong.
        error: Box<CliError>,
        /// The tool.
        tool: &'static scripts::Tool,
    },
    /// Anything else, in one sentence, with advice.
    #[error("{message}")]
    Other {
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: Option<String>,
    },
}

impl CliError {
    /// An error in one sentence.
    pub(crate) fn other(message: impl Into<String>) -> CliError {
        CliError::Other { message: message.into(), help: None }
    }

    /// An error in one sentence with advice.
    pub(crate) fn with_help(message: impl Into<String>, help: impl Into<String>) -> CliError {
        CliError::Other { message: message.into(), help: Some(help.into()) }
    }

    /// The same with the usage of the tool, if it is about what the tool was given.
    pub(crate) fn of_tool(self, tool: &'static scripts::Tool) -> CliError {
        match self {
            CliError::Script { .. } | CliError::Other { .. } => {
                CliError::Tool { error: Box::new(self), tool }
            }
            other => other,
        }
    }

    /// The exit code of the program.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            CliError::Run(error) => error.exit_code(),
            _ => 1,
        }
    }

    /// Writes it to standard error. Nothing can be done if that fails.
    pub(crate) fn report(&self, color: Color) {
        use std::io::Write;
        let mut stderr = io::stderr().lock();
        let _ = match self {
            CliError::Script { name, source_text, problems } => {
                write!(stderr, "{}", problems.render(name, source_text, color.enabled()))
            }
            CliError::Tool { error, tool } => {
                drop(stderr);
                error.report(color);
                eprintln!(
                    "usage: {}\n       `gotrace tools {}` tells what it needs",
                    tool.usage(),
                    tool.name
                );
                return;
            }
            CliError::Other { help: Some(help), .. } => writeln!(stderr, "error: {self}\n  = help: {help}"),
            _ => writeln!(stderr, "error: {self}"),
        };
    }
}

/// A problem that the code generator found.
pub(crate) fn compile_problem(error: &codegen::Error) -> Problem {
    let problem = Problem::error(error.span, error.message.clone());
    match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}

/// A problem of attaching.
pub(crate) fn attach_problem(error: &AttachError) -> Problem {
    let problem = Problem::error(error.span, error.to_string());
    match &error.help {
        Some(help) => problem.help(help.clone()),
        None => problem,
    }
}
