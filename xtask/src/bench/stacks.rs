//! What a stack costs: walked by frame pointers and by unwinding tables, and what reading the tables costs at the start; against the peer,
//! if it walks by tables too.
//!
//! The traced program calls through the C library again and again. The tracers run one after the other, each for a moment.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::Duration;

use aya::sys::{Stats, enable_stats};
use harness::programs::{Mode, Program};
use harness::run::{Running, checked};
use harness::toolchain::RELEASES;
use nix::sys::signal::Signal;

use super::peer::Peer;
use super::statistics::{Figures, LIMIT, figures, statistics, wait_until_attached};
use super::{Measured, median};
use crate::measure::{Cost, measure};

/// Times that everything is measured.
const ROUNDS: usize = 5;
/// How long events are counted each time.
const WINDOW: Duration = Duration::from_millis(500);
/// Seconds that the traced program runs at most; it is ended before.
const SECONDS: &str = "600";
/// Ways to take a stack.
const STACKS: [&str; 2] = ["ustack", "dw_ustack"];
/// What is loaded into the traced program, and its name.
const LOADED: [(&str, &str); 2] = [("", "the C library"), ("libstdc++.so.6", "the C and the C++ library")];

/// A running program, which ends with this value.
struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Target {
    fn start(program: &Path, library: &str) -> Result<Target, Box<dyn Error>> {
        let target = Target(Command::new(program).arg(SECONDS).env("LD_PRELOAD", library).spawn()?);
        // Its libraries must be mapped before anybody reads the list.
        sleep(WINDOW);
        Ok(target)
    }

    /// Words that trace it: a stack at each call.
    fn traced(&self, program: &Path, stack: &str) -> [String; 4] {
        let script = format!(
            "config = {{ unstable_dw_ustack = enable }} uprobe:{}:leaf {{ @[{stack}] = count(); }}",
            program.display()
        );
        ["-p".to_owned(), self.0.id().to_string(), "-e".to_owned(), script]
    }
}

/// Measures both.
pub(super) fn section(gotrace: &Path, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let peer = Peer::find()?;
    let both = checked(peer.command().arg("--info"))?.contains("dwunwind");
    let own = vec![gotrace.to_string_lossy().into_owned()];
    let tracers = if both { vec![own, peer.command] } else { vec![own] };
    // A copy, because a peer in a root directory of its own may see the scratch folder only.
    let release = RELEASES.last().ok_or("the table of Go releases is empty")?;
    let program = scratch.join("frames");
    fs::copy(Program::named("frames")?.build(release, Mode::Plain)?, &program)?;
    let mut text = format!(
        "{}. The program `frames` calls a function through `qsort` of the C library, ten frames deep; `ustack` ends in the C library. \
         Time is of the whole program at each event, with the map that the stack is counted in.\n\n\
         | stack | ns per event | instructions |\n|---|---|---|\n",
        if both {
            format!("gotrace / {}", peer.name)
        } else {
            format!("gotrace; {} has no `dw_ustack`", peer.name)
        }
    );
    for stack in STACKS {
        println!("stacks: {stack}");
        let found =
            tracers.iter().map(|tracer| events(tracer, &program, stack)).collect::<Result<Vec<_>, _>>()?;
        let _ =
            writeln!(text, "| `{stack}` | {} | {} |", cells(&found, |f| f.ns), cells(&found, |f| f.insns));
    }
    text += "\nStarting a script with a stack (`--dry-run`), by what the traced process has loaded.\n\n\
             | stack | loaded | CPU ms | peak MB |\n|---|---|---|---|\n";
    for (library, name) in LOADED {
        let target = Target::start(&program, library)?;
        for stack in STACKS {
            println!("stacks: starting {stack} with {name}");
            let words = target.traced(&program, stack);
            let starts = |tracer: &Vec<String>| start(tracer, &words, scratch);
            let found = tracers.iter().map(starts).collect::<Result<Vec<_>, _>>()?;
            let (time, memory) = (cells(&found, |c| c.cpu_ms), cells(&found, |c| c.peak_mb));
            let _ = writeln!(text, "| `{stack}` | {name} | {time} | {memory} |");
        }
    }
    Ok(Measured { text, kept: true })
}

/// A number of each tracer.
fn cells<T>(found: &[T], part: impl Fn(&T) -> f64) -> String {
    found.iter().map(|one| format!("{:.0}", part(one))).collect::<Vec<_>>().join(" / ")
}

/// What an event costs.
fn events(tracer: &[String], program: &Path, stack: &str) -> Result<Figures, Box<dyn Error>> {
    // Kept until the end: the kernel counts as long as it is open.
    let _statistics = enable_stats(Stats::RunTime)?;
    let target = Target::start(program, "")?;
    let [name, args @ ..] = tracer else { return Err("a tracer without a name".into()) };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut command = Command::new(name);
        let running = Running::start(command.args(args).args(target.traced(program, stack)), "")?;
        let (running, programs) = wait_until_attached(running, || {
            sleep(Duration::from_millis(50));
            Ok(())
        })?;
        let before = statistics();
        sleep(WINDOW);
        rounds.push(figures(&programs, &before, &statistics())?);
        running.signal(Signal::SIGINT)?;
        running.finish(LIMIT)?;
    }
    Ok(Figures::median(&rounds))
}

/// What it costs up to the last probe in place.
fn start(tracer: &[String], words: &[String], scratch: &Path) -> Result<Cost, Box<dyn Error>> {
    let mut command: Vec<&str> = tracer.iter().map(String::as_str).collect();
    command.push("--dry-run");
    command.extend(words.iter().map(String::as_str));
    let runs = (0..ROUNDS).map(|_| measure(&command, scratch)).collect::<Result<Vec<Cost>, _>>()?;
    let middle = |part: fn(&Cost) -> f64| median(runs.iter().map(part));
    Ok(Cost { cpu_ms: middle(|c| c.cpu_ms), peak_mb: middle(|c| c.peak_mb) })
}
