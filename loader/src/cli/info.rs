//! `gotrace info`: what this kernel and this user can do, found by trying.

use super::CliError;
use crate::sys::probe::Feature;
use crate::sys::{clock, process};

/// Prints the findings.
pub(super) fn info() -> Result<u8, CliError> {
    let read = |path: &str| std::fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |s| s.trim().to_owned());
    println!("gotrace   {}", env!("CARGO_PKG_VERSION"));
    println!("kernel    {}", read("/proc/sys/kernel/osrelease"));
    println!("machine   {}", std::env::consts::ARCH);
    println!("cpus      {}", clock::possible_cpus().map_or_else(|_| "unknown".to_owned(), |n| n.to_string()));
    println!("user      {}", if process::is_root() { "root" } else { "not root" });
    println!("btf       {}", if std::path::Path::new("/sys/kernel/btf/vmlinux").exists() { "yes" } else { "no" });
    let tracefs = inspect::tracefs::Tracefs::find();
    println!("tracefs   {}", tracefs.map_or_else(|e| e.to_string(), |t| t.root().display().to_string()));
    println!();
    for feature in Feature::ALL {
        let state = match feature.check() {
            Ok(()) => "yes".to_owned(),
            Err(error) => format!("no ({error}; since {})", feature.since()),
        };
        println!("{:<44} {state}", feature.describe());
    }
    Ok(0)
}
