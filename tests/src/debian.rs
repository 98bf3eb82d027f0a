//! Debian packages without installing them: fetched from the machine's own mirror, for any Debian release.
//!
//! [`crate::toolchain`] takes old Go releases from here, [`crate::vm`] kernels and an emulator. The mirror's address is asked from
//! apt, so none stands in this tree; the private sources list, package lists and archives live in the folder the caller gives.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{ToolError, checked};

/// The keyring of Debian's archive; where it is missing, apt's own trusted keys are used.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Why a package could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DebianError {
    /// A program of apt or dpkg failed.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The machine's sources name no Debian archive.
    #[error("apt knows no Debian mirror on this machine (`apt-get indextargets` lists none of Debian's)")]
    NoMirror,
    /// The work folder could not be written or read.
    #[error("cannot prepare {path} for apt: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Unpacks `packages` of the Debian release `suite` into `dir`, as `dpkg -x` does: no scripts run, nothing is installed.
pub fn unpack(suite: &str, packages: &[&str], dir: &Path) -> Result<(), DebianError> {
    let archive = Archive::open(&[suite], None, &dir.join("apt"))?;
    archive.unpack(packages, dir)?;
    archive.close()
}

/// What an architecture's packages of some Debian releases are, seen through an apt of their own: the machine's lists, its
/// sources and what is installed on it have no part in it.
#[derive(Debug)]
pub struct Archive {
    work: PathBuf,
    newest_suite: String,
    architecture: Option<String>,
}

impl Archive {
    /// Fetches the lists of the releases `suites`; of packages that several have, the last one's is taken. `architecture` is one of
    /// Debian's names (`arm64`), or the machine's own when left out. The folder `work` belongs to the archive.
    pub fn open(suites: &[&str], architecture: Option<&str>, work: &Path) -> Result<Archive, DebianError> {
        for sub in ["lists/partial", "archives/partial"] {
            let sub = work.join(sub);
            fs::create_dir_all(&sub).map_err(at(&sub))?;
        }
        let signed =
            if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
        let mirror = mirror()?;
        let lines: Vec<String> =
            suites.iter().map(|suite| format!("deb {signed}{mirror} {suite} main\n")).collect();
        for (file, text) in [("sources.list", lines.concat()), ("status", String::new())] {
            fs::write(work.join(file), text).map_err(at(work))?;
        }
        let archive = Archive {
            work: work.to_path_buf(),
            newest_suite: suites.last().copied().unwrap_or_default().to_owned(),
            architecture: architecture.map(str::to_owned),
        };
        checked(archive.apt("apt-get").arg("update"))?;
        Ok(archive)
    }

    /// Unpacks these packages, and nothing that they depend on, into `dir`.
    pub fn unpack(&self, packages: &[impl AsRef<OsStr>], dir: &Path) -> Result<(), DebianError> {
        checked(self.apt("apt-get").arg("download").args(packages))?;
        self.unpack_all(&self.work, dir)
    }

    /// Unpacks these packages and all that they need to run, down to the C library, into `dir`.
    pub fn unpack_whole(&self, packages: &[&str], dir: &Path) -> Result<(), DebianError> {
        let mut apt = self.apt("apt-get");
        apt.args(["-y", "--no-install-recommends", "--download-only", "-t", &self.newest_suite, "install"]);
        checked(apt.args(packages))?;
        self.unpack_all(&self.work.join("archives"), dir)
    }

    /// The names of a package and of all that it depends on, directly or not.
    pub fn depends(&self, package: &str) -> Result<Vec<String>, DebianError> {
        let mut cache = self.apt("apt-cache");
        cache.args([
            "depends",
            "--recurse",
            "--no-recommends",
            "--no-suggests",
            "--no-breaks",
            "--no-conflicts",
        ]);
        let text = checked(cache.args(["--no-replaces", "--no-enhances", package]))?;
        // A name stands at the start of a line; below it, indented, what it depends on.
        let names = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
        Ok(names.map(str::to_owned).collect())
    }

    /// Removes the lists and the downloaded packages.
    pub fn close(self) -> Result<(), DebianError> {
        fs::remove_dir_all(&self.work).map_err(at(&self.work))
    }

    /// A command of apt that sees this archive only.
    fn apt(&self, program: &str) -> Command {
        let mut apt = Command::new(program);
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        let work = &self.work;
        apt.current_dir(work).arg("-q");
        apt.args(["-o", &option("Dir::Etc::sourcelist", &work.join("sources.list"))]);
        apt.args(["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root"]);
        apt.args(["-o", &option("Dir::State::lists", &work.join("lists"))]);
        apt.args(["-o", &option("Dir::State::status", &work.join("status"))]);
        apt.args(["-o", &option("Dir::Cache", work)]);
        // Only the package index is needed, not descriptions or AppStream data.
        apt.args([
            "-o",
            "Acquire::Languages=none",
            "-o",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
        ]);
        // Without a network this ends soon, and as an error: by default apt goes on with the lists it has, which are none.
        apt.args([
            "-o",
            "APT::Update::Error-Mode=any",
            "-o",
            "Acquire::Retries=2",
            "-o",
            "Acquire::http::Timeout=30",
        ]);
        if let Some(architecture) = &self.architecture {
            apt.args(["-o", &format!("APT::Architecture={architecture}")]);
            apt.args(["-o", &format!("APT::Architectures::={architecture}")]);
        }
        apt
    }

    fn unpack_all(&self, from: &Path, dir: &Path) -> Result<(), DebianError> {
        let listing = fs::read_dir(from).map_err(at(from))?;
        for deb in listing.filter_map(Result::ok).map(|entry| entry.path()) {
            if deb.extension().is_some_and(|ext| ext == "deb") {
                checked(Command::new("dpkg").arg("-x").arg(&deb).arg(dir))?;
                fs::remove_file(&deb).map_err(at(&deb))?;
            }
        }
        Ok(())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> DebianError {
    let path = path.to_path_buf();
    move |source| DebianError::Io { path, source }
}

/// Installs `packages` of the machine's own release when the program each brings is missing.
///
/// `packages` pairs a program with the package that has it. Package lists are refreshed only when something is missing.
pub fn install(packages: &[(&str, &str)]) -> Result<(), DebianError> {
    let missing: Vec<&str> =
        packages.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    checked(Command::new("apt-get").args(["-q", "update"]))?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y", "--no-install-recommends", "install"]);
    checked(apt.args(missing))?;
    Ok(())
}

/// Whether a program of this name stands in `PATH` or where Debian keeps administrators' programs.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(sbin).any(|dir| dir.join(program).is_file())
}

/// The address of the Debian archive that this machine uses.
fn mirror() -> Result<String, DebianError> {
    if let Some(found) = first_debian(&index_targets()?) {
        return Ok(found);
    }
    // A fresh container has no package lists, and apt learns an archive's origin from them.
    checked(Command::new("apt-get").args(["-q", "update"]))?;
    first_debian(&index_targets()?).ok_or(DebianError::NoMirror)
}

fn index_targets() -> Result<String, ToolError> {
    let format = "$(ORIGIN)|$(LABEL)|$(REPO_URI)";
    checked(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))
}

/// The first repository of `ORIGIN|LABEL|URI` lines that is Debian's main archive (not security, not a third party's).
fn first_debian(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| line.strip_prefix("Debian|Debian|")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_archive_is_chosen_among_others() {
        let targets = "Debian|Debian-Security|mirror/security/\nSomeone|Debian|other/\n\
                       Debian|Debian|mirror/debian/\nDebian|Debian|second/\n";
        assert_eq!(first_debian(targets).as_deref(), Some("mirror/debian/"));
        assert_eq!(first_debian("$(ORIGIN)|$(LABEL)|mirror/\n"), None);
    }

    #[test]
    fn programs_are_looked_up_in_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }
}
