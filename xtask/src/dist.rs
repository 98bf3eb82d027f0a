//! `cargo xtask dist`: the binary that users copy to their machines (release profile, stripped, statically linked), and a Debian package
//! of it with the manual page, what completes the command line in shells, the scripts and the licences. With `--arch`, the binary only, for
//! another architecture.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::arch::Arch;
use harness::run::checked;

use crate::TaskResult;
use crate::cross::Rust;
use crate::tools::{cargo, installed, root, shown, target_dir};

/// The largest size the binary may have, in bytes.
pub const LIMIT: u64 = 6_000_000;

/// Builds it, puts it at `target/dist/gotrace`, and tells its size.
pub fn task(words: &[String]) -> TaskResult {
    let arch = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Arch::HERE,
        ["--arch", name] => Arch::named(name).ok_or_else(|| format!("`{name}` is none of amd64, arm64"))?,
        _ => return Err("usage: cargo xtask dist [--arch amd64|arm64]".into()),
    };
    let binary = if arch == Arch::HERE { build()? } else { build_for(arch)? };
    let size = fs::metadata(&binary)?.len();
    println!("{} {:.2} MB (limit {:.0} MB)", binary.display(), mb(size), mb(LIMIT));
    if arch == Arch::HERE {
        println!("{}", package(&binary)?.display());
    }
    Ok(size <= LIMIT)
}

/// Builds the static binary for another architecture.
fn build_for(arch: Arch) -> Result<PathBuf, Box<dyn Error>> {
    let rust = Rust::for_arch(arch)?;
    checked(&mut rust.cargo(&["build", "--quiet", "--release", "--package", "gotrace"]))?;
    let dist = target_dir().join("dist");
    fs::create_dir_all(&dist)?;
    let binary = dist.join(format!("gotrace-{arch}"));
    fs::copy(rust.programs("release").join("gotrace"), &binary)?;
    Ok(binary)
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

/// The release of cargo-deb that the metadata in `loader/Cargo.toml` is written for.
const CARGO_DEB: (&str, &str) = ("cargo-deb", "3.8.0");

/// What the binary itself writes for the package: its words and the name of the file.
const MADE: &[(&[&str], &str)] = &[
    (&["man"], "gotrace.8"),
    (&["completions", "bash"], "gotrace.bash"),
    (&["completions", "zsh"], "_gotrace"),
    (&["completions", "fish"], "gotrace.fish"),
];

/// Makes the Debian package beside the static binary.
fn package(binary: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = host_target()?;
    let dist = binary.parent().ok_or("the binary is in no folder")?;
    // cargo-deb looks for assets of `target/release` in the folder of the target.
    let assets = target_dir().join(&target).join("release");
    for (words, name) in MADE {
        let text = checked(Command::new(binary).args(*words))?;
        fs::write(dist.join(name), &text)?;
        fs::write(assets.join(name), &text)?;
    }
    let (name, version) = CARGO_DEB;
    let cargo_deb = installed(name, version, &[])?;
    let deb = dist.join("gotrace.deb");
    let mut make = Command::new(cargo_deb);
    make.current_dir(root()).args(["--no-build", "--no-strip", "--package", "gotrace", "--target", &target]);
    checked(make.arg("--output").arg(&deb))?;
    Ok(deb)
}

/// The target triple of this machine. Naming it keeps RUSTFLAGS away from build scripts and proc macros.
fn host_target() -> Result<String, Box<dyn Error>> {
    let about = checked(Command::new("rustc").current_dir(root()).arg("-vV"))?;
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("`rustc -vV` names no host")?.to_owned())
}
