//! Debian packages without installing them: fetched from the machine's own mirror, for any Debian release.
//!
//! [`crate::toolchain`] takes old Go releases from here. The mirror's address is asked from apt, so none stands in this
//! tree; the private sources list, package lists and archives live in the folder the caller gives.

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
    let work = dir.join("apt");
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |source| DebianError::Io { path, source }
    };
    for sub in ["lists/partial", "archives/partial"] {
        let sub = work.join(sub);
        fs::create_dir_all(&sub).map_err(at(&sub))?;
    }
    let signed = if Path::new(KEYRING).exists() { format!("[signed-by={KEYRING}] ") } else { String::new() };
    let sources = work.join("sources.list");
    fs::write(&sources, format!("deb {signed}{} {suite} main\n", mirror()?)).map_err(at(&sources))?;

    let apt = |verb: &str| {
        let mut apt = Command::new("apt-get");
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        apt.current_dir(&work).arg("-q");
        apt.args(["-o", &option("Dir::Etc::sourcelist", &sources), "-o", "Dir::Etc::sourceparts=-"]);
        apt.args(["-o", &option("Dir::State::lists", &work.join("lists"))]);
        apt.args(["-o", &option("Dir::Cache", &work)]);
        // Only the package index is needed, not descriptions or AppStream data.
        apt.args(["-o", "Acquire::Languages=none", "-o", "APT::Sandbox::User=root", verb]);
        apt
    };
    checked(&mut apt("update"))?;
    checked(apt("download").args(packages))?;
    let listing = fs::read_dir(&work).map_err(at(&work))?;
    for deb in listing.filter_map(Result::ok).map(|entry| entry.path()) {
        if deb.extension().is_some_and(|ext| ext == "deb") {
            checked(Command::new("dpkg").arg("-x").arg(&deb).arg(dir))?;
        }
    }
    fs::remove_dir_all(&work).map_err(at(&work))
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
