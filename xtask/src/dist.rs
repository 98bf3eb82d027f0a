//! `cargo xtask dist`: the binary that users copy to their machines: release profile, stripped, statically linked.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::run::checked;

use crate::TaskResult;
use crate::tools::{cargo, root, shown, target_dir};

/// The largest size the binary may have, in bytes.
pub const LIMIT: u64 = 6_000_000;

/// Builds it, puts it at `target/dist/gotrace`, and tells its size.
pub fn task(_words: &[String]) -> TaskResult {
    let binary = build()?;
    let size = fs::metadata(&binary)?.len();
    println!("{} {:.2} MB (limit {:.0} MB)", binary.display(), mb(size), mb(LIMIT));
    Ok(size <= LIMIT)
}

/// Bytes as megabytes.
pub fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Builds the static binary. glibc is linked statically: the musl target's standard library is not on every machine.
pub fn build() -> Result<PathBuf, Box<dyn Error>> {
    let target = host_target()?;
    let mut build = cargo(&["build", "--quiet", "--release", "--package", "gotrace", "--target", &target]);
    shown(build.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    let dist = target_dir().join("dist");
    fs::create_dir_all(&dist)?;
    let binary = dist.join("gotrace");
    fs::copy(target_dir().join(&target).join("release/gotrace"), &binary)?;
    Ok(binary)
}

/// The target triple of this machine. Naming it keeps RUSTFLAGS away from build scripts and proc macros.
fn host_target() -> Result<String, Box<dyn Error>> {
    let about = checked(Command::new("rustc").current_dir(root()).arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}
