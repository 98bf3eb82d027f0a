//! Finds the file of a program or library name in an attach point: `./web`, `/usr/bin/bash`, `bash`, `libc`.

use lang::env::EnvError;
use std::env;
use std::path::{Path, PathBuf};

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

/// The path of a binary.
///
/// # Errors
/// Nothing of that name; the error says where it was looked for.
pub(super) fn locate(name: &str) -> Result<PathBuf, EnvError> {
    if name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let programs = env::var_os("PATH").unwrap_or_default();
    let program = env::split_paths(&programs).map(|folder| folder.join(name)).find(|p| p.is_file());
    if let Some(program) = program {
        return Ok(program);
    }
    if name.starts_with("lib")
        && let Some(library) = LIBRARY_FOLDERS.iter().find_map(|folder| library_in(Path::new(folder), name))
    {
        return Ok(library);
    }
    let mut error = EnvError {
        message: format!("no program or library \"{name}\" was found"),
        help: Path::new(name).exists().then(|| format!("for the file in the current folder write ./{name}")),
        ..EnvError::default()
    };
    error.notes.push("looked in the folders of PATH".into());
    if name.starts_with("lib") {
        error.notes.push(format!("looked in {}", LIBRARY_FOLDERS.join(", ")));
    }
    Err(error)
}

/// `libfoo`, `libfoo.so` or `libfoo.so.N` in a folder; the plainest name wins.
fn library_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.is_file() {
        return Some(exact);
    }
    let prefix = format!("{name}.so");
    let mut found: Vec<PathBuf> = folder
        .read_dir()
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            file.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
        .collect();
    // `libfoo.so` may be a linker script; a versioned file is the library itself.
    found.sort_by_key(|path| (path.extension().is_some_and(|e| e == "so"), path.as_os_str().len()));
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_is_found_by_name() {
        let path = locate("libc").expect("every Linux with a dynamic linker has libc");
        assert!(path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("libc.so")), "{path:?}");
    }

    #[test]
    fn unknown_names_say_where_was_looked() {
        let error = locate("libno-such-thing").expect_err("no such library");
        assert_eq!(error.notes.len(), 2);
    }
}
