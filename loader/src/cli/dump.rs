//! `-d STAGE`: what each stage of the compilation makes of a script.

use super::Stage;
use codegen::{Object, Target};
use lang::{ast, hir};
use std::fmt::Write;

/// Stages before the checker.
pub(super) fn front(stage: Stage, script: &ast::Script, text: &str) -> Option<String> {
    match stage {
        Stage::Tokens => Some(lang::lexer::dump(text)),
        Stage::Ast => Some(script.to_string()),
        _ => None,
    }
}

/// Stages of the typed program before the object.
pub(super) fn middle(
    stage: Stage,
    program: &hir::Program,
    target: &Target,
) -> Result<Option<String>, codegen::Error> {
    Ok(match stage {
        Stage::Hir => Some(program.to_string()),
        Stage::Ir => Some(ir(program, target)?),
        _ => None,
    })
}

fn ir(program: &hir::Program, target: &Target) -> Result<String, codegen::Error> {
    let mut out = String::new();
    for (probe, (lowered, optimized)) in program.probes.iter().zip(codegen::lower_only(program, target)?) {
        let _ = writeln!(out, "{}: lowered\n{lowered}{}: optimized\n{optimized}", probe.name, probe.name);
    }
    Ok(out)
}

/// Stages of the object.
pub(super) fn back(stage: Stage, object: &Object, program: &hir::Program) -> Option<String> {
    match stage {
        Stage::Bpf => {
            let mut out = String::new();
            for (program, probe) in object.programs.iter().zip(&program.probes) {
                let _ =
                    writeln!(out, "{} ({}): {} instructions", program.name, probe.name, program.insns.len());
                out.push_str(&codegen::disasm::listing(object, program));
            }
            Some(out)
        }
        Stage::Object => Some(describe(object)),
        _ => None,
    }
}

fn describe(object: &Object) -> String {
    let mut out = String::new();
    for program in &object.programs {
        let _ = writeln!(
            out,
            "program {:<14} section {:<11} {} instructions",
            program.name,
            program.section,
            program.insns.len()
        );
    }
    for map in &object.maps {
        let _ = writeln!(
            out,
            "map     {:<14} {:<13} key {} bytes, value {} bytes, {} entries",
            map.name,
            format!("{:?}", map.kind),
            map.key_size,
            map.value_size,
            map.max_entries
        );
    }
    for (id, record) in object.records.iter().enumerate() {
        let fields: Vec<String> = record.fields.iter().map(|f| format!("{} at {}", f.ty, f.offset)).collect();
        let _ = writeln!(out, "record  {id}: {} bytes: {}", record.size, fields.join(", "));
    }
    out
}
