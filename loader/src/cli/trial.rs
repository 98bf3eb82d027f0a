//! `gotrace test` and `gotrace bench`: the tests and benchmarks of scripts. How one is run is the matter of `run::trials`.

use super::{CliError, Color, Format, RunArgs, run};
use clap::Args;
use lang::probe::Mode;
use std::path::PathBuf;

/// Options of both.
#[derive(Args, Debug)]
pub(super) struct TrialArgs {
    /// Takes this text
    #[arg(short = 'e', value_name = "PROGRAM", conflicts_with = "scripts")]
    program: Option<String>,
    /// Form of the results: text, or json with one object on each line
    #[arg(short = 'f', value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Looks in DIR too for what the scripts import
    #[arg(short = 'I', value_name = "DIR")]
    import_dirs: Vec<PathBuf>,
    /// Leaves out the probes whose name, such as test:NAME, does not match
    #[arg(long, value_name = "REGEX")]
    probe_filter: Option<String>,
    /// Allows scripts to act: system(), signal(), signal_thread()
    #[arg(long = "unsafe")]
    allow_unsafe: bool,
    /// The scripts
    #[arg(required_unless_present = "program")]
    scripts: Vec<String>,
}

/// Runs the tests or benchmarks of all scripts. The exit code is that of the first script that does not end with 0.
pub(super) fn trial(args: &TrialArgs, mode: Mode, color: Color) -> Result<u8, CliError> {
    let run_args = |script: Option<&String>| RunArgs {
        program: args.program.clone(),
        script: script.into_iter().cloned().collect(),
        format: args.format,
        import_dirs: args.import_dirs.clone(),
        probe_filter: args.probe_filter.clone(),
        allow_unsafe: args.allow_unsafe,
        color,
        mode,
        ..RunArgs::default()
    };
    if let [] | [_] = args.scripts.as_slice() {
        return run::run(&run_args(args.scripts.first()));
    }
    let mut code = 0;
    for script in &args.scripts {
        // The others run nevertheless.
        let ended = run::run(&run_args(Some(script))).unwrap_or_else(|error| {
            error.report(color);
            error.exit_code()
        });
        code = if code == 0 { ended } else { code };
    }
    Ok(code)
}
