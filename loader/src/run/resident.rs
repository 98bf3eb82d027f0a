//! Brings the constants of traced programs into memory, so that probes can read them.
//!
//! A BPF program that interrupts another one cannot wait for a page: memory that the process has not touched yet reads as nothing,
//! also when the file is cached. Arguments often lie in such memory: a constant text is passed on and on, and nobody looks into it
//! until it is printed at the end. So the pages of a program that hold constants and variables are read here once, through
//! `/proc/PID/mem`, which enters them into the process's own tables. Its own code is there when it runs.
//!
//! A process that starts later, and neither by `-c` nor given by `-p`, is not known here; what the kernel takes away again is not
//! brought back.

use std::collections::HashSet;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use inspect::proc::Process;

/// Bytes of a page: reading one of them brings it in.
const PAGE: usize = 4096;

/// Pages that are brought into one process: 256 MiB.
const LIMIT: usize = 1 << 16;

/// The files that are probed, by device and inode.
pub struct Probed(HashSet<(u64, u64)>);

impl Probed {
    /// These files, as far as they are there.
    pub fn new<'a>(paths: impl Iterator<Item = &'a str>) -> Probed {
        Probed(paths.filter_map(|path| identity(path.as_ref())).collect())
    }

    /// Reads the pages that a process has mapped of these files and of its program, which gives its constants to libraries and to the
    /// kernel; but for code. Nothing is said of a process that has ended or is not readable: its memory reads as nothing, and `-k` tells.
    pub fn bring_in(&self, process: &Process) {
        let (Ok(mappings), Ok(memory)) = (process.maps(), File::open(process.memory())) else { return };
        let program = identity(&process.exe());
        let meant = mappings.iter().filter(|mapping| {
            let file = || process.mapped_file(mapping).and_then(|file| identity(&file));
            !mapping.executable && file().is_some_and(|file| Some(file) == program || self.0.contains(&file))
        });
        for page in meant.flat_map(|m| (m.start..m.end).step_by(PAGE)).take(LIMIT) {
            // One page that cannot be read says nothing about the next.
            let _ = memory.read_at(&mut [0], page);
        }
    }

    /// The same for all processes that run one of the files.
    pub fn bring_in_everywhere(&self) {
        let runs = |process: &Process| identity(&process.exe()).is_some_and(|exe| self.0.contains(&exe));
        let all = if self.0.is_empty() { Vec::new() } else { Process::all().unwrap_or_default() };
        all.iter().filter(|process| runs(process)).for_each(|process| self.bring_in(process));
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}
