//! Maps as a whole, and their entries.

use super::{Builtin, EVERYWHERE, Form, IN_PROGRAMS};
use crate::ast::{Expr as Ast, ExprKind as AstKind, Name};
use crate::check::{Call, Checked, Checker, Outcome, with_article};
use crate::diag::Problem;
use crate::fold;
use crate::hir::{Action, Expr, ExprKind, MapId, Stmt, StmtKind};
use crate::types::Type;

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "clear",
        form: Form::Statement,
        args: (1, 1),
        signature: "clear(@map)",
        doc: "Removes all entries of a map.",
        example: "tracepoint:syscalls:sys_enter_read { @[comm] = count(); }\n\
                  interval:s:1 { print(@); clear(@); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| whole(checker, call, Action::Clear),
    },
    Builtin {
        name: "zero",
        form: Form::Statement,
        args: (1, 1),
        signature: "zero(@map)",
        doc: "Sets all values of a map to zero; the keys stay.",
        example: "tracepoint:syscalls:sys_enter_read { @[comm] = count(); }\n\
                  interval:s:1 { print(@); zero(@); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| whole(checker, call, Action::Zero),
    },
    Builtin {
        name: "delete",
        form: Form::Function,
        args: (1, 2),
        signature: "delete(@map, KEY)",
        doc: "Removes an entry and gives whether there was one. Without a key, sets a map that has none to zero. The older \
              form `delete(@map[KEY])` means the same.",
        example: "uprobe:./web:main.handler { @start[callid] = nsecs; }\n\
                  uretprobe:./web:main.handler { delete(@start, callid); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: delete,
    },
    Builtin {
        name: "has_key",
        form: Form::Function,
        args: (2, 2),
        signature: "has_key(@map, KEY)",
        doc: "Whether a map has an entry, also one whose value is zero. The map may be one of the traced Go program, `has_key(args.m, KEY)`.",
        example: "uprobe:./web:main.handler { @start[callid] = nsecs; }\n\
                  uretprobe:./web:main.handler /has_key(@start, callid)/ { @returned = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: has_key,
    },
    Builtin {
        name: "find",
        form: Form::Function,
        args: (3, 3),
        signature: "find(@map, KEY, $VARIABLE)",
        doc: "Whether a map has an entry; if so, its value is assigned to the variable. A new variable is zero else.",
        example: "uprobe:./web:main.handler { @start[callid] = nsecs; }\n\
                  uretprobe:./web:main.handler { if (find(@start, callid, $begin)) { @ns = hist(nsecs - $begin); } }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: find,
    },
    Builtin {
        name: "is_scalar",
        form: Form::Function,
        args: (1, 1),
        signature: "is_scalar(@map)",
        doc: "Whether a map has no keys, as `bool`; known before the script runs.",
        example: "begin { @n = 1; printf(\"%d\\n\", is_scalar(@n)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: is_scalar,
    },
    Builtin {
        name: "len",
        form: Form::Function,
        args: (1, 1),
        signature: "len(@map), len(STACK) or len(GO_VALUE)",
        doc: "The number of entries of a map, of frames of a stack, or the length of a Go string, slice, array, map or channel, as `int64`.",
        example: "uprobe:./web:main.handler { @start[callid] = nsecs; }\n\
                  interval:s:1 { printf(\"%d open\\n\", len(@start)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: len,
    },
    Builtin {
        name: "cap",
        form: Form::Function,
        args: (1, 1),
        signature: "cap(GO_VALUE)",
        doc: "The capacity of a Go slice or channel, as `int64`.",
        example: "uprobe:./web:net.(*conn).Write { printf(\"%d of %d\\n\", len(args.b), cap(args.b)); }",
        probes: IN_PROGRAMS,
        elsewhere: None,
        check: cap,
    },
];

fn whole(checker: &mut Checker<'_>, call: &Call<'_>, action: fn(MapId) -> Action) -> Checked<Outcome> {
    let [map] = call.args else { return checker.no_arguments(call) };
    let (map, name) = checker.map_arg(map)?;
    checker.assigned(map, &name)?;
    Ok(Outcome::Effect(vec![StmtKind::Emit { action: action(map), args: Vec::new() }]))
}

/// The map and key of `f(@m, k)`, or of the older `f(@m[k])`.
fn entry(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<(MapId, Name, Option<Expr>)> {
    let [map, rest @ ..] = call.args else { return checker.no_arguments(call) };
    let AstKind::Map { name, keys } = &map.kind else {
        return checker.fail(Problem::error(map.span, "this must be a map, such as `@x`"));
    };
    let key = match (keys.as_slice(), rest) {
        ([], []) => None,
        ([], [key, ..]) => Some(checker.expr(key)?),
        ([key], []) => Some(checker.expr(key)?),
        (keys, []) => {
            let span = map.span;
            let tuple = Ast { kind: AstKind::Tuple(keys.to_vec()), span, height: map.height };
            Some(checker.expr(&tuple)?)
        }
        (_, [surplus, ..]) => {
            return checker.fail(
                Problem::error(surplus.span, "the key is given twice")
                    .help(format!("write `{}({}, …)`", call.name.text, name.text)),
            );
        }
    };
    let id = checker.maps.id(name);
    if key.is_none() && checker.maps.is_keyed(id) {
        let problem = Problem::error(map.span, format!("`{}` has keys: which entry?", name.text))
            .help(format!("`{0}({1}, KEY)`; `clear({1})` removes all", call.name.text, name.text));
        return checker.fail(problem);
    }
    let key = checker.map_key(id, name, key, map.span)?;
    checker.assigned(id, name)?;
    Ok((id, name.clone(), key))
}

fn delete(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let (map, _, key) = entry(checker, call)?;
    let kind = ExprKind::Delete { map, key: key.map(Box::new) };
    Ok(Outcome::Value(Expr::new(kind, Type::Bool, call.span)))
}

fn has_key(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    if let [map, key] = call.args
        && !matches!(map.kind, AstKind::Map { .. })
        && let Some(there) = checker.go_has_key(map, key, call.span)?
    {
        return Ok(Outcome::Value(there));
    }
    let (map, name, key) = entry(checker, call)?;
    let Some(key) = key else {
        return checker.fail(Problem::error(call.span, format!("`{}` has no keys", name.text)));
    };
    let kind = ExprKind::HasKey { map, key: Box::new(key) };
    Ok(Outcome::Value(Expr::new(kind, Type::Bool, call.span)))
}

fn cap(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [what] = call.args else { return checker.no_arguments(call) };
    match checker.go_length(what, true)? {
        Some(capacity) => Ok(Outcome::Value(capacity)),
        None => {
            checker.fail(Problem::error(what.span, "only Go slices, arrays and channels have a capacity"))
        }
    }
}

fn len(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [what] = call.args else { return checker.no_arguments(call) };
    if matches!(&what.kind, AstKind::Map { keys, .. } if keys.is_empty()) {
        let (map, name) = checker.map_arg(what)?;
        checker.assigned(map, &name)?;
        if !checker.maps.is_stack(map) {
            if checker.maps.is_scalar(map) {
                let problem =
                    Problem::error(what.span, format!("`{}` has no keys, so it has no length", name.text));
                return checker.fail(problem);
            }
            return Ok(Outcome::Value(Expr::new(ExprKind::MapLen(map), Type::I64, call.span)));
        }
    }
    if let Some(length) = checker.go_length(what, false)? {
        return Ok(Outcome::Value(length));
    }
    let value = checker.expr(what)?;
    if matches!(value.ty, Type::Stack { .. }) {
        return Ok(Outcome::Value(Expr::new(ExprKind::StackLen(Box::new(value)), Type::I64, call.span)));
    }
    let message = format!(
        "len() counts entries of a map, frames of a stack, or what a Go value holds; this is {}",
        with_article(&value.ty)
    );
    let problem = Problem::error(what.span, message);
    checker.fail(match value.ty {
        Type::Str(_) => problem.help("`strlen(TEXT)` is the length of a text"),
        _ => problem,
    })
}

fn find(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [map_arg, key_arg, var_arg] = call.args else { return checker.no_arguments(call) };
    let AstKind::Var(variable) = &var_arg.kind else {
        return checker.fail(Problem::error(var_arg.span, "this must be a variable, such as `$x`"));
    };
    let (map, name) = checker.map_arg(map_arg)?;
    let key = checker.expr(key_arg)?;
    if !fold::is_pure(&key) {
        let problem = Problem::error(key_arg.span, "find() would do this twice")
            .help("put the key into a variable first");
        return checker.fail(problem);
    }
    let key = checker.map_key(map, &name, Some(key), call.span)?;
    checker.assigned(map, &name)?;
    let value = checker.map_get(map, &name, key.clone(), call.span)?;
    let known = checker.scopes.find(variable);
    let id = known.unwrap_or_else(|| checker.scopes.declare(variable, var_arg.span));
    let value = checker.join_var(id, value)?;
    let Some(key) = key else { return checker.no_arguments(call) };
    let has = Expr::new(ExprKind::HasKey { map, key: Box::new(key) }, Type::Bool, call.span);
    let set = Stmt { kind: StmtKind::SetVar(id, value), span: call.span };
    let first = match known {
        // A missing entry reads as zero, which is what a new variable is to be.
        None => set,
        Some(_) => {
            let kind = StmtKind::If { cond: has.clone(), then: vec![set], els: Vec::new() };
            Stmt { kind, span: call.span }
        }
    };
    Ok(Outcome::Value(Expr::new(ExprKind::Block(vec![first], Box::new(has)), Type::Bool, call.span)))
}

fn is_scalar(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [map] = call.args else { return checker.no_arguments(call) };
    let (map, name) = checker.map_arg(map)?;
    checker.assigned(map, &name)?;
    let scalar = u64::from(checker.maps.is_scalar(map));
    Ok(Outcome::Value(Expr::new(ExprKind::Int(scalar), Type::Bool, call.span)))
}
