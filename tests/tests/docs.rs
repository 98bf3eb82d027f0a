//! The documentation, done as a reader does it: every script is checked, every command runs against real programs.
//! What counts as what is said in `harness::page`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use harness::page::{Block, Note, Step, blocks, commands, compare, session};
use harness::programs::{Mode, Program, sources};
use harness::run::{End, Running, checked, gotrace};
use harness::suite::run_suite;
use harness::toolchain::{RELEASES, Release};
use harness::workshop;
use libtest_mimic::{Failed, Trial};
use nix::sys::signal::Signal;

/// The longest that a command of a page may take.
const LIMIT: Duration = Duration::from_secs(60);
/// Programs that pages also use as they are delivered, position independent and without symbols, under the name `NAME-stripped`.
const STRIPPED: &[&str] = &["site"];
/// How long a command runs before it is interrupted, where the page shows `^C`.
const BEFORE_INTERRUPT: Duration = Duration::from_secs(3);

fn main() -> ExitCode {
    run_suite(trials)
}

fn trials() -> Result<Vec<Trial>, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut trials = Vec::new();
    for page in pages(root).map_err(|e| e.to_string())? {
        let text = fs::read_to_string(&page).map_err(|e| format!("{}: {e}", page.display()))?;
        let name = page.strip_prefix(root).unwrap_or(&page).display().to_string();
        let blocks = blocks(&text);
        let folder = Arc::new(Folder::new(&name));
        let files: Arc<Vec<Block>> =
            Arc::new(blocks.iter().filter(|b| matches!(b.note, Some(Note::File(_)))).cloned().collect());
        for block in blocks.into_iter().filter(is_tested) {
            let (folder, files) = (Arc::clone(&folder), Arc::clone(&files));
            trials.push(Trial::test(format!("{name}:{}", block.line), move || {
                let place = folder.ready(&files)?;
                Ok(done(&block, &place)?)
            }));
        }
    }
    Ok(trials)
}

fn is_tested(block: &Block) -> bool {
    block.note.is_none()
        && match block.language.as_str() {
            "gt" => true,
            "sh" => commands(&block.text).iter().any(Step::is_gotrace),
            "console" => session(&block.text).iter().any(Step::is_gotrace),
            _ => false,
        }
}

/// README.md and every page below docs/.
fn pages(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = vec![root.join("README.md")];
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Where the commands of a page run.
#[derive(Clone)]
struct Place {
    /// The current folder.
    folder: PathBuf,
    /// The folder with gotrace, which is in `PATH`. In labs it is another one: that a program is not in `PATH` is part of a lab.
    tools: PathBuf,
}

fn done(block: &Block, place: &Place) -> Result<(), String> {
    match block.language.as_str() {
        "gt" => {
            let script = place.folder.join(format!("block-{}.gt", block.line));
            fs::write(&script, &block.text).map_err(|e| e.to_string())?;
            let mut check = Command::new("gotrace");
            check.arg("check").arg(&script).current_dir(&place.folder).env("PATH", path_with(place));
            checked(&mut check).map(drop).map_err(|e| e.to_string())
        }
        "sh" => {
            commands(&block.text).iter().filter(|s| s.is_gotrace()).try_for_each(|s| run(s, place, false))
        }
        _ => session(&block.text).iter().filter(|s| s.is_gotrace()).try_for_each(|s| run(s, place, true)),
    }
}

/// Runs a command as a reader would, and compares what it prints with what is shown.
fn run(step: &Step, place: &Place, compared: bool) -> Result<(), String> {
    let mut shell = Command::new("sh");
    // Both streams, as on a terminal.
    shell
        .arg("-c")
        .arg(format!("exec 2>&1\n{}", step.command))
        .current_dir(&place.folder)
        .env("PATH", path_with(place));
    // What cargo sets for its tests, and translated messages, are not the reader's.
    shell.env_remove("LD_LIBRARY_PATH").env("LC_ALL", "C");
    let running = Running::start(&mut shell, "").map_err(|e| e.to_string())?;
    if step.interrupted() {
        std::thread::sleep(BEFORE_INTERRUPT);
        running.signal_group(Signal::SIGINT).map_err(|_| format!("$ {}\nended before ^C", step.command))?;
    }
    let outcome = running.finish(LIMIT).map_err(|e| e.to_string())?;
    let report = |fault: String| format!("$ {}\n{fault}\n--- printed ---\n{}", step.command, outcome.stdout);
    if outcome.end == End::Timeout {
        return Err(report(format!("did not end within {LIMIT:?}")));
    }
    if !compared && outcome.end != End::Code(0) {
        return Err(report(format!("ended by {}", outcome.end)));
    }
    if compared && !step.output.is_empty() {
        return compare(&step.output, &outcome.stdout).map_err(report);
    }
    Ok(())
}

fn path_with(place: &Place) -> String {
    format!("{}:{}", place.tools.display(), std::env::var("PATH").unwrap_or_default())
}

/// The folder that the commands of a page run in: `gotrace`, the built programs, and the files of the page.
struct Folder {
    path: PathBuf,
    /// The lab whose page it is: its commands run in the folder of the lab.
    lab: Option<usize>,
    filled: std::sync::OnceLock<Result<Place, String>>,
}

impl Folder {
    fn new(page: &str) -> Folder {
        let name = format!("gotrace-docs-{}-{}", std::process::id(), page.replace(['/', '.'], "-"));
        let lab = page.strip_prefix("docs/workshop/").and_then(|file| file.split('-').next()?.parse().ok());
        Folder { path: std::env::temp_dir().join(name), lab, filled: std::sync::OnceLock::new() }
    }

    fn ready(&self, files: &[Block]) -> Result<Place, Failed> {
        Ok(self.filled.get_or_init(|| self.fill(files)).clone()?)
    }

    /// Fills the folder, and tells where commands run.
    fn fill(&self, files: &[Block]) -> Result<Place, String> {
        let text = |e: std::io::Error| format!("{}: {e}", self.path.display());
        fs::create_dir_all(&self.path).map_err(text)?;
        let newest: &'static Release = RELEASES.last().ok_or("no Go release")?;
        let folder = match self.lab {
            Some(number) => workshop::set_up(number, &self.path, newest)?,
            None => self.path.clone(),
        };
        symlink(gotrace()?, self.path.join("gotrace")).map_err(text)?;
        if self.lab.is_none() {
            self.link_programs(newest)?;
        }
        for file in files {
            if let Some(Note::File(name)) = &file.note {
                let path = folder.join(name);
                fs::write(&path, &file.text).map_err(text)?;
                checked(Command::new("chmod").arg("+x").arg(&path)).map_err(|e| e.to_string())?;
            }
        }
        Ok(Place { folder, tools: self.path.clone() })
    }

    /// The programs of `tests/programs`.
    fn link_programs(&self, newest: &'static Release) -> Result<(), String> {
        let text = |e: std::io::Error| format!("{}: {e}", self.path.display());
        for entry in fs::read_dir(sources()).map_err(text)? {
            let name = entry.map_err(text)?.file_name().to_string_lossy().into_owned();
            // Headers of C programs; the other programs are named without their ending.
            if name.ends_with(".h") {
                continue;
            }
            let program =
                Program::named(name.split('.').next().unwrap_or(&name)).map_err(|e| e.to_string())?;
            let built = program.build(newest, Mode::Plain).map_err(|e| e.to_string())?;
            symlink(built, self.path.join(program.name())).map_err(text)?;
        }
        for name in STRIPPED {
            let program = Program::named(name).map_err(|e| e.to_string())?;
            let built = program.build(newest, Mode::PieStripped).map_err(|e| e.to_string())?;
            symlink(built, self.path.join(format!("{name}-stripped"))).map_err(text)?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that is left behind in the temporary directory hurts nobody.
        let _left = fs::remove_dir_all(&self.path);
    }
}
