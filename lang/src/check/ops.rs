//! Operators: which operands they take and what type they give.
//!
//! Arithmetic is 64-bit. Its sign: `-` gives a signed number; otherwise a literal takes the sign of the other operand,
//! integers below 64 bits become signed ones beside a signed operand, and `uint64` with `int64` is `uint64`.

use crate::ast::{BinOp, Expr, ExprKind, UnOp};
use crate::check::infer::{self, is_weak};
use crate::check::maps::with_article;
use crate::check::{Checked, Checker, build};
use crate::diag::Problem;
use crate::hir::{self, LogicOp};
use crate::span::Span;
use crate::types::Type;

impl Checker<'_> {
    pub(super) fn binary(&mut self, op: BinOp, a: &Expr, b: &Expr, span: Span) -> Checked<hir::Expr> {
        let logic = match op {
            BinOp::LogAnd => Some(LogicOp::And),
            BinOp::LogOr => Some(LogicOp::Or),
            _ => None,
        };
        if let Some(logic) = logic {
            let (a, b) = (self.condition(a), self.condition(b));
            return Ok(build::logical(logic, a?, b?, span));
        }
        if let Some(compared) = self.nil_comparison(op, (a, b), span)? {
            return Ok(compared);
        }
        let (x, y) = (self.expr(a), self.expr(b));
        let (mut x, mut y) = (x?, y?);
        if op.is_comparison() {
            // `comm == $1`: the argument is text here, even when it looks like a number.
            if let (ExprKind::Param(n), Type::Str(_)) = (&b.kind, &x.ty) {
                y = build::string(self.param_text(*n).unwrap_or_default().as_bytes(), b.span);
            } else if let (ExprKind::Param(n), Type::Str(_)) = (&a.kind, &y.ty) {
                x = build::string(self.param_text(*n).unwrap_or_default().as_bytes(), a.span);
            }
            return self.compare(op, x, y, span);
        }
        self.arithmetic(op, x, y, span)
    }

    /// Arithmetic and bit operations on translated operands.
    pub(super) fn arithmetic(
        &mut self,
        op: BinOp,
        a: hir::Expr,
        b: hir::Expr,
        span: Span,
    ) -> Checked<hir::Expr> {
        let (a, b) = (build::plain(a), build::plain(b));
        match (&a.ty, &b.ty) {
            (Type::Float(_), _) | (_, Type::Float(_)) => return self.no_float(&a, &b),
            (Type::Ptr { .. }, _) | (_, Type::Ptr { .. }) => return self.pointer_arithmetic(op, a, b, span),
            (Type::Int { .. } | Type::Bool, Type::Int { .. } | Type::Bool) => {}
            (x, y) => {
                let problem = Problem::error(span, format!("`{}` needs numbers", op.symbol()))
                    .label(a.span, format!("this is {}", with_article(x)))
                    .label(b.span, format!("this is {}", with_article(y)));
                let joins = op == BinOp::Add && [x, y].iter().all(|ty| matches!(ty, Type::Str(_)));
                return self.fail(if joins {
                    problem.help("`str_concat(a, b)` joins texts")
                } else {
                    problem
                });
            }
        }
        if matches!(op, BinOp::Div | BinOp::Mod) && b.literal() == Some(0) {
            return self.fail(Problem::error(b.span, "division by zero"));
        }
        if matches!(op, BinOp::Shl | BinOp::Shr) {
            let ty = if a.ty.is_signed() || a.ty == Type::Bool { Type::I64 } else { Type::U64 };
            if b.literal().is_some_and(|n| n >= 64) {
                let problem = Problem::error(b.span, "a number has 64 bits; it cannot be shifted further");
                return self.fail(problem);
            }
            let ty = match exact(op, &a, &b) {
                Some(n) if i64::try_from(n).is_err() && u64::try_from(n).is_ok() => Type::U64,
                _ => ty,
            };
            let (a, b) = (build::cast(a, &ty), self.promote(b));
            return Ok(build::binary(hir_op(op), a, b, ty, span));
        }
        let ty = if op == BinOp::Sub { Type::I64 } else { common_type(&a, &b) };
        let ty = match exact(op, &a, &b) {
            None => ty,
            Some(n) if i64::try_from(n).is_ok() => ty,
            Some(n) if u64::try_from(n).is_ok() => Type::U64,
            Some(n) => {
                let problem = Problem::error(span, "this value is too large: it does not fit 64 bits");
                return self.fail(problem.note(format!("it is {n}")));
            }
        };
        if matches!(op, BinOp::Div | BinOp::Mod) && mixed_signs(&a, &b) {
            let problem =
                Problem::warning(span, format!("`{}` of a signed and an unsigned number", op.symbol()))
                    .label(a.span, format!("this is {}", with_article(&a.ty)))
                    .label(b.span, format!("this is {}", with_article(&b.ty)))
                    .note("both are taken as unsigned")
                    .help("cast one of them: `(int64)…`");
            self.warn(problem);
        }
        let (a, b) = (build::cast(a, &ty), build::cast(b, &ty));
        Ok(build::binary(hir_op(op), a, b, ty, span))
    }

    /// An operation on floating-point numbers.
    fn no_float<T>(&mut self, a: &hir::Expr, b: &hir::Expr) -> Checked<T> {
        let float = if matches!(a.ty, Type::Float(_)) { a } else { b };
        let problem = Problem::error(
            float.span,
            format!("this is a {}: programs cannot compute with floats", float.ty),
        );
        self.fail(problem.note("BPF has no floating-point instructions").help("print it: `%g`, `%f`, `%s`"))
    }

    /// An integer as 64 bits of its own sign.
    pub(super) fn promote(&self, e: hir::Expr) -> hir::Expr {
        let ty = if e.ty.is_signed() || e.ty == Type::Bool { Type::I64 } else { Type::U64 };
        build::cast(e, &ty)
    }

    fn pointer_arithmetic(
        &mut self,
        op: BinOp,
        a: hir::Expr,
        b: hir::Expr,
        span: Span,
    ) -> Checked<hir::Expr> {
        let scale = |checker: &Self, ty: &Type| match ty.pointee() {
            Some(Type::Void) | None => 1,
            Some(to) => u64::from(checker.complete_type(to).size()),
        };
        let size = scale(self, if a.ty.pointee().is_some() { &a.ty } else { &b.ty });
        if size == 0 {
            return self.fail(
                Problem::error(span, "the size of what this points to is not known")
                    .help("declare the structure: `struct T { … };`"),
            );
        }
        match (op, &a.ty, &b.ty) {
            (BinOp::Sub, Type::Ptr { .. }, Type::Ptr { .. }) if a.ty == b.ty => {
                let (a, b) = (build::cast(a, &Type::I64), build::cast(b, &Type::I64));
                let bytes = build::binary(hir::BinOp::Sub, a, b, Type::I64, span);
                let size = build::int(size, Type::I64, span);
                Ok(build::binary(hir::BinOp::Div, bytes, size, Type::I64, span))
            }
            (BinOp::Add | BinOp::Sub, Type::Ptr { .. }, Type::Int { .. })
            | (BinOp::Add, Type::Int { .. }, Type::Ptr { .. }) => {
                let (p, n) = if a.ty.pointee().is_some() { (a, b) } else { (b, a) };
                let ty = p.ty.clone();
                let moved = self.element(p, n, size, op == BinOp::Sub, span);
                Ok(build::cast(moved, &ty))
            }
            _ => {
                let problem = Problem::error(span, format!("`{}` does not go with a pointer", op.symbol()))
                    .label(a.span, format!("this is {}", with_article(&a.ty)))
                    .label(b.span, format!("this is {}", with_article(&b.ty)))
                    .help("cast it to a number: `(uint64)…`");
                self.fail(problem)
            }
        }
    }

    /// The address `p + n * size`, as `uint64`.
    pub(super) fn element(
        &mut self,
        p: hir::Expr,
        n: hir::Expr,
        size: u64,
        down: bool,
        span: Span,
    ) -> hir::Expr {
        let p = build::cast(p, &Type::U64);
        let n = build::cast(self.promote(n), &Type::U64);
        let bytes = build::binary(hir::BinOp::Mul, n, build::int(size, Type::U64, span), Type::U64, span);
        let op = if down { hir::BinOp::Sub } else { hir::BinOp::Add };
        build::binary(op, p, bytes, Type::U64, span)
    }

    // ---- comparisons

    fn compare(&mut self, op: BinOp, a: hir::Expr, b: hir::Expr, span: Span) -> Checked<hir::Expr> {
        let (a, b) = (build::plain(a), build::plain(b));
        let equality = matches!(op, BinOp::Eq | BinOp::Ne);
        let compare = |a, b| Ok(build::binary(hir_op(op), a, b, Type::Bool, span));
        match (&a.ty, &b.ty) {
            (Type::Float(_), _) | (_, Type::Float(_)) => self.no_float(&a, &b),
            (Type::Bool, Type::Bool) | (Type::Int { .. } | Type::Bool, Type::Int { .. } | Type::Bool) => {
                let ty = common_type(&a, &b);
                self.warn_comparison(op, &a, &b, &ty, span);
                compare(build::cast(a, &ty), build::cast(b, &ty))
            }
            (Type::Ptr { .. }, Type::Ptr { .. } | Type::Int { .. })
            | (Type::Int { .. }, Type::Ptr { .. }) => {
                compare(build::cast(a, &Type::U64), build::cast(b, &Type::U64))
            }
            (Type::GoTypeName, Type::Str(_)) if equality => self.compare_go_type(op, &a, &b, span),
            (Type::Str(_), Type::GoTypeName) if equality => self.compare_go_type(op, &b, &a, span),
            (Type::FuncName | Type::ProbeName, Type::Str(_)) if equality => {
                self.compare_name(op, &a, &b, span)
            }
            (Type::Str(_), Type::FuncName | Type::ProbeName) if equality => {
                self.compare_name(op, &b, &a, span)
            }
            (Type::FuncName, Type::FuncName) | (Type::ProbeName, Type::ProbeName) if equality => {
                compare(a, b)
            }
            (Type::KSym, Type::KSym) if equality => {
                compare(build::cast(a, &Type::U64), build::cast(b, &Type::U64))
            }
            (Type::Str(_), Type::Str(_)) if equality => {
                self.warn_length(&a, &b);
                self.warn_length(&b, &a);
                compare(a, b)
            }
            (Type::Tuple(_), Type::Tuple(_))
            | (Type::Record(_), Type::Record(_))
            | (Type::Array(..), Type::Array(..))
                if equality =>
            {
                let joined = infer::join(&a.ty, &b.ty).filter(is_comparable);
                let fitted = joined
                    .and_then(|ty| Some((infer::coerce(a.clone(), &ty)?, infer::coerce(b.clone(), &ty)?)));
                match fitted {
                    Some((a, b)) => compare(a, b),
                    None => self.cannot_compare(op, &a, &b, span),
                }
            }
            _ => self.cannot_compare(op, &a, &b, span),
        }
    }

    fn cannot_compare<T>(&mut self, op: BinOp, a: &hir::Expr, b: &hir::Expr, span: Span) -> Checked<T> {
        let (x, y) = (with_article(&a.ty), with_article(&b.ty));
        let message = if x == y {
            format!("`{}` does not compare values of type {}", op.symbol(), a.ty)
        } else {
            format!("{x} cannot be compared with {y}")
        };
        let problem = Problem::error(span, message)
            .label(a.span, format!("this is {x}"))
            .label(b.span, format!("this is {y}"));
        let problem = match (&a.ty, &b.ty) {
            (Type::Str(_), Type::Int { .. } | Type::Ptr { .. })
            | (Type::Int { .. } | Type::Ptr { .. }, Type::Str(_)) => {
                problem.help("`str(…)` reads the text at an address")
            }
            (Type::Str(_), Type::Str(_)) => problem.note("strings are equal or not, they have no order"),
            (Type::Struct(_), Type::Struct(_)) => problem.help("compare their members"),
            (Type::GoError, _) | (_, Type::GoError) => problem
                .note("the message is put together when it is printed")
                .help("whether there is an error: `x != nil`"),
            _ => problem,
        };
        self.fail(problem)
    }

    /// `func == "main.f"`: names become the numbers that stand for them. Several functions may have one name (in two
    /// binaries); a name that is not traced equals nothing.
    fn compare_name(
        &mut self,
        op: BinOp,
        value: &hir::Expr,
        name: &hir::Expr,
        span: Span,
    ) -> Checked<hir::Expr> {
        let hir::ExprKind::Str(text) = &name.kind else {
            let message = format!("{} is compared with a string literal only", with_article(&value.ty));
            let problem = Problem::error(name.span, message).help("write the name: `func == \"main.f\"`");
            return self.fail(problem);
        };
        let ids: Vec<u64> = if value.ty == Type::FuncName {
            let named = self.functions.iter().enumerate().filter(|(_, f)| f.name.as_bytes() == &**text);
            named.map(|(i, _)| i as u64).collect()
        } else {
            self.probe_ids(text)
        };
        if ids.is_empty() {
            let names: Vec<String> = if value.ty == Type::FuncName {
                self.functions.iter().map(|f| f.name.clone()).collect()
            } else {
                Vec::new()
            };
            let text = String::from_utf8_lossy(text).into_owned();
            let what = if value.ty == Type::FuncName { "function" } else { "probe" };
            let problem = Problem::warning(name.span, format!("the script traces no {what} of this name"))
                .did_you_mean(&text, names.iter().map(String::as_str));
            self.warn(problem);
        }
        let equal = ids.into_iter().fold(build::bool(false, span), |so_far, id| {
            let literal = hir::Expr::new(hir::ExprKind::Int(id), value.ty.clone(), name.span);
            let one = build::binary(hir::BinOp::Eq, value.clone(), literal, Type::Bool, span);
            build::logical(LogicOp::Or, so_far, one, span)
        });
        Ok(if op == BinOp::Ne { build::unary(hir::UnOp::Not, equal, Type::Bool, span) } else { equal })
    }

    /// The values of `probe` that print as this text.
    fn probe_ids(&self, text: &[u8]) -> Vec<u64> {
        let mut ids = Vec::new();
        for (index, target) in self.targets.iter().enumerate() {
            let high = (index as u64) << 32;
            let functions = target.functions();
            if functions.is_empty() && target.name.as_bytes() == text {
                ids.push(high | u64::from(u32::MAX));
            }
            for f in functions {
                let name = match target.attach.named_by_function() {
                    Some(family) => format!("{family}:{}", self.functions[f as usize].path()),
                    None => target.name.clone(),
                };
                if name.as_bytes() == text {
                    ids.push(high | u64::from(f));
                }
            }
        }
        ids
    }

    /// A literal that is longer than the other string can be.
    fn warn_length(&mut self, literal: &hir::Expr, other: &hir::Expr) {
        if let (hir::ExprKind::Str(text), Type::Str(room)) = (&literal.kind, &other.ty)
            && !matches!(other.kind, hir::ExprKind::Str(_))
            && text.len() >= *room as usize
        {
            let problem = Problem::warning(literal.span, format!("this string has {} bytes", text.len()))
                .label(other.span, format!("this one has at most {}", room.saturating_sub(1)))
                .note("they are never equal");
            self.warn(problem);
        }
    }

    fn warn_comparison(&mut self, op: BinOp, a: &hir::Expr, b: &hir::Expr, ty: &Type, span: Span) {
        let negative = |e: &hir::Expr| e.ty.is_signed() && e.literal().is_some_and(|v| (v as i64) < 0);
        let unsigned = |e: &hir::Expr| matches!(e.ty, Type::Int { signed: false, .. });
        let zero = |e: &hir::Expr| e.literal() == Some(0);
        // What people write to ask for an error: `retval < 0`.
        let never = match op {
            BinOp::Lt => unsigned(a) && zero(b),
            BinOp::Gt => zero(a) && unsigned(b),
            _ => false,
        } && !(a.literal().is_some() && b.literal().is_some());
        if never || (unsigned(a) && negative(b)) || (negative(a) && unsigned(b)) {
            let value = if unsigned(a) { a } else { b };
            let problem = Problem::warning(span, "an unsigned number is never negative")
                .label(value.span, format!("this is {}", with_article(&value.ty)))
                .help("cast it: `(int64)…`, or `(int32)…` for a C `int`");
            self.warn(problem);
        } else if mixed_signs(a, b) && !matches!(op, BinOp::Eq | BinOp::Ne) && *ty == Type::U64 {
            let problem = Problem::warning(span, "a signed number is compared with an unsigned one")
                .label(a.span, format!("this is {}", with_article(&a.ty)))
                .label(b.span, format!("this is {}", with_article(&b.ty)))
                .note("both are taken as unsigned: a negative number is greater than all others")
                .help("cast one of them: `(int64)…`");
            self.warn(problem);
        }
    }

    // ---- unary

    pub(super) fn unary(&mut self, op: UnOp, operand: &Expr, e: &Expr) -> Checked<hir::Expr> {
        match op {
            UnOp::Deref => self.access(e),
            UnOp::AddrOf => self.address_of(operand, e.span),
            UnOp::Not => {
                let value = self.condition(operand)?;
                Ok(build::unary(hir::UnOp::Not, value, Type::Bool, e.span))
            }
            UnOp::Neg | UnOp::BitNot => {
                let value = build::plain(self.expr(operand)?);
                if !matches!(value.ty, Type::Int { .. } | Type::Bool) {
                    let message =
                        format!("`{}` needs a number, this is {}", op.symbol(), with_article(&value.ty));
                    return self.fail(Problem::error(operand.span, message));
                }
                if op == UnOp::Neg {
                    if value.ty == Type::U64 && value.literal().is_some_and(|v| v > 1 << 63) {
                        return self.fail(Problem::error(e.span, "this number does not fit 64 bits"));
                    }
                    return Ok(build::unary(
                        hir::UnOp::Neg,
                        build::cast(value, &Type::I64),
                        Type::I64,
                        e.span,
                    ));
                }
                // An unsigned number keeps its width: `~(uint32)0` has 32 bits.
                let ty =
                    if value.ty.is_signed() || value.ty == Type::Bool { Type::I64 } else { value.ty.clone() };
                let value = self.promote(value);
                let wide = value.ty.clone();
                Ok(build::cast(build::unary(hir::UnOp::BitNot, value, wide, e.span), &ty))
            }
        }
    }

    /// A variable that counts holds 64 bits, unless it was declared with fewer.
    fn widen_counter(&mut self, id: hir::VarId, span: Span) {
        let counts = self.vars().get(id).is_some_and(|(inferred, _)| inferred.ty.is_int());
        if counts && !self.vars().is_fixed(id) {
            let one = infer::Inferred { ty: Type::I64, weak: true };
            if let Ok((_, changed)) = self.vars().assign(id, &one, span) {
                self.maps.changed |= changed;
            }
        }
    }

    /// `++` and `--` whose value is used.
    pub(super) fn increment(
        &mut self,
        target: &Expr,
        down: bool,
        prefix: bool,
        span: Span,
    ) -> Checked<hir::Expr> {
        let sign = if down { -1 } else { 1 };
        match &target.kind {
            ExprKind::Var(name) => {
                let id = self.find_var(name, target.span)?;
                self.widen_counter(id, target.span);
                let value = self.var_value(id, target.span)?;
                let delta = match &value.ty {
                    Type::Int { .. } => sign,
                    Type::Ptr { to, .. } => match (&**to, self.complete_type(to).size()) {
                        (Type::Void, _) => sign,
                        (_, size) => sign * i64::from(size),
                    },
                    ty => {
                        let message = format!(
                            "`{}` counts numbers, this is {}",
                            if down { "--" } else { "++" },
                            with_article(ty)
                        );
                        return self.fail(Problem::error(target.span, message));
                    }
                };
                let ty = value.ty;
                Ok(hir::Expr::new(hir::ExprKind::IncVar { var: id, delta, prefix }, ty, span))
            }
            ExprKind::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, target.span)?;
                let unsigned = self.plain_type(map).is_some_and(|t| t.ty == Type::U64);
                let says = infer::Inferred { ty: Type::I64, weak: true };
                let ty = match self.maps.plain(map, &says, span) {
                    Ok(ty @ Type::Int { bits: 64, .. }) => ty,
                    Ok(ty) => {
                        let message = format!("`{}` holds {}, not a number", name.text, with_article(&ty));
                        return self.fail(Problem::error(target.span, message));
                    }
                    Err(c) => return self.conflict(&c, span, &name.text, "a number is added"),
                };
                debug_assert!(!unsigned || ty == Type::U64, "a literal does not change the sign");
                Ok(hir::Expr::new(
                    hir::ExprKind::IncMap { map, key: key.map(Box::new), delta: sign, prefix },
                    ty,
                    span,
                ))
            }
            _ => {
                let op = if down { "--" } else { "++" };
                self.fail(Problem::error(target.span, format!("`{op}` needs a variable or a map")))
            }
        }
    }
}

/// The type in which two integers are computed or compared.
fn common_type(a: &hir::Expr, b: &hir::Expr) -> Type {
    let unsigned64 = |e: &hir::Expr| e.ty == Type::U64;
    let unsigned = |e: &hir::Expr| matches!(e.ty, Type::Int { signed: false, .. });
    let is_unsigned = match (unsigned(a), unsigned(b)) {
        (true, true) => true,
        (true, false) => unsigned64(a) || is_weak(b),
        (false, true) => unsigned64(b) || is_weak(a),
        (false, false) => false,
    };
    if is_unsigned { Type::U64 } else { Type::I64 }
}

/// The number that an operator makes of two literals, with all its digits; `None` where it cannot get too large.
fn exact(op: BinOp, a: &hir::Expr, b: &hir::Expr) -> Option<i128> {
    let number = |e: &hir::Expr| {
        let raw = e.literal()?;
        Some(if e.ty.is_signed() { i128::from(raw as i64) } else { i128::from(raw) })
    };
    let (x, y) = (number(a)?, number(b)?);
    match op {
        BinOp::Add => Some(x + y),
        BinOp::Sub => Some(x - y),
        BinOp::Mul => x.checked_mul(y),
        BinOp::Shl if x >= 0 => x.checked_shl(u32::try_from(y).ok()?).filter(|n| n >> y == x),
        _ => None,
    }
}

/// Whether a `uint64` meets a signed number that may be negative.
fn mixed_signs(a: &hir::Expr, b: &hir::Expr) -> bool {
    let mixed = |x: &hir::Expr, y: &hir::Expr| x.ty == Type::U64 && y.ty.is_signed() && !is_weak(y);
    mixed(a, b) || mixed(b, a)
}

/// Whether tuples of this type can be compared: their bytes say all.
fn is_comparable(ty: &Type) -> bool {
    match ty {
        Type::Tuple(_) | Type::Record(_) => ty.members().into_iter().all(is_comparable),
        Type::Array(of, _) => is_comparable(of),
        Type::Str(_) | Type::Struct(_) => true,
        t => t.is_scalar(),
    }
}

pub(super) fn hir_op(op: BinOp) -> hir::BinOp {
    match op {
        BinOp::Add => hir::BinOp::Add,
        BinOp::Sub => hir::BinOp::Sub,
        BinOp::Mul => hir::BinOp::Mul,
        BinOp::Div => hir::BinOp::Div,
        BinOp::Mod => hir::BinOp::Mod,
        BinOp::And | BinOp::LogAnd => hir::BinOp::And,
        BinOp::Or | BinOp::LogOr => hir::BinOp::Or,
        BinOp::Xor => hir::BinOp::Xor,
        BinOp::Shl => hir::BinOp::Shl,
        BinOp::Shr => hir::BinOp::Shr,
        BinOp::Eq => hir::BinOp::Eq,
        BinOp::Ne => hir::BinOp::Ne,
        BinOp::Lt => hir::BinOp::Lt,
        BinOp::Le => hir::BinOp::Le,
        BinOp::Gt => hir::BinOp::Gt,
        BinOp::Ge => hir::BinOp::Ge,
    }
}
