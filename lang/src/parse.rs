//! From tokens to the syntax tree, and from LALRPOP's errors to messages for people.
//!
//! The grammar's actions call [`Builder`]: it decodes literals, limits the height of trees and collects problems.

use crate::advice::{Advice, Around};
use crate::ast::{Expr, ExprKind, Item, Name, Script, Stmt, StmtKind};
use crate::diag::{Problem, Problems};
use crate::lexer::{self, Token};
use crate::literal;
use crate::source::{Imported, Part};
use crate::span::Span;
use crate::token::Tok;
use lalrpop_util::{ErrorRecovery, ParseError, lalrpop_mod};
use std::fmt;

lalrpop_mod!(
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        unused,
        unreachable_pub,
        unused_qualifications,
        rust_2018_idioms,
        missing_docs,
        reason = "generated code"
    )]
    grammar
);

/// Greatest height of an expression and number of `else if`: the checker and the code generator recurse over both.
pub(crate) const MAX_HEIGHT: u32 = 128;

/// Parses a script. The tree holds everything that could be understood; it is fit for [`crate::check`] only when the
/// problems hold no error.
pub fn parse(source_name: &str, source: &str) -> (Script, Problems) {
    parse_files(source_name, source, &Imported::default())
}

/// Parses a script whose text is followed by those of the files that it imports.
pub fn parse_files(source_name: &str, source: &str, imported: &Imported) -> (Script, Problems) {
    let mut script = Script {
        source_name: source_name.into(),
        source: source.into(),
        imported: imported.clone(),
        ..Script::default()
    };
    let mut problems = Problems::new();
    let mut nothing = true;
    let parts = imported.parts(source_name, source);
    for part in imported.order().filter_map(|index| parts.get(index)) {
        nothing &= items(&mut script, *part, &mut problems);
    }
    crate::expand::run(&mut script, &mut problems);
    if nothing && problems.is_empty() {
        let problem = Problem::general("the script has no probes")
            .help("for example: `begin { printf(\"hello\\n\"); }`");
        problems.push(problem);
    }
    problems.sort();
    (script, problems)
}

/// Adds the items of a file to a script; gives whether there are none.
fn items(script: &mut Script, part: Part<'_>, problems: &mut Problems) -> bool {
    let mut lexed = lexer::lex(part.text);
    lexed.problems.shift(part.start);
    problems.extend(lexed.problems);
    for item in &mut lexed.items {
        item.tokens.iter_mut().for_each(|token| token.span = token.span.shifted(part.start));
    }
    for item in &lexed.items {
        let mut builder = Builder {
            tokens: &item.tokens,
            unclosed: item.unclosed,
            failed: false,
            problems: Problems::new(),
        };
        let tokens = item.tokens.iter().map(|t| (t.span.start as usize, t.tok, t.span.end as usize));
        match grammar::ItemParser::new().parse(&mut builder, tokens) {
            Ok(Item::Types(types)) => script.types.extend(types),
            Ok(Item::Config(c)) if part.start > 0 => {
                let problem = Problem::error(c.span, "an imported file has no settings");
                problems.push(problem.help("write them in the script that imports it"));
            }
            Ok(Item::Config(c)) => script.configs.push(c),
            Ok(Item::Import(_)) => {}
            Ok(Item::Macro(m)) => script.macros.push(m),
            Ok(Item::Fn(f)) => script.fns.push(f),
            Ok(Item::Map(m)) => script.maps.push(m),
            Ok(Item::Probe(p)) => script.probes.push(p),
            Err(error) => builder.syntax_error(error),
        }
        problems.extend(builder.problems);
    }
    lexed.items.is_empty()
}

/// What the grammar's actions need while one item is parsed.
pub(crate) struct Builder<'b> {
    tokens: &'b [Token<'b>],
    unclosed: bool,
    /// A syntax error was met in this item.
    failed: bool,
    pub(crate) problems: Problems,
}

type Error<'i> = ParseError<usize, Tok<'i>, ()>;

impl Builder<'_> {
    pub(crate) fn span(&self, start: usize, end: usize) -> Span {
        Span::new(start, end.max(start))
    }

    /// An expression; one that is too high is replaced, and so never gets higher.
    pub(crate) fn expr(&mut self, kind: ExprKind, start: usize, end: usize) -> Expr {
        let span = self.span(start, end);
        let height = 1 + kind.children().iter().map(|e| e.height).max().unwrap_or(0);
        if height <= MAX_HEIGHT {
            return Expr { kind, span, height };
        }
        self.problems.push(
            Problem::error(span, "this expression is nested too deeply")
                .help("split it with a variable: `$x = …;`"),
        );
        Expr { kind: ExprKind::Error, span, height: 1 }
    }

    /// `e[i]`: the key of a map or an element.
    pub(crate) fn index(&mut self, e: Expr, index: Vec<Expr>, start: usize, end: usize) -> Expr {
        let kind = match e.kind {
            ExprKind::Map { name, keys } if keys.is_empty() => ExprKind::Map { name, keys: index },
            _ => ExprKind::Index(Box::new(e), index),
        };
        self.expr(kind, start, end)
    }

    /// What stands left of the `=` of a record.
    pub(crate) fn member_name(&mut self, e: Expr) -> Name {
        if let ExprKind::Ident(text) = e.kind {
            return Name { text, span: e.span };
        }
        let problem = Problem::error(e.span, "this is no name of a member: `(NAME=…)` is a record");
        self.problems.push(problem.help("to compare, write `==`"));
        Name { text: String::new(), span: e.span }
    }

    pub(crate) fn tuple_member(&mut self, e: Expr, n: u64, start: usize, end: usize) -> Expr {
        if let ExprKind::Int(_) = e.kind {
            let problem = Problem::error(self.span(start, end), "gotrace has no floating-point numbers")
                .help("count in smaller units: microseconds rather than seconds");
            self.problems.push(problem);
            return Expr { kind: ExprKind::Error, span: self.span(start, end), height: 1 };
        }
        self.expr(ExprKind::TupleMember(Box::new(e), u32::try_from(n).unwrap_or(u32::MAX)), start, end)
    }

    pub(crate) fn number(&mut self, start: usize, text: &str) -> u64 {
        literal::number(text).unwrap_or_else(|error| {
            let span = Span::new(start, start + text.len());
            let mut problem = Problem::error(span, error.to_string());
            if matches!(error, literal::LiteralError::Suffix(_)) {
                problem =
                    problem.note("units are ns, us, ms, s, m, h and d; suffixes are U, L, UL, LL and ULL");
            }
            self.problems.push(problem);
            0
        })
    }

    pub(crate) fn string(&mut self, start: usize, text: &str) -> Vec<u8> {
        literal::string(text).unwrap_or_else(|(error, at)| {
            let rest = text.get(at..).unwrap_or_default();
            let len = rest.chars().take(2).map(char::len_utf8).sum::<usize>();
            let problem = Problem::error(Span::new(start + at, start + at + len), error.to_string())
                .note("escapes are \\n \\t \\r \\\" \\\\ \\xNN and \\NNN (octal)");
            self.problems.push(problem);
            Vec::new()
        })
    }

    pub(crate) fn param(&mut self, text: &str, start: usize, end: usize) -> ExprKind {
        let span = self.span(start, end);
        match text.trim_start_matches('$').parse::<u32>() {
            Ok(0) => {
                self.problems
                    .push(Problem::error(span, "there is no `$0`").help("the first argument is `$1`"));
                ExprKind::Error
            }
            Ok(n) => ExprKind::Param(n),
            Err(_) => {
                self.problems.push(Problem::error(span, "the number of this parameter is too large"));
                ExprKind::Error
            }
        }
    }

    /// A statement that could not be parsed.
    pub(crate) fn error_stmt(
        &mut self,
        recovery: ErrorRecovery<usize, Tok<'_>, ()>,
        start: usize,
        end: usize,
    ) -> Stmt {
        self.recovered(recovery);
        Stmt { kind: StmtKind::Error, span: self.span(start, end) }
    }

    /// Reports an error that the grammar got over.
    pub(crate) fn recovered(&mut self, recovery: ErrorRecovery<usize, Tok<'_>, ()>) {
        self.syntax_error(recovery.error);
    }

    fn syntax_error(&mut self, error: Error<'_>) {
        let first = !std::mem::replace(&mut self.failed, true);
        let problem = match error {
            ParseError::UnrecognizedToken { token: (start, tok, end), expected } => {
                // After an error the braces may be out of step: what does not fit then says nothing new.
                let out_of_step = match tok {
                    Tok::RBrace | Tok::Else => true,
                    // Where no value is expected, nothing is open either.
                    Tok::RParen | Tok::RBracket => !expected.iter().any(|e| e.trim_matches('"') == "number"),
                    _ => false,
                };
                if !first && (out_of_step || expected.is_empty()) {
                    return;
                }
                self.unexpected(Some(tok), Span::new(start, end), &expected)
            }
            ParseError::UnrecognizedEof { location, expected } => {
                if self.unclosed || !first {
                    return;
                }
                self.unexpected(None, Span::new(location, location), &expected)
            }
            ParseError::ExtraToken { token: (start, tok, end) } => {
                if !first {
                    return;
                }
                Problem::error(Span::new(start, end), format!("unexpected `{tok}`"))
            }
            ParseError::InvalidToken { .. } | ParseError::User { .. } => return,
        };
        self.problems.push(problem);
    }

    /// The error for a token that does not fit (`None`: the item ended).
    fn unexpected(&self, tok: Option<Tok<'_>>, span: Span, expected: &[String]) -> Problem {
        let expected = Expected::new(expected);
        let at = self.tokens.iter().take_while(|t| t.span.end <= span.start).count();
        let before = at.checked_sub(1).and_then(|n| self.tokens.get(n));
        let found = match tok {
            Some(Tok::Attach(_) | Tok::PredicateOpen) | None => "end of the probe".to_owned(),
            Some(Tok::PredicateClose) => "end of the predicate".to_owned(),
            Some(t) => format!("`{t}`"),
        };
        let before_end = before.map_or(span, |t| Span { start: t.span.end, end: t.span.end });
        if let (Some(Tok::LBrace), true) = (tok, expected.has("end of predicate")) {
            return Problem::error(before_end, "the predicate is not closed").at("`/` is missing here");
        }
        if before.is_some_and(|t| matches!(t.tok, Tok::Attach(_))) && tok.is_none() {
            return Problem::error(before_end, "this probe has no block").at("expected `{`").help(BLOCK);
        }
        if before.is_none() && tok == Some(Tok::LBrace) {
            return Problem::error(span, "nothing says when this block runs").help(BLOCK);
        }
        let problem = |place| Problem::error(place, format!("expected {expected}, found {found}"));
        let around = Around { tokens: self.tokens, at, found: tok, expected: &expected };
        match around.advice() {
            // What is missing is best shown where it belongs.
            Some(Advice::Missing(what)) => problem(before_end).at(format!("`{what}` is missing here")),
            Some(Advice::Help(text)) => problem(span).help(text),
            Some(Advice::Note(text)) => problem(span).note(text),
            None => problem(if tok.is_none() { before_end } else { span }),
        }
    }
}

/// What a probe looks like.
const BLOCK: &str = "a probe is an attach point and a block: `begin { print(1); }`";

/// The tokens that the parser would have taken, put into words.
#[derive(Debug)]
pub(crate) struct Expected(Vec<&'static str>);

impl Expected {
    /// Tokens of every kind that the grammar knows are summed up: an expression can start in twenty ways.
    fn new(expected: &[String]) -> Expected {
        const EXPRESSION: &[&str] = &["number", "variable", "map", "string"];
        const PLAIN: &[(&str, &str)] = &[
            ("attach point", "an attach point"),
            ("end of predicate", "end of predicate"),
            ("name", "a name"),
            ("variable", "a variable"),
            ("map", "a map"),
            ("number", "a number"),
            ("string", "a string"),
            ("type", "a type"),
            ("{", "{"),
            ("}", "}"),
            ("(", "("),
            (")", ")"),
            ("]", "]"),
            (";", ";"),
            (",", ","),
            (":", ":"),
            ("=", "="),
        ];
        let has = |name: &str| expected.iter().any(|e| e.trim_matches('"') == name);
        let is_expression = EXPRESSION.iter().all(|e| has(e));
        let mut words = Vec::new();
        if is_expression {
            words.push(if has("let") { "a statement" } else { "an expression" });
        }
        let part_of_expression = |name: &str| {
            is_expression
                && matches!(name, "name" | "variable" | "map" | "number" | "string" | "type" | "(" | "{")
        };
        // Behind a complete expression an assignment could follow; nobody means that.
        let after_expression = has("+") && has("==");
        for (name, word) in PLAIN {
            // An assignment before a `)` would be the member of a record.
            let odd = match *name {
                "=" => after_expression || has(")"),
                // Behind the name of a member, the parameters of a function could follow.
                "(" => after_expression || has(";"),
                _ => false,
            };
            if has(name) && !part_of_expression(name) && !odd {
                words.push(word);
            }
        }
        if words.is_empty() && after_expression {
            words.push("an operator");
        }
        if words.is_empty() && has("else") {
            words.push("else");
        }
        Expected(words)
    }

    pub(crate) fn has(&self, word: &str) -> bool {
        self.0.contains(&word)
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("something else");
        }
        for (i, word) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(if i + 1 == self.0.len() { " or " } else { ", " })?;
            }
            match *word {
                "end of predicate" => f.write_str("`/` and a block")?,
                w if w.starts_with(|c: char| c.is_ascii_alphabetic()) && w != "else" => f.write_str(w)?,
                w => write!(f, "`{w}`")?,
            }
        }
        Ok(())
    }
}
