//! `cargo xtask fuzz [SECONDS]`: every target of `tests/fuzz` for a bounded time, one after the other.
//!
//! Needs a nightly toolchain and cargo-fuzz. What they find stays: inputs that reach new code in the cache, the input that fails
//! in `tests/fuzz/artifacts`. Without them the same entry points run in `tests/tests/robustness`, with fewer and simpler inputs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use harness::cache;
use harness::debian;
use harness::run::checked;

use crate::TaskResult;
use crate::tools::{root, shown, target_dir};

/// How long each target runs unless told otherwise.
const SECONDS: u64 = 60;
/// How long each target runs as part of `cargo xtask test`.
pub const SHORT: u64 = 5;
/// Longest input, in bytes.
const INPUT: usize = 1 << 16;
/// Seconds that one input may take, megabytes that the process may have, and no line for each new input.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=2048", "-verbosity=0"];

/// Runs all targets; a number says for how many seconds each.
pub fn task(words: &[String]) -> TaskResult {
    let seconds = match words {
        [] => SECONDS,
        [seconds] => seconds.parse().map_err(|_| format!("`{seconds}` is no number of seconds"))?,
        _ => return Err("usage: cargo xtask fuzz [SECONDS]".into()),
    };
    if !is_possible() {
        return Err("fuzzing needs `rustup toolchain install nightly` and `cargo install cargo-fuzz`".into());
    }
    run(seconds)
}

/// Whether the toolchain for it is there.
pub fn is_possible() -> bool {
    let mut nightly = Command::new("cargo");
    nightly.args(["+nightly", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    debian::on_path("cargo-fuzz") && nightly.status().is_ok_and(|status| status.success())
}

/// Runs each target for so many seconds; `Ok(false)` when one of them failed.
pub fn run(seconds: u64) -> TaskResult {
    let corpora = cache::root()?.join("fuzz");
    let targets = checked(&mut nightly(&["fuzz", "list", "--fuzz-dir", "."]))?;
    let mut failed = Vec::new();
    for target in targets.lines() {
        let corpus = corpora.join(target);
        fs::create_dir_all(&corpus)?;
        // The development profile checks arithmetic, which is what untrusted numbers break first.
        let mut fuzz = nightly(&["fuzz", "run", "--dev", "--fuzz-dir", ".", "--sanitizer", "none", target]);
        fuzz.env("GOTRACE_FUZZ_CORPUS", &corpus).arg(&corpus).arg("--").args(LIMITS);
        fuzz.arg(format!("-max_len={INPUT}")).arg(format!("-max_total_time={seconds}"));
        println!("{target}: {seconds} s");
        if let Err(error) = shown(&mut fuzz) {
            eprintln!("{error}");
            failed.push(target);
        }
    }
    if !failed.is_empty() {
        println!("failed: {}; the inputs are in tests/fuzz/artifacts", failed.join(", "));
    }
    Ok(failed.is_empty())
}

/// Cargo of the nightly toolchain in the workspace of the targets, which has a target folder of its own.
fn nightly(words: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.arg("+nightly").args(words).current_dir(folder());
    // The toolchain of the cargo that runs this task would win over `+nightly`.
    cargo
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env("CARGO_TARGET_DIR", target_dir().join("fuzz"));
    cargo
}

fn folder() -> PathBuf {
    root().join("tests/fuzz")
}
