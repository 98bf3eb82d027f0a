//! Expressions: literals, names, maps, casts, tuples, choices. Operators are in `ops`, memory in `place`.

use crate::ast::{Expr, ExprKind, Name, TypeExpr};
use crate::builtin::{self, Form};
use crate::check::asked;
use crate::check::infer::{self, Inferred};
use crate::check::maps::{agg_name, agg_signed, with_article};
use crate::check::nil::NIL;
use crate::check::types::ANY_STRING;
use crate::check::{Checked, Checker, Outcome, Stop, Value, build};
use crate::diag::Problem;
use crate::hir::{self, Agg, MapId, VarId};
use crate::span::Span;
use crate::types::{AddrSpace, Enum, Type};
use std::sync::Arc;

impl Checker<'_> {
    /// Translates an expression that must have a value.
    pub fn expr(&mut self, e: &Expr) -> Checked<hir::Expr> {
        let span = e.span;
        match &e.kind {
            ExprKind::Int(v) => {
                let ty = if i64::try_from(*v).is_ok() { Type::I64 } else { Type::U64 };
                Ok(build::int(*v, ty, span))
            }
            ExprKind::Str(text) => self.string_literal(text, span),
            ExprKind::Bool(v) => Ok(build::bool(*v, span)),
            ExprKind::Ident(name) => match self.go_place(e)? {
                Some(place) => self.load(place, span),
                None => self.ident(name, span),
            },
            ExprKind::Var(name) => {
                let id = self.find_var(name, span)?;
                self.var_value(id, span)
            }
            ExprKind::Map { name, keys } => {
                let (map, key) = self.map_entry(name, keys, span)?;
                self.map_get(map, name, key, span)
            }
            ExprKind::Param(n) => self.param(*n, span),
            ExprKind::ParamCount => Ok(build::int(self.env.params().len() as u64, Type::I64, span)),
            ExprKind::Call { name, args } => match self.call(name, args, span, false)? {
                Outcome::Value(value) => Ok(value),
                Outcome::Aggregate { .. } => self.not_in_map(name, span),
                Outcome::Effect(_) => self.fail(
                    Problem::error(span, format!("{}() gives no value", name.text))
                        .help("write it as a statement"),
                ),
            },
            ExprKind::Unary(op, operand) => self.unary(*op, operand, e),
            ExprKind::Increment { target, down, prefix } => self.increment(target, *down, *prefix, span),
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, span),
            ExprKind::Ternary(cond, a, b) => self.ternary(cond, a.as_deref(), b, span),
            ExprKind::Cast(ty, operand) => self.cast(ty, operand, span),
            ExprKind::Tuple(list) => {
                let members: Vec<Checked<hir::Expr>> = list.iter().map(|m| self.expr(m)).collect();
                let members = members.into_iter().collect::<Checked<Vec<_>>>()?;
                let ty = Type::Tuple(members.iter().map(|m| m.ty.clone()).collect());
                Ok(hir::Expr::new(hir::ExprKind::Tuple(members), ty, span))
            }
            ExprKind::Record(members) => self.record(members, span),
            ExprKind::Offsetof(ty, path) => {
                let of = self.written_type(ty, AddrSpace::User)?;
                let (offset, _) = self.member_offset(of, path, ty.span)?;
                Ok(build::int(u64::from(offset), Type::I64, span))
            }
            ExprKind::ContainerOf(pointer, ty, path) => self.container_of(pointer, ty, path, span),
            ExprKind::TupleMember(tuple, n) => {
                if let Some(place) = self.go_place(e)? {
                    return self.load(place, span);
                }
                let tuple = self.expr(tuple)?;
                self.tuple_member(tuple, u64::from(*n), span)
            }
            ExprKind::Member(..) | ExprKind::Index(..) => self.access(e),
            ExprKind::SizeofType(ty) => {
                let ty = self.written_type(ty, AddrSpace::User)?;
                Ok(build::int(u64::from(self.complete_type(&ty).size()), Type::I64, span))
            }
            ExprKind::SizeofExpr(operand) => {
                let ty = match self.named_type(operand) {
                    Some(ty) => ty,
                    None => match self.place(operand)? {
                        Some(place) => place.ty,
                        None => asked::type_of(operand, &self.expr(operand)?),
                    },
                };
                Ok(build::int(u64::from(self.complete_type(&ty).size()), Type::I64, span))
            }
            ExprKind::Block(block) => self.block_value(block, span),
            ExprKind::If { arms, els } => self.if_value(arms, els, span),
            ExprKind::Comptime(e) => self.comptime(e),
            ExprKind::Macro { name, block } => {
                self.expanded(name, span, |c| c.block_value(block, span)).map(|value| value.with_span(span))
            }
            ExprKind::Type(ty) => {
                let problem = Problem::error(span, format!("`{ty}` is a type, not a value"));
                self.fail(
                    problem.help(
                        "a cast makes a value of a type: `(TYPE)…`; `sizeof` and `typeinfo` take types",
                    ),
                )
            }
            ExprKind::Error => Err(Stop::Reported),
        }
    }

    /// An aggregation that is not assigned to a map.
    pub(super) fn not_in_map<T>(&mut self, name: &Name, span: Span) -> Checked<T> {
        let problem = Problem::error(span, format!("{}() is kept in a map", name.text));
        self.fail(match builtin::find(&name.text) {
            Some(b) => problem.help(format!("assign it to one: `@x = {}`", b.signature)),
            None => problem,
        })
    }

    pub(super) fn string_literal(&mut self, text: &[u8], span: Span) -> Checked<hir::Expr> {
        if text.len() >= self.config.max_strlen as usize {
            let message = format!(
                "this string has {} bytes; with its end it must fit {}",
                text.len(),
                self.config.max_strlen
            );
            return self
                .fail(Problem::error(span, message).help("raise the limit: `config = { max_strlen = … }`"));
        }
        Ok(build::string(text, span))
    }

    /// An expression as a condition: a comparison, or a number that is not zero.
    pub fn condition(&mut self, e: &Expr) -> Checked<hir::Expr> {
        let value = self.expr(e)?;
        self.truth(value, e)
    }

    /// The value of `e` as a condition.
    fn truth(&mut self, value: hir::Expr, e: &Expr) -> Checked<hir::Expr> {
        let value = build::plain(value);
        match &value.ty {
            Type::Bool => Ok(value),
            Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. } | Type::KSym => Ok(build::nonzero(value)),
            ty => {
                let problem = Problem::error(e.span, format!("{} is no condition", with_article(ty)));
                let problem = match (&e.kind, ty) {
                    (ExprKind::Record(_), _) => problem.help("to compare, write `==`"),
                    (ExprKind::Map { name, keys }, _) if !keys.is_empty() => {
                        problem.help(format!("whether there is an entry: `has_key({}, …)`", name.text))
                    }
                    (_, Type::GoCopy(copy)) if copy.is_reference() => problem.help("compare it: `… != nil`"),
                    (_, Type::Str(_)) => problem.help("compare it: `… != \"\"`"),
                    _ => problem,
                };
                self.fail(problem)
            }
        }
    }

    /// An expression that must be a constant number.
    pub fn constant(&mut self, e: &Expr, what: &str) -> Checked<i64> {
        let value = self.expr(e)?;
        match (value.literal(), &value.ty) {
            (Some(v), Type::Int { .. } | Type::Enum(_) | Type::Bool) => Ok(v as i64),
            _ => self.fail(Problem::error(e.span, format!("{what} must be a constant number"))),
        }
    }

    /// A name without parentheses: an enumerator or a builtin variable.
    fn ident(&mut self, name: &str, span: Span) -> Checked<hir::Expr> {
        if let Some((of, value)) = self.types.constants.get(name) {
            return Ok(build::int(*value as u64, Type::Enum(of.clone()), span));
        }
        match builtin::find(name) {
            Some(b) if b.form == Form::Variable => {
                let name = Name { text: name.to_owned(), span };
                match self.call(&name, &[], span, false)? {
                    Outcome::Value(value) => Ok(value),
                    _ => self.fail(Problem::error(span, format!("`{}` has no value", name.text))),
                }
            }
            Some(b) => self.fail(
                Problem::error(span, format!("`{name}` is a function"))
                    .help(format!("call it: `{}`", b.signature)),
            ),
            None => {
                let enumerator =
                    self.enumerator_of_program(name).or_else(|| self.env.kernel_enumerator(name));
                if let Some((of, value)) = enumerator {
                    return Ok(build::int(value as u64, Type::Enum(Arc::new(of)), span));
                }
                let problem = Problem::error(span, format!("unknown name `{name}`"));
                let problem = if name == NIL {
                    problem.help("values of Go programs are compared with it: `x == nil`, `x != nil`")
                } else if self.is_argument(name) {
                    problem.help(format!("an argument is a member of `args`: `args.{name}`"))
                } else if self.scopes.find(name).is_some() {
                    problem.help(format!("a variable is written with a dollar sign: `${name}`"))
                } else if self.maps.list.iter().any(|m| m.name.trim_start_matches('@') == name) {
                    problem.help(format!("a map is written with an at sign: `@{name}`"))
                } else {
                    let constants = self.types.constants.keys().map(String::as_str);
                    let known = constants.chain(builtin::names().map(|n| n as &str));
                    let problem = problem.meant(name, known);
                    // A word of a text, as in a shell.
                    if problem.help.is_empty() {
                        match self.header {
                            Some(_) => problem.help(format!("give it its value: `#define {name} …`")),
                            None => problem.help(format!("a text stands in double quotes: `\"{name}\"`")),
                        }
                    } else {
                        problem
                    }
                };
                let problem = self.perhaps_in_header(problem);
                self.fail(problem)
            }
        }
    }

    /// Whether the current probe has an argument of this name.
    fn is_argument(&self, name: &str) -> bool {
        match &self.target().attach {
            hir::Attach::Tracepoint(tracepoint) => tracepoint.args.field(name).is_some(),
            hir::Attach::RawTracepoint(function) | hir::Attach::Fentry { function, .. } => {
                function.params.as_ref().is_some_and(|params| params.iter().any(|p| p.name == name))
            }
            _ => false,
        }
    }

    /// `$1`: a number if the argument is one, else text. A missing one is 0.
    fn param(&mut self, n: u32, span: Span) -> Checked<hir::Expr> {
        match self.param_text(n) {
            None => Ok(build::int(0, Type::I64, span)),
            Some(text) => match parse_number(&text) {
                Some(value) => Ok(value.with_span(span)),
                None => self.string_literal(text.as_bytes(), span),
            },
        }
    }

    /// The text of `$n`.
    pub fn param_text(&self, n: u32) -> Option<String> {
        self.env.params().get((n as usize).checked_sub(1)?).cloned()
    }

    // ---- variables and maps

    pub(super) fn find_var(&mut self, name: &str, span: Span) -> Checked<VarId> {
        if let Some(id) = self.scopes.find(name) {
            return Ok(id);
        }
        let problem = Problem::error(span, format!("`${name}` has no value here"));
        let problem = match self.scopes.find_ended(name) {
            Some(var) => problem
                .label(var.span, "this one ends with its block")
                .help(format!("declare it before the block: `let ${name};`")),
            None if self.maps.list.iter().any(|m| m.name.trim_start_matches('@') == name) => {
                problem.help(format!("a map is written with an at sign: `@{name}`"))
            }
            None => match crate::diag::nearest(name, self.scopes.names()) {
                Some(near) => problem.help(format!("did you mean `${near}`?")),
                None if builtin::find(name).is_some_and(|b| b.form == Form::Variable) => {
                    problem.help(format!("a builtin is written without a dollar sign: `{name}`"))
                }
                None => problem.help(format!("give it one before: `${name} = …;`")),
            },
        };
        self.fail(problem)
    }

    pub(super) fn var_value(&mut self, id: VarId, span: Span) -> Checked<hir::Expr> {
        self.scopes.vars[id.0 as usize].used = true;
        match self.vars().get(id) {
            Some((inferred, _)) => {
                let ty = inferred.ty.clone();
                Ok(hir::Expr::new(hir::ExprKind::Var(id), ty, span))
            }
            None => {
                // Its declaration or the assignment before has an error of its own then.
                if self.problems.has_errors() {
                    return Err(Stop::Reported);
                }
                let name = &self.scopes.vars[id.0 as usize].name;
                let problem = Problem::error(span, format!("nothing says what type `${name}` has"));
                self.unknown(problem)
            }
        }
    }

    /// The map and its translated key.
    pub(crate) fn map_entry(
        &mut self,
        name: &Name,
        keys: &[Expr],
        span: Span,
    ) -> Checked<(MapId, Option<hir::Expr>)> {
        let map = self.maps.id(name);
        let key = match keys {
            [] => None,
            [key] => Some(self.expr(key)?),
            keys => {
                let members: Vec<Checked<hir::Expr>> = keys.iter().map(|k| self.expr(k)).collect();
                let members = members.into_iter().collect::<Checked<Vec<_>>>()?;
                let ty = Type::Tuple(members.iter().map(|m| m.ty.clone()).collect());
                let span =
                    members.first().map_or(span, |m| m.span.to(members.last().map_or(span, |l| l.span)));
                Some(hir::Expr::new(hir::ExprKind::Tuple(members), ty, span))
            }
        };
        let key = self.map_key(map, name, key, span)?;
        Ok((map, key))
    }

    /// Brings a key to the type of the map's keys.
    pub(crate) fn map_key(
        &mut self,
        map: MapId,
        name: &Name,
        key: Option<hir::Expr>,
        span: Span,
    ) -> Checked<Option<hir::Expr>> {
        if let Some(key) = &key
            && (key.ty == Type::Void || matches!(&key.ty, Type::Tuple(list) if list.is_empty()))
        {
            return self.fail(Problem::error(key.span, "this is no value that could be a key"));
        }
        if let Some(copy) = key.as_ref().and_then(|key| copy_with_addresses(&key.ty)) {
            let message = format!("{} cannot be a key", with_article(&copy));
            let problem = Problem::error(key.as_ref().map_or(span, |key| key.span), message);
            let instead = match &copy {
                Type::GoCopy(value) if value.is_interface() => {
                    "what is in it can be one: `@[gotype(x)]`, and of an error `@[goerr(x)]`"
                }
                _ => "name its members: `@[x.a, x.b]`",
            };
            return self.fail(
                problem
                    .note("two equal values lie at different addresses, which are part of them")
                    .help(instead),
            );
        }
        let what = match &key {
            Some(key) => format!("this key is {}", with_article(&key.ty)),
            None => format!("`{}` is used without a key", name.text),
        };
        let at = key.as_ref().map_or(span, |k| k.span);
        match self.maps.key(map, key, at) {
            Ok(key) => Ok(key),
            Err(conflict) => self.conflict(&conflict, at, &name.text, &what),
        }
    }

    /// The value of a map entry.
    pub(crate) fn map_get(
        &mut self,
        map: MapId,
        name: &Name,
        key: Option<hir::Expr>,
        span: Span,
    ) -> Checked<hir::Expr> {
        let ty = match self.maps.get(map).value.as_ref() {
            Some((Value::Plain(inferred), _)) => inferred.ty.clone(),
            Some((
                Value::Agg {
                    agg:
                        agg @ (Agg::Hist { .. } | Agg::Lhist { .. } | Agg::Stats { .. } | Agg::Tseries { .. }),
                    ..
                },
                at,
            )) => {
                let (agg, at) = (agg_name(*agg), *at);
                let problem =
                    Problem::error(span, format!("`{}` holds {agg}(), which is no number", name.text))
                        .label(at, "assigned here")
                        .help(format!("`print({})` prints it", name.text));
                return self.fail(problem);
            }
            Some((Value::Agg { agg, .. }, _)) => {
                if agg_signed(*agg) {
                    Type::I64
                } else {
                    Type::U64
                }
            }
            None if self.incomplete => return Err(Stop::Reported),
            None => {
                let known = self.maps.list.iter().filter(|m| m.value.is_some()).map(|m| m.name.as_str());
                let problem = Problem::error(span, format!("`{}` is never assigned", name.text))
                    .did_you_mean(&name.text, known);
                return self.unknown(problem);
            }
        };
        Ok(hir::Expr::new(hir::ExprKind::MapGet { map, key: key.map(Box::new) }, ty, span))
    }

    // ---- tuples, choices, casts

    pub(super) fn tuple_member(&mut self, tuple: hir::Expr, n: u64, span: Span) -> Checked<hir::Expr> {
        let Type::Tuple(members) = &tuple.ty else {
            let message = format!("{} has no member {n}: it is no tuple", with_article(&tuple.ty));
            return self.fail(Problem::error(span, message));
        };
        let Some(ty) = members.get(n as usize).cloned() else {
            let problem = Problem::error(span, format!("the tuple has no member {n}"))
                .note(format!("its {} members are counted from 0", members.len()));
            return self.fail(problem);
        };
        Ok(crate::fold::node(hir::Expr::new(hir::ExprKind::Member(Box::new(tuple), n as u32), ty, span)))
    }

    /// `(x=1, y="a")`
    fn record(&mut self, members: &[(Name, Expr)], span: Span) -> Checked<hir::Expr> {
        let values: Vec<Checked<hir::Expr>> = members.iter().map(|(_, e)| self.expr(e)).collect();
        let mut names: Vec<&Name> = Vec::new();
        for (name, _) in members {
            if let Some(before) = names.iter().find(|n| n.text == name.text) {
                let problem =
                    Problem::error(name.span, format!("the record has two members `{}`", name.text))
                        .label(before.span, "this is the first one");
                return self.fail(problem);
            }
            names.push(name);
        }
        let values = values.into_iter().collect::<Checked<Vec<_>>>()?;
        let types = names.iter().zip(&values).map(|(n, v)| (Arc::from(n.text.as_str()), v.ty.clone()));
        let ty = Type::Record(types.collect());
        Ok(hir::Expr::new(hir::ExprKind::Tuple(values), ty, span))
    }

    /// `record.name`
    pub(super) fn record_member(&mut self, record: hir::Expr, name: &Name, span: Span) -> Checked<hir::Expr> {
        let Type::Record(members) = &record.ty else {
            let message = format!("{} has no members", with_article(&record.ty));
            return self.fail(Problem::error(span, message));
        };
        let Some(n) = members.iter().position(|(other, _)| **other == *name.text) else {
            let names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
            let mut problem = Problem::error(name.span, format!("the record has no member `{}`", name.text))
                .did_you_mean(&name.text, names.iter().copied());
            if problem.help.is_empty() {
                problem = problem.note(format!("its members are {}", names.join(", ")));
            }
            return self.fail(problem);
        };
        let ty = members[n].1.clone();
        Ok(crate::fold::node(hir::Expr::new(hir::ExprKind::Member(Box::new(record), n as u32), ty, span)))
    }

    fn ternary(&mut self, cond: &Expr, a: Option<&Expr>, b: &Expr, span: Span) -> Checked<hir::Expr> {
        let chosen = self.expr(cond);
        let (a_expr, value_a) = match a {
            Some(a) => (a, self.expr(a)),
            None => (cond, chosen.clone()),
        };
        let checked = chosen.and_then(|value| self.truth(value, cond));
        let value_b = self.expr(b);
        let (checked, value_a, value_b) = (checked?, value_a?, value_b?);
        if a.is_none() && !crate::fold::is_pure(&value_a) {
            return self.fail(
                Problem::error(cond.span, "`?:` would do this twice")
                    .help("put the value into a variable first"),
            );
        }
        let joined = Inferred::of(&value_a).join(&Inferred::of(&value_b));
        let fitted = joined.and_then(|j| {
            let (a, b) = (infer::coerce(value_a.clone(), &j.ty)?, infer::coerce(value_b.clone(), &j.ty)?);
            Some((a, b, j.ty))
        });
        let Some((value_a, value_b, ty)) = fitted else {
            let problem = Problem::error(span, "both sides of `:` must have one type")
                .label(a_expr.span, format!("this is {}", with_article(&value_a.ty)))
                .label(b.span, format!("this is {}", with_article(&value_b.ty)));
            return self.fail(problem);
        };
        let kind = hir::ExprKind::Ternary(Box::new(checked), Box::new(value_a), Box::new(value_b));
        Ok(crate::fold::node(hir::Expr::new(kind, ty, span)))
    }

    fn cast(&mut self, ty: &TypeExpr, operand: &Expr, span: Span) -> Checked<hir::Expr> {
        let value = self.expr(operand)?;
        let space = match &value.ty {
            Type::Ptr { space, .. } => *space,
            _ => computed_from(&value).unwrap_or_else(|| self.default_space()),
        };
        let to = self.written_type(ty, space)?;
        let value = match (&value.ty, &to) {
            (Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. }, Type::Bool) => build::nonzero(value),
            (Type::Int { .. } | Type::Enum(_) | Type::Bool, Type::Enum(of)) => {
                if let Some(v) = value.literal()
                    && of.variant(v as i64).is_none()
                {
                    return self.not_in_enum(v as i64, of, span);
                }
                build::cast(value, &to)
            }
            (Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. } | Type::Bool, Type::Int { .. })
            | (Type::Int { .. } | Type::Ptr { .. }, Type::Ptr { .. })
            | (Type::Bool, Type::Bool)
            | (Type::KSym | Type::Duration | Type::Time, Type::Int { .. }) => build::cast(value, &to),
            (Type::Str(_), &ANY_STRING) => value,
            (Type::Str(from), Type::Str(room)) if from <= room => build::cast(value, &to),
            (Type::Str(from), Type::Str(room)) => {
                let message =
                    format!("this string may have {} bytes, the type has room for {}", from - 1, room - 1);
                return self.fail(Problem::error(span, message).help("`str(ADDRESS, LENGTH)` reads less"));
            }
            (Type::Array(of, n), Type::Str(room)) if **of == Type::CHAR => {
                let room = if *room == 0 { build::string_size(*n as usize) } else { *room };
                build::cast(value, &Type::Str(room))
            }
            (Type::Array(of, _), Type::Int { .. }) if of.is_int() && value.ty.size() == to.size() => {
                build::cast(value, &to)
            }
            (Type::Int { .. } | Type::Enum(_) | Type::Bool | Type::Str(_), Type::Array(of, n))
                if of.is_int() =>
            {
                let (of, n) = ((**of).clone(), *n);
                return self.cast_to_array(value, of, n, span);
            }
            (from, to) => {
                let problem = Problem::error(
                    span,
                    format!("{} cannot be cast to {}", with_article(from), with_article(to)),
                );
                let problem = match (from, to) {
                    (Type::Int { .. } | Type::Ptr { .. }, Type::Str(_)) => {
                        problem.help("`str(…)` reads the text at an address")
                    }
                    (Type::Int { .. } | Type::Ptr { .. }, Type::Struct(s)) => {
                        problem.help(format!("cast to a pointer: `(struct {} *)…`", s.name))
                    }
                    _ => problem,
                };
                return self.fail(problem);
            }
        };
        Ok(hir::Expr { span, ..value })
    }
}

impl Checker<'_> {
    /// `(int8[4])x`: the bytes of an integer, or of text. Without a number the array has all of them.
    fn cast_to_array(&mut self, value: hir::Expr, of: Type, n: u32, span: Span) -> Checked<hir::Expr> {
        let size = of.size();
        if let Type::Str(room) = value.ty {
            let have = match &value.kind {
                // The NUL is part of it.
                hir::ExprKind::Str(text) => text.len() as u32 + 1,
                _ => room,
            };
            let n = if n == 0 { have } else { n };
            if size != 1 || n > have {
                let message = format!("a string of {have} bytes cannot be cast to {of}[{n}]");
                return self.fail(Problem::error(span, message).help("`(int8[])…` gives all its bytes"));
            }
            let array = Type::Array(Box::new(of), n);
            let kind = hir::ExprKind::Part { of: Box::new(value), offset: 0 };
            return Ok(hir::Expr::new(kind, array, span));
        }
        let from = value.ty.clone();
        let n = if n == 0 { from.size() / size } else { n };
        let array = Type::Array(Box::new(of.clone()), n);
        let total = u64::from(size) * u64::from(n);
        // A number in the script has the size that is asked for.
        let value_is_literal = value.literal().is_some();
        let fitting = match (value.literal(), u8::try_from(8 * total)) {
            (Some(v), Ok(bits @ (8 | 16 | 32 | 64))) => {
                let (signed, unsigned) =
                    (Type::Int { bits, signed: true }, Type::Int { bits, signed: false });
                let fits = |ty: &Type| crate::fold::canonical(v, ty) == v;
                (fits(&signed) || fits(&unsigned)).then(|| build::cast(value.clone(), &unsigned))
            }
            _ => (u64::from(from.size()) == total).then_some(value),
        };
        match fitting {
            Some(value) => Ok(build::cast(value, &array).with_span(span)),
            None if value_is_literal && matches!(total, 1 | 2 | 4 | 8) => {
                let message = format!("this number is too large: {array} has {total} bytes");
                self.fail(Problem::error(span, message))
            }
            None => {
                let message =
                    format!("{} cannot be cast to {array}: it has another size", with_article(&from));
                let note = format!("{} has {} bytes, {array} has {total}", with_article(&from), from.size());
                self.fail(Problem::error(span, message).note(note))
            }
        }
    }

    /// A number that is cast to an enumeration without being a value of it.
    fn not_in_enum<T>(&mut self, value: i64, of: &Enum, span: Span) -> Checked<T> {
        let problem = Problem::error(span, format!("`enum {}` has no value {value}", of.name));
        let known: Vec<String> =
            of.variants.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        self.fail(problem.note(format!("its values are {}", known.join(", "))))
    }
}

/// The part of a key that is a Go value with addresses in it.
fn copy_with_addresses(ty: &Type) -> Option<Type> {
    match ty {
        Type::GoCopy(copy) if !copy.is_flat() => Some(ty.clone()),
        Type::Tuple(of) => of.iter().find_map(copy_with_addresses),
        _ => None,
    }
}

/// A script argument as a number: decimal, `0x…`, `0…`, with a sign.
pub(crate) fn parse_number(text: &str) -> Option<hir::Expr> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = crate::literal::number(digits).ok()?;
    let ty = if i64::try_from(value).is_ok() { Type::I64 } else { Type::U64 };
    if negative {
        let value = 0i64.checked_sub_unsigned(value)?;
        return Some(build::int(value as u64, Type::I64, Span::default()));
    }
    Some(build::int(value, ty, Span::default()))
}

impl hir::Expr {
    /// The same at another place of the script.
    pub(crate) fn with_span(self, span: Span) -> hir::Expr {
        hir::Expr { span, ..self }
    }
}

/// Where a number points that was computed from a pointer in the same expression: `(uint64)$p - offsetof(struct T, m)`.
fn computed_from(number: &hir::Expr) -> Option<AddrSpace> {
    match (&number.kind, &number.ty) {
        (_, Type::Ptr { space, .. }) => Some(*space),
        (hir::ExprKind::Cast(of), _) => computed_from(of),
        (hir::ExprKind::Binary(hir::BinOp::Add, a, b), _) => computed_from(a).or_else(|| computed_from(b)),
        (hir::ExprKind::Binary(hir::BinOp::Sub, a, _), _) => computed_from(a),
        _ => None,
    }
}
