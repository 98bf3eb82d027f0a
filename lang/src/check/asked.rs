//! The types of values as scripts ask for them: by `sizeof(VALUE)` and `typeinfo(VALUE)`.
//!
//! Literals are computed with in 64 bits. Asked for, the type of one is the smallest signed integer that holds it, as in bpftrace, and that
//! of a text is the text with its end. Names of types are bpftrace's.

use crate::ast::{BinOp, Expr, ExprKind, UnOp};
use crate::hir;
use crate::types::{StackKind, Type};

/// The type of the value that an expression was translated to.
pub(crate) fn type_of(written: &Expr, value: &hir::Expr) -> Type {
    match (&written.kind, &value.kind, &value.ty) {
        (ExprKind::Tuple(members), hir::ExprKind::Tuple(values), Type::Tuple(_)) => {
            Type::Tuple(members.iter().zip(values).map(|(m, v)| type_of(m, v)).collect())
        }
        (ExprKind::Record(members), hir::ExprKind::Tuple(values), Type::Record(names)) => {
            let types = members.iter().zip(values).map(|((_, m), v)| type_of(m, v));
            Type::Record(names.iter().zip(types).map(|((name, _), ty)| (name.clone(), ty)).collect())
        }
        (ExprKind::Str(_), hir::ExprKind::Str(text), _) => Type::Str(text.len() as u32 + 1),
        (_, hir::ExprKind::Int(bits), &Type::I64) if is_number(written) => smallest(*bits as i64),
        (_, _, ty) => ty.clone(),
    }
}

/// Whether only numbers are written there.
fn is_number(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Int(_) => true,
        ExprKind::Unary(UnOp::Neg | UnOp::BitNot, e) => is_number(e),
        ExprKind::Binary(op, a, b) => {
            !op.is_comparison() && !matches!(op, BinOp::LogAnd | BinOp::LogOr) && is_number(a) && is_number(b)
        }
        _ => false,
    }
}

/// The smallest signed integer that holds a number.
fn smallest(number: i64) -> Type {
    let bits = match number {
        n if i8::try_from(n).is_ok() => 8,
        n if i16::try_from(n).is_ok() => 16,
        n if i32::try_from(n).is_ok() => 32,
        _ => 64,
    };
    Type::Int { bits, signed: true }
}

/// What kind of type it is, in a word.
pub(crate) fn base_name(ty: &Type) -> String {
    match ty {
        Type::Int { .. } | Type::Enum(_) => "int".into(),
        Type::Str(_) => "string".into(),
        Type::Buf(_) => "buffer".into(),
        Type::Ptr { .. } => "pointer".into(),
        Type::Array(..) => "array".into(),
        Type::Struct(_) => "c_type".into(),
        Type::Tuple(_) => "tuple".into(),
        Type::Record(_) => "record".into(),
        Type::Stack { kind: StackKind::User, .. } => "ustack".into(),
        Type::Stack { kind: StackKind::Kernel, .. } => "kstack".into(),
        Type::Inet => "inet".into(),
        Type::Mac => "mac_address".into(),
        ty => ty.to_string(),
    }
}

/// The whole name of a type, with all sizes.
pub(crate) fn full_name(ty: &Type) -> String {
    let list = |of: &[Type]| of.iter().map(full_name).collect::<Vec<_>>().join(",");
    match ty {
        Type::Str(n) => format!("string[{n}]"),
        Type::Buf(_) => format!("buffer[{}]", ty.size()),
        Type::Array(of, n) => format!("{}[{n}]", full_name(of)),
        Type::Ptr { to, .. } => format!("{} *", full_name(to)),
        Type::Tuple(of) => format!("({})", list(of)),
        Type::Record(of) => {
            let members: Vec<String> =
                of.iter().map(|(name, ty)| format!(".{name} = {}", full_name(ty))).collect();
            format!("record {{ {} }}", members.join(", "))
        }
        Type::Stack { mode, limit, .. } => format!("{}_{}_{limit}", base_name(ty), mode.name()),
        Type::Inet => format!("inet[{}]", ty.size()),
        Type::Mac => base_name(ty),
        ty => ty.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use crate::check::tests::TestEnv;
    use crate::hir::{ExprKind, StmtKind};

    /// What `typeinfo` says: base and full name.
    fn typeinfo(written: &str) -> String {
        let source =
            format!("begin {{ @b = typeinfo({written}).base_type; @f = typeinfo({written}).full_type; }}");
        let (script, problems) = crate::parse("t.gt", &source);
        assert!(!problems.has_errors(), "{problems}");
        let checked = crate::check(&script, &TestEnv::new(), &crate::Config::default());
        let (program, _) =
            checked.unwrap_or_else(|problems| panic!("{}", problems.render("t.gt", &source, false)));
        let text = |stmt: &crate::hir::Stmt| match &stmt.kind {
            StmtKind::SetMap { value, .. } => match &value.kind {
                ExprKind::Str(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            },
            other => format!("{other:?}"),
        };
        program.probes[0].body.iter().map(text).collect::<Vec<_>>().join("/")
    }

    #[test]
    fn names_are_bpftraces() {
        // Each was seen in bpftrace 0.27.1.
        let expected = [
            ("1", "int", "int8"),
            ("300", "int", "int16"),
            ("-70000", "int", "int32"),
            ("1 + 2", "int", "int8"),
            ("(int64)5", "int", "int64"),
            ("(uint8)1", "int", "uint8"),
            ("18446744073709551615", "int", "uint64"),
            ("\"ab\"", "string", "string[3]"),
            ("(1, (2, \"abc\"))", "tuple", "(int8,(int8,string[4]))"),
            ("(a=1, b=\"x\")", "record", "record { .a = int8, .b = string[2] }"),
            ("(int8[2])(int16)5", "array", "int8[2]"),
            ("ntop(1)", "inet", "inet[24]"),
            ("kstack", "kstack", "kstack_bpftrace_127"),
            ("ustack(perf, 3)", "ustack", "ustack_perf_3"),
            ("comm", "string", "string[16]"),
            ("(uint8 *)0", "pointer", "uint8 *"),
            ("username", "username_t", "username_t"),
            ("true", "bool", "bool"),
            ("uint8", "int", "uint8"),
            ("uint8 *", "pointer", "uint8 *"),
        ];
        for (written, base, full) in expected {
            assert_eq!(typeinfo(written), format!("{base}/{full}"), "{written}");
        }
    }
}
