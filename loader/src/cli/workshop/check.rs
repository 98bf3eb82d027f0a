//! Checking a learner's script: it runs on the lab's program as any script does, in a process of its own, and what it shows is
//! compared with what the program wrote down meanwhile.

use super::super::{CliError, Color, answer};
use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use workshop::{Answers, Facts, Finding, Lab, judge};

/// The environment variable that tells a lab's program where to write what it does.
const FACTS: &str = "WORKSHOP_FACTS";
/// A script that does not end by itself is ended after so many seconds; programs of labs take a few.
const TIMEOUT: &str = "30";

/// Runs the script and tells what it shows and what is missing. The exit code is 0 when the lab is solved.
pub(super) fn check(lab: &Lab, folder: &Path, script: &str, color: Color) -> Result<u8, CliError> {
    let script = std::path::absolute(script)
        .and_then(|path| path.metadata().map(|_| path))
        .map_err(|source| CliError::File { path: script.into(), source })?;
    let scratch =
        Scratch::new().map_err(|e| CliError::other(format!("no temporary folder could be made: {e}")))?;
    let (answers, facts) = (scratch.path.join("answers.json"), scratch.path.join("facts"));
    let own =
        std::env::current_exe().map_err(|e| CliError::other(format!("gotrace does not find itself: {e}")))?;
    let mut run = Command::new(own);
    run.args(["-q", "-f", "json", "--timeout", TIMEOUT, "-o"])
        .arg(&answers)
        .arg("--color")
        .arg(if color.enabled() { "always" } else { "never" })
        .arg(&script)
        .args(["-c", &format!("./{}", lab.program.name)])
        .current_dir(folder)
        .env(FACTS, &facts)
        // What the program prints is known from the steps of the lab.
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = run.status().map_err(|e| CliError::other(format!("gotrace cannot start itself: {e}")))?;
    if !status.success() {
        return Err(CliError::with_help(
            "the script did not run to its end, see above",
            format!("try it in {}: gotrace {} -c ./{}", folder.display(), script.display(), lab.program.name),
        ));
    }
    // A missing file is one that nothing was written to.
    let facts = Facts::parse(&fs::read_to_string(&facts).unwrap_or_default());
    let answers = Answers::parse(&fs::read_to_string(&answers).unwrap_or_default());
    if facts.is_empty() {
        return Err(CliError::with_help(
            format!("{} did not run to its end, or did not write down what it did", lab.program.name),
            "a program that was built elsewhere must be that of the lab, unchanged",
        ));
    }
    let findings = judge(lab.needs, &facts, &answers);
    answer::print(&report(lab, &findings))?;
    Ok(u8::from(!findings.iter().all(Finding::is_met)))
}

/// What the learner reads.
fn report(lab: &Lab, findings: &[Finding]) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for finding in findings {
        let _ = writeln!(out, "{} {}", if finding.is_met() { "[x]" } else { "[ ]" }, finding.what);
        for missing in &finding.missing {
            let _ = writeln!(out, "      {missing}");
        }
        if !finding.is_met() {
            let _ = writeln!(out, "      hint: {}", finding.hint);
        }
    }
    let met = findings.iter().filter(|f| f.is_met()).count();
    let _ = match findings.len() - met {
        0 => writeln!(out, "Lab {} is solved.", lab.number),
        _ => writeln!(out, "Lab {} is not solved yet: {met} of {} shown.", lab.number, findings.len()),
    };
    out
}

/// A folder of the run's own.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new() -> io::Result<Scratch> {
        let name = |n: u32| std::env::temp_dir().join(format!("gotrace-workshop-{}-{n}", std::process::id()));
        // A folder that is there belongs to somebody else.
        for path in (0..100).map(name) {
            match fs::create_dir(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Scratch { path }),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind in the temporary directory hurts nobody.
        let _left = fs::remove_dir_all(&self.path);
    }
}
