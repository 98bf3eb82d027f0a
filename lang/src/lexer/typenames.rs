//! Tells names of types from other names where C tells them by what was declared before: `(pid_t)-1` is a cast, `(x) - 1` is none.
//!
//! The kernel's and the traced program's names are not known here, so the place decides: a name alone in parentheses with a
//! value behind is a cast, because nothing else in the language looks like that. Only before `-`, `*` and `&`, which may
//! stand between two values, the name itself decides. Elsewhere the grammar knows where types stand.

use super::{Lexer, Token};
use crate::token::Tok;

/// Names that can be declared although they are types: they stand alone, so the second of two types is a name.
const NAMES_TOO: &[&str] = &["string", "buffer", "bool"];

/// Types of C that scripts cannot compute with: before a parenthesis outside of declarations they are names of macros and functions.
const CALLED_TOO: &[&str] = &["double", "float"];

impl<'i> Lexer<'i> {
    /// Marks the names of types among the tokens of an item.
    pub(super) fn name_types(&mut self, tokens: &mut [Token<'i>]) {
        match tokens.first().map(|t| t.tok) {
            Some(Tok::Struct | Tok::Union) => declared_names(tokens),
            Some(Tok::Typedef) => {
                declared_names(tokens);
                self.typedefs.extend(names_given(tokens));
            }
            _ => {
                called_names(tokens);
                for open in 0..tokens.len() {
                    if let Some(name) = self.cast(tokens, open)
                        && let Some(token) = tokens.get_mut(open + name)
                        && let Tok::Ident(text) = token.tok
                    {
                        token.tok = Tok::TypeName(text);
                    }
                }
            }
        }
    }

    /// How far behind the parenthesis at `open` the name of a type stands, if there is one.
    fn cast(&self, tokens: &[Token<'i>], open: usize) -> Option<usize> {
        let tok = |i: usize| tokens.get(i).map(|t| t.tok);
        if tok(open) != Some(Tok::LParen) {
            return None;
        }
        let mut at = open + 1;
        while tok(at) == Some(Tok::Qualifier) {
            at += 1;
        }
        let (name, Some(Tok::Ident(text))) = (at - open, tok(at)) else { return None };
        let before = open.checked_sub(1).and_then(tok);
        let operator = matches!(before, Some(Tok::Sizeof | Tok::Offsetof | Tok::Typeof));
        let called = matches!(
            before,
            Some(Tok::Ident(_) | Tok::If | Tok::While | Tok::For | Tok::Unroll | Tok::RParen | Tok::RBracket)
        );
        at += 1;
        let pointer = tok(at) == Some(Tok::Star);
        while matches!(tok(at), Some(Tok::Star | Tok::Qualifier)) {
            at += 1;
        }
        while tok(at) == Some(Tok::LBracket) {
            at += 1 + tokens.get(at..)?.iter().position(|t| t.tok == Tok::RBracket)?;
        }
        if tok(at) != Some(Tok::RParen) {
            return None;
        }
        let is_type = pointer
            || name > 1
            || !operator
                && match tok(at + 1)? {
                    Tok::Minus | Tok::Star | Tok::Amp => self.typedefs.contains(text) || text.ends_with("_t"),
                    Tok::Ident(_)
                    | Tok::Var(_)
                    | Tok::Map(_)
                    | Tok::Param(_)
                    | Tok::ParamCount
                    | Tok::Number(_)
                    | Tok::Str(_)
                    | Tok::True
                    | Tok::False
                    | Tok::Sizeof
                    | Tok::Offsetof
                    | Tok::ContainerOf
                    | Tok::Comptime
                    | Tok::Bang
                    | Tok::Tilde
                    | Tok::LParen => true,
                    _ => false,
                };
        (is_type && (!called || pointer)).then_some(name)
    }
}

/// What is called, or defined as a macro or function, though it could be a type.
fn called_names(tokens: &mut [Token<'_>]) {
    for at in 1..tokens.len() {
        if let [token, next] = &mut tokens[at - 1..=at]
            && let Tok::TypeName(text) = token.tok
            && next.tok == Tok::LParen
            && CALLED_TOO.contains(&text)
        {
            token.tok = Tok::Ident(text);
        }
    }
}

/// In a declaration: what follows a type and could be one too is the name that is declared.
fn declared_names(tokens: &mut [Token<'_>]) {
    let mut before = None;
    for token in tokens {
        if let Tok::TypeName(text) = token.tok
            && NAMES_TOO.contains(&text)
            && matches!(before, Some(Tok::TypeName(_) | Tok::Ident(_) | Tok::Star))
        {
            token.tok = Tok::Ident(text);
        }
        before = Some(token.tok);
    }
}

/// The names that a `typedef` gives: outside of braces, before what ends a declarator.
fn names_given<'i>(tokens: &[Token<'i>]) -> Vec<&'i str> {
    let mut depth = 0usize;
    let mut names = Vec::new();
    for pair in tokens.windows(2) {
        let [token, next] = pair else { continue };
        match token.tok {
            Tok::LBrace => depth += 1,
            Tok::RBrace => depth = depth.saturating_sub(1),
            Tok::Ident(name)
                if depth == 0
                    && matches!(
                        next.tok,
                        Tok::Semi | Tok::Comma | Tok::RParen | Tok::LBracket | Tok::LParen
                    ) =>
            {
                names.push(name);
            }
            _ => {}
        }
    }
    names
}
