//! Time to compile large scripts: how it grows with their size, and what starting them costs against the peer.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use harness::programs::{Mode, Program};
use harness::toolchain::RELEASES;

use super::peer::Peer;
use super::{Measured, median};
use crate::measure::measure;

/// Runs of each measurement.
const RUNS: usize = 3;
/// Size of the smallest script; twice and four times that follow.
const SIZE: usize = 500;
/// Compiling the largest scripts may take so long, in milliseconds.
const LIMIT_MS: f64 = 1000.0;
/// Starting them, which is the verifier's time above all.
const START_LIMIT_MS: f64 = 2000.0;

/// A kind of script: its name, how many of its statements there are for one unit of size, what stands around the statements, and
/// statement number `n`. `TARGET` is the path of a target program.
struct Kind {
    name: &'static str,
    divisor: usize,
    around: [&'static str; 2],
    statement: fn(usize) -> String,
}

const BLOCK: [&str; 2] = ["uprobe:TARGET:work {\n", "}\n"];

const KINDS: &[Kind] = &[
    Kind {
        name: "assignments by number",
        divisor: 1,
        around: BLOCK,
        statement: |n| format!("@[{n}] = arg0;\n"),
    },
    Kind {
        name: "assignments by text",
        divisor: 1,
        around: BLOCK,
        statement: |n| format!("@[\"key {n}\"] = arg0;\n"),
    },
    Kind {
        name: "variables",
        divisor: 1,
        around: BLOCK,
        statement: |n| format!("$v{n} = arg0 + {n}; @ = $v{n};\n"),
    },
    Kind {
        name: "conditions",
        divisor: 1,
        around: BLOCK,
        statement: |n| format!("if (arg0 == {n}) {{ @[arg2] = {n}; }}\n"),
    },
    Kind {
        name: "printf",
        divisor: 1,
        around: BLOCK,
        statement: |n| format!("printf(\"{n} %d\\n\", arg0);\n"),
    },
    Kind {
        name: "probes",
        divisor: 20,
        around: ["", ""],
        statement: |n| {
            format!("uprobe:TARGET:work {{ @[str(arg1), {n}] = count(); printf(\"%d\\n\", arg0); }}\n")
        },
    },
];

impl Kind {
    fn script(&self, target: &Path, size: usize) -> String {
        let body: String = (0..size / self.divisor).map(self.statement).collect();
        let [before, after] = self.around;
        format!("{before}{body}{after}").replace("TARGET", &target.to_string_lossy())
    }
}

/// Measures all kinds and gives the section.
pub fn section(gotrace: &Path, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let peer = Peer::find()?;
    let release = RELEASES.last().ok_or("the table of Go releases is empty")?;
    let target = scratch.join("events");
    fs::copy(Program::named("events")?.build(release, Mode::Plain)?, &target)?;
    let mut text = format!(
        "CPU time in milliseconds. Compiling is `gotrace build`; starting is a run up to the last probe in place \
         (`--dry-run`), which has the kernel's verifier look at it; ratio is that of the smallest script by {}. Growth is the \
         time of four times the statements by the time of the smallest, both without that of an empty script.\n\n\
         | statements | gotrace compiles {SIZE} | {} | {} | growth | starts {SIZE} | {} | growth | the peer | ratio |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
        peer.name,
        2 * SIZE,
        4 * SIZE,
        4 * SIZE,
    );
    let file = scratch.join("script.gt");
    let script = file.to_string_lossy();
    let object = scratch.join("script.o");
    let [own, object] = [gotrace.to_string_lossy(), object.to_string_lossy()];
    let build = [&*own, "build", "-o", &*object, &*script];
    let mut theirs: Vec<&str> = peer.command.iter().map(String::as_str).collect();
    theirs.extend(["--dry-run", &*script]);
    fs::write(&file, "begin { }")?;
    let starts = [&*own, "--dry-run", &*script];
    let (empty, empty_start) = (time(&build, scratch)?, time(&starts, scratch)?);
    let mut kept = true;
    for kind in KINDS {
        println!("compiling: {}", kind.name);
        let mut compile = Vec::new();
        for size in [SIZE, 2 * SIZE, 4 * SIZE] {
            fs::write(&file, kind.script(&target, size))?;
            compile.push(time(&build, scratch)?);
        }
        let large_start = time(&starts, scratch)?;
        fs::write(&file, kind.script(&target, SIZE))?;
        let start = time(&starts, scratch)?;
        let other = time(&theirs, scratch)?;
        let [small, medium, large] = compile[..] else { return Err("three sizes were measured".into()) };
        kept &= large < LIMIT_MS && large_start < START_LIMIT_MS;
        let name = match kind.divisor {
            1 => kind.name.to_owned(),
            n => format!("{} (a {n}th of the number)", kind.name),
        };
        let _ = writeln!(
            text,
            "| {name} | {small:.1} | {medium:.1} | {large:.1} | {:.1} | {start:.0} | {large_start:.0} | {:.1} | {other:.0} | {:.2} |",
            (large - empty) / (small - empty).max(0.1),
            (large_start - empty_start) / (start - empty_start).max(0.1),
            start / other
        );
    }
    Ok(Measured { text, kept })
}

/// CPU time of a command in milliseconds.
fn time(command: &[&str], scratch: &Path) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..RUNS {
        times.push(measure(command, scratch)?.cpu_ms);
    }
    Ok(median(times))
}
