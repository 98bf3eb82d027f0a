//! Statements.

use crate::ast::{self, BinOp, Block, Expr, ExprKind, Name, StmtKind, TypeExpr, TypeKind};
use crate::builtin;
use crate::check::infer::{self, Inferred};
use crate::check::maps::with_article;
use crate::check::types::{self, ANY_BUFFER, ANY_STRING};
use crate::check::{Checked, Checker, Outcome, ProbeKind, Stop, Value, build};
use crate::diag::Problem;
use crate::hir::{self, Agg, Stmt, UnOp, VarId};
use crate::span::Span;
use crate::types::{AddrSpace, Type};

/// Most copies of an unrolled block.
const MAX_UNROLL: u64 = 100;
/// Most statements of one program, copies of unrolled blocks included: nested `unroll`s multiply.
const MAX_WORK: usize = 50_000;

/// Why two buffers, or two stacks, may be of different types.
const FIXED_SIZE: &str = "their sizes differ, and what is kept cannot change its size";

/// What stands left of an assignment.
enum Target<'a> {
    Var(&'a str),
    Map(&'a Name, &'a [Expr]),
}

impl Checker<'_> {
    /// The statements of a block whose scope is open. A statement with an error is left out.
    pub(super) fn stmts(&mut self, stmts: &[ast::Stmt]) -> Vec<Stmt> {
        let mut out = Vec::new();
        for stmt in stmts {
            if let Ok(translated) = self.stmt(stmt) {
                out.extend(translated);
            }
        }
        out
    }

    /// A block with a scope of its own.
    pub(super) fn block(&mut self, block: &Block) -> Vec<Stmt> {
        self.scopes.enter();
        let out = self.stmts(&block.stmts);
        self.scopes.leave();
        out
    }

    fn stmt(&mut self, stmt: &ast::Stmt) -> Checked<Vec<Stmt>> {
        self.work += 1;
        let kinds = match &stmt.kind {
            StmtKind::If { arms, els } => return self.if_stmt(arms, els.as_ref()),
            StmtKind::Unroll { count, body } => return self.unroll(count, body),
            // Blocks have no meaning but their scope, which is settled here.
            StmtKind::Block(block) => return Ok(self.block(block)),
            StmtKind::Expr(Expr { kind: ExprKind::Macro { name, block }, span, .. }) => {
                return Ok(self.expanded(name, *span, |c| c.macro_stmt(block)));
            }
            StmtKind::Expr(e) => self.expr_stmt(e)?,
            StmtKind::Assign { target, op: None, value } if is_discard(target) => {
                vec![hir::StmtKind::Expr(self.expr(value)?)]
            }
            StmtKind::Assign { target, op, value } => match self.assign_target(target)? {
                Target::Var(name) => self.assign_var(name, target.span, *op, value)?,
                Target::Map(name, keys) => self.assign_map(name, keys, target.span, *op, value)?,
            },
            StmtKind::Let { name, ty, value } => self.let_stmt(name, ty.as_ref(), value.as_ref())?,
            StmtKind::Return(value) if self.in_function() => self.return_from(value.as_ref(), stmt.span)?,
            StmtKind::Return(Some(value)) if self.target().kind() == ProbeKind::Test => {
                self.result_of_test(value, stmt.span)?
            }
            StmtKind::Return(value) => {
                if let Some(value) = value {
                    let problem = Problem::warning(value.span, "the value of `return` is not used")
                        .note("`return` leaves the block; nobody sees its value");
                    self.warn(problem);
                    self.expr(value)?;
                }
                vec![hir::StmtKind::Return]
            }
            StmtKind::For { var, over, body } => self.for_stmt(var, over, body)?,
            StmtKind::While { cond, body } => self.while_stmt(cond, body)?,
            StmtKind::Break => vec![self.leave_round(stmt.span, "break", hir::StmtKind::Break)?],
            StmtKind::Continue => vec![self.leave_round(stmt.span, "continue", hir::StmtKind::Continue)?],
            StmtKind::Error => Vec::new(),
        };
        Ok(with_span(kinds, stmt.span))
    }

    fn assign_target<'e>(&mut self, target: &'e Expr) -> Checked<Target<'e>> {
        match &target.kind {
            ExprKind::Var(name) => Ok(Target::Var(name)),
            ExprKind::Map { name, keys } => Ok(Target::Map(name, keys)),
            ExprKind::TupleMember(..) => self.fail(
                Problem::error(target.span, "members of a tuple cannot be assigned")
                    .help("make a new tuple: `$t = ($t.0, 1)`"),
            ),
            ExprKind::Member(..) | ExprKind::Index(..) | ExprKind::Unary(ast::UnOp::Deref, _) => {
                let problem = match outermost(target) {
                    ExprKind::Map { name, .. } => {
                        let name = &name.text;
                        Problem::error(target.span, "a part of a map's value cannot be assigned").help(
                            format!("a key stands in brackets, several with commas: `{name}[a, b] = …`"),
                        )
                    }
                    ExprKind::Ident(name) if builtin::find(name).is_none() => {
                        Problem::error(target.span, format!("`{name}` cannot be assigned"))
                            .help(format!("a map starts with `@`: `@{name}[…] = …`"))
                    }
                    _ => Problem::error(target.span, "memory of the traced program cannot be changed"),
                };
                self.fail(problem)
            }
            ExprKind::Ident(name) => {
                let problem = Problem::error(target.span, format!("`{name}` cannot be assigned"));
                self.fail(
                    problem.help(format!("a variable starts with `$`: `${name}`; a map with `@`: `@{name}`")),
                )
            }
            _ => self.fail(
                Problem::error(target.span, "this cannot be assigned")
                    .help("assign to a variable `$x` or a map `@x`"),
            ),
        }
    }

    // ---- variables

    fn let_stmt(
        &mut self,
        name: &Name,
        ty: Option<&TypeExpr>,
        value: Option<&Expr>,
    ) -> Checked<Vec<hir::StmtKind>> {
        // The value is checked before the name is known: `let $x = $x` is an error.
        let checked = value.map(|v| self.assigned_value(v)).transpose();
        if let Some(id) = self.scopes.find(&name.text) {
            let before = self.scopes.vars[id.0 as usize].span;
            let problem = Problem::error(name.span, format!("`${}` is declared already", name.text))
                .label(before, "first declared here")
                .help("leave out the `let`, or choose another name");
            return self.fail(problem);
        }
        let id = self.scopes.declare(&name.text, name.span);
        if let Some(ty) = ty {
            let resolved = self.written_type(ty, self.default_space())?;
            if resolved == Type::Void {
                return self.fail(Problem::error(ty.span, "a variable cannot be `void`"));
            }
            match resolved {
                ANY_STRING => self.declared_any(id, Type::Str(8), ty.span),
                ANY_BUFFER => self.declared_any(id, Type::Buf(8), ty.span),
                resolved => self.vars().fix(id, resolved, ty.span),
            }
        }
        match checked? {
            Some(value) => {
                let value = self.join_var(id, value)?;
                Ok(vec![hir::StmtKind::SetVar(id, value)])
            }
            None => self.zero_var(id, name.span),
        }
    }

    /// `let $x : string`: as large as the longest of its values.
    pub(super) fn declared_any(&mut self, id: VarId, least: Type, span: Span) {
        let inferred = Inferred { ty: least, weak: false };
        if let Ok((_, changed)) = self.vars().assign(id, &inferred, span) {
            self.maps.changed |= changed;
        }
    }

    /// `let $x` without a value assigns zero.
    fn zero_var(&mut self, id: VarId, span: Span) -> Checked<Vec<hir::StmtKind>> {
        let Some((inferred, at)) = self.vars().get(id).cloned() else {
            let problem = Problem::error(
                span,
                format!("`${}` is never assigned", self.scopes.vars[id.0 as usize].name),
            )
            .help("give it a value or a type: `let $x = 0`, `let $x : uint64`");
            return self.unknown(problem);
        };
        match zero(&inferred.ty, span) {
            Some(value) => Ok(vec![hir::StmtKind::SetVar(id, value)]),
            None => self.fail(
                Problem::error(span, format!("a variable of type {} needs a value here", inferred.ty))
                    .label(at, "its type comes from here"),
            ),
        }
    }

    /// The right side of an assignment to a variable.
    pub(super) fn assigned_value(&mut self, value: &Expr) -> Checked<hir::Expr> {
        if let ExprKind::Call { name, .. } = &value.kind
            && builtin::find(&name.text).is_some_and(|b| b.form == builtin::Form::MapValue)
        {
            return self.not_in_map(name, value.span);
        }
        let value = self.expr(value)?;
        if value.ty == Type::Void || matches!(&value.ty, Type::Tuple(list) if list.is_empty()) {
            return self.fail(Problem::error(value.span, "this is no value that could be kept"));
        }
        Ok(value)
    }

    /// Notes the type of an assigned value and brings the value to the variable's type.
    pub(crate) fn join_var(&mut self, id: VarId, value: hir::Expr) -> Checked<hir::Expr> {
        let name = format!("`${}`", self.scopes.vars[id.0 as usize].name);
        self.join_var_of(self.index, id, &name, value)
    }

    /// The same for a variable of any target; `name` is what messages call it.
    pub(super) fn join_var_of(
        &mut self,
        index: usize,
        id: VarId,
        name: &str,
        value: hir::Expr,
    ) -> Checked<hir::Expr> {
        let inferred = Inferred::of(&value);
        let (span, fixed) = (value.span, self.var_types[index].is_fixed(id));
        let joined = self.var_types[index].assign(id, &inferred, span);
        match joined {
            Ok((ty, changed)) => {
                self.maps.changed |= changed;
                match infer::coerce(value, &ty) {
                    Some(value) => Ok(value),
                    None => self.var_conflict(name, &inferred.ty, &ty, span, span),
                }
            }
            Err((ty, _)) if fixed && fits(&value, &ty) => Ok(build::cast(value, &ty)),
            Err((ty, at)) if fixed && ty.is_int() && value.literal().is_some() && value.ty.is_int() => {
                self.too_large(&value, name, &ty, at)
            }
            Err((ty, at)) => self.var_conflict(name, &inferred.ty, &ty, span, at),
        }
    }

    /// A literal that is no value of a declared integer type.
    fn too_large<T>(&mut self, value: &hir::Expr, name: &str, ty: &Type, at: Span) -> Checked<T> {
        let raw = value.literal().unwrap_or_default();
        let (bits, signed) = ty.integer().unwrap_or((64, true));
        let top = u64::MAX >> (64 - u32::from(bits) + u32::from(signed));
        let least = if signed { -i128::from(top) - 1 } else { 0 };
        let number = if value.ty.is_signed() { i128::from(raw as i64) } else { i128::from(raw) };
        let what = if number < least { "small" } else { "large" };
        let problem = Problem::error(value.span, format!("{number} is too {what} for {}", with_article(ty)))
            .label(at, format!("{name} got its type here"))
            .note(format!("the values of {} go from {least} to {top}", with_article(ty)));
        self.fail(problem)
    }

    fn var_conflict<T>(&mut self, name: &str, value: &Type, var: &Type, span: Span, at: Span) -> Checked<T> {
        let message = match (value, var) {
            (Type::Str(n), Type::Str(room)) => format!(
                "this string may have {} bytes, but {name} has room for {}",
                n - 1,
                room.saturating_sub(1)
            ),
            _ => format!("this is {}, but {name} is {}", with_article(value), with_article(var)),
        };
        let problem = Problem::error(span, message).label(at, format!("{name} got its type here"));
        self.fail(match (value, var) {
            (Type::Buf(_), Type::Buf(_)) | (Type::Stack { .. }, Type::Stack { .. }) => {
                problem.note(FIXED_SIZE)
            }
            (Type::Str(_), Type::Str(_)) => {
                problem.help("without a size, `string` has room for all its values")
            }
            (Type::Int { .. }, Type::Int { .. }) => problem.help(format!("cast it: `({var})…`")),
            _ => problem,
        })
    }

    /// `return` in a test: what it returns is told, unless it is the 0 of a test that passes.
    fn result_of_test(&mut self, value: &Expr, span: Span) -> Checked<Vec<hir::StmtKind>> {
        let value = self.number_arg(value)?;
        let value = self.cast_to(value, &Type::I64).with_span(span);
        let told = hir::StmtKind::Emit { action: hir::Action::Return, args: vec![value.clone()] };
        Ok((value.literal() != Some(0)).then_some(told).into_iter().chain([hir::StmtKind::Return]).collect())
    }

    fn assign_var(
        &mut self,
        name: &str,
        span: Span,
        op: Option<BinOp>,
        value: &Expr,
    ) -> Checked<Vec<hir::StmtKind>> {
        let Some(op) = op else {
            let value = self.assigned_value(value);
            let id = self.scopes.find(name).unwrap_or_else(|| self.scopes.declare(name, span));
            let value = self.join_var(id, value?)?;
            // `$ignore = delete(@x, 1)` is written for what the call does.
            self.scopes.vars[id.0 as usize].used |= value.has_effects();
            return Ok(vec![hir::StmtKind::SetVar(id, value)]);
        };
        let id = self.find_var(name, span)?;
        let value = self.expr(value)?;
        let old = self.var_value(id, span)?;
        let ty = old.ty.clone();
        let value_span = span.to(value.span);
        let new = self.arithmetic(op, old, value, value_span)?;
        // A 64-bit variable keeps its sign: `$x -= 1` does not make it signed.
        let keeps =
            matches!(ty, Type::Int { bits: 64, .. }) && !self.vars().get(id).is_some_and(|(i, _)| i.weak);
        let new = if keeps || self.vars().is_fixed(id) && ty.is_int() && new.ty.is_int() {
            build::cast(new, &ty)
        } else {
            self.join_var(id, new)?
        };
        Ok(vec![hir::StmtKind::SetVar(id, new)])
    }

    /// Warns of variables that are assigned and never read.
    pub(super) fn unused_variables(&mut self) {
        let unused: Vec<(String, Span)> =
            self.scopes.vars.iter().filter(|v| !v.used).map(|v| (v.name.clone(), v.span)).collect();
        for (name, span) in unused {
            self.warn(Problem::warning(span, format!("`${name}` is never read")));
        }
    }

    // ---- maps

    fn assign_map(
        &mut self,
        name: &Name,
        keys: &[Expr],
        span: Span,
        op: Option<BinOp>,
        value: &Expr,
    ) -> Checked<Vec<hir::StmtKind>> {
        let (map, key) = self.map_entry(name, keys, span)?;
        let Some(op) = op else {
            let outcome = self.map_value(value);
            if let Err(Stop::Unknown) = outcome {
                self.maps.list[map.0 as usize].pending.get_or_insert(span);
            }
            return match outcome? {
                Outcome::Aggregate { agg, value: accounted } => {
                    let weak = accounted.as_ref().is_none_or(infer::is_weak);
                    let agg = match self.maps.aggregate(map, agg, weak, value.span) {
                        Ok(agg) => agg,
                        Err(c) => {
                            let what = format!("this is {}", super::maps::describe(agg));
                            return self.conflict(&c, value.span, &name.text, &what);
                        }
                    };
                    let accounted = accounted.map(|v| match agg {
                        // A histogram sorts every number by its own sign.
                        Agg::Hist { .. } | Agg::Lhist { .. } => v,
                        _ if super::maps::agg_signed(agg) => build::cast(v, &Type::I64),
                        _ => build::cast(v, &Type::U64),
                    });
                    Ok(vec![hir::StmtKind::Update { map, key, value: accounted }])
                }
                Outcome::Value(v) => {
                    let value = self.join_map(map, name, v)?;
                    Ok(vec![hir::StmtKind::SetMap { map, key, value }])
                }
                Outcome::Effect(_) => {
                    self.fail(Problem::error(value.span, "this gives no value").at("nothing to assign"))
                }
            };
        };
        let value = self.expr(value)?;
        if let (BinOp::Add | BinOp::Sub, Type::Int { .. } | Type::Bool) = (op, &value.ty) {
            let delta = self.promote(value);
            return self.add_map(map, name, key, delta, op == BinOp::Sub);
        }
        let old = self.map_get(map, name, key.clone(), span)?;
        let ty = old.ty.clone();
        let new_span = span.to(value.span);
        let new = self.arithmetic(op, old, value, new_span)?;
        let new = if matches!(ty, Type::Int { bits: 64, .. }) { build::cast(new, &ty) } else { new };
        let value = self.join_map(map, name, new)?;
        Ok(vec![hir::StmtKind::SetMap { map, key, value }])
    }

    /// The right side of an assignment to a map: an aggregation or a value.
    fn map_value(&mut self, value: &Expr) -> Checked<Outcome> {
        match &value.kind {
            ExprKind::Call { name, args } => self.call(name, args, value.span, false),
            _ => Ok(Outcome::Value(self.assigned_value(value)?)),
        }
    }

    fn join_map(&mut self, map: hir::MapId, name: &Name, value: hir::Expr) -> Checked<hir::Expr> {
        let (inferred, span) = (Inferred::of(&value), value.span);
        let what = format!("this is {}", with_article(&value.ty));
        if matches!(&value.ty, Type::Void) || matches!(&value.ty, Type::Tuple(list) if list.is_empty()) {
            return self.fail(Problem::error(span, "this is no value that could be kept"));
        }
        let ty = match self.maps.plain(map, &inferred, span) {
            Ok(ty) => ty,
            Err(c) => return self.conflict(&c, span, &name.text, &what),
        };
        match infer::coerce(value, &ty) {
            Some(value) => Ok(value),
            None => {
                let message = format!("{what}, but `{}` holds {}", name.text, with_article(&ty));
                let problem = Problem::error(span, message);
                self.fail(match ty {
                    Type::Buf(_) | Type::Stack { .. } => problem.note(FIXED_SIZE),
                    _ => problem,
                })
            }
        }
    }

    /// `@m[k] += delta`: one atomic add of 64 bits.
    fn add_map(
        &mut self,
        map: hir::MapId,
        name: &Name,
        key: Option<hir::Expr>,
        delta: hir::Expr,
        negate: bool,
    ) -> Checked<Vec<hir::StmtKind>> {
        let span = delta.span;
        let mut says = Inferred::of(&delta);
        says.weak |= self.plain_type(map).is_some_and(|t| t.ty == Type::U64);
        let ty = match self.maps.plain(map, &says, span) {
            Ok(ty) => ty,
            Err(c) => return self.conflict(&c, span, &name.text, "a number is added"),
        };
        if !matches!(ty, Type::Int { bits: 64, .. }) {
            return self
                .fail(Problem::error(span, format!("a number cannot be added to {}", with_article(&ty))));
        }
        let delta = build::cast(delta, &ty);
        let delta = if negate { build::unary(UnOp::Neg, delta, ty, span) } else { delta };
        Ok(vec![hir::StmtKind::AddMap { map, key, delta }])
    }

    /// What is known about the plain values of a map.
    pub(super) fn plain_type(&self, map: hir::MapId) -> Option<&Inferred> {
        match &self.maps.get(map).value {
            Some((Value::Plain(inferred), _)) => Some(inferred),
            _ => None,
        }
    }

    // ---- the others

    fn expr_stmt(&mut self, e: &Expr) -> Checked<Vec<hir::StmtKind>> {
        match &e.kind {
            ExprKind::Call { name, args } => match self.call(name, args, e.span, true)? {
                Outcome::Effect(stmts) => Ok(stmts),
                Outcome::Value(value) => Ok(self.discard(value)),
                Outcome::Aggregate { .. } => self.not_in_map(name, e.span),
            },
            // `c ? print(1) : print(2);` is an `if`.
            ExprKind::Ternary(cond, Some(a), b) if self.is_effect(a) || self.is_effect(b) => {
                let cond = self.condition(cond);
                let mut branch = |e: &Expr| Ok(with_span(self.expr_stmt(e)?, e.span));
                let (then, els) = (branch(a), branch(b));
                Ok(vec![hir::StmtKind::If { cond: cond?, then: then?, els: els? }])
            }
            ExprKind::Increment { target, down, .. } => self.increment_stmt(target, *down, e),
            _ => {
                let value = self.expr(e)?;
                Ok(self.discard(value))
            }
        }
    }

    /// `@m++;` needs no old value: an atomic add. `$x++;` stays an expression.
    fn increment_stmt(&mut self, target: &Expr, down: bool, e: &Expr) -> Checked<Vec<hir::StmtKind>> {
        if let ExprKind::Map { name, keys } = &target.kind {
            let (map, key) = self.map_entry(name, keys, target.span)?;
            let one = build::int(1, Type::I64, e.span);
            if !self.plain_type(map).is_some_and(|t| matches!(t.ty, Type::Ptr { .. })) {
                return self.add_map(map, name, key, one, down);
            }
        }
        let value = self.expr(e)?;
        Ok(vec![hir::StmtKind::Expr(value)])
    }

    /// An expression whose value nobody uses.
    fn discard(&mut self, value: hir::Expr) -> Vec<hir::StmtKind> {
        if crate::fold::is_pure(&value) {
            let problem = Problem::warning(value.span, "this value is not used")
                .help("assign it, print it, or write `_ = …` to discard it");
            self.warn(problem);
        }
        vec![hir::StmtKind::Expr(value)]
    }

    fn if_stmt(&mut self, arms: &[(Expr, Block)], els: Option<&Block>) -> Checked<Vec<Stmt>> {
        if arms.len() > crate::parse::MAX_HEIGHT as usize {
            let span = arms.last().map(|(c, _)| c.span).unwrap_or_default();
            return self.fail(Problem::error(span, "too many `else if`"));
        }
        let mut checked: Vec<(hir::Expr, Vec<Stmt>, Span)> = Vec::new();
        let mut failed = None;
        for (condition, block) in arms {
            let span = condition.span.to(block.span);
            match self.arm_condition(condition) {
                // What is not compiled is not checked either: it may not fit the types of this program.
                Ok((cond, true)) if cond.literal() == Some(0) => {}
                Ok((_, true)) => {
                    let block = self.block(block);
                    return finish_if(checked, block, failed);
                }
                Ok((cond, false)) => checked.push((cond, self.block(block), span)),
                Err(stop) => {
                    failed.get_or_insert(stop);
                    self.block(block);
                }
            }
        }
        let els = els.map(|b| self.block(b)).unwrap_or_default();
        finish_if(checked, els, failed)
    }

    /// A condition, and whether it decides which block is compiled at all (`if comptime`).
    pub(super) fn arm_condition(&mut self, condition: &Expr) -> Checked<(hir::Expr, bool)> {
        match &condition.kind {
            ExprKind::Comptime(e) => Ok((self.comptime_condition(e)?, true)),
            _ => Ok((self.condition(condition)?, false)),
        }
    }

    fn unroll(&mut self, count: &Expr, body: &Block) -> Checked<Vec<Stmt>> {
        let n = self.constant(count, "the count of `unroll`")?;
        let Some(n) = u64::try_from(n).ok().filter(|n| (1..=MAX_UNROLL).contains(n)) else {
            let message = format!("`unroll` repeats 1 to {MAX_UNROLL} times, not {n} times");
            return self.fail(Problem::error(count.span, message));
        };
        let mut out = Vec::new();
        for _ in 0..n {
            self.work += 1;
            if self.work > MAX_WORK {
                if std::mem::replace(&mut self.exhausted, true) {
                    return Err(Stop::Reported);
                }
                return self.fail(Problem::error(count.span, "the unrolled block is too long"));
            }
            out.extend(self.block(body));
        }
        Ok(out)
    }

    /// Whether an expression is a call for its effect, or a choice of such.
    pub(super) fn is_effect(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Call { name, .. } => {
                self.gives_nothing(&name.text)
                    || builtin::find(&name.text).is_some_and(|b| b.form == builtin::Form::Statement)
            }
            ExprKind::Ternary(_, Some(a), b) => self.is_effect(a) || self.is_effect(b),
            _ => false,
        }
    }

    /// A written type.
    pub(crate) fn written_type(&mut self, ty: &TypeExpr, space: AddrSpace) -> Checked<Type> {
        let resolved = match &ty.kind {
            TypeKind::Typeof(e) => {
                return match self.named_type(e) {
                    Some(ty) => Ok(ty),
                    None => Ok(self.expr(e)?.ty),
                };
            }
            TypeKind::Pointer(to) if ty.typeof_operand().is_some() => {
                return Ok(types::pointer_to(self.written_type(to, space)?, space));
            }
            TypeKind::Array(of, n) if ty.typeof_operand().is_some() => {
                let n = match n {
                    Some(n) => self.constant(n, "the size of an array")?,
                    None => 0,
                };
                types::array_of(self.written_type(of, space)?, u64::try_from(n).unwrap_or(u64::MAX), ty.span)
            }
            _ => self.types.resolve(ty, space, &|name| self.of_program(name)),
        };
        match resolved {
            Ok(ty) => Ok(ty),
            Err(problem) => {
                let name = match &ty.kind {
                    TypeKind::Record(_, name) => Some(&name.text),
                    TypeKind::Named(name) => Some(name),
                    _ => None,
                };
                let several = name.and_then(|name| self.same_names(name, ty.span));
                self.fail(several.unwrap_or(*problem))
            }
        }
    }

    /// The type that a lone name stands for, where a value of that name would be meant if there was one.
    pub(super) fn named_type(&self, e: &Expr) -> Option<Type> {
        let ExprKind::Ident(name) = &e.kind else { return None };
        if self.types.constants.contains_key(name) || builtin::find(name).is_some() {
            return None;
        }
        let named = TypeExpr { kind: TypeKind::Named(name.clone()), span: e.span };
        self.types.resolve(&named, AddrSpace::User, &|name| self.of_program(name)).ok()
    }
}

/// An `if` of the arms whose conditions are known only at run time, and the block for when none is true.
fn finish_if(
    arms: Vec<(hir::Expr, Vec<Stmt>, Span)>,
    els: Vec<Stmt>,
    failed: Option<Stop>,
) -> Checked<Vec<Stmt>> {
    if let Some(stop) = failed {
        return Err(stop);
    }
    let mut rest = els;
    for (cond, then, span) in arms.into_iter().rev() {
        rest = match cond.literal() {
            Some(0) => rest,
            Some(_) => then,
            None => vec![Stmt { kind: hir::StmtKind::If { cond, then, els: rest }, span }],
        };
    }
    Ok(rest)
}

fn with_span(kinds: Vec<hir::StmtKind>, span: Span) -> Vec<Stmt> {
    kinds.into_iter().map(|kind| Stmt { kind, span }).collect()
}

/// `_`
fn is_discard(target: &Expr) -> bool {
    matches!(&target.kind, ExprKind::Ident(name) if name == "_")
}

/// Whether a literal is a value of the type.
fn fits(value: &hir::Expr, ty: &Type) -> bool {
    let Some(v) = value.literal() else {
        return infer::join(&value.ty, ty).as_ref() == Some(ty);
    };
    ty.is_int()
        && crate::fold::canonical(v, ty) == v
        && (ty.is_signed() || v as i64 >= 0 || !value.ty.is_signed())
}

/// The zero of a type, where there is a literal for it.
fn zero(ty: &Type, span: Span) -> Option<hir::Expr> {
    match ty {
        Type::Str(_) => Some(build::string(b"", span)),
        Type::Tuple(list) => {
            let members = list.iter().map(|t| zero(t, span)).collect::<Option<Vec<_>>>()?;
            Some(hir::Expr::new(hir::ExprKind::Tuple(members), ty.clone(), span))
        }
        Type::Struct(_) | Type::Array(..) | Type::Record(_) | Type::Inet | Type::Mac => {
            Some(hir::Expr::new(hir::ExprKind::Zero, ty.clone(), span))
        }
        t if t.is_scalar() => Some(build::int(0, t.clone(), span)),
        _ => None,
    }
}

/// What a place is a part of: `x` of `x.a[1]`.
fn outermost(place: &Expr) -> &ExprKind {
    match &place.kind {
        ExprKind::Member(base, _) | ExprKind::Index(base, _) => outermost(base),
        kind => kind,
    }
}
