//! Questions about types, all answered before the run, and the address space of pointers.

use super::{Builtin, EVERYWHERE, Form};
use crate::ast::ExprKind as AstKind;
use crate::check::{Call, Checked, Checker, Outcome, asked, with_article};
use crate::diag::Problem;
use crate::hir::{BinOp, Expr, ExprKind};
use crate::types::{AddrSpace, Type};

/// A question about the type of a value.
macro_rules! question {
    ($name:literal, $doc:literal, $example:literal, $test:expr) => {
        Builtin {
            name: $name,
            form: Form::Function,
            args: (1, 1),
            signature: concat!($name, "(VALUE)"),
            doc: $doc,
            example: $example,
            probes: EVERYWHERE,
            elsewhere: None,
            check: |checker, call| {
                let value = operand(checker, call)?;
                let test: fn(&Expr) -> bool = $test;
                Ok(Outcome::Value(truth(test(&value), call)))
            },
        }
    };
}

pub(super) const ENTRIES: &[Builtin] = &[
    question!("is_integer", "Whether the value is an integer.", "begin { print(is_integer(pid)); }", |e| e
        .ty
        .is_int()),
    question!(
        "is_unsigned_integer",
        "Whether the value is an integer without a sign.",
        "begin { print(is_unsigned_integer(pid)); }",
        |e| e.ty.is_int() && !e.ty.is_signed()
    ),
    question!("is_str", "Whether the value is a string.", "begin { print(is_str(comm)); }", |e| matches!(
        e.ty,
        Type::Str(_)
    )),
    question!(
        "is_ptr",
        "Whether the value is a pointer.",
        "begin { print(is_ptr((uint8 *)0)); }",
        |e| matches!(e.ty, Type::Ptr { .. })
    ),
    question!(
        "is_array",
        "Whether the value is an array.",
        "begin { print(is_array((int8[4])(int32)1)); }",
        |e| matches!(e.ty, Type::Array(..))
    ),
    question!(
        "is_literal",
        "Whether the value is known before the run.",
        "begin { print(is_literal(1 + 2)); }",
        |e| matches!(e.kind, ExprKind::Int(_) | ExprKind::Str(_))
    ),
    Builtin {
        name: "assert_str",
        form: Form::Statement,
        args: (1, 1),
        signature: "assert_str(VALUE)",
        doc: "Refuses the script unless the value is text: a string, an array, or a pointer to it.",
        example: "begin { assert_str(comm); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: assert_str,
    },
    Builtin {
        name: "is_err",
        form: Form::Function,
        args: (1, 1),
        signature: "is_err(POINTER)",
        doc: "Whether a pointer of the kernel stands for an error: the last 4095 addresses are negative error numbers.",
        example: "begin { print(is_err((void *)-2)); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: is_err,
    },
    Builtin {
        name: "default_str_length",
        form: Form::Function,
        args: (0, 0),
        signature: "default_str_length()",
        doc: "Room for a string in bytes, the end included: the setting `max_strlen`.",
        example: "begin { print(default_str_length()); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| {
            let room = u64::from(checker.config.max_strlen);
            Ok(Outcome::Value(Expr::new(ExprKind::Int(room), Type::I64, call.span)))
        },
    },
    Builtin {
        name: "typeinfo",
        form: Form::Function,
        args: (1, 1),
        signature: "typeinfo(VALUE or TYPE)",
        doc: "A type, or that of a value, as a record: `btf_id` (always 0), `base_type` and `full_type`.",
        example: "begin { print(typeinfo(pid).full_type); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: typeinfo,
    },
    Builtin {
        name: "kptr",
        form: Form::Function,
        args: (1, 1),
        signature: "kptr(ADDRESS)",
        doc: "The same address, in the memory of the kernel.",
        example: "tracepoint:syscalls:sys_enter_openat { print(str(kptr(args.filename))); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| in_space(checker, call, AddrSpace::Kernel),
    },
    Builtin {
        name: "uptr",
        form: Form::Function,
        args: (1, 1),
        signature: "uptr(ADDRESS)",
        doc: "The same address, in the memory of the traced program.",
        example: "interval:s:1 { print(*uptr((uint64 *)0x1000)); exit(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| in_space(checker, call, AddrSpace::User),
    },
];

fn operand(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Expr> {
    match call.args {
        [e] => checker.expr(e),
        _ => checker.no_arguments(call),
    }
}

fn truth(value: bool, call: &Call<'_>) -> Expr {
    Expr::new(ExprKind::Int(u64::from(value)), Type::Bool, call.span)
}

fn assert_str(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let value = operand(checker, call)?;
    match &value.ty {
        Type::Str(_) | Type::Array(..) | Type::Ptr { .. } => Ok(Outcome::Effect(Vec::new())),
        ty => {
            let message = format!("text is a string, an array or a pointer; this is {}", with_article(ty));
            checker.fail(Problem::error(value.span, message))
        }
    }
}

/// `IS_ERR_VALUE` (linux/err.h): the addresses from -4095 on.
fn is_err(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    const FIRST_ERROR: u64 = 4095u64.wrapping_neg();
    let value = operand(checker, call)?;
    if !matches!(value.ty, Type::Ptr { .. } | Type::Int { .. }) {
        let message = format!("this must be a pointer, not {}", with_article(&value.ty));
        return checker.fail(Problem::error(value.span, message));
    }
    let address = checker.cast_to(value, &Type::U64);
    let first = checker.number(FIRST_ERROR, call.span);
    let kind = ExprKind::Binary(BinOp::Ge, Box::new(address), Box::new(first));
    Ok(Outcome::Value(crate::fold::node(Expr::new(kind, Type::Bool, call.span))))
}

fn typeinfo(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let ty = match &arg.kind {
        AstKind::Type(ty) => checker.written_type(ty, AddrSpace::User)?,
        _ => asked::type_of(arg, &checker.expr(arg)?),
    };
    let mut text = |text: &str| checker.literal_text(text.as_bytes(), call.span);
    let (base, full) = (text(&asked::base_name(&ty))?, text(&asked::full_name(&ty))?);
    let values = vec![Expr::new(ExprKind::Int(0), Type::I64, call.span), base, full];
    let names = ["btf_id", "base_type", "full_type"];
    let ty = Type::Record(names.iter().zip(&values).map(|(n, v)| ((*n).into(), v.ty.clone())).collect());
    Ok(Outcome::Value(Expr::new(ExprKind::Tuple(values), ty, call.span)))
}

fn in_space(checker: &mut Checker<'_>, call: &Call<'_>, space: AddrSpace) -> Checked<Outcome> {
    let value = operand(checker, call)?;
    let to = match &value.ty {
        Type::Ptr { to, .. } => to.clone(),
        // Nothing says what is there.
        Type::Int { .. } => Box::new(Type::Void),
        ty => {
            let message = format!("this must be an address, not {}", with_article(ty));
            return checker.fail(Problem::error(value.span, message));
        }
    };
    Ok(Outcome::Value(checker.cast_to(value, &Type::Ptr { to, space })))
}
