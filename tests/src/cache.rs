//! The cache of toolchains and built programs, outside the source tree.
//!
//! An entry is a folder named by its content. It appears by one rename, so that a reader sees all of it or nothing, and
//! it is made under a file lock, so that parallel tests make it once. Nothing in it is ever changed afterwards; deleting
//! the whole cache folder is always safe.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};

/// What goes wrong with the cache folder itself; `E` is the error of whoever fills an entry.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Neither `GOTRACE_CACHE` nor a home folder is known.
    #[error("no place for the cache: set GOTRACE_CACHE to a folder, or HOME")]
    NoPlace,
    /// An operation on the cache folder failed.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// The operation, as a verb phrase.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The cache folder: `$GOTRACE_CACHE`, else `$XDG_CACHE_HOME/gotrace`, else `~/.cache/gotrace`.
pub fn root() -> Result<PathBuf, CacheError> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    from("GOTRACE_CACHE")
        .or_else(|| from("XDG_CACHE_HOME").map(|dir| dir.join("gotrace")))
        .or_else(|| from("HOME").map(|dir| dir.join(".cache/gotrace")))
        .ok_or(CacheError::NoPlace)
}

/// The folder of the entry `name`; `fill` is called with an empty folder when the entry does not exist yet.
///
/// Several processes may ask for the same entry at once: one fills it, the others wait for it.
pub fn entry<E>(name: &str, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<PathBuf, E>
where
    E: From<CacheError>,
{
    let done = root()?.join(name);
    if done.is_dir() {
        return Ok(done);
    }
    let parent = done.parent().ok_or(CacheError::NoPlace)?;
    fs::create_dir_all(parent).map_err(io_error("create", parent))?;
    let lock_path = done.with_added_extension("lock");
    let lock = File::create(&lock_path).map_err(io_error("create", &lock_path))?;
    lock.lock().map_err(io_error("lock", &lock_path))?;
    if done.is_dir() {
        return Ok(done);
    }
    let making = done.with_added_extension("making");
    if making.exists() {
        // Left behind by a process that was killed: it held the lock, and we hold it now.
        fs::remove_dir_all(&making).map_err(io_error("remove", &making))?;
    }
    fs::create_dir_all(&making).map_err(io_error("create", &making))?;
    fill(&making)?;
    fs::rename(&making, &done).map_err(io_error("rename", &making))?;
    Ok(done)
}

/// A short name for `content`: equal content gives an equal name within one Rust release.
pub fn content_name(content: &impl Hash) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_path_buf();
    move |source| CacheError::Io { what, path, source }
}
