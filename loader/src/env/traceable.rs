//! ftrace's list of the kernel's functions that can be traced. [`super::btf::Kernel`] reads it once; patterns of kprobes and fentry are
//! looked up in it.

use std::collections::HashSet;

/// ftrace's list of the functions that it can trace.
pub(super) struct TraceableList {
    /// A line is a name, and the module in brackets if it has one.
    text: String,
    /// The line has the address of ftrace's call in the function before the name.
    with_addresses: bool,
}

/// Some of the functions that ftrace can trace.
pub(super) struct Traceable<'a> {
    pub(super) names: HashSet<&'a str>,
    /// Of functions of one name mostly not all can be traced.
    calls: Option<HashSet<u64>>,
}

impl TraceableList {
    /// The kernel's list; Linux has the one with addresses since 6.5. `None` where there is none that can be read.
    pub(super) fn read() -> Option<TraceableList> {
        let tracefs = crate::tracefs::find().ok()?;
        let lists = [("available_filter_functions_addrs", true), ("available_filter_functions", false)];
        lists.into_iter().find_map(|(file, with_addresses)| {
            let text = std::fs::read_to_string(tracefs.root().join(file)).ok()?;
            (!text.is_empty()).then_some(TraceableList { text, with_addresses })
        })
    }

    /// Those whose names are wanted.
    pub(super) fn find(&self, wanted: impl Fn(&str) -> bool) -> Traceable<'_> {
        let mut found = Traceable { names: HashSet::new(), calls: self.with_addresses.then(HashSet::new) };
        for line in self.text.lines() {
            let (address, rest) = match self.with_addresses {
                true => line.split_once(' ').unwrap_or_default(),
                false => ("", line),
            };
            let name = rest.split_once(' ').map_or(rest, |(name, _)| name);
            if wanted(name) {
                found.names.insert(name);
                if let (Some(calls), Ok(address)) = (&mut found.calls, u64::from_str_radix(address, 16)) {
                    calls.insert(address);
                }
            }
        }
        found
    }
}

impl Traceable<'_> {
    /// Whether the function of this name and address is there; an address of 0 is not known.
    pub(super) fn has(&self, name: &str, address: u64) -> bool {
        /// How far from its start a function has the call: behind the landing pad of an indirect branch (4 bytes), on arm64 also behind an
        /// instruction that keeps the return address.
        const CALL: std::ops::RangeInclusive<u64> = 0..=12;
        let here = |calls: &HashSet<u64>| CALL.step_by(4).any(|offset| calls.contains(&(address + offset)));
        self.names.contains(name) && (address == 0 || self.calls.as_ref().is_none_or(here))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_functions_of_one_name_the_listed_one_is_traceable() {
        let text = "ffffffff81000104 s_show\nffffffff81000200 s_stop\nffffffffc0000004 s_show_all [sample]\n";
        let list = TraceableList { text: text.into(), with_addresses: true };
        let found = list.find(|name| name.starts_with("s_show"));
        assert!(found.has("s_show", 0xffff_ffff_8100_0100));
        assert!(!found.has("s_show", 0xffff_ffff_8100_0180), "another of that name");
        assert!(found.has("s_show", 0), "addresses are hidden");
        assert!(found.has("s_show_all", 0xffff_ffff_c000_0004));
        assert!(!found.has("s_stop", 0xffff_ffff_8100_0200), "not asked for");
    }

    #[test]
    fn older_kernels_list_names_only() {
        let list = TraceableList { text: "s_show\ns_stop [sample]\n".into(), with_addresses: false };
        let found = list.find(|name| name == "s_stop");
        assert!(found.has("s_stop", 0x100) && !found.has("s_show", 0x100));
    }
}
