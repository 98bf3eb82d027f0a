//! Finds the files of a program or library name in an attach point: `./web`, `/usr/bin/bash`, `bash`, `libc`, `/usr/lib/*/libz.so.1`; with a traced
//! process (`-p`) as that one sees them, which may run in a container.

use inspect::glob::Glob;
use inspect::ldcache;
use inspect::proc::Process;
use lang::env::EnvError;
use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Where the dynamic linker looks by default, on Debian-like and other systems.
const LIBRARY_FOLDERS: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib",
];

/// Symbolic links that are followed in a path, as many as the kernel follows.
const LINKS: usize = 40;

/// The files of a name with or without wildcards, as this program opens them.
///
/// # Errors
/// As [`locate`]; also a pattern that matches no file.
pub(super) fn locate_all(name: &str, process: Option<u32>) -> Result<Vec<PathBuf>, EnvError> {
    let process = process.map(Process::new);
    if !name.contains('*') {
        return locate(name, process.as_ref()).map(|path| vec![path]);
    }
    let found = expand(name, &root_of(process.as_ref()));
    if found.is_empty() {
        return Err(EnvError { message: format!("no file matches \"{name}\""), ..EnvError::default() });
    }
    Ok(found)
}

/// The program and the libraries that a process has loaded, as this program opens them.
pub(super) fn loaded_by(pid: u32) -> Vec<PathBuf> {
    mapped(&Process::new(pid)).into_iter().map(|(_, path)| path).collect()
}

/// The programs and libraries that all processes together have loaded, as far as they may be looked at, each once.
pub(super) fn loaded_by_all() -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let paths = Process::all().unwrap_or_default().into_iter().flat_map(|process| loaded_by(process.pid()));
    paths.filter(|path| identity(path).is_some_and(|file| seen.insert(file))).collect()
}

/// The path of a binary.
///
/// # Errors
/// Nothing of that name; the error says where it was looked for.
fn locate(name: &str, process: Option<&Process>) -> Result<PathBuf, EnvError> {
    let root = root_of(process);
    if name.contains('/') {
        return Ok(root.path(Path::new(name)));
    }
    let is_library = name.starts_with("lib");
    // What the process has loaded is meant, before what it could load.
    let loaded = process.filter(|_| is_library).and_then(|process| {
        let named = |seen: &PathBuf| is_named(seen.file_name().unwrap_or_default(), name);
        mapped(process).into_iter().find(|(seen, _)| named(seen))
    });
    if let Some((_, loaded)) = loaded {
        return Ok(loaded);
    }
    let programs = env::var_os("PATH").unwrap_or_default();
    let program =
        env::split_paths(&programs).map(|folder| root.path(&folder.join(name))).find(|p| p.is_file());
    if let Some(program) = program {
        return Ok(program);
    }
    if is_library {
        let in_folder = |folder: &&str| library_in(&root.path(Path::new(folder)), name);
        let library = in_cache(&root, name).or_else(|| LIBRARY_FOLDERS.iter().find_map(in_folder));
        if let Some(library) = library {
            return Ok(library);
        }
    }
    let mut error = EnvError {
        message: format!("no program or library \"{name}\" was found"),
        help: Path::new(name).exists().then(|| format!("for the file in the current folder write ./{name}")),
        ..EnvError::default()
    };
    error.notes.push("looked in the folders of PATH".into());
    if is_library {
        if let Some(process) = process {
            error.notes.push(format!("looked in what process {} has loaded", process.pid()));
        }
        error.notes.push(format!("looked in {} and in {}", ldcache::PATH, LIBRARY_FOLDERS.join(", ")));
    }
    Err(error)
}

/// The file system that names are looked up in.
enum Root {
    /// Our own.
    Own,
    /// That of a process in another mount namespace, or with another root.
    Of(Process),
}

/// Device and inode of a file.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().map(|meta| (meta.dev(), meta.ino())).ok()
}

/// The file system of a process, our own without one.
fn root_of(process: Option<&Process>) -> Root {
    // A process that has ended has no file system any more, not even before it was waited for: ours is the best guess.
    let same = |process: &Process, file: &str, own: &str| {
        let of = identity(&process.exe().with_file_name(file));
        of.is_none() || of == identity(Path::new(own))
    };
    let same =
        |process: &Process| same(process, "ns/mnt", "/proc/self/ns/mnt") && same(process, "root/.", "/");
    match process {
        Some(process) if !same(process) => Root::Of(process.clone()),
        _ => Root::Own,
    }
}

impl Root {
    /// The path by which this program opens a file of it.
    fn path(&self, path: &Path) -> PathBuf {
        match self {
            Root::Of(process) if path.is_absolute() => within(process, path),
            _ => path.to_owned(),
        }
    }
}

/// A path in the file system of a process, symbolic links followed there: opened through `/proc/PID/root`, those to absolute paths would lead into
/// our own file system.
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

/// The program and the libraries that a process has loaded: their paths as it sees them, and those by which this program opens them.
fn mapped(process: &Process) -> Vec<(PathBuf, PathBuf)> {
    let own = matches!(root_of(Some(process)), Root::Own);
    let mappings = process.maps().unwrap_or_default();
    let mut files: Vec<(PathBuf, PathBuf)> = Vec::new();
    for mapping in mappings.iter().filter(|m| m.executable && m.is_file()) {
        let Some(seen) = mapping.path.as_ref().map(PathBuf::from) else { continue };
        let path = if own && !mapping.deleted { Some(seen.clone()) } else { process.mapped_file(mapping) };
        if let Some(path) = path.filter(|_| files.iter().all(|(known, _)| *known != seen)) {
            files.push((seen, path));
        }
    }
    files
}

/// Whether a file is the library: `libfoo`, `libfoo.so`, `libfoo.so.N`, `libfoo-N.so`.
fn is_named(file: &OsStr, name: &str) -> bool {
    let rest = file.to_str().and_then(|file| file.strip_prefix(name));
    rest.is_some_and(|rest| {
        let version = |rest: &str| rest.is_empty() || rest.starts_with('.');
        rest.is_empty()
            || rest.strip_prefix(".so").is_some_and(version)
            || (name.contains(".so") && rest.starts_with('.'))
            || rest
                .strip_prefix('-')
                .is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()) && v.ends_with(".so"))
    })
}

/// What the dynamic linker's list has for the name.
fn in_cache(root: &Root, name: &str) -> Option<PathBuf> {
    let file = std::fs::read(root.path(Path::new(ldcache::PATH))).ok()?;
    let arch = match super::host_arch() {
        lang::arch::Arch::X86_64 => inspect::elf::Arch::X86_64,
        lang::arch::Arch::Aarch64 => inspect::elf::Arch::Aarch64,
    };
    let listed = ldcache::libraries(&file, arch);
    let mut found: Vec<&str> = listed
        .into_iter()
        .filter(|(library, _)| is_named(OsStr::new(library), name))
        .map(|(_, path)| path)
        .filter(|path| root.path(Path::new(path)).is_file())
        .collect();
    // `libfoo.so` may be a linker script; a versioned file is the library itself.
    found.sort_by_key(|path| (path.ends_with(".so"), path.len()));
    found.first().map(|path| root.path(Path::new(path)))
}

/// `libfoo`, `libfoo.so` or `libfoo.so.N` in a folder; the plainest name wins.
fn library_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.is_file() {
        return Some(exact);
    }
    let mut found: Vec<PathBuf> = folder
        .read_dir()
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_named(path.file_name().unwrap_or_default(), name))
        .collect();
    found.sort_by_key(|path| (path.extension().is_some_and(|e| e == "so"), path.as_os_str().len()));
    found.into_iter().next()
}

/// The files that a path with stars stands for; a star is any text in one component. Files that several names lead to come once.
fn expand(pattern: &str, root: &Root) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from(if pattern.starts_with('/') { "/" } else { "." })];
    for part in pattern.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let glob = Glob::new(part);
        let mut next = Vec::new();
        for folder in &paths {
            if let Some(name) = glob.literal() {
                next.push(folder.join(name));
                continue;
            }
            let entries = root.path(folder).read_dir().into_iter().flatten().flatten();
            let matching = entries.filter(|e| e.file_name().to_str().is_some_and(|name| glob.matches(name)));
            next.extend(matching.map(|entry| folder.join(entry.file_name())));
        }
        paths = next;
    }
    paths.sort();
    let mut seen = Vec::new();
    let files = paths.into_iter().map(|path| root.path(&path)).filter(|path| path.is_file());
    files
        .filter(|path| {
            let identity = identity(path);
            let fresh = !seen.contains(&identity);
            seen.push(identity);
            fresh
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_is_found_by_name() {
        for name in ["libc", "libc.so.6"] {
            let path = locate(name, None).expect("every Linux with a dynamic linker has libc");
            assert!(path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libc.so")), "{path:?}");
        }
    }

    #[test]
    fn unknown_names_say_where_was_looked() {
        let error = locate("libno-such-thing", None).expect_err("no such library");
        assert_eq!(error.notes.len(), 2);
        let me = Process::new(std::process::id());
        assert_eq!(locate("libno-such-thing", Some(&me)).expect_err("no such library").notes.len(), 3);
    }

    #[test]
    fn names_of_libraries() {
        let is = |file: &str, name: &str| is_named(OsStr::new(file), name);
        assert!(is("libc.so.6", "libc") && is("libc.so", "libc") && is("libc-2.31.so", "libc"));
        assert!(is("libssl.so.3", "libssl.so") && is("libssl.so.3", "libssl.so.3"));
        assert!(!is("libcrypt.so.1", "libc") && !is("libc.a", "libc") && !is("libc.so.6.debug", "libm"));
    }

    #[test]
    fn patterns_of_paths() {
        let folder = env::temp_dir().join(format!("gotrace-expand-{}", std::process::id()));
        for name in ["a1/lib.so", "a2/lib.so", "b/lib.so"] {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "").expect("a file");
        }
        std::os::unix::fs::symlink(folder.join("a1"), folder.join("a3")).expect("a link");
        let found = expand(&format!("{}/a*/lib.so", folder.display()), &Root::Own);
        assert_eq!(found, [folder.join("a1/lib.so"), folder.join("a2/lib.so")]);
        std::fs::remove_dir_all(&folder).expect("the folder");
    }

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
