//! `cargo xtask test`: everything that must hold before a change goes in, with one closing line of counts.
//!
//! It installs what it needs (as root), so that it runs on a machine that has only Rust, Python and apt. All checks run
//! even when an earlier one failed; only without a binary there is nothing to test.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use harness::arch::Arch;
use harness::debian;
use harness::judge::suite_releases;
use harness::vm::Kernel;

use crate::TaskResult;
use crate::fuzz;
use crate::tools::{cargo, installed, mount_file_systems, need_root, root, shown, target_dir};
use crate::vm;

/// Programs of the system that tests call, and the Debian packages that bring them.
const PACKAGES: &[(&str, &str)] = &[
    ("cc", "gcc"),
    ("strip", "binutils"),
    ("bpftool", "bpftool"),
    ("setpriv", "util-linux"),
    ("dpkg", "dpkg"),
];

/// The release of cargo-deny that `deny.toml` is written for.
const DENY_VERSION: &str = "0.20.2";

/// How many checks and tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Count) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// One part of the task: its heading and what it does.
type Step = (&'static str, fn() -> Result<Count, Box<dyn Error>>);

const STEPS: &[Step] = &[
    ("format", || once(&mut cargo(&["fmt", "--all", "--check"]))),
    ("clippy", || {
        once(&mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    }),
    ("documentation", || {
        let mut doc = cargo(&["doc", "--quiet", "--workspace", "--no-deps"]);
        once(doc.env("RUSTDOCFLAGS", "-D warnings"))
    }),
    ("licences and sources of dependencies", deny),
    ("unit tests", unit_tests),
    ("other architectures", other_architectures),
    ("harness, target programs, end to end", end_to_end),
    ("virtual machines with other kernels", virtual_machines),
    ("fuzzing", fuzzing),
];

/// Runs all steps and prints the counts.
pub fn task(_words: &[String]) -> TaskResult {
    need_root("test")?;
    heading("what the tests need");
    debian::install(PACKAGES)?;
    mount_file_systems()?;
    for release in suite_releases() {
        println!("Go {} in {}", release.version, release.toolchain()?.goroot.display());
    }
    let mut total = Count::default();
    let mut failed = Vec::new();
    for (name, run) in STEPS {
        heading(name);
        let start = Instant::now();
        let count = run().unwrap_or_else(|error| {
            eprintln!("{error}");
            Count { failed: 1, ..Count::default() }
        });
        println!("{name}: {} passed, {} failed, {:.0?}", count.passed, count.failed, start.elapsed());
        if count.failed > 0 {
            failed.push(*name);
        }
        total += count;
    }
    heading("result");
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    if total.ignored > 0 {
        println!("{} ignored: their names say what this machine lacks", total.ignored);
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0)
}

fn heading(text: &str) {
    println!("\n=== {text}");
}

/// A command that is one check by itself.
fn once(command: &mut Command) -> Result<Count, Box<dyn Error>> {
    shown(command)?;
    Ok(Count { passed: 1, ..Count::default() })
}

fn deny() -> Result<Count, Box<dyn Error>> {
    let mut deny = Command::new(installed("cargo-deny", DENY_VERSION, &[])?);
    // Advisories are left out: their database is no package of a registry.
    once(deny.current_dir(root()).args(["--log-level", "error", "check", "licenses", "bans", "sources"]))
}

/// gotrace is cross-compiled for each, as virtual machines need it.
fn other_architectures() -> Result<Count, Box<dyn Error>> {
    let mut count = Count::default();
    for arch in Arch::ALL.into_iter().filter(|arch| *arch != Arch::HERE) {
        match vm::gotrace_for(arch)? {
            Some(program) => {
                println!("{}", program.display());
                count.passed += 1;
            }
            None => count.ignored += 1,
        }
    }
    Ok(count)
}

fn unit_tests() -> Result<Count, Box<dyn Error>> {
    let workspace = ["--workspace", "--exclude", "gotrace-tests"];
    if !debian::on_path("cargo-nextest") {
        return counted(cargo(&["test", "--quiet", "--no-fail-fast"]).args(workspace));
    }
    let mut nextest =
        cargo(&["nextest", "run", "--no-fail-fast", "--no-tests", "pass", "--status-level", "fail"]);
    let mut count = counted(nextest.args(workspace))?;
    // nextest runs no documentation tests.
    count += counted(cargo(&["test", "--quiet", "--no-fail-fast", "--doc"]).args(workspace))?;
    Ok(count)
}

fn end_to_end() -> Result<Count, Box<dyn Error>> {
    shown(&mut cargo(&["build", "--quiet", "--package", "gotrace"]))?;
    let mut test = cargo(&["test", "--quiet", "--no-fail-fast", "--package", "gotrace-tests"]);
    counted(test.env("GOTRACE", target_dir().join("debug/gotrace")))
}

/// The kernels that the chosen cases are run on: the oldest kind that gotrace meets often, without links of many probes, and the newest.
const KERNELS: &[&str] = &["6.1", "newest"];

/// The cases of `tests/vm/cases.txt`, in one boot of each kernel.
fn virtual_machines() -> Result<Count, Box<dyn Error>> {
    let mut total = Count::default();
    for kernel in KERNELS.iter().filter_map(|name| Kernel::named(name)) {
        println!("Linux {kernel}");
        let mut count = Count::default();
        let went_well = vm::chosen_cases(kernel, |line| {
            println!("{line}");
            count += summary(line).unwrap_or_default();
        })?;
        if !went_well && count.failed == 0 {
            count.failed = 1;
        }
        total += count;
    }
    Ok(total)
}

/// The targets of `cargo xtask fuzz`, for a few seconds. Without their toolchain there is nothing to run: the tests of `tests/robustness`
/// have had the same entry points.
fn fuzzing() -> Result<Count, Box<dyn Error>> {
    if !fuzz::is_possible() {
        println!("no nightly toolchain with cargo-fuzz: only the entry points' own tests have run");
        return Ok(Count::default());
    }
    let passed = fuzz::run(fuzz::SHORT)?;
    Ok(Count { passed: passed.into(), failed: (!passed).into(), ..Count::default() })
}

/// Runs a test command, passes its output on, and adds up the counts in it.
fn counted(command: &mut Command) -> Result<Count, Box<dyn Error>> {
    // nextest writes its summary to standard error: one pipe takes both.
    let (reader, writer) = std::io::pipe()?;
    let mut child = command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // The command keeps its end of the pipe open until it is told otherwise.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut count = Count::default();
    for line in BufReader::new(reader).lines() {
        let line = line?;
        println!("{line}");
        if let Some(found) = summary(&line) {
            count += found;
        }
    }
    let status = child.wait()?;
    if !status.success() && count.failed == 0 {
        // It did not come as far as testing, for example because it does not compile.
        count.failed = 1;
    }
    Ok(count)
}

/// The counts of a summary line of libtest (`test result: …`) or of nextest (`Summary [ 1.2s] …`).
fn summary(line: &str) -> Option<Count> {
    let line = line.trim();
    let of_libtest = line.strip_prefix("test result:").and_then(|rest| rest.split_once(". "));
    let of_nextest = line.strip_prefix("Summary [").and_then(|rest| rest.split_once("run: "));
    let (_, counts) = of_libtest.or(of_nextest)?;
    let mut count = Count::default();
    for part in counts.split([',', ';', '(', ')']) {
        let mut words = part.split_whitespace();
        let (Some(Ok(number)), Some(what)) = (words.next().map(str::parse::<u64>), words.next()) else {
            continue;
        };
        match what {
            "passed" => count.passed += number,
            "failed" | "timed" => count.failed += number,
            "ignored" | "skipped" => count.ignored += number,
            _ => {}
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::{Count, summary};

    #[test]
    fn summaries_are_read() {
        let count = |passed, failed, ignored| Some(Count { passed, failed, ignored });
        for (line, expected) in [
            (
                "test result: ok. 23 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 2.5s",
                count(23, 0, 1),
            ),
            (
                "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                count(3, 2, 0),
            ),
            (
                "     Summary [   1.204s] 120 tests run: 117 passed (2 slow), 3 failed, 4 skipped",
                count(117, 3, 4),
            ),
            ("running 3 tests", None),
        ] {
            assert_eq!(summary(line), expected, "{line}");
        }
    }
}
