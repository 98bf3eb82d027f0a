//! `gotrace info`: what this kernel and this user can do, found by trying.

use super::{CliError, answer};
use crate::sys::probe::Feature;
use crate::sys::{clock, process};
use std::fmt::Write;

/// Prints the findings.
pub(super) fn info() -> Result<u8, CliError> {
    let read = |path: &str| {
        std::fs::read_to_string(path).map_or_else(|_| "unknown".to_owned(), |s| s.trim().to_owned())
    };
    let tracefs = inspect::tracefs::Tracefs::find();
    let facts = [
        ("gotrace", env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("machine", std::env::consts::ARCH.to_owned()),
        ("cpus", clock::possible_cpus().map_or_else(|_| "unknown".to_owned(), |n| n.to_string())),
        ("user", if process::is_root() { "root" } else { "not root: tracing needs root" }.to_owned()),
        ("tracefs", tracefs.map_or_else(|e| e.to_string(), |t| t.root().display().to_string())),
    ];
    let mut out = String::new();
    // Writing to a string cannot fail.
    for (name, fact) in facts {
        let _ = writeln!(out, "{name:<9} {fact}");
    }
    out.push('\n');
    for feature in Feature::all() {
        let state = match feature.check() {
            Ok(()) => "yes".to_owned(),
            Err(error) => format!("no: {error} (Linux has it since {})", feature.since()),
        };
        let _ = writeln!(out, "{:<37} {state}", feature.describe());
    }
    answer::print(&out)
}
