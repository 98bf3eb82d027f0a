//! The table of labs.

use crate::{Expected, How, Lab, Language, Need, Program};

/// A Go program of `docs/workshop/programs`, with what all of them share.
macro_rules! go_program {
    ($name:literal $(, $more:literal)*) => {
        Program {
            name: $name,
            language: Language::Go,
            files: &[
                ("go.mod", include_str!("../../docs/workshop/programs/go.mod")),
                ("main.go", include_str!(concat!("../../docs/workshop/programs/", $name, "/main.go"))),
                $(($more, include_str!(concat!("../../docs/workshop/programs/", $name, "/", $more))),)*
                ("facts/facts.go", include_str!("../../docs/workshop/programs/facts/facts.go")),
            ],
        }
    };
}

/// A C program of `docs/workshop/programs`.
macro_rules! c_program {
    ($name:literal) => {
        Program {
            name: $name,
            language: Language::C,
            files: &[(
                concat!($name, ".c"),
                include_str!(concat!("../../docs/workshop/programs/", $name, "/", $name, ".c")),
            )],
        }
    };
}

macro_rules! labs {
    ($($number:literal $file:literal, $minutes:literal minutes, $title:literal, $program:expr, [$($need:expr),* $(,)?];)*) => {
        /// All labs, in their order: each builds on the ones before.
        pub const LABS: &[Lab] = &[$(Lab {
            number: $number,
            title: $title,
            minutes: $minutes,
            text: include_str!(concat!("../../docs/workshop/", $file, ".md")),
            program: $program,
            solution: include_str!(concat!("../../docs/workshop/solutions/", $file, ".gt")),
            needs: &[$($need),*],
        },)*];
    };
}

labs! {
    1 "01-first-line", 10 minutes, "A line when a function runs", go_program!("orders"), [
        Need {
            what: "a line for each pot that is brewed",
            hint: "one uprobe at main.brew with a printf; nothing else prints",
            how: How::Lines("brewed"),
        },
    ];
    2 "02-arguments", 15 minutes, "Which order? Arguments by name", go_program!("orders"), [
        Need {
            what: "table, tea and grams of each pot in one line",
            hint: "args.NAME at the entry of main.brew",
            how: How::LineEach("brewed"),
        },
    ];
    3 "03-results", 15 minutes, "Errors that nobody sees: results and maps", go_program!("till"), [
        Need {
            what: "a map with the number of failures by message",
            hint: "count() in a uretprobe of main.charge, the key is goerr() of the second result",
            how: How::Entry { fact: "failed", by: &[1], value: Expected::Count },
        },
        Need {
            what: "a line with table and message for each failure",
            hint: "keep the table in a map with the key callid at the entry",
            how: How::LineEach("failed"),
        },
    ];
    4 "04-latency", 15 minutes, "How long does it take? Histograms", go_program!("kitchen"), [
        Need {
            what: "a histogram of the times for each tea",
            hint: "keep args.tea with the time, and use it as the key of the histogram",
            how: How::Entry { fact: "fetched", by: &[0], value: Expected::Samples },
        },
        Need {
            what: "a line with order and tea for each fetch that is slow",
            hint: "an if in the uretprobe, with a printf",
            how: How::LineEach("slow"),
        },
    ];
    5 "05-panics", 15 minutes, "A panic that is swallowed", go_program!("menu"), [
        Need {
            what: "a map with the number of panics by type",
            hint: "count() in a uprobe of runtime.gopanic, the key is gotype(args.e)",
            how: How::Entry { fact: "panicked", by: &[1], value: Expected::Count },
        },
        Need {
            what: "a line with dish and type for each panic",
            hint: "keep args.dish of main.label under goid, and read it in the probe of runtime.gopanic",
            how: How::LineEach("panicked"),
        },
    ];
    6 "06-leak", 20 minutes, "Goroutines that never end", go_program!("tables"), [
        Need {
            what: "a map with how often main.look started",
            hint: "count() in a uprobe, func as the key",
            how: How::Entry { fact: "started", by: &[0], value: Expected::Count },
        },
        Need {
            what: "a map with how often main.look ended",
            hint: "count() in a uretprobe",
            how: How::Entry { fact: "ended", by: &[0], value: Expected::Count },
        },
        Need {
            what: "a line for each guest whose goroutine has not ended",
            hint: "args.guest in a map with the key goid, deleted at the return; a for in the end block prints the rest",
            how: How::LineEach("left"),
        },
    ];
    7 "07-lock", 20 minutes, "A lock convoy", go_program!("stock"), [
        Need {
            what: "a map with stats() of the calls of each method",
            hint: "main.(*Stock).* in uprobe and uretprobe, func as the key",
            how: How::Entry { fact: "called", by: &[0], value: Expected::Count },
        },
        Need {
            what: "a map with the microseconds that Report held the lock",
            hint: "nsecs at line 34 under goid, the difference at the return of Report",
            how: How::Entry { fact: "held", by: &[0], value: Expected::About(1) },
        },
    ];
    8 "08-allocations", 15 minutes, "An allocation storm", go_program!("receipts"), [
        Need {
            what: "the bytes that main.render has allocated, by stack",
            hint: "sum(sarg0) under ustack(8) in a uprobe of runtime.mallocgc",
            how: How::Entry { fact: "copied", by: &[0], value: Expected::About(1) },
        },
    ];
    9 "09-names", 15 minutes, "A slow name", go_program!("suppliers", "server.go"), [
        Need {
            what: "a map with the number of look-ups of each name",
            hint: "args.host of LookupHost, kept under callid with the time; stats() has the number",
            how: How::Entry { fact: "lookup", by: &[0], value: Expected::Count },
        },
        Need {
            what: "the microseconds that the slow name took",
            hint: "stats() of microseconds: nsecs / 1000",
            how: How::Entry { fact: "slow", by: &[0], value: Expected::About(1) },
        },
    ];
    10 "10-short-reads", 15 minutes, "A short read", go_program!("scale"), [
        Need {
            what: "a line with both numbers for each short read",
            hint: "len(args.b) at the entry under callid, retval at the return",
            how: How::LineEach("short"),
        },
    ];
    11 "11-files", 15 minutes, "Files and system calls of a C program", c_program!("archive"), [
        Need {
            what: "a map with the number of failed opens by path",
            hint: "keep str(args.filename) under tid at sys_enter_openat, count at sys_exit_openat where args.ret < 0",
            how: How::Entry { fact: "missed", by: &[0], value: Expected::Count },
        },
        Need {
            what: "a map with the number of read calls by size",
            hint: "args.count of sys_enter_read as the key of count()",
            how: How::Entry { fact: "read", by: &[0], value: Expected::Count },
        },
    ];
    12 "12-endpoint", 20 minutes, "Why is this endpoint slow?", go_program!("shop"), [
        Need {
            what: "a histogram of the times of requests by path",
            hint: "args.req.URL.Path of net/http.serverHandler.ServeHTTP, kept with the time",
            how: How::Entry { fact: "request", by: &[0], value: Expected::Samples },
        },
        Need {
            what: "the microseconds that Refresh holds the lock",
            hint: "sum() of the times of main.(*Prices).Refresh, func as the key",
            how: How::Entry { fact: "held", by: &[0], value: Expected::About(1) },
        },
    ];
}

/// The lab of that number.
#[must_use]
pub fn find(number: usize) -> Option<&'static Lab> {
    LABS.iter().find(|lab| lab.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labs_are_numbered_and_titled_as_their_pages() {
        for (index, lab) in LABS.iter().enumerate() {
            assert_eq!(lab.number, index + 1);
            let title = format!("# Lab {}: {}\n", lab.number, lab.title);
            assert!(lab.text.starts_with(&title), "{title}{:?}", lab.text.lines().next());
            assert!((10..=20).contains(&lab.minutes) && !lab.needs.is_empty(), "{title}");
        }
    }

    #[test]
    fn pages_have_all_their_parts() {
        for lab in LABS {
            for part in ["## Goals\n", "## Steps\n", "## Your script\n", "## Questions\n"] {
                assert!(lab.text.contains(part), "lab {}: {part}", lab.number);
            }
        }
    }

    #[test]
    fn instructors_have_notes_on_each_lab() {
        let notes = include_str!("../../docs/workshop/instructor.md");
        for lab in LABS {
            assert!(
                notes.contains(&format!("\n| {} | {} | ", lab.number, lab.minutes)),
                "timing of lab {}",
                lab.number
            );
            let heading = format!("\n## Lab {}\n", lab.number);
            let section =
                notes.split_once(&heading).map(|(_, rest)| rest.split("\n## ").next().unwrap_or(rest));
            let answers =
                section.filter(|text| text.contains("Answers: (1) ") && text.contains("Common mistakes: "));
            let questions = lab.text.split_once("## Questions\n").map_or("", |(_, questions)| questions);
            let asked =
                questions.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit())).count();
            assert!(
                asked > 0 && answers.is_some_and(|text| text.contains(&format!("({asked}) "))),
                "lab {}",
                lab.number
            );
        }
    }
}
