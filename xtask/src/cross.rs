//! Rust for another architecture: what builds gotrace and its tests for the processor of a virtual machine, and for `dist --arch`.
//!
//! C libraries and linker are those of GNU's cross compiler, a Debian package. The standard library is the installed toolchain's, if it
//! has the target (`rustup target add aarch64-unknown-linux-gnu`); else the compiler of Debian's development release and its standard
//! libraries for both architectures are fetched into the cache, where they run with their own C library, and nothing is installed.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::arch::Arch;
use harness::cache::{self, CacheError};
use harness::debian::{self, Archive, DebianError};
use harness::run::checked;

use crate::tools::{cargo, root, target_dir};

/// The release of Debian whose compiler is new enough for this project.
const SUITE: &str = "sid";
/// What the compiler needs to run, and programs that it makes for this machine (build scripts): all that this package depends on.
const LIBRARIES: &str = "libstd-rust-dev";
/// The compiler. What it depends on besides its libraries (a linker) is this machine's own.
const COMPILER: &str = "rustc";
/// Runs the compiler of the folder that it lies in.
const WRAPPER: &str = r#"#!/bin/sh
root=$(dirname "$0")
exec "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \
    "$root/usr/bin/rustc" --sysroot "$root/usr" "$@"
"#;

/// The profile of programs for virtual machines (`Cargo.toml`).
pub const PROFILE: &str = "cross";

/// What compiles for an architecture that is not this machine's.
#[derive(Debug, Clone)]
pub struct Rust {
    arch: Arch,
    /// The compiler, where it is not the one that cargo runs by itself.
    compiler: Option<PathBuf>,
}

/// Why Rust for another architecture could not be had.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error("Rust's standard library for {arch} is not installed (`rustup target add {}`), nor to be had from Debian: {source}", arch.rust())]
    Debian { arch: Arch, source: DebianError },
    #[error("cannot write {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

impl Rust {
    /// Finds the parts, fetches what is missing.
    pub fn for_arch(arch: Arch) -> Result<Rust, Box<dyn Error>> {
        let linker = arch.tool("gcc");
        debian::install(&[(&linker, &format!("gcc-{}", arch.gnu()))])?;
        let sysroot = checked(Command::new("rustc").current_dir(root()).args(["--print", "sysroot"]))?;
        let library = Path::new(sysroot.trim()).join("lib/rustlib").join(arch.rust());
        let compiler =
            if library.join("lib").is_dir() { None } else { Some(from_debian(arch)?.join("rustc")) };
        Ok(Rust { arch, compiler })
    }

    /// A cargo command for the architecture, whose programs are linked statically: a guest has no C library.
    pub fn cargo(&self, words: &[&str]) -> Command {
        let target = self.arch.rust();
        let variable = target.replace('-', "_").to_uppercase();
        let mut command = cargo(words);
        command
            .args(["--target", target])
            .env(format!("CARGO_TARGET_{variable}_LINKER"), self.arch.tool("gcc"))
            // glibc is linked statically, as `dist` does.
            .env(format!("CARGO_TARGET_{variable}_RUSTFLAGS"), "-C target-feature=+crt-static");
        if let Some(compiler) = &self.compiler {
            command.env("RUSTC", compiler);
        }
        command
    }

    /// Where cargo puts programs of a profile.
    pub fn programs(&self, profile: &str) -> PathBuf {
        target_dir().join(self.arch.rust()).join(profile)
    }
}

/// The compiler of Debian's development release, as it was when it was fetched, with standard libraries for this machine and for `arch`.
fn from_debian(arch: Arch) -> Result<PathBuf, Fault> {
    cache::entry(&format!("rust/debian-{arch}"), |dir| {
        println!("fetching Rust for {arch} from Debian: this happens once");
        unpack(arch, dir).map_err(|source| Fault::Debian { arch, source })?;
        let wrapper = dir.join("rustc");
        fs::write(&wrapper, WRAPPER)
            .and_then(|()| fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)))
            .map_err(|source| Fault::Io { path: wrapper, source })
    })
}

fn unpack(arch: Arch, dir: &Path) -> Result<(), DebianError> {
    let archive = Archive::open(&[SUITE], Some(Arch::HERE.debian()), &dir.join("apt"))?;
    archive.unpack_whole(&[LIBRARIES], dir)?;
    archive.unpack(&[COMPILER], dir)?;
    archive.close()?;
    let archive = Archive::open(&[SUITE], Some(arch.debian()), &dir.join("apt"))?;
    archive.unpack(&[LIBRARIES], dir)?;
    archive.close()
}
