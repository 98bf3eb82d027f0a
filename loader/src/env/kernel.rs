//! What scripts ask about the kernel when they are checked: addresses of symbols, control groups.

use crate::privileges;
use crate::sys::probe::Feature;
use inspect::btf::Btf;
use inspect::kallsyms::Kallsyms;
use lang::env::{EnvError, PerCpu};
use std::os::unix::fs::MetadataExt;

/// Address of a symbol of the kernel or one of its modules.
pub(super) fn symbol(name: &str, table: Option<&Kallsyms>) -> Result<u64, EnvError> {
    let table = table.ok_or_else(super::function::no_symbols)?;
    if table.is_hidden() {
        let (why, help) = privileges::why_hidden();
        return Err(EnvError {
            message: "the kernel hides the addresses of its symbols".into(),
            notes: vec![why],
            help: Some(help),
            ..EnvError::default()
        });
    }
    match table.find(name) {
        Some(symbol) => Ok(symbol.addr),
        None => Err(EnvError {
            message: format!("the kernel has no symbol `{name}`"),
            similar: super::similar(name, table.symbols().map(|s| s.name)),
            ..EnvError::default()
        }),
    }
}

/// Where each CPU has a variable. Kernels that list variables among their symbols tell the address; others describe them in their type
/// information, with their places among each other.
pub(super) fn percpu_variable(
    name: &str,
    btf: Option<&Btf>,
    symbols: Option<&Kallsyms>,
) -> Result<PerCpu, EnvError> {
    let listed = symbols.filter(|table| !table.is_hidden());
    let address = |name: &str| listed.and_then(|table| table.find(name)).map(|symbol| symbol.addr);
    if let (Some(offsets), Some(symbol)) = (address("__per_cpu_offset"), address(name)) {
        return Ok(PerCpu::Offset { symbol, offsets });
    }
    let place = |name: &str| btf.and_then(|btf| btf.percpu_variable(name)).map(i64::from);
    match (place(name), place("runqueues")) {
        (Some(variable), Some(queue)) => Ok(PerCpu::FromRunQueue(variable - queue)),
        _ => Err(EnvError {
            message: format!("no CPU of this kernel has a variable `{name}`"),
            notes: vec!["it is neither among the kernel's symbols nor in its type information".into()],
            ..EnvError::default()
        }),
    }
}

/// Id of a control group: the inode of its directory.
pub(super) fn cgroup_id(path: &str) -> Result<u64, EnvError> {
    let error = |message: String| EnvError { message, ..EnvError::default() };
    let metadata = std::fs::metadata(path).map_err(|e| error(format!("{path}: {e}")))?;
    match crate::sys::mount::is_cgroup2(path.as_ref()) {
        Ok(true) => Ok(metadata.ino()),
        Ok(false) => Err(EnvError {
            help: Some("its groups are directories below /sys/fs/cgroup, or /sys/fs/cgroup/unified".into()),
            ..error(format!("`{path}` is not in the unified hierarchy of control groups"))
        }),
        Err(e) => Err(error(format!("{path}: {e}"))),
    }
}

/// Whether the kernel's type information has a function of that name.
pub(super) fn has_function(name: &str) -> bool {
    Feature::Btf.check().is_ok() && Btf::vmlinux().is_ok_and(|btf| btf.find_function(name).is_some())
}
