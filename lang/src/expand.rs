//! Macros: calls of them in probes and functions become copies of their blocks, before anything is checked.
//!
//! They are hygienic. A block sees the macro's parameters and its own variables, which get names of their own in each copy; it reaches
//! variables and maps of the caller only through parameters. `$x` takes a variable, `@m` a map, and `x` any expression, which is
//! put in for each mention. Macros of one name are told apart by number and kinds of their parameters.

use crate::ast::{Block, Expr, ExprKind, MacroDecl, MacroParam, Name, Script, StmtKind};
use crate::diag::{Problem, Problems};
use crate::parse::MAX_HEIGHT;
use crate::span::Span;
use std::collections::HashMap;

/// Stands between the name of a macro's variable and the number of the copy; no name in a script has it.
pub(crate) const COPY: char = '\u{1}';

/// A text without the numbers that tell the variables of copies apart.
pub(crate) fn shown(text: &str) -> String {
    let mut pieces = text.split(COPY);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    out.extend(pieces.map(|p| p.trim_start_matches(|c: char| c.is_ascii_digit())));
    out
}

/// Most copies of blocks in one script: macros that call others twice multiply.
const MAX_COPIES: usize = 10_000;
/// Most macros inside of each other.
const MAX_DEPTH: usize = 32;

/// Expands all calls of macros in the probes and functions of a script.
pub(crate) fn run(script: &mut Script, problems: &mut Problems) {
    if script.macros.is_empty() {
        return;
    }
    let macros = std::mem::take(&mut script.macros);
    let mut by_name: HashMap<&str, Vec<&MacroDecl>> = HashMap::new();
    for decl in &macros {
        let same = by_name.entry(&decl.name.text).or_default();
        if let Some(first) = same.iter().find(|d| kinds(&d.params) == kinds(&decl.params)) {
            let message = format!("there are two macros `{}` with these parameters", signature(decl));
            problems.push(Problem::error(decl.name.span, message).label(first.name.span, "the first one"));
        }
        if crate::builtin::find(&decl.name.text).is_some() {
            let problem = Problem::error(decl.name.span, format!("`{}` is a builtin", decl.name.text))
                .help("choose another name for the macro");
            problems.push(problem);
        }
        same.push(decl);
    }
    for decl in &script.fns {
        if let Some(same) = by_name.get(decl.name.text.as_str()).and_then(|list| list.first()) {
            let message = format!("there is a macro `{}` too", decl.name.text);
            problems.push(Problem::error(decl.name.span, message).label(same.name.span, "the macro"));
        }
    }
    let mut expander = Expander { macros: by_name, problems, copies: 0, around: Vec::new() };
    for probe in &mut script.probes {
        if let Some(predicate) = &mut probe.predicate {
            expander.expr(predicate, None);
        }
        expander.block(&mut probe.body, None);
    }
    script.fns.iter_mut().for_each(|decl| expander.block(&mut decl.body, None));
    script.macros = macros;
}

/// What the names in a macro's block stand for.
struct Meaning<'m> {
    decl: &'m MacroDecl,
    vars: HashMap<&'m str, String>,
    maps: HashMap<&'m str, String>,
    exprs: HashMap<&'m str, Expr>,
    /// Number of the copy.
    copy: usize,
}

struct Expander<'m, 'p> {
    macros: HashMap<&'m str, Vec<&'m MacroDecl>>,
    problems: &'p mut Problems,
    copies: usize,
    /// The macros whose blocks are around, with the places of their calls.
    around: Vec<(&'m str, Span)>,
}

impl<'m> Expander<'m, '_> {
    fn block(&mut self, block: &mut Block, meaning: Option<&Meaning<'_>>) {
        for stmt in &mut block.stmts {
            if let (StmtKind::Let { name, .. } | StmtKind::For { var: name, .. }, Some(meaning)) =
                (&mut stmt.kind, meaning)
            {
                name.text = meaning.var(&name.text);
            }
            let (exprs, blocks) = stmt.kind.parts_mut();
            for e in exprs {
                self.expr(e, meaning);
            }
            for block in blocks {
                self.block(block, meaning);
            }
        }
    }

    fn expr(&mut self, e: &mut Expr, meaning: Option<&Meaning<'_>>) {
        match (&mut e.kind, meaning) {
            (ExprKind::Var(name), Some(meaning)) => *name = meaning.var(name),
            (ExprKind::Map { name, .. }, Some(meaning)) => match meaning.maps.get(name.text.as_str()) {
                Some(map) => name.text.clone_from(map),
                None => {
                    let problem =
                        Problem::error(name.span, format!("a macro does not see the map `{}`", name.text))
                            .help(format!(
                                "make it a parameter: `macro {}(…, {}) {{ … }}`",
                                meaning.decl.name.text, name.text
                            ));
                    self.problem(problem);
                }
            },
            (ExprKind::Ident(name), Some(meaning)) if meaning.exprs.contains_key(name.as_str()) => {
                // It was expanded where it stands; its place stays that of the call's argument.
                *e = meaning.exprs[name.as_str()].clone();
                return;
            }
            _ => {}
        }
        let (exprs, blocks) = e.kind.parts_mut();
        for e in exprs {
            self.expr(e, meaning);
        }
        for block in blocks {
            self.block(block, meaning);
        }
        let called = match &e.kind {
            ExprKind::Ident(name) if self.macros.contains_key(name.as_str()) => {
                Some((Name { text: name.clone(), span: e.span }, Vec::new()))
            }
            ExprKind::Call { name, args } if self.macros.contains_key(name.text.as_str()) => {
                Some((name.clone(), args.clone()))
            }
            _ => None,
        };
        if let Some((name, args)) = called {
            e.kind = match self.call(&name, &args, e.span) {
                Some(block) => ExprKind::Macro { name, block },
                None => ExprKind::Error,
            };
        }
        e.height = 1 + e.kind.children().iter().map(|c| c.height).max().unwrap_or(0);
        if e.height > MAX_HEIGHT {
            self.problem(Problem::error(
                e.span,
                "this expression is nested too deeply when its macros are expanded",
            ));
            *e = Expr { kind: ExprKind::Error, span: e.span, height: 1 };
        }
    }

    /// The copy of a macro's block for a call; `None` when that cannot be, which is reported.
    fn call(&mut self, name: &Name, args: &[Expr], span: Span) -> Option<Block> {
        let candidates = self.macros.get(name.text.as_str())?.clone();
        let Some(decl) = candidates.iter().find(|d| takes(&d.params, args)) else {
            let mut problem = Problem::error(span, format!("no macro `{}` takes these arguments", name.text));
            for decl in &candidates {
                problem = problem.label(decl.name.span, format!("this one is `{}`", signature(decl)));
            }
            let problem = problem.note("`$x` takes a variable, `@m` a map without a key, `x` any expression");
            self.problem(problem);
            return None;
        };
        if self.around.iter().any(|(around, _)| *around == decl.name.text) {
            let problem =
                Problem::error(span, format!("the macro `{}` would expand to itself without end", name.text))
                    .help("repeat with a loop: `while (…) { … }`");
            self.problem(problem);
            return None;
        }
        self.copies += 1;
        if self.copies > MAX_COPIES || self.around.len() >= MAX_DEPTH {
            if self.copies == MAX_COPIES + 1 || self.around.len() >= MAX_DEPTH {
                self.problem(Problem::error(span, "the macros of this script expand to too much"));
            }
            return None;
        }
        let mut meaning = Meaning {
            decl,
            vars: HashMap::new(),
            maps: HashMap::new(),
            exprs: HashMap::new(),
            copy: self.copies,
        };
        for (param, arg) in decl.params.iter().zip(args) {
            match (param, &arg.kind) {
                (MacroParam::Var(p), ExprKind::Var(given)) => {
                    meaning.vars.insert(&p.text, given.clone());
                }
                (MacroParam::Map(p), ExprKind::Map { name, .. }) => {
                    meaning.maps.insert(&p.text, name.text.clone());
                }
                (MacroParam::Expr(p), _) => {
                    meaning.exprs.insert(&p.text, arg.clone());
                }
                _ => {}
            }
        }
        let mut block = decl.body.clone();
        self.around.push((&decl.name.text, span));
        self.block(&mut block, Some(&meaning));
        self.around.pop();
        Some(block)
    }

    /// Reports a problem in the block of a macro, with the calls that led there.
    fn problem(&mut self, problem: Problem) {
        let calls = self.around.iter().rev();
        let problem =
            calls.fold(problem, |p, (name, span)| p.label(*span, format!("`{name}` is expanded here")));
        self.problems.push(problem);
    }
}

impl Meaning<'_> {
    fn var(&self, name: &str) -> String {
        self.vars.get(name).cloned().unwrap_or_else(|| format!("{name}{COPY}{}", self.copy))
    }
}

fn takes(params: &[MacroParam], args: &[Expr]) -> bool {
    params.len() == args.len()
        && params.iter().zip(args).all(|(param, arg)| match (param, &arg.kind) {
            (MacroParam::Var(_), ExprKind::Var(_)) | (MacroParam::Expr(_), _) => true,
            (MacroParam::Map(_), ExprKind::Map { keys, .. }) => keys.is_empty(),
            _ => false,
        })
}

fn kinds(params: &[MacroParam]) -> Vec<std::mem::Discriminant<MacroParam>> {
    params.iter().map(std::mem::discriminant).collect()
}

/// `name($x, @m, e)`
fn signature(decl: &MacroDecl) -> String {
    let params: Vec<String> = decl.params.iter().map(MacroParam::to_string).collect();
    format!("{}({})", decl.name.text, params.join(", "))
}
