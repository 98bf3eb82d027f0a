//! What the fuzz targets share: the entry points, and the inputs to start from.

use std::path::Path;

pub mod entry;

/// Writes the seeds of a target to the folder that `GOTRACE_FUZZ_CORPUS` names, if it does; libFuzzer reads it afterwards.
///
/// # Panics
/// When they cannot be written.
pub fn write_seeds(name: &str) {
    let Some(dir) = std::env::var_os("GOTRACE_FUZZ_CORPUS") else { return };
    let target = entry::TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    for (number, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(Path::new(&dir).join(format!("seed-{number}")), seed)
            .expect("the folder can be written to");
    }
}
