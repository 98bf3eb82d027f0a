//! Measures one command: CPU time and peak resident memory of it and of the children it waited for.
//!
//! `bench` starts this task as a process of its own for each run, because the kernel keeps these numbers per parent and
//! only as a sum and a maximum over all children so far.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::TaskResult;

/// What one run of a command cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// User and system time, in milliseconds.
    pub cpu_ms: f64,
    /// Peak resident memory, in megabytes (10^6 bytes). Not below that of this small program itself.
    pub peak_mb: f64,
}

/// `xtask measure FILE COMMAND...`: runs the command with its output thrown away and writes the cost to FILE.
pub fn task(words: &[String]) -> TaskResult {
    let [file, program, args @ ..] = words else { return Err("usage: xtask measure FILE COMMAND...".into()) };
    let mut command = Command::new(program);
    let status =
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: TimeVal| time.num_microseconds();
    let cpu = micros(usage.user_time()) + micros(usage.system_time());
    std::fs::write(file, format!("{cpu} {}\n", usage.max_rss()))?;
    Ok(status.success())
}

/// Runs a command in a fresh `xtask measure`.
pub fn measure(command: &[&str], scratch: &Path) -> Result<Cost, Box<dyn std::error::Error>> {
    let file = scratch.join("cost");
    let mut xtask = Command::new(std::env::current_exe()?);
    let status = xtask.arg("measure").arg(&file).args(command).status()?;
    if !status.success() {
        return Err(format!("`{}` failed", command.join(" ")).into());
    }
    let text = std::fs::read_to_string(&file)?;
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(micros)), Some(Ok(kib))) => Ok(Cost { cpu_ms: micros / 1e3, peak_mb: kib * 1024.0 / 1e6 }),
        _ => Err(format!("`xtask measure` wrote {text:?}").into()),
    }
}
