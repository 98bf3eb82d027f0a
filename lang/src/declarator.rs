//! Declarations as C writes them become types: `int *(*f[2])(int)` names `f`, and what stands around a name is what it is.
//!
//! The grammar's actions call this. What the types are, their sizes and places, is [`crate::check`]'s.

use crate::ast::{Attributes, Expr, FieldDecl, Name, Record, TypeDecl, TypeDeclKind, TypeExpr, TypeKind};
use crate::diag::Problem;
use crate::parse::Builder;
use crate::span::Span;
use crate::types::StructKind;

/// Greatest number of `*` and `[n]` behind a type.
const MAX_TYPE_HEIGHT: usize = 16;

/// Attributes that say nothing about the layout of what is declared.
const WITHOUT_LAYOUT: &[&str] = &["preserve_access_index", "unused", "used", "deprecated", "may_alias"];

/// A declared name before its type is put together.
pub(crate) struct Declarator {
    pub name: Name,
    /// What is written around the name, the nearest to the type that stands before it first.
    suffixes: Vec<TypeSuffix>,
    /// Number of bits of a bit-field.
    bits: Option<Box<Expr>>,
    attributes: Attributes,
}

/// What stands behind a type.
#[derive(Clone)]
pub(crate) enum TypeSuffix {
    /// `*`
    Pointer,
    /// `[n]`
    Array(Option<Box<Expr>>),
    /// `(…)`: a function that gives it.
    Function,
}

/// One attribute of a list.
pub(crate) enum Attribute {
    Packed,
    /// `aligned(n)`
    Aligned(Box<Expr>),
    /// Nothing that concerns the layout.
    Other,
}

/// Alignment that `aligned` without a number asks for: the greatest that the machine needs for any type.
const GREATEST_ALIGNMENT: u64 = 16;

impl Builder<'_> {
    /// `before` stands between type and name, the other suffixes around the name, the nearest first.
    pub(crate) fn declarator(
        &mut self,
        before: Vec<TypeSuffix>,
        (name, around): (Name, Vec<TypeSuffix>),
        bits: Option<Box<Expr>>,
        attributes: Vec<Vec<Attribute>>,
    ) -> Declarator {
        let suffixes = before.into_iter().chain(around.into_iter().rev()).collect();
        Declarator { name, suffixes, bits, attributes: merged(attributes.into_iter().flatten()) }
    }

    pub(crate) fn attribute(
        &mut self,
        name: &str,
        argument: Option<Expr>,
        start: usize,
        end: usize,
    ) -> Attribute {
        // Each has a second spelling, for headers.
        let plain = name.strip_prefix("__").and_then(|n| n.strip_suffix("__")).unwrap_or(name);
        match (plain, argument) {
            ("packed", None) => return Attribute::Packed,
            ("aligned", Some(n)) => return Attribute::Aligned(Box::new(n)),
            ("aligned", None) => {
                let n = self.expr(crate::ast::ExprKind::Int(GREATEST_ALIGNMENT), start, end);
                return Attribute::Aligned(Box::new(n));
            }
            (other, None) if WITHOUT_LAYOUT.contains(&other) => {}
            _ => {
                let problem = Problem::error(self.span(start, end), format!("unknown attribute `{name}`"));
                self.problems.push(problem.note("`packed` and `aligned(n)` are known"));
            }
        }
        Attribute::Other
    }

    /// A struct or union with its members.
    pub(crate) fn record(
        &mut self,
        kind: StructKind,
        name: Option<Name>,
        fields: Vec<FieldDecl>,
        attributes: impl Iterator<Item = Vec<Attribute>>,
        start: usize,
        end: usize,
    ) -> TypeDecl {
        let attributes = merged(attributes.flatten());
        let span = self.span(start, end);
        TypeDecl { name, kind: TypeDeclKind::Record(Record { kind, fields, attributes }), span }
    }

    /// A type with `*`, `[n]` or the parameters of a function behind it.
    pub(crate) fn suffixed(
        &mut self,
        ty: TypeExpr,
        suffix: TypeSuffix,
        start: usize,
        end: usize,
    ) -> TypeExpr {
        let span = self.span(start, end);
        if ty.height() >= MAX_TYPE_HEIGHT {
            self.problems.push(Problem::error(span, "this type is nested too deeply"));
            return ty;
        }
        let kind = match suffix {
            TypeSuffix::Pointer => TypeKind::Pointer(Box::new(ty)),
            TypeSuffix::Array(n) => TypeKind::Array(Box::new(ty), n),
            // Nothing can be done with a function but to print where it is.
            TypeSuffix::Function => TypeKind::Named("void".into()),
        };
        TypeExpr { kind, span }
    }

    fn declared(&mut self, base: &TypeExpr, suffixes: Vec<TypeSuffix>, span: Span) -> TypeExpr {
        let (start, end) = (span.start as usize, span.end as usize);
        suffixes.into_iter().fold(base.clone(), |ty, s| self.suffixed(ty, s, start, end))
    }

    /// The members of `T *a, b[2];`.
    pub(crate) fn fields(
        &mut self,
        base: &TypeExpr,
        names: Vec<Declarator>,
        start: usize,
        end: usize,
    ) -> Vec<FieldDecl> {
        let span = self.span(start, end);
        let field = |d: Declarator| FieldDecl {
            ty: self.declared(base, d.suffixes, span),
            name: Some(d.name),
            bits: d.bits,
            attributes: d.attributes,
            span,
        };
        names.into_iter().map(field).collect()
    }

    /// The names that `typedef T *a, b[2];` gives.
    pub(crate) fn typedefs(
        &mut self,
        base: TypeExpr,
        names: Vec<Declarator>,
        start: usize,
        end: usize,
    ) -> Vec<TypeDecl> {
        let span = self.span(start, end);
        let mut base = base;
        if let TypeKind::Declared(decl) = &mut base.kind
            && decl.name.is_none()
        {
            // As in C++, a structure without a tag is called by the first name that is given to itself.
            decl.name = names.iter().find(|d| d.suffixes.is_empty()).map(|d| d.name.clone());
        }
        let mut out = Vec::new();
        for d in names {
            if d.bits.is_some() || d.attributes.align.is_some() || d.attributes.packed {
                let what = "a `typedef` gives a name to a type, without bits or attributes";
                self.problems.push(Problem::error(d.name.span, what));
            }
            let ty = self.declared(&base, d.suffixes, span);
            out.push(TypeDecl { name: Some(d.name), kind: TypeDeclKind::Typedef(ty), span });
        }
        out
    }
}

fn merged(attributes: impl Iterator<Item = Attribute>) -> Attributes {
    let mut all = Attributes::default();
    for attribute in attributes {
        match attribute {
            Attribute::Packed => all.packed = true,
            Attribute::Aligned(n) => all.align = Some(n),
            Attribute::Other => {}
        }
    }
    all
}
