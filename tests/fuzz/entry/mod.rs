//! What is fuzzed: functions that take any bytes and must come back, without a panic and soon. The targets of `cargo fuzz` call
//! them (`fuzz_targets/`), and so do the tests that need no special toolchain (`tests/tests/robustness`).

pub mod binary;
pub mod script;
pub mod text;

use std::path::Path;

/// An entry point.
pub struct Target {
    /// The name of the target of `cargo fuzz`.
    pub name: &'static str,
    /// What is called.
    pub run: fn(&[u8]),
    /// Inputs to start from. Files too large for the tree are found on the machine.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All entry points.
pub const TARGETS: &[Target] = &[
    Target { name: "script", run: script::check, seeds: script::seeds },
    Target { name: "format", run: script::format, seeds: script::seeds },
    Target { name: "printf_format", run: text::printf_format, seeds: text::printf_seeds },
    Target { name: "tracefs_format", run: text::tracefs_format, seeds: text::tracefs_seeds },
    Target { name: "btf", run: text::btf, seeds: text::btf_seeds },
    Target { name: "kallsyms", run: text::kallsyms, seeds: text::kallsyms_seeds },
    Target { name: "code", run: text::code, seeds: text::code_seeds },
    Target { name: "binary", run: whole_binary, seeds: binary::seeds },
];

/// A binary, without the count of answers.
pub fn whole_binary(bytes: &[u8]) {
    binary::read(bytes, Path::new("fuzzed"));
}
