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

const REFUSED: &[Refused] = &[
    Refused {
        name: "dw_ustack",
        why: "gotrace walks stacks by their frame pointers, not by unwinding tables",
        instead: "write `ustack`; Go programs have frame pointers, C programs with `-fno-omit-frame-pointer`",
    },
    Refused {
        name: "percpu_kaddr",
        why: "most kernels do not list the names of variables that each CPU has its own of",
        instead: "read what hangs on the current thread, `curtask`",
    },
    Refused {
        name: "path",
        why: "the kernel makes whole paths in some of its own functions only",
        instead: "write `str(args.filename)` where a name is handed over, or the last part: `path.dentry.d_name.name`",
    },
    Refused {
        name: "override",
        why: "gotrace watches the kernel and does not change what its functions return",
        instead: "the kernel's own fault injection (`/sys/kernel/debug/fail_function`) does that",
    },
    Refused {
        name: "write_user",
        why: "gotrace does not write into the memory of other programs",
        instead: "a debugger does that",
    },
    Refused {
        name: "skboutput",
        why: "gotrace does not write packets to files",
        instead: "`tcpdump -w FILE` does that",
    },
    Refused {
        name: "socket_cookie",
        why: "the kernel gives the number of a socket to programs of other kinds only",
        instead: "the address of the socket is as good a key",
    },
    Refused {
        name: "tseries",
        why: "there is no chart over time yet",
        instead: "make the time a part of the key: `@[elapsed / 1s] = avg(…)`",
    },
    Refused {
        name: "unwatch",
        why: "watchpoints stay until the run ends",
        instead: "let the probe's condition leave it out: `/!@done/`",
    },
];

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
