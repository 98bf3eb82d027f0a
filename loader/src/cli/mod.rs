//! The command line: options, subcommands, exit codes. Each subcommand has a file.

mod build;
mod check;
mod dump;
mod error;
mod info;
mod list;
mod run;
mod script;
mod tools;

pub use error::CliError;

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Traces running Linux programs, above all Go programs, with small scripts.
#[derive(Parser, Debug)]
#[command(
    name = "gotrace",
    version,
    about = "Trace Linux programs, above all Go programs, with small scripts",
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true,
    arg_required_else_help = true,
    after_help = EXAMPLES
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

const EXAMPLES: &str = "\
Examples:
  gotrace -e 'uprobe:./web:main.* { @[func] = count(); }' -c ./web
  gotrace -e 'uretprobe:./web:main.f { printf(\"%d\\n\", retval); }' -p 1234
  gotrace latency.gt ./web 'main.*'
  gotrace list -v 'uprobe:./web:net/http.*'";

/// Options of a run.
#[derive(Args, Debug, Default)]
pub(crate) struct RunArgs {
    /// Runs this program text; the other arguments are its $1, $2, …
    #[arg(short = 'e', value_name = "PROGRAM")]
    program: Option<String>,
    /// Starts CMD, traces only it, and ends with it
    #[arg(short = 'c', value_name = "CMD", conflicts_with = "pid")]
    command: Option<String>,
    /// Traces only the process PID
    #[arg(short = 'p', value_name = "PID")]
    pid: Option<u32>,
    /// Form of the output
    #[arg(short = 'f', value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Writes the output to FILE instead of standard output
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Says nothing about the run itself
    #[arg(short = 'q')]
    quiet: bool,
    /// When output is written: after each line, when much is waiting, at once
    #[arg(short = 'B', value_name = "MODE", default_value = "line")]
    buffering: Buffering,
    /// Reports run-time errors such as memory that could not be read
    #[arg(short = 'k')]
    runtime_errors: bool,
    /// Tells more: what is attached where, and why
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Hides warnings
    #[arg(long)]
    no_warnings: bool,
    /// Shows a stage of the compilation and ends
    #[arg(short = 'd', value_name = "STAGE")]
    dump: Option<Stage>,
    /// Ends after attaching
    #[arg(long)]
    dry_run: bool,
    /// Ends after so many printed records
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Ends after so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Colours in messages
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: Color,
    /// Lists the probes that match PATTERN (as `gotrace list`)
    #[arg(short = 'l', value_name = "PATTERN", num_args = 0..=1, default_missing_value = "")]
    list: Option<String>,
    /// What this kernel and this user can do (as `gotrace info`)
    #[arg(long)]
    info: bool,
    /// Script (`-` is standard input) or name of a shipped tool, then its arguments
    #[arg(value_name = "SCRIPT [ARGS]")]
    script: Vec<String>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists the probes that match a pattern
    List {
        /// Types, signatures, sites and why they were chosen
        #[arg(short = 'v', long)]
        verbose: bool,
        /// For example `uprobe:./web:main.*` or `tracepoint:sched:*`
        pattern: Option<String>,
    },
    /// Lists the shipped tools, or shows one
    Tools {
        /// A tool or a subject
        name: Option<String>,
    },
    /// Compiles a script to a standard BPF object, for bpftool and libbpf
    Build {
        /// The script
        script: String,
        /// The object file
        #[arg(short = 'o', value_name = "FILE")]
        output: PathBuf,
        /// The script's $1, $2, …
        args: Vec<String>,
    },
    /// Parses and type-checks scripts; needs no root and no kernel features
    Check {
        /// The scripts
        #[arg(required = true)]
        scripts: Vec<String>,
    },
    /// Shows what this kernel and this user can do
    Info,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Buffering {
    #[default]
    Line,
    Full,
    None,
}

#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// What `-d` shows.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The words of the script
    Tokens,
    /// The syntax tree
    Ast,
    /// The typed program
    Hir,
    /// The intermediate code before and after optimization
    Ir,
    /// The instructions, with script lines
    Bpf,
    /// Programs, maps and records of the object file
    Object,
    /// The verifier's log
    Verifier,
}

impl Color {
    /// Whether messages on standard error are coloured.
    fn enabled(self) -> bool {
        use std::io::IsTerminal;
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => std::env::var_os("NO_COLOR").is_none() && std::io::stderr().is_terminal(),
        }
    }
}

/// Runs the program and gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; anything else is a usage error, which ends with 1 like all of ours.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let color = cli.run.color;
    let result = match cli.command {
        None if cli.run.info => info::info(),
        None if cli.run.list.is_some() => list::list(cli.run.list.as_deref().unwrap_or_default(), cli.run.verbose),
        None => run::run(&cli.run),
        Some(Command::List { verbose, pattern }) => list::list(pattern.as_deref().unwrap_or_default(), verbose),
        Some(Command::Tools { name }) => tools::tools(name.as_deref()),
        Some(Command::Build { script, output, args }) => build::build(&script, &output, args, color),
        Some(Command::Check { scripts }) => check::check(&scripts, color),
        Some(Command::Info) => info::info(),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            error.report(color);
            ExitCode::from(1)
        }
    }
}
