//! The kernel takes what scripts become: those of which the code generator has snapshots, and some that are large in one way
//! or another.

use super::{common, kernel};
use codegen::Target;
use std::fmt::Write;
use std::time::Instant;

fn target() -> Target {
    let machine = loader::target::for_object();
    Target { cpus: kernel::target().cpus, ..machine }
}

#[test]
fn scripts_with_snapshots_load() {
    for (name, source) in common::SCRIPTS {
        let object = codegen::compile(&common::program(source), &target()).unwrap_or_else(|e| panic!("{name}: {e}"));
        eprintln!("{name}");
        kernel::load(&object);
    }
}
