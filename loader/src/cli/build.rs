//! `gotrace build`: a script as a standard BPF object file.

use super::script::{Messages, Source};
use super::{CliError, Color, error, import};
use crate::env::Host;
use crate::target;
use lang::probe::Mode;
use std::path::{Path, PathBuf};

/// Compiles `script` to `output`. The object is for the kernel that it is built on, or a newer one: offsets of kernel structures
/// are those of this machine.
pub(super) fn build(
    script: &str,
    output: &Path,
    import_dirs: &[PathBuf],
    args: Vec<String>,
    color: Color,
) -> Result<u8, CliError> {
    let source = import::resolve(Source::open(script)?, import_dirs)?;
    let parsed = source.parse()?;
    let program = source.check(
        &parsed,
        &Host::new(None, args).allowing_unsafe(true).in_mode(Mode::Run),
        Messages { color, no_warnings: false },
    )?;
    let target = target::for_object();
    let object = codegen::compile(&program, &target).map_err(|e| source.error(error::compile_problem(&e)))?;
    let bytes = codegen::elf::write(&object)
        .map_err(|e| CliError::other(format!("the object cannot be written: {e}")))?;
    std::fs::write(output, bytes).map_err(|source| CliError::File { path: output.into(), source })?;
    Ok(0)
}
