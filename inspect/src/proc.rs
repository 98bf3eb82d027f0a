//! A process as `/proc/PID` shows it: name, executable, start time, namespaces and memory mappings. Parsers
//! are pure; [`Process`] reads the files, each time anew, because they change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A process by its id (in this program's pid namespace).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    folder: PathBuf,
}

/// A line of `/proc/PID/maps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Whether instructions may be executed from it.
    pub executable: bool,
    /// Whether it may be written.
    pub writable: bool,
    /// Offset in the file of the first byte.
    pub offset: u64,
    /// Device of the file, major and minor number.
    pub device: (u32, u32),
    /// Inode of the file; 0 for memory without a file.
    pub inode: u64,
    /// What it maps: a path (in the process's own file system), or a name in brackets like `[stack]`; `None`
    /// for nameless memory.
    pub path: Option<String>,
    /// The file has been unlinked since.
    pub deleted: bool,
}

/// What the kernel appends to the path of an unlinked file.
const DELETED: &str = " (deleted)";

impl Mapping {
    /// Whether it maps a file (and not anonymous memory or a kernel-made area).
    pub fn is_file(&self) -> bool {
        self.inode != 0 && self.path.as_deref().is_some_and(|path| path.starts_with('/'))
    }

    /// Offset in the file of the byte at `addr`.
    pub fn file_offset(&self, addr: u64) -> Option<u64> {
        (self.start..self.end).contains(&addr).then(|| self.offset.checked_add(addr - self.start))?
    }
}

/// Parses the text of a `maps` file. Lines that are not understood are left out.
pub fn parse_maps(text: &str) -> Vec<Mapping> {
    text.lines().filter_map(parse_mapping).collect()
}

fn parse_mapping(line: &str) -> Option<Mapping> {
    // START-END PERMS OFFSET MAJOR:MINOR INODE   PATH: the path may contain spaces.
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let (major, minor) = fields.next()?.split_once(':')?;
    let inode = fields.next()?.parse().ok()?;
    let path = fields.next().map(str::trim_start).filter(|path| !path.is_empty());
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let small = |text: &str| u32::from_str_radix(text, 16).ok();
    let (path, deleted) = match path.and_then(|path| path.strip_suffix(DELETED)) {
        Some(rest) => (Some(rest), true),
        None => (path, false),
    };
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        executable: permissions.as_bytes().get(2) == Some(&b'x'),
        writable: permissions.as_bytes().get(1) == Some(&b'w'),
        offset: hex(offset)?,
        device: (small(major)?, small(minor)?),
        inode,
        path: path.map(unescape),
        deleted,
    })
}

/// The kernel writes a newline in a path as `\012`.
fn unescape(path: &str) -> String {
    path.replace("\\012", "\n")
}

/// Start time of a process from the text of its `stat` file: clock ticks since boot (field 22). Together with
/// the pid it names a process for good.
pub fn parse_start_time(stat: &str) -> Option<u64> {
    // The name (field 2) may contain spaces and parentheses: count from the last one.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(19)?.parse().ok()
}

impl Process {
    /// The process with that id; nothing is read yet.
    pub fn new(pid: u32) -> Process {
        Process { pid, folder: PathBuf::from(format!("/proc/{pid}")) }
    }

    /// All processes of the machine that the caller can see.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn all() -> Result<Vec<Process>, Error> {
        let path = Path::new("/proc");
        let entries = fs::read_dir(path).map_err(|e| Error::io(path, e))?;
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        Ok(pids.map(Process::new).collect())
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it exists (it may be a zombie).
    pub fn exists(&self) -> bool {
        self.folder.exists()
    }

    /// Name of its main thread, at most 15 bytes.
    ///
    /// # Errors
    /// When it is gone or not readable; so for all methods here.
    pub fn comm(&self) -> Result<String, Error> {
        Ok(self.read("comm")?.trim_end_matches('\n').to_string())
    }

    /// Path of its executable as this program can open it, whatever file system the process sees and even
    /// when the file has been unlinked: `/proc/PID/exe`.
    pub fn exe(&self) -> PathBuf {
        self.folder.join("exe")
    }

    /// Path of its memory, to be read at addresses: `/proc/PID/mem`.
    pub fn memory(&self) -> PathBuf {
        self.folder.join("mem")
    }

    /// Path of its executable in its own file system.
    ///
    /// # Errors
    /// See [`Process::comm`].
    pub fn exe_name(&self) -> Result<PathBuf, Error> {
        let link = self.exe();
        let path = fs::read_link(&link).map_err(|e| Error::io(&link, e))?;
        let text = path.to_string_lossy();
        Ok(text.strip_suffix(DELETED).map_or_else(|| path.clone(), PathBuf::from))
    }

    /// A variable of the environment that its program was started with; `None` if it was not set or may not be read.
    pub fn variable(&self, name: &str) -> Option<String> {
        let environment = self.read("environ").ok()?;
        let mut variables = environment.split('\0').filter_map(|variable| variable.split_once('='));
        variables.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    }

    /// Its current folder, in its own file system.
    ///
    /// # Errors
    /// See [`Process::comm`].
    pub fn current_folder(&self) -> Result<PathBuf, Error> {
        let link = self.folder.join("cwd");
        fs::read_link(&link).map_err(|e| Error::io(&link, e))
    }

    /// Clock ticks after boot at which it started.
    ///
    /// # Errors
    /// See [`Process::comm`].
    pub fn start_time(&self) -> Result<u64, Error> {
        let text = self.read("stat")?;
        parse_start_time(&text).ok_or_else(|| Error::format(&self.folder.join("stat"), "no start time"))
    }

    /// Device and inode of its pid namespace, as `bpf_get_ns_current_pid_tgid` wants them.
    ///
    /// # Errors
    /// See [`Process::comm`].
    pub fn pid_namespace(&self) -> Result<(u64, u64), Error> {
        let path = self.folder.join("ns/pid");
        let meta = fs::metadata(&path).map_err(|e| Error::io(&path, e))?;
        Ok((meta.dev(), meta.ino()))
    }

    /// Its ids from this program's namespace to its own (`NSpid`).
    ///
    /// # Errors
    /// See [`Process::comm`].
    pub fn namespace_pids(&self) -> Result<Vec<u32>, Error> {
        let text = self.read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
        Ok(line.split_ascii_whitespace().filter_map(|n| n.parse().ok()).collect())
    }

    /// Its memory mappings, in order of address.
    ///
    /// # Errors
    /// See [`Process::comm`].
    pub fn maps(&self) -> Result<Vec<Mapping>, Error> {
        Ok(parse_maps(&self.read("maps")?))
    }

    /// A path of its file system (it may run in a container) as this program can open it.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.folder.join("root").join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether it sees the file system that this program sees. A process that has ended has none any more, not even before it was
    /// waited for: ours is the best guess.
    pub fn shares_files(&self) -> bool {
        let same = |file: &str, own: &str| {
            let of = identity(&self.folder.join(file));
            of.is_none() || of == identity(Path::new(own))
        };
        same("ns/mnt", "/proc/self/ns/mnt") && same("root/.", "/")
    }

    /// A mapped file as this program can open it, also one that has been unlinked or replaced since, or that lies behind another
    /// mount or root: then by the mapping itself, where the kernel allows it (`CAP_SYS_ADMIN` or `CAP_CHECKPOINT_RESTORE`). `None` when
    /// it cannot be opened.
    pub fn mapped_file(&self, mapping: &Mapping) -> Option<PathBuf> {
        let path = Path::new(mapping.path.as_deref().filter(|_| mapping.is_file())?);
        let its = self.resolve(path);
        let mapped = self.folder.join(format!("map_files/{:x}-{:x}", mapping.start, mapping.end));
        let is_it = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.ino() == mapping.inode);
        // `maps` shows paths from this program's root on, where they can be reached from there.
        let found = [&*its, path].into_iter().filter(|_| !mapping.deleted).find(|path| is_it(path));
        // A file of layers (overlayfs) may have another number than what is mapped of it.
        let found = found.or_else(|| [&*mapped, &*its].into_iter().find(|path| path.exists()));
        found.map(Path::to_owned)
    }

    fn read(&self, file: &str) -> Result<String, Error> {
        let path = self.folder.join(file);
        let bytes = fs::read(&path).map_err(|e| match e.raw_os_error() {
            // The process ended while its file was open.
            Some(ESRCH) => Error::NotFound { path: path.clone() },
            _ => Error::io(&path, e),
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Device and inode.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// `errno` of a process that is gone (`include/uapi/asm-generic/errno-base.h`).
const ESRCH: i32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps() {
        let text = "\
00400000-00452000 r-xp 00002000 08:02 173521      /usr/bin/with space (x)
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
35b1a21000-35b1a22000 rw-p 00000000 00:00 0
7f00-7f80 r--s 00000000 fe:1f 12 /tmp/gone (deleted)
nonsense
";
        let maps = parse_maps(text);
        assert_eq!(maps.len(), 4);
        let first = &maps[0];
        assert_eq!((first.start, first.end, first.offset), (0x40_0000, 0x45_2000, 0x2000));
        assert_eq!(
            (first.executable, first.writable, first.device, first.inode),
            (true, false, (8, 2), 173_521)
        );
        assert_eq!(first.path.as_deref(), Some("/usr/bin/with space (x)"));
        assert_eq!(first.file_offset(0x40_0010), Some(0x2010));
        assert_eq!(first.file_offset(0x45_2000), None);
        assert!(first.is_file() && !maps[1].is_file() && !maps[2].is_file());
        assert_eq!(maps[2].path, None);
        assert_eq!(
            (maps[3].path.as_deref(), maps[3].deleted, maps[3].device),
            (Some("/tmp/gone"), true, (0xfe, 0x1f))
        );
    }

    #[test]
    fn start_time_behind_an_odd_name() {
        let stat = "10955 (a) b (c) R 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 200063 21";
        assert_eq!(parse_start_time(stat), Some(200_063));
        assert_eq!(parse_start_time("1 (x) R 1"), None);
        assert_eq!(parse_start_time(""), None);
    }

    #[test]
    fn this_process() {
        let me = Process::new(std::process::id());
        assert!(me.exists());
        assert!(me.start_time().expect("own start time") > 0);
        assert_eq!(me.exe_name().expect("own path"), std::env::current_exe().expect("own path"));
        assert_eq!(me.current_folder().expect("own folder"), std::env::current_dir().expect("own folder"));
        assert_eq!(me.variable("PATH"), std::env::var("PATH").ok());
        assert_eq!(me.variable("PAT"), None);
        assert_eq!(me.namespace_pids().expect("own ids").last(), Some(&me.pid()));
        let maps = me.maps().expect("own maps");
        let here = this_process as *const () as u64;
        let mapping = maps.iter().find(|m| m.file_offset(here).is_some()).expect("own code is mapped");
        assert!(mapping.executable && mapping.is_file());
        assert!(me.mapped_file(mapping).is_some_and(|path| path.exists()));
        assert!(matches!(Process::new(u32::MAX).comm(), Err(Error::NotFound { .. })));
    }
}
