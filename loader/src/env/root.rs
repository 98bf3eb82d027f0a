//! The file system that names of files are looked up in: our own, or that of a traced process, which may run in a container.

use inspect::proc::Process;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Symbolic links that are followed in a path, as many as the kernel follows.
const LINKS: usize = 40;

/// Device and inode of a file.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().map(|meta| (meta.dev(), meta.ino())).ok()
}

/// The file system that names are looked up in.
pub(super) enum Root {
    /// Our own.
    Own,
    /// That of a process in another mount namespace, or with another root.
    Of(Process),
}

/// The file system of a process, our own without one.
pub(super) fn root_of(process: Option<&Process>) -> Root {
    match process {
        Some(process) if !process.shares_files() => Root::Of(process.clone()),
        _ => Root::Own,
    }
}

impl Root {
    /// The path by which this program opens a file of it.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        match self {
            Root::Of(process) if path.is_absolute() => within(process, path),
            _ => path.to_owned(),
        }
    }
}

/// A path in the file system of a process, symbolic links followed there: opened through `/proc/PID/root`, those to absolute paths would
/// lead into our own file system.
fn within(process: &Process, path: &Path) -> PathBuf {
    let mut links = 0;
    let mut done = PathBuf::from("/");
    let mut rest: Vec<PathBuf> = path.components().rev().map(|c| PathBuf::from(c.as_os_str())).collect();
    while let Some(part) = rest.pop() {
        match part.components().next() {
            Some(Component::RootDir) => done = PathBuf::from("/"),
            Some(Component::ParentDir) => {
                done.pop();
            }
            Some(Component::Normal(name)) => {
                let next = done.join(name);
                match process.resolve(&next).read_link() {
                    Ok(target) if links < LINKS => {
                        links += 1;
                        rest.extend(target.components().rev().map(|c| PathBuf::from(c.as_os_str())));
                    }
                    _ => done = next,
                }
            }
            _ => {}
        }
    }
    process.resolve(&done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;

    #[test]
    fn paths_in_the_file_system_of_a_process() {
        let me = Process::new(std::process::id());
        let folder = env::temp_dir().join(format!("gotrace-within-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        std::os::unix::fs::symlink("/proc/../etc/x", folder.join("link")).expect("a link");
        let etc = |name: &str| format!("/proc/{}/root{name}", std::process::id());
        assert_eq!(within(&me, &folder.join("link")), Path::new(&etc("/etc/x")));
        assert_eq!(within(&me, &folder.join("link/../y")), Path::new(&etc("/etc/y")));
        std::fs::remove_dir_all(&folder).expect("the folder");
    }
}
