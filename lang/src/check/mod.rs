//! The checker: from the syntax tree to the typed program, or to the reasons why there is none.
//!
//! One pass translates every block for every program that it becomes (a block whose attach points need different code
//! is translated several times). Types of maps and variables follow from all their uses, later probes included, so
//! passes are repeated until no type changes; only what the last one produced, program and problems, counts. A value
//! whose type is not known yet ends the translation of its statement with [`Stop::Unknown`]; the next pass knows more.

pub(crate) mod asked;
mod build;
mod call;
#[cfg(test)]
mod control_tests;
#[cfg(test)]
mod data_tests;
mod declared;
#[cfg(test)]
mod declared_tests;
#[cfg(test)]
mod diagnostic_tests;
pub(crate) mod dynamic;
mod expr;
mod go;
mod gomap;
mod infer;
mod kernel;
mod layout;
#[cfg(test)]
mod layout_tests;
mod loops;
mod maps;
mod nil;
mod ops;
mod place;
mod probe;
mod promoted;
#[cfg(test)]
mod scale_tests;
mod scope;
mod stmt;
mod subprogram;
#[cfg(test)]
mod subprogram_tests;
#[cfg(test)]
pub(crate) mod tests;
mod types;
mod whole;

pub(crate) use call::{Call, Outcome};
pub(crate) use expr::parse_number;
pub(crate) use infer::is_weak;
pub(crate) use maps::{Conflict, Value, agg_name, with_article};
pub(crate) use place::{Base, Place};
pub use probe::ProbeKind;

use crate::ast::Script;
use crate::config::Config;
use crate::diag::{Problem, Problems};
use crate::env::{Env, GoProgram};
use crate::hir::{self, Program};
use crate::lexer::left_out_header;
use crate::span::Span;
use crate::types::AddrSpace;
use maps::Maps;
use probe::{Code, Target};
use scope::{Scopes, VarTypes};
use subprogram::Subprograms;
use types::Types;

/// Why an expression or statement has no translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stop {
    /// It has an error, which is reported.
    Reported,
    /// The type of a map or variable in it is not known in this pass.
    Unknown,
}

/// A translation, or why there is none.
pub(crate) type Checked<T> = Result<T, Stop>;

/// More passes than any script needs: types only ever widen, and have few widths.
const MAX_PASSES: usize = 64;

/// Checks a script that was parsed without errors.
///
/// # Errors
/// All problems, warnings included, when one of them is an error.
pub fn check(script: &Script, env: &dyn Env, config: &Config) -> Result<(Program, Problems), Problems> {
    let mut problems = Problems::new();
    let types = Types::new(&script.types, env, &mut problems);
    let (mut targets, functions) = probe::resolve(script, env, config, &mut problems);
    let programs = targets.len();
    targets.extend(script.fns.iter().map(Target::function));
    subprogram::check_names(&script.fns, &mut problems);
    let incomplete = problems.has_errors();
    if script.probes.is_empty() {
        problems.push(
            Problem::general("the script has no probes")
                .help("for example: `begin { printf(\"hello\\n\"); }`"),
        );
    }
    let mut checker = Checker {
        env,
        config,
        types: &types,
        functions: &functions,
        header: left_out_header(&script.source),
        incomplete,
        go_program: None,
        maps: Maps::default(),
        var_types: vec![VarTypes::default(); targets.len()],
        problems: Problems::new(),
        last: false,
        index: 0,
        work: 0,
        exhausted: false,
        scopes: Scopes::default(),
        expansions: Vec::new(),
        loops: 0,
        targets: &targets,
        subprograms: Subprograms::new(programs, &script.fns),
    };
    for _ in 0..MAX_PASSES {
        checker.pass();
        if !checker.maps.changed && !checker.maps.settle() {
            break;
        }
    }
    checker.last = true;
    let (probes, subprograms) = checker.pass();
    checker.recursion();
    problems.extend(std::mem::take(&mut checker.problems));
    let declared = declared::Declared::new(&script.maps, &mut problems);
    declared.compare(&checker.maps, &script.source, &mut problems);
    if programs == 0 && !script.probes.is_empty() && !problems.has_errors() {
        problems.push(Problem::general("no probe of the script matches anything"));
    }
    problems.sort();
    if problems.has_errors() {
        return Err(problems);
    }
    let go_program = checker.go_program.take();
    let mut maps = checker.maps.finish();
    declared.apply(&mut maps);
    let program = Program {
        source_name: script.source_name.clone(),
        source: script.source.clone(),
        imported: script.imported.clone(),
        probes,
        subprograms,
        maps,
        functions,
        go_program,
        config: config.clone(),
    };
    Ok((program, problems))
}

/// The state of the checker.
pub(crate) struct Checker<'a> {
    pub env: &'a dyn Env,
    pub config: &'a Config,
    pub types: &'a Types<'a>,
    pub functions: &'a [hir::Function],
    /// A C header that the script asks for and does not get.
    header: Option<&'a str>,
    /// Whether attach points are missing, which has been reported: maps may be assigned in their blocks.
    pub incomplete: bool,
    /// See [`Program::go_program`]; looked up when a probe asks for it first.
    pub go_program: Option<GoProgram>,
    /// The maps; lives through all passes.
    pub maps: Maps,
    /// Types of variables by target; lives through all passes.
    var_types: Vec<VarTypes>,
    /// Problems of this pass.
    pub problems: Problems,
    /// What is unknown now stays so, and is an error.
    pub last: bool,
    /// The programs, and behind them the functions.
    pub targets: &'a [Target<'a>],
    /// What is known about the functions; lives through all passes.
    subprograms: Subprograms,
    /// The target that is being translated.
    pub index: usize,
    /// Statements translated for this target.
    work: usize,
    /// That there are too many is reported.
    exhausted: bool,
    pub scopes: Scopes,
    /// The macros whose blocks are around what is being translated, with the places of their calls.
    expansions: Vec<(String, Span)>,
    /// Loops around the statement that is being translated.
    loops: usize,
}

impl<'a> Checker<'a> {
    /// Translates all targets.
    fn pass(&mut self) -> (Vec<hir::Probe>, Vec<hir::Subprogram>) {
        self.problems = Problems::new();
        self.maps.changed = false;
        let targets = self.targets;
        let (mut probes, mut functions) = (Vec::new(), Vec::new());
        self.signatures();
        for (index, target) in targets.iter().enumerate() {
            self.begin(index);
            match target.code {
                Code::Probe(clause) => probes.push(self.probe(target, clause)),
                Code::Function(decl) => functions.push(self.function(decl)),
            }
        }
        (probes, functions)
    }

    /// Begins with a target.
    fn begin(&mut self, index: usize) {
        self.index = index;
        self.scopes = Scopes::default();
        self.work = 0;
        self.exhausted = false;
    }

    /// The program that is being translated.
    pub fn target(&self) -> &'a Target<'a> {
        &self.targets[self.index]
    }

    fn vars(&mut self) -> &mut VarTypes {
        &mut self.var_types[self.index]
    }

    /// Reports an error.
    pub fn fail<T>(&mut self, problem: Problem) -> Checked<T> {
        let problem = self.in_expansions(problem);
        self.problems.push(problem);
        Err(Stop::Reported)
    }

    /// Reports a warning.
    pub fn warn(&mut self, problem: Problem) {
        let problem = self.in_expansions(problem);
        self.problems.push(problem);
    }

    /// A problem in the block of a macro, with the calls that led there.
    fn in_expansions(&self, mut problem: Problem) -> Problem {
        let texts = problem
            .labels
            .iter_mut()
            .map(|l| &mut l.text)
            .chain(&mut problem.help)
            .chain([&mut problem.message]);
        texts.for_each(|text| *text = crate::expand::shown(text));
        let calls = self.expansions.iter().rev();
        calls.fold(problem, |p, (name, span)| p.label(*span, format!("`{name}` is expanded here")))
    }

    /// Ends a translation whose type is unknown: for now, or for good with this error.
    pub fn unknown<T>(&mut self, problem: Problem) -> Checked<T> {
        if self.last { self.fail(problem) } else { Err(Stop::Unknown) }
    }

    /// Reports a use of a map that does not go with the others.
    pub fn conflict<T>(&mut self, conflict: &Conflict, span: Span, name: &str, what: &str) -> Checked<T> {
        let problem = Problem::error(span, format!("{what}, but `{name}` {}", conflict.other))
            .label(conflict.at, format!("`{name}` {} here", conflict.other));
        self.fail(problem)
    }

    /// Where an address points when only its value is known.
    pub fn default_space(&self) -> AddrSpace {
        self.target().space()
    }
}
