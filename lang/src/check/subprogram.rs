//! Functions of the script: `fn name($a : T, …) : T { … }`.
//!
//! A function is checked once, however many probes call it, so it knows nothing of the place where a probe is attached. Its
//! parameters and its value are variables of its block whose types are declared; a `string` without a size is as long as the longest
//! text that it is given, and a pointer points to the memory that the pointers point to which it is given.

use crate::ast::{Block, Expr, FnDecl, Name};
use crate::check::maps::with_article;
use crate::check::probe::Code;
use crate::check::types::{ANY_BUFFER, ANY_STRING};
use crate::check::{Checked, Checker, Outcome, Stop};
use crate::diag::{Problem, Problems};
use crate::hir::{self, Stmt, StmtKind, SubId, Subprogram, VarId};
use crate::span::Span;
use crate::types::{AddrSpace, Type};
use std::collections::HashMap;

/// What is known about the functions of a script.
#[derive(Debug, Default)]
pub(super) struct Subprograms {
    /// Their names, in order.
    names: Vec<String>,
    /// Index of the first one's target.
    first: usize,
    /// Whether each declares parameters and value that can be, in this pass.
    valid: Vec<bool>,
    /// To which memory the pointers lead that a function is given, or gives: by function and variable.
    spaces: HashMap<(usize, VarId), (AddrSpace, Span)>,
    /// Calls of functions by functions, in this pass: who, whom, where.
    calls: Vec<(usize, usize, Span)>,
}

impl Subprograms {
    /// Those of a script that has so many programs.
    pub fn new(programs: usize, decls: &[FnDecl]) -> Subprograms {
        let names = decls.iter().map(|decl| decl.name.text.clone()).collect();
        Subprograms { names, first: programs, ..Subprograms::default() }
    }

    /// The function of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// Reports names that two functions have, or a builtin has too.
pub(super) fn check_names(decls: &[FnDecl], problems: &mut Problems) {
    for (n, decl) in decls.iter().enumerate() {
        let name = &decl.name;
        if let Some(first) = decls.iter().take(n).find(|d| d.name.text == name.text) {
            let message = format!("there are two functions `{}`", name.text);
            problems.push(Problem::error(name.span, message).label(first.name.span, "the first one"));
        } else if crate::builtin::find(&name.text).is_some() {
            let problem = Problem::error(name.span, format!("`{}` is a builtin", name.text));
            problems.push(problem.help("choose another name for the function"));
        }
    }
}

impl<'a> Checker<'a> {
    /// The function that is being translated.
    fn current_function(&self) -> Option<&'a FnDecl> {
        match self.target().code {
            Code::Function(decl) => Some(decl),
            Code::Probe(_) => None,
        }
    }

    pub(super) fn in_function(&self) -> bool {
        self.current_function().is_some()
    }

    /// What is to be said about something that only some probes have.
    pub(super) fn unknown_in_function(&self, name: &str, span: Span) -> Problem {
        Problem::error(span, format!("`{name}` is not known in a function, which any probe may call"))
            .help("give the function a parameter for it, and let the probe hand it over")
    }

    /// Whether a name is that of a function without a value.
    pub(super) fn gives_nothing(&self, name: &str) -> bool {
        self.subprograms.find(name).and_then(|index| self.declaration(index)).is_some_and(gives_nothing)
    }

    fn declaration(&self, index: usize) -> Option<&'a FnDecl> {
        match self.targets.get(self.subprograms.first + index)?.code {
            Code::Function(decl) => Some(decl),
            Code::Probe(_) => None,
        }
    }

    /// The types of the parameters and values of all functions, at the start of a pass.
    pub(super) fn signatures(&mut self) {
        self.subprograms.calls.clear();
        self.subprograms.valid.clear();
        for index in 0..self.subprograms.names.len() {
            let Some(decl) = self.declaration(index) else { continue };
            self.begin(self.subprograms.first + index);
            let types = decl.params.iter().map(|(_, ty)| ty).chain(result_of(decl));
            let mut valid = true;
            for (n, ty) in types.enumerate() {
                valid &= self.declare_type(index, VarId(n as u32), ty).is_ok();
            }
            self.subprograms.valid.push(valid);
        }
    }

    fn declare_type(&mut self, index: usize, id: VarId, ty: &crate::ast::TypeExpr) -> Checked<()> {
        let space = self.subprograms.spaces.get(&(index, id)).map_or(AddrSpace::Kernel, |(space, _)| *space);
        match self.written_type(ty, space)? {
            Type::Void => return self.fail(Problem::error(ty.span, "a parameter cannot be `void`")),
            ANY_STRING => self.declared_any(id, Type::Str(8), ty.span),
            ANY_BUFFER => self.declared_any(id, Type::Buf(8), ty.span),
            known => self.vars().fix(id, known, ty.span),
        }
        Ok(())
    }

    /// Translates a function.
    pub(super) fn function(&mut self, decl: &FnDecl) -> Subprogram {
        self.scopes.enter();
        for (name, _) in &decl.params {
            if let Some(known) = self.scopes.find(&name.text) {
                let first = self.scopes.vars[known.0 as usize].span;
                let problem = Problem::error(name.span, format!("there are two parameters `${}`", name.text));
                self.warn(problem.label(first, "the first one"));
            }
            let id = self.scopes.declare(&name.text, name.span);
            self.scopes.vars[id.0 as usize].used = true;
        }
        let result = result_of(decl).map(|ty| self.hidden_var(ty.span));
        let body = self.stmts(&decl.body.stmts);
        self.scopes.leave();
        if !self.problems.has_errors() {
            self.unused_variables();
            if result.is_some() && !always_leaves(&body) {
                let problem =
                    Problem::error(closing_brace(&decl.body), "the function may end here without a value")
                        .label(decl.name.span, format!("`{}` gives one", decl.name.text))
                        .help("write `return VALUE;` at its end");
                self.warn(problem);
            }
        }
        Subprogram {
            name: decl.name.text.clone(),
            span: decl.name.span,
            params: decl.params.len(),
            result,
            body,
            vars: self.var_types[self.index].finish(&self.scopes),
        }
    }

    /// `return` in a function.
    pub(super) fn return_from(&mut self, value: Option<&Expr>, span: Span) -> Checked<Vec<StmtKind>> {
        let Some(decl) = self.current_function() else { return Ok(vec![StmtKind::Return]) };
        let result = result_of(decl).map(|_| VarId(decl.params.len() as u32));
        match (value, result) {
            (None, None) => Ok(vec![StmtKind::Return]),
            (Some(value), Some(id)) => {
                let value = self.assigned_value(value)?;
                let index = self.index - self.subprograms.first;
                let name = format!("the value of `{}`", decl.name.text);
                let value = self.hand_over(index, id, &name, value)?;
                Ok(vec![StmtKind::SetVar(id, value), StmtKind::Return])
            }
            (None, Some(_)) => {
                let problem = Problem::error(span, format!("`{}` must give a value here", decl.name.text))
                    .help("write `return VALUE;`");
                self.fail(problem)
            }
            (Some(value), None) => {
                let problem = Problem::error(value.span, format!("`{}` gives no value", decl.name.text))
                    .label(decl.name.span, "it is declared without one")
                    .help(format!("declare its type: `fn {}(…) : int64 {{ … }}`", decl.name.text));
                self.fail(problem)
            }
        }
    }

    /// A call of a function.
    pub(super) fn call_function(
        &mut self,
        index: usize,
        name: &Name,
        args: &[Expr],
        span: Span,
    ) -> Checked<Outcome> {
        let Some(decl) = self.declaration(index) else { return Err(Stop::Reported) };
        if let Some(caller) = self.index.checked_sub(self.subprograms.first) {
            self.subprograms.calls.push((caller, index, span));
        }
        let values: Vec<Checked<hir::Expr>> = args.iter().map(|e| self.assigned_value(e)).collect();
        if args.len() != decl.params.len() {
            let many = match decl.params.len() {
                0 => "no arguments".to_owned(),
                1 => "1 argument".to_owned(),
                n => format!("{n} arguments"),
            };
            let problem = Problem::error(span, format!("`{}` takes {many}, not {}", name.text, args.len()))
                .label(decl.name.span, "declared here");
            return self.fail(problem);
        }
        if self.subprograms.valid.get(index) != Some(&true) {
            return Err(Stop::Reported);
        }
        let mut given = Vec::new();
        let mut failed = None;
        for (n, (value, (param, _))) in values.into_iter().zip(&decl.params).enumerate() {
            let what = format!("`${}` of `{}`", param.text, name.text);
            match value.and_then(|value| self.hand_over(index, VarId(n as u32), &what, value)) {
                Ok(value) => given.push(value),
                Err(stop) => failed = failed.or(Some(stop)),
            }
        }
        if let Some(stop) = failed {
            return Err(stop);
        }
        let kind = hir::ExprKind::Call(SubId(index as u32), given);
        if gives_nothing(decl) {
            let call = hir::Expr::new(kind, Type::Void, span);
            return Ok(Outcome::Effect(vec![StmtKind::Expr(call)]));
        }
        let types = &self.var_types[self.subprograms.first + index];
        let Some((known, _)) = types.get(VarId(decl.params.len() as u32)) else { return Err(Stop::Unknown) };
        Ok(Outcome::Value(hir::Expr::new(kind, known.ty.clone(), span)))
    }

    /// Brings a value to the type of a parameter or of what a function gives, which may follow from it.
    fn hand_over(&mut self, index: usize, id: VarId, name: &str, value: hir::Expr) -> Checked<hir::Expr> {
        let target = self.subprograms.first + index;
        let declared = self.var_types[target].get(id).map(|(known, _)| known.ty.clone());
        if let (Type::Ptr { to: given, space }, Some(Type::Ptr { to, .. })) = (&value.ty, &declared)
            && same_pointee(given, to)
        {
            let (space, span) = (*space, value.span);
            let (known, first) = match self.subprograms.spaces.get(&(index, id)) {
                Some(known) => *known,
                None => {
                    self.subprograms.spaces.insert((index, id), (space, span));
                    self.maps.changed = true;
                    (space, span)
                }
            };
            if known != space {
                let whose = |space| match space {
                    AddrSpace::User => "of the traced program",
                    AddrSpace::Kernel => "of the kernel",
                };
                let problem = Problem::error(
                    span,
                    format!("this points to memory {}, but {name} to that {}", whose(space), whose(known)),
                )
                .label(first, format!("this points to memory {}", whose(known)))
                .help("write a function for each, or give it what the pointer points to");
                return self.fail(problem);
            }
            let ty = Type::Ptr { to: to.clone(), space };
            return Ok(super::build::cast(value, &ty));
        }
        if let (Type::Int { .. }, Some(ty @ Type::Ptr { .. })) = (&value.ty, &declared)
            && value.literal() != Some(0)
        {
            let problem = Problem::error(
                value.span,
                format!("this is {}, but {name} is {}", with_article(&value.ty), with_article(ty)),
            )
            .help(format!("cast it: `({ty})…`"));
            return self.fail(problem);
        }
        self.join_var_of(target, id, name, value)
    }

    /// Reports functions that call themselves, in the end.
    pub(super) fn recursion(&mut self) {
        let mut calls = std::mem::take(&mut self.subprograms.calls);
        calls.sort_by_key(|(_, _, span)| span.start);
        let mut reported = vec![false; self.subprograms.names.len()];
        for (caller, callee, span) in &calls {
            let Some(way) = way(&calls, *callee, *caller, self.subprograms.names.len()) else { continue };
            if way.iter().any(|index| reported[*index]) {
                continue;
            }
            way.iter().for_each(|index| reported[*index] = true);
            let names: Vec<String> =
                way.iter().chain(way.first()).map(|i| format!("`{}`", self.subprograms.names[*i])).collect();
            let message = match way.as_slice() {
                [_] => format!("the function {} calls itself", names[0]),
                _ => format!("functions call each other in a circle: {}", names.join(" calls ")),
            };
            let problem = Problem::error(*span, message)
                .note("a program has 512 bytes of stack, and the kernel must see that it ends")
                .help("repeat with a loop: `while (…) { … }`");
            self.warn(problem);
        }
    }
}

/// The functions on a way of calls from one to another, both included.
fn way(calls: &[(usize, usize, Span)], from: usize, to: usize, count: usize) -> Option<Vec<usize>> {
    let mut before: Vec<Option<usize>> = vec![None; count];
    let mut seen = vec![false; count];
    let mut open = std::collections::VecDeque::from([from]);
    *seen.get_mut(from)? = true;
    while let Some(at) = open.pop_front() {
        if at == to {
            let mut way = vec![at];
            let mut last = at;
            while let Some(previous) = before[last] {
                way.push(previous);
                last = previous;
            }
            way.reverse();
            return Some(way);
        }
        for (_, callee, _) in calls.iter().filter(|(caller, _, _)| *caller == at) {
            if !std::mem::replace(seen.get_mut(*callee)?, true) {
                before[*callee] = Some(at);
                open.push_back(*callee);
            }
        }
    }
    None
}

/// The type of a function's value as it is written, if it has one.
fn result_of(decl: &FnDecl) -> Option<&crate::ast::TypeExpr> {
    decl.result.as_ref().filter(|ty| !matches!(&ty.kind, crate::ast::TypeKind::Named(word) if word == "void"))
}

fn gives_nothing(decl: &FnDecl) -> bool {
    result_of(decl).is_none()
}

/// Whether a pointer to the one may be given where one to the other is wanted.
fn same_pointee(given: &Type, wanted: &Type) -> bool {
    match (given, wanted) {
        (_, Type::Void) => true,
        (Type::Struct(a), Type::Struct(b)) => a.name == b.name,
        _ => given == wanted,
    }
}

/// Whether no way leads through a block to its end.
fn always_leaves(block: &[Stmt]) -> bool {
    block.iter().any(|stmt| match &stmt.kind {
        StmtKind::Return => true,
        StmtKind::If { then, els, .. } => always_leaves(then) && always_leaves(els),
        _ => false,
    })
}

fn closing_brace(block: &Block) -> Span {
    Span::new((block.span.end as usize).saturating_sub(1), block.span.end as usize)
}
