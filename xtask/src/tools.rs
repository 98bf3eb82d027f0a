//! What several tasks share: cargo, the workspace's folders, and the state of the machine that tracing needs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::run::{checked, command_line};

/// The root of the workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target folder.
pub fn target_dir() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.map_or_else(|| root().join("target"), |dir| if dir.is_absolute() { dir } else { root().join(dir) })
}

/// A cargo command in the workspace, with the cargo that runs this task.
pub fn cargo(words: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(words);
    cargo
}

/// Runs a command whose output the user wants to see; failure is an error.
pub fn shown(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let line = command_line(command);
    let status = command.status().map_err(|e| format!("cannot start `{line}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})").into()) }
}

/// Builds gotrace in the release profile and returns the binary's path; `GOTRACE` names another binary instead.
pub fn release_binary() -> Result<PathBuf, Box<dyn Error>> {
    if let Some(named) = std::env::var_os("GOTRACE") {
        return Ok(fs::canonicalize(named)?);
    }
    shown(&mut cargo(&["build", "--quiet", "--release", "--package", "gotrace"]))?;
    Ok(target_dir().join("release/gotrace"))
}

/// An error that says what to do, unless root runs this.
pub fn need_root(task: &str) -> Result<(), Box<dyn Error>> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err(format!("loading BPF programs needs root: run `sudo -E cargo xtask {task}`").into())
    }
}

/// The file systems that tracing uses: a file that shows that one is mounted, its type, its place.
const FILE_SYSTEMS: &[(&str, &str, &str)] = &[
    ("/sys/kernel/tracing/events", "tracefs", "/sys/kernel/tracing"),
    // An empty bpffs shows no file, so its own type is looked up in the list of mounts.
    ("", "bpf", "/sys/fs/bpf"),
];

/// Mounts what a container or a minimal system may have left out.
pub fn mount_file_systems() -> Result<(), Box<dyn Error>> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for (sign, kind, place) in FILE_SYSTEMS {
        let mounted = mounts.lines().any(|line| line.contains(&format!(" {place} {kind} ")));
        if !mounted && (sign.is_empty() || !Path::new(sign).exists()) {
            checked(Command::new("mount").args(["-t", kind, kind, place]))?;
        }
    }
    Ok(())
}
