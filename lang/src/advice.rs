//! What to write instead of something that cannot be parsed: looks at the words around the place.
//!
//! Called by the parser for its first error in a statement. Nothing here decides whether a script is right.

use crate::builtin::{self, Form};
use crate::habits::{self, FOR};
use crate::lexer::Token;
use crate::parse::Expected;
use crate::token::Tok;

/// What is said besides "expected this, found that".
#[derive(Debug)]
pub(crate) enum Advice {
    /// This is missing behind the word before.
    Missing(&'static str),
    /// What to write instead.
    Help(String),
    /// Why it is so.
    Note(&'static str),
}

/// The words around an error.
pub(crate) struct Around<'a, 'i> {
    /// The words of the item.
    pub tokens: &'a [Token<'i>],
    /// Number of words before the error.
    pub at: usize,
    /// The word that does not fit; `None` at the end of the item.
    pub found: Option<Tok<'i>>,
    pub expected: &'a Expected,
}

const FN_PARAMETER: &str = "a parameter is a variable with a type: `fn f($a : int64)`";
const FN_RESULT: &str = "the type of the result stands behind a colon: `fn f($a : int64) : int64`";
const RANGE: &str = "a range ends before its last number: `0..6` ends with 5";
const PAIR: &str = "a loop over a map has one variable: `for ($kv : @map) { print(($kv.0, $kv.1)); }`";

impl<'i> Around<'_, 'i> {
    /// The best advice, if there is any.
    pub(crate) fn advice(&self) -> Option<Advice> {
        if let Some(help) = self.by_habit() {
            return Some(Advice::Help(help));
        }
        if let Some(what) = self.missing() {
            return Some(Advice::Missing(what));
        }
        if matches!(self.found, Some(Tok::Assign)) && self.expected.has(";") {
            return Some(Advice::Note("an assignment has no value"));
        }
        self.by_place().map(Advice::Help)
    }

    /// The word so many places before the error.
    fn before(&self, n: usize) -> Option<Tok<'i>> {
        self.tokens.get(self.at.checked_sub(n)?).map(|token| token.tok)
    }

    /// The word behind the one that does not fit.
    fn next(&self) -> Option<Tok<'i>> {
        self.tokens.get(self.at + 1).map(|token| token.tok)
    }

    /// The first word of the statement.
    fn statement(&self) -> Option<Tok<'i>> {
        let before = self.tokens.get(..self.at)?;
        let end = |token: &Token<'_>| matches!(token.tok, Tok::Semi | Tok::LBrace | Tok::RBrace);
        let start = before.iter().rposition(end).map_or(0, |at| at + 1);
        self.tokens.get(start).map(|token| token.tok)
    }

    /// Whether the head of a `for` is being read.
    fn in_for(&self) -> bool {
        self.statement() == Some(Tok::For)
    }

    fn in_function_head(&self) -> bool {
        let head = self.tokens.get(..self.at).unwrap_or_default();
        head.first().is_some_and(|t| t.tok == Tok::Fn) && !head.iter().any(|t| t.tok == Tok::LBrace)
    }

    /// What is written so in other languages.
    fn by_habit(&self) -> Option<String> {
        let help = |text: &str| Some(text.to_owned());
        let (last, found) = (self.before(1), self.found?);
        if let Some(Tok::Ident(word)) = self.statement()
            && let Some(text) = habits::statement(word)
        {
            return help(text);
        }
        match (last, found) {
            (Some(Tok::Ident(name)), Tok::Colon) if self.next() == Some(Tok::Assign) => {
                Some(format!("write `${name} = …`"))
            }
            (Some(Tok::Var(name)), Tok::Colon) if self.next() == Some(Tok::Assign) => {
                Some(format!("write `{name} = …`"))
            }
            (_, Tok::Ident("and")) => help("write `&&`"),
            (_, Tok::Ident("or")) => help("write `||`"),
            (Some(Tok::Ident("not")), _) => help("write `!`"),
            (Some(Tok::Lt), Tok::Gt) => help("to compare, write `!=`"),
            (Some(Tok::Ident(name)), found) if is_function(name) && starts_operand(found) => {
                Some(format!("what `{name}` is given stands in parentheses: `{name}(…)`"))
            }
            (Some(Tok::Ident(name)), Tok::LParen) if self.before(2) == Some(Tok::Dot) => {
                match habits::name(name) {
                    Some(text) => help(text),
                    None => Some(format!(
                        "there are no methods: functions take all values in parentheses, `{name}(…)`"
                    )),
                }
            }
            (_, Tok::TypeName(_) | Tok::Qualifier) if self.expected.has("a statement") => {
                help("a variable is declared by `let`: `let $x : int32 = 1`")
            }
            _ => None,
        }
    }

    /// A sign that has been left out.
    fn missing(&self) -> Option<&'static str> {
        let found = self.found?;
        let opens = ["a statement", "an expression", "a type"].iter().any(|what| self.expected.has(what));
        if opens {
            return None;
        }
        if self.expected.has(";") && starts_statement(found) {
            return Some(";");
        }
        let operand = self.before(1).is_some_and(ends_operand);
        if self.expected.has(",") && operand && starts_operand(found) {
            return Some(",");
        }
        let closes = matches!(found, Tok::Semi | Tok::RBrace | Tok::LBrace);
        if self.expected.has("]") && (closes || matches!(found, Tok::Assign | Tok::RParen)) {
            return Some("]");
        }
        (self.expected.has(")") && closes).then_some(")")
    }

    /// What the words around the place may have been meant as.
    fn by_place(&self) -> Option<String> {
        let help = |text: &str| Some(text.to_owned());
        let expected = self.expected;
        match (self.before(1), self.found?) {
            (Some(Tok::Eq | Tok::Ne), Tok::Assign) => help("to compare, write `==` or `!=`"),
            (_, Tok::Assign) if self.in_for() && expected.has(":") => help(FOR),
            (_, Tok::Ident("in")) => help(FOR),
            (Some(Tok::For | Tok::LParen), _) if self.in_for() && expected.has("a variable") => help(FOR),
            (Some(Tok::Var(_)), Tok::Comma) if self.in_for() => help(PAIR),
            (Some(Tok::DotDot), Tok::Dot | Tok::Assign) => help(RANGE),
            (_, Tok::Assign) if [")", "{", "end of predicate"].iter().any(|w| expected.has(w)) => {
                help("to compare, write `==`")
            }
            (Some(Tok::Map(name)), Tok::LBrace | Tok::LParen) => {
                Some(format!("the key of a map stands in brackets: `{name}[…]`"))
            }
            (Some(Tok::LBracket), Tok::RBracket) => match self.before(2) {
                Some(Tok::Map(name)) => Some(format!("a map without a key is written `{name}`")),
                _ => None,
            },
            // The quotes may have been the shell's.
            (Some(Tok::LParen), Tok::Percent) => help(
                "a format stands in double quotes, and a program behind -e in single ones: `printf(\"%d\\n\", 1)`",
            ),
            (Some(Tok::If | Tok::While), Tok::LBrace) => help("a condition stands before the block"),
            (Some(Tok::Unroll), Tok::LBrace) => {
                help("the number of rounds stands before the block: `unroll (5) { }`")
            }
            (Some(Tok::RParen), Tok::Comma) if expected.has(";") => help("statements are separated by `;`"),
            (Some(Tok::Let), Tok::Ident(name)) => Some(format!("a variable starts with `$`: `let ${name}`")),
            (_, Tok::Arrow) if self.in_function_head() => help(FN_RESULT),
            _ if self.in_function_head() && (expected.has("a variable") || expected.has(":")) => {
                help(FN_PARAMETER)
            }
            (Some(Tok::Ident(name)), Tok::TypeName(ty)) if expected.has("a name") => {
                Some(format!("the type stands before the name: `{ty} {name};`"))
            }
            (_, Tok::LBracket) if expected.has("an expression") => {
                help("several values together are a tuple: `(1, 2, 3)`")
            }
            (_, _) if expected.has("{") => match self.statement()? {
                word @ (Tok::If | Tok::While | Tok::For | Tok::Unroll | Tok::Else) => {
                    Some(format!("the block of `{word}` stands in braces"))
                }
                _ => None,
            },
            (Some(Tok::Star), Tok::RParen) => {
                let name = self.name_before_star()?;
                Some(format!("for a cast write `(struct {name} *)`"))
            }
            (Some(Tok::RParen), found) if starts_operand(found) => {
                let name = self.name_in_parentheses()?;
                Some(format!("for a cast write `(struct {name} *)` or a type such as `(uint64)`"))
            }
            (Some(Tok::LParen), Tok::Ident(name)) => {
                Some(format!("is `{name}` a struct? write `struct {name}`"))
            }
            _ => None,
        }
    }

    /// The name in a `(name)` that stands right before: perhaps a cast was meant, unless it is a call.
    fn name_in_parentheses(&self) -> Option<&'i str> {
        match (self.before(4), self.before(3), self.before(2)) {
            (Some(Tok::Ident(_)), ..) => None,
            (_, Some(Tok::LParen), Some(Tok::Ident(name))) => Some(name),
            _ => None,
        }
    }

    /// The name in the `(name *` that stands right before.
    fn name_before_star(&self) -> Option<&'i str> {
        let stars = (1..=self.at).take_while(|n| self.before(*n) == Some(Tok::Star)).count();
        match (self.before(stars + 1), self.before(stars + 2)) {
            (Some(Tok::Ident(name)), Some(Tok::LParen)) => Some(name),
            _ => None,
        }
    }
}

/// Whether values can be given to a builtin of this name.
fn is_function(name: &str) -> bool {
    builtin::find(name).is_some_and(|b| b.form != Form::Variable)
}

/// Whether a value can start with this word and cannot go on with it.
fn starts_operand(tok: Tok<'_>) -> bool {
    matches!(tok, Tok::Ident(_) | Tok::Var(_) | Tok::Map(_) | Tok::Number(_) | Tok::Str(_) | Tok::Param(_))
}

/// Whether a value can end with this word.
fn ends_operand(tok: Tok<'_>) -> bool {
    starts_operand(tok) || matches!(tok, Tok::RParen | Tok::RBracket)
}

/// Whether a statement can start with this token and an expression cannot go on with it.
fn starts_statement(tok: Tok<'_>) -> bool {
    matches!(
        tok,
        Tok::Ident(_)
            | Tok::Var(_)
            | Tok::Map(_)
            | Tok::If
            | Tok::Let
            | Tok::Return
            | Tok::Unroll
            | Tok::While
            | Tok::For
            | Tok::Break
            | Tok::Continue
    )
}
