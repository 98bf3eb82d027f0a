//! Labs of the workshop as a learner has them: set up by `gotrace workshop` with a Go release of the tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{checked, gotrace};
use crate::toolchain::Release;

/// Sets lab `number` up in `parent` and gives its folder, `labNN`.
///
/// # Errors
/// What gotrace, the Go release or the compiler said.
pub fn set_up(number: usize, parent: &Path, release: &'static Release) -> Result<PathBuf, String> {
    let toolchain = release.toolchain().map_err(|e| e.to_string())?;
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(gotrace()?);
    command.args(["workshop", &number.to_string()]).current_dir(parent);
    command.env("PATH", format!("{}:{path}", toolchain.goroot.join("bin").display()));
    // The release's own places; what is for the build itself, the command sets.
    for (name, value) in toolchain.go().get_envs() {
        match (name.to_str(), value) {
            (Some("GOROOT" | "GOCACHE" | "GOPATH" | "GOENV"), Some(value)) => drop(command.env(name, value)),
            (_, None) => drop(command.env_remove(name)),
            _ => {}
        }
    }
    checked(&mut command).map_err(|e| e.to_string())?;
    Ok(parent.join(format!("lab{number:02}")))
}
