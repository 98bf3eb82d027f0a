//! What the kernel tells of the programs of a running tracer: their size, and how long and how often they have run (which it counts
//! while [`aya::sys::enable_stats`] is in force).

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use aya::programs::loaded_programs;
use harness::run::Running;
use nix::sys::signal::Signal;

use super::median;

/// Time that a tracer has to attach or to end.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// What the kernel says about the programs of one tracer.
#[derive(Clone, Copy, Default)]
pub(super) struct Figures {
    /// Instructions after the kernel's rewriting.
    pub insns: f64,
    /// Bytes of machine code.
    pub jited: f64,
    /// Nanoseconds per run.
    pub ns: f64,
}

impl Figures {
    /// The median of each over several measurements.
    pub fn median(rounds: &[Figures]) -> Figures {
        let middle = |part: fn(&Figures) -> f64| median(rounds.iter().map(part));
        Figures { insns: middle(|r| r.insns), jited: middle(|r| r.jited), ns: middle(|r| r.ns) }
    }
}

/// Waits until the programs of a tracer run when what makes events does, and gives their ids.
pub(super) fn wait_until_attached(
    running: Running,
    event: impl Fn() -> Result<(), Box<dyn Error>>,
) -> Result<(Running, BTreeSet<u32>), Box<dyn Error>> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        sleep(Duration::from_millis(50));
        let before = statistics();
        event()?;
        let after = statistics();
        let programs = programs_of(running.id());
        let runs = |id: &u32| count(&after, *id) > count(&before, *id);
        if !programs.is_empty() && programs.iter().all(runs) {
            return Ok((running, programs));
        }
    }
    running.signal(Signal::SIGINT)?;
    let outcome = running.finish(LIMIT)?;
    Err(format!("the probes do not run: {}{}", outcome.stdout, outcome.stderr).into())
}

/// Ids of the BPF programs that a process holds, itself or by their links.
fn programs_of(process: u32) -> BTreeSet<u32> {
    let Ok(list) = fs::read_dir(format!("/proc/{process}/fdinfo")) else { return BTreeSet::new() };
    let id = |text: String| text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
    list.flatten().filter_map(|file| id(fs::read_to_string(file.path()).ok()?)).collect()
}

/// A program's size and what it has run so far.
#[derive(Clone, Copy)]
pub(super) struct Statistics {
    insns: u32,
    jited: u32,
    runs: u64,
    time: Duration,
}

/// What all programs of the machine have run so far, by id.
pub(super) fn statistics() -> BTreeMap<u32, Statistics> {
    let mut all = BTreeMap::new();
    // A program that is unloaded meanwhile ends the list with an error: it is none of ours.
    for program in loaded_programs().flatten() {
        let insns = program.size_translated().unwrap_or(0) / 8;
        let (runs, time) = (program.run_count(), program.run_time());
        all.insert(program.id(), Statistics { insns, jited: program.size_jitted(), runs, time });
    }
    all
}

fn count(all: &BTreeMap<u32, Statistics>, id: u32) -> u64 {
    all.get(&id).map_or(0, |program| program.runs)
}

/// The sum over the programs of a script of their sizes and of their times per run.
pub(super) fn figures(
    programs: &BTreeSet<u32>,
    before: &BTreeMap<u32, Statistics>,
    after: &BTreeMap<u32, Statistics>,
) -> Result<Figures, Box<dyn Error>> {
    let mut sum = Figures::default();
    for id in programs {
        let (Some(before), Some(after)) = (before.get(id), after.get(id)) else {
            return Err(format!("program {id} is gone").into());
        };
        let time = after.time.saturating_sub(before.time);
        sum.insns += f64::from(after.insns);
        sum.jited += f64::from(after.jited);
        sum.ns += time.as_nanos() as f64 / (after.runs - before.runs).max(1) as f64;
    }
    Ok(sum)
}
