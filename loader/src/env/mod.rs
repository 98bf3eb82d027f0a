//! Answers the checker's questions about this machine ([`lang::env::Env`]) from real binaries and the kernel's files.

mod bpf;
mod btf;
mod function;
mod go;
mod goerror;
mod iter;
mod kernel;
mod library;
mod linker;
mod native;
mod program;
mod root;
mod traceable;
mod tracepoint;
mod uprobe;
pub mod usdt;

pub(crate) use btf::named_types;

use crate::sys::probe::Feature;
use inspect::archive;
use inspect::btf::Btf;
use inspect::elf::Binary;
use inspect::native::Wanted;
use inspect::proc::Process;
use lang::arch::Arch;
use lang::env::{DynamicType, Env, EnvError, GoProgram, Match, PerCpu, ProgramOf, SymbolAddress, TypeName};
use lang::goerror::ErrorType;
use lang::probe::{AttachKind, AttachPoint, FentryOf, Mode};
use lang::types::{Enum, Struct, Type};
use linker::Linked;
use regex_lite::Regex;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Greatest number of names that an error suggests.
const SUGGESTIONS: usize = 3;

/// Greatest number of files that an error names.
const NAMED_FILES: usize = 4;

/// In place of a binary: the program and all libraries of a process.
const EVERYTHING: &str = "*";

/// The machine that gotrace runs on.
#[derive(Default)]
pub struct Host {
    child: Option<u32>,
    /// The process of `-p`, whose file system names are looked up in.
    process: Option<u32>,
    /// What the process of `-c` will run or that of `-p` runs.
    program: Option<PathBuf>,
    params: Vec<String>,
    /// Scripts may act on the machine.
    allows_unsafe: bool,
    options: BTreeMap<String, String>,
    /// What the names of probes must match (`--probe-filter`).
    filter: Option<Regex>,
    /// Which probes of the script are meant.
    mode: Mode,
    /// Binaries that were looked at, by the name in the script.
    binaries: RefCell<HashMap<String, Rc<Binary>>>,
    /// Go structures that signatures mentioned.
    structures: go::Structures,
    /// Those of C, C++ and Rust.
    native_structures: native::Structures,
    /// The kernel's types.
    kernel: btf::Kernel,
    /// What this kernel lacks to run the scripts that were checked, where scripts are only checked.
    lacking: Option<RefCell<BTreeSet<String>>>,
    /// The error types of Go binaries, by the name in the script.
    errors: RefCell<HashMap<String, Vec<(SymbolAddress, ErrorType)>>>,
}

impl Host {
    /// With the process that `-c` or `-p` names and the script's arguments.
    #[must_use]
    pub fn new(child: Option<u32>, params: Vec<String>) -> Host {
        Host { child, params, ..Host::default() }
    }

    /// The same, and scripts may act on the machine or not.
    #[must_use]
    pub fn allowing_unsafe(self, allows_unsafe: bool) -> Host {
        Host { allows_unsafe, ..self }
    }

    /// The types of the kernel, then those of its modules by name.
    pub(crate) fn kernel_types(&self) -> impl Iterator<Item = (Option<&str>, &Btf)> {
        self.kernel.all_types(None)
    }

    /// With the probes that are meant.
    #[must_use]
    pub fn in_mode(self, mode: Mode) -> Host {
        Host { mode, ..self }
    }

    /// The same, for probes whose names match only.
    #[must_use]
    pub fn filtered(self, filter: Option<Regex>) -> Host {
        Host { filter, ..self }
    }

    /// The same, with the file of the program that the process runs.
    #[must_use]
    pub fn running(self, program: Option<PathBuf>) -> Host {
        Host { program, ..self }
    }

    /// The same, with the process of `-p`: binaries are those that it sees.
    #[must_use]
    pub fn seen_by(self, process: Option<u32>) -> Host {
        Host { process, ..self }
    }

    /// The same, with the options of the script.
    #[must_use]
    pub fn with_options(self, options: BTreeMap<String, String>) -> Host {
        Host { options, ..self }
    }

    /// The same, for scripts that are not run here: a kind of probe that this kernel lacks is no error but one of [`Host::lacking`].
    #[must_use]
    pub fn checking_only(self) -> Host {
        Host { lacking: Some(RefCell::default()), ..self }
    }

    /// What this kernel lacks to run the scripts that were checked, as sentences.
    #[must_use]
    pub fn lacking(&self) -> Vec<String> {
        self.lacking.iter().flat_map(|lacking| lacking.borrow().clone()).collect()
    }

    /// A kernel that lacks a kind of probe says so before anything else.
    fn require(&self, feature: Feature, what: &str, instead: &str) -> Result<(), EnvError> {
        let Err(error) = feature.check() else { return Ok(()) };
        let message = format!("{what} do not work here: this kernel has no {} ({error})", feature.describe());
        if let Some(lacking) = &self.lacking {
            lacking.borrow_mut().insert(message);
            return Ok(());
        }
        Err(EnvError {
            message,
            notes: vec![format!("Linux has them since {}", feature.since())],
            help: Some(instead.to_owned()),
            ..EnvError::default()
        })
    }

    /// Opens a binary by path, program name or library name, once.
    ///
    /// # Errors
    /// It is not found, not readable or no ELF file.
    pub fn binary(&self, name: &str) -> Result<Rc<Binary>, EnvError> {
        if name.is_empty() {
            return self.process_binary();
        }
        if let Some(known) = self.binaries.borrow().get(name) {
            return Ok(Rc::clone(known));
        }
        let (file, member) = archive::split(name);
        let path = library::locate_all(file, &self.traced())?.into_iter().next().unwrap_or_default();
        let binary = Rc::new(open(&path, member).map_err(|e| open_error(&path, &e))?);
        self.binaries.borrow_mut().insert(name.to_owned(), Rc::clone(&binary));
        Ok(binary)
    }

    /// A type of a binary that is not Go.
    fn native_type(&self, binary: &str, name: &str, wanted: Wanted) -> Option<Type> {
        let file = self.binary(binary).ok()?;
        native::named(binary, &file, &self.native_structures, name, wanted)
    }

    /// The binaries that a name in an attach point stands for, with what they are called: one, or those that a pattern matches.
    fn binaries(&self, name: &str) -> Result<Vec<(String, Rc<Binary>)>, EnvError> {
        let (pattern, member) = archive::split(name);
        if !pattern.contains('*') {
            let file = self.binary(name)?;
            return Ok(vec![(shown(name, &file).into_owned(), file)]);
        }
        let paths =
            if name == EVERYTHING { self.loaded()? } else { library::locate_all(pattern, &self.traced())? };
        let found = self.opened(paths, member);
        match found.is_empty() {
            true => Err(EnvError {
                message: format!("no program or library matches \"{name}\""),
                ..EnvError::default()
            }),
            false => Ok(found),
        }
    }

    /// The binaries in which USDT probes are looked for: unless one is named, all that the traced process has loaded, and with
    /// `*` and without such a process those of all processes.
    fn usdt_binaries(&self, name: &str) -> Result<Vec<(String, Rc<Binary>)>, EnvError> {
        match name {
            EVERYTHING if self.child.is_none() => Ok(self.opened(library::loaded_by_all(), None)),
            "" if self.child.is_some() => self.binaries(EVERYTHING),
            name => self.binaries(name),
        }
    }

    /// The process or program in whose view names are looked up.
    fn traced(&self) -> library::Traced {
        let process = self.process.map(Process::new);
        let program = match (&process, &self.program) {
            (Some(process), _) => Some(Linked::running(process)),
            (None, program) => program.as_deref().map(Linked::to_start),
        };
        library::Traced { process, program }
    }

    /// The program and the libraries of the traced process.
    fn loaded(&self) -> Result<Vec<PathBuf>, EnvError> {
        match self.child {
            Some(_) => Ok(self.traced().loaded()),
            None => Err(EnvError {
                message: "`*` stands for the program and the libraries of a traced process".into(),
                help: Some("name the process with -p, or start it with -c".into()),
                ..EnvError::default()
            }),
        }
    }

    /// Those of the files that are programs or libraries, or archives with that member, with their paths as names.
    fn opened(&self, paths: Vec<PathBuf>, member: Option<&str>) -> Vec<(String, Rc<Binary>)> {
        let mut found = Vec::new();
        for path in paths {
            let file = path.to_string_lossy();
            let called = match member {
                Some(member) => format!("{file}{}{member}", archive::SEPARATOR),
                None => file.into_owned(),
            };
            let known = self.binaries.borrow().get(&called).map(Rc::clone);
            let opened = known.or_else(|| open(&path, member).ok().map(Rc::new));
            if let Some(binary) = opened {
                self.binaries.borrow_mut().insert(called.clone(), Rc::clone(&binary));
                found.push((called, binary));
            }
        }
        found
    }

    /// What `look` finds in the binaries that a name stands for; of several those that have nothing do not count, unless none has.
    fn in_binaries(
        binaries: &[(String, Rc<Binary>)],
        name: &str,
        mut look: impl FnMut(&str, &Binary) -> Result<Vec<Match>, EnvError>,
    ) -> Result<Vec<Match>, EnvError> {
        if let [(called, file)] = binaries {
            return look(called, file);
        }
        let mut found = Vec::new();
        let mut similar = Vec::new();
        for (called, file) in binaries {
            match look(called, file) {
                Ok(matches) => found.extend(matches),
                Err(error) => similar.extend(error.similar),
            }
        }
        if found.is_empty() {
            similar.sort_unstable();
            similar.dedup();
            similar.truncate(SUGGESTIONS);
            return Err(EnvError {
                message: format!("none of the {} files that \"{name}\" stands for has it", binaries.len()),
                similar,
                notes: looked_in(binaries),
                ..EnvError::default()
            });
        }
        Ok(found)
    }

    /// The program of the process that `-c` or `-p` names.
    fn process_binary(&self) -> Result<Rc<Binary>, EnvError> {
        let Some(program) = &self.program else {
            return Err(EnvError {
                message: "the binary is missing, and no process is named whose program it could be".into(),
                help: Some(
                    "name the binary, as in `uprobe:./web:main.f`, or the process with -c or -p".into(),
                ),
                ..EnvError::default()
            });
        };
        // By the path of the file: that of a process (/proc/PID/exe) says nothing to a reader, but it is the right one even
        // when the file has been replaced, or when the process sees another file system.
        let same =
            |path: &PathBuf| root::identity(path).is_some_and(|file| Some(file) == root::identity(program));
        let path = program.read_link().ok().filter(same).unwrap_or_else(|| program.clone());
        let name = path.to_string_lossy();
        if let Some(known) = self.binaries.borrow().get(&*name) {
            return Ok(Rc::clone(known));
        }
        let binary = Rc::new(Binary::open(&path).map_err(|e| open_error(&path, &e))?);
        self.binaries.borrow_mut().insert(name.into_owned(), Rc::clone(&binary));
        Ok(binary)
    }
}

/// What a message and `probe` call the binary that an attach point names.
fn shown<'a>(name: &'a str, file: &'a Binary) -> std::borrow::Cow<'a, str> {
    if name.is_empty() { absolute(file.path()).to_string_lossy().into_owned().into() } else { name.into() }
}

/// Tells in which files something was looked for.
fn looked_in(binaries: &[(String, Rc<Binary>)]) -> Vec<String> {
    let named: Vec<&str> = binaries.iter().take(NAMED_FILES).map(|(called, _)| called.as_str()).collect();
    let more = match binaries.len().saturating_sub(NAMED_FILES) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    if named.is_empty() { Vec::new() } else { vec![format!("looked in {}{more}", named.join(", "))] }
}

fn open(path: &Path, member: Option<&str>) -> Result<Binary, inspect::Error> {
    match member {
        Some(member) => Binary::open_member(path, member),
        None => Binary::open(path),
    }
}

fn open_error(path: &Path, error: &inspect::Error) -> EnvError {
    let help = match error {
        inspect::Error::NotElf { .. } if path.is_dir() => {
            Some(format!("it is a directory: name the program in it, `{}/…`", path.display()))
        }
        inspect::Error::NotElf { path } if path.to_string_lossy().contains(archive::SEPARATOR) => None,
        inspect::Error::NotElf { .. } => {
            Some("name the program itself, not a script that starts it".to_owned())
        }
        inspect::Error::Member { reason: archive::Refused::NoMember, path, .. } => {
            Some(format!("`unzip -l {}` shows its members", path.display()))
        }
        inspect::Error::Member { reason: archive::Refused::Compressed, .. } => {
            Some("name the file that it is unpacked to".to_owned())
        }
        inspect::Error::NotFound { .. } if path.is_relative() => {
            std::env::current_dir().ok().map(|here| format!("the current folder is {}", here.display()))
        }
        inspect::Error::Permission { .. } => {
            Some("run gotrace as root, or make the file readable".to_owned())
        }
        _ => None,
    };
    EnvError { message: error.to_string(), help, ..EnvError::default() }
}

impl Env for Host {
    fn wants(&self, probe: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.is_match(probe))
    }

    fn mode(&self) -> Mode {
        self.mode
    }

    fn arch(&self) -> Arch {
        host_arch()
    }

    fn resolve(&self, point: &AttachPoint) -> Result<Vec<Match>, EnvError> {
        match &point.kind {
            AttachKind::Tracepoint { category, event } => tracepoint::resolve(category, event),
            AttachKind::Uprobe { binary, target, ret } => {
                Self::in_binaries(&self.binaries(binary)?, binary, |called, file| {
                    let known = uprobe::Known { go: &self.structures, native: &self.native_structures };
                    uprobe::resolve(called, file, target, *ret, point.wants, known)
                })
            }
            AttachKind::Usdt { binary, provider, name } => {
                let binaries = self.usdt_binaries(binary)?;
                let binary = if binary.is_empty() { EVERYTHING } else { binary };
                Self::in_binaries(&binaries, binary, |called, file| {
                    usdt::resolve(called, file, provider.as_deref(), name)
                })
            }
            AttachKind::RawTracepoint { module, event } => {
                function::raw_tracepoints(&self.kernel, module.as_deref(), event)
            }
            AttachKind::Fentry { of, function, .. } => {
                self.require(Feature::Fentry, "fentry and fexit", "try `kprobe`, or a tracepoint")?;
                match of {
                    FentryOf::Any => function::fentries(&self.kernel, None, function),
                    FentryOf::Module(module) => function::fentries(&self.kernel, Some(module), function),
                    FentryOf::Program(id) => bpf::fentries(*id, function),
                }
            }
            AttachKind::Iter { object, .. } => iter::resolve(&self.kernel, object),
            AttachKind::Kprobe { module, target, .. } => {
                self.require(Feature::Kprobe, "kprobes", "try `rawtracepoint` or `tracepoint`")?;
                function::kprobes(&self.kernel, module.as_deref(), target)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn symbol_address(&self, binary: &str, symbol: &str) -> Result<SymbolAddress, EnvError> {
        let file = self.binary(binary)?;
        let Some(found) = file.symbol(symbol) else {
            return Err(EnvError {
                message: format!("no symbol \"{symbol}\" in {binary}"),
                help: Some(
                    "names are those of the linker, with the package: `main.counter`; stripped binaries have none of variables".into(),
                ),
                ..EnvError::default()
            });
        };
        Ok(address(&file, found.addr))
    }

    fn go_type_addresses(&self, binary: &str, name: &str) -> Vec<SymbolAddress> {
        let Ok(file) = self.binary(binary) else { return Vec::new() };
        let found = file.go().ok().flatten().map(|go| goerror::named(&file, go, name)).unwrap_or_default();
        found.into_iter().map(|(address, _)| address).collect()
    }

    fn go_dynamic_types(&self, binary: &str, name: &str) -> Vec<DynamicType> {
        let Ok(file) = self.binary(binary) else { return Vec::new() };
        let Ok(Some(go)) = file.go() else { return Vec::new() };
        let types = go::Types { binary, go, structures: &self.structures };
        let found = goerror::named(&file, go, name);
        found.into_iter().filter_map(|(address, vaddr)| types.dynamic(address, vaddr)).collect()
    }

    fn go_errors(&self, binary: &str) -> Vec<(SymbolAddress, ErrorType)> {
        if let Some(known) = self.errors.borrow().get(binary) {
            return known.clone();
        }
        let Ok(file) = self.binary(binary) else { return Vec::new() };
        let found = file.go().ok().flatten().map(|go| goerror::errors(&file, go)).unwrap_or_default();
        self.errors.borrow_mut().insert(binary.to_owned(), found.clone());
        found
    }

    fn go_struct(&self, binary: &str, name: &str) -> Option<Struct> {
        let file = self.binary(binary).ok()?;
        let in_go = file
            .go()
            .ok()?
            .and_then(|go| go::Types { binary, go, structures: &self.structures }.structure(name));
        // C code is in Go programs too, under cgo.
        in_go.or_else(|| {
            match native::named(binary, &file, &self.native_structures, name, Wanted::Composite)? {
                Type::Struct(s) => Some(Arc::unwrap_or_clone(s)),
                _ => None,
            }
        })
    }

    fn same_names(&self, binary: &str, name: &str) -> Vec<String> {
        self.native_structures.ambiguous(binary, name)
    }

    fn binary_type(&self, binary: &str, name: TypeName<'_>) -> Option<Type> {
        let (name, wanted) = match name {
            TypeName::Record(name) => return Some(Type::Struct(Arc::new(self.go_struct(binary, name)?))),
            TypeName::Enum(name) => (name, Wanted::Enum),
            // Names with namespaces are not those of C, which has the keyword before the others.
            TypeName::Typedef(name) if name.contains("::") => {
                let mut kinds = [Wanted::Typedef, Wanted::Composite, Wanted::Enum].into_iter();
                return kinds.find_map(|wanted| self.native_type(binary, name, wanted));
            }
            TypeName::Typedef(name) => (name, Wanted::Typedef),
        };
        self.native_type(binary, name, wanted)
    }

    fn binary_enumerator(&self, binary: &str, name: &str) -> Option<(Enum, i64)> {
        let Type::Enum(of) = self.native_type(binary, name, Wanted::Variant)? else { return None };
        let last = name.rsplit("::").next().unwrap_or(name);
        let value = of.variants.iter().find(|(variant, _)| variant == last)?.1;
        Some((Arc::unwrap_or_clone(of), value))
    }

    fn go_program(&self, which: ProgramOf<'_>) -> Result<GoProgram, EnvError> {
        let (file, name) = match which {
            ProgramOf::Binary(name) => (self.binary(name)?, name.to_owned()),
            ProgramOf::Process => {
                let file = self.process_binary()?;
                let name = shown("", &file).into_owned();
                (file, name)
            }
        };
        program::go_program(&file, &name)
    }

    fn allows_unsafe(&self) -> bool {
        self.allows_unsafe
    }

    fn has_kernel_function(&self, name: &str) -> bool {
        kernel::has_function(name)
    }

    fn kernel_symbol(&self, name: &str) -> Result<u64, EnvError> {
        kernel::symbol(name, self.kernel.symbols())
    }

    fn percpu_variable(&self, name: &str) -> Result<PerCpu, EnvError> {
        kernel::percpu_variable(name, self.kernel.btf(), self.kernel.symbols())
    }

    fn cgroup_id(&self, path: &str) -> Result<u64, EnvError> {
        kernel::cgroup_id(path)
    }

    fn kernel_enumerator(&self, name: &str) -> Option<(Enum, i64)> {
        self.kernel.enumerator(name)
    }

    fn kernel_enum(&self, name: &str) -> Option<Enum> {
        self.kernel.enumeration(name)
    }

    fn kernel_typedef(&self, name: &str) -> Option<Type> {
        self.kernel.typedef(name)
    }

    fn kernel_struct(&self, name: &str) -> Option<Struct> {
        self.kernel.structure(name)
    }

    fn child(&self) -> Option<u32> {
        self.child
    }

    fn params(&self) -> &[String] {
        &self.params
    }

    fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }
}

/// Where something of a binary is in a process, by its address in the file.
fn address(file: &Binary, vaddr: u64) -> SymbolAddress {
    if !file.is_pie() {
        return SymbolAddress::Fixed(vaddr);
    }
    let code = file.image().segments().iter().find(|s| s.executable);
    let slide = code.map_or(0, |s| s.vaddr.wrapping_sub(s.offset));
    SymbolAddress::FromCodeBase(vaddr.wrapping_sub(slide))
}

/// The instruction set that this program was built for, which is the one it traces.
#[must_use]
pub fn host_arch() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
}

/// An absolute path without symbolic links, as the kernel will see it.
fn absolute(path: &Path) -> PathBuf {
    // The root of another process (/proc/PID/root) is no link that a path could be made of.
    if path.starts_with("/proc") && path.components().nth(3).is_some_and(|part| part.as_os_str() == "root") {
        return path.to_owned();
    }
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The nearest of many names, best first.
pub(crate) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let limit = name.len() / 3 + 1;
    let mut near: Vec<(usize, &str)> =
        known.filter_map(|k| Some((lang::diag::edit_distance(name, k, limit)?, k))).collect();
    near.sort_unstable();
    near.dedup();
    // Where one is near, those that are much farther are noise.
    let farthest = near.first().map_or(0, |(best, _)| 2 * best);
    near.retain(|(distance, _)| *distance <= farthest);
    near.into_iter().take(SUGGESTIONS).map(|(_, k)| k.to_owned()).collect()
}
