//! The parts of a virtual machine, each an entry of the cache, from Debian's packages by name: kernel, shell, emulator.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Kernel;
use crate::arch::Arch;
use crate::cache::{self, CacheError};
use crate::debian::{Archive, DebianError};

/// The release whose emulator and shell are used. The emulator comes from its backports: QEMU 7.2 of the release itself emulates
/// `cmpxchg16b` wrongly, which crashes guests.
const SUITE: &str = "bookworm";
const BACKPORTS: &str = "bookworm-backports";

/// The packages of a kernel: one in older releases, image and modules apart in newer ones.
const KERNEL_PACKAGES: &[&str] = &["linux-image-", "linux-binary-", "linux-modules-"];

/// Why a part could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The cache folder could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Debian's packages could not be had.
    #[error("{what} from Debian (needed once, then cached): {source}")]
    Debian {
        /// What was wanted.
        what: String,
        /// Why it could not be had.
        source: DebianError,
    },
    /// The packages do not hold what they should.
    #[error("no {0} in the packages that were fetched")]
    Missing(String),
}

/// The image of the newest kernel that the release has for small machines in the cloud: everything that tracing needs, few drivers.
pub fn kernel(kernel: &Kernel) -> Result<PathBuf, FetchError> {
    let is_image = |name: &str| name.starts_with("vmlinuz");
    let found = ["boot", "usr/lib/modules", "lib/modules"];
    let dir = packages_of(kernel)?;
    let found = found.iter().find_map(|place| file_below(&dir.join(place), &is_image));
    found.ok_or_else(|| FetchError::Missing(format!("vmlinuz of Linux {kernel}")))
}

/// A module of that kernel: `NAME.ko`, or compressed as newer releases have it, `NAME.ko.xz`.
pub fn module(kernel: &Kernel, name: &str) -> Result<PathBuf, FetchError> {
    let dir = packages_of(kernel)?;
    let is_module = |file: &str| file.strip_prefix(name).is_some_and(|end| matches!(end, ".ko" | ".ko.xz"));
    let found = ["usr/lib/modules", "lib/modules"];
    let found = found.iter().find_map(|place| file_below(&dir.join(place), &is_module));
    found.ok_or_else(|| FetchError::Missing(format!("the module {name} of Linux {kernel}")))
}

/// The unpacked packages of a kernel.
fn packages_of(kernel: &Kernel) -> Result<PathBuf, FetchError> {
    let arch = kernel.arch.debian();
    let fill = |dir: &Path| -> Result<(), DebianError> {
        println!("fetching Linux {kernel} from Debian: this happens once");
        let archive = Archive::open(&[kernel.suite], Some(arch), &dir.join("apt"))?;
        let needed = archive.depends(&format!("linux-image-cloud-{arch}"))?;
        // The meta package itself, without a version, holds nothing.
        let has_files = |name: &&String| {
            let version = KERNEL_PACKAGES.iter().find_map(|start| name.strip_prefix(start));
            version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        };
        let packages: Vec<&String> = needed.iter().filter(has_files).collect();
        archive.unpack(&packages, dir)?;
        archive.close()
    };
    entry(&format!("vm/linux-{kernel}-{arch}"), &format!("Linux {kernel}"), fill)
}

/// A file of such a name in a folder or in the folders in it.
fn file_below(dir: &Path, wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let entries: Vec<PathBuf> =
        fs::read_dir(dir).ok()?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let named = |path: &&PathBuf| path.file_name().is_some_and(|name| wanted(&name.to_string_lossy()));
    let here = entries.iter().find(|path| named(path) && path.is_file()).cloned();
    // Links to folders lead out of the packages.
    let folders = entries.iter().filter(|path| path.is_dir() && !path.is_symlink());
    here.or_else(|| folders.into_iter().find_map(|path| file_below(path, wanted)))
}

/// A statically linked busybox: the guest's shell and tools.
pub fn busybox(arch: Arch) -> Result<PathBuf, FetchError> {
    let arch = arch.debian();
    let dir = entry(&format!("vm/busybox-{arch}"), "busybox", |dir| {
        let archive = Archive::open(&[SUITE], Some(arch), &dir.join("apt"))?;
        archive.unpack(&["busybox-static"], dir)?;
        archive.close()
    })?;
    found(dir.join("bin/busybox"))
}

/// An emulator with everything that it needs, down to its C library: it runs on any x86-64 Linux.
#[derive(Debug, Clone)]
pub struct Emulator {
    dir: PathBuf,
    program: PathBuf,
}

/// The emulator of an architecture.
pub fn emulator(arch: Arch) -> Result<Emulator, FetchError> {
    let (package, program) = match arch {
        Arch::Amd64 => ("qemu-system-x86", "qemu-system-x86_64"),
        Arch::Arm64 => ("qemu-system-arm", "qemu-system-aarch64"),
    };
    let dir = entry(&format!("vm/{program}"), "QEMU", |dir| {
        println!("fetching {program} from Debian: this happens once");
        let archive = Archive::open(&[SUITE, BACKPORTS], Some(Arch::Amd64.debian()), &dir.join("apt"))?;
        archive.unpack_whole(&[package], dir)?;
        archive.close()
    })?;
    let program = found(dir.join("usr/bin").join(program))?;
    Ok(Emulator { dir, program })
}

impl Emulator {
    /// A command that runs it, with its own dynamic loader, libraries and data.
    pub fn command(&self) -> Command {
        let at = |path: &str| self.dir.join(path);
        let mut libraries = OsString::new();
        for (i, place) in ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].iter().enumerate() {
            libraries.push(if i == 0 { "" } else { ":" });
            libraries.push(at(place));
        }
        let mut command = Command::new(at("lib64/ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(libraries).arg(&self.program);
        command.arg("-L").arg(at("usr/share/qemu")).arg("-L").arg(at("usr/share/seabios"));
        command
    }
}

fn found(path: PathBuf) -> Result<PathBuf, FetchError> {
    if path.is_file() { Ok(path) } else { Err(FetchError::Missing(path.display().to_string())) }
}

/// A cache entry that is filled from Debian's packages.
fn entry(
    name: &str,
    what: &str,
    fill: impl FnOnce(&Path) -> Result<(), DebianError>,
) -> Result<PathBuf, FetchError> {
    cache::entry(name, |dir| fill(dir).map_err(|source| FetchError::Debian { what: what.to_owned(), source }))
}
