//! Tests of the checker: scripts against a table of probes, what they become and what is wrong with them.

use crate::arch::Arch;
use crate::config::Config;
use crate::env::{Abi, Env, EnvError, Goroutine, Match, NamedSite, Stop, Tracepoint, UprobeClass, UprobeMatch};
use crate::probe::{AttachKind, AttachPoint, UprobeSpec};
use crate::types::{AddrSpace, Field, Struct, Type};

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

const WEB: &[&str] = &["main.handler", "main.prepareAnswer", "main.checkSite.func1", "net/http.(*conn).serve"];
const LIBC: &[&str] = &["malloc", "free", "read"];

fn tracepoints() -> Vec<Tracepoint> {
    let field = |name: &str, offset, ty, data_loc| Field { name: name.into(), offset, ty, data_loc };
    let char_ptr = Type::Ptr { to: Box::new(Type::Int { bits: 8, signed: true }), space: AddrSpace::Kernel };
    let record = |fields: Vec<Field>| Struct { name: "args".into(), size: 64, align: 8, fields };
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
        Some((start, end)) => name.starts_with(start) && name.ends_with(end) && name.len() >= start.len() + end.len(),
        None => pattern == name,
    }
}

impl Env for TestEnv {
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
                    return Err(EnvError { message: format!("no tracepoint matches \"{category}:{event}\""), ..EnvError::default() });
                }
                Ok(found)
            }
            AttachKind::Uprobe { binary, target, ret } => {
                let go = Goroutine { in_register: true, tls_offset: -8, goid: 152, m: 48, curg: 192, stack_hi: 8 };
                let (names, abi, goroutine) = match binary.as_str() {
                    "./web" => (WEB, Abi::GoRegisters, Some(go)),
                    "./web115" => (WEB, Abi::GoStack, Some(Goroutine { in_register: false, ..go })),
                    "libc" => (LIBC, Abi::C, None),
                    _ => return Err(EnvError { message: format!("no such file: {binary}"), ..EnvError::default() }),
                };
                let (pattern, stop) = match target {
                    UprobeSpec::Function(f) => (f.as_str(), Stop::Entry),
                    UprobeSpec::Offset(f, _) => (f.as_str(), Stop::Inside),
                    UprobeSpec::Address(_) => ("*", Stop::Inside),
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
                    .map(|(i, n)| NamedSite { function: (*n).into(), offset: 0x1000 + 16 * i as u64 })
                    .collect();
                if sites.is_empty() {
                    return Err(EnvError {
                        message: format!("no function of {binary} matches \"{pattern}\""),
                        similar: vec!["main.prepareAnswer".into()],
                        ..EnvError::default()
                    });
                }
                Ok(vec![Match::Uprobe(UprobeMatch {
                    binary: binary.clone(),
                    path: format!("/srv/{}", binary.trim_start_matches("./")),
                    class: UprobeClass { abi, stop, goroutine, result_offset: None },
                    sites,
                    warnings: Vec::new(),
                })])
            }
            _ => panic!("begin, end and timers are not looked up"),
        }
    }

    fn symbol_address(&self, _binary: &str, symbol: &str) -> Result<u64, EnvError> {
        match symbol {
            "main.counter" => Ok(0x55_0000),
            _ => Err(EnvError {
                message: format!("no symbol \"{symbol}\""),
                similar: vec!["main.counter".into()],
                ..EnvError::default()
            }),
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

#[test]
fn spine() {
    insta::assert_snapshot!(outcome(
        r#"uprobe:./web:main.prepareAnswer { printf("%s %d\n", gostr(sarg0,sarg1), sarg2); @c[comm, pid] = count(); @x = hist(arg0); }"#
    ));
}
