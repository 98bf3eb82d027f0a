//! bpftrace's own tools, which run in gotrace as they are, and a bpftrace to compare with.
//!
//! Cases with `TOOL` run a tool ([`crate::judge`]); virtual machines take the tools along. They come from the package of Debian's
//! development release and are not part of this tree.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cache::{self, CacheError};
use crate::debian::{DebianError, unpack};

/// The Debian release whose tools are taken, when they are first asked for.
const SUITE: &str = "sid";
/// The entry of the cache.
const ENTRY: &str = "bpftrace-tools";
/// Where the package has them.
const PLACE: &str = "usr/sbin";

/// Why the tools could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ToolsError {
    /// The cache folder could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Debian's package could not be had.
    #[error("the tools of bpftrace from Debian (needed once, then cached): {0}")]
    Debian(#[from] DebianError),
    /// The package could not be read.
    #[error("the tools of bpftrace: {0}")]
    Io(#[from] io::Error),
}

/// The folder with the tools (`*.bt`).
pub fn tools() -> Result<PathBuf, ToolsError> {
    cache::entry(ENTRY, |dir| {
        let package = dir.join("package");
        fs::create_dir(&package)?;
        unpack(SUITE, &["bpftrace"], &package)?;
        for entry in fs::read_dir(package.join(PLACE))? {
            let path = entry?.path();
            if let (Some("bt"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
                fs::copy(&path, dir.join(name))?;
            }
        }
        Ok(fs::remove_dir_all(&package)?)
    })
}

/// The place of the folder within the cache.
pub fn entry() -> &'static Path {
    Path::new(ENTRY)
}

/// The command line of the bpftrace that results are compared with, if `GOTRACE_PEER` names one. A wrapper must become it (`exec`): signals
/// go to the process that is started.
pub fn peer() -> Option<Vec<String>> {
    let named = std::env::var("GOTRACE_PEER").ok()?;
    Some(named.split_whitespace().map(str::to_owned).collect())
}
