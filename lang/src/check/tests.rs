//! Tests of the checker: scripts against a table of probes, what they become and what is wrong with them.

use crate::arch::Arch;
use crate::config::Config;
use crate::env::{
    Abi, DynamicType, Env, EnvError, FileIdentity, GoProgram, Goroutine, KernelFunction, KernelParam,
    KernelPlace, Match, NamedSite, Param, ParamPlace, PerCpu, Piece, ProgramOf, Signature, SignatureOf, Stop,
    SymbolAddress, Tracepoint, TypesFrom, UprobeClass, UprobeMatch,
};
use crate::gomap::{GoMap, GoMapColumn, GoMapForm, GoMapLayout};
use crate::probe::{AttachKind, AttachPoint, KprobeSpec, UprobeSpec};
use crate::types::{AddrSpace, Enum, Field, FieldForm, GoType, Struct, StructKind, Type};
use std::sync::Arc;

/// A machine with two Go programs, a C library and two tracepoints.
pub(crate) struct TestEnv {
    pub params: Vec<String>,
    pub child: Option<u32>,
}

impl TestEnv {
    pub fn new() -> TestEnv {
        TestEnv { params: vec!["42".into(), "hello".into()], child: Some(4242) }
    }
}

const GOROUTINE: Goroutine = Goroutine {
    release: 27,
    in_register: false,
    tls_offset: Some(-8),
    goid: 152,
    m: 48,
    curg: 192,
    stack_hi: 8,
};

const WEB: &[&str] =
    &["main.handler", "main.prepareAnswer", "main.checkSite.func1", "net/http.(*conn).serve"];
const LIBC: &[&str] = &["malloc", "free", "read"];

fn tracepoints() -> Vec<Tracepoint> {
    let field = |name: &str, offset, ty, data_loc| Field {
        form: if data_loc { FieldForm::DataLoc } else { FieldForm::Plain },
        ..Field::new(name, offset, ty)
    };
    let char_ptr = Type::Ptr { to: Box::new(Type::Int { bits: 8, signed: true }), space: AddrSpace::Kernel };
    let record = |fields| Struct { size: 64, align: 8, fields, ..Struct::named(StructKind::Struct, "args") };
    let argv = Type::Ptr { to: Box::new(char_ptr.clone()), space: AddrSpace::Kernel };
    vec![
        Tracepoint {
            category: "syscalls".into(),
            name: "sys_enter_openat".into(),
            args: record(vec![
                field("dfd", 16, Type::I64, false),
                field("filename", 24, char_ptr.clone(), false),
                field("flags", 32, Type::I32, false),
                field("argv", 40, argv, false),
            ]),
        },
        Tracepoint {
            category: "sched".into(),
            name: "sched_process_exec".into(),
            args: record(vec![
                field("filename", 8, Type::Str(0), true),
                field("pid", 12, Type::I32, false),
                field("old_comm", 16, Type::Array(Box::new(Type::Int { bits: 8, signed: true }), 16), false),
                field("ips", 32, Type::Array(Box::new(Type::U32), 4), false),
                field("func", 48, Type::Ptr { to: Box::new(Type::Void), space: AddrSpace::User }, false),
                field("task", 56, char_ptr, false),
            ]),
        },
    ]
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        Some((start, end)) => {
            name.starts_with(start) && name.ends_with(end) && name.len() >= start.len() + end.len()
        }
        None => pattern == name,
    }
}

/// `func(w http.ResponseWriter, req *http.Request, name string, n int32, ok bool, at Point, f float64, xs []int, m map[string]int,
/// body []byte) (n int, _ string, err error)`: in registers as far as they go, else on the stack.
/// `map[string]int` of Go 1.24.
fn counts() -> GoMap {
    let column = |size, offset| GoMapColumn { size, offset, stride: 24, indirect: false };
    let layout =
        GoMapLayout { form: GoMapForm::Groups, size: 200, keys: column(16, 8), elements: column(8, 24) };
    GoMap { key: Type::Go(GoType::Str), element: Type::I64, layout }
}

fn signature(abi: Abi) -> Signature {
    let pointer = |ty| Type::Ptr { to: Box::new(ty), space: AddrSpace::User };
    let go = Type::Go;
    let params = [
        ("w", go(GoType::Interface { methods: true })),
        ("req", pointer(named("net/http.Request", 264))),
        ("name", go(GoType::Str)),
        ("n", Type::I32),
        ("ok", Type::Bool),
        ("at", named("main.Point", 8)),
        ("f", Type::Float(64)),
        ("xs", go(GoType::Slice(Box::new(Type::I64)))),
        ("m", go(GoType::Map(Arc::new(counts())))),
        ("body", go(GoType::Slice(Box::new(Type::Int { bits: 8, signed: false })))),
        ("b", go(GoType::Slice(Box::new(Type::Int { bits: 8, signed: false })))),
    ];
    let place = |offset: u32, ty: &Type| match (abi, ty) {
        (Abi::GoRegisters, Type::Float(_)) => {
            ParamPlace::Registers(vec![Piece { register: None, offset: 0, size: 8, shift: 0 }])
        }
        (Abi::GoRegisters, Type::Struct(_)) => {
            let piece = |register, offset| Piece { register: Some(register), offset, size: 4, shift: 0 };
            ParamPlace::Registers(vec![piece(5, 0), piece(10, 4)])
        }
        (Abi::GoRegisters, ty) if offset < 64 => {
            let words = ty.size().div_ceil(8);
            let piece = |n| Piece {
                register: Some((offset / 8 + n) as u8),
                offset: 8 * n,
                size: ty.size().min(8),
                shift: 0,
            };
            ParamPlace::Registers((0..words).map(piece).collect())
        }
        _ => ParamPlace::Stack(8 + offset),
    };
    let mut at = 0;
    let params = params.into_iter().map(|(name, ty)| {
        let param = Param { name: name.into(), place: place(at, &ty), ty };
        at += param.ty.size().next_multiple_of(8);
        param
    });
    let params = params.collect();
    let results = vec![
        Param { name: "n".into(), ty: Type::I64, place: place(0, &Type::I64) },
        Param { name: String::new(), ty: go(GoType::Str), place: place(8, &go(GoType::Str)) },
        Param {
            name: "err".into(),
            ty: go(GoType::Interface { methods: true }),
            place: place(24, &go(GoType::Interface { methods: true })),
        },
    ];
    Signature { params, results, types_from: TypesFrom::DebugInfo }
}

/// A Go structure without its members.
fn named(name: &str, size: u32) -> Type {
    Type::Struct(Arc::new(Struct { size, align: 8, ..Struct::named(StructKind::Struct, name) }))
}

/// The type of `g.waitreason`, as a program with two reasons has it.
fn wait_reason() -> Enum {
    let variants = vec![(String::new(), 0), ("GC assist marking".into(), 1)];
    Enum { name: "runtime.waitReason".into(), bits: 8, signed: false, variants }
}

/// `int name(struct task_struct *task, int how, bool now)`
fn kernel_function(name: &str) -> KernelFunction {
    let task = Type::Ptr { to: Box::new(named("task_struct", 0)), space: AddrSpace::Kernel };
    let params = [("task", task), ("how", Type::I32), ("now", Type::Bool)];
    let param = |(n, (name, ty)): (usize, (&str, Type))| KernelParam { name: name.into(), ty, word: n as u8 };
    KernelFunction {
        name: name.into(),
        module: None,
        program: None,
        btf_id: 7,
        params: Some(params.into_iter().enumerate().map(param).collect()),
        result: Some(Type::I32),
    }
}

impl Env for TestEnv {
    fn kernel_struct(&self, name: &str) -> Option<Struct> {
        let field = |name: &str, offset, ty| Field::new(name, offset, ty);
        let pointer = |name| Type::Ptr { to: Box::new(named(name, 0)), space: AddrSpace::Kernel };
        let char_array = Type::Array(Box::new(Type::Int { bits: 8, signed: true }), 16);
        let fields = match name {
            "task_struct" => vec![
                field("pid", 0, Type::I32),
                field("prio", 8, Type::I32),
                field("mm", 16, pointer("mm_struct")),
                field("comm", 24, char_array),
                field("se", 40, named("sched_entity", 16)),
            ],
            "pt_regs" => {
                vec![field("di", 112, Type::U64), field("ip", 128, Type::U64), field("sp", 152, Type::U64)]
            }
            "rq" => vec![field("nr_running", 4, Type::U32)],
            "sk_buff" => {
                vec![
                    field("len", 112, Type::U32),
                    field("data_len", 116, Type::U32),
                    field("data", 200, Type::U64),
                ]
            }
            "path" => vec![field("mnt", 0, pointer("vfsmount"))],
            "file" => vec![field("f_path", 64, named("path", 16))],
            "bpf_perf_event_data" => {
                vec![field("regs", 0, named("pt_regs", 168)), field("sample_period", 168, Type::U64)]
            }
            "mm_struct" => vec![field("total_vm", 64, Type::U64)],
            "sched_entity" => vec![field("exec_start", 8, Type::U64)],
            _ => return None,
        };
        Some(Struct { name: name.into(), size: 128, align: 8, fields, kind: StructKind::Struct })
    }

    fn kernel_typedef(&self, name: &str) -> Option<Type> {
        (name == "pid_t").then_some(Type::I32)
    }

    fn go_struct(&self, _binary: &str, name: &str) -> Option<Struct> {
        let field = |name: &str, offset, ty| Field::new(name, offset, ty);
        let pointer = |ty| Type::Ptr { to: Box::new(ty), space: AddrSpace::User };
        let fields = match name {
            "net/http.Request" => vec![
                field("Method", 0, Type::Go(GoType::Str)),
                field("URL", 16, pointer(named("net/url.URL", 120))),
            ],
            "net/url.URL" => {
                vec![field("Scheme", 0, Type::Go(GoType::Str)), field("Path", 56, Type::Go(GoType::Str))]
            }
            "runtime.g" => vec![
                field("goid", 152, Type::U64),
                field("startpc", 304, Type::U64),
                field("waitreason", 176, Type::Enum(Arc::new(wait_reason()))),
            ],
            "main.Point" => vec![field("X", 0, Type::I32), field("Y", 4, Type::I32)],
            "net/http.response" => vec![field("status", 120, Type::I64)],
            _ => return None,
        };
        Some(Struct { size: 264, align: 8, fields, ..Struct::named(StructKind::Struct, name) })
    }

    fn go_dynamic_types(&self, _binary: &str, name: &str) -> Vec<DynamicType> {
        let dynamic = |name: &str, address, pointee| DynamicType {
            address: SymbolAddress::Fixed(address),
            name: name.into(),
            pointee,
        };
        match name {
            "*http.response" => {
                vec![dynamic("*net/http.response", 0x1000, Some(named("net/http.response", 264)))]
            }
            "main.Twin" => {
                vec![
                    dynamic("a/main.Twin", 0x2000, Some(Type::I64)),
                    dynamic("b/main.Twin", 0x3000, Some(Type::I64)),
                ]
            }
            "map[string]int" => vec![dynamic(name, 0x4000, None)],
            _ => Vec::new(),
        }
    }

    fn kernel_symbol(&self, name: &str) -> Result<u64, EnvError> {
        match name {
            "do_exit" => Ok(0xffff_ffff_8100_0000),
            _ => {
                Err(EnvError { message: format!("the kernel has no symbol `{name}`"), ..EnvError::default() })
            }
        }
    }

    fn cgroup_id(&self, path: &str) -> Result<u64, EnvError> {
        match path {
            "/sys/fs/cgroup" => Ok(1),
            _ => Err(EnvError { message: format!("`{path}` is no control group"), ..EnvError::default() }),
        }
    }

    fn arch(&self) -> Arch {
        Arch::X86_64
    }

    fn resolve(&self, point: &AttachPoint) -> Result<Vec<Match>, EnvError> {
        match &point.kind {
            AttachKind::Tracepoint { category, event } => {
                let all = tracepoints().into_iter();
                let found: Vec<Match> = all
                    .filter(|t| matches(category, &t.category) && matches(event, &t.name))
                    .map(Match::Tracepoint)
                    .collect();
                if found.is_empty() {
                    return Err(EnvError {
                        message: format!("no tracepoint matches \"{category}:{event}\""),
                        ..EnvError::default()
                    });
                }
                Ok(found)
            }
            AttachKind::Uprobe { binary, target, ret } => {
                let go = Goroutine { in_register: true, ..GOROUTINE };
                let (names, abi, goroutine) = match binary.as_str() {
                    "./web" | "./web2" => (WEB, Abi::GoRegisters, Some(go)),
                    "./web115" => {
                        (WEB, Abi::GoStack, Some(Goroutine { release: 15, in_register: false, ..go }))
                    }
                    "libc" => (LIBC, Abi::C, None),
                    _ => {
                        return Err(EnvError {
                            message: format!("no such file: {binary}"),
                            ..EnvError::default()
                        });
                    }
                };
                let (pattern, stop) = match target {
                    UprobeSpec::Function(f) | UprobeSpec::Demangled(f) => (f.as_str(), Stop::Entry),
                    UprobeSpec::Offset(f, _) => (f.as_str(), Stop::Inside),
                    UprobeSpec::Address(_) | UprobeSpec::Line { .. } => ("*", Stop::Inside),
                };
                let stop = match (ret, abi) {
                    (true, Abi::C) => Stop::KernelReturn,
                    (true, _) => Stop::ReturnInsn,
                    _ => stop,
                };
                let sites: Vec<NamedSite> = names
                    .iter()
                    .enumerate()
                    .filter(|(_, n)| matches(pattern, n))
                    .map(|(i, n)| NamedSite {
                        function: (*n).into(),
                        offset: 0x1000 + 16 * i as u64,
                        semaphore: 0,
                    })
                    .collect();
                if sites.is_empty() {
                    return Err(EnvError {
                        message: format!("no function of {binary} matches \"{pattern}\""),
                        similar: vec!["main.prepareAnswer".into()],
                        ..EnvError::default()
                    });
                }
                let wanted = if *ret { point.wants.result } else { point.wants.args };
                let signature = match (wanted, binary.as_str()) {
                    (false, _) | (_, "libc") => SignatureOf::NotAsked,
                    (true, "./web2") => SignatureOf::Unknown("./web2 has no debug information".into()),
                    (true, _) => SignatureOf::Known(Arc::new(signature(abi))),
                };
                Ok(vec![Match::Uprobe(UprobeMatch {
                    binary: binary.clone(),
                    path: format!("/srv/{}", binary.trim_start_matches("./")),
                    class: UprobeClass {
                        abi,
                        stop,
                        goroutine,
                        signature,
                        result_offset: None,
                        usdt: None,
                        own_return: None,
                        words: crate::env::ArgumentWords::InOrder,
                    },
                    sites,
                    warnings: Vec::new(),
                })])
            }
            AttachKind::RawTracepoint { event, .. } => Ok(vec![Match::RawTracepoint(kernel_function(event))]),
            AttachKind::Iter { object, .. } => Ok(vec![Match::Iter(kernel_function(object))]),
            AttachKind::Fentry { function, .. } => Ok(vec![Match::Fentry(kernel_function(function))]),
            AttachKind::Kprobe { target: KprobeSpec::Function(function), .. } => {
                let place = |name: &str| KernelPlace {
                    function: name.into(),
                    module: None,
                    offset: 0,
                    address: 0x1000,
                };
                Ok(vec![Match::Kprobe(vec![place(function), place("vfs_readv")])])
            }
            _ => panic!("begin, end and timers are not looked up"),
        }
    }

    fn symbol_address(&self, _binary: &str, symbol: &str) -> Result<SymbolAddress, EnvError> {
        match symbol {
            "main.counter" | "main.answered" => Ok(SymbolAddress::Fixed(0x55_0000)),
            "main.pie" => Ok(SymbolAddress::FromCodeBase(0x1000)),
            _ => Err(EnvError {
                message: format!("no symbol \"{symbol}\""),
                similar: vec!["main.counter".into()],
                ..EnvError::default()
            }),
        }
    }

    fn go_program(&self, which: ProgramOf<'_>) -> Result<GoProgram, EnvError> {
        match which {
            ProgramOf::Binary("./web") => Ok(GoProgram {
                binary: "./web".into(),
                file: FileIdentity { device: 0x80_0001, inode: 1234 },
                goroutine: GOROUTINE,
            }),
            _ => Err(EnvError { message: "`/bin/sh` is no Go program".into(), ..EnvError::default() }),
        }
    }

    fn child(&self) -> Option<u32> {
        self.child
    }

    fn params(&self) -> &[String] {
        &self.params
    }
}

/// What a script becomes, and its warnings; or its errors.
pub(crate) fn outcome(source: &str) -> String {
    outcome_in(&TestEnv::new(), source)
}

fn outcome_in(env: &TestEnv, source: &str) -> String {
    let (script, problems) = crate::parse("t.gt", source);
    if problems.has_errors() {
        return problems.render("t.gt", source, false);
    }
    match crate::check(&script, env, &Config::default()) {
        Ok((program, warnings)) => format!("{program}{}", warnings.render("t.gt", source, false)),
        Err(problems) => problems.render("t.gt", source, false),
    }
}

/// Each script with what becomes of it.
pub(crate) fn outcomes(scripts: &[&str]) -> String {
    let one = |s: &&str| format!("--- {s}\n{}", outcome(s));
    scripts.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// The same, of scripts that begin with the same declarations.
pub(crate) fn outcomes_with(declarations: &str, scripts: &[&str]) -> String {
    let whole: Vec<String> = scripts.iter().map(|s| format!("{declarations}{s}")).collect();
    outcomes(&whole.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The same, of bodies of a probe on `main.handler`, a Go function.
pub(crate) fn outcomes_in_handler(declarations: &str, bodies: &[&str]) -> String {
    let scripts: Vec<String> = bodies.iter().map(|b| format!("u:./web:main.handler {{ {b} }}")).collect();
    outcomes_with(declarations, &scripts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Bodies of a probe on `main.handler`, a Go function.
pub(crate) fn bodies(bodies: &[&str]) -> String {
    let scripts: Vec<String> = bodies.iter().map(|b| format!("u:./web:main.handler {{ {b} }}")).collect();
    let one = |(body, script): (&&str, &String)| {
        // The head of the probe is the same everywhere.
        let text = outcome(script);
        let text = text
            .replace("func 0 ./web:main.handler\n", "")
            .replace("probe uprobe:./web:main.handler GoRegisters Entry 1 site", "probe");
        format!("--- {body}\n{text}")
    };
    bodies.iter().zip(&scripts).map(one).collect::<Vec<_>>().join("\n")
}

#[test]
fn spine() {
    assert_text!(outcome(
        r#"uprobe:./web:main.prepareAnswer { printf("%s %d\n", gostr(sarg0,sarg1), sarg2); @c[comm, pid] = count(); @x = hist(arg0); }"#
    ));
}

#[test]
fn latency_in_two_lines() {
    assert_text!(outcome(
        "uprobe:./web:main.* { @start[callid] = nsecs; }
uretprobe:./web:main.* /@start[callid]/ { @us[func] = hist((nsecs - @start[callid]) / 1000); delete(@start, callid); }"
    ));
}

#[test]
fn literals() {
    assert_text!(bodies(&[
        "print((1, 0x7fffffffffffffff, 0x8000000000000000, 1_000, 10ms, true, \"a\\n\"));",
        "print($1); print($2); print($3); print($#); print(str($1)); print(str($2)); print(str($3));",
        "print(-9223372036854775807 - 1); print(-18446744073709551615);",
        "printf($2);",
    ]));
}

#[test]
fn arithmetic() {
    assert_text!(bodies(&[
        "print(arg0 + 1); print(arg0 - 1); print(pid * 2); print(pid - 1); print(-pid); print(~pid);",
        "print((int32)arg0 / 2); print(arg0 / 2); print(arg0 % 10); print(arg0 << 3 >> 1); print((int64)arg0 >> 1);",
        "print(1 + 2 * 3 - 4 / 2 % 2); print(1 | 6 ^ 2 & 3); print(1 << 4 > 3); print((1 == 2) + true);",
        "print(arg0 & 0xff | 1 ^ 2); print(arg0 + 0); print(arg0 * 1);",
        "print(arg0 / (int64)arg1);",
        "print(arg0 / 0);",
        "print(1 << 64);",
        "print(comm + 1);",
        "print(-comm);",
        "print(~(1, 2));",
    ]));
}

#[test]
fn comparisons() {
    assert_text!(bodies(&[
        "print(arg0 > 5); print(pid == 1); print((int64)arg0 < -1); print((int8)arg0 == pid); print(arg0 != 0 && !pid);",
        "print(comm == \"go\"); print(\"a\" == \"b\"); print((pid, comm) == (1, \"x\")); print((1, 2) != (1, 2));",
        "print((uint8 *)arg0 == 0); print(comm == $1); print($2 == comm); print(arg0 && 1); print(arg0 || 1); print(0 && arg0);",
        "print(func == \"main.handler\"); print(\"main.handler\" != func); print(func == \"main.handlr\");",
        "print(probe == \"uprobe:./web:main.handler\");",
        "print(func == comm);",
        "print(comm == 1);",
        "print(comm < \"a\");",
        "print(comm == \"sixteen bytes ...\"); print(comm == \"fifteen bytes ..\");",
        "print((1, 2) == (1, 2, 3));",
        "print(ustack == kstack);",
        "print(arg0 < (int64)arg1);",
        "print(arg0 < 0); print(pid == -1); print(arg0 == -1);",
        "if (comm) { }",
        "if ((1, 2)) { }",
    ]));
}

#[test]
fn names_of_several_functions_and_probes() {
    assert_text!(outcomes(&[
        "u:./web:main.*, u:./web115:main.* /func == \"main.handler\"/ { @[probe] = count(); }",
        "u:./web:main.* { @f = func; } end /@f == \"main.handler\"/ { print(@f); }",
        "begin { @ = probe == \"begin\"; } end { @ = probe == \"begin\"; }",
    ]));
}

#[test]
fn variables() {
    assert_text!(bodies(&[
        "$x = 1; $x = nsecs; print($x);",
        "$x = 0; if (pid > 1) { $x = arg0; } print($x);",
        "let $x; if (pid > 1) { $x = comm; } else { $x = \"a longer string than that\"; } print($x);",
        "let $x : uint8 = 200; $x += 1; print($x); let $p : uint64 *; print($p);",
        "$x = arg0; $x -= 1; $x++; --$x; print($x); $y = pid; $y += 1; print($y); $z = 1; $z <<= arg0; print($z);",
        "$t = (1, \"a\"); $t = (2, \"a longer string\"); print($t.1); print($t[0]);",
        "$x = 1; $y = $x++ + ++$x; print($y);",
        "_ = arg0;",
        "if (pid) { $x = 1; } print($x);",
        "print($x);",
        "$count = 1; print($cuont);",
        "$x = 1; let $x = 2; print($x);",
        "let $x = $x;",
        "$x = 1; $x = \"a\"; print($x);",
        "let $x : uint8 = 256; print($x);",
        "let $x : uint8 = arg0; print($x);",
        "let $x; print($x);",
        "let $x : void;",
        "$x = count();",
        "$x = printf(\"a\");",
        "$x = 1;",
        "let $s; if (pid) { $s = ustack; } print($s);",
        "let $s : string; $s = comm; $s = str(arg0); print($s); print((string)comm); let $b : buffer = buf(arg0, 20); print($b);",
        "$b = buf(arg0, 4); @m = buf(arg0, 8); @m = $b; $c = ustack(3); @n = ustack; @n = $c;",
        "$t = (1, \"a\"); @x = $t; @x = (2, \"longer than eight\"); @y = (1, $t);",
        "join(@p); $y = 1; $y = comm == \"x\" ? 2 : 3; print($y); @p = arg0;",
        "let $s : string[16] = comm; print($s);",
        "let $s : string[16] = str(arg0); print($s);",
        "pid = 1;",
        "x = 1;",
        "$t = (1, 2); $t.0 = 3;",
        "*(uint64 *)arg0 = 1;",
        "1 + 2 = 3;",
        "$p = (uint32 *)arg0; $p++; $q = $p--; print($q);",
        "$x = \"a\"; $x++;",
        "5++;",
    ]));
}

#[test]
fn maps() {
    assert_text!(bodies(&[
        "@ = 1; @x = pid; @x = nsecs; @y[pid] = comm; @y[arg0] = \"a string that is longer\"; print(@y[1]);",
        "@n++; @m[pid]--; @n += arg0; @m[pid] -= 2; @k[1] = @n++ + ++@m[pid]; @u = arg0; @u += 1; @u -= 1; @u *= 2;",
        "@a[1, \"x\"] = 1; @a[pid, \"a longer key\"] = 2; @a[(3, comm)] = 3; print(@a[1, \"x\"]);",
        "@s[ustack(5)] = count(); @s[ustack] = count(); @p = (uint8 *)arg0; @t = (1, \"a\"); print(@t.0);",
        "@x = true; @x = pid; @h = @g; @g = 5;",
        "@[callid] = nsecs; @c[1, callid] = 1; @d[tid] = 1;",
        "@x = 1; @x = \"a\";",
        "@x = 1; @x = count();",
        "@x = count(); @x = sum(1);",
        "@x = count(); @x += 1;",
        "@x = count(); @x++;",
        "@x = hist(1); print(@x + 1);",
        "@x[1] = 1; @x[\"a\"] = 2;",
        "@x[1] = 1; @x[1, 2] = 2;",
        "@x[1] = 1; @x = 2;",
        "@x = 2; @x[1] = 1;",
        "@x[pid] = 1; print(@y[pid]); print(@y); clear(@y);",
        "@start[tid] = 1; print(@strat[tid]);",
        "@x = @x + 1;",
        "@s = \"a\"; @s += 1;",
        "@s = \"a\"; @s++;",
        "@x[()] = 1;",
        "@x = ();",
        "@x = clear(@x);",
    ]));
}

#[test]
fn maps_get_their_types_from_later_probes() {
    assert_text!(outcomes(&[
        "begin { printf(\"%d %s\\n\", @n, @s[1]); } end { @n = nsecs; @s[pid] = \"abc\"; }",
        "begin { @x[1] = 1; } end { @x[nsecs] = nsecs; } i:s:1 { @x[-1] = -1; }",
        "begin { @x = 1; } u:./web:main.handler { @x = arg0; }",
        "begin { @x = 1; } end { @x = comm; }",
    ]));
}

#[test]
fn statements() {
    assert_text!(bodies(&[
        "if (pid == 1) { print(1); } else if (pid == 2) { print(2); } else { print(3); }",
        "if pid { print(1); } if (1) { print(2); } else { print(3); } if (0) { print(4); }",
        "pid > 5 ? print(1) : print(2); pid ? 1 : 2;",
        "unroll (3) { @x++; } unroll ($1 - 41) { $y = 1; print($y); }",
        "{ $x = 1; print($x); } { $x = \"a\"; print($x); } return;",
        "print(pid ? 1 : arg0); print(pid ?: 1); print(pid ? \"a\" : \"a longer string\");",
        "unroll (0) { }",
        "unroll (101) { }",
        "unroll (pid) { }",
        "unroll (100) { unroll (100) { unroll (100) { unroll (100) { } } } }",
        "pid;",
        "arg0 + 1;",
        "return 1;",
        "print(pid ? 1 : \"a\");",
        "print($x++ ?: 1);",
        "count();",
        "print(count());",
        "print(print(1));",
    ]));
}

#[test]
fn casts_and_memory() {
    assert_text!(bodies(&[
        "print((uint8)arg0); print((int8)300); print((bool)arg0); print((uint64 *)arg0); print((int32)-1); print((uint8)true);",
        "print(*arg0); print(*(uint32 *)arg0); print(((uint32 *)arg0)[2]); print(((uint16 *)arg0)[pid]); print(*(int8 *)(arg0 + 8));",
        "$p = (uint32 *)arg0; print($p + 2); print(*($p + 1)); print(2 + $p); print($p - (uint32 *)arg1); print(*$p == 1);",
        "print(**(uint64 **)arg0); print(sizeof(uint32)); print(sizeof(*(uint16 *)arg0)); if ($2 == \"hello\") { print(1); }",
        "print((uint8)comm);",
        "print((string)arg0);",
        "print(*(void *)arg0);",
        "print(((void *)arg0)[1]);",
        "print(*comm);",
        "print(comm[1]);",
        "print(arg0[1]);",
        "print(arg0[1, 2]);",
        "print(((uint64 *)arg0)[comm]);",
        "print((uint64 *)arg0 * 2);",
        "print(&arg0);",
        "print((1, 2).5);",
        "print(pid.0);",
        "print((strunct)arg0);",
        "print(sizeof(struct nope));",
    ]));
}

#[test]
fn structures() {
    let decls = "struct Inner { uint8 a; uint32 b; char name[12]; int16 xs[4]; };
struct Node { struct Node *next; struct Inner in; struct Inner *ptr; bool on; union { uint64 u; struct { uint16 lo, hi; }; }; };
struct Packed { uint8 a; uint64 b; } __attribute__((packed));
enum Color { RED, GREEN = 5, BLUE };
";
    let one = |body: &str| {
        let text = outcome(&format!("{decls}u:./web:main.handler {{ $p = (struct Node *)arg0; {body} }}"));
        let start = text.find("probe uprobe:").unwrap_or(0);
        format!("--- {body}\n{}", &text[start..])
    };
    let text: Vec<String> = [
        "print($p->next->next->in.b); print($p.in.name); print($p->ptr->name); print($p->in.xs[2]); print($p->in.xs[pid]);",
        "print($p->on); print($p->u); print($p->hi); print($p->next); print($p[1].in.a); print((*$p).in.a);",
        "print(sizeof(struct Node)); print(sizeof(struct Inner)); print(sizeof(struct Packed)); print(sizeof($p->in.xs));",
        "print(((struct Packed *)arg1)->b); print($p->in); @s = $p->in; print(RED + BLUE); print((enum Color)arg0);",
        "print($p + 1); if ($p) { print($p->in.xs); }",
        "print($p->nxt);",
        "print($p->zzz);",
        "print($p->on.x);",
        "print(arg0->x);",
        "print(comm.x);",
        "print(((uint8 *)arg0)->x);",
        "print($p->in.xs[4]);",
        "print(((struct Nod *)arg0)->next);",
        "@s = $p->in; print(@s.a);",
        "print(BLU);",
        "print((struct Node)arg0);",
    ]
    .iter()
    .map(|b| one(b))
    .collect();
    assert_text!(text.join("\n"));
}

#[test]
fn declarations_with_errors() {
    assert_text!(outcomes(&[
        "struct T { int x; int x; }; begin { }",
        "struct T { struct T inner; }; begin { }",
        "struct T { nope x; }; begin { }",
        "struct T { void x; }; begin { }",
        "struct T { string x; }; begin { }",
        "struct T { int x[999999999]; }; begin { }",
        "struct T { int x[4294967295][4294967295]; }; begin { }",
        "struct T { int x : 3; }; begin { }",
        "struct T { int x; } struct T { int y; }; begin { }",
        "struct T { int x; } __attribute__((alined)); begin { }",
        "enum E { A = pid }; begin { }",
        "enum E { A, A }; begin { }",
        "struct T { unsigned unsigned x; }; begin { }",
    ]));
}

#[test]
fn process_and_machine() {
    assert_text!(outcomes(&[
        "begin { print((pid, tid, uid, gid, comm, cpu, rand, cpid)); print(pid()); }",
        "begin { print(pid(1)); }",
        "begin { print(pidd); print(PID); print(jiffies); print(printf); print(x); }",
        "begin { $pidd = 1; print(pidd); @cont = 1; print(cont); print($pidd); }",
    ]));
    let env = TestEnv { child: None, ..TestEnv::new() };
    assert_text!(outcome_in(&env, "begin { print(cpid); }"));
}

#[test]
fn time() {
    assert_text!(outcomes(&[
        "begin { print(nsecs); print(nsecs(monotonic)); print(nsecs(tai)); print(elapsed); time(); time(\"%H\\n\"); }",
        "begin { print(strftime(\"%H:%M\", nsecs)); printf(\"%s\", strftime(\"%f\", 5)); @t = strftime(\"%S\", nsecs); }",
        "begin { print(nsecs(wall)); }",
        "begin { time(5); }",
        "begin { print(strftime(comm, nsecs)); }",
        "begin { print(strftime(\"%H\")); }",
        "begin { print(strftime(\"%H\", comm)); }",
        "begin { $x = time(); }",
        "begin { print(strftime(\"%H\", nsecs) == 5); }",
    ]));
}

#[test]
fn sites() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { print((arg0, sarg3, func, probe, reg(\"sp\"), reg(\"rax\"))); }",
        "ur:libc:malloc { print(retval); print(func); }",
        "u:./web:main.handler+4 { print(arg0); }",
        "u:./web:main.handler { print(retval); }",
        "ur:./web:main.handler { print(arg0); print(sarg1); }",
        "begin { print(func); print(arg0); print(reg(\"sp\")); }",
        "u:libc:malloc { print(arg64); }",
        "u:libc:malloc { print(reg(\"foo\")); print(reg(\"spp\")); print(reg(\"x30\")); }",
        "u:libc:malloc { print(usym(caller)); }",
        "ur:./web:main.handler { print(gofunc(caller)); }",
        "u:./web:main.handler+4 { print(caller); }",
        "ur:libc:malloc { print(caller); }",
        "begin { print(caller); }",
        "u:libc:malloc { print(reg(comm)); }",
        "u:libc:malloc { print(reg()); }",
        "u:libc:malloc { print(arg0(1)); }",
    ]));
}

#[test]
fn tracepoint_arguments() {
    assert_text!(outcomes(&[
        "t:syscalls:sys_enter_openat { print(str(args.filename)); print(args->dfd); print(args.flags & 1); join(args.argv); }",
        "t:sched:sched_process_exec { print(args.filename); print(args.old_comm); print(args.ips[2]); print(str(args.task)); print(ksym(args.func)); }",
        "t:*:s* { print(args.filename); }",
        "t:*:s* { print(args.flags); }",
        "t:syscalls:sys_enter_openat { print(args.filenam); }",
        "t:syscalls:sys_enter_openat { print(args.x); }",
        "t:syscalls:sys_enter_openat { print(args); }",
        "t:sched:sched_process_exec { print(args.ips[4]); print(args.ips[pid]); }",
        "begin { print(args.x); }",
        "u:./web:main.handler { print(args.name); }",
        "ur:./web:main.handler { print(args); }",
    ]));
}

#[test]
fn go_maps() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { print(args.m[\"a\"]); @[args.m[args.name]] = count(); print(has_key(args.m, comm)); }",
        "u:./web:main.handler { print(args.m); }",
        "u:./web:main.handler { print(args.m[1]); print(args.m[\"a\", \"b\"]); print(has_key(args.m)); print(args.m.a); }",
        "u:./web:main.handler { print(has_key(args.n, 1)); for ($kv : args.m) { } args.m[\"a\"] = 1; }",
    ]));
}

#[test]
fn go_parameters_and_results() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { print(args.name); @[args.name] = sum(args.n); print(args.2); print(args.ok); }",
        "u:./web115:main.handler { print(args.name); print(args.n); print(args.at.Y); }",
        "u:./web:main.handler { print(args.req.URL.Path); print(args.req->Method == \"GET\"); }",
        "u:./web:main.handler { print(args.at.X); print(args.at.Y); }",
        "u:./web:main.handler { print(args.xs[2]); print(args.xs[args.n]); print(len(args.xs)); print(cap(args.xs)); }",
        "u:./web:main.handler { print(len(args.name)); print(len(args.m)); printf(\"%r\\n\", args.body); }",
        "ur:./web:main.handler { print(retval.n); print(retval.0); print(retval.1); }",
        "ur:./web2:main.handler { print(retval); }",
    ]));
    assert_text!(outcomes(&[
        "u:./web:main.handler { print(args.nam); print(args.11); print(args); }",
        "u:./web:main.handler { print(args.f); print(args.w); print(args.xs); print(args.at); }",
        "u:./web:main.handler { print(args.req.Url); print(args.req.URL.Path.x); print(cap(args.m)); }",
        "ur:./web:main.handler { print(retval); }",
        "ur:./web:main.handler { print(retval.er); print(args.name); }",
        "u:./web2:main.handler { print(args.name); }",
        "u:libc:malloc { print(args.size); }",
        "ur:./web2:main.handler { print(retval.1); }",
    ]));
}

#[test]
fn goroutines() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { @[callid] = goid; }",
        "u:libc:malloc { print(goid); print(callid); }",
        "t:syscalls:sys_enter_openat { print(goid); print(callid); }",
        "i:s:1 { print(goid); }",
        "t:syscalls:sys_enter_openat { @[goid] = count(); } u:./web:main.handler { @h = count(); }",
        "p:hz:9 { @[goid] = count(); } u:./web:main.handler, u:./web2:main.handler { @ = count(); }",
    ]));
}

#[test]
fn go_releases() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { print(goversion); if (goversion < 1_18) { print(1); } }",
        "u:./web115:main.handler { print(goversion < 1_18); }",
        "u:libc:malloc { print(goversion); }",
        "begin { print(goversion); }",
    ]));
}

#[test]
fn result_words() {
    assert_text!(outcomes(&[
        "ur:./web:main.handler { print((retval1, retval12)); }",
        "ur:./web115:main.handler { print(retval1); }",
        "ur:libc:malloc { print(retval1); }",
        "u:./web:main.handler { print(retval1); }",
        "ur:./web:main.handler { print(retval64); }",
    ]));
}

#[test]
fn stacks() {
    assert_text!(outcomes(&[
        "p:hz:99 { @[kstack, ustack(perf), ustack(3), kstack(raw, 10)] = count(); print(len(ustack)); }",
        "p:hz:99 { print(ustack(0)); print(ustack(128)); print(ustack(pid)); print(ustack(prf)); print(ustack(1, perf)); }",
        "p:hz:99 { @s = ustack; @s = ustack(perf); @k = ustack; @k = kstack; }",
        "begin { @s = ustack; print(len(@s)); @i = 1; print(len(@i)); print(len(5)); }",
    ]));
}

#[test]
fn what_interfaces_hold() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { print(goas(args.w, \"*http.response\").status); @[goas(args.w, \"*http.response\") == nil] = count(); }",
        "u:./web:main.handler { print(goas(args.w, \"main.Twin\")); }",
        "u:./web:main.handler { print(goas(args.w, \"map[string]int\")); }",
        "u:./web:main.handler { print(goas(args.w, \"main.None\")); print(goas(args.n, \"main.None\")); print(goas(args.w, comm)); }",
    ]));
}

#[test]
fn memory() {
    assert_text!(outcomes(&[
        "u:libc:malloc { print(str(arg0)); print(str(arg0, 10)); print(str(arg0, arg1)); print(str((char *)arg0)); }",
        "u:./web:main.handler { print(gostr(sarg0, sarg1)); print(gostr(sarg0, 5)); print(gostr(sarg0)); }",
        "u:libc:malloc { printf(\"%r %rx %rh\", buf(arg0, 8), buf(arg0, arg1), buf(arg0)); @b = buf(arg0, 4); @b = buf(arg0, 8); }",
        "u:./web:main.handler { print(str(sarg2)); print(str(arg2)); print(str(sarg2, 9)); print(str(reg(\"ax\"))); }",
        "p:hz:1 { print(str(5)); }",
        "u:libc:malloc { print(str(comm)); print(str(comm, 3)); print(str((1, 2))); print(str(arg0, -1)); print(str(arg0, comm)); }",
        "u:libc:malloc { print(str()); print(gostr()); print(gostr(comm, 1)); print(buf(comm)); }",
    ]));
}

#[test]
fn symbols() {
    assert_text!(outcomes(&[
        "u:./web:main.handler { @[usym(sarg0), ksym(arg0)] = count(); print(*uaddr(\"main.counter\")); print(usym(uaddr(\"main.counter\"))); }",
        "u:./web:main.handler { print(*uaddr(\"main.pie\")); }",
        "u:./web:main.handler, u:./web:net/*, u:./web2:main.handler { print(uaddr(\"main.counter\")); }",
        "u:./web:main.handler { print(usym(comm)); print(ksym()); }",
        "u:./web:main.handler { print(uaddr(\"main.conter\")); print(uaddr(comm)); }",
        "begin { print(uaddr(\"main.counter\")); }",
        "u:./web:main.handler, u:libc:malloc { print(1); }",
        "u:./web:main.handler { print(usym(1) == usym(2)); }",
    ]));
}

#[test]
fn printf() {
    assert_text!(bodies(&[
        r#"printf("plain\n"); printf("%d %u %x %-5d %p %c %s %s %%\n", pid, arg0, arg1, true, arg0, 65, 5, (1, comm));"#,
        r#"printf("%s %s %s %s", ustack, func, probe, nsecs);"#,
        r#"printf("%d\n");"#,
        r#"printf("%d\n", 1, 2);"#,
        r#"printf("%d\n", comm);"#,
        r#"printf("%d %x\n", func, "a");"#,
        r#"printf("%r\n", comm); printf("%rx", arg0);"#,
        r#"printf("%y\n", 1);"#,
        r#"printf("%*s|%-*d\n", pid, comm, 5, 6); printf("%*s\n", comm, 5);"#,
        r#"printf("%*s\n", comm);"#,
        r#"printf("%.*s\n", 1, comm); printf("%.*s", "a", comm);"#,
        r#"printf("100%");"#,
        r#"printf("\n%q", 1);"#,
        "printf(comm);",
        "printf();",
        r#"$x = "a"; printf("%s", $x); printf("%s", nope); printf("%d", alsonope);"#,
    ]));
}

#[test]
fn print_join_exit() {
    assert_text!(bodies(&[
        "@x[1] = 1; @c[pid] = count(); print(@x); print(@x, 5); print(@x, 5, 1000); print(@x[1]); print(@c[pid]); print(comm);",
        "join((uint64)arg0); join(arg0, \",\"); exit(); exit(3); exit(pid); print((1, \"a\"));",
        "@h[1] = hist(1); print(@h[1]);",
        "@x = 1; print(@x[1]);",
        "print(@x, 1);",
        "@x = 1; print(@x, pid); print(@x, -1); print(1, 2);",
        "print();",
        "@x[1] = 1; print(@x[1], 5);",
        "join(comm); join(arg0, 5);",
        "exit(\"a\"); exit(256); exit(1, 2);",
        "prnt(1); system(\"ls\"); nope(1);",
    ]));
}

#[test]
fn map_functions() {
    assert_text!(bodies(&[
        "@x[1] = 1; @s = 1; clear(@x); zero(@x); delete(@x, 1); delete(@x[2]); delete(@s); print(len(@x)); $d = delete(@x, 3); print($d);",
        "@x[1, \"a\"] = 1; if (has_key(@x, (2, \"b\"))) { delete(@x[3, \"c\"]); } print(has_key(@x, (pid, comm)));",
        "clear(@nope);",
        "clear(5); clear(@x[1]);",
        "@x[1] = 1; delete(@x);",
        "@x[1] = 1; delete(@x[1], 2);",
        "@x[1] = 1; delete(@x, \"a\");",
        "@x = 1; print(has_key(@x, 1));",
        "@x[1] = 1; print(has_key(@x[1]));",
        "@x[1] = 1; print(has_key(5, 1));",
        "delete(5);",
        "print(len(pid));",
    ]));
}

#[test]
fn aggregations() {
    assert_text!(bodies(&[
        "@c = count(); @s = sum(arg0); @t = sum((int32)arg0); @m = min(pid); @x = max(1); @a = avg(arg0); @st = stats(arg0);",
        "@h = hist(arg0); @i = hist((int64)arg0, 2); @l = lhist(arg0, 0, 100 * 10, 10); @s = sum(1); @s = sum(arg0);",
        "@c[pid] = count(); @s = sum(-1); @a = avg(arg0); print(@c[1] + 1); print(@s < 5); print((uint64)@a); if (@c[2] > 1) { }",
        "@c = count(1);",
        "@s = sum(); @s = sum(comm);",
        "@h = hist(1, 6); @i = hist(1, pid);",
        "@l = lhist(1, 0, 10, 0); @m = lhist(1, 10, 0, 1); @n = lhist(1, 0, 10000, 1); @o = lhist(1, 0, 10, 3); @p = lhist(1, 2);",
        "@h = hist(1); @h = hist(1, 2);",
        "@x = min(1); @x = max(1);",
        "@h = stats(1); print(@h * 2);",
    ]));
}

#[test]
fn attach_points() {
    assert_text!(outcomes(&[
        "begin { } END { } i:s:1 { } interval:hz:10 { } profile:ms:5 { }",
        "u:./web:main.*, u:./web:main.handler, ur:./web:main.handler, u:./web115:net/* { @ = count(); }",
        "u:./web:main.handler /pid == $1 && comm != \"x\"/ { } u:./web:main.handler { }",
        "u:./wbe:main.handler { }",
        "u:./web:main.prepareAnsver { }",
        "t:syscalls:nope { }",
        "u:./web:main.handler, u:./web:nope* { }",
        "u:./web:nope*, u:./web:none.* { }",
        "upprobe:./web:main.f { } kprobe:vfs_read { } interval:s:0 { }",
        "",
        "config = { missing_probes = warn }",
    ]));
}

#[test]
fn missing_probes_may_be_warnings() {
    let source = "u:./web:main.nope { } begin { }";
    let (script, _) = crate::parse("t.gt", source);
    let config = Config { missing_probes: crate::config::MissingProbes::Warn, ..Config::default() };
    let checked = crate::check(&script, &TestEnv::new(), &config);
    assert!(checked.is_ok_and(|(p, warnings)| p.probes.len() == 1 && !warnings.is_empty()));
    let config = Config { missing_probes: crate::config::MissingProbes::Ignore, ..Config::default() };
    let (script, _) = crate::parse("t.gt", "u:./web:main.nope { }");
    let checked = crate::check(&script, &TestEnv::new(), &config);
    assert_text!(checked.err().unwrap_or_default().render("t.gt", "u:./web:main.nope { }", false));
    let config = Config { max_probes: 2, ..Config::default() };
    let (script, _) = crate::parse("t.gt", "u:./web:main.* { }");
    let checked = crate::check(&script, &TestEnv::new(), &config);
    assert_text!(checked.err().unwrap_or_default().render("t.gt", "u:./web:main.* { }", false));
}

#[test]
fn structures_of_the_kernel() {
    assert_text!(outcomes(&[
        "profile:hz:9 { @[curtask.comm, curtask->prio] = sum(curtask.mm.total_vm); }",
        "software:cs:1 { print(curtask.se.exec_start); print(sizeof(struct task_struct)); }",
        "t:sched:sched_process_exec { print(((struct mm_struct *)args.func).total_vm); }",
        "self:signal:SIGUSR1 { print(curtask.nothing); }",
    ]));
}

#[test]
fn functions_of_the_kernel() {
    assert_text!(outcomes(&[
        "rawtracepoint:wake { @[args.task.comm, args.how, args.now] = count(); print(args.1); print(arg2); }",
        "fentry:wake { print(args.task->prio); print(func); } fexit:wake { print(retval); print(args.how); }",
        "kprobe:vfs_read { print((func, arg0, arg7)); } kretprobe:vfs_read { print(retval); }",
        "watchpoint:0x1000:8:rw { print(*(uint32 *)0x1000); }",
        "rt:wake { print(args.hwo); }",
        "rt:wake { print(args.9); }",
        "rt:wake { print(retval); }",
        "rt:wake { print(args); }",
        "kprobe:f { print(args.x); }",
    ]));
}

#[test]
fn iterators() {
    assert_text!(outcomes(&[
        "iter:walk { print((ctx.task.comm, ctx.how, args.now, probe)); }",
        "iter:walk:/sys/fs/bpf/x { print(ctx->how); }",
        "iter:walk { } begin { } end { } iter:other { }",
        "iter:walk { } interval:s:1 { }",
        "iter:walk:x { } begin { }",
        "iter:walk { print(ctx); }",
        "iter:walk { print(ctx.tsk); }",
        "iter:walk { print(func); }",
        "begin { print(ctx.task); }",
        "iter { }",
        "iter:walk: { }",
    ]));
}

#[test]
fn every_example_of_the_manual_is_accepted() {
    // Examples name functions and tracepoints that the table does not have.
    struct Anything(TestEnv);
    impl Env for Anything {
        fn arch(&self) -> Arch {
            self.0.arch()
        }
        fn resolve(&self, point: &AttachPoint) -> Result<Vec<Match>, EnvError> {
            match &point.kind {
                AttachKind::Tracepoint { .. } => Ok(tracepoints()
                    .into_iter()
                    .map(|mut t| {
                        t.args.fields = tracepoints().into_iter().flat_map(|t| t.args.fields).collect();
                        let more = ["function", "ret", "id", "sig", "skbaddr"];
                        t.args.fields.extend(more.map(|name| Field::new(name, 8, Type::I64)));
                        Match::Tracepoint(t)
                    })
                    .take(1)
                    .collect()),
                AttachKind::Uprobe { binary, ret, .. } => {
                    // Whatever Go program it is, it is the one that is known.
                    let (binary, name) =
                        if binary == "libc" { ("libc", "malloc") } else { ("./web", "main.handler") };
                    let kind = AttachKind::Uprobe {
                        binary: binary.into(),
                        target: UprobeSpec::Function(name.into()),
                        ret: *ret,
                    };
                    self.0.resolve(&AttachPoint { kind, ..point.clone() })
                }
                AttachKind::Iter { .. } | AttachKind::Kprobe { .. } => self.0.resolve(point),
                AttachKind::Fentry { function, .. } => {
                    let object = |name: &str, of| KernelParam {
                        name: name.into(),
                        ty: Type::Ptr { to: Box::new(named(of, 0)), space: AddrSpace::Kernel },
                        word: 0,
                    };
                    let params = Some(vec![object("filp", "file"), object("sk", "sock")]);
                    Ok(vec![Match::Fentry(KernelFunction { params, ..kernel_function(function) })])
                }
                _ => Ok(Vec::new()),
            }
        }
        fn go_struct(&self, binary: &str, name: &str) -> Option<Struct> {
            self.0.go_struct(binary, name)
        }
        fn go_dynamic_types(&self, binary: &str, name: &str) -> Vec<DynamicType> {
            self.0.go_dynamic_types(binary, name)
        }
        fn kernel_struct(&self, name: &str) -> Option<Struct> {
            self.0.kernel_struct(name)
        }
        fn symbol_address(&self, binary: &str, symbol: &str) -> Result<SymbolAddress, EnvError> {
            self.0.symbol_address(binary, symbol)
        }
        fn kernel_symbol(&self, name: &str) -> Result<u64, EnvError> {
            self.0.kernel_symbol(name)
        }
        fn percpu_variable(&self, _: &str) -> Result<PerCpu, EnvError> {
            Ok(PerCpu::Offset { symbol: 0x1000, offsets: 0x2000 })
        }
        fn allows_unsafe(&self) -> bool {
            true
        }
        fn cgroup_id(&self, path: &str) -> Result<u64, EnvError> {
            self.0.cgroup_id(path)
        }
        fn child(&self) -> Option<u32> {
            self.0.child()
        }
        fn params(&self) -> &[String] {
            self.0.params()
        }
    }
    for b in crate::builtin::all() {
        let (script, problems) = crate::parse("t.gt", b.example);
        assert!(problems.is_empty(), "{}", problems.render("t.gt", b.example, false));
        match crate::check(&script, &Anything(TestEnv::new()), &Config::default()) {
            Ok((_, warnings))
                if warnings.iter().all(|w| {
                    w.message.contains("no function of this name") || w.message.contains("trace pipe")
                }) => {}
            Ok((_, problems)) | Err(problems) => {
                panic!("{}: {}", b.name, problems.render("t.gt", b.example, false))
            }
        }
    }
}

#[test]
fn builtins_of_few_scripts() {
    assert_text!(outcomes(&[
        "begin { print(config.max_strlen); print(config.max_strln); }",
        "begin { if comptime (config.print_maps_on_exit) { print(config.stack_mode); } }",
        "profile:hz:9 { print(ctx.regs.ip); print(ctx.sample_period); }",
        "profile:hz:9 { print(ctx); }",
        "profile:hz:9 { print(ctx.regs); }",
        "begin { print(ctx.di); }",
        "u:libc:malloc { print(ctx.di == arg0); $c = ctx; print($c.ip); }",
        "begin { debugf(\"%5d %s %x%%\", 1, comm, pid); }",
        "begin { debugf(\"%#x\", 1); }",
        "begin { debugf(\"%d\", (1, 2)); }",
        "begin { print(path(0)); }",
        "rt:wake { print(socket_cookie(args.task)); }",
        "begin { override(1); }",
        "k:vfs_read { override(1); }",
        "begin { write_user(1, 2, 3); }",
        "begin { skboutput(\"x\", 1, 64, 14); }",
        "begin { skboutput(comm, 1, 64, 14); }",
        "begin { print(percpu_kaddr(\"runqueues\")); }",
        "begin { print(percpu_kaddr(comm)); }",
        "begin { print(uint8); print(typeinfo(struct Nothing)); }",
        "begin { printf(\"%gr %gr\", 1, \"x\"); }",
    ]));
}

#[test]
fn mistakes_of_newcomers() {
    assert_text!(outcomes(&[
        "begin { if (pid = 1) { } }",
        "begin { @total = 1; print($total); }",
        "begin { if (comm == webserver) { } }",
        "t:syscalls:sys_enter_openat { print(filename); }",
        "begin { print(curtask.nothing); }",
    ]));
}
