//! What a user sees of a program that the kernel's verifier does not accept. The code generator makes no such programs that we
//! know of, so these tests take the object of a good script, put an unsafe instruction into it, and load that. Without the right
//! to load programs they fail, like the other end-to-end tests.

use codegen::insn::{Insn, R0, R10, Width};
use codegen::{Object, Target};
use lang::Config;
use lang::diag::Problems;
use loader::env::Host;
use loader::load::{self, LoadError};
use loader::sys::clock;

type Fault = Box<dyn std::error::Error>;

const SCRIPT: &str = "\
begin {
    @first = 1;
    @second[pid] = count();
    printf(\"%d\\n\", cpu);
}
interval:s:1 {
    @first++;
}
";

/// Compiles the script and makes the first instruction of the statement on `line` (from 1) read beyond the stack.
fn damaged(line: usize) -> Result<Object, Fault> {
    let (script, problems) = lang::parse("test.gt", SCRIPT);
    assert!(!problems.has_errors(), "{}", problems.render("test.gt", SCRIPT, false));
    let checked = lang::check(&script, &Host::default(), &Config::default());
    let (program, _) = checked.map_err(|problems| problems.render("test.gt", SCRIPT, false))?;
    let cpus = u32::try_from(clock::possible_cpus()?)?;
    let mut object = codegen::compile(&program, &Target::recent(loader::env::host_arch(), cpus))?;
    let line_of = |offset: u32| SCRIPT.bytes().take(offset as usize).filter(|b| *b == b'\n').count() + 1;
    let spot = object.programs.iter_mut().find_map(|program| {
        let (at, _) = *program.lines.iter().find(|(_, span)| line_of(span.start) == line)?;
        // Not into an instruction of two halves.
        let insn = program.insns.iter_mut().skip(at).find(|insn| !insn.is_wide() && insn.code != 0)?;
        Some(insn)
    });
    *spot.ok_or("no statement on that line")? = Insn::load(Width::D, R0, R10, 64);
    Ok(object)
}

/// What standard error shows when the object is loaded.
fn shown(object: &Object, whole_log: bool) -> Result<String, Fault> {
    let elf = codegen::elf::write(object)?;
    match load::load(&elf, object, false) {
        Err(error @ LoadError::Rejected { .. }) => {
            let mut problems = Problems::new();
            problems.push(error.problem(whole_log));
            Ok(problems.render("test.gt", SCRIPT, false))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Err("the verifier accepted a read beyond the stack".into()),
    }
}

#[test]
fn a_rejection_is_shown_at_its_statement() -> Result<(), Fault> {
    for (line, text) in [(2, "@first = 1"), (3, "@second[pid] = count()"), (4, "printf("), (7, "@first++")] {
        let shown = shown(&damaged(line)?, false)?;
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines.first().is_some_and(|l| l.starts_with("error: the kernel's verifier rejected")),
            "{shown}"
        );
        assert!(lines.get(1).is_some_and(|l| l.contains(&format!("test.gt:{line}:5"))), "{shown}");
        assert!(shown.contains(text) && shown.contains("^ the verifier was here"), "{shown}");
        assert!(shown.contains("invalid") && shown.contains("off=64"), "{shown}");
        assert!(shown.contains("help: `-v` shows the whole log"), "{shown}");
    }
    Ok(())
}

#[test]
fn the_whole_log_is_shown_on_request() -> Result<(), Fault> {
    let object = damaged(4)?;
    let (short, long) = (shown(&object, false)?, shown(&object, true)?);
    assert!(long.lines().count() > short.lines().count(), "{long}");
    assert!(long.contains("0: (") && !long.contains("help: `-v`"), "{long}");
    Ok(())
}
