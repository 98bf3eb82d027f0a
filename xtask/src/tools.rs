//! What several tasks share: cargo, the workspace's folders, and the state of the machine that tracing needs.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::run::{ToolError, checked, command_line};
use harness::{cache, debian};

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

/// A program of crates.io: the user's own, or one built once into the cache, with those options of `cargo install`.
pub fn installed(name: &str, version: &str, options: &[&str]) -> Result<PathBuf, Box<dyn Error>> {
    #[derive(Debug, thiserror::Error)]
    enum Fault {
        #[error(transparent)]
        Cache(#[from] cache::CacheError),
        #[error(transparent)]
        Install(#[from] ToolError),
    }
    if debian::on_path(name) {
        return Ok(name.into());
    }
    let dir = cache::entry(&format!("tools/{name}-{version}"), |dir| {
        println!("building {name} {version}: this happens once and takes some minutes");
        let mut install = cargo(&["install", "--quiet", "--locked", name, "--version", version]);
        // Its own target folder inside the entry would be kept; a plain one is thrown away by cargo.
        install.args(options).env_remove("CARGO_TARGET_DIR").arg("--root").arg(dir);
        checked(&mut install).map(drop).map_err(Fault::from)
    })?;
    Ok(dir.join("bin").join(name))
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
