//! Fills in what code generation must know about this machine ([`codegen::Target`]), by asking the kernel.

use crate::env::host_arch;
use crate::sys::clock;
use crate::sys::probe::{self, Feature};
use codegen::Target;
use codegen::kernel::{Fields, KernelField};
use codegen::target::{ExecutableOf, KernelReads, Leads, Loops, Members, ReadOnlyCast, Returning};
use inspect::btf::{Btf, Loaded, TypeId};
use lang::arch::Arch;
use lang::gocopy;
use lang::hir::{Attach, Builtin, Expr, ExprKind, Fun, LoopKind, Program, Stmt, StmtKind, visit_all};
use lang::types::{AddrSpace, StackKind, Type};
use std::collections::HashMap;
use std::os::linux::fs::MetadataExt;

/// Inode of the initial pid namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const INITIAL_PID_NAMESPACE: u64 = 0xefff_fffc;

/// The machine for a run of `program`.
#[must_use]
pub fn for_run(program: &Program, pid: Option<u32>, count_read_errors: bool) -> Target {
    let mut target = machine();
    target.pid = pid;
    target.count_read_errors = count_read_errors;
    target.start = clock::boot_nanos();
    target.pid_namespace = pid_namespace();
    // Questions that cost system calls are asked only for programs that the answer matters to.
    let uprobes = program.probes.iter().any(|p| matches!(p.attach, Attach::Uprobe { .. }));
    target.uprobe_multi = uprobes && Feature::UprobeMulti.check().is_ok();
    let kprobes = program.probes.iter().any(|p| matches!(p.attach, Attach::Kprobe { .. }));
    target.kprobe_multi = kprobes && Feature::KprobeMulti.check().is_ok();
    target.atomic_fetch = Feature::AtomicFetch.check().is_ok();
    target.filter_walks = pid.is_some() && walks(program) && Feature::IterOfProcess.check().is_err();
    target.tls_base = needs_goroutine_from_tls(program).then(|| tls_base(target.arch)).flatten();
    target.executable = program.go_program.as_ref().and_then(|_| executable());
    target.task_registers = needs_registers_of_threads(program) && Feature::TaskRegisters.check().is_ok();
    target.returning = does_returns(program).then(|| returning().ok()).flatten();
    target.map_count = counts_maps(program).then(map_count).flatten();
    target.loops = loops(program);
    target.strstr = searches_texts(program).then(strstr).flatten();
    // A plain load does not tell that it failed.
    let plain = !count_read_errors && reads_kernel(program);
    target.kernel_reads = match plain.then(|| read_only_cast(target.arch)).flatten() {
        Some(cast) => KernelReads::Cast(cast),
        None if plain && Feature::CurrentTask.check().is_ok() => KernelReads::Members(members(program)),
        None => KernelReads::Helper,
    };
    target.fields = match target.filter_walks {
        true => offsets(KernelField::ALL),
        false => kernel_fields(program),
    };
    target.tai_offset = clock::tai_offset();
    target.unix_offset = clock::unix_offset();
    target.percpu_lookup = reads_aggregations(program) && Feature::PerCpuLookup.check().is_ok();
    target
}

/// The machine for an object file: this one, without a process to filter by.
#[must_use]
pub fn for_object() -> Target {
    let machine = machine();
    let fields = offsets(KernelField::ALL);
    Target {
        tls_base: tls_base(machine.arch),
        executable: executable(),
        map_count: map_count(),
        strstr: strstr(),
        fields,
        ..machine
    }
}

/// What is cheap to know about this machine.
fn machine() -> Target {
    Target::recent(host_arch(), clock::possible_cpus().unwrap_or(1) as u32)
}

/// Offset of the thread's TLS base in `task_struct`.
fn tls_base(arch: Arch) -> Option<u32> {
    let path = match arch {
        Arch::X86_64 => "thread.fsbase",
        Arch::Aarch64 => "thread.uw.tp_value",
    };
    let btf = kernel_types()?;
    btf.member(btf.find_struct("task_struct")?, path)?.byte_offset()
}

/// The way from a thread to the file that its process runs.
fn executable() -> Option<ExecutableOf> {
    let btf = kernel_types()?;
    let offset = |structure, member| btf.member(btf.find_struct(structure)?, member)?.byte_offset();
    Some(ExecutableOf {
        mm: offset("task_struct", "mm")?,
        file: offset("mm_struct", "exe_file")?,
        inode: offset("file", "f_inode")?,
        number: offset("inode", "i_ino")?,
        file_system: offset("inode", "i_sb")?,
        device: offset("super_block", "s_dev")?,
    })
}

/// What programs must know to do a return instruction themselves.
///
/// # Errors
/// Why the kernel does not let them, or why it is not told.
pub fn returning() -> std::io::Result<Returning> {
    Feature::UprobeRegisters.check()?;
    let btf = kernel_types();
    let offset = |structure, path| {
        let btf = btf.as_ref()?;
        btf.member(btf.find_struct(structure)?, path)?.byte_offset()
    };
    let (Some(mm), Some(start_code)) = (offset("task_struct", "mm"), offset("mm_struct", "start_code"))
    else {
        return Err(std::io::Error::other("the kernel does not describe its structures"));
    };
    Ok(Returning { mm, start_code, thread_features: offset("task_struct", "thread.features") })
}

fn does_returns(program: &Program) -> bool {
    program
        .probes
        .iter()
        .any(|p| matches!(&p.attach, Attach::Uprobe { class, .. } if class.own_return.is_some()))
}

/// The kernel's function that counts the entries of a map.
fn map_count() -> Option<u32> {
    Feature::MapCount.check().ok()?;
    Some(kernel_types()?.find_function("bpf_map_sum_elem_count")?.0)
}

/// Offsets of the kernel's members that a program may need.
fn kernel_fields(program: &Program) -> Fields {
    let task = |e: &Expr| matches!(e.kind, ExprKind::Apply(Fun::Task(_), _));
    let needed = program.code().any(|code| any_expr(code, &task));
    if needed { offsets(KernelField::ALL) } else { Fields::new() }
}

/// The offsets that the kernel tells.
fn offsets(fields: &[KernelField]) -> Fields {
    let Some(btf) = kernel_types() else { return Fields::new() };
    let offset = |field: &KernelField| {
        let (structure, path) = field.path();
        let offset = btf.member(btf.find_struct(structure)?, path)?.byte_offset()?;
        Some((*field, offset))
    };
    fields.iter().filter_map(offset).collect()
}

/// The kernel's function that searches a text.
fn strstr() -> Option<u32> {
    Some(kernel_types()?.find_function("bpf_strstr")?.0)
}

/// What lets programs read the kernel's memory by plain loads.
fn read_only_cast(arch: Arch) -> Option<ReadOnlyCast> {
    // Kernels for arm64 did not keep such loads from the memory of the process at first; those that do have this too.
    if arch == Arch::Aarch64 {
        Feature::MayGoto.check().ok()?;
    }
    let (function, structure) = probe::read_only_cast().ok()?;
    Some(ReadOnlyCast { function, structure })
}

/// The members of kernel structures that a program names and the verifier lets it load.
fn members(program: &Program) -> Members {
    let mut members = Members::new();
    let Some(btf) = kernel_types() else { return members };
    let mut structures: HashMap<String, Option<TypeId>> = HashMap::new();
    let mut note = |e: &Expr, attach: &Attach| {
        let ExprKind::Load { addr, space: AddrSpace::Kernel } = &e.kind else { return };
        let Some(member) = addr.member_of(&e.ty, attach) else { return };
        let name = member.structure;
        let id = *structures.entry(name.to_owned()).or_insert_with(|| btf.find_struct(name));
        let leads = match id.and_then(|id| btf.loaded(id, member.offset, member.size)) {
            Some(Loaded::Number) => Leads::Number,
            Some(Loaded::Pointer) => Leads::Pointer,
            None => return,
        };
        members.insert(member.key(), leads);
    };
    for probe in &program.probes {
        visit_exprs((probe.predicate.as_ref(), &probe.body), &mut |e| note(e, &probe.attach));
    }
    for function in &program.subprograms {
        // Functions of the script have no arguments of a probe.
        visit_exprs((None, &function.body), &mut |e| note(e, &Attach::Begin));
    }
    members
}

/// Whether a program reads numbers from the kernel's memory.
fn reads_kernel(program: &Program) -> bool {
    let reads = |e: &Expr| {
        matches!(e.kind, ExprKind::Load { space: AddrSpace::Kernel, .. } | ExprKind::Apply(Fun::Task(_), _))
    };
    let words = |attach: &Attach| matches!(attach, Attach::Fentry { .. } | Attach::Iter(_));
    program.go_program.is_some()
        || unwinds(program)
        || program.probes.iter().any(|probe| words(&probe.attach))
        || program.code().any(|code| any_expr(code, &reads))
}

fn searches_texts(program: &Program) -> bool {
    let search = |e: &Expr| matches!(e.kind, ExprKind::Apply(Fun::Find | Fun::Contains, _));
    program.code().any(|code| any_expr(code, &search))
}

/// The kernel's type information, where it has some.
fn kernel_types() -> Option<Btf> {
    Feature::Btf.check().ok()?;
    Btf::vmlinux().ok()
}

/// The form of loops that this kernel takes.
fn loops(program: &Program) -> Loops {
    let mut found = false;
    for (_, block) in program.code() {
        visit_all(block, &mut |stmt| found |= matches!(stmt.kind, StmtKind::Loop { .. }));
    }
    match found || unwinds(program) || walks_go_maps(program) {
        true if Feature::MayGoto.check().is_ok() => Loops::MayGoto,
        true if Feature::CallLoop.check().is_ok() => Loops::Callback,
        _ => Loops::Plain,
    }
}

fn walks(program: &Program) -> bool {
    program.probes.iter().any(|p| matches!(&p.attach, Attach::Iter(iter) if iter.of_threads()))
}

/// Whether entries of maps of a Go program are looked for or copied.
fn walks_go_maps(program: &Program) -> bool {
    let walks = |e: &Expr| match (&e.kind, &e.ty) {
        (ExprKind::Apply(Fun::GoMapEntry(_), _), _) => true,
        (_, Type::GoCopy(copy)) => copy.nodes.iter().any(|node| matches!(node.kind, gocopy::Kind::Map(_))),
        _ => false,
    };
    program.code().any(|code| any_expr(code, &walks))
}

fn counts_maps(program: &Program) -> bool {
    program.code().any(|code| any_expr(code, &|e| matches!(e.kind, ExprKind::MapLen(_))))
}

/// Device and inode of our pid namespace, unless it is the initial one, whose ids the kernel tells anyway.
fn pid_namespace() -> Option<(u64, u64)> {
    let namespace = std::fs::metadata("/proc/self/ns/pid").ok()?;
    (namespace.st_ino() != INITIAL_PID_NAMESPACE).then(|| (namespace.st_dev(), namespace.st_ino()))
}

/// Whether some program looks for the goroutine where no register has it.
fn needs_goroutine_from_tls(program: &Program) -> bool {
    if program.go_program.is_some() {
        return true;
    }
    program.probes.iter().any(|probe| {
        let Attach::Uprobe { class, .. } = &probe.attach else { return false };
        class.goroutine.is_some_and(|g| !g.in_register)
            && any_expr((probe.predicate.as_ref(), &probe.body), &|e| {
                matches!(e.kind, ExprKind::Builtin(Builtin::Goid | Builtin::CallId | Builtin::CurrentG))
            })
    })
}

/// Whether some program that is not in Go code wants the registers of Go code: for the goroutine or for a stack.
fn needs_registers_of_threads(program: &Program) -> bool {
    let in_go = |go: &lang::env::GoProgram| go.goroutine.tls_offset.is_none() || walks_go_stacks(program);
    unwinds(program) || program.go_program.as_ref().is_some_and(in_go)
}

/// Whether some program that is not in Go code takes user stacks.
fn walks_go_stacks(program: &Program) -> bool {
    let is_stack = |e: &Expr| matches!(e.ty, Type::Stack { kind: StackKind::User, .. });
    let in_function = program.subprograms.iter().any(|sub| any_expr((None, &sub.body), &is_stack));
    let mut outside = program.probes.iter().filter(|probe| !matches!(probe.attach, Attach::Uprobe { .. }));
    outside.any(|probe| in_function || any_expr((probe.predicate.as_ref(), &probe.body), &is_stack))
}

/// Whether some program walks stacks by unwinding tables.
#[must_use]
pub fn unwinds(program: &Program) -> bool {
    program.code().any(|code| any_expr(code, &|e| matches!(e.kind, ExprKind::Builtin(Builtin::DwarfStack))))
}

fn reads_aggregations(program: &Program) -> bool {
    let is_agg = |e: &Expr| match e.kind {
        ExprKind::MapGet { map, .. } => {
            matches!(program.maps[map.0 as usize].value, lang::hir::MapValue::Agg(_))
        }
        _ => false,
    };
    let mut loops = false;
    for (_, block) in program.code() {
        visit_all(block, &mut |stmt| {
            loops |= matches!(&stmt.kind, StmtKind::Loop { kind: LoopKind::Map { map, .. }, .. }
                if matches!(program.maps[map.0 as usize].value, lang::hir::MapValue::Agg(_)));
        });
    }
    loops || program.code().any(|code| any_expr(code, &is_agg))
}

/// Whether a predicate or a block has an expression that satisfies `wanted`.
fn any_expr(code: (Option<&Expr>, &[Stmt]), wanted: &dyn Fn(&Expr) -> bool) -> bool {
    let mut found = false;
    visit_exprs(code, &mut |e| found |= wanted(e));
    found
}

/// Calls `f` with every expression of a predicate and a block.
fn visit_exprs(code: (Option<&Expr>, &[Stmt]), f: &mut dyn FnMut(&Expr)) {
    let mut look = |e: &Expr| e.visit(&mut |e| f(e));
    let (predicate, block) = code;
    predicate.into_iter().for_each(&mut look);
    visit_all(block, &mut |stmt| stmt.exprs().into_iter().for_each(&mut look));
}
