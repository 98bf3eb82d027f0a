//! Every case of `tests/cases` as tests of its own: `file::name[release mode]`.
//!
//! The cases trace real programs in the real kernel: without root or BPF they fail and say so.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use harness::judge::judge;
use harness::listing::{Test, tests};
use harness::run::gotrace;
use harness::suite::run_suite;
use libtest_mimic::Trial;

fn main() -> ExitCode {
    run_suite(|| {
        let ready = Arc::new(prerequisites());
        let tests = tests()?;
        Ok::<_, String>(tests.into_iter().map(|test| trial(test, Arc::clone(&ready))).collect())
    })
}

fn trial(test: Test, ready: Arc<Result<PathBuf, String>>) -> Trial {
    let lacking = test.case.needs.iter().find(|need| !(need.present)()).map(|need| need.missing);
    let reason = lacking.map(|missing| format!(" ({missing})")).unwrap_or_default();
    let trial = Trial::test(format!("{}{reason}", test.name), move || {
        let gotrace = ready.as_ref().as_ref().map_err(String::as_str)?;
        judge(gotrace, &test.case, &test.variant).map_err(Into::into)
    });
    trial.with_ignored_flag(lacking.is_some())
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
