//! Symbols and addresses.

use super::{Builtin, EVERYWHERE, Form, IN_PROGRAMS};
use crate::check::{Call, Checked, Checker, Outcome};
use crate::diag::Problem;
use crate::env::SymbolAddress;
use crate::hir::{self, BinOp, Expr, ExprKind};
use crate::types::{AddrSpace, Type};

pub(super) const ENTRIES: &[Builtin] = &[
    Builtin {
        name: "usym",
        form: Form::Function,
        args: (1, 1),
        signature: "usym(ADDRESS)",
        doc: "An address of the current program that prints as its symbol.",
        example: "uprobe:./web:runtime.newproc1 { @[usym(*(uint64 *)sarg0)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| symbol(checker, call, Type::USym),
    },
    Builtin {
        name: "gofunc",
        form: Form::Function,
        args: (1, 1),
        signature: "gofunc(ADDRESS)",
        doc: "An address of the current program that prints as the name of its Go function. A function that the compiler made to \
              forward a call, such as the one that a `go` statement starts, has the name of the function that it calls, as far as its code tells.",
        example: "uprobe:./web:runtime.goexit1 { @[gofunc(curg.startpc)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| symbol(checker, call, Type::GoFunc),
    },
    Builtin {
        name: "ksym",
        form: Form::Function,
        args: (1, 1),
        signature: "ksym(ADDRESS)",
        doc: "An address of the kernel that prints as its symbol.",
        example: "tracepoint:timer:hrtimer_start { @[ksym(args.function)] = count(); }",
        probes: EVERYWHERE,
        elsewhere: None,
        check: |checker, call| symbol(checker, call, Type::KSym),
    },
    Builtin {
        name: "uaddr",
        form: Form::Function,
        args: (1, 1),
        signature: "uaddr(NAME)",
        doc: "The address of a symbol of the traced program, as `uint64 *`.",
        example: "uprobe:./web:main.handler { printf(\"%d\\n\", *uaddr(\"main.answered\")); }",
        probes: IN_PROGRAMS,
        elsewhere: Some("symbols are looked up in the program that a uprobe names"),
        check: uaddr,
    },
];

fn symbol(checker: &mut Checker<'_>, call: &Call<'_>, ty: Type) -> Checked<Outcome> {
    let [address] = call.args else { return checker.no_arguments(call) };
    let (address, _) = checker.address_arg(address)?;
    Ok(Outcome::Value(Expr::new(ExprKind::Symbol(Box::new(address)), ty, call.span)))
}

fn uaddr(checker: &mut Checker<'_>, call: &Call<'_>) -> Checked<Outcome> {
    let [arg] = call.args else { return checker.no_arguments(call) };
    let name = checker.text_arg(arg, "the name of a symbol")?;
    let target = checker.target();
    if let [_, second, ..] = target.binaries.as_slice() {
        let problem = Problem::error(call.span, format!("`{name}` may be at different addresses"))
            .note(format!("the probe traces several programs: {}, {second}", target.binaries[0]))
            .help("write one probe for each");
        return checker.fail(problem);
    }
    let binary = target.binaries.first().map(String::as_str).unwrap_or_default();
    match checker.env.symbol_address(binary, &name) {
        Ok(address) => {
            let ty = Type::Ptr { to: Box::new(Type::U64), space: AddrSpace::User };
            let address = match address {
                SymbolAddress::Fixed(address) => ExprKind::Int(address),
                SymbolAddress::FromCodeBase(distance) => {
                    let base = Expr::new(ExprKind::Builtin(hir::Builtin::CodeBase), Type::U64, call.span);
                    let distance = Expr::new(ExprKind::Int(distance), Type::U64, call.span);
                    let sum = ExprKind::Binary(BinOp::Add, Box::new(base), Box::new(distance));
                    ExprKind::Cast(Box::new(Expr::new(sum, Type::U64, call.span)))
                }
            };
            Ok(Outcome::Value(Expr::new(address, ty, call.span)))
        }
        Err(error) => checker.no_answer(error, arg.span),
    }
}
