//! Runs one case in one variant (Go release and build mode) and says what is wrong with the outcome.
//!
//! `tests/tests/cases.rs` makes a test of each variant. Besides what the case demands, every traced run must leave the
//! target's own output as it is untraced, must leave no process behind, and must not panic.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use regex_lite::Regex;

use crate::bpftrace;
use crate::case::{Action, Case, Expectation, Target, Via};
use crate::diff;
use crate::programs::Mode;
use crate::run::{End, Outcome, Running, command_line, run};
use crate::toolchain::{RELEASES, Release};

/// Names how many times slower than usual the machine is: cases get that much more time.
pub const SLOWER: &str = "GOTRACE_TESTS_SLOWER";
/// Between what a tracer that sees the whole machine is started, given to see, and ended by.
const SETTLE: Duration = Duration::from_millis(300);

/// One way to run a case.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The Go release of the target.
    pub release: &'static Release,
    /// How the target is built.
    pub mode: Mode,
    /// Features that gotrace is told not to use (`GOTRACE_NO_FEATURE`); empty for none.
    pub without: String,
}

/// The releases that the suite uses: those marked in the table, all of them with `GOTRACE_GO=all`, or the listed ones
/// with `GOTRACE_GO="1.15 1.27"`.
pub fn suite_releases() -> Vec<&'static Release> {
    let chosen = std::env::var("GOTRACE_GO").unwrap_or_default();
    let wanted = |release: &&Release| match chosen.as_str() {
        "" => release.by_default,
        "all" => true,
        list => list.split([' ', ',']).any(|name| name == release.minor() || name == release.version),
    };
    RELEASES.iter().filter(wanted).collect()
}

/// The variants of a case that this run of the suite covers, with the end of the test's name for each.
pub fn variants(case: &Case) -> Vec<(String, Variant)> {
    let mut variants = Vec::new();
    for (names, release, mode) in builds(case) {
        let with_all = Variant { release, mode, without: String::new() };
        if let Some(without) = case.without.as_ref().filter(|_| case.modes.first() == Some(&mode)) {
            let suffix = [&names, format!("without {without}").as_str()].join(" ");
            let without = Variant { without: without.clone(), ..with_all.clone() };
            variants.push((format!("[{}]", suffix.trim()), without));
        }
        variants.push((if names.is_empty() { names } else { format!("[{names}]") }, with_all));
    }
    variants
}

/// The builds of a case's target, with their names.
fn builds(case: &Case) -> Vec<(String, &'static Release, Mode)> {
    let newest = RELEASES.last();
    let Some(Target { program, .. }) = &case.target else {
        return newest.map(|release| (String::new(), release, Mode::Plain)).into_iter().collect();
    };
    let is_native = matches!(program, crate::programs::Program::Native { .. });
    let suite = suite_releases();
    let mut builds = Vec::new();
    for &mode in &case.modes {
        if is_native {
            builds.extend(newest.into_iter().map(|release| (mode.name().to_owned(), release, mode)));
            continue;
        }
        for &release in &case.releases {
            if suite.contains(&release) && program.builds_with(release) {
                builds.push((format!("{} {}", release.minor(), mode.name()), release, mode));
            }
        }
    }
    builds
}

/// Runs the case; the error is a report for people, with the command line and everything printed.
pub fn judge(gotrace: &Path, case: &Case, variant: &Variant) -> Result<(), String> {
    let folder = Folder::new()?;
    let binary = match &case.target {
        Some(target) => Some(target.program.build(variant.release, variant.mode).map_err(|e| e.to_string())?),
        None => None,
    };
    let place = Place { gotrace, folder: &folder.path, binary: binary.as_deref() };
    let mut started = None;
    let mut command = match (case.via, &case.target, &binary) {
        (Via::Pid, Some(target), Some(binary)) => {
            let mut program = Command::new(binary);
            program.args(target.args.iter().map(|arg| place.fill(arg)));
            let running = Running::start(&mut program, "").map_err(|e| e.to_string())?;
            // A target that speaks first says so when it is ready; a silent one just runs.
            running.wait_for(&any_line(), Duration::from_secs(10));
            let command = place.command(case, Some(running.id()))?;
            started = Some(running);
            command
        }
        _ => place.command(case, None)?,
    };
    for (name, value) in &case.env {
        command.env(name, place.fill(value));
    }
    if !variant.without.is_empty() {
        command.env("GOTRACE_NO_FEATURE", &variant.without);
    }
    let line = command_line(&command);
    let timeout = case.timeout * slower();
    let peer = place.peer(case)?;
    let running = Running::start(&mut command, &case.stdin).map_err(|e| e.to_string())?;
    let mut faults = Vec::new();
    if case.via == Via::Beside {
        let tracers: Vec<&Running> = std::iter::once(&running).chain(&peer).collect();
        faults.extend(beside(case, &place, &tracers, timeout)?);
    }
    if let Some((signal, pattern)) = &case.signal {
        if !running.wait_for(pattern, timeout) {
            faults.push(format!("`{pattern}` was never printed, so {signal} was not sent"));
        } else if running.signal(*signal).is_err() {
            faults.push(format!("it had ended before {signal} could be sent"));
        }
    }
    let outcome = running.finish(timeout).map_err(|e| e.to_string())?;
    let answers = match case.via {
        // The file is missing when gotrace gave up before it wrote anything.
        Via::Command => fs::read(place.answers()).unwrap_or_default(),
        Via::Pid | Via::Nothing | Via::Beside => outcome.stdout.clone().into_bytes(),
    };
    let answers = String::from_utf8_lossy(&answers).into_owned();
    faults.extend(faults_of(case, &place, &outcome, &answers));
    let peer = peer.map(|peer| peer.finish(timeout)).transpose().map_err(|e| e.to_string())?;
    if let Some(peer) = &peer {
        let unmet = case.expectations.iter().filter_map(|wanted| unmet(wanted, &place, peer, &peer.stdout));
        faults.extend(unmet.map(|fault| format!("of bpftrace: {fault}")));
    }
    if let (Some(target), Some(binary)) = (&case.target, &binary) {
        let untraced = match (case.via, started) {
            (Via::Pid, Some(running)) => {
                faults.extend(target_faults(running));
                None
            }
            (Via::Command, _) if !case.target_output_may_differ => Some(untraced(binary, target, &place)?),
            _ => None,
        };
        if let Some(untraced) = untraced.filter(|untraced| untraced.stdout != outcome.stdout) {
            let difference = compare(&untraced.stdout, &outcome.stdout);
            faults.push(format!("the target prints something else when it is traced:\n{difference}"));
        }
    }
    if faults.is_empty() {
        return Ok(());
    }
    let mut report = format!("$ {line}\nended by {} after {:.2?}\n", outcome.end, outcome.wall);
    for fault in faults {
        report += &format!("\n{fault}\n");
    }
    report += &section("answers", &answers);
    if case.via == Via::Command {
        report += &section("target", &outcome.stdout);
    }
    report += &section("stderr", &outcome.stderr);
    if let Some(peer) = &peer {
        report += &section("bpftrace", &peer.stdout);
        report += &section("bpftrace's stderr", &peer.stderr);
    }
    Err(report)
}

/// Runs the target to its end once the tracers have attached their probes, and interrupts them when they have had time to show it.
fn beside(
    case: &Case,
    place: &Place<'_>,
    tracers: &[&Running],
    timeout: Duration,
) -> Result<Vec<String>, String> {
    let mut faults = Vec::new();
    for tracer in tracers {
        if !tracer.wait_for(&attached(), timeout) {
            faults.push("the probes were never attached".to_owned());
        }
    }
    thread::sleep(SETTLE);
    if let (Some(target), Some(binary)) = (&case.target, place.binary) {
        let outcome = untraced(binary, target, place)?;
        if outcome.end != End::Code(0) {
            faults.push(format!(
                "the target ended by {}{}",
                outcome.end,
                section("target's stderr", &outcome.stderr)
            ));
        }
    }
    thread::sleep(SETTLE);
    for tracer in tracers {
        if tracer.signal(Signal::SIGINT).is_err() {
            faults.push("it had ended before it could be interrupted".to_owned());
        }
    }
    Ok(faults)
}

/// What gotrace and bpftrace say when they have attached their probes.
fn attached() -> Regex {
    constant("Attach(ed|ing) [0-9]+ probe")
}

/// The factor that [`SLOWER`] names.
fn slower() -> u32 {
    std::env::var(SLOWER).ok().and_then(|factor| factor.parse().ok()).unwrap_or(1)
}

fn section(title: &str, text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines.get(..lines.len().min(60)).unwrap_or_default();
    let rest = lines.len() - shown.len();
    let more = if rest > 0 { format!("\n... {rest} more lines") } else { String::new() };
    format!("\n--- {title} ---\n{}{more}\n", shown.join("\n"))
}

/// The paths that a case may name.
struct Place<'a> {
    gotrace: &'a Path,
    folder: &'a Path,
    binary: Option<&'a Path>,
}

impl Place<'_> {
    /// Puts paths in place of `{bin}`, `{tmp}`, `{gotrace}` and `{programs}`.
    fn fill(&self, text: &str) -> String {
        let path = |path: &Path| path.display().to_string();
        text.replace("{bin}", &self.binary.map(path).unwrap_or_default())
            .replace("{tmp}", &path(self.folder))
            .replace("{gotrace}", &path(self.gotrace))
            .replace("{programs}", &path(&crate::programs::sources()))
    }

    /// Where answers go while a target owns standard output.
    fn answers(&self) -> PathBuf {
        self.folder.join("answers")
    }

    fn command(&self, case: &Case, pid: Option<u32>) -> Result<Command, String> {
        let mut command = match &case.action {
            Action::Shell(text) => {
                let mut shell = Command::new("sh");
                shell.args(["-eu", "-c", &self.fill(text)]);
                shell.env("GOTRACE", self.gotrace).env("TMP", self.folder);
                shell.env("BIN", self.binary.unwrap_or(Path::new("")));
                shell
            }
            Action::Command(words) => {
                let mut command = Command::new(self.gotrace);
                command.args(words.iter().map(|word| self.fill(word)));
                command
            }
            Action::Tool(words) => {
                let mut command = Command::new(self.gotrace);
                command.args(self.tool(words)?);
                command
            }
            Action::OneLiner(text) => {
                let mut command = Command::new(self.gotrace);
                self.scope(case, pid, &mut command);
                command.arg("-e").arg(self.fill(text));
                command.args(case.params.iter().map(|word| self.fill(word)));
                command
            }
            Action::File(text) => {
                let script = self.folder.join("script.gt");
                fs::write(&script, self.fill(text) + "\n").map_err(|e| e.to_string())?;
                fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
                let mut command = Command::new(self.gotrace);
                self.scope(case, pid, &mut command);
                command.arg(script).args(case.params.iter().map(|word| self.fill(word)));
                command
            }
        };
        command.current_dir(self.folder);
        Ok(command)
    }

    /// The arguments that run one of bpftrace's tools, of which a copy is put beside the case's files: a peer may see that folder only.
    fn tool(&self, words: &[String]) -> Result<Vec<String>, String> {
        let [name, arguments @ ..] = words else { return Err("TOOL names no tool".to_owned()) };
        let (from, copy) = (bpftrace::tools().map_err(|e| e.to_string())?.join(name), self.folder.join(name));
        fs::copy(&from, &copy).map_err(|e| format!("{}: {e}", from.display()))?;
        let script = std::iter::once(copy.display().to_string());
        Ok(script.chain(arguments.iter().map(|word| self.fill(word))).collect())
    }

    /// A bpftrace that runs the tool too, if there is one to compare with.
    fn peer(&self, case: &Case) -> Result<Option<Running>, String> {
        let (Action::Tool(words), Some(peer)) = (&case.action, bpftrace::peer()) else { return Ok(None) };
        let [program, first @ ..] = peer.as_slice() else { return Err("GOTRACE_PEER is empty".to_owned()) };
        let mut command = Command::new(program);
        command.args(first).args(self.tool(words)?).current_dir(self.folder);
        Running::start(&mut command, "").map(Some).map_err(|e| e.to_string())
    }

    /// Adds the options of the case, and those that bring gotrace and target together.
    fn scope(&self, case: &Case, pid: Option<u32>, command: &mut Command) {
        command.args(case.options.iter().map(|word| self.fill(word)));
        if let (Via::Command, Some(target), Some(binary)) = (case.via, &case.target, self.binary) {
            // The target prints to standard output as well: apart, both can be compared exactly.
            command.arg("-o").arg(self.answers());
            let mut words = vec![binary.display().to_string()];
            words.extend(target.args.iter().map(|arg| self.fill(arg)));
            command.arg("-c").arg(words.join(" "));
        }
        if let Some(pid) = pid {
            command.arg("-p").arg(pid.to_string());
        }
    }
}

/// The target's outcome without a tracer.
fn untraced(binary: &Path, target: &Target, place: &Place<'_>) -> Result<Outcome, String> {
    let mut program = Command::new(binary);
    program.args(target.args.iter().map(|arg| place.fill(arg))).current_dir(place.folder);
    run(&mut program, Duration::from_secs(60)).map_err(|e| e.to_string())
}

/// Ends a target that was traced by its pid; it must still be there.
fn target_faults(running: Running) -> Option<String> {
    // A target that had come to its end by itself is fine: the signal then finds nobody.
    let _already_gone = running.signal(Signal::SIGTERM);
    match running.finish(Duration::from_secs(60)) {
        Ok(Outcome { end: End::Code(0) | End::Signal(15), .. }) => None,
        Ok(outcome) => Some(format!(
            "the target ended by {}{}",
            outcome.end,
            section("target's stderr", &outcome.stderr)
        )),
        Err(error) => Some(error.to_string()),
    }
}

fn faults_of(case: &Case, place: &Place<'_>, outcome: &Outcome, answers: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if outcome.end != End::Code(case.status) {
        faults.push(format!("expected {}, but it ended by {}", End::Code(case.status), outcome.end));
    }
    if outcome.left_processes {
        faults.push("it left processes running".to_owned());
    }
    if outcome.stderr.contains("panicked at") {
        faults.push("it panicked".to_owned());
    }
    for expectation in &case.expectations {
        faults.extend(unmet(expectation, place, outcome, answers));
    }
    faults
}

/// What is wrong with the output in the eyes of one expectation.
fn unmet(expectation: &Expectation, place: &Place<'_>, outcome: &Outcome, answers: &str) -> Option<String> {
    let fill = |lines: &[String]| lines.iter().map(|line| place.fill(line)).collect::<Vec<_>>();
    let unless = |good: bool, fault: String| (!good).then_some(fault);
    match expectation {
        Expectation::Lines(lines) => {
            let expected = fill(lines).join("\n");
            let difference = compare(&expected, answers);
            unless(trimmed(&expected) == trimmed(answers), format!("the answers differ:\n{difference}"))
        }
        Expectation::Unordered(lines) => {
            let mut expected = fill(lines);
            let mut actual: Vec<String> =
                answers.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
            expected.sort();
            actual.sort();
            let difference = compare(&expected.join("\n"), &actual.join("\n"));
            unless(expected == actual, format!("the answers, sorted, differ:\n{difference}"))
        }
        Expectation::Json(lines) => json_fault(&fill(lines), answers),
        Expectation::Matches(pattern) => {
            unless(pattern.is_match(answers), format!("the answers do not match `{pattern}`"))
        }
        Expectation::MatchesNot(pattern) => {
            unless(!pattern.is_match(answers), format!("the answers must not match `{pattern}`"))
        }
        Expectation::Stderr(pattern) => {
            unless(pattern.is_match(&outcome.stderr), format!("stderr does not match `{pattern}`"))
        }
        Expectation::StderrNot(pattern) => {
            unless(!pattern.is_match(&outcome.stderr), format!("stderr must not match `{pattern}`"))
        }
    }
}

fn json_fault(expected: &[String], answers: &str) -> Option<String> {
    let mut values = Vec::new();
    for line in answers.lines().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str::<serde_json::Value>(line) {
            Ok(value) => values.push((value, line)),
            Err(error) => return Some(format!("`{line}` is not JSON: {error}")),
        }
    }
    let mut wanted = Vec::new();
    for line in expected {
        match serde_json::from_str::<serde_json::Value>(line) {
            Ok(value) => wanted.push((value, line.as_str())),
            Err(error) => return Some(format!("the case expects `{line}`, which is not JSON: {error}")),
        }
    }
    let equal = values.len() == wanted.len() && values.iter().zip(&wanted).all(|((a, _), (b, _))| a == b);
    // Values that are equal as JSON are shown in the writing of the expectation, so that only real differences show.
    let shown = values.iter().enumerate().map(|(i, (value, line))| match wanted.get(i) {
        Some((wish, writing)) if wish == value => *writing,
        _ => *line,
    });
    let shown: Vec<&str> = shown.collect();
    let wishes: Vec<&str> = wanted.iter().map(|(_, line)| *line).collect();
    (!equal).then(|| format!("the JSON lines differ:\n{}", diff::lines(&wishes, &shown)))
}

fn compare(expected: &str, actual: &str) -> String {
    let lines = |text| trimmed(text).into_iter().take(400).collect::<Vec<&str>>();
    diff::lines(&lines(expected), &lines(actual))
}

/// The lines of a text without blank lines at its start and end, and with one blank line where several follow each other:
/// how many end a run is the subject of a few cases that compare every byte by pattern, not of all.
fn trimmed(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        if !line.trim().is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(if line.trim().is_empty() { "" } else { line });
        }
    }
    lines.pop_if(|last| last.is_empty());
    lines
}

fn any_line() -> Regex {
    constant("\n")
}

fn constant(pattern: &str) -> Regex {
    #[expect(
        clippy::unwrap_used,
        reason = "the pattern is a constant and is compiled by every test that needs it"
    )]
    Regex::new(pattern).unwrap()
}

/// A folder of its own for one run of a case, removed afterwards.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn new() -> Result<Folder, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("gotrace-case-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| format!("cannot create {}: {e}", path.display()))?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::parse;

    /// Judges a case against a stand-in for gotrace: a shell script that ignores its arguments.
    fn judged(script: &str, case: &str) -> Result<(), String> {
        let folder = Folder::new()?;
        let stand_in = folder.path.join("gotrace");
        fs::write(&stand_in, format!("#!/bin/sh\n{script}\n")).map_err(|e| e.to_string())?;
        fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).map_err(|e| e.to_string())?;
        let cases = parse("test.txt", case).map_err(|e| e.to_string())?;
        let case = cases.first().ok_or("no case")?;
        let (_, variant) = variants(case).into_iter().next().ok_or("no variant")?;
        judge(&stand_in, case, &variant)
    }

    #[test]
    fn equal_lines_pass_and_a_missing_one_is_shown() -> Result<(), String> {
        let case = "NAME a\nSCRIPT x\nEXPECT\n  one\n\n  two\n";
        judged("printf 'one\\n\\ntwo\\n\\n\\n'", case)?;
        let report = judged("echo one", case).err().unwrap_or_default();
        assert!(report.contains(" one\n-\n-two\n"), "{report}");
        Ok(())
    }

    #[test]
    fn status_and_stderr_are_judged() -> Result<(), String> {
        let case = "NAME a\nSCRIPT x\nEXPECT_STDERR ^error: no\nSTATUS 1\n";
        judged("echo 'error: no' >&2; exit 1", case)?;
        assert!(judged("echo 'error: no' >&2", case).is_err_and(|r| r.contains("expected exit code 1")));
        assert!(judged("exit 1", case).is_err_and(|r| r.contains("stderr does not match")));
        Ok(())
    }

    #[test]
    fn json_is_compared_by_value_and_order_of_lines_counts() -> Result<(), String> {
        let case = "NAME a\nSCRIPT x\nEXPECT_JSON\n  {\"a\": 1, \"b\": [2]}\n  3\n";
        judged("echo '{\"b\":[2],\"a\":1}'; echo 3", case)?;
        assert!(judged("echo 3; echo '{\"b\":[2],\"a\":1}'", case).is_err());
        assert!(judged("echo nonsense", case).is_err_and(|r| r.contains("not JSON")));
        Ok(())
    }

    #[test]
    fn a_case_runs_again_without_a_feature() -> Result<(), String> {
        let text = "NAME a\nSCRIPT x\nWITHOUT uprobe_multi,btf\nEXPECT_REGEX ^\n";
        let cases = parse("test.txt", text).map_err(|e| e.to_string())?;
        let case = cases.first().ok_or("no case")?;
        let seen: Vec<(String, String)> =
            variants(case).into_iter().map(|(name, v)| (name, v.without)).collect();
        let without = "uprobe_multi,btf".to_owned();
        assert_eq!(
            seen,
            [("[without uprobe_multi,btf]".to_owned(), without), (String::new(), String::new())]
        );
        Ok(())
    }

    #[test]
    fn signals_reach_the_program_once_it_is_ready() -> Result<(), String> {
        // Not INT: a shell cannot trap it when this runs as a background job, which has it ignored.
        let case = "NAME a\nSCRIPT x\nSIGNAL TERM when ^ready\nEXPECT\n  ready\n  interrupted\n";
        let script = "trap 'echo interrupted; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        judged(script, case)
    }

    #[test]
    fn a_panic_and_left_children_are_faults_in_themselves() {
        let case = "NAME a\nSCRIPT x\nEXPECT_REGEX ^\n";
        assert!(judged("echo 'thread main panicked at x' >&2", case).is_err());
        assert!(judged("sleep 30 >/dev/null 2>&1 &", case).is_err_and(|r| r.contains("left processes")));
    }
}
