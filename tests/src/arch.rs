//! The architectures that gotrace is built for, and what each is called by Debian, Go, Rust and GNU's tools.
//!
//! [`crate::programs`] builds targets for one, [`crate::vm`] boots machines of one, `xtask` builds gotrace for one.

use std::fmt;

/// What a machine's processor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Arch {
    /// All of them.
    pub const ALL: [Arch; 2] = [Arch::Amd64, Arch::Arm64];
    /// That of the machine this is compiled for.
    pub const HERE: Arch = if cfg!(target_arch = "aarch64") { Arch::Arm64 } else { Arch::Amd64 };

    /// The one of this name, as Debian and Go write it.
    #[must_use]
    pub fn named(name: &str) -> Option<Arch> {
        Arch::ALL.into_iter().find(|arch| arch.debian() == name)
    }

    /// Debian's name, and Go's (`GOARCH`).
    #[must_use]
    pub fn debian(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }

    /// The name of Rust's target whose programs run on any Linux of the architecture when linked statically.
    #[must_use]
    pub fn rust(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-unknown-linux-gnu",
            Arch::Arm64 => "aarch64-unknown-linux-gnu",
        }
    }

    /// What the names of GNU's cross tools begin with, and what the folder of their C library is called.
    #[must_use]
    pub fn gnu(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-linux-gnu",
            Arch::Arm64 => "aarch64-linux-gnu",
        }
    }

    /// A tool of GNU's compiler or binutils for the architecture: the machine's own where it is the machine's, else the cross tool.
    #[must_use]
    pub fn tool(self, name: &str) -> String {
        if self == Arch::HERE { name.to_owned() } else { format!("{}-{name}", self.gnu()) }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.debian())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_foreign_tools_have_a_prefix() {
        assert!(Arch::ALL.into_iter().all(|arch| Arch::named(arch.debian()) == Some(arch)));
        assert_eq!(Arch::named("mips"), None);
        assert_eq!(Arch::HERE.tool("strip"), "strip");
        let foreign = Arch::ALL.into_iter().find(|arch| *arch != Arch::HERE);
        assert_eq!(foreign.map(|arch| arch.tool("ld")), foreign.map(|arch| format!("{}-ld", arch.gnu())));
    }
}
