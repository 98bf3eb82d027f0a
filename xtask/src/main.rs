//! `cargo xtask TASK`: what one does with this project besides `cargo build`.
//!
//! Each task is a file of its own; this one only chooses. Tasks need nothing but Rust, Python and apt: they fetch Go
//! toolchains into the user's cache and install Debian packages where root may do so.

mod bench;
mod cross;
mod demo;
mod dist;
mod docs;
mod fuzz;
mod measure;
mod picture;
mod soak;
mod test;
mod tools;
mod vm;

use std::process::ExitCode;

/// What a task gives back: `Ok(false)` when it ran and found something wrong, which it has told.
type TaskResult = Result<bool, Box<dyn std::error::Error>>;

/// A task: its name, one line about it, and what it does with the rest of the command line.
type Task = (&'static str, &'static str, fn(&[String]) -> TaskResult);

const TASKS: &[Task] = &[
    ("demo", "trace a real Go web server, on Go 1.15 and on current Go (root, about a minute)", demo::task),
    ("test", "everything that continuous integration checks (root)", test::task),
    (
        "bench",
        "cost of gotrace against bpftrace and against itself; writes docs/benchmarks.md (root)",
        bench::task,
    ),
    (
        "soak",
        "a Go program at full load under probes on everything, for SECONDS (600 unless given; root)",
        soak::task,
    ),
    ("vm", "cases, or a command, in a virtual machine with another kernel: vm KERNEL [FILTER]", vm::task),
    ("docs", "writes the pages of docs/ that are made from tables, and the book", docs::task),
    (
        "fuzz",
        "fuzz every target of tests/fuzz for [SECONDS] each (nightly toolchain, cargo-fuzz)",
        fuzz::task,
    ),
    (
        "dist",
        "the static release binary target/dist/gotrace, and a Debian package of it; --arch arm64 for others",
        dist::task,
    ),
    ("picture", "runs a session and draws it, docs/session.svg (root)", picture::task),
    ("measure", "CPU time and peak memory of one command, as one line (used by bench)", measure::task),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = words.split_first() else { return usage() };
    let Some((_, _, run)) = TASKS.iter().find(|(task, ..)| task == name) else { return usage() };
    match run(rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: cargo xtask TASK\n");
    for (name, about, _) in TASKS {
        eprintln!("  {name:<8} {about}");
    }
    ExitCode::FAILURE
}
