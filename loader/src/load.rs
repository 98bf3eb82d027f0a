//! Puts a compiled script into the kernel: the ELF object is parsed and relocated by aya-obj, maps are made by aya, programs by
//! our own `BPF_PROG_LOAD` (aya 0.14 knows neither the attach type of multi links nor how to show a rejection).
//!
//! A rejected program becomes a [`LoadError::Rejected`] that points at the script line; [`LoadError::problem`] is what the user
//! is shown.

use crate::privileges;
use crate::sys::bpf::{self, AttachType, Debug, ProgType};
use crate::sys::probe::Feature;
use aya::maps::MapData;
use aya_obj::btf::BtfFeatures;
use aya_obj::generated::bpf_insn;
use codegen::object::{MapKind, Object, Program, ProgramKind};
use lang::diag::Problem;
use lang::span::Span;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A script in the kernel, not attached yet.
pub struct Loaded {
    /// The maps, in the order of [`Object::maps`].
    pub maps: Vec<MapData>,
    /// The programs, in the order of [`Object::programs`].
    pub programs: Vec<OwnedFd>,
    /// Their kinds.
    pub kinds: Vec<ProgramKind>,
}

impl Loaded {
    /// Descriptor of a map.
    #[must_use]
    pub fn map(&self, index: usize) -> BorrowedFd<'_> {
        self.maps[index].fd().as_fd()
    }
}

/// Why a script was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The object could not be read back: a bug in the code generator.
    #[error("the compiled object is not valid: {0}")]
    Object(String),
    /// A map could not be made.
    #[error("cannot create the map {name}: {source}")]
    Map {
        /// Its name.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The user may not load programs.
    #[error("loading BPF programs needs root, or the capabilities CAP_BPF and CAP_PERFMON")]
    Permission,
    /// The kernel is too old.
    #[error("this kernel has no {}", .0.describe())]
    Kernel(Feature),
    /// The verifier rejected a program.
    #[error("the kernel's verifier rejected the program of this probe: {reason}")]
    Rejected {
        /// The last sentence of its log, or the error.
        reason: String,
        /// The statement it was looking at.
        span: Span,
        /// The last lines of the log.
        tail: Vec<String>,
        /// All of it.
        log: String,
    },
}

impl LoadError {
    /// What the user is told, with the place in the script if there is one. `whole_log` shows all that the verifier said.
    pub fn problem(&self, whole_log: bool) -> Problem {
        match self {
            LoadError::Rejected { span, log, .. } if refused_helper(log).is_some() && !whole_log => {
                let (what, why) = refused_helper(log).unwrap_or_default();
                let problem = Problem::error(*span, format!("this kernel does not let programs of this kind {what}"));
                problem.note(why).help("`-v` shows the whole log of the verifier")
            }
            LoadError::Rejected { span, tail, log, .. } => {
                let shown = if whole_log { log.trim_end().to_owned() } else { tail.join("\n") };
                let problem = Problem::error(*span, self.to_string()).at("the verifier was here").note(shown);
                let problem = match loop_advice(log) {
                    Some(advice) => problem.help(advice),
                    None => problem,
                };
                if whole_log { problem } else { problem.help("`-v` shows the whole log of the verifier") }
            }
            LoadError::Permission => {
                let (why, help) = privileges::why_refused();
                Problem::general(self.to_string()).note(why).help(help)
            }
            LoadError::Kernel(feature) => {
                let since = format!(
                    "Linux has it since {}; `gotrace info` shows what this kernel can do",
                    feature.since()
                );
                Problem::general(self.to_string()).help(since)
            }
            LoadError::Map { source, .. } if source.raw_os_error() == Some(libc::ENOMEM) => {
                Problem::general(self.to_string())
                    .help("it is too large for the memory: declare fewer entries, or lower max_map_keys or perf_rb_pages")
            }
            LoadError::Map { source, .. } if source.raw_os_error() == Some(libc::E2BIG) => {
                Problem::general(self.to_string())
                    .help("it has too many entries: declare fewer, or lower max_map_keys or perf_rb_pages")
            }
            LoadError::Object(_) | LoadError::Map { .. } => Problem::general(self.to_string()),
        }
    }
}

/// What a program may not do that the verifier rejected for calling a helper, and why that can be.
fn refused_helper(log: &str) -> Option<(&'static str, &'static str)> {
    const READ: &str = "read the kernel's memory";
    const SECRET: &str = "it is locked down in the mode `confidentiality` (/sys/kernel/security/lockdown)";
    /// Helpers that a kernel may have and refuse.
    const REFUSED: [(&str, &str, &str); 6] = [
        ("bpf_probe_read_kernel", READ, SECRET),
        ("bpf_probe_read_kernel_str", READ, SECRET),
        (
            "bpf_probe_write_user",
            "write into the memory of a process",
            "it is locked down (/sys/kernel/security/lockdown), was built without that, or this process lacks CAP_SYS_ADMIN",
        ),
        ("bpf_override_return", "make a function return", "it was built without CONFIG_BPF_KPROBE_OVERRIDE"),
        (
            "bpf_d_path",
            "ask for the name of a file",
            "it allows that since Linux 5.10, and in some of its functions only",
        ),
        ("bpf_get_socket_cookie", "ask for the number of a socket", "it allows that since Linux 5.12"),
    ];
    let says = |sign: &str, name: &str| log.contains(&format!("{sign}{name}#"));
    // The sentence alone does not name the helper, the instruction before it does.
    let last_call = log.lines().rev().find_map(|line| line.split_once(" call ")).map(|(_, call)| call);
    let not_here = log.contains("helper call is not allowed in probe");
    let called = |name: &str| last_call.is_some_and(|call| call.starts_with(&format!("{name}#")));
    let refused = |name: &str| {
        says("cannot use helper ", name) || says("unknown func ", name) || (not_here && called(name))
    };
    REFUSED.iter().find(|(name, ..)| refused(name)).map(|(_, what, why)| (*what, *why))
}

/// What to do when the verifier gave up on a loop.
fn loop_advice(log: &str) -> Option<&'static str> {
    const SIGNS: [&str; 5] = [
        "infinite loop detected",
        "back-edge from",
        "BPF program is too large. Processed",
        "jumps is too complex",
        "unreachable insn",
    ];
    SIGNS.iter().any(|sign| log.contains(sign)).then_some(
        "this kernel must see the end of a loop: make its bounds constant and its rounds few (Linux 5.17 takes any loop)",
    )
}

/// Lines of the verifier's log that a rejection shows.
const LOG_TAIL: usize = 8;

/// Loads an object.
///
/// # Errors
/// [`LoadError`].
pub fn load(elf: &[u8], object: &Object, uprobe_multi: bool) -> Result<Loaded, LoadError> {
    let (parsed, maps, btf) = prepare(elf, object)?;
    let programs = object
        .programs
        .iter()
        .map(|program| {
            with_program(&parsed, program, btf.as_ref(), uprobe_multi, |load| {
                bpf::prog_load(load).map_err(|rejected| rejection(program, &rejected.error, rejected.log))
            })
        })
        .collect::<Result<_, _>>()?;
    let kinds = object.programs.iter().map(|p| p.kind).collect();
    Ok(Loaded { maps, programs, kinds })
}

/// Parses the object, makes its maps, and fills their descriptors into the instructions.
fn prepare(
    elf: &[u8],
    object: &Object,
) -> Result<(aya_obj::Object, Vec<MapData>, Option<OwnedFd>), LoadError> {
    let mut parsed = aya_obj::Object::parse(elf).map_err(|e| LoadError::Object(e.to_string()))?;
    let btf = kernel_btf(&mut parsed);
    let shapes: HashMap<String, aya_obj::Map> = parsed.maps.clone();
    let mut maps = Vec::new();
    for (index, def) in object.maps.iter().enumerate() {
        let shape = parsed
            .maps
            .remove(&def.name)
            .ok_or_else(|| LoadError::Object(format!("map {} is missing", def.name)))?;
        let map = MapData::create(shape, &def.name, btf.as_ref().map(AsFd::as_fd))
            .map_err(|e| map_error(shown_name(object, index), e));
        maps.push(supported(def.kind, map)?);
    }
    relocate(&mut parsed, object, &maps, &shapes)?;
    Ok((parsed, maps, btf))
}

/// What the verifier says about every program (`-d verifier`).
///
/// # Errors
/// [`LoadError`].
pub fn verifier_logs(elf: &[u8], object: &Object, uprobe_multi: bool) -> Result<String, LoadError> {
    let (parsed, _maps, btf) = prepare(elf, object)?;
    let mut out = String::new();
    for program in &object.programs {
        let log = with_program(&parsed, program, btf.as_ref(), uprobe_multi, |load| {
            match bpf::prog_load_logged(load) {
                Ok((_, log)) => Ok(log),
                Err(rejected) => Err(rejection(program, &rejected.error, rejected.log)),
            }
        })?;
        out.push_str(&format!("{}:\n{log}", program.name));
    }
    Ok(out)
}

/// Loads the object's type information; a kernel that cannot take it loses script lines in logs, nothing else.
fn kernel_btf(parsed: &mut aya_obj::Object) -> Option<OwnedFd> {
    // Of the kinds that kernels learnt one after the other our objects use functions, global functions and data sections,
    // which are all older than what gotrace needs besides (5.10). Asking the kernel would cost a dozen system calls.
    const FEATURES: BtfFeatures = BtfFeatures::new(true, true, true, true, true, true, true, true);
    let btf = parsed.fixup_and_sanitize_btf(&FEATURES).ok()??;
    bpf::btf_load(&btf.to_bytes()).ok()
}

/// What the user calls a map: its name in the script, if it comes from there.
fn shown_name(object: &Object, index: usize) -> &str {
    let user = object.user_maps.iter().find(|user| user.map == index).map(|user| &user.name);
    user.unwrap_or(&object.maps[index].name)
}

/// Says so if a map was refused because the kernel does not know its type.
fn supported(kind: MapKind, made: Result<MapData, LoadError>) -> Result<MapData, LoadError> {
    let ring = Feature::RingBuffer;
    let old = |e: &io::Error| e.raw_os_error() == Some(libc::EINVAL) && ring.check().is_err();
    match made {
        Err(LoadError::Map { source, .. }) if kind == MapKind::RingBuf && old(&source) => {
            Err(LoadError::Kernel(ring))
        }
        Ok(_) if kind == MapKind::RingBuf && ring.withheld() => Err(LoadError::Kernel(ring)),
        other => other,
    }
}

fn map_error(name: &str, error: aya::maps::MapError) -> LoadError {
    let source = match error {
        aya::maps::MapError::CreateError { io_error, .. } => io_error,
        other => io::Error::other(other.to_string()),
    };
    if source.raw_os_error() == Some(libc::EPERM) {
        return LoadError::Permission;
    }
    LoadError::Map { name: name.to_owned(), source }
}

fn relocate(
    parsed: &mut aya_obj::Object,
    object: &Object,
    maps: &[MapData],
    shapes: &HashMap<String, aya_obj::Map>,
) -> Result<(), LoadError> {
    let sections: HashSet<usize> = parsed.functions.keys().map(|key| key.0).collect();
    let named: Vec<(&str, i32, &aya_obj::Map)> = object
        .maps
        .iter()
        .zip(maps)
        .filter_map(|(def, map)| {
            Some((def.name.as_str(), map.fd().as_fd().as_raw_fd(), shapes.get(&def.name)?))
        })
        .collect();
    parsed.relocate_maps(named.into_iter(), &sections).map_err(|e| LoadError::Object(e.to_string()))?;
    parsed.relocate_calls(&sections).map_err(|e| LoadError::Object(e.to_string()))
}

/// Calls `load` with a program in the form that the system call takes.
fn with_program<T>(
    parsed: &aya_obj::Object,
    program: &Program,
    btf: Option<&OwnedFd>,
    uprobe_multi: bool,
    load: impl FnOnce(&bpf::Program<'_>) -> Result<T, LoadError>,
) -> Result<T, LoadError> {
    let missing = || LoadError::Object(format!("program {} is missing", program.name));
    let found = parsed.programs.get(&program.name).ok_or_else(missing)?;
    let function = parsed.functions.get(&found.function_key()).ok_or_else(missing)?;
    let insns: Vec<u8> = function.instructions.iter().flat_map(bytes).collect();
    let (kind, attach) = match program.kind {
        ProgramKind::RunOnce => (ProgType::RawTracepoint, AttachType::Unspecified),
        ProgramKind::PerfEvent => (ProgType::PerfEvent, AttachType::Unspecified),
        ProgramKind::RawTracepoint => (ProgType::RawTracepoint, AttachType::Unspecified),
        ProgramKind::Kprobe => (ProgType::Kprobe, AttachType::Unspecified),
        ProgramKind::KprobeMulti => (ProgType::Kprobe, AttachType::KprobeMulti),
        ProgramKind::Fentry { ret: false } => (ProgType::Tracing, AttachType::Fentry),
        ProgramKind::Fentry { ret: true } => (ProgType::Tracing, AttachType::Fexit),
        ProgramKind::Iter => (ProgType::Tracing, AttachType::Iter),
        ProgramKind::Tracepoint => (ProgType::Tracepoint, AttachType::Unspecified),
        ProgramKind::Uprobe if uprobe_multi => (ProgType::Kprobe, AttachType::UprobeMulti),
        ProgramKind::Uprobe => (ProgType::Kprobe, AttachType::Unspecified),
    };
    let (func_info, line_info) = (function.func_info.func_info_bytes(), function.line_info.line_info_bytes());
    let debug = btf.map(|btf| Debug {
        btf: btf.as_fd(),
        func_info: &func_info,
        func_info_size: function.func_info_rec_size as u32,
        line_info: &line_info,
        line_info_size: function.line_info_rec_size as u32,
    });
    let to = program.attach_to.as_ref();
    let of = to.and_then(|to| owner(to).transpose()).transpose()?;
    let function = to.map(|to| bpf::Function { id: to.id, of: of.as_ref().map(AsFd::as_fd) });
    load(&bpf::Program { name: &program.name, kind, attach, function, insns: &insns, debug })
}

/// Whose function it is, if not the kernel's own: the types of a module, or a loaded program.
fn owner(to: &codegen::object::KernelType) -> Result<Option<OwnedFd>, LoadError> {
    if let Some(id) = to.program {
        let gone = |e| LoadError::Object(format!("the BPF program {id} is not there any more: {e}"));
        return bpf::program_by_id(id).map(Some).map_err(gone);
    }
    let missing = |module: &str, e| {
        LoadError::Object(format!("the type information of the module {module} is missing: {e}"))
    };
    let module = to.module.as_deref();
    module.map(|module| bpf::module_btf(module).map_err(|e| missing(module, e))).transpose()
}

/// The encoded form of an instruction.
fn bytes(insn: &bpf_insn) -> [u8; 8] {
    let (off, imm) = (insn.off.to_ne_bytes(), insn.imm.to_ne_bytes());
    [insn.code, insn.dst_reg() | insn.src_reg() << 4, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]
}

fn rejection(program: &Program, error: &io::Error, log: String) -> LoadError {
    if log.is_empty() && error.raw_os_error() == Some(libc::EPERM) {
        return LoadError::Permission;
    }
    // The log ends with statistics; before them stands the sentence that says why.
    let lines: Vec<&str> =
        log.lines().filter(|l| !l.starts_with("processed ") && !l.trim().is_empty()).collect();
    let reason = lines.last().map_or_else(|| error.to_string(), |l| (*l).to_owned());
    let insn = lines.iter().rev().find_map(|l| instruction_of(l)).unwrap_or(0);
    let places = program.linked_lines();
    let at = places.partition_point(|(start, _)| *start <= insn).saturating_sub(1);
    let span = places.get(at).map_or_else(Span::default, |(_, span)| *span);
    let tail = lines[lines.len().saturating_sub(LOG_TAIL)..].iter().map(|l| (*l).to_owned()).collect();
    LoadError::Rejected { reason, span, tail, log }
}

/// The number of the instruction that a line of the log shows: `12: (85) call bpf_…`.
fn instruction_of(line: &str) -> Option<usize> {
    let (number, rest) = line.split_once(": (")?;
    (rest.len() > 2 && rest.as_bytes()[2] == b')').then(|| number.trim().parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_points_at_the_statement() {
        let program = Program {
            name: "uprobe_0".into(),
            section: "uprobe",
            kind: ProgramKind::Uprobe,
            attach_to: None,
            insns: Vec::new(),
            map_refs: Vec::new(),
            lines: vec![(0, Span::new(0, 5)), (10, Span::new(6, 20)), (30, Span::new(21, 30))],
            func_refs: Vec::new(),
            subs: Vec::new(),
        };
        let log = "0: (b7) r1 = 1\n; @x[1] = 2 @ t.gt:1\n12: (7b) *(u64 *)(r0 +0) = r1\nR0 invalid mem access 'map_value_or_null'\nprocessed 13 insns (limit 1000000)\n";
        let error = rejection(&program, &io::Error::from_raw_os_error(libc::EACCES), log.into());
        let LoadError::Rejected { reason, span, tail, .. } = error else { panic!("{error:?}") };
        assert_eq!(reason, "R0 invalid mem access 'map_value_or_null'");
        assert_eq!(span, Span::new(6, 20));
        assert_eq!(tail.len(), 4);
    }

    #[test]
    fn no_log_means_no_permission() {
        let program = Program {
            name: "p".into(),
            section: "uprobe",
            kind: ProgramKind::Uprobe,
            attach_to: None,
            insns: Vec::new(),
            map_refs: Vec::new(),
            lines: Vec::new(),
            func_refs: Vec::new(),
            subs: Vec::new(),
        };
        let error = rejection(&program, &io::Error::from_raw_os_error(libc::EPERM), String::new());
        assert!(matches!(error, LoadError::Permission));
    }
}
