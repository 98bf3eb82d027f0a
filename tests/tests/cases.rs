//! Every case of `tests/cases` as tests of its own: `file::name[release mode]`.
//!
//! The cases trace real programs in the real kernel: without root or BPF they fail and say so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use harness::case::{Case, parse};
use harness::judge::{judge, variants};
use harness::run::gotrace;
use harness::suite::run_suite;
use libtest_mimic::Trial;

fn main() -> ExitCode {
    run_suite(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let listing = std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = listing.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ext| ext == "txt"));
    files.sort();
    let ready = Arc::new(prerequisites());
    let mut trials = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for case in parse(&path.display().to_string(), &text).map_err(|e| e.to_string())? {
            trials.extend(trials_of(&stem, case, &ready));
        }
    }
    Ok(trials)
}

fn trials_of(file: &str, case: Case, ready: &Arc<Result<PathBuf, String>>) -> Vec<Trial> {
    let case = Arc::new(case);
    let lacking = case.needs.iter().find(|need| !(need.present)());
    let mut trials = Vec::new();
    for (suffix, variant) in variants(&case) {
        let (case, ready) = (Arc::clone(&case), Arc::clone(ready));
        let reason = lacking.map(|need| format!(" ({})", need.missing)).unwrap_or_default();
        let trial = Trial::test(format!("{file}::{}{suffix}{reason}", case.name), move || {
            let gotrace = ready.as_ref().as_ref().map_err(String::as_str)?;
            judge(gotrace, &case, &variant).map_err(Into::into)
        });
        trials.push(trial.with_ignored_flag(lacking.is_some()));
    }
    trials
}

/// The gotrace binary, when this machine and this user can trace at all.
fn prerequisites() -> Result<PathBuf, String> {
    if !nix::unistd::geteuid().is_root() {
        return Err(
            "end-to-end tests load BPF programs: run them as root (`sudo -E cargo xtask test`)".to_owned()
        );
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err(
            "this kernel has no BTF (/sys/kernel/btf/vmlinux): end-to-end tests cannot run here".to_owned()
        );
    }
    gotrace()
}
