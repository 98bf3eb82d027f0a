//! The command line: options, subcommands, exit codes. Each subcommand has a file.

mod answer;
mod build;
mod check;
mod completions;
mod dump;
mod error;
mod fmt;
mod help;
mod import;
mod info;
mod list;
mod man;
mod page;
mod params;
mod run;
mod script;
mod tools;
mod trial;
mod workshop;

pub use error::CliError;

use crate::sys::probe::{self, Feature};
use clap::{Args, Parser, Subcommand, ValueEnum};
use lang::probe::Mode;
use std::path::PathBuf;
use std::process::ExitCode;

/// Traces running Linux programs, above all Go programs, with small scripts.
#[derive(Parser, Debug)]
#[command(
    name = "gotrace",
    bin_name = "gotrace",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true,
    arg_required_else_help = true,
    override_usage = help::USAGE,
    override_help = help::HELP
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

/// Options of a run. `--help` shows [`help::HELP`], the manual page and the completions what is said here.
#[derive(Args, Debug, Default)]
pub(crate) struct RunArgs {
    /// Runs this text
    ///
    /// Example: gotrace -e 'begin { print(1); exit(); }'
    #[arg(short = 'e', value_name = "PROGRAM")]
    program: Option<String>,
    /// Starts CMD, split into words as a shell does, traces only it, and ends with it
    ///
    /// Example: gotrace gohttp -c './web -n 2'
    #[arg(short = 'c', value_name = "CMD", conflicts_with = "pid")]
    command: Option<String>,
    /// Traces only this process, and ends with it
    ///
    /// Example: gotrace gohttp -p $(pidof web)
    #[arg(short = 'p', value_name = "PID", value_parser = process_number)]
    pid: Option<u32>,
    /// Reads the unwinding tables of this process too, for dw_ustack; may be given several times
    ///
    /// Example: gotrace --dwarf-pid $(pidof nginx) -e 'profile:hz:99 { @[dw_ustack] = count(); }'
    #[arg(long, value_name = "PID", value_parser = process_number)]
    dwarf_pid: Vec<u32>,
    /// Sets the semaphores of USDT probes in all processes that map the file, unless -p names one: gotrace always does
    ///
    /// Example: gotrace --usdt-file-activation -e 'usdt:./server:request { @ = count(); }'
    #[arg(long)]
    usdt_file_activation: bool,
    /// Form of the output: text, or json with one object on each line
    ///
    /// Example: gotrace -f json gocalls 'main.*' -c ./web
    #[arg(short = 'f', value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Writes the answers to FILE, apart from what the traced program prints
    ///
    /// Example: gotrace -o calls.txt gocalls 'main.*' -c ./web
    #[arg(short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Says nothing about the run itself, unless answers are lost
    ///
    /// Example: gotrace -q gocalls 'main.*' -c ./web
    #[arg(short = 'q')]
    quiet: bool,
    /// Writes after each batch of events (line), seldom (full), or each answer at once (none)
    ///
    /// Example: gotrace -B none execsnoop | grep curl
    #[arg(short = 'B', value_name = "MODE", default_value = "line")]
    buffering: Buffering,
    /// Looks in DIR too for what the script imports
    ///
    /// Example: gotrace -I ./lib mine.gt
    #[arg(short = 'I', value_name = "DIR")]
    import_dirs: Vec<PathBuf>,
    /// Looks for debug information here too; colons stand between folders
    ///
    /// Example: gotrace --debuginfo ./symbols check shop.gt
    #[arg(long, global = true, value_name = "DIR[:DIR]")]
    debuginfo: Option<String>,
    /// Tells about memory that could not be read and stacks that could not be taken
    ///
    /// Example: gotrace -k -e 'uprobe:./web:main.f { print(str(sarg0)); }' -c ./web
    #[arg(short = 'k')]
    runtime_errors: bool,
    /// Tells what is attached, and all that the kernel's verifier says
    ///
    /// Example: gotrace -v gocalls 'main.*' -c ./web
    #[arg(short = 'v', long)]
    verbose: bool,
    /// Hides warnings about the script
    ///
    /// Example: gotrace --no-warnings old.bt
    #[arg(long)]
    no_warnings: bool,
    /// Shows what becomes of the script at this stage, and ends
    ///
    /// Example: gotrace -d bpf -e 'uprobe:./web:main.f { @ = count(); }'
    #[arg(short = 'd', value_name = "STAGE")]
    dump: Option<Stage>,
    /// Allows scripts to act: system(), signal(), signal_thread()
    ///
    /// Example: gotrace --unsafe -e 'uprobe:./web:main.f { signal("STOP"); }' -p 4711
    #[arg(long = "unsafe")]
    allow_unsafe: bool,
    /// Leaves out the probes whose name does not match
    ///
    /// Example: gotrace --probe-filter 'main\.handle.*' gocalls 'main.*' ./web
    #[arg(long, value_name = "REGEX")]
    probe_filter: Option<String>,
    /// Ends after attaching, without running the script or the command of -c
    ///
    /// Example: gotrace --dry-run gohttp ./web
    #[arg(long)]
    dry_run: bool,
    /// Ends after so many printed answers
    ///
    /// Example: gotrace --max-events 10 execsnoop
    #[arg(long, value_name = "N")]
    max_events: Option<u64>,
    /// Ends after so many seconds; parts of seconds may be given
    ///
    /// Example: gotrace --timeout 2.5 runqlat
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<f64>,
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        global = true,
        hide_possible_values = true,
        hide_default_value = true,
        help = "Colours in messages: auto, always or never",
        long_help = "Colours in messages: auto, always or never; NO_COLOR is heeded\n\nExample: gotrace --color never check x.gt"
    )]
    color: Color,
    /// Lists probes, as `gotrace list`
    ///
    /// Example: gotrace -lv 'tracepoint:sched:*'
    #[arg(short = 'l')]
    list: bool,
    /// Shows what this kernel and this user can do, as `gotrace info`
    ///
    /// Example: gotrace --info
    #[arg(long)]
    info: bool,
    /// A script file, `-` for standard input, or a shipped tool; then the script's own options, and its $1, $2, …
    ///
    /// Example: gotrace golatency 'main.*' ./web
    #[arg(value_name = "SCRIPT [ARGS]")]
    script: Vec<String>,
    /// Options of the script itself ([`params::separate`]).
    #[arg(skip)]
    options: Vec<params::Typed>,
    /// Which probes of the script run.
    #[arg(skip = Mode::Run)]
    mode: Mode,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Lists the probes that match a pattern, or those of a script
    #[command(after_help = help::LIST)]
    List {
        /// Types, signatures, sites and why they were chosen
        #[arg(short = 'v', long)]
        verbose: bool,
        /// A pattern, a program or a script; without it, the kinds of probes
        pattern: Option<String>,
        /// The script's $1, $2, …
        args: Vec<String>,
    },
    /// Lists the shipped tools, or shows the page of one
    #[command(after_help = help::TOOLS)]
    Tools {
        /// Shows the script instead of the page
        #[arg(short = 's', long)]
        source: bool,
        /// A tool or a subject
        name: Option<String>,
    },
    /// Lists the labs of the workshop, sets one up, or checks a script
    #[command(after_help = help::WORKSHOP)]
    Workshop {
        /// A lab
        #[arg(value_name = "N")]
        number: Option<usize>,
        /// Runs a script on the lab's program and tells what is missing
        #[arg(long, value_name = "SCRIPT", requires = "number")]
        check: Option<String>,
        /// Shows a solution
        #[arg(long, requires = "number", conflicts_with = "check")]
        solution: bool,
        /// Folder of the lab, if not labNN
        #[arg(long, value_name = "FOLDER", requires = "number")]
        dir: Option<PathBuf>,
    },
    /// Compiles a script to a standard BPF object, for bpftool and libbpf
    #[command(after_help = help::BUILD)]
    Build {
        /// The script
        script: String,
        /// The object file
        #[arg(short = 'o', value_name = "FILE")]
        output: PathBuf,
        /// Looks in DIR too for what the script imports
        #[arg(short = 'I', value_name = "DIR")]
        import_dirs: Vec<PathBuf>,
        /// The script's $1, $2, …
        args: Vec<String>,
    },
    /// Parses and type-checks scripts; needs no root for programs that it may read
    #[command(after_help = help::CHECK)]
    Check {
        /// Looks in DIR too for what the scripts import
        #[arg(short = 'I', value_name = "DIR")]
        import_dirs: Vec<PathBuf>,
        /// The scripts
        #[arg(required = true)]
        scripts: Vec<String>,
    },
    /// Runs the test probes of scripts and tells which fail
    #[command(after_help = help::TEST)]
    Test(trial::TrialArgs),
    /// Runs the bench probes of scripts and tells what a run of each takes
    #[command(after_help = help::BENCH)]
    Bench(trial::TrialArgs),
    /// Shows scripts in the usual layout; comments and line breaks in statements stay
    #[command(after_help = help::FMT)]
    Fmt {
        /// Writes the files instead
        #[arg(short = 'w', long)]
        write: bool,
        /// The scripts
        #[arg(required = true)]
        scripts: Vec<String>,
    },
    /// Shows what completes gotrace's command line in a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Shows the manual page, for man
    #[command(after_help = help::MAN)]
    Man,
    /// Shows what this kernel and this user can do
    #[command(after_help = help::INFO)]
    Info {
        /// Form of the answer: text, or json
        #[arg(short = 'f', value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
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
    let (words, options) = params::separate(std::env::args_os().collect());
    let mut cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        // Help and version are answers; anything else is a usage error, which ends with 1 like all of ours.
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(1);
        }
        Err(error) => return finish(answer::print(&error.to_string()), Color::default()),
    };
    cli.run.options = options;
    let color = cli.run.color;
    finish(without_features().and_then(|()| run_command(cli)), color)
}

fn finish(result: Result<u8, CliError>, color: Color) -> ExitCode {
    result.map_or_else(
        |error| {
            error.report(color);
            ExitCode::from(error.exit_code())
        },
        ExitCode::from,
    )
}

fn run_command(cli: Cli) -> Result<u8, CliError> {
    let color = cli.run.color;
    if let Some(folders) = &cli.run.debuginfo {
        let folders = folders.split(':').filter(|folder| !folder.is_empty());
        inspect::separate::look_in(folders.map(PathBuf::from).collect());
    }
    match cli.command {
        None if cli.run.info => info::info(cli.run.format),
        None if cli.run.list => list::of_run(&cli.run),
        None => run::run(&cli.run),
        Some(Command::List { verbose, pattern, args }) => {
            list::list(pattern.as_deref().unwrap_or_default(), args, verbose)
        }
        Some(Command::Tools { source, name }) => tools::tools(name.as_deref(), source),
        Some(Command::Workshop { number: None, .. }) => workshop::list(),
        Some(Command::Workshop { number: Some(number), solution: true, .. }) => workshop::solution(number),
        Some(Command::Workshop { number: Some(number), check: Some(script), dir, .. }) => {
            workshop::check(number, &script, dir.as_deref(), color)
        }
        Some(Command::Workshop { number: Some(number), dir, .. }) => workshop::set_up(number, dir.as_deref()),
        Some(Command::Build { script, output, import_dirs, args }) => {
            build::build(&script, &output, &import_dirs, args, color)
        }
        Some(Command::Check { import_dirs, scripts }) => check::check(&scripts, &import_dirs, color),
        Some(Command::Test(args)) => trial::trial(&args, Mode::Test, color),
        Some(Command::Bench(args)) => trial::trial(&args, Mode::Bench, color),
        Some(Command::Fmt { write, scripts }) => fmt::fmt(&scripts, write),
        Some(Command::Completions { shell }) => completions::completions(shell),
        Some(Command::Man) => man::man(),
        Some(Command::Info { format }) => info::info(format),
    }
}

/// The number of a process, as `-p` takes it.
fn process_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("a process is named by its number: -p $(pidof -s {text})"))
}

/// Features that the environment takes away must exist, or what is tried without them would be tried with them.
fn without_features() -> Result<(), CliError> {
    let value = std::env::var(probe::WITHOUT).unwrap_or_default();
    probe::parse_without(&value).map(|_| ()).map_err(|name| {
        let names: Vec<&str> = Feature::names().collect();
        CliError::with_help(
            format!("{}: there is no feature `{name}`", probe::WITHOUT),
            format!("features are {}", names.join(", ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_option_and_command_and_fits_a_screen() {
        let command = Cli::command();
        for option in command.get_arguments().filter(|a| !a.is_positional()) {
            let short = option.get_short().map(|c| format!("-{c}"));
            let long = option.get_long().map(|l| format!("--{l}"));
            let named = [short, long]
                .into_iter()
                .flatten()
                .any(|name| help::HELP.split([' ', '\n', ',']).any(|word| word == name));
            assert!(named, "{:?}", option.get_id());
        }
        for sub in command.get_subcommands().filter(|s| s.get_name() != "help") {
            let named = help::HELP.lines().filter_map(|line| line.strip_prefix("  ")).any(|line| {
                line.split("  ")
                    .next()
                    .is_some_and(|names| names.split(", ").any(|name| name == sub.get_name()))
            });
            assert!(named, "{}", sub.get_name());
        }
        assert!(help::HELP.lines().count() <= 40);
        for line in [
            help::HELP,
            help::USAGE,
            help::LIST,
            help::TOOLS,
            help::BUILD,
            help::CHECK,
            help::INFO,
            help::TEST,
            help::BENCH,
            help::WORKSHOP,
            help::MAN,
        ]
        .iter()
        .flat_map(|text| text.lines())
        {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn every_option_has_an_example() {
        for option in Cli::command().get_arguments() {
            let long = option.get_long_help().map(ToString::to_string).unwrap_or_default();
            let example = long.split("Example: gotrace ").nth(1).unwrap_or_default();
            assert!(!example.is_empty(), "{:?}: {long}", option.get_id());
        }
    }

    #[test]
    fn help_of_subcommands_fits_a_screen() {
        for mut sub in Cli::command().get_subcommands().cloned() {
            let shown = sub.render_long_help().to_string();
            assert!(shown.lines().count() <= 40 && shown.lines().all(|l| l.chars().count() <= 80), "{shown}");
        }
    }
}
