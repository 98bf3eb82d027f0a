//! `cargo xtask vm KERNEL …`: the text cases, or a command, in a virtual machine with a stock Debian kernel.
//!
//! The guest gets the compiled test of `tests/tests/cases.rs`, gotrace, and the target programs that were built here; it runs the
//! chosen cases one after the other in one boot, and decides itself, as on any machine, which of them its kernel lacks something for.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use harness::arch::Arch;
use harness::bpftrace;
use harness::cache;
use harness::case::Action;
use harness::debian;
use harness::listing::{self, Test};
use harness::run::checked;
use harness::toolchain::RELEASES;
use harness::vm::boot::boot;
use harness::vm::fetch;
use harness::vm::image::Image;
use harness::vm::{KERNELS, Kernel};

use crate::TaskResult;
use crate::cross::{self, Rust};
use crate::tools::{cargo, shown, target_dir};

/// The cases that `cargo xtask test` runs in virtual machines, and `cargo xtask vm KERNEL` when nothing else is said.
const CHOSEN: &str = "vm/cases.txt";
/// The same for arm64.
const CHOSEN_ARM64: &str = "vm/cases-arm64.txt";
/// The time of a boot with the chosen cases, and of one with anything else.
const LIMIT: Duration = Duration::from_secs(20 * 60);
const LONG_LIMIT: Duration = Duration::from_secs(120 * 60);
/// How much more time a case gets than on a real processor.
const SLOWER: u32 = 5;
/// Where programs are in the guest.
const GUEST_GOTRACE: &str = "/usr/bin/gotrace";
const GUEST_CACHE: &str = "/var/cache/gotrace";
/// What runs a program as another user (util-linux): that of busybox, which its shell prefers unless the whole path is named, does not.
const SETPRIV: &str = "/usr/bin/setpriv";

/// What is asked for.
struct Request<'a> {
    kernel: &'static Kernel,
    /// Files to take along: here, and in the guest.
    with: Vec<(&'a str, &'a str)>,
    /// What the kernel is told besides what every guest's is.
    parameters: Vec<&'a str>,
    what: What<'a>,
}

/// What a guest runs.
enum What<'a> {
    /// The cases of [`CHOSEN`] or [`CHOSEN_ARM64`].
    Chosen,
    /// Every case whose name has this in it.
    Matching(&'a str),
    /// A command of the guest's shell.
    Command(String),
}

/// Boots a kernel with gotrace and these files (here, and in the guest), runs a command of the guest's shell, and gives each line that it
/// prints to `line`. Returns its exit status.
pub fn command(
    kernel: &'static Kernel,
    with: Vec<(&str, &str)>,
    command: String,
    line: impl FnMut(&str),
) -> Result<u8, Box<dyn Error>> {
    let request = Request { kernel, with, parameters: Vec::new(), what: What::Command(command) };
    run(&request, LONG_LIMIT, line)
}

/// Runs what the command line says and tells the command's status, or that of the cases.
pub fn task(words: &[String]) -> TaskResult {
    let request = parse(words)?;
    let limit = if matches!(request.what, What::Chosen) { LIMIT } else { LONG_LIMIT };
    let status = run(&request, limit, |line| println!("{line}"))?;
    if !matches!(request.what, What::Command(_)) || status != 0 {
        println!("status {status} on Linux {}", request.kernel);
    }
    Ok(status == 0)
}

/// Runs the chosen cases on a kernel; each line that is printed goes to `line`. Returns whether all went well.
pub fn chosen_cases(kernel: &'static Kernel, line: impl FnMut(&str)) -> Result<bool, Box<dyn Error>> {
    let request = Request { kernel, with: Vec::new(), parameters: Vec::new(), what: What::Chosen };
    Ok(run(&request, LIMIT, line)? == 0)
}

fn parse(words: &[String]) -> Result<Request<'_>, Box<dyn Error>> {
    let mut words = words.iter().map(String::as_str);
    let kernel = words.next().unwrap_or_default();
    let Some(kernel) = Kernel::named(kernel) else {
        let names: Vec<&str> = KERNELS.iter().map(|kernel| kernel.name).collect();
        let usage = "usage: cargo xtask vm KERNEL [--with FILE[:PLACE]]... [--boot PARAMETER]... [FILTER | --all | -- COMMAND...]";
        return Err(format!("`{kernel}` is no kernel; there are {}\n{usage}", names.join(", ")).into());
    };
    let mut request = Request { kernel, with: Vec::new(), parameters: Vec::new(), what: What::Chosen };
    while let Some(word) = words.next() {
        match word {
            "--with" => {
                let file = words.next().ok_or("--with needs a file")?;
                request.with.push(file.split_once(':').unwrap_or((file, file)));
            }
            "--boot" => {
                request.parameters.push(words.next().ok_or("--boot needs a parameter of the kernel")?);
            }
            "--all" => request.what = What::Matching(""),
            "--" => {
                let command: Vec<String> =
                    words.by_ref().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
                request.what = What::Command(command.join(" "));
            }
            filter => request.what = What::Matching(filter),
        }
    }
    Ok(request)
}

/// The module that guests load: devices of its own, functions that can be traced, types that only it has.
const MODULE: &str = "veth";

/// Boots the kernel once with everything that is asked for. Returns the exit status of what ran there.
fn run(request: &Request<'_>, limit: Duration, line: impl FnMut(&str)) -> Result<u8, Box<dyn Error>> {
    let work = Work::new()?;
    let mut image = Image::default();
    image.text("/etc/passwd", "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n", 0o644);
    image.text("/etc/group", "root:x:0:\nnogroup:x:65534:\n", 0o644);
    let module = fetch::module(request.kernel, MODULE)?;
    image.copy(&module, Path::new("/lib/modules").join(module.file_name().unwrap_or_default()))?;
    for (file, place) in &request.with {
        image.program(
            Path::new(file),
            fs::canonicalize(file).map(|path| if file == place { path } else { PathBuf::from(place) })?,
        )?;
    }
    let arch = request.kernel.arch;
    let build = Build::new(arch)?;
    image.program(&stripped(arch, &build.gotrace()?, &work.path)?, GUEST_GOTRACE)?;
    let command = match &request.what {
        What::Command(command) => format!("#!/bin/sh\nexec {command}\n"),
        What::Chosen => cases(&mut image, &build, &work.path, chosen(arch, all_tests()?)?)?,
        What::Matching(filter) => {
            let mut tests = all_tests()?;
            tests.retain(|test| test.name.contains(filter));
            cases(&mut image, &build, &work.path, tests)?
        }
    };
    let start = Instant::now();
    let status = boot(request.kernel, &request.parameters, image, &command, limit, &work.path, line)?;
    println!("Linux {}: {:.0?} from start to end", request.kernel, start.elapsed());
    Ok(status)
}

/// Puts the test program with everything that the tests need in the image; returns the command that runs them.
fn cases(
    image: &mut Image,
    build: &Build,
    work: &Path,
    mut tests: Vec<Test>,
) -> Result<String, Box<dyn Error>> {
    let arch = build.arch;
    if arch != Arch::HERE {
        debian::install(&[(&arch.tool("g++"), &format!("g++-{}", arch.gnu()))])?;
    }
    tests.retain(|test| {
        let target = test.case.target.as_ref();
        let missing = target.and_then(|target| target.program.missing_for(arch, test.variant.mode));
        if let Some(tool) = &missing {
            println!("test {} (no {tool}) ... ignored", test.name);
        }
        missing.is_none()
    });
    if tests.is_empty() {
        return Err("no case has such a name".into());
    }
    let program = stripped(arch, &build.test_program()?, work)?;
    image.program(&program, "/usr/bin/cases")?;
    // The guest sees this tree's cases at the same place, and a cache with the programs that its tests use.
    for part in ["cases", "programs"] {
        image.copy(&listing::folder().join(part), listing::folder().join(part))?;
    }
    let cache = cache::root()?;
    if tests.iter().any(|test| matches!(test.case.action, Action::Tool(_))) {
        image.copy(&bpftrace::tools()?, Path::new(GUEST_CACHE).join(bpftrace::entry()))?;
    }
    let mut names = String::new();
    for test in tests {
        names += &format!("{}\n", test.name);
        if let Some(target) = &test.case.target {
            let built = target.program.build_for(arch, test.variant.release, test.variant.mode)?;
            let folder = built.parent().unwrap_or(&built);
            let place = Path::new(GUEST_CACHE).join(folder.strip_prefix(&cache)?);
            image.program(&built, place.join(target.program.name()))?;
            image.copy(folder, place)?;
        }
    }
    if arch == Arch::HERE {
        image.program(Path::new(SETPRIV), SETPRIV).map_err(|e| format!("{SETPRIV}: {e}"))?;
    } else {
        image.foreign_libraries(arch)?;
    }
    image.text("/chosen", names, 0o644);
    let environment = [
        (listing::CHOSEN, "/chosen"),
        ("GOTRACE", GUEST_GOTRACE),
        ("GOTRACE_CACHE", GUEST_CACHE),
        ("GOTRACE_GO", "all"),
        (harness::judge::SLOWER, &SLOWER.to_string()),
        (harness::case::GUEST, "1"),
    ];
    let set: Vec<String> =
        environment.iter().map(|(name, value)| format!("export {name}='{value}'\n")).collect();
    Ok(format!("#!/bin/sh\n{}exec /usr/bin/cases --test-threads 1 --color never\n", set.concat()))
}

/// All tests on the newest Go release that each holds for, or on those that `GOTRACE_GO` says.
fn all_tests() -> Result<Vec<Test>, Box<dyn Error>> {
    let mut tests = listing::tests()?;
    if env::var_os("GOTRACE_GO").is_none() {
        let newest = RELEASES.last();
        tests.retain(|test| Some(test.variant.release) == newest);
    }
    Ok(tests)
}

/// Those that the architecture's list names. A line that names none is an error: the case was renamed or removed.
fn chosen(arch: Arch, tests: Vec<Test>) -> Result<Vec<Test>, Box<dyn Error>> {
    let path = listing::folder().join(match arch {
        Arch::Amd64 => CHOSEN,
        Arch::Arm64 => CHOSEN_ARM64,
    });
    let list = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut names = BTreeSet::new();
    for line in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let matching = tests.iter().filter(|test| test.name.starts_with(line));
        let before = names.len();
        names.extend(matching.map(|test| test.name.clone()));
        if names.len() == before {
            return Err(format!("{}: `{line}` names no further case", path.display()).into());
        }
    }
    Ok(tests.into_iter().filter(|test| names.contains(&test.name)).collect())
}

/// gotrace as a guest of an architecture runs it, built from this tree; `None` where Rust for it is not to be had, which is told.
pub fn gotrace_for(arch: Arch) -> Result<Option<PathBuf>, Box<dyn Error>> {
    match Build::new(arch) {
        Ok(build) => build.gotrace().map(Some),
        Err(reason) => {
            println!("not built for {arch}: {reason}");
            Ok(None)
        }
    }
}

/// What builds programs for a guest.
struct Build {
    arch: Arch,
    /// For another architecture than this machine's.
    cross: Option<Rust>,
}

impl Build {
    fn new(arch: Arch) -> Result<Build, Box<dyn Error>> {
        let cross = if arch == Arch::HERE { None } else { Some(Rust::for_arch(arch)?) };
        Ok(Build { arch, cross })
    }

    /// A cargo command that compiles for the guest.
    fn cargo(&self, words: &[&str]) -> Command {
        match &self.cross {
            None => cargo(words),
            Some(rust) => {
                let mut cargo = rust.cargo(words);
                cargo.args(["--profile", cross::PROFILE]);
                cargo
            }
        }
    }

    /// gotrace as `GOTRACE` names it, or built from this tree.
    fn gotrace(&self) -> Result<PathBuf, Box<dyn Error>> {
        if let Some(named) = env::var_os("GOTRACE") {
            return Ok(fs::canonicalize(named)?);
        }
        let mut build = self.cargo(&["build", "--quiet", "--package", "gotrace"]);
        Ok(match &self.cross {
            None => {
                shown(&mut build)?;
                target_dir().join("debug/gotrace")
            }
            Some(rust) => {
                // Not shown, if it goes well: the linker has a note for each function of glibc that wants a shared library.
                checked(&mut build)?;
                rust.programs(cross::PROFILE).join("gotrace")
            }
        })
    }

    /// The compiled test of the cases.
    fn test_program(&self) -> Result<PathBuf, Box<dyn Error>> {
        let mut build =
            self.cargo(&["test", "--quiet", "--package", "gotrace-tests", "--test", "cases", "--no-run"]);
        let messages = checked(build.arg("--message-format=json"))?;
        // One JSON object a line; that of the test's binary has its path.
        let path = messages.lines().filter(|line| line.contains("\"name\":\"cases\"")).find_map(|line| {
            let (_, rest) = line.split_once("\"executable\":\"")?;
            rest.split_once('"').map(|(path, _)| PathBuf::from(path))
        });
        path.ok_or_else(|| "cargo names no program for the test `cases`".into())
    }
}

/// A copy without debug information: an image is held in memory, twice for a moment.
fn stripped(arch: Arch, program: &Path, work: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let copy = work.join(program.file_name().unwrap_or_default());
    checked(Command::new(arch.tool("strip")).arg("-o").arg(&copy).arg(program))?;
    Ok(copy)
}

/// A folder for the files of one boot, removed afterwards.
struct Work {
    path: PathBuf,
}

impl Work {
    fn new() -> Result<Work, Box<dyn Error>> {
        let path = env::temp_dir().join(format!("gotrace-vm-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Work { path })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}
