//! Iterators (Linux 5.8, with BTF): a link ties the program to a kind of object, each file opened on it is one walk, and reading the file
//! runs the program for each object. The run makes the walk when everything is attached ([`Walk`]).

use super::{Attached, Failure, Scope};
use crate::sys::link::{self, Walked};
use crate::sys::probe::Feature;
use lang::hir::{Action, Iter, Probe, StmtKind, visit_all};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Where relative names of pinned iterators lie.
const BPF_FS: &str = "/sys/fs/bpf";

/// Iterators that walk inside one map, which must be named by its descriptor.
const OF_ONE_MAP: [&str; 3] = ["bpf_map_elem", "bpf_sk_storage_map", "sockmap"];

/// A walk that is to be made.
#[derive(Debug)]
pub struct Walk {
    /// The file whose reading makes it.
    pub file: File,
    /// Whether an object can make many records, or end the run: then they are visited one by one.
    pub one_by_one: bool,
}

/// Ties the program to its objects; with a path, leaves it there.
pub(super) fn attach(
    program: BorrowedFd<'_>,
    probe: &Probe,
    iter: &Iter,
    scope: Scope,
    attached: &mut Attached,
) -> Result<(), Failure> {
    if OF_ONE_MAP.contains(&iter.object.as_str()) {
        return Err(Failure {
            what: format!("iter:{} walks inside one map of BPF, which the script cannot name", iter.object),
            help: Some("`iter:bpf_map` walks over all maps; `bpftool map dump` shows what is in one".into()),
        });
    }
    let walked = match scope.pid {
        // Without the feature, the program leaves out other processes itself.
        Some(pid) if iter.of_threads() && Feature::IterOfProcess.check().is_ok() => Walked::Process(pid),
        _ if iter.object == "cgroup" => Walked::Hierarchy,
        _ => Walked::All,
    };
    let link = link::iter(program, walked).map_err(|e| {
        let mut failure = Failure::new("the iterator was refused", &e);
        if e.raw_os_error() == Some(libc::EINVAL) && walked != Walked::All {
            failure.help = Some("Linux walks over control groups since 6.1".into());
        }
        failure
    })?;
    attached.sites += 1;
    match &iter.pin {
        Some(pin) => {
            let path = pin_path(pin);
            link::pin(link.as_fd(), &path).map_err(|e| pin_failure(&path, &e))?;
            attached.pinned.push(path);
        }
        None => {
            let file = link::walk(link.as_fd())
                .map_err(|e| Failure::new("the file of the iterator was refused", &e))?;
            attached
                .walks
                .push(Walk { file: file.into(), one_by_one: sends_in_loops(probe) || can_exit(probe) });
        }
    }
    attached.links.push(link);
    Ok(())
}

/// An absolute path as it is, a name below the BPF file system.
fn pin_path(pin: &str) -> PathBuf {
    Path::new(BPF_FS).join(pin)
}

fn pin_failure(path: &Path, error: &io::Error) -> Failure {
    let mut failure = Failure::new(&format!("cannot pin it to {}", path.display()), error);
    failure.help = match error.raw_os_error() {
        Some(libc::EEXIST) => Some(format!("remove what is there: `rm {}`", path.display())),
        Some(libc::EPERM | libc::EINVAL) => {
            Some(format!("the file must be in a BPF file system, such as {BPF_FS} where that is mounted"))
        }
        _ => failure.help,
    };
    failure
}

fn sends_in_loops(probe: &Probe) -> bool {
    let mut found = false;
    visit_all(&probe.body, &mut |stmt| {
        if let StmtKind::Loop { body, .. } = &stmt.kind {
            visit_all(body, &mut |stmt| found |= matches!(stmt.kind, StmtKind::Emit { .. }));
        }
    });
    found
}

fn can_exit(probe: &Probe) -> bool {
    let mut found = false;
    visit_all(&probe.body, &mut |stmt| {
        found |= matches!(stmt.kind, StmtKind::Emit { action: Action::Exit, .. });
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_below_the_file_system() {
        assert_eq!(pin_path("tasks"), Path::new("/sys/fs/bpf/tasks"));
        assert_eq!(pin_path("/mnt/bpf/tasks"), Path::new("/mnt/bpf/tasks"));
    }
}
