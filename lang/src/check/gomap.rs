//! One entry of a map of the traced Go program: `args.m["key"]`, `has_key(args.m, "key")`.
//!
//! A program cannot compute the hash that the map goes by, so entries are looked through until the key is found
//! ([`hir::Fun::GoMapEntry`]). Maps as a whole are copied: see [`super::whole`].

use crate::ast::Expr;
use crate::check::place::{Base, Place};
use crate::check::{Checked, Checker, build, with_article};
use crate::diag::Problem;
use crate::gomap::GoMap;
use crate::hir::{self, Fun};
use crate::span::Span;
use crate::types::{AddrSpace, GoType, Type};

impl Checker<'_> {
    /// The element that a map has for a key; nothing can be read there if it has none.
    pub(super) fn go_map_element(
        &mut self,
        base: &Base,
        map: &GoMap,
        key: hir::Expr,
        span: Span,
    ) -> Checked<Place> {
        let address = self.go_map_entry(base, map, key, span)?;
        let ty = self.known_struct(map.element.clone(), span)?;
        if ty.size() == 0 {
            let problem = Problem::error(span, "the elements of this map have no contents");
            return self
                .fail(problem.help("write `has_key(MAP, KEY)`, which tells whether the key is there"));
        }
        Ok(Place::new(Base::Memory(address, AddrSpace::User), ty))
    }

    /// `has_key(args.m, KEY)`; `None` where the first argument is no Go map.
    pub(crate) fn go_has_key(&mut self, map: &Expr, key: &Expr, span: Span) -> Checked<Option<hir::Expr>> {
        let Some(Place { base, ty: Type::Go(GoType::Map(ty)), .. }) = self.place_in_go(map)? else {
            return Ok(None);
        };
        let key = self.expr(key)?;
        self.go_map_entry(&base, &ty, key, span).map(build::nonzero).map(Some)
    }

    /// The address of the element for a key, 0 if there is none.
    fn go_map_entry(&mut self, base: &Base, map: &GoMap, key: hir::Expr, span: Span) -> Checked<hir::Expr> {
        let key = build::plain(key);
        let number = |ty: &Type| {
            matches!(ty, Type::Int { .. } | Type::Enum(_) | Type::Ptr { .. } | Type::Duration | Type::Bool)
        };
        let key = match &map.key {
            Type::Go(GoType::Str) if matches!(key.ty, Type::Str(_)) => key,
            ty if number(ty) && number(&key.ty) => {
                let (bits, signed) = (8 * ty.size() as u8, ty.is_signed());
                build::cast(key, &Type::Int { bits, signed })
            }
            ty if number(ty) || *ty == Type::Go(GoType::Str) => {
                let message =
                    format!("the keys of this map are {}, this is {}", plural(ty), with_article(&key.ty));
                return self.fail(Problem::error(key.span, message));
            }
            ty => {
                let problem = Problem::error(span, format!("entries cannot be looked up by {}", plural(ty)));
                return self.fail(
                    problem.note("keys can be texts and numbers").help("`print()` shows the first entries"),
                );
            }
        };
        let address = self.word(base, 0, span)?;
        let kind = hir::ExprKind::Apply(Fun::GoMapEntry(map.layout), vec![address, key]);
        Ok(hir::Expr::new(kind, Type::U64, span))
    }
}

/// Values of a type of keys, in a sentence.
fn plural(ty: &Type) -> String {
    match ty {
        Type::Go(GoType::Str) => "strings".to_owned(),
        Type::Bool => "booleans".to_owned(),
        Type::Struct(s) => format!("structures, `{}`", s.name),
        ty => format!("values of type `{ty}`"),
    }
}
