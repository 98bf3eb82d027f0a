//! Finds the files of a program or library name in an attach point: `./web`, `/usr/bin/bash`, `bash`, `libc`, `/usr/lib/*/libz.so.1`; with
//! a traced process (`-p`) as that one sees them, which may run in a container, and libraries as that process or the program of `-c` finds
//! them.

use super::linker::{self, DEFAULT_FOLDERS, Folders, Linked};
use super::root::{Root, identity, root_of};
use inspect::glob::Glob;
use inspect::ldcache;
use inspect::proc::Process;
use lang::env::EnvError;
use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The traced process or program, in whose view names are looked up.
#[derive(Default)]
pub(super) struct Traced {
    /// The process of `-p`.
    pub process: Option<Process>,
    /// What the process runs, or what `-c` will start.
    pub program: Option<Linked>,
}

/// The files of a name with or without wildcards, as this program opens them.
///
/// # Errors
/// As [`locate`]; also a pattern that matches no file.
pub(super) fn locate_all(name: &str, traced: &Traced) -> Result<Vec<PathBuf>, EnvError> {
    if !name.contains('*') {
        return locate(name, traced).map(|path| vec![path]);
    }
    let found = expand(name, &root_of(traced.process.as_ref()));
    if found.is_empty() {
        return Err(EnvError { message: format!("no file matches \"{name}\""), ..EnvError::default() });
    }
    Ok(found)
}

impl Traced {
    /// The program and the libraries that the process has loaded, or that the program will have loaded when it starts, as this program
    /// opens them.
    pub fn loaded(&self) -> Vec<PathBuf> {
        match (&self.process, &self.program) {
            (Some(process), _) => loaded_by(process),
            (None, Some(program)) => {
                let mut files = vec![program.program().to_owned()];
                files.extend(program.libraries());
                files
            }
            (None, None) => Vec::new(),
        }
    }
}

fn loaded_by(process: &Process) -> Vec<PathBuf> {
    mapped(process).into_iter().map(|(_, path)| path).collect()
}

/// The programs and libraries that all processes together have loaded, as far as they may be looked at, each once.
pub(super) fn loaded_by_all() -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let paths = Process::all().unwrap_or_default().into_iter().flat_map(|process| loaded_by(&process));
    paths.filter(|path| identity(path).is_some_and(|file| seen.insert(file))).collect()
}

/// The path of a binary.
///
/// # Errors
/// Nothing of that name; the error says where it was looked for.
fn locate(name: &str, traced: &Traced) -> Result<PathBuf, EnvError> {
    let root = root_of(traced.process.as_ref());
    if name.contains('/') {
        let named = root.path(Path::new(name));
        // What the process has loaded is meant: the file may have been replaced since.
        let absolute = std::path::absolute(name).unwrap_or_default();
        let mapped = traced.process.as_ref().map(mapped).unwrap_or_default();
        let loaded = mapped.into_iter().find(|(seen, _)| *seen == absolute).map(|(_, path)| path);
        let elsewhere = loaded.filter(|path| identity(path) != identity(&named));
        return Ok(elsewhere.unwrap_or(named));
    }
    let mut looked = Vec::new();
    let library = if name.starts_with("lib") { library_of(name, traced, &mut looked) } else { None };
    if let Some(library) = library {
        return Ok(library);
    }
    let programs = env::var_os("PATH").unwrap_or_default();
    let program =
        env::split_paths(&programs).map(|folder| root.path(&folder.join(name))).find(|p| p.is_file());
    if let Some(program) = program {
        return Ok(program);
    }
    looked.push("looked in the folders of PATH".into());
    if name.starts_with("lib") {
        let in_cache = linker::cached(&root, |library| is_named(OsStr::new(library), name));
        let in_folder = |folder: &&str| library_in(&root.path(Path::new(folder)), name);
        let library =
            in_cache.map(|path| root.path(&path)).or_else(|| DEFAULT_FOLDERS.iter().find_map(in_folder));
        if let Some(library) = library {
            return Ok(library);
        }
        looked.push(format!("looked in {} and in {}", ldcache::PATH, DEFAULT_FOLDERS.join(", ")));
    }
    Err(EnvError {
        message: format!("no program or library \"{name}\" was found"),
        notes: looked,
        help: Path::new(name).exists().then(|| format!("for the file in the current folder write ./{name}")),
        ..EnvError::default()
    })
}

/// The library that the traced process or program means by a name: what it has loaded or loads when it starts, before what it finds in
/// folders of its own. Adds to `looked` where it was looked for.
fn library_of(name: &str, traced: &Traced, looked: &mut Vec<String>) -> Option<PathBuf> {
    let is_meant = |path: &Path| is_named(path.file_name().unwrap_or_default(), name);
    if let Some(process) = &traced.process {
        let loaded = mapped(process).into_iter().find(|(seen, _)| is_meant(seen));
        if let Some((_, loaded)) = loaded {
            return Some(loaded);
        }
        looked.push(format!("looked in what process {} has loaded", process.pid()));
    }
    let program = traced.program.as_ref()?;
    if traced.process.is_none() {
        let needed = program.libraries();
        if let Some(library) = needed.iter().find(|path| is_meant(path)) {
            return Some(library.clone());
        }
        let names: Vec<_> = needed.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        looked.push(format!("looked in what {} loads when it starts: {names}", program.program().display()));
    }
    for Folders { named_by, folders } in program.folders() {
        let in_folder = |folder: &PathBuf| library_in(&program.root().path(folder), name);
        if let Some(library) = folders.iter().find_map(in_folder) {
            return Some(library);
        }
        let folders: Vec<_> = folders.iter().map(|folder| folder.to_string_lossy()).collect();
        looked.push(format!("looked in {named_by}: {}", folders.join(", ")));
    }
    None
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
            let path = locate(name, &Traced::default()).expect("every Linux with a dynamic linker has libc");
            assert!(path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libc.so")), "{path:?}");
        }
    }

    #[test]
    fn unknown_names_say_where_was_looked() {
        let looked = |traced: &Traced| locate("libno-such-thing", traced).expect_err("no such library").notes;
        assert_eq!(looked(&Traced::default()).len(), 2);
        let me = Process::new(std::process::id());
        let program = Some(Linked::to_start(&me.exe()));
        let notes = looked(&Traced { process: None, program });
        assert!(notes.iter().any(|note| note.contains("libc.so.6")), "{notes:?}");
        assert!(looked(&Traced { process: Some(me), program: None }).len() == 3);
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
}
