//! Names that bpftrace has and gotrace does not have, each with the reason and with what to write instead.
//!
//! The checker looks here when a name is none of gotrace's own, so that a script that comes from bpftrace gets more than "unknown".

/// A builtin of bpftrace that gotrace does not have.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Its name.
    pub name: &'static str,
    /// Why there is none, as a sentence without its full stop.
    pub why: &'static str,
    /// What to write instead.
    pub instead: &'static str,
}

const REFUSED: &[Refused] = &[Refused {
    name: "dw_ustack",
    why: "gotrace walks stacks by their frame pointers, not by unwinding tables",
    instead: "write `ustack`; Go programs have frame pointers, C programs with `-fno-omit-frame-pointer`",
}];

/// What is to be said about the name, if bpftrace has such a builtin.
pub(crate) fn find(name: &str) -> Option<&'static Refused> {
    REFUSED.iter().find(|refused| refused.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_does_not_exist() {
        for refused in REFUSED {
            assert!(crate::builtin::find(refused.name).is_none(), "{}", refused.name);
        }
    }
}
