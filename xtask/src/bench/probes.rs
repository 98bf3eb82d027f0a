//! What a counting probe costs a Go program per call: at the place that gotrace takes for an entry, against the function's first byte,
//! on each Go release; and at a return that the program does itself, against one that the kernel single-steps, on the newest kernel in a
//! virtual machine.
//!
//! The traced program measures its own processor time, so that other programs on the machine hardly matter.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use harness::programs::{Mode, Program};
use harness::run::run;
use harness::toolchain::RELEASES;
use harness::vm::Kernel;

use super::{LIMIT, LONG_RUNS, Measured, median};
use crate::vm;

/// The most that an entry probe may cost, as a part of one at the first byte.
const ENTRY: f64 = 0.2;
/// The most that a return that the program does may cost, as a part of a single-stepped one.
const RETURN: f64 = 1.0 / 3.0;
/// Arguments of the traced program here, and in a virtual machine, which is slower.
const CALLS: &str = "-n 20 -time";
const FEW_CALLS: &str = "-n 14 -time";
/// What the program prints before the number.
const PER_CALL: &str = "ns/call ";
/// What a guest prints before its kernel's release.
const KERNEL: &str = "kernel ";

/// Measures both.
pub(super) fn section(gotrace: &Path, scratch: &Path) -> Result<Measured, Box<dyn Error>> {
    let (entries, entries_kept) = entries(gotrace, scratch)?;
    let (returns, returns_kept) = returns()?;
    Ok(Measured { text: format!("{entries}\n{returns}"), kept: entries_kept && returns_kept })
}

/// Entry probes on each Go release.
fn entries(gotrace: &Path, scratch: &Path) -> Result<(String, bool), Box<dyn Error>> {
    let mut text = "Nanoseconds of processor time per call of a small function, with a counting probe at its entry and at its first \
                    byte, without what the call costs untraced. Promised: at most 0.20.\n\n\
                    | Go | entry | first byte | ratio |\n|---|---|---|---|\n"
        .to_owned();
    let mut kept = true;
    for release in RELEASES {
        println!("entry probes on Go {}: {LONG_RUNS} rounds of three runs", release.version);
        let fib = Program::named("fib")?.build(release, Mode::Plain)?;
        let [bare, entry, first] = rounds(|which| {
            let mut command = match which {
                0 => Command::new(&fib),
                _ => Command::new(gotrace),
            };
            if which == 0 {
                command.args(CALLS.split(' '));
            } else {
                let place = if which == 1 { "" } else { "+0" };
                let script = format!("uprobe:{}:main.fib{place} {{ @ = count(); }}", fib.display());
                command.arg("-q").arg("-o").arg(scratch.join("answers")).args(["-e", &script]);
                command.args(["-c", &format!("{} {CALLS}", fib.display())]);
            }
            let outcome = run(&mut command, LIMIT)?;
            per_call(&outcome.stdout).ok_or_else(|| format!("fib did not run: {}", outcome.stderr).into())
        })?;
        let ratio = (entry - bare) / (first - bare);
        kept &= ratio <= ENTRY;
        writeln!(
            text,
            "| {} | {:.0} | {:.0} | {} |",
            release.version,
            entry - bare,
            first - bare,
            judged(ratio, ENTRY)
        )?;
    }
    Ok((text, kept))
}

/// Return probes on the newest kernel.
fn returns() -> Result<(String, bool), Box<dyn Error>> {
    let kernel = Kernel::named("newest").ok_or("no kernel is called newest")?;
    let mut release_of_kernel = String::new();
    let mut rows = String::new();
    let mut kept = true;
    for release in [RELEASES.first(), RELEASES.last()].into_iter().flatten() {
        println!(
            "return probes on Go {}, on Linux {kernel}: {LONG_RUNS} rounds of three runs",
            release.version
        );
        let fib = Program::named("fib")?.build(release, Mode::Plain)?;
        let place = "/opt/fib";
        let traced = format!(
            "gotrace -q -o /dev/null -e 'uretprobe:{place}:main.fib {{ @ = count(); }}' -c '{place} {FEW_CALLS}'"
        );
        // Three lines a round, in this order.
        let script = format!(
            "set -e; echo {KERNEL}$(uname -r); for i in $(seq {LONG_RUNS}); do {place} {FEW_CALLS}; {traced}; GOTRACE_NO_FEATURE=uprobe_registers {traced}; done"
        );
        let mut found = Vec::new();
        let here = fib.to_string_lossy();
        let command = format!("sh -c '{}'", script.replace('\'', r"'\''"));
        let status = vm::command(kernel, vec![(&here, place)], command, |line| {
            found.extend(per_call(line));
            if let Some(release) = line.strip_prefix(KERNEL) {
                release.trim().clone_into(&mut release_of_kernel);
            }
        })?;
        if status != 0 || found.len() != 3 * LONG_RUNS {
            return Err(
                format!("the virtual machine gave {} numbers and status {status}", found.len()).into()
            );
        }
        let nth = |which: usize| median(found.iter().copied().skip(which).step_by(3));
        let (bare, own, stepped) = (nth(0), nth(1), nth(2));
        let ratio = (own - bare) / (stepped - bare);
        kept &= ratio <= RETURN;
        writeln!(
            rows,
            "| {} | {:.0} | {:.0} | {} |",
            release.version,
            own - bare,
            stepped - bare,
            judged(ratio, RETURN)
        )?;
    }
    let text = format!(
        "The same at the returns, on Linux {release_of_kernel} in a virtual machine whose processor is emulated: done by the program, \
         against single-stepped by the kernel. Promised: at most 0.33.\n\n\
         | Go | by the program | by the kernel | ratio |\n|---|---|---|---|\n{rows}"
    );
    Ok((text, kept))
}

/// A ratio, in bold type when it is too large.
fn judged(ratio: f64, limit: f64) -> String {
    if ratio <= limit { format!("{ratio:.2}") } else { format!("**{ratio:.2}**") }
}

/// Measures three things by turns; gives their medians.
fn rounds(mut one: impl FnMut(usize) -> Result<f64, Box<dyn Error>>) -> Result<[f64; 3], Box<dyn Error>> {
    let mut times: [Vec<f64>; 3] = Default::default();
    for _ in 0..LONG_RUNS {
        for (which, times) in times.iter_mut().enumerate() {
            times.push(one(which)?);
        }
    }
    Ok(times.map(median))
}

/// The nanoseconds per call that `fib -time` prints.
fn per_call(output: &str) -> Option<f64> {
    output.lines().find_map(|line| line.strip_prefix(PER_CALL)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::{judged, per_call};

    #[test]
    fn numbers_are_found_and_judged() {
        assert_eq!(per_call("fib 3 = 2\nns/call 12.50\n"), Some(12.5));
        assert_eq!(per_call("fib 3 = 2\n"), None);
        assert_eq!((judged(0.2, 0.2), judged(0.21, 0.2)), ("0.20".to_owned(), "**0.21**".to_owned()));
    }
}
