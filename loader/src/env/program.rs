//! Go programs as they are recognised from outside of their code: the file that a process runs, as the kernel identifies it, and
//! where threads keep their goroutine.

use super::uprobe;
use inspect::elf::Binary;
use inspect::proc::Process;
use lang::env::{EnvError, FileIdentity, GoProgram};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bits of the minor number in the kernel's `dev_t` (include/linux/kdev_t.h).
const MINOR_BITS: u32 = 20;

/// What is known of a Go program. `name` is how the script, or a message, names it.
pub(super) fn go_program(file: &Binary, name: &str) -> Result<GoProgram, EnvError> {
    let failed = |message: String| EnvError { message, ..EnvError::default() };
    let go = file.go().map_err(|e| failed(e.to_string()))?;
    let go = go.ok_or_else(|| failed(format!("`{name}` is no Go program")))?;
    let file = identity(file.path()).ok_or_else(|| failed(format!("`{name}` cannot be looked at")))?;
    Ok(GoProgram { binary: name.to_owned(), file, goroutine: uprobe::goroutine(go) })
}

/// Device and inode of a file as the kernel's structures have them. `stat` tells other devices on file systems with several
/// (btrfs, overlayfs); the list of mappings tells the kernel's, and an opened binary is mapped.
fn identity(path: &Path) -> Option<FileIdentity> {
    let meta = std::fs::metadata(path).ok()?;
    let real = super::absolute(path);
    let mappings = Process::new(std::process::id()).maps().unwrap_or_default();
    let mapped = mappings.iter().find(|m| m.path.as_deref().is_some_and(|p| Path::new(p) == real));
    let (major, minor, inode) = match mapped {
        Some(mapping) => (mapping.device.0, mapping.device.1, mapping.inode),
        None => (libc::major(meta.dev()), libc::minor(meta.dev()), meta.ino()),
    };
    Some(FileIdentity { device: major << MINOR_BITS | minor, inode })
}
