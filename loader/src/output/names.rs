//! Names of the numbers that a script prints by name: users, threads, errors, signals, system calls, control groups.
//!
//! Looked up when something is printed; what has no name any more, or never had one, is shown as its number.

use crate::sys::names;
use inspect::glob::Glob;
use lang::types::NameOf;
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of a number.
#[must_use]
pub fn of(id: u64, of: &NameOf) -> String {
    match of {
        NameOf::User => u32::try_from(id).ok().and_then(names::user).unwrap_or_else(|| id.to_string()),
        NameOf::Thread => thread(id),
        NameOf::Errno => names::error(id as i32),
        NameOf::Signal => names::signal(id as i32),
        NameOf::Syscall => {
            syscall(id).map_or_else(|| format!("Unknown syscall {}", id as i64), str::to_owned)
        }
        NameOf::Cgroup(filter) => cgroup(id, filter),
    }
}

fn thread(id: u64) -> String {
    let name = std::fs::read_to_string(format!("/proc/{id}/comm"));
    name.map_or_else(|_| id.to_string(), |name| name.trim_end().to_owned())
}

fn syscall(number: u64) -> Option<&'static str> {
    syscalls::Sysno::new(usize::try_from(number).ok()?).map(|s| s.name())
}

/// `hierarchy:path` for each hierarchy that has a group of that id.
fn cgroup(id: u64, filter: &str) -> String {
    let found: Vec<String> = hierarchies()
        .into_iter()
        .filter(|(name, _)| filter.is_empty() || Glob::new(filter).matches(name))
        .filter_map(|(name, root)| Some(format!("{name}:{}", find_group(&root, id)?)))
        .collect();
    if found.is_empty() { id.to_string() } else { found.join(",") }
}

/// Names and directories of the mounted hierarchies: `unified` of version 2, the controllers of version 1.
fn hierarchies() -> Vec<(String, PathBuf)> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    // A hierarchy may be mounted in several places.
    let mut devices = HashSet::new();
    let hierarchy = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        let name = match kind {
            "cgroup2" => "unified".to_owned(),
            "cgroup" => Path::new(at).file_name()?.to_string_lossy().into_owned(),
            _ => return None,
        };
        let root = PathBuf::from(at);
        let device = std::fs::metadata(&root).ok()?.dev();
        devices.insert(device).then_some((name, root))
    };
    mounts.lines().filter_map(hierarchy).collect()
}

/// Deepest nesting of groups that is searched.
const MAX_DEPTH: usize = 64;

/// Path within a hierarchy of the group whose directory has that inode: the id of a group is its inode.
fn find_group(root: &Path, id: u64) -> Option<String> {
    let mut waiting = vec![(root.to_owned(), 0)];
    while let Some((dir, depth)) = waiting.pop() {
        if std::fs::metadata(&dir).is_ok_and(|m| m.ino() == id) {
            let inner = dir.strip_prefix(root).unwrap_or(&dir);
            return Some(format!("/{}", inner.display()));
        }
        if depth < MAX_DEPTH {
            let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
            let dirs = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
            waiting.extend(dirs.map(|e| (e.path(), depth + 1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_name_stay_numbers() {
        assert_eq!(of(0, &NameOf::User), "root");
        assert_eq!(of(u64::MAX, &NameOf::User), u64::MAX.to_string());
        assert_eq!(of(u64::MAX, &NameOf::Thread), u64::MAX.to_string());
        assert_eq!(of(99999, &NameOf::Syscall), "Unknown syscall 99999");
        assert_eq!(of(u64::MAX, &NameOf::Cgroup("".into())), u64::MAX.to_string());
    }

    #[test]
    fn system_calls_of_this_machine() {
        assert_eq!(of(libc::SYS_write as u64, &NameOf::Syscall), "write");
        assert_eq!(of(libc::SYS_openat as u64, &NameOf::Syscall), "openat");
    }

    #[test]
    fn threads_have_names() {
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(of(std::process::id().into(), &NameOf::Thread), own.trim_end());
    }
}
