//! The folder of a lab: its text, the source of its program, and the built program.
//!
//! ```text
//! lab01/README.md      the text
//! lab01/program/       the source
//! lab01/orders         the program
//! ```

use super::super::CliError;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use workshop::{Lab, Language};

/// The folder with the source, in that of the lab.
const SOURCE: &str = "program";

/// The folder of a lab unless another one is named.
fn usual(lab: &Lab) -> PathBuf {
    PathBuf::from(format!("lab{:02}", lab.number))
}

/// Where a lab is set up unless another folder is named: in the current folder if the same lab is there already, as for a learner who
/// has changed the program and wants it built.
pub(super) fn for_set_up(lab: &Lab) -> PathBuf {
    let title = lab.text.lines().next().unwrap_or_default();
    let here = fs::read_to_string("README.md").is_ok_and(|text| text.lines().next() == Some(title));
    if here && Path::new(SOURCE).is_dir() { PathBuf::from(".") } else { usual(lab) }
}

/// The folder of a lab that has been set up: the named one, the current one, or the usual one in the current one or beside it.
pub(super) fn existing(lab: &Lab, named: Option<&Path>) -> Result<PathBuf, CliError> {
    let usual = usual(lab);
    let candidates = match named {
        Some(named) => vec![named.to_path_buf()],
        None => vec![PathBuf::from("."), usual.clone(), Path::new("..").join(usual)],
    };
    let found = candidates.iter().find(|dir| dir.join(lab.program.name).is_file());
    found.cloned().ok_or_else(|| {
        CliError::with_help(
            format!("lab {} is not set up here: there is no program {}", lab.number, lab.program.name),
            format!("`gotrace workshop {}` sets it up; check in the same folder", lab.number),
        )
    })
}

/// Writes text and source, and builds the program. The inner result is that of building: the text is of use without the program.
pub(super) fn fill(lab: &Lab, folder: &Path) -> Result<Result<(), CliError>, CliError> {
    let source = folder.join(SOURCE);
    write(&folder.join("README.md"), &without_comments(lab.text), Overwrite::Yes)?;
    for (name, text) in lab.program.files {
        write(&source.join(name), text, Overwrite::No)?;
    }
    Ok(build(lab, folder, &source))
}

/// Whether a file that the learner may have changed is written again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overwrite {
    Yes,
    No,
}

fn write(path: &Path, text: &str, overwrite: Overwrite) -> Result<(), CliError> {
    if overwrite == Overwrite::No && path.exists() {
        if fs::read(path).is_ok_and(|found| found != text.as_bytes()) {
            eprintln!("{} differs from the shipped one and is left as it is", path.display());
        }
        return Ok(());
    }
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)
        .and_then(|()| fs::write(path, text))
        .map_err(|source| CliError::File { path: path.to_path_buf(), source })
}

fn build(lab: &Lab, folder: &Path, source: &Path) -> Result<(), CliError> {
    let name = lab.program.name;
    let program = folder.join(name);
    let (tool, by_hand) = match lab.program.language {
        Language::Go => ("go", format!("CGO_ENABLED=0 go build -o {name} .")),
        Language::C => ("cc", format!("cc -O1 -g -o {name} {name}.c")),
    };
    let Some(compiler) = find(tool) else {
        if program.is_file() {
            return Ok(());
        }
        return Err(CliError::with_help(
            format!("no `{tool}` was found in PATH, so the program of the lab could not be built"),
            format!(
                "build it on a machine of the same kind: copy {} there, run `{by_hand}` in it, and bring the file {name} back as {}; \
                 or install {tool} and run this again",
                source.display(),
                program.display()
            ),
        ));
    };
    // The path of the output must hold in the folder of the source.
    let output =
        std::path::absolute(&program).map_err(|e| CliError::File { path: program.clone(), source: e })?;
    let mut command = Command::new(compiler);
    match lab.program.language {
        Language::Go => {
            // What the user has set for other projects is not for this one. Nothing is fetched: there is nothing but the standard library.
            let settings = [
                ("CGO_ENABLED", "0"),
                ("GO111MODULE", "on"),
                ("GOFLAGS", ""),
                ("GOWORK", "off"),
                ("GOTOOLCHAIN", "local"),
            ];
            command.args(["build", "-o"]).arg(output).arg(".").envs(settings).env("GOPROXY", "off");
            if std::env::var_os("HOME").is_none() && std::env::var_os("GOCACHE").is_none() {
                command.env("GOCACHE", std::env::temp_dir().join("gotrace-workshop-go-build"));
            }
        }
        Language::C => {
            command.args(["-O1", "-g", "-o"]).arg(output).arg(format!("{name}.c"));
        }
    }
    let result = command.current_dir(source).stdin(Stdio::null()).output();
    let output = result.map_err(|e| CliError::other(format!("cannot run {tool}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let messages = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    Err(CliError::with_help(
        format!("the program of the lab could not be built:\n{messages}"),
        format!("in {}: `{by_hand}`; Go 1.19 and later can build it", source.display()),
    ))
}

/// A page without the comments that are for its tests.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("<!--")).map(|line| format!("{line}\n")).collect()
}

/// A program of `PATH`.
fn find(tool: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|path| path.is_file())
}
