//! Virtual machines with stock Debian kernels: what the machine at hand cannot show, and what old and new kernels do.
//!
//! `cargo xtask vm` is the user. A virtual machine is one boot of a kernel with everything in its initial file system: no disk, no
//! network, and no module but the one that cases ask for. [`fetch`] gets kernels, emulator and shell from Debian's packages, [`image`]
//! makes the initial file system, [`boot`] runs it. The processor is emulated, never virtualized, so that a run depends on no feature of
//! the machine.

pub mod boot;
pub mod fetch;
pub mod image;

use std::fmt;

use crate::arch::Arch;

/// A kernel that can be booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// What it is called on the command line.
    pub name: &'static str,
    /// The Debian release whose kernel it is.
    pub suite: &'static str,
    /// For which processor it is.
    pub arch: Arch,
}

/// Every kernel, oldest first. `newest` is what Debian's development release has when it is first fetched.
pub const KERNELS: &[Kernel] = &[
    Kernel { name: "5.10", suite: "bullseye", arch: Arch::Amd64 },
    Kernel { name: "6.1", suite: "bookworm", arch: Arch::Amd64 },
    Kernel { name: "6.12", suite: "trixie", arch: Arch::Amd64 },
    Kernel { name: "newest", suite: "sid", arch: Arch::Amd64 },
    Kernel { name: "6.1-arm64", suite: "bookworm", arch: Arch::Arm64 },
    Kernel { name: "newest-arm64", suite: "sid", arch: Arch::Arm64 },
];

impl Kernel {
    /// The kernel of this name.
    pub fn named(name: &str) -> Option<&'static Kernel> {
        KERNELS.iter().find(|kernel| kernel.name == name)
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
