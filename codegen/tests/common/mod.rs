//! Scripts, and the machine that they are checked against: a table in place of binaries and a kernel. The tests of the
//! crate make snapshots of what becomes of the scripts; the end-to-end tests load the same scripts into the kernel.

use lang::arch::Arch;
use lang::env::{
    Abi, CodeStart, Env, EnvError, Goroutine, Match, NamedSite, SignatureOf, Stop, SymbolAddress, Tracepoint,
    UprobeClass, UprobeMatch,
};
use lang::hir::Program;
use lang::probe::{AttachKind, AttachPoint, UprobeSpec};
use lang::types::{AddrSpace, Field, FieldForm, Struct, StructKind, Type};

/// A Go program with three functions (`./go`), the same of an older release (`./go115`), a C library (`libc`), and a
/// tracepoint.
pub struct Table;

const GOROUTINE: Goroutine = Goroutine {
    release: 27,
    in_register: true,
    tls_offset: Some(-8),
    goid: 152,
    m: 48,
    curg: 192,
    stack_hi: 8,
};

fn tracepoint() -> Tracepoint {
    let field = |name: &str, offset, ty, data_loc| Field {
        form: if data_loc { FieldForm::DataLoc } else { FieldForm::Plain },
        ..Field::new(name, offset, ty)
    };
    let char = Type::Int { bits: 8, signed: true };
    let text = Type::Ptr { to: Box::new(char.clone()), space: AddrSpace::User };
    Tracepoint {
        category: "sched".into(),
        name: "sched_wakeup".into(),
        args: Struct {
            size: 64,
            align: 8,
            fields: vec![
                field("comm", 8, Type::Array(Box::new(char), 16), false),
                field("pid", 24, Type::I32, false),
                field("prio", 28, Type::I32, false),
                field("filename", 32, text, false),
                field("target", 40, Type::Str(0), true),
            ],
            ..Struct::named(StructKind::Struct, "args")
        },
    }
}

impl Env for Table {
    fn arch(&self) -> Arch {
        Arch::X86_64
    }

    fn resolve(&self, point: &AttachPoint) -> Result<Vec<Match>, EnvError> {
        let AttachKind::Uprobe { binary, target, ret } = &point.kind else {
            return Ok(vec![Match::Tracepoint(tracepoint())]);
        };
        let (abi, goroutine, entry, names): (_, _, _, &[&str]) = match binary.as_str() {
            "./go" | "./returning" => {
                (Abi::GoRegisters, Some(GOROUTINE), Stop::EntryAtStackCheck, &["main.f", "main.g", "main.h"])
            }
            "./go115" => (
                Abi::GoStack,
                Some(Goroutine { in_register: false, ..GOROUTINE }),
                Stop::Entry,
                &["main.f", "main.g", "main.h"],
            ),
            _ => (Abi::C, None, Stop::Entry, &["malloc", "free"]),
        };
        let stop = match (ret, abi, target) {
            (true, Abi::C, _) => Stop::KernelReturn,
            (true, ..) => Stop::ReturnInsn,
            (false, _, UprobeSpec::Function(_) | UprobeSpec::Demangled(_)) => entry,
            (false, ..) => Stop::Inside,
        };
        let pattern = match target {
            UprobeSpec::Function(f) | UprobeSpec::Demangled(f) | UprobeSpec::Offset(f, _) => f.as_str(),
            UprobeSpec::Address(_) | UprobeSpec::Line { .. } => "*",
        };
        let matches = |name: &str| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        let sites = names.iter().enumerate().filter(|(_, name)| matches(name));
        let site = |(n, name): (usize, &&str)| NamedSite {
            function: (*name).into(),
            offset: 0x1000 * (n as u64 + 1),
            semaphore: 0,
        };
        Ok(vec![Match::Uprobe(UprobeMatch {
            binary: binary.clone(),
            path: format!("/srv/{}", binary.trim_start_matches("./")),
            class: UprobeClass {
                words: lang::env::ArgumentWords::InOrder,
                abi,
                stop,
                goroutine,
                signature: SignatureOf::NotAsked,
                result_offset: (abi == Abi::GoStack).then_some(24),
                usdt: None,
                own_return: (binary == "./returning").then_some(CodeStart(0x800)),
            },
            sites: sites.map(site).collect(),
            warnings: Vec::new(),
        })])
    }

    fn symbol_address(&self, _: &str, _: &str) -> Result<SymbolAddress, EnvError> {
        Ok(SymbolAddress::FromCodeBase(0x4000))
    }

    fn child(&self) -> Option<u32> {
        None
    }

    fn params(&self) -> &[String] {
        &[]
    }
}

/// The typed program of a script.
///
/// # Panics
/// With its problems, if it has some.
pub fn program(source: &str) -> Program {
    let (script, problems) = lang::parse("t.gt", source);
    assert!(!problems.has_errors(), "{}", problems.render("t.gt", source, false));
    let (config, problems) = lang::config::from_script(&script, &[]);
    assert!(!problems.has_errors(), "{}", problems.render("t.gt", source, false));
    match lang::check(&script, &Table, &config) {
        Ok((program, _)) => program,
        Err(problems) => panic!("{}", problems.render("t.gt", source, false)),
    }
}

/// The scripts: a name and the text.
pub const SCRIPTS: &[(&str, &str)] = &[
    // What most scripts do.
    ("count", "uprobe:libc:malloc { @ = count(); @by[pid, comm] = count(); }"),
    ("printf", r#"tracepoint:sched:sched_wakeup /pid == 7/ { printf("%s %d %d\n", comm, tid, args.prio); }"#),
    // Who traces is woken for names of a process that may end soon, and for the end.
    ("waking", "interval:s:1 { print(usym(4096)); print(1); exit(); }"),
    ("latency", "uprobe:./go:main.f { @start[callid] = nsecs; }
uretprobe:./go:main.f /@start[callid]/ { @us = hist((nsecs - @start[callid]) / 1000); delete(@start, callid); }"),
    // Sites: the flags at a Go stack check, arguments on the stack, several functions told apart by the cookie.
    ("go_stack_check", "uprobe:./go:main.f { @[goid] = sum(sarg0); }"),
    ("go_on_the_stack", "uprobe:./go115:main.f { @a = sarg1; @g = goid; } uretprobe:./go115:main.f { @r = retval; }"),
    ("many_functions", "uprobe:./go:main.* { @[func] = count(); } uretprobe:./go:main.* { @r[func, probe] = max(retval); }"),
    // Programs at return instructions that do them.
    ("own_return", "uretprobe:./returning:main.* /retval > 4/ { if (retval < 9) { return; } @[ustack] = count(); }"),
    // Common subexpressions: one call of get_current_pid_tgid before a branch serves both sides.
    ("common_calls", "uprobe:libc:malloc { if (pid > 1) { @[tid] = arg0 + arg1; } else { @[tid] = arg0 - (arg0 + arg1); } @n[pid, tid] = 1; }"),
    // Nothing of this but the store is left.
    ("dead_code", "uprobe:libc:malloc { $a = arg0 * 3; $b = nsecs; $c = *(uint64 *)arg1; $d = $a; @x = arg2; }"),
    ("conditions", "uprobe:libc:malloc /arg0 > 4 && (arg1 == 0 || !arg2)/ { if (arg0 < 9) { return; } @x = arg3 ? 1 : 2; }"),
    ("spills", "uprobe:libc:malloc { $a = arg0 + 1; $b = arg1 + 2; $c = arg2 + 3; $d = arg3 + 4; $e = arg4 + 5; $f = arg5 + 6;
 @n[1] = 1; @n[$a] = $b; @n[$c] = $d; @n[$e] = $f; @n[$f] = $a; @n[$b] = $c; @n[$d] = $e; }"),
    ("division", "uprobe:libc:malloc { @a = arg0 / 10; @b = (int64)arg0 / 10; @c = (int64)arg0 / (int64)arg1; @d = arg0 % arg1; }"),
    ("narrow_integers", "uprobe:libc:malloc { $x = (int8)arg0; $x++; @x = $x; @k[(int16)arg1, (uint32)arg2] = (uint8)arg3; }"),
    ("histograms", "uprobe:libc:malloc { @h = hist(arg0); @f[cpu] = hist(arg0, 2); @l = lhist(arg0, -10, 1000, 50); }"),
    ("aggregations", "uprobe:libc:malloc { @min = min(arg0); @max = max((int32)arg0); @avg = avg(arg0); @stats[arg1] = stats(arg0); }"),
    ("read_aggregations", "interval:s:1 { @c = count(); if (@c > 10 && @m > -3) { print(@a); } @m = max((int64)cpu); @a = avg(1); delete(@c); }"),
    ("maps", r#"uprobe:libc:malloc { @plain[arg0] = arg1; @plain[arg1] += 3; @plain[3]--; $x = @plain[arg0]++; if (has_key(@plain, $x)) { delete(@plain, $x); }
 @text[comm] = "a text"; @n++; }"#),
    // Records: built in place; arguments with effects before there is room for them.
    ("early_effects", r#"uprobe:libc:malloc { printf("%d %d %s\n", @n, @n++, comm); }"#),
    ("strings", r#"uprobe:libc:malloc { $s = str(arg0); if ($s == "a text" || comm != $s) { print(($s, 1)); } @[str(arg1, arg2)] = 1; }"#),
    ("gostr_and_buf", r#"uprobe:./go:main.f { printf("%s %r\n", gostr(sarg0, sarg1), buf(sarg0, sarg1)); $g = gostr(sarg2, sarg3); @[$g] = count(); }"#),
    ("stacks", "profile:hz:99 { @[ustack, kstack(3)] = count(); @n = len(ustack); }"),
    ("tracepoint_data", r#"tracepoint:sched:sched_wakeup { printf("%s %s %s\n", args.comm, str(args.filename), args.target); @[args.pid] = args.target == "migration"; }"#),
    ("tuples", r#"uprobe:libc:malloc { $t = (1, (comm, (int8)arg0), arg1); @[$t] = $t.1; if (@x == (2, "b")) { @x = ((int64)arg0, $t.1.0); } print($t.1); }"#),
    ("structures", "struct P { int x; char name[12]; struct P *next; } uprobe:libc:malloc { $p = (struct P *)arg0; @[$p->next->name] = $p->x; @s = *$p; }"),
    ("len", "begin { @[1] = 1; print(len(@)); }"),
    // Everything is larger than the stack; the block of scratch memory is claimed after the predicate.
    ("scratch", "config = { max_strlen = 256 } uprobe:libc:malloc /arg0/ { $a = str(arg0); $b = str(arg1); if ($a == $b) { @[$a, $b] = ustack(20); } }"),
    // Offsets that need more than 16 bits.
    ("far", r#"config = { max_strlen = 40000 } begin { printf("%s %d", str(0), 1); $a = str(1); $b = "b"; $b = str(2); print(($a, $b, 1)); print($b == "c"); }"#),
    ("addresses", r#"uprobe:libc:malloc { @[usym(arg0), ksym(1), uaddr("counter")] = reg("ip"); print(strftime("%H", nsecs)); @e = elapsed; }"#),
    ("unroll", "begin { $i = 0; unroll (3) { @[$i] = $i * $i; $i++; } exit(3); }"),
];
