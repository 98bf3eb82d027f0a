//! The labs of the workshop, done as learners do them: each is set up with each Go release of the suite, its solution must be accepted,
//! and scripts that do not solve it (`tests/workshop/NN-*.gt`) must be refused with what their first line says.
//!
//! The texts of the labs are pages of the documentation: their commands run in `tests/docs.rs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use harness::judge::suite_releases;
use harness::run::{End, Outcome, gotrace, run};
use harness::suite::run_suite;
use harness::toolchain::Release;
use harness::workshop::set_up;
use libtest_mimic::{Failed, Trial};
use workshop::{LABS, Lab, Language};

/// The oldest release that labs are for: 1.19.
const OLDEST: u32 = 19;
/// The longest that checking a script may take.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    run_suite(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let releases: Vec<_> = suite_releases().into_iter().filter(|r| r.minor_number() >= OLDEST).collect();
    let mut trials = Vec::new();
    for lab in LABS {
        // C programs are the same with every release.
        let of_lab = match lab.program.language {
            Language::Go => releases.as_slice(),
            Language::C => releases.get(releases.len().saturating_sub(1)..).unwrap_or_default(),
        };
        for &release in of_lab {
            let name = format!("lab{:02}[{}]", lab.number, release.minor());
            trials.push(Trial::test(name, move || Ok(done(lab, release)?)));
        }
        trials.push(Trial::test(format!("lab{:02}::has_wrong_scripts", lab.number), move || {
            if wrong_scripts(lab)?.is_empty() { Err(Failed::from("none in tests/workshop")) } else { Ok(()) }
        }));
    }
    Ok(trials)
}

fn done(lab: &'static Lab, release: &'static Release) -> Result<(), String> {
    let folder = Folder::new(&format!("{}-{}", lab.number, release.minor()))?;
    let place = set_up(lab.number, &folder.0, release)?;
    let solution = place.join("solution.gt");
    fs::write(&solution, lab.solution).map_err(|e| e.to_string())?;
    let outcome = check(lab, &place, &solution)?;
    if outcome.end != End::Code(0) || !outcome.stdout.contains(&format!("Lab {} is solved.", lab.number)) {
        return Err(report("the solution is refused", &outcome));
    }
    for script in wrong_scripts(lab)? {
        let text = fs::read_to_string(&script).map_err(|e| e.to_string())?;
        let expected = text.lines().next().and_then(|line| line.strip_prefix("// EXPECT: "));
        let expected =
            expected.ok_or_else(|| format!("{}: no `// EXPECT: ` in its first line", script.display()))?;
        let outcome = check(lab, &place, &script)?;
        if outcome.end != End::Code(1) || !outcome.stdout.contains(expected) {
            return Err(report(&format!("{}: not refused with `{expected}`", script.display()), &outcome));
        }
    }
    Ok(())
}

fn check(lab: &Lab, place: &Path, script: &Path) -> Result<Outcome, String> {
    let mut command = Command::new(gotrace()?);
    command.args(["workshop", &lab.number.to_string(), "--check"]).arg(script).current_dir(place);
    run(&mut command, LIMIT).map_err(|e| e.to_string())
}

fn report(fault: &str, outcome: &Outcome) -> String {
    format!("{fault} (ended by {})\n--- printed ---\n{}{}", outcome.end, outcome.stdout, outcome.stderr)
}

fn wrong_scripts(lab: &Lab) -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("workshop");
    let prefix = format!("{:02}-", lab.number);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))? {
        let entry = entry.map_err(|e| e.to_string())?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// A folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Folder, String> {
        let path = std::env::temp_dir().join(format!("gotrace-labs-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that is left behind in the temporary directory hurts nobody.
        let _left = fs::remove_dir_all(&self.0);
    }
}
