//! Names of code that a program made while it ran: `/tmp/perf-PID.map`, which virtual machines with a compiler (Node.js, Java, .NET, …)
//! write for tracers. A line is `START SIZE NAME`, the numbers in hexadecimal (`tools/perf/Documentation/jit-interface.txt` of Linux).

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::proc::Process;

/// The largest file that is read: its writer is not trusted.
const LARGEST: u64 = 1 << 28;

/// The functions of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerfMap {
    /// In order of address; of several at one address the last one in the file is the newest.
    functions: Vec<Function>,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its first address.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its name.
    pub name: String,
}

impl PerfMap {
    /// Where a process has its file: in its own file system, under its id there.
    pub fn path(process: &Process) -> PathBuf {
        process.resolve(&PerfMap::seen(process))
    }

    /// Where its file is found when the process is gone: `None` if it is in a file system that this program does not see.
    pub fn left_by(process: &Process) -> Option<PathBuf> {
        process.shares_files().then(|| PerfMap::seen(process))
    }

    /// The path of its file as it sees it.
    fn seen(process: &Process) -> PathBuf {
        let own = process.namespace_pids().ok().and_then(|ids| ids.last().copied());
        PathBuf::from(format!("/tmp/perf-{}.map", own.unwrap_or(process.pid())))
    }

    /// Reads a file. `owner` is the user that the process runs as, if that is known: a file of another one, root aside, is not its.
    ///
    /// # Errors
    /// [`Error::NotFound`] and its like; [`Error::Format`] for a file of somebody else, or one that is too large.
    pub fn open(path: &Path, owner: Option<u32>) -> Result<PerfMap, Error> {
        let io = |e| Error::io(path, e);
        let file = File::open(path).map_err(io)?;
        let meta = file.metadata().map_err(io)?;
        if !meta.is_file() || meta.len() > LARGEST {
            return Err(Error::format(path, "no file of a size that makes sense"));
        }
        if meta.uid() != 0 && owner.is_some_and(|owner| owner != meta.uid()) {
            return Err(Error::format(path, "the file of another user"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).map_err(io)?;
        Ok(PerfMap::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// The functions of a text. Lines that are not understood are left out: the last one may be half written.
    pub fn parse(text: &str) -> PerfMap {
        let mut functions: Vec<Function> = text.lines().filter_map(parse_line).collect();
        functions.sort_by_key(|f| f.start);
        PerfMap { functions }
    }

    /// The function that covers an address.
    pub fn lookup(&self, address: u64) -> Option<&Function> {
        let after = self.functions.partition_point(|f| f.start <= address);
        self.functions.get(..after)?.last().filter(|f| address - f.start < f.size)
    }
}

fn parse_line(line: &str) -> Option<Function> {
    let (start, rest) = line.split_once(' ')?;
    let (size, name) = rest.split_once(' ')?;
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    Some(Function { start: hex(start)?, size: hex(size)?, name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_address() {
        let text =
            "1000 10 first\n0x2000 0x8 LazyCompile:*f a.js:1\n1000 20 again\nnonsense\n3000 zz x\n4000 10";
        let map = PerfMap::parse(text);
        let name = |address| map.lookup(address).map(|f| f.name.as_str());
        assert_eq!(name(0xfff), None);
        assert_eq!(name(0x1000), Some("again"));
        assert_eq!(name(0x101f), Some("again"));
        assert_eq!(name(0x1020), None);
        assert_eq!(name(0x2007), Some("LazyCompile:*f a.js:1"));
        assert_eq!(name(0x2008), None);
        assert_eq!(map.functions.len(), 3);
    }

    #[test]
    fn a_file_of_somebody_else_is_not_taken() {
        let path = std::env::temp_dir().join(format!("perf-of-{}.map", std::process::id()));
        std::fs::write(&path, "1000 10 f\n").expect("a file");
        let owner = std::fs::metadata(&path).expect("the file").uid();
        assert!(PerfMap::open(&path, Some(owner)).is_ok_and(|map| map.lookup(0x1001).is_some()));
        if owner != 0 {
            assert!(PerfMap::open(&path, Some(owner + 1)).is_err());
        }
        std::fs::remove_file(&path).expect("the file");
    }

    #[test]
    fn a_process_that_is_gone_had_it_here() {
        let left = |pid: u32| PerfMap::left_by(&Process::new(pid));
        assert_eq!(left(u32::MAX).as_deref(), Some(Path::new("/tmp/perf-4294967295.map")));
        let me = std::process::id();
        assert_eq!(left(me), Some(PathBuf::from(format!("/tmp/perf-{me}.map"))));
    }
}
