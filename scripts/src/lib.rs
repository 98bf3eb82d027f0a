//! The tool library: scripts that are embedded in the binary and run by name (`gotrace golatency …`).
//!
//! Each tool is a `.gt` file of this folder whose header comment says what it does, how it is used, and what to beware of, and a page
//! `docs/tools/NAME.md` with a sample of its output. `cargo xtask docs` puts what the header says into the page.

/// A shipped script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tool {
    /// The name to run it by.
    pub name: &'static str,
    /// What it is about; tools are listed by it.
    pub subject: &'static str,
    /// One line.
    pub summary: &'static str,
    /// The script.
    pub source: &'static str,
    /// Its page of the manual, in Markdown.
    pub page: &'static str,
}

macro_rules! tools {
    ($($subject:literal $name:literal $summary:literal,)*) => {
        /// All tools, grouped by subject.
        pub const TOOLS: &[Tool] = &[
            $(Tool {
                name: $name,
                subject: $subject,
                summary: $summary,
                source: include_str!(concat!("../", $name, ".gt")),
                page: include_str!(concat!("../../docs/tools/", $name, ".md")),
            },)*
        ];
    };
}

tools! {
    "go" "gocalls" "Counts the calls of Go functions",
    "go" "golatency" "Latency of Go functions as histograms, by call, or each slow call",
    "go" "goargs" "Argument words of every call of Go functions, with the goroutine",
    "go" "uflow-go" "The flow of calls, indented, by goroutine",
    "go" "gosched" "Goroutines: running, waiting to run, waiting for what, in system calls",
    "go" "gospawn" "Which functions start goroutines, and what these run",
    "go" "goblock" "How long goroutines wait, for what, and where",
    "go" "gochan" "Channel operations that block: how long, and where",
    "go" "gomutex" "Locks that are waited for: how long, and where",
    "go" "goalloc" "Heap allocations by type, or by type and stack",
    "go" "gogc" "Garbage collections, the pauses they make, and new threads",
    "go" "gopanic" "Panics with their values, and whether they are recovered",
    "go" "goprof" "Processor time by goroutine and stack",
    "go" "gohttp" "Requests that a Go web server answers, with status and time",
    "go" "gohttpc" "Requests that a Go program makes as HTTP client, with status and time",
    "go" "gosql" "Queries through database/sql, with time and error",
    "go" "gotls" "What a Go program sends and receives by TLS, as plain text",
    "go" "goconn" "Connections that a Go program accepts and dials, with addresses",
    "go" "goshortread" "Reads from Go connections that returned less than asked for, with caller",
    "system" "gethostlatency" "Look-ups of host names by C and Go programs, with time",
    "system" "bashreadline" "Lines typed into bash",
    "system" "syscount" "Counts system calls by program and name",
    "system" "execsnoop" "Programs as they are started",
    "system" "opensnoop" "Files as they are opened",
    "system" "statsnoop" "Files whose attributes are asked for",
    "system" "killsnoop" "Signals that programs send",
    "system" "oomkill" "Processes that the kernel ends because memory is short",
    "system" "tcpconnect" "TCP connections that programs open",
    "system" "tcpaccept" "TCP connections that programs accept",
    "system" "tcplife" "TCP connections when they end, with time and bytes",
    "system" "tcpretrans" "TCP segments that are sent again",
    "system" "profile" "Stacks of what runs on the CPUs",
    "system" "offcputime" "Stacks of where threads wait, with the time",
    "system" "runqlat" "How long threads wait for a CPU",
    "system" "cpuwalk" "Which CPUs are busy",
    "system" "biosnoop" "Requests to disks, with time",
    "system" "biolatency" "How long disks take for requests",
    "system" "vfsstat" "Calls of the kernel's file functions, each second",
}

impl Tool {
    /// The line of the header that tells how it is called.
    #[must_use]
    pub fn usage(&self) -> &'static str {
        self.source.lines().find_map(|line| line.strip_prefix("// Usage:")).unwrap_or(self.name).trim()
    }
}

/// The tool of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|t| t.name == name)
}

/// The subjects, in the order of the table.
pub fn subjects() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    TOOLS.iter().map(|t| t.subject).filter(move |s| std::mem::replace(&mut last, s) != *s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_have_a_header_that_starts_with_their_name() {
        for tool in TOOLS {
            let header = tool.source.lines().find_map(|l| l.strip_prefix("// ")).unwrap_or_default();
            assert!(header.starts_with(tool.name), "{}: {header}", tool.name);
            assert!(tool.usage().starts_with(&format!("gotrace {}", tool.name)), "{}", tool.usage());
            assert!(tool.page.starts_with(&format!("# {}\n", tool.name)), "{}", tool.name);
        }
    }

    #[test]
    fn subjects_are_listed_once() {
        assert_eq!(subjects().collect::<Vec<_>>(), ["go", "system"]);
    }
}
