//! What it costs to read the facts of a large Go program: processor time and memory of whole runs up to the last probe in place.

use std::error::Error;
use std::fs;
use std::path::Path;

use harness::generated::{LARGE_METHOD, build_large};
use harness::programs::Mode;
use harness::toolchain::RELEASES;

use super::{Measured, median};
use crate::dist::mb;
use crate::measure::{Cost, measure};

/// Runs of each script.
const RUNS: usize = 9;
/// Promised for a program of 100 MB: processor time in milliseconds, peak memory in megabytes.
const PROMISED: (f64, f64) = (150.0, 100.0);

/// What a script asks for, which program it traces, and its probe, in which PROGRAM and METHOD stand for the names.
struct Question {
    what: &'static str,
    mode: Mode,
    script: &'static str,
}

const QUESTIONS: &[Question] = &[
    Question {
        what: "argument words and the function's name",
        mode: Mode::Plain,
        script: "uprobe:PROGRAM:METHOD { @[sarg0, func] = count(); }",
    },
    Question {
        what: "goroutine and stack",
        mode: Mode::Plain,
        script: "uprobe:PROGRAM:METHOD { @[goid, ustack] = count(); }",
    },
    Question {
        what: "arguments by name, from debug information",
        mode: Mode::Plain,
        script: "uprobe:PROGRAM:METHOD { @[args.r.Next.Name, args.n] = count(); }",
    },
    Question {
        what: "results, from debug information",
        mode: Mode::Plain,
        script: "uretprobe:PROGRAM:METHOD { @[retval.0] = count(); }",
    },
    Question {
        what: "all functions of a package",
        mode: Mode::Plain,
        script: "uprobe:PROGRAM:large/p07.* { @[func] = count(); }",
    },
    Question {
        what: "arguments by position, stripped, from the program's own types",
        mode: Mode::Stripped,
        script: "uprobe:PROGRAM:METHOD { @[args.0.Next.Name, args.2] = count(); }",
    },
];

/// Builds the program where it is not in the cache, and measures.
pub fn section(gotrace: &Path, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let release = RELEASES.last().ok_or("the table of Go releases is empty")?;
    println!("large Go programs: building takes minutes the first time, then {RUNS} runs of each script");
    let (plain, stripped) = (build_large(release, Mode::Plain)?, build_large(release, Mode::Stripped)?);
    let size = |path: &Path| fs::metadata(path).map(|meta| mb(meta.len()));
    let mut text = format!(
        "Processor time and peak memory of whole runs up to the last probe in place (`--dry-run`), in a Go {} program of {:.0} MB, stripped \
         {:.0} MB. Promised: at most {:.0} ms and {:.0} MB.\n\n| the script asks for | ms | MB |\n|---|---|---|\n",
        release.version,
        size(&plain)?,
        size(&stripped)?,
        PROMISED.0,
        PROMISED.1,
    );
    let mut kept = true;
    for Question { what, mode, script } in QUESTIONS {
        let program = if *mode == Mode::Stripped { &stripped } else { &plain };
        let script = script.replace("PROGRAM", &program.to_string_lossy()).replace("METHOD", LARGE_METHOD);
        let command = [&*gotrace.to_string_lossy(), "--dry-run", "-e", &script];
        let costs = (0..RUNS).map(|_| measure(&command, scratch)).collect::<Result<Vec<Cost>, _>>()?;
        let time = median(costs.iter().map(|cost| cost.cpu_ms));
        let memory = median(costs.iter().map(|cost| cost.peak_mb));
        kept &= time <= PROMISED.0 && memory <= PROMISED.1;
        text += &format!("| {what} | {time:.0} | {memory:.0} |\n");
    }
    Ok(Measured { text, kept })
}
