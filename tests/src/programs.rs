//! Builds the target programs of `tests/programs`, once per content, Go release and build mode.
//!
//! A folder with a `main.go` is a Go program (standard library only, `go 1.15` unless it says otherwise), a `.c` file is
//! a C program (`.h` files beside it are for all of them; a Go program has a link to one in its folder), a `.cc` file a C++ program, an
//! `.rs` file a Rust program, and the sources of some are made by [`crate::generated`]. A built program lies in the cache under its own
//! name, so that `comm` is the name that cases expect.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::arch::Arch;
use crate::cache::{self, CacheError};
use crate::debian;
use crate::generated::{MANY_FUNCTIONS, many_source};
use crate::run::{ToolError, checked};
use crate::toolchain::{Release, ToolchainError};

/// How a program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// As `go build` does.
    Plain,
    /// Without symbol table and DWARF.
    Stripped,
    /// Position independent.
    Pie,
    /// Position independent, without symbol table and DWARF.
    PieStripped,
    /// Without optimisation and inlining, as debuggers want it.
    Noopt,
    /// Without the paths of the build machine.
    Trimpath,
    /// With cgo: linked to the C library, other thread-local storage model.
    Cgo,
    /// With cgo, without symbol table and DWARF, linked by Go's own linker: C functions are in the function table.
    CgoStripped,
}

/// The name of each mode in case files, and what it adds to `go build`.
const MODES: &[(Mode, &str, &[&str])] = &[
    (Mode::Plain, "plain", &[]),
    (Mode::Stripped, "stripped", &["-ldflags=-s -w"]),
    (Mode::Pie, "pie", &["-buildmode=pie"]),
    (Mode::PieStripped, "pie-stripped", &["-buildmode=pie", "-ldflags=-s -w"]),
    (Mode::Noopt, "noopt", &["-gcflags=all=-N -l"]),
    (Mode::Trimpath, "trimpath", &["-trimpath"]),
    (Mode::Cgo, "cgo", &[]),
    (Mode::CgoStripped, "cgo-stripped", &["-ldflags=-s -w -linkmode=internal"]),
];

impl Mode {
    /// All modes, in the order of their table.
    pub fn all() -> impl Iterator<Item = Mode> {
        MODES.iter().map(|(mode, ..)| *mode)
    }

    /// The mode of this name, as case files write it.
    pub fn named(name: &str) -> Option<Mode> {
        MODES.iter().find(|(_, n, _)| *n == name).map(|(mode, ..)| *mode)
    }

    /// The name that case files use.
    pub fn name(self) -> &'static str {
        self.row().map_or("", |(_, name, _)| name)
    }

    /// Whether C code is compiled for it.
    fn has_c(self) -> bool {
        matches!(self, Mode::Cgo | Mode::CgoStripped)
    }

    fn go_flags(self) -> &'static [&'static str] {
        self.row().map_or(&[], |(_, _, flags)| flags)
    }

    fn row(self) -> Option<&'static (Mode, &'static str, &'static [&'static str])> {
        MODES.iter().find(|(mode, ..)| *mode == self)
    }
}

/// A target program, by the form of its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A folder below `tests/programs`.
    Go {
        /// The folder's name, which is also the binary's.
        name: String,
        /// The `go` line of its `go.mod`: the oldest release that builds it.
        since: u32,
    },
    /// A file below `tests/programs` in a language of `COMPILERS`; the name is without the suffix.
    Native {
        /// The binary's name.
        name: String,
        /// How it is built.
        compiler: &'static Compiler,
    },
}

/// How programs of a language are built.
#[derive(Debug, PartialEq, Eq)]
pub struct Compiler {
    /// The ending of its sources.
    suffix: &'static str,
    command: &'static str,
    /// The tool of GNU's compiler that makes a program for another architecture; none for languages that are not built for others.
    cross: Option<&'static str>,
    options: &'static [&'static str],
    /// The options for a program without symbols.
    strip: &'static [&'static str],
}

/// The languages besides Go.
static COMPILERS: [Compiler; 3] = [
    Compiler {
        suffix: "c",
        command: "cc",
        cross: Some("gcc"),
        options: &["-O1", "-g", "-Wall", "-Werror", "-pthread"],
        strip: &["-s"],
    },
    Compiler {
        suffix: "cc",
        command: "c++",
        cross: Some("g++"),
        options: &["-O1", "-g", "-Wall", "-Werror"],
        strip: &["-s"],
    },
    Compiler {
        suffix: "rs",
        command: "rustc",
        cross: None,
        options: &["-Copt-level=1", "-g", "-Cforce-frame-pointers=yes"],
        strip: &["-Cstrip=symbols"],
    },
];

/// Why a target program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no such program.
    #[error("no program `{0}` in tests/programs (neither {0}/main.go nor {0}.c, {0}.cc or {0}.rs)")]
    Unknown(String),
    /// No compiler for the architecture is installed.
    #[error("it cannot be built for {arch}: there is no {tool}")]
    NoCrossTool {
        /// Its command.
        tool: String,
        /// What it would build for.
        arch: Arch,
    },
    /// The Go release could not be had.
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    /// The cache folder could not be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The compiler failed.
    #[error(transparent)]
    Compiler(#[from] ToolError),
    /// The source could not be read or written.
    #[error("cannot read or write {path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Program {
    /// The program of this name.
    pub fn named(name: &str) -> Result<Program, BuildError> {
        let name = name.to_owned();
        let has_source = |c: &&Compiler| sources().join(format!("{name}.{}", c.suffix)).is_file();
        if let Some(compiler) = COMPILERS.iter().find(has_source) {
            return Ok(Program::Native { name, compiler });
        }
        let module = sources().join(&name).join("go.mod");
        let Ok(text) = fs::read_to_string(&module) else { return Err(BuildError::Unknown(name)) };
        let line = text.lines().find_map(|line| line.strip_prefix("go 1."));
        Ok(Program::Go { name, since: line.and_then(|n| n.trim().parse().ok()).unwrap_or(15) })
    }

    /// The name, also of the binary.
    pub fn name(&self) -> &str {
        match self {
            Program::Go { name, .. } | Program::Native { name, .. } => name,
        }
    }

    /// Whether this release is new enough for the program; true for others than Go programs, which need none.
    pub fn builds_with(&self, release: &Release) -> bool {
        match self {
            Program::Go { since, .. } => release.minor_number() >= *since,
            Program::Native { .. } => true,
        }
    }

    /// The path of the program, built for this machine. Others than Go programs ignore the release, and know the modes plain and
    /// stripped.
    pub fn build(&self, release: &'static Release, mode: Mode) -> Result<PathBuf, BuildError> {
        self.build_for(Arch::HERE, release, mode)
    }

    /// The path of the program, built for an architecture.
    pub fn build_for(
        &self,
        arch: Arch,
        release: &'static Release,
        mode: Mode,
    ) -> Result<PathBuf, BuildError> {
        if let Some(tool) = self.missing_for(arch, mode) {
            return Err(BuildError::NoCrossTool { tool, arch });
        }
        match self {
            Program::Go { name, .. } => build_go(name, arch, release, mode),
            Program::Native { name, compiler } => build_native(name, arch, compiler, mode),
        }
    }

    /// The tool that is not on this machine and is needed to build the program for another architecture.
    pub fn missing_for(&self, arch: Arch, mode: Mode) -> Option<String> {
        let tool = match self {
            _ if arch == Arch::HERE => return None,
            Program::Go { .. } if !mode.has_c() => return None,
            Program::Go { .. } => "gcc",
            Program::Native { compiler, .. } => match compiler.cross {
                Some(tool) => tool,
                None => return Some(format!("{} for other architectures", compiler.command)),
            },
        };
        let tool = arch.tool(tool);
        (!debian::on_path(&tool)).then_some(tool)
    }
}

/// The folder with the sources of the target programs.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

fn build_go(name: &str, arch: Arch, release: &'static Release, mode: Mode) -> Result<PathBuf, BuildError> {
    let folder = sources().join(name);
    let mut files = source_files(&folder, "")?;
    if name == "many" {
        files.push(("main.go".to_owned(), many_source(MANY_FUNCTIONS)));
    }
    build_sources_for(arch, name, &files, release, mode)
}

/// Builds a Go program for this machine from its files: names, which may be in folders, and texts.
pub(crate) fn build_sources(
    name: &str,
    files: &[(String, String)],
    release: &'static Release,
    mode: Mode,
) -> Result<PathBuf, BuildError> {
    build_sources_for(Arch::HERE, name, files, release, mode)
}

fn build_sources_for(
    arch: Arch,
    name: &str,
    files: &[(String, String)],
    release: &'static Release,
    mode: Mode,
) -> Result<PathBuf, BuildError> {
    let content = cache::content_name(&(files, release.version, mode.go_flags(), mode.name()));
    let entry = format!("programs/{name}-{}-{}{}-{content}", release.minor(), mode.name(), folder_part(arch));
    let dir = cache::entry(&entry, |dir| {
        let source = dir.join("source");
        for (file, text) in files {
            let path = source.join(file);
            let folder = path.parent().unwrap_or(&source);
            fs::create_dir_all(folder).map_err(at(folder))?;
            fs::write(&path, text).map_err(at(&path))?;
        }
        let mut go = release.toolchain()?.go();
        go.current_dir(&source).arg("build").arg("-o").arg(dir.join(name)).args(mode.go_flags());
        if mode.has_c() {
            go.env("CGO_ENABLED", "1");
        }
        if arch != Arch::HERE {
            go.env("GOARCH", arch.debian()).env("CC", arch.tool("gcc"));
        }
        checked(go.arg("."))?;
        Ok::<(), BuildError>(())
    })?;
    Ok(dir.join(name))
}

/// What the name of a program's folder in the cache says of the architecture: this machine and its guests find programs by the same names.
fn folder_part(arch: Arch) -> String {
    if arch == Arch::Amd64 { String::new() } else { format!("-{arch}") }
}

fn build_native(name: &str, arch: Arch, compiler: &Compiler, mode: Mode) -> Result<PathBuf, BuildError> {
    let path = sources().join(format!("{name}.{}", compiler.suffix));
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let strip: &[&str] = if mode == Mode::Stripped { compiler.strip } else { &[] };
    let headers: Vec<_> = source_files(&sources(), ".h")?;
    let content = cache::content_name(&(&text, headers, strip, compiler.options));
    let entry = format!("programs/{name}-{}{}-{content}", compiler.suffix, folder_part(arch));
    let dir = cache::entry(&entry, |dir| {
        let mut cc = match compiler.cross {
            Some(tool) if arch != Arch::HERE => Command::new(arch.tool(tool)),
            _ => Command::new(compiler.command),
        };
        cc.args(compiler.options).args(strip);
        checked(cc.arg("-o").arg(dir.join(name)).arg(&path))?;
        Ok::<(), BuildError>(())
    })?;
    Ok(dir.join(name))
}

/// Name and text of the files of a folder whose names end so, in name order.
fn source_files(folder: &Path, ending: &str) -> Result<Vec<(String, String)>, BuildError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_dir() || !path.to_string_lossy().ends_with(ending) {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        files.push((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), text));
    }
    files.sort();
    Ok(files)
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_path_buf();
    move |source| BuildError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_found_by_their_names() {
        for mode in Mode::all() {
            assert_eq!(Mode::named(mode.name()), Some(mode));
        }
        assert_eq!(Mode::named("fast"), None);
    }

    #[test]
    fn an_unknown_program_is_named() {
        let error = Program::named("no-such").map_err(|e| e.to_string());
        assert!(error.is_err_and(|text| text.contains("no-such/main.go")));
    }
}
