//! `cargo xtask soak [SECONDS]`: a Go program in every state that a tracer can disturb, under probes on all that it does.
//!
//! The program is `tests/programs/soak`, the script is `soak.gt` beside it, and the builds are the oldest and the newest Go, with
//! and without cgo. In each the program must say what it says untraced, and each return must have been matched with its own call:
//! the script counts them, and so does the program. A short run of the same is a case of the suite (`tests/cases/soak.txt`).

use std::process::Command;
use std::time::{Duration, Instant};

use harness::programs::{Mode, Program, sources};
use harness::run::{End, Outcome, run};
use harness::toolchain::{RELEASES, Release};

use crate::TaskResult;
use crate::tools::{mount_file_systems, need_root, release_binary};

/// Seconds of the whole task, unless told otherwise.
const DEFAULT_SECONDS: u64 = 600;
/// How much longer than asked a run may take: building probes, ending, a slow machine.
const SLACK: Duration = Duration::from_secs(120);
/// What the program prints in every run that went well.
const UNTRACED: &str = "wrong 0";

/// Runs the program on each build for its share of the time.
pub fn task(words: &[String]) -> TaskResult {
    need_root("soak")?;
    let seconds = match words {
        [] => DEFAULT_SECONDS,
        [text] => text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?,
        _ => return Err("usage: cargo xtask soak [SECONDS]".into()),
    };
    mount_file_systems()?;
    let gotrace = release_binary()?;
    let program = Program::named("soak")?;
    let ends: Vec<&'static Release> = RELEASES.first().into_iter().chain(RELEASES.last()).collect();
    let builds: Vec<(&'static Release, Mode)> =
        ends.iter().flat_map(|&release| [Mode::Plain, Mode::Cgo].map(|mode| (release, mode))).collect();
    let share = (seconds / builds.len() as u64).max(1);
    let mut all_good = true;
    for (release, mode) in builds {
        let binary = program.build(release, mode)?;
        println!("\nGo {} {}, {share} s", release.version, mode.name());
        let start = Instant::now();
        let mut command = Command::new(&gotrace);
        command.arg(sources().join("soak/soak.gt")).arg(&binary);
        command.arg("-c").arg(format!("{} -for {share}s", binary.display()));
        let outcome = run(&mut command, Duration::from_secs(share) + SLACK)?;
        print!("{}", outcome.stdout.replace("\n\n", "\n"));
        let fault = fault(&outcome);
        match &fault {
            None => println!("--- every return matched, {:.0?}", start.elapsed()),
            Some(fault) => println!("--- WRONG: {fault} ({}):\n{}", outcome.end, outcome.stderr.trim_end()),
        }
        all_good &= fault.is_none();
    }
    Ok(all_good)
}

/// What was wrong with a run.
fn fault(outcome: &Outcome) -> Option<String> {
    let answer = |name: &str| {
        let line = outcome.stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    // The program tells `rounds N echoes M` at its end.
    let told = outcome.stderr.lines().find(|line| line.starts_with("rounds "));
    let echoes = told.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    if outcome.end != End::Code(0) || outcome.left_processes {
        Some("the run did not end as it should".to_owned())
    } else if !outcome.stdout.lines().any(|line| line == UNTRACED) {
        Some("the program noticed something".to_owned())
    } else if outcome.stdout.contains("@mismatched") {
        Some("returns were matched with other calls".to_owned())
    } else if echoes != Some(answer("@matched") + answer("@missed")) {
        Some(format!("the program counted {echoes:?} calls"))
    } else {
        None
    }
}
