//! Loops and what leaves them, blocks and choices that have a value, and what is decided while the script is compiled.

use crate::ast::{self, Block, Expr, ExprKind, Name, Over, StmtKind};
use crate::check::infer::{self, Inferred};
use crate::check::maps::with_article;
use crate::check::{Checked, Checker, Stop, Value, build};
use crate::diag::Problem;
use crate::hir::{self, Agg, LoopKind, Stmt};
use crate::span::Span;
use crate::types::Type;

impl Checker<'_> {
    /// `for ($i : a..b)`, `for ($kv : @m)`
    pub(super) fn for_stmt(&mut self, var: &Name, over: &Over, body: &Block) -> Checked<Vec<hir::StmtKind>> {
        // The range is checked before the variable is known.
        let kind = match over {
            Over::Range(from, to) => {
                self.range(from, to).map(|(from, to)| (from.ty.clone(), Some((from, to))))
            }
            Over::Map(map) => self.entries(map).map(|(_, ty)| (ty, None)),
        };
        if let Some(id) = self.scopes.find(&var.text) {
            let before = self.scopes.vars[id.0 as usize].span;
            let problem = Problem::error(var.span, format!("`${}` is declared already", var.text))
                .label(before, "first declared here")
                .help("a loop has a variable of its own: choose another name");
            return self.fail(problem);
        }
        self.scopes.enter();
        let id = self.scopes.declare(&var.text, var.span);
        self.scopes.vars[id.0 as usize].used = true;
        let known = match &kind {
            Ok((ty, _)) => {
                let inferred = Inferred { ty: ty.clone(), weak: false };
                self.vars().assign(id, &inferred, var.span).ok()
            }
            Err(_) => None,
        };
        if let Some((_, changed)) = known {
            self.maps.changed |= changed;
        }
        let body = self.round(body);
        self.scopes.leave();
        let kind = match (kind?, over) {
            ((_, Some((from, to))), _) => LoopKind::Range { var: id, from, to },
            (_, Over::Map(map)) => LoopKind::Map { var: id, map: self.entries(map)?.0 },
            (_, Over::Range(..)) => return Err(Stop::Reported),
        };
        Ok(vec![hir::StmtKind::Loop { kind, body }])
    }

    /// The bounds of a range, both of one 64-bit type.
    fn range(&mut self, from: &Expr, to: &Expr) -> Checked<(hir::Expr, hir::Expr)> {
        let bound = |c: &mut Self, e: &Expr| {
            let value = c.expr(e)?;
            match &value.ty {
                Type::Int { .. } => Ok(c.promote(value)),
                ty => {
                    let message = format!("a bound of a range is a number, not {}", with_article(ty));
                    c.fail(Problem::error(e.span, message))
                }
            }
        };
        let (from_value, to_value) = (bound(self, from), bound(self, to));
        let (from_value, to_value) = (from_value?, to_value?);
        let joined = Inferred::of(&from_value).join(&Inferred::of(&to_value));
        let ty = joined.map_or(Type::I64, |j| j.ty);
        if let (Some(a), Some(b)) = (from_value.literal(), to_value.literal())
            && (a as i64) >= (b as i64)
        {
            let problem = Problem::warning(from.span.to(to.span), "this range is empty: the loop never runs")
                .note("`a..b` starts with `a` and ends before `b`");
            self.warn(problem);
        }
        Ok((build::cast(from_value, &ty), build::cast(to_value, &ty)))
    }

    /// The map that a loop runs over, and the type of `(key, value)`.
    fn entries(&mut self, e: &Expr) -> Checked<(hir::MapId, Type)> {
        let name = match &e.kind {
            ExprKind::Map { name, keys } if keys.is_empty() => name,
            ExprKind::Map { name, .. } => {
                let problem = Problem::error(e.span, "a loop runs over a whole map")
                    .help(format!("write `{}` without a key", name.text));
                return self.fail(problem);
            }
            _ => {
                let problem = Problem::error(e.span, "a `for` runs over a range or a map")
                    .help("`for ($i : 0..10) { … }`, `for ($kv : @map) { … }`");
                return self.fail(problem);
            }
        };
        let map = self.maps.id(name);
        self.assigned(map, name)?;
        let Some(key) = self.maps.keys(map) else {
            if !self.maps.is_scalar(map) {
                return Err(Stop::Unknown);
            }
            let problem = Problem::error(
                e.span,
                format!("`{}` has no keys, so there is nothing to run over", name.text),
            )
            .label(self.maps.get(map).key.as_ref().map_or(e.span, |(_, at)| *at), "used without a key here");
            return self.fail(problem);
        };
        let value = match self.maps.get(map).value.as_ref() {
            Some((Value::Plain(inferred), _)) => inferred.ty.clone(),
            Some((
                Value::Agg {
                    agg:
                        agg @ (Agg::Hist { .. } | Agg::Lhist { .. } | Agg::Stats { .. } | Agg::Tseries { .. }),
                    ..
                },
                at,
            )) => {
                let (agg, at) = (super::agg_name(*agg), *at);
                let problem = Problem::error(e.span, format!("a loop cannot run over {agg}() values"))
                    .label(at, "assigned here")
                    .help(format!("`print({})` prints them", name.text));
                return self.fail(problem);
            }
            Some((Value::Agg { agg, .. }, _)) if super::maps::agg_signed(*agg) => Type::I64,
            _ => Type::U64,
        };
        Ok((map, Type::Tuple(vec![key, value])))
    }

    /// `while (c)`
    pub(super) fn while_stmt(&mut self, cond: &Expr, body: &Block) -> Checked<Vec<hir::StmtKind>> {
        let checked = self.condition(cond);
        let body = self.round(body);
        let cond = checked?;
        if cond.literal() == Some(0) {
            return Ok(Vec::new());
        }
        Ok(vec![hir::StmtKind::Loop { kind: LoopKind::While { cond }, body }])
    }

    /// The block of a loop.
    fn round(&mut self, body: &Block) -> Vec<Stmt> {
        self.loops += 1;
        let body = self.block(body);
        self.loops -= 1;
        body
    }

    /// `break`, `continue`
    pub(super) fn leave_round(
        &mut self,
        span: Span,
        word: &str,
        kind: hir::StmtKind,
    ) -> Checked<hir::StmtKind> {
        if self.loops == 0 {
            let problem = Problem::error(span, format!("`{word}` stands in no loop"))
                .help("`return` leaves the block of the probe");
            return self.fail(problem);
        }
        Ok(kind)
    }

    // ---- blocks with a value

    /// `{ …; e }`: the statements, then the value.
    pub(super) fn block_value(&mut self, block: &Block, span: Span) -> Checked<hir::Expr> {
        self.scopes.enter();
        let value = self.block_value_inside(block, span);
        self.scopes.leave();
        value
    }

    fn block_value_inside(&mut self, block: &Block, span: Span) -> Checked<hir::Expr> {
        let Some((last, before)) = block.stmts.split_last() else {
            return self.fail(
                Problem::error(span, "this block has no value")
                    .help("end it with an expression: `{ …; $x }`"),
            );
        };
        let stmts = self.stmts(before);
        let value = match &last.kind {
            StmtKind::Expr(e) if block.open => self.expr(e),
            StmtKind::Block(inner) => self.block_value(inner, last.span),
            StmtKind::If { arms, els: Some(els) } => self.if_value(arms, els, last.span),
            StmtKind::Expr(e) => {
                let problem = Problem::error(span, "this block has no value")
                    .label(e.span, "a semicolon stands behind this expression")
                    .help("leave out the last semicolon");
                self.fail(problem)
            }
            _ => {
                let problem = Problem::error(span, "this block has no value")
                    .label(last.span, "the last statement is no expression")
                    .help("end it with an expression: `{ …; $x }`");
                self.fail(problem)
            }
        }?;
        if stmts.is_empty() {
            return Ok(value);
        }
        let ty = value.ty.clone();
        Ok(hir::Expr::new(hir::ExprKind::Block(stmts, Box::new(value)), ty, span))
    }

    /// `if (c) { a } else { b }` as a value.
    pub(super) fn if_value(&mut self, arms: &[(Expr, Block)], els: &Block, span: Span) -> Checked<hir::Expr> {
        if arms.len() > crate::parse::MAX_HEIGHT as usize {
            return self.fail(Problem::error(span, "too many `else if`"));
        }
        let mut checked: Vec<(hir::Expr, hir::Expr)> = Vec::new();
        let mut last = None;
        for (condition, block) in arms {
            let (cond, comptime) = self.arm_condition(condition)?;
            if comptime && cond.literal() == Some(0) {
                continue;
            }
            let value = self.block_value(block, block.span)?;
            if comptime {
                last = Some(value);
                break;
            }
            checked.push((cond, value));
        }
        let mut rest = match last {
            Some(value) => value,
            None => self.block_value(els, els.span)?,
        };
        for (cond, value) in checked.into_iter().rev() {
            rest = self.choice(cond, value, rest, span)?;
        }
        Ok(rest)
    }

    /// One of two values.
    fn choice(&mut self, cond: hir::Expr, a: hir::Expr, b: hir::Expr, span: Span) -> Checked<hir::Expr> {
        let (a_span, b_span, a_ty, b_ty) = (a.span, b.span, a.ty.clone(), b.ty.clone());
        let joined = Inferred::of(&a).join(&Inferred::of(&b));
        let fitted = joined.and_then(|j| Some((infer::coerce(a, &j.ty)?, infer::coerce(b, &j.ty)?, j.ty)));
        let Some((a, b, ty)) = fitted else {
            let problem = Problem::error(span, "all blocks of an `if` with a value must have one type")
                .label(a_span, format!("this is {}", with_article(&a_ty)))
                .label(b_span, format!("this is {}", with_article(&b_ty)));
            return self.fail(problem);
        };
        let kind = hir::ExprKind::Ternary(Box::new(cond), Box::new(a), Box::new(b));
        Ok(crate::fold::node(hir::Expr::new(kind, ty, span)))
    }

    // ---- macros

    /// Translates the block of a macro; problems in it name the call too.
    pub(super) fn expanded<T>(
        &mut self,
        name: &Name,
        span: Span,
        translate: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.expansions.push((name.text.clone(), span));
        let result = translate(self);
        self.expansions.pop();
        result
    }

    /// A macro as a statement: nobody asks for its value.
    pub(super) fn macro_stmt(&mut self, block: &Block) -> Vec<Stmt> {
        self.scopes.enter();
        let out = match block.stmts.split_last() {
            Some((ast::Stmt { kind: StmtKind::Expr(last), .. }, before))
                if block.open && !self.is_effect(last) =>
            {
                let mut out = self.stmts(before);
                if let Ok(value) = self.expr(last) {
                    out.push(Stmt { kind: hir::StmtKind::Expr(value), span: last.span });
                }
                out
            }
            _ => self.stmts(&block.stmts),
        };
        self.scopes.leave();
        out
    }

    // ---- comptime

    /// `comptime e`: a value that is known now.
    pub(crate) fn comptime(&mut self, e: &Expr) -> Checked<hir::Expr> {
        let value = self.expr(e)?;
        match value.kind {
            hir::ExprKind::Int(_) | hir::ExprKind::Str(_) => Ok(value),
            _ => {
                let problem = Problem::error(e.span, "this is not known before the run").note(
                    "literals, parameters, `sizeof`, constants of enums, and what is computed of them are",
                );
                self.fail(problem)
            }
        }
    }

    pub(crate) fn comptime_condition(&mut self, e: &Expr) -> Checked<hir::Expr> {
        let value = self.comptime(e)?;
        let cond = match &value.kind {
            hir::ExprKind::Str(text) => build::bool(!text.is_empty(), e.span),
            _ => build::nonzero(value),
        };
        Ok(cond)
    }
}
