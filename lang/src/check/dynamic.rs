//! Interfaces of Go programs: their words, the address of the type in them, and comparing that with a type's name.

use crate::ast::{BinOp, Expr};
use crate::check::place::Place;
use crate::check::types::pointer_to;
use crate::check::{Checked, Checker, build, whole};
use crate::diag::Problem;
use crate::env::SymbolAddress;
use crate::gocopy::ITAB_TYPE;
use crate::goerror::ErrorType;
use crate::hir::{self, LogicOp};
use crate::span::Span;
use crate::types::{AddrSpace, GoType, Type};
use std::sync::Arc;

/// An interface that has not been looked into.
pub(crate) struct Interface {
    /// Address of the type, or of the itab if it has methods; 0 for nil.
    pub first: hir::Expr,
    /// Address of the value, or the value.
    pub data: hir::Expr,
    /// Whether the interface type has methods.
    pub methods: bool,
}

impl Checker<'_> {
    /// The interface that an expression names, if it names one.
    pub(crate) fn interface(&mut self, e: &Expr) -> Checked<Option<Interface>> {
        match self.place_in_go(e)? {
            Some(Place { base, ty: Type::Go(GoType::Interface { methods }), .. }) => {
                let (first, data) = (self.word(&base, 0, e.span)?, self.word(&base, 1, e.span)?);
                Ok(Some(Interface { first, data, methods }))
            }
            _ => Ok(None),
        }
    }

    /// The place of a parameter or result, or of something in it, whose type is known.
    pub(super) fn place_in_go(&mut self, e: &Expr) -> Checked<Option<Place>> {
        if whole::comes_from_go(e) && self.signature().is_some() { self.place(e) } else { Ok(None) }
    }

    /// The address of the type in an interface, 0 for nil.
    pub(crate) fn type_word(&mut self, interface: &Interface) -> hir::Expr {
        let first = interface.first.clone();
        if !interface.methods {
            return first;
        }
        let span = first.span;
        let there = build::offset(first.clone(), u64::from(ITAB_TYPE), span);
        let load = hir::ExprKind::Load { addr: Box::new(there), space: AddrSpace::User };
        let load = hir::Expr::new(load, Type::U64, span);
        let nil = build::int(0, Type::U64, span);
        let kind = hir::ExprKind::Ternary(Box::new(build::nonzero(first)), Box::new(load), Box::new(nil));
        hir::Expr::new(kind, Type::U64, span)
    }

    /// The error types of the traced program, and what is to be taken from the address of a type before it is compared with theirs.
    pub(crate) fn error_types(&mut self, span: Span) -> Checked<(Arc<[ErrorType]>, Option<hir::Expr>)> {
        let binary = self.one_binary("the types of its errors", span)?;
        let mut base = None;
        let types = self.env.go_errors(&binary).into_iter().map(|(address, ty)| match address {
            SymbolAddress::Fixed(address) => ErrorType { address, ..ty },
            SymbolAddress::FromCodeBase(address) => {
                base = Some(code_base(span));
                ErrorType { address, ..ty }
            }
        });
        let types: Vec<ErrorType> = types.collect();
        Ok((types.into(), base))
    }

    /// `gotype(x) == "main.T"`: the address is compared with those of the types of that name.
    pub(super) fn compare_go_type(
        &mut self,
        op: BinOp,
        ty: &hir::Expr,
        name: &hir::Expr,
        span: Span,
    ) -> Checked<hir::Expr> {
        let (hir::ExprKind::Symbol(address), hir::ExprKind::Str(text)) = (&ty.kind, &name.kind) else {
            let problem =
                Problem::error(span, "a type is compared with a string literal, where it is asked for");
            return self.fail(problem.help("write `gotype(x) == \"main.T\"`"));
        };
        let text = String::from_utf8_lossy(text).into_owned();
        let addresses = match text.as_str() {
            "<nil>" => vec![SymbolAddress::Fixed(0)],
            text => {
                let binary = self.one_binary("the address of a type", span)?;
                let found = self.env.go_type_addresses(&binary, text);
                if found.is_empty() {
                    let problem =
                        Problem::error(name.span, format!("no interface holds a `{text}` in {binary}"))
                            .note("the program has no type of that name that is ever put into an interface")
                            .help("names are those of `%T`: `*http.Request`, `main.T`, `<nil>`");
                    return self.fail(problem);
                }
                found
            }
        };
        let equal = is_one_of(address, addresses, span);
        Ok(if op == BinOp::Ne { build::unary(hir::UnOp::Not, equal, Type::Bool, span) } else { equal })
    }

    /// What is in an interface, as a pointer to a type of that name: nil if something else is in it.
    pub(crate) fn held_as(&mut self, interface: &Interface, name: &str, span: Span) -> Checked<hir::Expr> {
        let binary = self.one_binary("the address of a type", span)?;
        let found = self.env.go_dynamic_types(&binary, name);
        let [first, others @ ..] = found.as_slice() else {
            let problem = Problem::error(span, format!("no interface holds a `{name}` in {binary}"))
                .note("the program has no type of that name that is ever put into an interface")
                .help("names are those of `%T`, which `gotype(x)` prints: `*http.Request`, `main.T`");
            return self.fail(problem);
        };
        if let Some(other) = others.iter().find(|other| other.name != first.name) {
            let problem = Problem::error(span, format!("`{name}` is the name of several types"));
            let both = format!("write the whole path: `{}` or `{}`", first.name, other.name);
            return self.fail(problem.help(both));
        }
        let Some(to) = first.pointee.clone() else {
            let problem = Problem::error(span, format!("a `{name}` may be in the interface itself"))
                .note("a value that is one pointer has no address there")
                .help("`print` of the interface shows it");
            return self.fail(problem);
        };
        let ty = self.type_word(interface);
        let is_it = is_one_of(&ty, found.iter().map(|found| found.address).collect(), span);
        let nil = build::int(0, Type::U64, span);
        let data = build::cast(interface.data.clone(), &Type::U64);
        let kind = hir::ExprKind::Ternary(Box::new(is_it), Box::new(data), Box::new(nil));
        Ok(build::cast(hir::Expr::new(kind, Type::U64, span), &pointer_to(to, AddrSpace::User)))
    }

    /// The traced binary, if it is one.
    fn one_binary(&mut self, what: &str, span: Span) -> Checked<String> {
        match self.target().binaries.as_slice() {
            [only] => Ok(only.clone()),
            [] => self.fail(Problem::error(span, format!("{what} is known in probes of a program"))),
            [first, second, ..] => {
                let problem = Problem::error(span, format!("{what} may be different"))
                    .note(format!("the probe traces several programs: {first}, {second}"))
                    .help("write one probe for each");
                self.fail(problem)
            }
        }
    }
}

/// Whether the address of a type is one of those.
fn is_one_of(address: &hir::Expr, known: Vec<SymbolAddress>, span: Span) -> hir::Expr {
    known.into_iter().fold(build::bool(false, span), |so_far, known| {
        let known = match known {
            SymbolAddress::Fixed(known) => build::int(known, Type::U64, span),
            SymbolAddress::FromCodeBase(distance) => build::offset(code_base(span), distance, span),
        };
        let one = build::binary(hir::BinOp::Eq, address.clone(), known, Type::Bool, span);
        build::logical(LogicOp::Or, so_far, one, span)
    })
}

fn code_base(span: Span) -> hir::Expr {
    hir::Expr::new(hir::ExprKind::Builtin(hir::Builtin::CodeBase), Type::U64, span)
}
